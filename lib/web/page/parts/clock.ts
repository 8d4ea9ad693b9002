/// <reference lib="dom" />
// Words that change with time: drawn anew when they do, and not each second. Nothing ticks in a tab that
// is not looked at.

import { useEffect, useState } from "preact/hooks";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (document.hidden) return;
  for (const listener of [...listeners]) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/**
 * A value that follows from the time, asked for anew each second.
 *
 * @param of the value, of milliseconds since the epoch; a text or a number
 */
export function useClock<T extends string | number | null>(of: (now: number) => T): T {
  const [, set] = useState<T>();
  const value = of(Date.now());
  useEffect(() => listen(() => set(of(Date.now()))));
  return value;
}
