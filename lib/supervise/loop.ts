// The one loop of everybody who watches a workspace: catch up, decide a turn, do it, sleep. A supervisor
// and a daemon do what a turn says; who only looks on leaves that to them, and does it only where nobody
// watches. Killed at any point it loses nothing: all it knows is on disk.

import type { Change } from "../decide/changes.ts";
import type { Held } from "../decide/room.ts";
import { type Hold, type Orders, type Turn, turn } from "../decide/turn.ts";
import { pause } from "../launch/pause.ts";
import type { Identity } from "../launch/launcher.ts";
import { applyTurn, type Doer } from "../queue/apply.ts";
import { commitTask, endTask } from "../queue/end.ts";
import { EVERYTHING, NOTHING_MORE } from "../queue/step.ts";
import { addSleep } from "../queue/limits.ts";
import { sharedView } from "../queue/shared.ts";
import { tellQueue } from "../queue/tell.ts";
import type { Queue, Rules } from "../queue/queue.ts";
import type { Config } from "../settings/config_fields.ts";
import { tidyHistory } from "../store/history_parts.ts";
import { type OrchestraError, toOrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { type Children, createChildren } from "./children.ts";
import { createSleepClock } from "./clock.ts";
import { type LiveRules, openRules } from "./live_rules.ts";
import { hasOne, type Mirror, openMirror } from "./mirror.ts";
import { openRoom, type Room } from "./room.ts";
import type { WatchLock } from "./watcher.ts";

/** What the loop is to bring about. */
export interface Wanted {
  readonly launch: Orders["launch"];
  /** Most tasks at once; where absent the settings' `max_concurrent`, and any number of retries. */
  readonly parallel?: number;
}

/** What goes on beside the watching, and never holds it up. */
export interface Beside {
  /**
   * Called after each turn; what it leads to goes on by itself.
   *
   * @param isDone nothing is left to do: who watches stays only as long as this is busy
   */
  look(config: Config, isDone: boolean): void;
  /** Whether who would leave when nothing is left to do stays for it. */
  readonly isBusy: boolean;
  /** Set by the loop, called when it is not busy any more. */
  onIdle: () => void;
  /**
   * Called when the watching ends.
   *
   * @param stop aborted where somebody asked for it, also while it closes: what goes on has a moment to
   *   come to its end
   */
  close(stop: AbortSignal): Promise<void>;
}

/** How the loop goes about it. */
export interface WatchOptions {
  /** Asked before each turn: it may change while the loop runs. */
  readonly wanted: () => Wanted;
  /** When it ends: when nothing is left to do, when something is so, or never by itself. */
  readonly until: "finished" | "forever" | ((mirror: Mirror) => boolean);
  /** Stops the loop; agents go on. */
  readonly signal: AbortSignal;
  /** Seconds between safety rescans, at least; the settings' `interval` where absent. */
  readonly interval?: number;
  /** The lock of who does it: where somebody else has it by now, the loop ends. */
  readonly lock?: WatchLock;
  /** Whether due retries are queued; unless told not to. */
  readonly retry?: boolean;
  /**
   * Whether what is to be done is left to somebody else; asked when something is, and now and then.
   * Whoever is asked may start that somebody, but not for what cannot be seen from here.
   */
  readonly leaveToOthers?: (mirror: Mirror, unseen: ReadonlySet<string>) => boolean;
  /** The tasks as they were last seen: what has changed since is told of. */
  readonly from?: readonly Task[];
  /** Called with each change, in order, whoever made it. */
  readonly onChange?: (change: Change, mirror: Mirror) => void;
  /** Called with each task whose file is another one, or is gone, whether that is a change of it or not. */
  readonly onKeep?: (id: string) => void;
  /** Called after each turn in which something changed. */
  readonly onTurn?: (mirror: Mirror) => void;
  /** Called when the queue has come to rest: nothing runs, and nothing is ready. */
  readonly onRest?: () => void;
  /** How many workspaces this process watches over: what is at rest in many is rescanned less often. */
  readonly crowd?: () => number;
  /** Told of settings that are wrong at the start, by who goes on with the defaults then. */
  readonly onBroken?: (problem: OrchestraError) => void;
  /** Called with what makes the watching difficult, a sentence each, once. */
  readonly onProblem?: (problem: string) => void;
  /** Called when settings break while it watches, with why earlier ones hold, and with null once they are mended. */
  readonly onStale?: (problem: string | null) => void;
  /** What goes on beside it. */
  readonly beside?: Beside;
  /** Called inside the workspace lock when nothing is left to do, before the loop returns. */
  readonly onFinished?: () => void;
}

/** A rescan takes no more than this share of the time, unless {@linkcode THOROUGH} brings it sooner. */
const RESCAN_SHARE = 1 / 500;
/** Every so many rescans each file is looked at; and no rescan waits for more intervals than these. */
const THOROUGH = 12;
/** Milliseconds after which a sentinel that is half there is looked at again. */
const PARTIAL = 10;
/** What is due and yet did not change a moment ago is not asked again before, milliseconds. */
const AGAIN = 100;

/** What the loop knows beside the tasks. */
interface Watch {
  readonly queue: Queue;
  readonly options: WatchOptions;
  readonly mirror: Mirror;
  readonly rules: LiveRules;
  readonly children: Children;
  readonly hold: Hold & {
    readonly ending: Set<string>;
    readonly making: Set<string>;
    readonly refused: Set<string>;
    readonly warned: Set<string>;
    launching: boolean;
  };
  /** Sentinels that are half there, by task. */
  readonly partial: Set<string>;
  /** Processes of running tasks as they were last seen. */
  readonly shims: Map<string, Identity>;
  /** How many changes there were so far. */
  changes: number;
  /** How many there were when the queue was last found at rest. */
  rested: number;
  /** Whether what nobody lived to tell of the queue was looked for. */
  looked: boolean;
  /** Agents that are paused, until when, milliseconds since the epoch. */
  readonly lanes: Map<string, number>;
  /** What whoever is told of changes has thrown: the loop ends with it. */
  thrown: { readonly error: unknown } | undefined;
  /** Tells of a change. What is to be done goes on, whatever comes of it. */
  say(change: Change): void;
  /** What limits across workspaces leave. */
  readonly room: Room;
  /** Why earlier settings hold, as it was last told; null where they are those of the files. */
  stale: string | null;
  /** The next turn is another one, though nobody was told of a change. */
  again: boolean;
  /** Ends the sleep. */
  wake(): void;
  /** Says what makes the watching difficult, once. */
  tell(problem: string): void;
}

/**
 * Watches over a workspace.
 *
 * @returns the tasks as last seen
 * @throws OrchestraError `config` where settings or agents are broken at the start and nobody is told
 */
export async function watchOver(queue: Queue, options: WatchOptions): Promise<Mirror> {
  const watch = openWatch(queue, options, await openRules(queue, options.onBroken));
  using mirror = watch.mirror;
  using _room = watch.room;
  const { beside } = options;
  if (beside !== undefined) beside.onIdle = () => watch.wake();
  try {
    await watchOn(watch);
  } finally {
    await beside?.close(options.signal);
  }
  return mirror;
}

async function watchOn(watch: Watch): Promise<void> {
  const { queue, options, mirror } = watch;
  const rescans = createRescans(watch);
  await watch.children.ask([...mirror.running.values(), ...mirror.reaping.values()]);
  isLeft(watch);
  tidy(watch);
  for (let shown = -1; !options.signal.aborted;) {
    mirror.catchUp();
    await watch.rules.refresh();
    noteStale(watch);
    rescans.noteJump();
    const next = decideTurn(watch);
    noteHeld(watch, next.held);
    const acted = act(watch, next);
    const isDone = !acted && options.until === "finished" && isFinished(watch, next);
    options.beside?.look(watch.rules.current.config, isDone);
    if (watch.thrown !== undefined) throw watch.thrown.error;
    if (shown !== watch.changes) {
      shown = watch.changes;
      options.onTurn?.(mirror);
    }
    if (typeof options.until === "function" && options.until(mirror)) break;
    if (acted) continue;
    tellOfQueue(watch, next);
    options.beside?.look(watch.rules.current.config, isDone);
    if (isDone && !options.beside?.isBusy) {
      if (attempt(watch, () => finish(watch))) break;
      // Somebody queued a task just now. Should it not be launched either, others have their turn.
      await sleep(watch, AGAIN);
      continue;
    }
    const at = Math.min(next.at ?? Infinity, ...watch.lanes.values());
    const due = Math.max(AGAIN, at - queue.now());
    const soon = watch.partial.size > 0 ? PARTIAL : Infinity;
    await sleep(watch, Math.min(due, soon, rescans.left()));
    for (const id of watch.partial) mirror.touch(id);
    watch.partial.clear();
    if (!queue.store.isHere()) {
      watch.tell(`${queue.store.root} was moved or removed: nobody watches over it any more`);
      break;
    }
    if (options.lock?.keeps() === false) {
      watch.tell("Somebody removed .orchestra/daemon.lock, and somebody else watches now");
      break;
    }
    await rescans.run();
  }
}

function openWatch(queue: Queue, options: WatchOptions, rules: LiveRules): Watch {
  const told = new Set<string>();
  const tell = (problem: string) => {
    if (told.has(problem)) return;
    told.add(problem);
    options.onProblem?.(problem);
  };
  const children = createChildren(queue, (id) => {
    watch.mirror.touch(id);
    watch.wake();
  });
  const watch: Watch = {
    queue,
    options,
    rules,
    children,
    mirror: openMirror(queue.store, {
      from: options.from,
      whole: options.onTurn !== undefined || typeof options.until === "function",
      onChange(change) {
        watch.changes++;
        watch.say(change);
      },
      onKeep: options.onKeep,
      onProblem: (reason) =>
        tell(`The folder cannot be watched, it is looked at now and then: ${reason}`),
      shared: (isReady, atWork) => sharedView(rules.current, queue.now(), isReady, atWork),
      // That a child of ours has ended we are told by the system.
      isKnown: (id, mark) => mark === "exitcode" && children.has(id),
    }),
    room: openRoom(queue, () => rules.current),
    hold: {
      ending: new Set(),
      making: new Set(),
      refused: new Set(),
      warned: new Set(),
      launching: false,
    },
    partial: new Set(),
    shims: new Map(),
    changes: 0,
    rested: -1,
    looked: false,
    lanes: new Map(),
    thrown: undefined,
    stale: null,
    again: false,
    say(change) {
      try {
        options.onChange?.(change, watch.mirror);
      } catch (error) {
        watch.thrown ??= { error };
      }
    },
    wake() {},
    tell,
  };
  return watch;
}

/** Whether somebody else does what is to be done; see {@linkcode WatchOptions}. */
function isLeft(watch: Watch): boolean {
  const { options, mirror, children } = watch;
  try {
    return options.leaveToOthers?.(mirror, children.unseen) ?? false;
  } catch (error) {
    // Somebody may be there who does it: asked again with the next rescan, and whoever looks on goes on.
    watch.tell(toOrchestraError(error, "Leaving the queue to others").message);
    return true;
  }
}

function decideTurn(watch: Watch): Turn {
  const { queue, options: { wanted, retry = true }, rules, mirror, hold } = watch;
  const { launch, parallel = mostOf(launch, rules.current) } = wanted();
  const isReady = launch !== "nothing" && hasOne(mirror.ready(launch === "retries"));
  const shared = watch.room.look(isReady);
  const orders: Orders = { launch, parallel, retry, limits: true, shared };
  return turn(mirror, orders, rules.current, queue.now(), hold);
}

/** Most at once where no number was given: a retry takes the place of what failed, and is not counted. */
function mostOf(launch: Orders["launch"], { config }: Rules): number {
  return launch === "all" ? config.max_concurrent : Infinity;
}

/** Does what a turn says; whether the next turn may be another one. */
function act(watch: Watch, next: Turn): boolean {
  const { mirror, hold } = watch;
  const before = watch.changes;
  const touched = mirror.touched.size;
  for (const id of next.warn) {
    hold.warned.add(id);
    watch.changes++;
    watch.say({ kind: "warning", task: mirror.index.byId.get(id)! });
  }
  if (workOf(next) > 0) {
    if (isLeft(watch)) {
      for (const id of next.step) mirror.saw(id, mirror.evidence.get(id));
    } else doTurn(watch, next);
  }
  watch.children.forget();
  if (watch.again) return !(watch.again = false);
  return watch.changes !== before || mirror.touched.size < touched;
}

function doTurn(watch: Watch, next: Turn): void {
  const { queue, mirror, hold, rules } = watch;
  const doer = createDoer(watch);
  const part = (some: Partial<Turn>) => () => {
    applyTurn(
      queue,
      mirror,
      { ...next, step: [], retry: [], handOn: [], launch: [], ...some },
      rules.current,
      doer,
    );
    return true;
  };
  if (!attempt(watch, part({ step: next.step }))) next.step.forEach((id) => hold.refused.add(id));
  if (!attempt(watch, part({ retry: next.retry }))) {
    next.retry.forEach((id) => hold.refused.add(id));
  }
  for (const id of next.make) makeLater(watch, id);
  const { handOn, launch } = next;
  if (!attempt(watch, part({ handOn, launch }))) hold.launching = true;
}

/** That settings have broken is told once, and once more where they break again. */
function noteStale(watch: Watch): void {
  const { stale } = watch.rules;
  if (stale === watch.stale) return;
  watch.stale = stale;
  if (stale !== null) watch.options.onProblem?.(stale);
  watch.options.onStale?.(stale);
}

/** What a limit across workspaces holds waits for room; that it cannot be held is told. */
function noteHeld(watch: Watch, held: Held | null): void {
  // What waits for a task of this workspace goes on with its end.
  watch.room.note(held?.kind === "overlap" ? null : held);
  if (held?.kind === "no-slots") {
    watch.tell(`Nothing is launched, for limits across workspaces cannot be held: ${held.problem}`);
  } else if (held?.kind === "unread") {
    watch.tell(`Agents wait, for the limits in ${held.path} cannot be read: ${held.problem}`);
  }
}

/** To how many tasks something is to be done. */
function workOf({ step, retry, handOn, make, launch }: Turn): number {
  return step.length + retry.length + handOn.length + make.length + launch.length;
}

function createDoer(watch: Watch): Doer {
  const { children, hold, partial, shims } = watch;
  return {
    // Whoever can see it ends it.
    may: (id) => children.unseen.has(id) ? NOTHING_MORE : EVERYTHING,
    aliveness: (id) => children.aliveness(id),
    // The mirror tells of them.
    changed() {},
    launched: (launched) => children.adopt(launched),
    held: (held) => noteHeld(watch, held),
    lacking: () => void (watch.again = true),
    stepped(id, { task, observation, end, commit, launched }) {
      if (launched !== undefined) children.adopt(launched);
      const lives = task?.status === "running" || (task?.reapAt ?? null) !== null;
      if (lives && observation?.shim) shims.set(id, observation.shim);
      else if (!lives) shims.delete(id);
      if (observation?.partial) partial.add(id);
      if (end) endLater(watch, id, endTask);
      else if (commit) endLater(watch, id, commitTask);
    },
    refused(id, error) {
      hold.refused.add(id);
      watch.tell(toOrchestraError(error, `Going on with ${id}`).message);
    },
  };
}

/** Ends what lives of a task, and does what is owed then, beside the loop. */
function endLater(watch: Watch, id: string, act: typeof endTask): void {
  const { queue, mirror, hold, rules, options } = watch;
  if (hold.ending.has(id)) return;
  hold.ending.add(id);
  const { signal } = options;
  act(queue, id, rules.current, { signal, tell: (problem) => watch.tell(problem) }).catch(() =>
    false
  ).then((ended) => {
    hold.ending.delete(id);
    // What could not be ended is tried again with the next rescan.
    if (!ended) hold.refused.add(id);
    mirror.touch(id);
    watch.wake();
  });
}

/** Makes a worktree for a task, beside the loop; it is launched after that. */
function makeLater(watch: Watch, id: string): void {
  const { queue, mirror, hold, rules } = watch;
  if (hold.making.has(id)) return;
  hold.making.add(id);
  const attempted = `Making the worktree of ${id}`;
  import("../queue/worktree.ts")
    .then(({ makeFor }) => makeFor(queue, id, rules.current))
    .catch((error) => ({ later: toOrchestraError(error, attempted).message }))
    .then((made) => {
      hold.making.delete(id);
      if ("later" in made) {
        // Tried again with the next rescan.
        hold.refused.add(id);
        watch.tell(`${attempted}: ${made.later}`);
      } else mirror.look(id);
      watch.wake();
    });
}

/** Whoever launches tells that the queue has come to rest, and that an agent's pause is over. */
function tellOfQueue(watch: Watch, next: Turn): void {
  const { queue, mirror, options, lanes } = watch;
  if (options.wanted().launch === "nothing") return;
  const now = queue.now();
  for (const { agent, until } of mirror.lanes(now).values()) lanes.set(agent, until);
  const resumed = new Map([...lanes].filter(([, until]) => until <= now));
  for (const agent of resumed.keys()) lanes.delete(agent);
  const isAtRest = watch.rested !== watch.changes && isFinished(watch, next) &&
    !hasOne(mirror.ready(false));
  if (!isAtRest && watch.looked && resumed.size === 0) return;
  watch.looked = true;
  if (isAtRest) watch.rested = watch.changes;
  attempt(watch, () => {
    tellQueue(queue, { isAtRest, resumed });
    if (isAtRest) options.onRest?.();
    return true;
  });
}

/** Whether nothing is left for who has these orders. */
function isFinished({ hold }: Watch, next: Turn): boolean {
  return next.left === "nothing" && hold.ending.size + hold.making.size === 0 &&
    workOf(next) === 0;
}

/**
 * Whoever launches does so inside the lock and looks for us after it: looking once more inside the
 * lock makes sure that nobody counts on us while we leave.
 */
function finish(watch: Watch): boolean {
  const { queue: { store }, mirror, options } = watch;
  return store.locked(() => {
    mirror.catchUp();
    mirror.rescan("open");
    if (!isFinished(watch, decideTurn(watch)) || options.beside?.isBusy) return false;
    options.onFinished?.();
    return true;
  });
}

/** Does something that the system may refuse (disk full, no permission); false where it did. */
function attempt(watch: Watch, action: () => boolean): boolean {
  try {
    return action();
  } catch (error) {
    watch.tell(toOrchestraError(error, "Going on with the queue").message);
    return false;
  }
}

/** Sleeps until something happens, but not longer than some milliseconds. */
async function sleep(watch: Watch, millis: number): Promise<void> {
  const { mirror, hold, options } = watch;
  const isHeld = (id: string) => hold.ending.has(id) || hold.refused.has(id);
  // A child may have ended since the turn was decided.
  if ([...mirror.touched].some((id) => !isHeld(id))) return;
  const woken = new Promise<void>((resolve) => watch.wake = resolve);
  // Timers take at most 2^31 - 1 ms.
  await pause(Math.min(millis, 2_000_000_000), options.signal, [
    mirror.changed(),
    woken,
    ...watch.room.freed(),
  ]);
  watch.wake = () => {};
}

/**
 * Milliseconds until the next rescan: what one costs, with all that it led to, stays a small share of
 * the time.
 *
 * @param crowd how many workspaces have that share together
 */
function rescanDelay(least: number, cost: number, crowd: number): number {
  return Math.max(least, Math.min(cost * crowd / RESCAN_SHARE, THOROUGH * least));
}

/** The safety net: everything is looked at now and then, whether a change was told of or not. */
function createRescans(
  watch: Watch,
): { left(): number; run(): Promise<void>; noteJump(): void } {
  const { queue, mirror, hold, options, rules } = watch;
  const clock = createSleepClock(() => queue.now());
  const interval = () => (options.interval ?? rules.current.config.interval) * 1000;
  let next = performance.now() + interval();
  let began: number | undefined;
  let count = 0;
  let jumped = false;
  return {
    noteJump() {
      const jump = clock.jumped();
      if (jump === 0) return;
      noteSleep(watch, jump);
      jumped = true;
    },
    left() {
      const now = performance.now();
      if (began !== undefined) {
        // Where nothing is watched, or something is to be tried again, the interval is all there is.
        const urgent = !mirror.watched || hold.refused.size > 0 || hold.launching ||
          watch.room.waits;
        // Where something runs, others' rest is no reason to look less often.
        const crowd = mirror.running.size > 0 ? 1 : options.crowd?.() ?? 1;
        next = now + (urgent ? interval() : rescanDelay(interval(), now - began, crowd));
        began = undefined;
      }
      return jumped ? 0 : Math.max(0, next - now);
    },
    async run() {
      if (performance.now() < next && !jumped) return;
      jumped = false;
      began = performance.now();
      count++;
      hold.refused.clear();
      hold.launching = false;
      isLeft(watch);
      const isThorough = count % THOROUGH === 0;
      await rescan(watch, isThorough || !mirror.watched);
      await watch.room.rescan();
      if (isThorough) tidy(watch);
    },
  };
}

/** The parts of the history are compressed, and the oldest dropped, beside the loop. */
function tidy({ queue, rules, options, tell }: Watch): void {
  if (options.wanted().launch === "nothing") return;
  const policy = rules.current.config.history;
  tidyHistory(queue.store.dir, policy, queue.now()).catch((error) =>
    tell(toOrchestraError(error, "Compressing the history").message)
  );
}

/** The machine slept, or its clock was set: what runs has not had that time. */
function noteSleep(watch: Watch, jump: number): void {
  const { queue, mirror } = watch;
  const seconds = Math.round(Math.abs(jump) / 1000);
  watch.tell(
    `The clock ${jump > 0 ? "ran ahead" : "was set back"} by ${seconds} s: ` +
      "the machine slept, or somebody set it",
  );
  if (isLeft(watch)) return;
  attempt(watch, () => {
    addSleep(queue, [...mirror.running.keys()], jump / 1000);
    mirror.rescan("open");
    return true;
  });
}

/** Looks at names, and asks whether processes are there, which is cheap; reads files only if told. */
async function rescan(watch: Watch, thorough: boolean): Promise<void> {
  const { queue, mirror, shims } = watch;
  try {
    mirror.rescan(thorough ? "all" : "names");
    const seen = await queue.launchers.probe([...shims.values()]);
    const suspects: Task[] = [];
    for (const [id, task] of [...mirror.running, ...mirror.reaping]) {
      const shim = shims.get(id);
      const limited = task.budget !== null || task.idleTimeout !== null;
      const lives = shim !== undefined && seen.get(shim.token) === "alive";
      if (!lives || limited || thorough) mirror.touch(id);
      if (mirror.touched.has(id)) suspects.push(task);
    }
    await watch.children.ask(suspects);
  } catch (error) {
    // The folder cannot be read right now: the next rescan tries again.
    watch.tell(toOrchestraError(error, "Looking at the queue").message);
  }
}
