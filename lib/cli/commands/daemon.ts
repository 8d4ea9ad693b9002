// `orchestra daemon`: the loop that never ends, in the foreground or in the background.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { pause } from "../../launch/pause.ts";
import { startOf } from "../../launch/life.ts";
import { loadRules } from "../../queue/queue.ts";
import { loadConfig } from "../../settings/config.ts";
import { endByHand, findByHand } from "../../store/by_hand.ts";
import { watchFolder } from "../../store/watch.ts";
import { askDaemonToStop, isSame, takeWatch, watchedBy } from "../../supervise/take.ts";
import { spawnDetached } from "../../supervise/spawn.ts";
import {
  announce,
  isWatched,
  nameOf,
  readDaemonInfo,
  removeDaemonInfo,
} from "../../supervise/watcher.ts";
import { formatDuration } from "../../task/duration.ts";
import { asJson, OrchestraError } from "../../task/error.ts";
import { formatTime } from "../../task/fields.ts";
import type { Context } from "../context.ts";
import { serveArguments, serveFlag, type ServePort } from "../daemon_flags.ts";
import { logTo, printLog } from "../daemon_log.ts";
import { watchAsDaemon } from "../daemon_of.ts";
import { duration, integer } from "../flags.ts";
import { optional, parsed } from "../parameters.ts";
import { daemonStopSignal, STARTS } from "../look_on.ts";
import { look } from "../supervision.ts";

interface EverywhereFlags {
  everywhere?: boolean;
}

interface DaemonFlags extends EverywhereFlags {
  serve?: ServePort;
  maxConcurrent?: number;
  interval?: number;
}

interface DaemonRunFlags extends DaemonFlags {
  log?: boolean;
}

interface DaemonLogsFlags extends EverywhereFlags {
  follow?: boolean;
  lines?: number;
}

const everywhere = optional("all workspaces that are known, in one process");
const flags = {
  everywhere,
  maxConcurrent: parsed(integer(1, 1000), "most tasks at once (3)", "n"),
  interval: parsed(duration, "look at least this often (5s)", "time"),
  serve: serveFlag,
} as const;
const aliases = { c: "maxConcurrent", i: "interval" } as const;

export const command = buildRouteMap({
  routes: {
    run: buildCommand({
      func: runDaemon,
      parameters: {
        flags: {
          ...flags,
          log: { ...optional("write to .orchestra/daemon.log"), hidden: true },
        },
        aliases,
      },
      docs: { brief: "Launch and watch over everything, in the foreground" },
    }),
    start: buildCommand({
      func: startDaemon,
      parameters: { flags, aliases },
      docs: { brief: "Launch and watch over everything, in the background" },
    }),
    stop: buildCommand({
      func: stopDaemon,
      parameters: { flags: { everywhere } },
      docs: { brief: "Stop the one in the background; agents go on" },
    }),
    status: buildCommand({
      func: showDaemon,
      parameters: { flags: { everywhere } },
      docs: { brief: "Say who watches" },
    }),
    logs: buildCommand({
      func: printDaemonLog,
      parameters: {
        flags: {
          everywhere,
          follow: optional("go on until interrupted"),
          lines: parsed(integer(0), "only the last lines (50)", "n"),
        },
        aliases: { f: "follow", n: "lines" },
      },
      docs: { brief: "Print what the one in the background did" },
    }),
  },
  defaultCommand: "run",
  docs: { brief: "Launch everything as it comes, until stopped" },
});

/** Loaded only where it is asked for. */
const loadEverywhere = () => import("../daemon_everywhere.ts");

async function runDaemon(this: Context, flags: DaemonRunFlags): Promise<void> {
  if (flags.everywhere) return (await loadEverywhere()).runEverywhere(this, flags);
  const queue = await this.openQueue();
  const { store } = queue;
  const config = await this.config(store);
  if (config.debug_log || (this.globals.debug && flags.log)) await this.traceToFile(store);
  this.endsByExit = true;
  const stop = await daemonStopSignal();
  const { lock } = await takeWatch(store);
  announce(store, "daemon", { launch: "all", parallel: flags.maxConcurrent });
  const say = flags.log
    ? logTo(`${store.dir}/daemon.log`, () => store.isHere())
    : (message: string) =>
      this.print(
        this.globals.json ? asJson({ time: formatTime(queue.now()), message }) : message,
      );
  say(
    `Watching over ${store.root}: at most ${
      flags.maxConcurrent ?? config.max_concurrent
    } at once, rescan every ${flags.interval ?? config.interval} s`,
  );
  const over = new AbortController();
  const serving = serveBeside(this, store.root, flags.serve, over.signal, say);
  await watchAsDaemon(this, queue, {
    lock,
    orders: flags,
    signal: stop.signal,
    say,
    async leave() {
      over.abort();
      await serving;
      // Moved away meanwhile, it is another's folder.
      if (store.isHere() && lock.keeps()) removeDaemonInfo(store);
      lock[Symbol.dispose]();
    },
  });
  say("Stopped; what runs goes on");
}

/** Serves the page of one workspace, where that was asked for. */
async function serveBeside(
  context: Context,
  root: string,
  port: ServePort | undefined,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  if (port === undefined) return;
  const { keepServing } = await import("../daemon_serve.ts");
  await keepServing(context, { port, of: { root }, signal, say });
}

