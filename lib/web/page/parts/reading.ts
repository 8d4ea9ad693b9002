/// <reference lib="dom" />
// What a view reads of a workspace from the server: at first, and anew while things happen there, but not in
// a tab that nobody looks at, which catches up when it is looked at again.

import { useEffect, useState } from "preact/hooks";
import { sayError } from "../api.ts";
import { onHappened } from "../state.ts";

/** What was read last; null before, and why it could not be read, or null. */
export interface Reading<T> {
  readonly read: T | null;
  readonly problem: string | null;
}

/**
 * @param workspace nothing is read where it is null
 * @param ask reads, and may set more than once while it goes on
 * @param pause milliseconds after something happened until it is read anew
 * @param inputs what else `ask` depends on: it is read anew when one of them changes
 */
export function useReading<T>(
  workspace: string | null,
  ask: (workspace: string, signal: AbortSignal, set: (read: T) => void) => Promise<void>,
  pause: number,
  inputs: readonly unknown[] = [],
): Reading<T> {
  const [read, set] = useState<T | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (workspace === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = async () => {
      timer = undefined;
      try {
        await ask(workspace, stop.signal, set);
        setProblem(null);
      } catch (error) {
        if (!stop.signal.aborted) setProblem(sayError(error));
      }
    };
    again();
    const ignore = onHappened((where) => {
      if (where === workspace && !document.hidden) timer ??= setTimeout(again, pause);
    });
    const shown = () => document.hidden || again();
    document.addEventListener("visibilitychange", shown);
    return () => {
      stop.abort();
      ignore();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [workspace, ...inputs]);
  return { read, problem };
}
