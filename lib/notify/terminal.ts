// The terminal's own notification (OSC 9, as iTerm2, Windows Terminal, kitty, foot and others show it), for
// who looks on. Pure.

import type { Change } from "../decide/changes.ts";
import { taskEvent } from "../decide/history.ts";
import { UNSEEN } from "../task/error.ts";
import { wordsOf } from "./words.ts";

/** What of a task is worth a notification. */
const SHOWN: readonly string[] = ["complete", "failed", "cancelled"];
/** A notification is no longer, characters. */
const LONGEST = 120;

/**
 * What makes a terminal show that something happened; undefined for what is not worth it.
 *
 * @param workspace name of the workspace, for people
 * @param now milliseconds since the epoch
 * @param inTmux tmux is between us and the terminal: it lets nothing through that is not wrapped for it
 */
export function terminalNotice(
  { kind, task }: Change,
  workspace: string,
  now: number,
  inTmux = false,
): string | undefined {
  if (kind === "warning" || !SHOWN.includes(kind)) return undefined;
  const { title } = wordsOf(taskEvent(task, kind, new Date(now).toISOString()), workspace);
  // A number and a semicolon at its beginning mean something else to some terminals.
  const text = [...title.replace(UNSEEN, "").replaceAll("\n", " ")].slice(0, LONGEST).join("");
  const notice = `\x1b]9;${text}\x07`;
  return inTmux ? `\x1bPtmux;${notice.replaceAll("\x1b", "\x1b\x1b")}\x1b\\` : notice;
}
