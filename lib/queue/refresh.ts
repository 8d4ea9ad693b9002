// Everything in a workspace at one moment, brought up to date first: what has ended is settled, due
// retries are queued, and where that is ordered what is ready is launched. The same turns as those of
// whoever watches, once.

import type { Change } from "../decide/changes.ts";
import { indexTasks, retryOf, type TaskIndex } from "../decide/dependencies.ts";
import { createModel } from "../decide/model.ts";
import { isAutomatic, isFollowed } from "../decide/retry.ts";
import type { Held, SharedView } from "../decide/room.ts";
import { type Hold, NO_HOLD, type Orders, turn } from "../decide/turn.ts";
import { archivedDependencies, findArchived } from "../store/archive.ts";
import { closedOf, type Damage, type Scan } from "../store/tasks.ts";
import { toOrchestraError } from "../task/error.ts";
import { isTerminal, type Task } from "../task/fields.ts";
import { applyTurn, type Doer } from "./apply.ts";
import type { LaunchedTask } from "./claim.ts";
import { probe, type Probed } from "./probe.ts";
import { commitTask, endTask } from "./end.ts";
import type { Made } from "./worktree.ts";
import { loadRules, type Queue, type Rules } from "./queue.ts";
import { readShared, viewShared } from "./shared.ts";
import { type May, NOTHING_MORE } from "./step.ts";

/** Everything in a workspace at one moment. */
export interface Snapshot {
  /** By id, oldest first. */
  readonly tasks: Task[];
  readonly damaged: Damage[];
  readonly marks: Map<string, string[]>;
  /** What this look itself brought up to date. */
  readonly changes: readonly Change[];
  /** The tasks by id, with the archived ones that pending tasks depend on. */
  readonly index: TaskIndex;
  /** Something runs here, must be ended or verified: somebody should be watching. */
  readonly unsettled: boolean;
  /** Something runs in another container or on another machine: whoever watches must be there. */
  readonly unseen: boolean;
  /** Something is retried by itself, now or later: who was ordered to watch should be watching. */
  readonly retrying: boolean;
  /** What this look launched. */
  readonly launched: readonly LaunchedTask[];
  /** Why it did not launch what was ready, for a limit across workspaces; null where nothing was held. */
  readonly held: Held | null;
  /** What holds across workspaces; nothing where absent. */
  readonly shared?: SharedView;
  /** Tasks that were to be launched and have no worktree yet; nothing where absent. */
  readonly lacking?: readonly Lacking[];
}

/** A task that waits for its worktree. */
export interface Lacking {
  readonly id: string;
  /** What stands in the way. */
  readonly why: string;
}

/** How much {@linkcode refresh} may do. */
export interface RefreshOptions {
  /** Queue due retries; unless told not to. */
  retry?: boolean;
  /** Also launch what is ready, in the same locked section: most at once, or how many more. */
  launch?: Orders["parallel"];
  /** What it may do that is otherwise left to whoever watches. */
  may?: (rules: Rules) => May;
}

/** Reads everything and brings it up to date. */
export async function refresh(queue: Queue, options: RefreshOptions = {}): Promise<Snapshot> {
  const snapshot = await bringUpToDate(queue, options);
  return Object.assign(snapshot, { shared: await viewShared(queue, snapshot.tasks) });
}

