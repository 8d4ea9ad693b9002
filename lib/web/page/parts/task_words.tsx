/// <reference lib="dom" />
// What is said of a task wherever it is spoken of: its state by colour, shape and word; its name as a link;
// its times as the terminal has them.

import type { JSX } from "preact";
import type { PhaseName } from "../../../decide/view.ts";
import { formatDuration } from "../../../task/duration.ts";
import { parseTime } from "../../../task/fields.ts";
import { formatElapsed, formatMoment, formatPast, formatStamp } from "../../../text/time.ts";
import { sanitize } from "../../../text/width.ts";
import type { WireRow } from "../../wire.ts";
import { href } from "../router.ts";
import { useClock } from "./clock.ts";

/** A shape for each state, that tells them apart without colour. */
export const SHAPES: Readonly<Record<PhaseName, string>> = {
  running: "▶",
  ready: "○",
  waiting: "◔",
  retrying: "↻",
  blocked: "⊘",
  complete: "✓",
  failed: "✕",
  cancelled: "–",
};

/** All states, in the order in which they are shown. */
export const PHASES = Object.keys(SHAPES) as PhaseName[];

/** The state of a task. */
export function Badge({ phase }: { phase: PhaseName }): JSX.Element {
  return (
    <span class={`badge phase-${phase}`}>
      <span class="shape" aria-hidden="true">{SHAPES[phase]}</span>
      {phase}
    </span>
  );
}

/** The state of a task; of one that another attempt has followed, that. */
export function Standing({ task }: { task: Pick<WireRow, "phase" | "retriedBy"> }): JSX.Element {
  return task.retriedBy === null ? <Badge phase={task.phase} /> : <Retried />;
}

/** What an attempt is that another has followed: nothing that waits for anybody. */
export function Retried(): JSX.Element {
  return (
    <span class="badge phase-cancelled">
      <span class="shape" aria-hidden="true">↻</span>
      retried
    </span>
  );
}

/** A task as far as its name goes. */
export type Named = Pick<WireRow, "taskId" | "name" | "key">;

/** What a task is called: its key where it has one, as the terminal does. */
export function nameOf({ name, key }: Pick<Named, "name" | "key">): string {
  return key ?? name;
}

/** A task of which only the id is known. */
export function named(taskId: string): Named {
  return { taskId, name: taskId.slice(-4), key: null };
}

/** The shape alone, for where the word stands beside it. */
export function Shape({ phase }: { phase: PhaseName }): JSX.Element {
  return <span class={`shape phase-${phase}`} aria-hidden="true">{SHAPES[phase]}</span>;
}

/** The first line of a prompt, as a terminal's table has it. */
export function titleOf({ prompt }: { prompt: string }): string {
  return sanitize(prompt.trimStart().split(/\r?\n/, 1)[0]!.slice(0, 200)) || "(no prompt)";
}

/** A task's name, which leads to it. */
export function TaskLink(
  { workspace, task, line }: {
    workspace: string;
    task: Named;
    /** Of its log. */
    line?: number;
  },
): JSX.Element {
  const hash = line === undefined ? "" : `L${line}`;
  return (
    <a class="name" href={href({ view: "task", workspace, task: task.taskId, hash })}>
      {nameOf(task)}
    </a>
  );
}

/** A moment, by how long ago it was; the whole of it where the pointer rests. */
export function Ago({ time }: { time: string | null }): JSX.Element | null {
  const millis = parseTime(time);
  const text = useClock((now) => formatPast(millis, now));
  if (millis === null) return null;
  return <time dateTime={new Date(millis).toISOString()} title={formatStamp(millis)}>{text}</time>;
}

/** A moment that is to come, by the clock. */
export function Moment({ time }: { time: string | number }): JSX.Element {
  const millis = typeof time === "number" ? time : parseTime(time) ?? 0;
  const text = useClock((now) => formatMoment(millis, now));
  return <time dateTime={new Date(millis).toISOString()} title={formatStamp(millis)}>{text}</time>;
}

type Timed = Pick<
  WireRow,
  "status" | "startedAt" | "elapsedSeconds" | "timeout" | "asleep" | "remainingSeconds"
>;

/** Seconds that a task has run or ran; null before it started. */
export function elapsedOf(task: Timed, now: number): number | null {
  const started = parseTime(task.startedAt);
  if (task.status !== "running" || started === null) return task.elapsedSeconds;
  return Math.max(0, (now - started) / 1000);
}

/** How long a task has run or ran. */
export function Elapsed({ task }: { task: Timed }): JSX.Element | null {
  const text = useClock((now) => {
    const seconds = elapsedOf(task, now);
    return seconds === null ? null : formatElapsed(seconds);
  });
  return text === null ? null : <span class="number">{text}</span>;
}

/** How long a task may still run; nothing where it has no timeout. */
export function Remaining({ task }: { task: Timed }): JSX.Element | null {
  const text = useClock((now) => {
    const elapsed = elapsedOf(task, now);
    if (task.status !== "running" || task.timeout === null || elapsed === null) return null;
    const left = task.timeout + task.asleep - elapsed;
    return left >= 0 ? `${formatDuration(left)} left` : `${formatDuration(-left)} over`;
  });
  return text === null ? null : <span class="number muted">{text}</span>;
}
