// Notices that something changed in a folder: names of files, gathered until somebody asks. Where
// the system does not let us watch, nothing is ever reported and the caller's rescan does it all. A watch
// can also fall silent: Deno opens what has changed, and waits at a pipe until somebody writes to it;
// until then nothing is told of by any watch of this process.

import { lstat } from "./files.ts";

/** Changes in a folder, gathered. */
export interface FolderWatch extends Disposable {
  /** Whether the system watches for us. */
  readonly active: boolean;
  /** Names of the files that changed since the last call; temporary files left out. */
  take(): Set<string>;
  /** Fulfilled when something changed since the last {@linkcode take}. */
  changed(): Promise<void>;
  /** How often the system has told of something, temporary files included. */
  readonly heard: number;
  /** Makes a change that is told of where any is; whether it could be made. */
  knock(): boolean;
  /** Lets go who waits at a pipe in the folder: it is held open until it is gone. */
  holdOpen(name: string): void;
}

/** More pipes than these are not held open. */
const MOST_HELD = 512;

/**
 * Watches a folder, not what is in its folders.
 *
 * @param path the folder
 * @param onProblem called once where watching is not to be had, with the reason
 */
export function watchFolder(path: string, onProblem?: (reason: string) => void): FolderWatch {
  let names = new Set<string>();
  let wake: (() => void) | undefined;
  let watcher: Deno.FsWatcher | undefined;
  let heard = 0;
  const held = new Map<string, Deno.FsFile>();
  try {
    watcher = Deno.watchFs(path, { recursive: false });
  } catch (error) {
    onProblem?.(error instanceof Error ? error.message : String(error));
  }
  if (watcher !== undefined) {
    const source = watcher;
    (async () => {
      try {
        for await (const event of source) {
          heard++;
          // Somebody has closed it; what was written was told of before.
          if (event.kind === "access") continue;
          for (const changed of event.paths) {
            const name = changed.slice(
              Math.max(changed.lastIndexOf("/"), changed.lastIndexOf("\\")) + 1,
            );
            if (name.endsWith(".tmp")) continue;
            names.add(name);
          }
          if (names.size > 0) wake?.();
        }
      } catch (error) {
        onProblem?.(error instanceof Error ? error.message : String(error));
      }
    })();
  }
  return {
    active: watcher !== undefined,
    take() {
      const taken = names;
      names = new Set();
      return taken;
    },
    changed() {
      if (names.size > 0) return Promise.resolve();
      return new Promise((resolve) => {
        wake = () => {
          wake = undefined;
          resolve();
        };
      });
    },
    get heard() {
      return heard;
    },
    knock() {
      const file = `${path}/knock-${crypto.randomUUID()}.${Deno.pid}.tmp`;
      try {
        Deno.openSync(file, { write: true, createNew: true, mode: 0o600 }).close();
        Deno.removeSync(file);
        return true;
      } catch {
        return false;
      }
    },
    holdOpen(name) {
      for (const [other, file] of held) {
        if (lstat(`${path}/${other}`)?.isFifo) continue;
        file.close();
        held.delete(other);
      }
      if (held.has(name) || held.size === MOST_HELD || !lstat(`${path}/${name}`)?.isFifo) return;
      try {
        // For both: then it waits for nobody, fifo(7).
        const file = Deno.openSync(`${path}/${name}`, { read: true, write: true });
        if (file.statSync().isFifo) held.set(name, file);
        else file.close();
      } catch {
        // Not for us to open, or gone.
      }
    },
    [Symbol.dispose]() {
      watcher?.close();
      for (const file of held.values()) file.close();
    },
  };
}
