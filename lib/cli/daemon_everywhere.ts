// `orchestra daemon … --everywhere`: one process that watches over every workspace that is known. What it
// does for each is what a single daemon does; when it leaves, or lets one go, it hands back to a
// supervisor what runs or was ordered there. Killed, the next command in a workspace does so.

import { loadRules, openQueue, type Queue } from "../queue/queue.ts";
import { loadConfig } from "../settings/config.ts";
import { type Telling, watchEverywhere } from "../supervise/everywhere.ts";
import { askDaemonToStop, waitForWatch } from "../supervise/take.ts";
import {
  findUserDaemon,
  type KeptWorkspace,
  removeUserDaemon,
  takeUserLock,
  type UserDaemon,
  type UserPlaces,
  userPlaces,
  writeUserDaemon,
} from "../supervise/user_daemon.ts";
import { spawnDetached } from "../supervise/spawn.ts";
import {
  announce,
  forgetOrder,
  isLockHeld,
  readDaemonInfo,
  removeDaemonInfo,
  type WatchLock,
} from "../supervise/watcher.ts";
import { pause } from "../launch/pause.ts";
import { startOf } from "../launch/life.ts";
import { endByHand } from "../store/by_hand.ts";
import { messageOf } from "../store/files.ts";
import { watchFolder } from "../store/watch.ts";
import { asJson, OrchestraError } from "../task/error.ts";
import { formatTime, isTerminal } from "../task/fields.ts";
import type { Trace } from "../task/trace.ts";
import { formatDuration } from "../task/duration.ts";
import { formatKept } from "../format/workspaces.ts";
import { sanitize } from "../text/width.ts";
import { type KnownWorkspace, listWorkspaces, registryFolder } from "../workspaces/registry.ts";
import { env } from "./calling.ts";
import type { Context } from "./context.ts";
import { type LogFlags, logTo, printLog } from "./daemon_log.ts";
import { type DaemonOrders, watchAsDaemon } from "./daemon_of.ts";
import { serveArguments, type ServePort } from "./daemon_flags.ts";
import { daemonStopSignal, STARTS } from "./look_on.ts";
import { leaveWatcher, look } from "./supervision.ts";

/** Milliseconds that a folder gets to answer: a network disk may never do. */
const ANSWERS = 5000;
/** A lock that somebody has for longer is not waited for: all others would wait as well. Milliseconds. */
const PATIENCE = 2000;

/** What all workspaces are watched with. */
interface Everywhere {
  readonly context: Context;
  readonly orders: DaemonOrders & { readonly log?: boolean };
  /** How many there are. */
  count: number;
  /** Told what happens, in which workspace. */
  readonly say: (workspace: KnownWorkspace | null, text: string) => void;
}

/** Watches over all, in this process, until it is stopped. */
export async function runEverywhere(
  context: Context,
  orders: DaemonOrders & { readonly log?: boolean },
): Promise<void> {
  const places = userPlaces();
  using lock = await takeUserLock(places);
  if (lock === undefined) throw runsAlready(findUserDaemon(places));
  context.endsByExit = true;
  const stop = await daemonStopSignal();
  const folder = registryFolder()!;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const say = orders.log ? sayToLog(places) : sayToTerminal(context);
  survive(say);
  const all: Everywhere = { context, orders, count: 0, say };
  const { pid, start, startedAt } = { ...ourselves(), startedAt: formatTime(Date.now()) };
  const record = (workspaces: readonly KeptWorkspace[]) => {
    all.count = workspaces.length;
    writeUserDaemon(places, { pid, start, startedAt, workspaces });
  };
  say(null, "Watching over all workspaces that are known");
  const over = new AbortController();
  const serving = serveBeside(context, orders.serve, over.signal, (text) => say(null, text))
    .catch((error) => say(null, `The page is not served: ${messageOf(error)}`));
  try {
    await watchEverywhere({
      folder,
      list: () => listWorkspaces(folder),
      watch: (workspace, signal, telling) => watchOne(all, workspace, signal, telling),
      signal: stop.signal,
      say,
      onChange: record,
      keeps: () => keepsLock(places, lock),
    });
  } finally {
    over.abort();
    await serving;
    if (keepsLock(places, lock)) removeUserDaemon(places);
  }
  say(null, "Stopped; what runs goes on");
}

/** Whether we are still the one; where the folder was removed it is made anew. */
function keepsLock({ folder }: UserPlaces, lock: WatchLock): boolean {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return lock.keeps();
  } catch {
    // The disk refuses: nobody else can have taken it.
    return true;
  }
}

