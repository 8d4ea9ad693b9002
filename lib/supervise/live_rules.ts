// Settings and agents while they may be edited: read again when their files change. A broken edit leaves
// the last good ones; every command that looks reports it.

import { AGENTS_FILE } from "../task/agent.ts";
import { configPath } from "../settings/config.ts";
import { userPaths } from "../settings/user.ts";
import { lstat } from "../store/files.ts";
import type { OrchestraError } from "../task/error.ts";
import { loadRules, type Queue, type Rules } from "../queue/queue.ts";

/** Settings and agents as they are now. */
export interface LiveRules {
  readonly current: Rules;
  /** Reads them again where a file is another one. */
  refresh(): Promise<void>;
}

/** Settings may be so old, milliseconds: a look at the files costs as much as a turn. */
const FRESH = 50;

/**
 * @param onBroken told of settings that are wrong at the start: the defaults hold until they are mended
 * @throws OrchestraError `config` where they are broken at the start
 */
export async function openRules(
  queue: Queue,
  onBroken?: (problem: OrchestraError) => void,
): Promise<LiveRules> {
  const paths = [
    configPath(queue.store),
    `${queue.store.root}/${AGENTS_FILE}`,
    ...Object.values(userPaths() ?? {}),
  ];
  const stampNow = () =>
    paths.map((path) => {
      const info = lstat(path);
      return info === undefined ? "-" : `${info.ino} ${info.mtime?.getTime()} ${info.size}`;
    }).join();
  let stamp = stampNow();
  let current = await loadRules(queue, onBroken);
  let looked = performance.now();
  return {
    get current() {
      return current;
    },
    async refresh() {
      if (performance.now() - looked < FRESH) return;
      looked = performance.now();
      const now = stampNow();
      if (now === stamp) return;
      stamp = now;
      try {
        current = await loadRules(queue);
      } catch {
        // The last good ones stay.
      }
    },
  };
}
