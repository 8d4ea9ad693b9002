// How tables name tasks: the whole id, in it what suffices to type, and the key. Where there are no
// colours to set the end of an id apart, it stands beside the id, or alone where room is short. Pure.

import type { Names } from "../decide/names.ts";
import type { Task } from "../task/fields.ts";
import type { Paint, Palette, Style } from "../text/style.ts";
import type { Column, Span } from "../text/table.ts";
import { firstLine } from "../text/width.ts";

/** Most cells of a key in a table; no key that was checked is longer than the other. */
const WIDEST_KEY = 24;
const LONGEST_KEY = 100;

/** An id, with the part of it set apart that suffices to type. */
export function formatId(id: string, { end }: Names, palette: Palette): string | Span {
  // One span and not two: a table may have ten thousand rows, and each is measured and cut.
  const typed = palette.bold === palette.plain ? undefined : end(id);
  if (typed === undefined) return id;
  const head = id.slice(0, -typed.length);
  // What is cut has lost its end.
  const paint: Paint = (shown) => shown === id ? palette.dim(head) + palette.bold(typed) : shown;
  return { text: id, paint };
}

/** The end of an id where colours do not set it apart; nothing elsewhere. */
export function formatEnd(id: string, { end }: Names, style: Style): string {
  return style.color ? "" : end(id) ?? "";
}

/** A task's key, safe to print; nothing where it has none. */
export function formatKey({ key }: Pick<Task, "key">): string {
  return key === null ? "" : firstLine(key, LONGEST_KEY);
}

/** What a row of a table is about: a task, or only the id of one that is not there. */
export type Named = Pick<Task, "taskId" | "key"> | { readonly taskId: string };

/**
 * The columns that name a task: its id, the end of that where nothing sets it apart, and the keys where
 * a task has one.
 *
 * @param rows what the table is about
 * @param named the task of a row
 * @param isShort whether the end stands for the id, where it is known
 */
export function nameColumns<Row>(
  rows: readonly Row[],
  named: (row: Row) => Named,
  names: Names,
  palette: Palette,
  style: Style,
  isShort = false,
): Column<Row>[] {
  const id = (row: Row) => named(row).taskId;
  const keyOf = (row: Row) => {
    const task = named(row);
    return "key" in task && task.key !== null ? formatKey(task) : "";
  };
  const columns: (Column<Row> | false)[] = [
    isShort
      ? {
        header: "END",
        cell: (row) => ({ text: names.end(id(row)) ?? id(row), paint: palette.bold }),
      }
      : { header: "ID", cell: (row) => formatId(id(row), names, palette), measure: id },
    !isShort && !style.color && rows.some((row) => names.end(id(row)) !== undefined) && {
      header: "END",
      dropOrder: 1.5,
      cell: (row) => names.end(id(row)) ?? "",
    },
    rows.some((row) => keyOf(row) !== "") && {
      header: "KEY",
      max: WIDEST_KEY,
      flex: 2,
      min: 8,
      dropOrder: 2.5,
      cell: (row) => ({ text: keyOf(row), paint: palette.bold }),
    },
  ];
  return columns.filter((column) => column !== false);
}
