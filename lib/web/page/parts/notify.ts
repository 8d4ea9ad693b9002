/// <reference lib="dom" />
// What is worth to be called for while nobody looks: failures that are not retried, a paused agent, a queue
// at rest. The browser shows it where its user has allowed that; a click opens the task.

import { useEffect, useState } from "preact/hooks";
import type { HistoryEvent } from "../../../task/event.ts";
import { go } from "../router.ts";
import { onHappened } from "../state.ts";
import { keep, recall } from "../theme.ts";

const KEY = "orchestra-notify";
/** So many at once are told as one. */
const SEVERAL = 3;

/** What is told, and of what. */
export interface Call {
  title: string;
  body: string;
  task: string | null;
  key: string;
}

/** What an event is worth to be told as; null for nothing. */
export function callOf(event: HistoryEvent): Call | null {
  const { key, task = null, agent = "", title = "" } = event;
  switch (event.event) {
    case "failed":
      if (event.retryAt !== undefined) return null;
      return { title: `Failed: ${title}`, body: event.error ?? event.class ?? "", task, key };
    case "lane-paused":
      return { title: `${agent} is paused`, body: "Its quota is used up", task: null, key };
    case "drained": {
      const { complete = 0, failed = 0, cancelled = 0 } = event.ended ?? {};
      const ended = [[complete, "complete"], [failed, "failed"], [cancelled, "cancelled"]] as const;
      const body = ended.filter(([count]) => count > 0).map((one) => one.join(" ")).join(", ");
      return { title: "The queue is at rest", body, task: null, key };
    }
    default:
      return null;
  }
}

/** Several in a row as one. */
export function gather(calls: readonly Call[]): readonly Call[] {
  if (calls.length <= SEVERAL) return calls;
  const [first] = calls;
  return [{
    title: `${calls.length} things happened`,
    body: calls.slice(0, SEVERAL).map(({ title }) => title).join("\n"),
    task: null,
    key: first!.key,
  }];
}

function show(workspace: string, { title, body, task, key }: Call): void {
  // With a tag, what is told twice is shown once.
  const shown = new Notification(title, { body: `${workspace}: ${body}`, tag: key });
  shown.onclick = () => {
    focus();
    go(task === null ? { view: "now", workspace } : { view: "task", workspace, task });
    shown.close();
  };
}

/** Whether they are wanted, and how to change that; null where the browser has none. */
export function useNotify(): { wanted: boolean; flip: () => Promise<void> } | null {
  const [wanted, set] = useState(
    () =>
      recall(KEY) === "yes" && "Notification" in globalThis &&
      Notification.permission === "granted",
  );
  useEffect(() => {
    if (!wanted) return;
    return onHappened((workspace, events) => {
      if (!document.hidden && document.hasFocus()) return;
      const calls = events.flatMap((event) => callOf(event) ?? []);
      for (const call of gather(calls)) show(workspace, call);
    });
  }, [wanted]);
  if (!("Notification" in globalThis)) return null;
  const flip = async () => {
    const now = !wanted && await Notification.requestPermission() === "granted";
    keep(KEY, now ? "yes" : "no");
    set(now);
  };
  return { wanted, flip };
}