/** Serves the page of all workspaces, where that was asked for here or in the user's settings. */
async function serveBeside(
  context: Context,
  asked: ServePort | undefined,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  const { keepServing, servePortOfUser } = await import("./daemon_serve.ts");
  const port = asked ?? servePortOfUser(say);
  if (port !== undefined) await keepServing(context, { port, of: "everywhere", signal, say });
}

/** What goes wrong where nobody waits for it ends no process that watches over many. */
function survive(say: Everywhere["say"]): void {
  const tell = (error: unknown) => say(null, `Going on after: ${messageOf(error)}`);
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    tell(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    tell(event.error);
  });
}

function sayToLog(places: UserPlaces): Everywhere["say"] {
  const log = logTo(places.log);
  return (workspace, text) => log(workspace === null ? text : `${workspace.name}: ${text}`);
}

function sayToTerminal(context: Context): Everywhere["say"] {
  return (workspace, message) => {
    if (!context.globals.json) {
      return context.print(
        sanitize(workspace === null ? message : `${workspace.name}: ${message}`),
      );
    }
    const time = formatTime(Date.now());
    context.print(asJson({ time, workspace: workspace?.name ?? null, message }));
  };
}

function ourselves(): Pick<UserDaemon, "pid" | "start"> {
  const { pid } = Deno;
  return { pid, start: startOf(pid) ?? "-" };
}

