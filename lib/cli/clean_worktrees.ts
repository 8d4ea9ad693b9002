// `orchestra clean --worktrees`: removes the branches and worktrees of tasks that may go, and says what
// became of each, and where what had no other name was kept.

import { decideCleaning } from "../decide/cleaning.ts";
import { BACKUPS, formatKept, keptJson, NO_BRANCH, remedyOf, WAYS } from "../format/worktrees.ts";
import type { Queue } from "../queue/queue.ts";
import { noteCleaned } from "../queue/cleaned.ts";
import { noTask } from "../queue/queue.ts";
import { NotNow, withWorktreeLock } from "../queue/worktree_lock.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { isTaskId } from "../task/fields.ts";
import { formatBytes } from "../text/bytes.ts";
import { sanitize } from "../text/width.ts";
import { cleanBranch, type Cleaned } from "../worktree/clean.ts";
import type { Seen } from "../worktree/look.ts";
import type { Found } from "../worktree/orphans.ts";
import { type Branches, openBranches } from "./branches.ts";
import type { Context } from "./context.ts";

/** What is asked for. */
export interface CleanWorktreesFlags {
  worktrees?: boolean;
  dryRun?: boolean;
  force?: boolean;
  into?: string;
}

/**
 * Cleans them.
 *
 * @param words ids, unique ends of them, or filters; all where there are none
 */
export async function cleanWorktrees(
  context: Context,
  queue: Queue,
  flags: CleanWorktreesFlags,
  words: readonly string[],
): Promise<void> {
  const { dryRun = false, force = false } = flags;
  if (force && words.length === 0) {
    throw new OrchestraError("usage", "clean --worktrees --force needs the ids of tasks", {
      hint: "See which there are with: orchestra worktrees",
    });
  }
  const config = await context.config(queue.store);
  const branches = await openBranches(queue, config, flags.into ?? null);
  const ids = words.length === 0
    ? undefined
    : await branches.find().then((all) =>
      new Set(words.flatMap((word) => filtered(all, word, force) ?? pick(queue, all, word)))
    );
  const chosen = await branches.look(ids);
  const outcomes: { seen: Seen; cleaned: Cleaned }[] = [];
  for (const seen of chosen) {
    const cleaned = dryRun
      ? expected(seen, force)
      : await clean(context, queue, branches, seen, force);
    if (cleaned !== undefined) outcomes.push({ seen, cleaned });
  }
  if (outcomes.some(({ cleaned }) => cleaned.kind === "failed")) context.fail(5);
  else if (
    words.some((word) => !Object.hasOwn(FILTERS, word)) &&
    outcomes.some(({ cleaned }) => cleaned.kind === "kept")
  ) {
    context.fail(4);
  }
  const into = branches.request.goal.name;
  if (context.globals.json) context.printJson(asJson(outcomes, into, dryRun));
  else {
    const detached = flags.into === undefined && branches.request.goal.branch === null;
    tell(context, outcomes, into, flags, detached);
  }
}

/** The words that `clean` takes for several tasks, and which they are. */
const FILTERS: Readonly<Record<string, readonly string[]>> = {
  completed: ["complete"],
  complete: ["complete"],
  failed: ["failed"],
  cancelled: ["cancelled"],
  all: ["complete", "failed", "cancelled"],
};

/** The ids that a filter means; undefined for a word that is none. What goes by force alone is named itself. */
function filtered(all: readonly Found[], word: string, force: boolean): string[] | undefined {
  const statuses = Object.hasOwn(FILTERS, word) ? FILTERS[word] : undefined;
  if (statuses === undefined || all.some(({ tasks }) => tasks.some(({ key }) => key === word))) {
    return undefined;
  }
  if (force) {
    throw new OrchestraError("usage", `clean --worktrees --force ${word}: it takes ids alone`, {
      hint: "See which there are with: orchestra worktrees",
    });
  }
  return all.filter(({ tasks }) => statuses.includes(tasks.at(-1)?.status ?? ""))
    .map(({ taskId }) => taskId);
}

