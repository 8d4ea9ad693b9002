// Notices that something changed in a folder: names of files, gathered until somebody asks. Where
// the system does not let us watch, nothing is ever reported and the caller's rescan does it all.

/** Changes in a folder, gathered. */
export interface FolderWatch extends Disposable {
  /** Whether the system watches for us. */
  readonly active: boolean;
  /** Names of the files that changed since the last call; temporary files left out. */
  take(): Set<string>;
  /** Fulfilled when something changed since the last {@linkcode take}. */
  changed(): Promise<void>;
}

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
    [Symbol.dispose]() {
      watcher?.close();
    },
  };
}