/** Watches over one workspace until it is let go, and hands it back. */
async function watchOne(
  all: Everywhere,
  workspace: KnownWorkspace,
  signal: AbortSignal,
  telling: Telling,
): Promise<void> {
  await answers(workspace.root);
  const { orders, context } = all;
  let trace: Trace = context.trace;
  const queue = openQueue(workspace.root, {
    trace: (what, facts) => trace(what, facts),
    patience: PATIENCE,
  });
  const { store } = queue;
  // While settings are wrong whoever watches now stays.
  const { config } = await loadRules(queue);
  if (config.debug_log || (context.globals.debug && orders.log)) {
    const { traceToFile } = await import("./trace.ts");
    trace = traceToFile(`${store.dir}/debug.log`);
  }
  const taken = await waitForWatch(store, signal, telling.waits);
  if (taken === undefined) return;
  const { lock, ordered } = taken;
  const log = logTo(`${store.dir}/daemon.log`, () => store.isHere());
  const say = (text: string) => {
    log(text);
    all.say(workspace, text);
  };
  try {
    announce(store, "daemon", { launch: "all", parallel: orders.maxConcurrent }, { ordered });
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
  telling.begins();
  say(
    `Watching over ${store.root}: at most ${orders.maxConcurrent ?? config.max_concurrent} at once`,
  );
  try {
    await watchAsDaemon(context, queue, {
      lock,
      orders,
      signal,
      say,
      onRest: () => forgetOrder(store),
      crowd: () => all.count,
      onStale: (problem) => telling.stale(problem),
      leave: () => handBack(context, queue, lock, say),
    });
  } catch (error) {
    say(`Stopped watching: ${messageOf(error)}`);
    throw error;
  }
}

/** A disk that does not answer is left alone: looking at what is on it would hold up all others. */
async function answers(root: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const timer = setTimeout(
    () => reject(new OrchestraError("environment", `${root} does not answer: its disk is away`)),
    ANSWERS,
  );
  Deno.lstat(`${root}/.orchestra`).then(resolve, resolve);
  await promise.finally(() => clearTimeout(timer));
}

/**
 * Gives up the watch as if we had been killed, and does what the next command would do: leaves a
 * supervisor where something runs or was ordered.
 */
async function handBack(
  { program }: Context,
  queue: Queue,
  lock: WatchLock,
  say: (text: string) => void,
): Promise<void> {
  const { store } = queue;
  const isOurs = store.isHere() && lock.keeps();
  lock[Symbol.dispose]();
  if (!isOurs) return;
  try {
    const seen = await look(queue);
    if (!seen.retrying && seen.tasks.every(({ status }) => isTerminal(status))) forgetOrder(store);
    const config = async () => (await loadConfig(store)).config;
    if (await leaveWatcher({ program, config, note() {} }, queue, seen)) {
      say("Handed back to a supervisor");
    }
    store.locked(() => {
      if (readDaemonInfo(store)?.pid === Deno.pid) removeDaemonInfo(store);
    });
  } catch (error) {
    say(`Handing back: ${messageOf(error)}`);
  }
}

/** The error where one runs already. */
function runsAlready(daemon: UserDaemon | undefined): OrchestraError {
  const who = daemon === undefined ? "" : ` (pid ${daemon.pid})`;
  return new OrchestraError("state", `A daemon for all workspaces runs already${who}`, {
    hint: "Stop it with: orchestra daemon stop --everywhere",
  });
}

/** Starts it in the background, and says so when it watches. */
export async function startEverywhere(context: Context, orders: DaemonOrders): Promise<void> {
  const places = userPlaces();
  const before = findUserDaemon(places);
  if (before !== undefined) throw runsAlready(before);
  context.endsByExit = true;
  Deno.mkdirSync(places.folder, { recursive: true, mode: 0o700 });
  using watch = watchFolder(places.folder);
  const { maxConcurrent, interval, serve } = orders;
  const { endOfLog, servePortOfUser, tellPage } = await import("./daemon_serve.ts");
  const from = endOfLog(places.log);
  const args = [
    "daemon",
    "run",
    "--everywhere",
    "--log",
    ...(maxConcurrent === undefined ? [] : [`--max-concurrent=${maxConcurrent}`]),
    ...(interval === undefined ? [] : [`--interval=${interval}`]),
    ...(serve === undefined ? [] : serveArguments(serve)),
  ];
  const { pid } = spawnDetached(context.program, places.folder, args, { spare: true });
  const deadline = performance.now() + STARTS;
  for (;;) {
    // Looked at first: who was faster has said so before ours ended.
    const isOver = performance.now() > deadline || startOf(pid) === undefined;
    const daemon = findUserDaemon(places);
    if (daemon?.pid === pid) break;
    if (isOver) {
      if (daemon !== undefined) throw runsAlready(daemon);
      throw new OrchestraError("environment", "The daemon did not start", {
        hint: "See why in the foreground: orchestra daemon --everywhere",
      });
    }
    await pause(100, undefined, [watch.changed()]);
    watch.take();
  }
  const { json } = context.globals;
  if (!json) context.print(`Daemon for all workspaces started (pid ${pid})`);
  const isServed = (serve ?? servePortOfUser(() => {})) !== undefined;
  const started = { log: places.log, from, watch, lives: () => startOf(pid) !== undefined };
  const logs = "orchestra daemon logs --everywhere";
  const page = isServed ? { url: await tellPage(context, started, logs) } : {};
  if (json) context.printJson({ pid, ...page });
  else context.note("Stop it with: orchestra daemon stop --everywhere");
}

/** Stops it; what runs is handed back. */
export async function stopEverywhere(context: Context): Promise<void> {
  const places = userPlaces();
  const daemon = findUserDaemon(places);
  if (daemon === undefined) {
    throw new OrchestraError("state", "No daemon for all workspaces runs", {
      hint: "Start one with: orchestra daemon start --everywhere",
    });
  }
  const { pid } = daemon;
  await askDaemonToStop(pid);
  for (let turn = 0; isLockHeld(places.lock); turn++) {
    if (turn > 3000) {
      throw new OrchestraError("environment", `The daemon (pid ${pid}) did not stop in time`, {
        hint: `End it with: ${endByHand(pid)}   (nothing is lost)`,
      });
    }
    await pause(10);
  }
  if (context.globals.json) context.printJson({ stopped: pid });
  else context.print(`Stopped (pid ${pid}); what runs goes on`);
}

/** Says whether it runs, and what it watches. */
export function showEverywhere(context: Context): void {
  const daemon = findUserDaemon(userPlaces());
  if (context.globals.json) {
    const { pid, startedAt, workspaces = [] } = daemon ?? {};
    return context.printJson({ watched: daemon !== undefined, pid, startedAt, workspaces });
  }
  if (daemon === undefined) return context.print("No daemon for all workspaces runs");
  const since = formatDuration((Date.now() - Date.parse(daemon.startedAt)) / 1000);
  const { workspaces } = daemon;
  const watched = workspaces.filter(({ state }) => state === "watched").length;
  context.print(
    `daemon for all workspaces (pid ${daemon.pid}) since ${since}: ` +
      `watches ${watched} of ${workspaces.length}`,
  );
  if (workspaces.length === 0) return;
  context.print(formatKept(workspaces, env("HOME"), context.style()));
}

/** Prints what it did. */
export async function printEverywhere(context: Context, flags: LogFlags): Promise<void> {
  const { log, folder } = userPlaces();
  await printLog(context, log, folder, flags);
}