/** The id of what was typed: a whole one, or the end of one. */
function pick({ store }: Queue, all: readonly Found[], word: string): string {
  const ids = all.map(({ taskId }) => taskId);
  if (ids.includes(word)) return word;
  const ending = ids.filter((id) => id.endsWith(word));
  if (ending.length === 1) return ending[0]!;
  // One of a chain that worked on in the same branch.
  const heir = all.find(({ tasks }) => tasks.some(({ taskId }) => taskId === word));
  if (heir !== undefined) return heir.taskId;
  if (isTaskId(word) && (store.has(word) || store.isArchived(word))) {
    throw new OrchestraError("state", `Cleaning ${word}: it has neither a branch nor a worktree`, {
      hint: "See which there are with: orchestra worktrees",
    });
  }
  if (isTaskId(word)) throw noTask(store, word);
  throw new OrchestraError(
    "usage",
    `clean --worktrees ${JSON.stringify(word)}: ${
      ending.length === 0 ? "no task with a branch is called so" : `${ending.length} are called so`
    }`,
    { hint: "See which there are with: orchestra worktrees" },
  );
}

/** What would come of it. */
function expected({ found, place, bytes }: Seen, force: boolean): Cleaned {
  const { taskId, branch, entry, tip } = found;
  const cleaning = decideCleaning(place, force);
  return cleaning.kind === "keep"
    ? { taskId, branch, kind: "kept", why: cleaning.why, forcible: cleaning.forcible }
    : {
      taskId,
      branch,
      kind: "removed",
      path: entry?.path ?? null,
      way: place.way,
      tip,
      bytes: bytes ?? 0,
      backups: [],
    };
}

async function clean(
  context: Context,
  queue: Queue,
  { repo, request }: Branches,
  seen: Seen,
  force: boolean,
): Promise<Cleaned | undefined> {
  // What stays is not looked at twice, unless it is half made: that may be mended.
  const before = expected(seen, force);
  const { owner, folder } = seen.place;
  const isPart = before.kind === "kept" && before.why.code === "changed" &&
    owner.kind === "rest" && folder.kind === "there";
  if (before.kind === "kept" && !isPart) return before;
  const { taskId, tasks } = seen.found;
  const cleaned = await withWorktreeLock(
    queue.store,
    taskId,
    () => cleanBranch(repo, taskId, force, request),
  ).catch((error): Cleaned => {
    if (!(error instanceof NotNow)) throw error;
    const { branch } = seen.found;
    return {
      taskId,
      branch,
      kind: "failed",
      problem: `${error.message} (${error.hint})`,
      backups: [],
    };
  });
  if (cleaned?.kind !== "removed") return cleaned;
  context.trace("worktree removed", { task: taskId, branch: cleaned.branch ?? "" });
  noteCleaned(queue, tasks.map((task) => task.taskId));
  return cleaned;
}

type Outcomes = readonly { seen: Seen; cleaned: Cleaned }[];

function asJson(outcomes: Outcomes, into: string, dryRun: boolean): unknown {
  const of = <Kind extends Cleaned["kind"]>(kind: Kind) =>
    outcomes.map(({ cleaned }) => cleaned)
      .filter((one): one is Extract<Cleaned, { kind: Kind }> => one.kind === kind);
  const name = ({ taskId, branch }: Cleaned) => ({ taskId, branch });
  return {
    dryRun,
    into,
    removed: of("removed").map((one) => ({
      ...name(one),
      path: one.path,
      tip: one.tip,
      integrated: one.way,
      bytes: one.bytes,
      backups: one.backups.map(({ ref, of }) => ({ ref, holds: of })),
    })),
    kept: of("kept").map((one) => ({ ...name(one), ...keptJson(one.why, one.forcible, into) })),
    failed: of("failed").map((one) => ({
      ...name(one),
      problem: one.problem,
      backups: one.backups.map(({ ref, of }) => ({ ref, holds: of })),
    })),
  };
}