async function startDaemon(this: Context, flags: DaemonFlags): Promise<void> {
  if (flags.everywhere) return (await loadEverywhere()).startEverywhere(this, flags);
  const queue = await this.openQueue();
  await loadRules(queue); // A broken settings file is told here, not to a log.
  const before = readDaemonInfo(queue.store);
  if (before !== undefined && before.kind !== "supervisor" && isWatched(queue.store)) {
    throw watchedBy(queue.store, before);
  }
  this.endsByExit = true;
  using watch = watchFolder(queue.store.dir);
  const served = flags.serve === undefined ? undefined : await import("../daemon_serve.ts");
  const log = `${queue.store.dir}/daemon.log`;
  const from = served?.endOfLog(log) ?? 0;
  const { pid } = spawnDetached(this.program, queue.store.root, [
    "daemon",
    "run",
    "--log",
    ...(flags.maxConcurrent === undefined ? [] : [`--max-concurrent=${flags.maxConcurrent}`]),
    ...(flags.interval === undefined ? [] : [`--interval=${flags.interval}`]),
    ...(flags.serve === undefined ? [] : serveArguments(flags.serve)),
  ]);
  const deadline = performance.now() + STARTS;
  for (;;) {
    const info = readDaemonInfo(queue.store);
    if (info?.kind === "daemon" && info.pid === pid) break;
    if (performance.now() > deadline || startOf(pid) === undefined) {
      throw new OrchestraError("environment", "The daemon did not start", {
        hint: "See why in the foreground: orchestra daemon",
      });
    }
    await pause(100, undefined, [watch.changed()]);
    watch.take();
  }
  const { json } = this.globals;
  if (!json) this.print(`Daemon started (pid ${pid})`);
  const started = { log, from, watch, lives: () => startOf(pid) !== undefined };
  const url = await served?.tellPage(this, started, "orchestra daemon logs");
  if (json) this.printJson({ pid, ...(url === undefined ? {} : { url }) });
  else this.note("Stop it with: orchestra daemon stop");
}

async function stopDaemon(this: Context, flags: EverywhereFlags): Promise<void> {
  if (flags.everywhere) return (await loadEverywhere()).stopEverywhere(this);
  const queue = await this.openQueue();
  const info = readDaemonInfo(queue.store);
  if (info === undefined || !isWatched(queue.store)) {
    throw new OrchestraError("state", "No daemon runs for this workspace", {
      hint: "Start one with: orchestra daemon start",
    });
  }
  if (info.everywhere && isSame(queue.store, info)) throw watchedBy(queue.store, info);
  if (info.kind === "run") {
    throw new OrchestraError(
      "state",
      `A run --wait watches over this workspace (pid ${info.pid})`,
      {
        hint: "Interrupt it in its own terminal.",
      },
    );
  }
  if (!isSame(queue.store, info)) {
    throw new OrchestraError(
      "state",
      `Process ${info.pid} is not the one in .orchestra/daemon.json`,
      {
        hint: `The lock is held by another; find it with: ${findByHand(".orchestra/daemon.lock")}`,
      },
    );
  }
  await askDaemonToStop(info.pid);
  for (let turn = 0; isWatched(queue.store); turn++) {
    if (turn > 500) {
      throw new OrchestraError("environment", `The daemon (pid ${info.pid}) did not stop in time`, {
        hint: `End it with: ${endByHand(info.pid)}   (nothing is lost)`,
      });
    }
    await pause(10);
  }
  if (this.globals.json) this.printJson({ stopped: info.pid });
  else this.print(`Stopped (pid ${info.pid}); what runs goes on`);
}

async function showDaemon(this: Context, flags: EverywhereFlags): Promise<void> {
  if (flags.everywhere) return (await loadEverywhere()).showEverywhere(this);
  const queue = await this.openQueue();
  const watched = isWatched(queue.store);
  const info = watched ? readDaemonInfo(queue.store) : undefined;
  const { tasks } = await look(queue);
  const running = tasks.filter((task) => task.status === "running").length;
  if (this.globals.json) {
    this.printJson({ watched, ...info, running });
    return;
  }
  const { config } = await loadConfig(queue.store);
  if (info === undefined) {
    this.print(
      watched
        ? "Somebody watches, but does not say who"
        : `Nobody watches over this workspace${running > 0 ? `; ${running} running` : ""}`,
    );
    return;
  }
  const since = formatDuration((Date.now() - Date.parse(info.startedAt)) / 1000);
  this.print(
    `${nameOf(info)} (pid ${info.pid}) since ${since}: launches ${
      info.launch === "all"
        ? `everything, at most ${info.parallel ?? config.max_concurrent} at once`
        : "retries"
    }; ${running} running`,
  );
}

async function printDaemonLog(this: Context, flags: DaemonLogsFlags): Promise<void> {
  if (flags.everywhere) return (await loadEverywhere()).printEverywhere(this, flags);
  const { store } = await this.openQueue();
  const path = `${store.dir}/${this.globals.debug ? "debug.log" : "daemon.log"}`;
  await printLog(this, path, store.dir, flags);
}