async function bringUpToDate(queue: Queue, options: RefreshOptions): Promise<Snapshot> {
  const { store } = queue;
  const scan = store.scan();
  if (options.launch === undefined && !needsTurn(scan, options)) {
    return snapshotOf(queue, scan, scan.tasks, [], []);
  }
  // Settings and processes come first, for nothing may wait inside the lock.
  const [rules, probed] = await Promise.all([loadRules(queue), probe(queue, suspectsOf(scan))]);
  if (options.launch === undefined) {
    const seen = bringForward(queue, scan, rules, probed, options);
    if (seen.ends.length + seen.commits.length === 0) return seen;
    // Where nobody is left to do it, who looks ends what lives of what has failed.
    await Promise.all(seen.ends.map((id) => endTask(queue, id, rules)));
    await Promise.all(seen.commits.map((id) => commitTask(queue, id, rules)));
    const after = bringForward(queue, store.scan(), rules, probed, options);
    return Object.assign(after, { changes: [...seen.changes, ...after.changes] });
  }
  // What has ended is settled first, so that the locked sections in which something is launched are short.
  const earlier = needsTurn(scan, options)
    ? bringForward(queue, scan, rules, probed, { ...options, launch: undefined })
    : undefined;
  const changes = [...earlier?.changes ?? []];
  const launched: LaunchedTask[] = [];
  const known = closedOf(scan.tasks);
  if (earlier !== undefined) {
    await Promise.all(earlier.commits.map((id) => commitTask(queue, id, rules)));
  }
  // For each a worktree is made once: where it could not be, whoever watches tries again.
  const made = new Set<string>();
  const stuck = new Set<string>();
  const lacking: Lacking[] = [];
  for (let left = options.launch;;) {
    const part = store.locked(() =>
      bringForward(queue, store.scan(known), rules, probed, { ...options, launch: left }, stuck)
    );
    changes.push(...part.changes);
    launched.push(...part.launched);
    await Promise.all(part.make.map(async (id) => {
      const outcome = made.has(id) ? undefined : await makeWorktreeFor(queue, id, rules);
      made.add(id);
      if (outcome === undefined || "later" in outcome) {
        stuck.add(id);
        if (outcome !== undefined) lacking.push({ id, why: outcome.later });
      } else if (outcome.task?.status === "failed") {
        changes.push({ kind: "failed", task: outcome.task });
      }
    }));
    if (!part.more) return Object.assign(part, { changes, launched, lacking });
    if (typeof left === "object") left = { more: left.more - part.launched.length };
  }
}

async function makeWorktreeFor(queue: Queue, id: string, rules: Rules): Promise<Made> {
  const { makeFor } = await import("./worktree.ts");
  return await makeFor(queue, id, rules);
}

/** So many tasks are launched while others are kept out: some hundred milliseconds. */
const AT_ONCE = 50;

/** Tasks whose files must be looked at. */
function suspectsOf({ tasks, marks }: Scan): Task[] {
  return tasks.filter((task) =>
    task.status === "running" || task.reapAt !== null ||
    (task.status === "pending" && marks.get(task.taskId)?.includes("cancelled"))
  );
}

/** Whether there is anything to do: most looks find nothing, and then cost only the reading. */
function needsTurn(scan: Scan, { retry = true }: RefreshOptions): boolean {
  return suspectsOf(scan).length > 0 || (retry && scan.tasks.some(isFollowed)) ||
    hasNameless(scan.tasks);
}

/** Whether a successor is there that its maker did not live to name. */
function hasNameless(tasks: readonly Task[]): boolean {
  const successors = tasks.filter((task) => retryOf(task) !== null);
  if (successors.length === 0) return false;
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  return successors.some((task) => {
    const earlier = byId.get(retryOf(task)!);
    return earlier !== undefined && earlier.retriedBy === null && isTerminal(earlier.status) &&
      earlier.status !== "complete";
  });
}

/** What a look came to, and what it leaves to be done outside the lock. */
interface Brought extends Snapshot {
  /** More is to be launched than was. */
  readonly more: boolean;
  /** Settled tasks of which something may live. */
  readonly ends: readonly string[];
  /** Tasks that have succeeded, whose work is to be committed. */
  readonly commits: readonly string[];
  /** Tasks that need a worktree before they are launched. */
  readonly make: readonly string[];
}

