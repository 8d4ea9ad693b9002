// `orchestra logs <id>`: what the agent printed. On a terminal without its control characters.

import { buildCommand } from "@stricli/core";
import { pause } from "../../launch/pause.ts";
import { placesOf, readablePlaces, setupLogOf } from "../../store/places.ts";
import { noTask, type Queue } from "../../queue/queue.ts";
import { isAtRest } from "../../task/fields.ts";
import { watchFolder } from "../../store/watch.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { anyIdArgument, optional, parsed } from "../parameters.ts";
import { createLogPrinter, formatOf, type LogPrinter } from "../log_printer.ts";
import { openRegular, readExactly } from "../../store/files.ts";
import { findTail, tailFile } from "../tail.ts";

interface LogsFlags {
  follow?: boolean;
  lines?: number;
  raw?: boolean;
  readable?: boolean;
}

const BLOCK = 64 * 1024;
/** Lines with `--json`, where no number is given. */
const JSON_LINES = 100;

export const command = buildCommand({
  func: logs,
  parameters: {
    flags: {
      follow: optional("go on until the task is settled"),
      lines: parsed(integer(0), "only the last lines", "n"),
      raw: optional("byte for byte, as into a pipe"),
      readable: optional("as on a terminal, into a pipe as well"),
    },
    positional: { kind: "tuple", parameters: [anyIdArgument] },
    aliases: { f: "follow", n: "lines" },
  },
  docs: { brief: "Print what an agent printed" },
});

async function logs(this: Context, flags: LogsFlags, id: string): Promise<void> {
  const queue = await this.openQueue();
  const active = queue.store.read(id);
  const task = active ?? queue.store.readArchived(id);
  if (task === undefined) throw noTask(queue.store, id);
  // The log of a task that has not begun is not there yet: it is not in the archive either.
  const { logFile } = active === undefined
    ? readablePlaces(queue.store, task)
    : placesOf(queue.store, task);
  if (this.globals.json) {
    const tail = tailFile(logFile, flags.lines ?? JSON_LINES);
    return this.printJson({
      taskId: id,
      file: queue.store.relative(logFile),
      size: tail?.size ?? 0,
      lines: tail?.lines ?? [],
    });
  }
  const format = await formatOf(queue, task);
  const raw = flags.raw ?? (flags.readable ? false : undefined);
  const printer = createLogPrinter(this, format, raw, flags.lines);
  // Many events may become one line, or none.
  const whole = flags.lines === undefined || printer.release !== undefined;
  const end = copyFrom(this, logFile, whole ? 0 : tailStart(logFile, flags.lines!), printer);
  if (flags.follow) {
    printer.release?.();
    await follow(this, queue, id, logFile, end, printer);
    printer.end();
  } else {
    printer.end();
    printer.release?.();
    if (end === 0) this.note(`The log of ${id} is empty`);
    if (end === 0 && task.setupAt !== null) {
      const log = queue.store.relative(setupLogOf(queue.store, id));
      this.note(`Its agent was not launched: what the set-up of its worktree printed is in ${log}`);
    }
  }
}

function tailStart(path: string, count: number): number {
  using file = openRegular(path);
  return file === undefined ? 0 : findTail(file, file.statSync().size, count);
}

/** Prints a file from a place on, block by block; returns where it ended. */
function copyFrom(context: Context, path: string, start: number, printer: LogPrinter): number {
  using file = openRegular(path);
  let at = start;
  while (file !== undefined && !context.readerGone.aborted) {
    const block = readExactly(file, at, BLOCK);
    if (block.length === 0) break;
    at += block.length;
    printer.write(block);
  }
  return at;
}

/** Goes on until the task is settled and everything is printed, or Ctrl+C. */
async function follow(
  context: Context,
  queue: Queue,
  id: string,
  path: string,
  start: number,
  printer: LogPrinter,
): Promise<void> {
  context.endsByExit = true;
  const stop = stopSignal(() => context.fail(130));
  const leaves = AbortSignal.any([stop.signal, context.readerGone]);
  const problem = (reason: string) =>
    context.note(`Watching failed, looking every second: ${reason}`);
  using log = watchFolder(`${queue.store.dir}/logs`, problem);
  const over = new AbortController();
  const ended = lookOn(context, queue, {
    signal: leaves,
    retry: false,
    until({ index }) {
      const task = index.byId.get(id);
      return task === undefined || isAtRest(task);
    },
  }).finally(() => over.abort());
  // What went wrong is thrown when all is printed.
  ended.catch(() => {});
  const wakes = AbortSignal.any([leaves, over.signal]);
  for (let at = start; !leaves.aborted;) {
    // What was printed before its end is known is there now.
    const last = over.signal.aborted;
    log.take();
    at = copyFrom(context, path, at, printer);
    if (last) break;
    await pause(1000, wakes, [log.changed()]);
  }
  await ended;
}
