// Why a task is where it is, in words. Scripts get whole ids and times in UTC, always in the same
// words; people get names that they can type and clock times of here. Pure.

import type { Blocked, Cause, Readiness } from "../decide/dependencies.ts";
import type { Held } from "../decide/room.ts";
import type { Overlap } from "../decide/overlap_marks.ts";
import { type Names, WHOLE_IDS } from "../decide/names.ts";
import type { TaskView, Wait } from "../decide/view.ts";
import { formatTime } from "../task/fields.ts";
import { formatAgo, formatMoment } from "../text/time.ts";

/** What is said of a dependency that cannot be met by itself. */
const CAUSES: Readonly<Record<Cause["kind"], string>> = {
  missing: "does not exist any more",
  failed: "failed",
  cancelled: "was cancelled",
  circle: "waits for this task in turn",
};

/** Why a task is blocked, in a sentence that is as long for the last of a chain as for the first. */
export function formatBlocked({ by, cause, direct }: Blocked, { call }: Names = WHOLE_IDS): string {
  const root = `Dependency ${call(cause.id)} ${CAUSES[cause.kind]}`;
  return direct ? root : `Dependency ${call(by)} is blocked: ${root}`;
}

/** Whether a task may start, as `--json` prints it. */
export function readinessJson(ready: Readiness): Record<string, unknown> {
  return ready.kind === "blocked"
    ? { kind: ready.kind, by: ready.by, reason: formatBlocked(ready) }
    : { ...ready };
}

/** What a task waits for, where that is other tasks. */
export function formatWaits(ids: readonly string[], { call }: Names = WHOLE_IDS): string {
  return `waits for ${ids.map(call).join(", ")}`;
}

/**
 * Why a task waits or is blocked, for scripts and files: the text of `waitsFor` and `blockedReason`,
 * which have whole ids.
 */
export function formatReason(
  { task, phase }: TaskView,
  names: Names = WHOLE_IDS,
): string | null {
  if (phase.kind === "blocked") return formatBlocked(phase, names);
  if (phase.kind !== "waiting") return null;
  const { wait } = phase;
  switch (wait.kind) {
    case "tasks":
      return formatWaits(wait.ids, names);
    case "time":
      return `not before ${task.notBefore}`;
    case "lane":
      return `agent ${wait.agent} is paused until ${formatTime(wait.until)}`;
    case "limit":
      return formatHeld(wait.held, formatTime, names);
  }
}

/**
 * Why a task may not be launched for a limit that holds across workspaces, or for another task.
 *
 * @param say a time, milliseconds since the epoch
 */
export function formatHeld(
  held: Held,
  say: (millis: number) => string,
  { call }: Names = WHOLE_IDS,
): string {
  switch (held.kind) {
    case "provider":
      return `the limit of ${held.provider}, ${held.most} at once, holds`;
    case "machine":
      return `the limit of the machine, ${held.most} at once, holds`;
    case "launches":
      return `the limit of ${held.provider}, ${held.rate} launches, holds until ${say(held.until)}`;
    case "unread":
      return `the limits in ${held.path} cannot be read: ${held.problem}`;
    case "no-slots":
      return `limits across workspaces cannot be held: ${held.problem}`;
    case "overlap":
      return `waits for ${call(held.id)}, which touches the same files`;
  }
}

/** Files of an overlap that are named; more are counted. */
const FILES_NAMED = 3;

/** Two tasks that change the same files, for one of them or for a task that builds on both. */
export function formatOverlap(
  { tasks: [one, other], files }: Overlap,
  id: string | null,
  { call }: Names = WHOLE_IDS,
): string {
  const named = files.slice(0, FILES_NAMED).join(", ");
  const rest = files.length - FILES_NAMED;
  const all = rest > 0 ? `${named} and ${rest} more` : named;
  return one === id || other === id
    ? `overlaps ${call(one === id ? other : one)}: ${all}`
    : `${call(one)} and ${call(other)} overlap: ${all}`;
}

/** Why a task is where it is, for a person; null where its phase says all. */
export function explain(
  { task, phase }: TaskView,
  now: number,
  names: Names = WHOLE_IDS,
): string | null {
  switch (phase.kind) {
    case "waiting":
      return explainWait(phase.wait, now, names);
    case "blocked":
      return formatBlocked(phase, names);
    case "retrying": {
      const when = phase.at <= now ? "retries now" : `retries ${formatAgo(phase.at, now)}`;
      return task.errorMessage === null ? when : `${when}: ${task.errorMessage}`;
    }
    case "running":
      return task.setupAt === null ? null : "its worktree is being set up";
    case "failed":
      return task.errorMessage ?? task.failureClass;
    default:
      return null;
  }
}

function explainWait(wait: Wait, now: number, names: Names): string {
  switch (wait.kind) {
    case "tasks":
      return formatWaits(wait.ids, names);
    case "time":
      return `starts ${formatAgo(wait.until, now)}`;
    case "lane":
      return `agent ${wait.agent} is paused until ${formatMoment(wait.until, now)}`;
    case "limit":
      return formatHeld(wait.held, (millis) => formatMoment(millis, now), names);
  }
}