/** Turn after turn, until nothing is left to do now; whether more is to be launched than was. */
function bringForward(
  queue: Queue,
  scan: Scan,
  rules: Rules,
  { aliveness, unseen }: Probed,
  { retry = true, launch, may = () => NOTHING_MORE }: RefreshOptions,
  stuck: ReadonlySet<string> = new Set(),
): Brought {
  const { store } = queue;
  const model = createModel(
    scan.tasks,
    (ids, known, found) => findArchived(store, ids, known, found),
  );
  for (const { taskId } of suspectsOf(scan)) model.touch(taskId);
  const changes: Change[] = [];
  const launched: LaunchedTask[] = [];
  // Once tried is enough for a look; and what still lives is ended by whoever watches.
  const ending = new Set<string>();
  const refused = new Set(stuck);
  const hold: Hold = { ...NO_HOLD, ending, refused };
  let due = false;
  let isLacking = false;
  let held: Held | null = null;
  const ends: string[] = [];
  const commits: string[] = [];
  let make: readonly string[] = [];
  const allowed = may(rules);
  const doer: Doer = {
    may: (id) => unseen.has(id) ? NOTHING_MORE : allowed,
    aliveness: () => aliveness,
    changed: (change) => void changes.push(change),
    launched: (one) => void launched.push(one),
    held: (reason) => void (held ??= reason),
    lacking: () => void (isLacking = true),
    stepped(id, stepped) {
      ending.add(id);
      due ||= stepped.due;
      if (stepped.end && allowed.limits) ends.push(id);
      if (stepped.commit) commits.push(id);
    },
    refused(id, error) {
      refused.add(id);
      reportDamage(scan.damaged, id, error);
    },
  };
  const settling: Orders = { launch: "nothing", parallel: 0, retry, limits: allowed.limits };
  for (;;) {
    const next = turn(model, settling, rules, queue.now(), hold);
    if (next.step.length + next.retry.length === 0) break;
    applyTurn(queue, model, next, rules, doer);
    for (const id of next.retry) refused.add(id);
  }
  let more = false;
  if (launch !== undefined) {
    const shared = readShared(rules, queue.now(), true, store.root);
    const all: Orders = { ...settling, launch: "all", parallel: launch, shared };
    const next = turn(model, all, rules, queue.now(), hold);
    held = next.held;
    // What is handed on is launched with the next look.
    make = next.make;
    more = next.launch.length > AT_ONCE || next.handOn.length + make.length > 0;
    applyTurn(queue, model, { ...next, launch: next.launch.slice(0, AT_ONCE) }, rules, doer);
    more ||= isLacking;
  }
  const tasks = changes.length === 0 ? scan.tasks : [...model.index.byId.values()];
  const snapshot = snapshotOf(queue, scan, tasks, changes, launched, due, unseen);
  return Object.assign(snapshot, { more, ends, commits, make, held });
}

function snapshotOf(
  { store }: Queue,
  { damaged, marks }: Scan,
  tasks: Task[],
  changes: Change[],
  launched: LaunchedTask[],
  due = false,
  unseen: ReadonlySet<string> = new Set(),
): Snapshot {
  let index: TaskIndex | undefined;
  return {
    tasks,
    damaged,
    marks,
    changes,
    launched,
    held: null,
    unsettled: due ||
      tasks.some((task) =>
        (task.status === "running" || task.reapAt !== null) && !unseen.has(task.taskId)
      ),
    unseen: unseen.size > 0,
    get retrying() {
      return tasks.some((task) => isFollowed(task) || isWaitingRetry(task));
    },
    // Made when it is asked for: over ten thousand tasks it takes as long as start-up.
    get index() {
      return index ??= indexTasks(tasks, archivedDependencies(store, tasks));
    },
  };
}

/** Whether a task was queued by the queue itself and has not begun. */
function isWaitingRetry(task: Task): boolean {
  return task.status === "pending" && isAutomatic(task);
}

function reportDamage(damaged: Damage[], id: string, error: unknown): void {
  const file = `.orchestra/tasks/${id}.json`;
  if (damaged.some((item) => item.file === file)) return;
  damaged.push({ file, problem: toOrchestraError(error, "cannot be brought up to date").message });
}
