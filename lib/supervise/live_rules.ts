// Settings and agents while they may be edited: read again when their files change. A broken edit leaves
// the last good ones, and is told once; every command that looks reports it.

import { AGENTS_FILE } from "../task/agent.ts";
import { configPath } from "../settings/config.ts";
import { userPaths } from "../settings/user.ts";
import { messageOf, stampOf } from "../store/files.ts";
import type { OrchestraError } from "../task/error.ts";
import { loadRules, type Queue, type Rules } from "../queue/queue.ts";

/** Settings and agents as they are now. */
export interface LiveRules {
  readonly current: Rules;
  /** Why they are earlier ones than the files say now, a sentence; null where they are not. */
  readonly stale: string | null;
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
  const stampNow = () => paths.map(stampOf).join();
  let stamp = stampNow();
  let current = await loadRules(queue, onBroken);
  let broken: string | null = null;
  let looked = performance.now();
  return {
    get current() {
      return current;
    },
    get stale() {
      return broken ?? current.stale ?? null;
    },
    async refresh() {
      if (performance.now() - looked < FRESH) return;
      looked = performance.now();
      const now = stampNow();
      if (now === stamp) return;
      stamp = now;
      try {
        current = await loadRules(queue);
        broken = null;
      } catch (error) {
        // The last good ones stay.
        broken = `The last good settings hold: ${messageOf(error)}`;
      }
    },
  };
}
