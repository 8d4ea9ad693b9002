// What is told of an event, in words, for people: on the desktop, in a chat, in a terminal. Pure. Nothing
// in it is obeyed by a terminal; what else interprets texts has them escaped by who writes for it.

import type { HistoryEvent } from "../task/event.ts";
import { formatElapsed } from "../text/time.ts";
import { sanitize } from "../text/width.ts";

/** An event in words. */
export interface Words {
  /** What happened, one line. */
  readonly title: string;
  /** What more is known, lines; may be empty. */
  readonly text: string;
  /** Whether somebody should look soon. */
  readonly urgent: boolean;
}

const HEADS: Readonly<Record<HistoryEvent["event"], string>> = {
  "queued": "Queued",
  "retried": "Queued again",
  "launched": "Launched",
  "released": "Waits again",
  "verifying": "Is being verified",
  "complete": "Complete",
  "failed": "Failed",
  "cancelled": "Cancelled",
  "handed-on": "Handed on",
  "reaped": "Has ended",
  "archived": "Archived",
  "restored": "Restored",
  "removed": "Removed",
  "budget": "Over its budget",
  "lane-paused": "Quota used up",
  "lane-resumed": "Quota is back",
  "drained": "Nothing is left to do",
};

const URGENT: readonly string[] = ["failed", "budget", "lane-paused"];

/**
 * An event in words.
 *
 * @param workspace name of the workspace, for people
 */
export function wordsOf(event: HistoryEvent, workspace: string): Words {
  const { task, agent, title, error, ran, until } = event;
  const kind = event.class === undefined ? "" : ` (${event.class})`;
  const about = title ?? task ?? (event.event === "drained" ? undefined : agent);
  const head = `${HEADS[event.event]}${kind}`;
  const facts = [
    agent,
    ran === undefined ? undefined : `ran ${formatElapsed(ran)}`,
    until === undefined ? undefined : `until ${until}`,
    event.retryAt === undefined ? undefined : "it is tried again",
    task,
    workspace,
  ].filter((fact) => fact !== undefined && fact !== "");
  return {
    title: sanitize(about === undefined ? head : `${head}: ${about}`),
    text: [error ?? endedWords(event), facts.join(" · ")].filter((line) =>
      line !== undefined && line !== ""
    )
      .map((line) => sanitize(line!)).join("\n"),
    urgent: URGENT.includes(event.event) && event.retryAt === undefined,
  };
}

/** How tasks ended: `3 complete, 1 failed`. */
function endedWords({ ended }: HistoryEvent): string | undefined {
  return ended === undefined
    ? undefined
    : (["complete", "failed", "cancelled"] as const).filter((end) => ended[end] > 0)
      .map((end) => `${ended[end]} ${end}`).join(", ");
}

/** The name of a workspace for people: that of its folder. */
export function workspaceName(root: string): string {
  return root.slice(Math.max(root.lastIndexOf("/"), root.lastIndexOf("\\")) + 1) || root;
}
