// `orchestra logs <id>`: what the agent printed. On a terminal without its control characters.

import { buildCommand } from "@stricli/core";
import { pause } from "../../launch/pause.ts";
import { placesOf, readablePlaces } from "../../store/places.ts";
import { sanitizeBlock } from "../../text/width.ts";
import { noTask, type Queue } from "../../queue/queue.ts";
import { isTerminal } from "../../task/fields.ts";
import { watchFolder } from "../../store/watch.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { anyIdArgument, optional, parsed } from "../parameters.ts";
import { readExactly, tailFile } from "../tail.ts";

interface LogsFlags {
  follow?: boolean;
  lines?: number;
}

const BLOCK = 64 * 1024;

export const command = buildCommand({
  func: logs,
  parameters: {
    flags: {
      follow: optional("go on until the task is settled"),
      lines: parsed(integer(0), "only the last lines", "n"),
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
  if (task === undefined) throw noTask(id);
  // The log of a task that has not begun is not there yet: it is not in the archive either.
  const { logFile } = active === undefined
    ? readablePlaces(queue.store, task)
    : placesOf(queue.store, task);
  const write = (text: string) => this.write(this.interactive ? sanitizeBlock(text) : text);
  let at = 0;
  if (flags.lines === undefined && !this.globals.json) {
    at = copyFrom(logFile, 0, write);
  } else {
    const tail = tailFile(logFile, flags.lines ?? 100);
    if (this.globals.json) {
      this.printJson({
        taskId: id,
        file: task.logFile,
        size: tail?.size ?? 0,
        lines: tail?.lines ?? [],
      });
      return;
    }
    if (tail !== undefined && tail.lines.length > 0) write(tail.lines.join("\n") + "\n");
    at = tail?.end ?? 0;
  }
  if (flags.follow) await follow(this, queue, id, logFile, at, write);
  else if (at === 0) this.note(`The log of ${id} is empty`);
}

/** Writes a file from a place on, block by block; returns where it ended. */
function copyFrom(path: string, start: number, write: (text: string) => void): number {
  let file: Deno.FsFile;
  try {
    if (!Deno.lstatSync(path).isFile) return start;
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return start;
    throw error;
  }
  // One decoder for the whole: a character may lie across two blocks.
  const decoder = new TextDecoder();
  let at = start;
  try {
    for (;;) {
      const block = readExactly(file, at, BLOCK);
      if (block.length === 0) break;
      at += block.length;
      write(decoder.decode(block, { stream: true }));
    }
    const rest = decoder.decode();
    if (rest !== "") write(rest);
    return at;
  } finally {
    file.close();
  }
}

/** Goes on until the task is settled and everything is printed, or Ctrl+C. */
async function follow(
  context: Context,
  queue: Queue,
  id: string,
  path: string,
  start: number,
  write: (text: string) => void,
): Promise<void> {
  context.endsByExit = true;
  const stop = stopSignal(() => context.fail(130));
  const problem = (reason: string) =>
    context.note(`Watching failed, looking every second: ${reason}`);
  using log = watchFolder(`${queue.store.dir}/logs`, problem);
  let over = false;
  const ended = lookOn(context, queue, {
    signal: stop.signal,
    retry: false,
    until({ index }) {
      const task = index.byId.get(id);
      return task === undefined || (isTerminal(task.status) && task.reapAt === null);
    },
  }).finally(() => over = true).then(() => {});
  for (let at = start; !stop.signal.aborted;) {
    // What was printed before its end is known is there now.
    const last = over;
    log.take();
    at = copyFrom(path, at, write);
    if (last) break;
    await pause(1000, stop.signal, [log.changed(), ended]);
  }
  await ended;
}
