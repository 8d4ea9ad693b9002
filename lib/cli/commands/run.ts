// `orchestra run`: launches what is ready, and leaves somebody to watch over it.

import { buildCommand } from "@stricli/core";
import { isWatched, type StandingOrder, tellWatcher } from "../../supervise/watcher.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import type { Change } from "../../decide/changes.ts";
import type { Held } from "../../decide/room.ts";
import { refresh } from "../../queue/refresh.ts";
import { EVERYTHING, NOTHING_MORE } from "../../queue/step.ts";
import type { Task } from "../../task/fields.ts";
import { describeChange } from "../changes.ts";
import { ownTask } from "../calling.ts";
import type { Context } from "../context.ts";
import { noteSetup } from "../setup_note.ts";
import { integer, type ReportTarget, reportTarget } from "../flags.ts";
import { optional, parsed } from "../parameters.ts";
import { isAlone, leaveSupervisor } from "../supervision.ts";
import { countLacking, wordsOfLacking } from "../lacking.ts";

interface RunFlags {
  parallel?: number;
  all?: boolean;
  wait?: boolean;
  report?: readonly ReportTarget[];
}

export const command = buildCommand({
  func: run,
  parameters: {
    flags: {
      parallel: parsed(integer(1, 1000), "fill up to this many running at once", "n"),
      all: optional("go on until nothing is left to launch"),
      wait: optional("stay and watch until all is settled; exit code 1 if something failed"),
      report: {
        kind: "parsed",
        optional: true,
        variadic: ",",
        parse: reportTarget,
        brief:
          "with --wait, write junit=file, markdown=file (- is stdout), or github (annotations)",
        placeholder: "kind=file",
      },
    },
    aliases: { p: "parallel", a: "all", w: "wait" },
  },
  docs: {
    brief: "Launch pending tasks in the background",
    fullDescription:
      "Launches the next ready task (or fills up to --parallel) and returns. A small " +
      "supervisor stays behind until everything is settled: it enforces timeouts and starts retries.",
  },
});

async function run(this: Context, flags: RunFlags): Promise<void> {
  const queue = await this.openQueue();
  const config = await this.config(queue.store);
  if (flags.report !== undefined && !flags.wait) {
    throw new OrchestraError(
      "usage",
      "run --report needs --wait: there is nothing to report before",
      {
        hint: "For example: orchestra run --all --wait --report junit=report.xml",
      },
    );
  }
  if (flags.wait) {
    const own = ownTask(queue.store);
    if (own !== undefined) {
      throw new OrchestraError(
        "usage",
        `run --wait inside ${own.taskId} would wait for that task itself`,
        { hint: "Launch with: orchestra run --all   and wait for the others with: orchestra wait" },
      );
    }
    if (flags.report !== undefined) {
      const { checkReports } = await import("../reports.ts");
      checkReports(flags.report, this.globals.json);
    }
    const { runAndWait } = await import("../run_wait.ts");
    return await runAndWait.call(this, queue, flags);
  }
  const order: StandingOrder = flags.all
    ? { launch: "all", parallel: flags.parallel }
    : { launch: "retries" };
  if (flags.all) tellWatcher(queue.store, order);
  const parallel = flags.parallel ?? config.max_concurrent;
  // Without a number `run` launches one more task; with one it fills up to that many.
  const snapshot = await refresh(queue, {
    launch: flags.parallel === undefined && !flags.all ? { more: 1 } : parallel,
    may: ({ config }) => isAlone(queue, config) ? EVERYTHING : NOTHING_MORE,
  });
  const { launched } = snapshot;
  const known = new Set(launched.map(({ task }) => task.taskId));
  const changes = snapshot.changes.filter(({ task }) => !known.has(task.taskId));
  for (const change of changes) if (change.kind !== "failed") this.note(describeChange(change));
  const lacking = snapshot.lacking ?? [];
  for (const one of lacking) this.note(wordsOfLacking(one));
  const running = snapshot.tasks
    .filter((task) => task.status === "running" && !known.has(task.taskId)).length;
  await noteSetup(this, queue, launched.map(({ task }) => task));
  const leaves = config.supervise && (launched.length > 0 || snapshot.unsettled || flags.all);
  if (leaves) leaveSupervisor(this, queue, order);
  const watched = leaves || isWatched(queue.store);
  const reason = snapshot.held !== null
    ? await wordsOf(snapshot.held, queue.now())
    : lacking.length > 0
    ? countLacking(lacking.length)
    : null;
  report(this, launched.map(({ task }) => task), changes, running, parallel, watched, reason);
}

/** Why no more is launched, in words that are loaded only then. */
async function wordsOf(held: Held, now: number): Promise<string> {
  const [{ formatHeld }, { formatMoment }] = await Promise.all([
    import("../../format/reason.ts"),
    import("../../text/time.ts"),
  ]);
  return formatHeld(held, (millis) => formatMoment(millis, now));
}

function report(
  context: Context,
  launched: readonly Task[],
  changes: readonly Change[],
  running: number,
  limit: number,
  watched: boolean,
  held: string | null,
): void {
  const failed = changes.filter((change) => change.kind === "failed");
  if (context.globals.json) {
    context.printJson({
      launched: launched.map(({ taskId, agent, pid }) => ({ taskId, agent, pid })),
      failed: failed.map(({ task }) => ({ taskId: task.taskId, error: task.errorMessage })),
      running: running + launched.length,
      supervised: watched,
      waitsFor: held,
    });
    return;
  }
  for (const task of launched) {
    context.print(`Started ${task.taskId} (${task.agent}, pid ${task.pid})`);
  }
  for (const { task } of failed) {
    context.print(`Failed  ${task.taskId}: ${printable(task.errorMessage ?? "")}`);
  }
  if (launched.length === 0 && failed.length === 0) {
    context.print(
      held !== null
        ? `Nothing started: ${printable(held)}`
        : running >= limit && running > 0
        ? `Nothing started: ${running} running already, at most ${limit} at once`
        : "Nothing to start: no pending task is ready",
    );
  } else if (launched.length > 0) {
    if (held !== null) context.note(`No more started: ${printable(held)}`);
    context.note("Follow it with: orchestra status --watch");
  }
}
