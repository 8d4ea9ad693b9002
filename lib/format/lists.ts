// The tables of `archive list` and `timeout list`. Pure.

import type { Names } from "../decide/names.ts";
import type { TaskView } from "../decide/view.ts";
import { formatDuration } from "../task/duration.ts";
import { parseTime, type Task } from "../task/fields.ts";
import { createPalette, type Style } from "../text/style.ts";
import { type Column, formatRows } from "../text/table.ts";
import { formatPast } from "../text/time.ts";
import { firstLine } from "../text/width.ts";
import { nameColumns } from "./names.ts";

/** The archived tasks, a line each. */
export function formatArchive(
  tasks: readonly Task[],
  names: Names,
  style: Style,
  now: number,
): string {
  const columns: Column<Task>[] = [
    ...nameColumns(tasks, (task) => task, names, createPalette(style), style),
    { header: "STATUS", dropOrder: 2, cell: (task) => task.status },
    { header: "AGENT", dropOrder: 3, max: 20, cell: (task) => firstLine(task.agent, 20) },
    {
      header: "ENDED",
      dropOrder: 4,
      cell: (task) => formatPast(parseTime(task.completedAt), now),
    },
    {
      header: "PROMPT",
      flex: 6,
      dropOrder: 1,
      cell: (task) => firstLine(task.prompt, style.width),
    },
  ];
  return formatRows(columns, tasks, style).join("\n");
}

/** Tasks with a limit, a line each: how much of it is used, and what is left. */
export function formatTimeouts(views: readonly TaskView[], names: Names, style: Style): string {
  const palette = createPalette(style);
  const duration = (seconds: number | null) => seconds === null ? "" : formatDuration(seconds);
  const columns: Column<TaskView>[] = [
    ...nameColumns(views, ({ task }) => task, names, palette, style),
    {
      header: "STATUS",
      cell: ({ task }) => task.failureClass === "timeout" ? "timed out" : task.status,
    },
    { header: "TIMEOUT", align: "right", cell: ({ task }) => duration(task.timeout) },
    { header: "ELAPSED", align: "right", cell: ({ elapsed }) => duration(elapsed) },
    {
      header: "REMAINING",
      align: "right",
      cell: ({ remaining, warning }) => ({
        text: remaining !== null && remaining < 0
          ? "overdue"
          : duration(remaining) + (warning ? " (soon)" : ""),
        paint: warning ? palette.waiting : undefined,
      }),
    },
  ];
  return formatRows(columns, views, style).join("\n");
}
