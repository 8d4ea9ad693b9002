// Where `--debug` tells what is done: standard error, and for what runs in the background
// `.orchestra/debug.log`. The file is begun anew beyond a size, is its owner's alone, and no link is
// followed to it. Where it cannot be written, work goes on without.

import { formatTrace } from "../format/trace.ts";
import { writeAll } from "./write.ts";
import { lstat, openNamed, renameFile } from "../store/files.ts";
import type { Trace } from "../task/trace.ts";

/** Beyond this size the file is begun anew, bytes; one earlier is kept. */
const MAX_LOG = 4 * 1024 * 1024;

/** Tells standard error what is done, with the time of the day. */
export function traceToTerminal(): Trace {
  return (what, facts) => {
    const line = `${new Date().toISOString().slice(11, 23)} ${formatTrace(what, facts)}\n`;
    writeAll(Deno.stderr, line);
  };
}

/**
 * Appends what is done to a log that is only its owner's, with the time and our pid.
 *
 * @param path absolute, in a folder that is known to be no link
 */
export function traceToFile(path: string): Trace {
  const append = appendTo(path);
  return (what, facts) =>
    append(`${new Date().toISOString()} [${Deno.pid}] ${formatTrace(what, facts)}\n`);
}

function appendTo(path: string): (line: string) => void {
  let file: Deno.FsFile | undefined;
  let size = 0;
  const open = () => {
    const info = lstat(path);
    if (info !== undefined && (!info.isFile || info.size > MAX_LOG)) {
      if (info.isFile) renameFile(path, `${path}.1`);
      else Deno.removeSync(path);
    }
    file = openNamed(path, { append: true });
    // Somebody put a link there just now.
    if (file === undefined) throw new Error(`${path} is a link`);
    size = file.statSync().size;
  };
  return (line) => {
    try {
      if (file === undefined) open();
      else if (size > MAX_LOG) {
        file.close();
        file = undefined;
        open();
      }
      const bytes = new TextEncoder().encode(line);
      size += file!.writeSync(bytes);
    } catch {
      // Nobody is waiting for these lines but a curious person.
    }
  };
}