function tell(
  context: Context,
  outcomes: Outcomes,
  into: string,
  flags: CleanWorktreesFlags,
  detached: boolean,
): void {
  const { dryRun = false, force = false } = flags;
  const removed = outcomes.filter(({ cleaned }) => cleaned.kind === "removed");
  let bytes = 0;
  for (const { cleaned } of removed) {
    if (cleaned.kind !== "removed") continue;
    bytes += cleaned.bytes;
    const what = [
      cleaned.branch === null ? "" : `branch ${cleaned.branch}`,
      cleaned.path === null ? "" : `folder ${cleaned.path}`,
    ].filter((text) => text !== "").join(", ");
    const how = cleaned.way === null ? "" : ` (${WAYS[cleaned.way]})`;
    context.print(sanitize(`${cleaned.taskId}${how}: ${what}`));
    tellBackups(context, cleaned);
  }
  const count = `${removed.length} ${removed.length === 1 ? "task" : "tasks"}`;
  context.print(
    `${dryRun ? "Would remove" : "Removed"} the branches and worktrees of ${count}` +
      (bytes > 0 ? `: ${formatBytes(bytes)}` : ""),
  );
  for (const [why, ids] of groupKept(outcomes, into)) {
    const some = ids.length > NAMED
      ? `${ids.slice(0, NAMED).join(", ")} and ${ids.length - NAMED} more stay`
      : `${ids.join(", ")} ${ids.length === 1 ? "stays" : "stay"}`;
    context.note(`${some}: ${why}`);
  }
  for (const { cleaned } of outcomes) {
    if (cleaned.kind !== "failed") continue;
    context.note(sanitize(`${cleaned.taskId} stays: ${cleaned.problem}`));
    tellBackups(context, cleaned);
  }
  if (detached) context.note(NO_BRANCH);
  const forcible = outcomes.map(({ cleaned }) => cleaned)
    .filter((cleaned) => cleaned.kind === "kept" && cleaned.forcible);
  const isOpen = (cleaned: Cleaned) =>
    cleaned.kind === "kept" && cleaned.why.code === "not-integrated";
  if (!detached && forcible.some(isOpen)) {
    const option = flags.into === undefined ? "" : ` --into ${quote([flags.into])}`;
    context.note(sanitize(`Merge what is not in ${into} with: orchestra merge --all${option}`));
  }
  if (forcible.length > 0 && !force) {
    // An example that is pasted must not give up what is to be merged.
    const example = forcible.find((cleaned) => !isOpen(cleaned))?.taskId ?? "ID";
    context.note(
      "By its id such a one is given up, and a backup of it is kept: " +
        `orchestra clean --worktrees --force ${example}`,
    );
  }
}

/** So many that stay for one reason are named. */
const NAMED = 3;

/** Those that stay, by why they do and what is to be done about it. */
function groupKept(outcomes: Outcomes, into: string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { seen, cleaned } of outcomes) {
    if (cleaned.kind !== "kept") continue;
    const remedy = remedyOf(cleaned.why, seen.found.entry?.path ?? null);
    const why = sanitize(formatKept(cleaned.why, into)) +
      (remedy === undefined ? "" : `\n  ${sanitize(remedy)}`);
    groups.set(why, [...groups.get(why) ?? [], cleaned.taskId]);
  }
  return groups;
}

function tellBackups(context: Context, cleaned: Cleaned): void {
  if (!("backups" in cleaned)) return;
  for (const { ref, of } of cleaned.backups) {
    const name = of === "branch" && cleaned.branch !== null ? cleaned.branch : "NAME";
    context.print(
      sanitize(`  ${BACKUPS[of]} is kept; get it back: git branch ${quote([name])} ${ref}`),
    );
  }
}
