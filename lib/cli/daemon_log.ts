// The log of a daemon: lines with their time in a file that is begun anew beyond a size. What else
// stands in its place is not followed; where it cannot be written, work goes on without.

import { pause } from "../launch/pause.ts";
import { lstat, openNamed, openRegular, readExactly } from "../store/files.ts";
import { watchFolder } from "../store/watch.ts";
import { formatTime } from "../task/fields.ts";
import { sanitize } from "../text/width.ts";
import type { Context } from "./context.ts";
import { createTextPrinter } from "./log_printer.ts";
import { tailFile } from "./tail.ts";

/** A log is begun anew beyond this size, bytes. */
const MAX_LOG = 4 * 1024 * 1024;

/**
 * Writes lines to a log.
 *
 * @param isHere asked before each: another workspace in its place has a log of its own
 */
export function logTo(path: string, isHere: () => boolean = () => true): (text: string) => void {
  return (text) => {
    try {
      if (!isHere()) return;
      const info = lstat(path);
      if (info !== undefined && (!info.isFile || info.size > MAX_LOG)) Deno.removeSync(path);
      // Opened for each line: who watches over two hundred has as many logs.
      using file = openNamed(path, { append: true });
      file?.writeSync(new TextEncoder().encode(`${formatTime(Date.now())} ${text}\n`));
    } catch {
      // The watching goes on without a log.
    }
  };
}

/** Which lines of a log are printed. */
export interface LogFlags {
  readonly follow?: boolean;
  readonly lines?: number;
}

/**
 * Prints the end of a log, and what is added to it where that is asked for.
 *
 * @param path the log
 * @param folder where it is
 */
export async function printLog(
  context: Context,
  path: string,
  folder: string,
  flags: LogFlags,
): Promise<void> {
  const tail = tailFile(path, flags.lines ?? 50);
  if (context.globals.json) return context.printJson({ lines: tail?.lines ?? [] });
  if (tail === undefined && !flags.follow) return context.note("The daemon has written no log yet");
  for (const line of tail?.lines ?? []) context.print(sanitize(line));
  if (!flags.follow) return;
  context.endsByExit = true;
  const stop = new AbortController();
  const over = AbortSignal.any([stop.signal, context.readerGone]);
  Deno.addSignalListener("SIGINT", () => stop.abort());
  using watch = watchFolder(folder);
  const printer = createTextPrinter(context);
  let at = tail?.end ?? 0;
  while (!over.aborted) {
    watch.take();
    const size = lstat(path)?.size ?? 0;
    if (size < at) at = 0; // It was begun anew.
    if (size > at) {
      using file = openRegular(path);
      const block = file === undefined ? new Uint8Array() : readExactly(file, at, size - at);
      at += block.length;
      printer.write(block);
    }
    await pause(1000, over, [watch.changed()]);
  }
}
