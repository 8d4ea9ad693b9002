// Who ran when, and when agents were paused: from the history, which also tells of what is archived or
// removed, and from what runs now. Pure.

import type { Names } from "../decide/names.ts";
import type { HistoryEvent } from "../task/event.ts";
import { parseTime, type Task } from "../task/fields.ts";
import type { WireTimeline } from "./wire.ts";

type Run = WireTimeline["runs"][number];
type Pause = WireTimeline["lanes"][number];

/** More runs are not shown: the last ones are. */
const MOST_RUNS = 5000;
/** Characters of a title. */
const TITLE = 100;

/** Gathers what happened; events come in the order of the history. */
export interface TimelineMaker {
  add(event: HistoryEvent): void;
  /**
   * The timeline up to now.
   *
   * @param running tasks that run
   * @param known tasks that are there, by id
   */
  result(running: readonly Task[], known: ReadonlyMap<string, Task>, names: Names): WireTimeline;
}

/**
 * A maker of a timeline.
 *
 * @param from milliseconds since the epoch
 * @param now milliseconds since the epoch
 */
export function createTimeline(from: number, now: number): TimelineMaker {
  const ended: Omit<Run, "slot" | "name" | "key">[] = [];
  const lanes: Pause[] = [];
  const paused = new Map<string, Pause>();
  return {
    add(event) {
      const time = Date.parse(event.time);
      const { agent } = event;
      switch (event.event) {
        case "complete":
        case "failed":
        case "cancelled": {
          if (event.task === undefined || event.ran === undefined || time < from) return;
          const started = time - event.ran * 1000;
          ended.push({
            taskId: event.task,
            agent: agent ?? "",
            title: (event.title ?? "").slice(0, TITLE),
            status: event.event,
            queued: started - (event.waited ?? 0) * 1000,
            started,
            ended: time,
          });
          if (ended.length > 2 * MOST_RUNS) ended.splice(0, ended.length - MOST_RUNS);
          return;
        }
        case "lane-paused": {
          if (agent === undefined) return;
          const to = parseTime(event.until ?? null) ?? time;
          const before = paused.get(agent);
          // One pause that is made longer.
          if (before !== undefined && time <= before.to) before.to = Math.max(before.to, to);
          else {
            const pause = { agent, from: time, to };
            paused.set(agent, pause);
            lanes.push(pause);
          }
          return;
        }
        case "lane-resumed": {
          const pause = paused.get(agent ?? "");
          if (pause !== undefined) pause.to = Math.min(pause.to, time);
        }
      }
    },
    result(running, known, names) {
      const runs = [...ended.slice(-MOST_RUNS), ...running.map((task) => runOf(task, now))];
      return {
        from,
        to: now,
        runs: withSlots(runs, now).map((run) => ({
          ...run,
          name: names.end(run.taskId) ?? run.taskId.slice(-6),
          key: known.get(run.taskId)?.key ?? null,
        })),
        lanes: lanes.filter(({ to }) => to >= from),
      };
    },
  };
}

function runOf(task: Task, now: number): Omit<Run, "slot" | "name" | "key"> {
  const started = parseTime(task.startedAt) ?? now;
  return {
    taskId: task.taskId,
    agent: task.agent,
    title: task.prompt.split("\n", 1)[0]!.slice(0, TITLE).toWellFormed(),
    status: task.status,
    queued: parseTime(task.createdAt) ?? started,
    started,
    ended: null,
  };
}

/** Gives each run the first row that is free when it starts. */
export function withSlots<T extends { started: number; ended: number | null }>(
  runs: readonly T[],
  now: number,
): (T & { slot: number })[] {
  /** When each row is free again. */
  const free: number[] = [];
  return runs.toSorted((a, b) => a.started - b.started).map((run) => {
    const found = free.findIndex((time) => time <= run.started);
    const slot = found < 0 ? free.length : found;
    free[slot] = run.ended ?? Math.max(now, run.started);
    return { ...run, slot };
  });
}
