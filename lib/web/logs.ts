// Logs by byte ranges: of a log of any size no more is read than is asked for, and never more than a few
// megabytes for one answer. Nothing is followed out of the workspace, whatever a task file says.

import { openRegular, readExactly } from "../store/files.ts";
import { readablePlace } from "../store/places.ts";
import type { Store } from "../store/tasks.ts";
import type { Task } from "../task/fields.ts";
import { toOrchestraError } from "../task/error.ts";
import { respond } from "./answer.ts";

/** Most bytes of one answer. */
export const MOST_BYTES = 4 * 1024 * 1024;
const TYPE = "text/plain; charset=utf-8";

/** Bytes from one place up to another, which is left out. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What a `Range` header asks for, cut to what one answer has; undefined for what is no range of ours,
 * which is passed over, and null for one that the log does not have.
 */
export function parseRange(header: string | null, size: number): ByteRange | null | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size, MOST_BYTES);
    return length === 0 ? null : { from: size - length, to: size };
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return undefined;
  if (from >= size) return null;
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return { from, to: Math.min(end, from + MOST_BYTES) };
}

/** Bytes of a task's log; null where it has none that could be read. */
export function logSize(store: Store, task: Task): number | null {
  try {
    using file = openRegular(readablePlace(store, task, "log"));
    return file?.statSync().size ?? null;
  } catch {
    // Who asks for the log itself is told why.
    return null;
  }
}

/** A part of a log, or all of it where that is little enough. */
export function answerLog(store: Store, task: Task, header: string | null): Response {
  using file = openRegular(readablePlace(store, task, "log"));
  const size = file?.statSync().size ?? 0;
  const range = parseRange(header, size);
  if (range === null) {
    return respond(null, TYPE, { status: 416, headers: { "content-range": `bytes */${size}` } });
  }
  const { from, to } = range ?? { from: 0, to: Math.min(size, MOST_BYTES) };
  const isPart = range !== undefined || to < size;
  const bytes = file === undefined ? new Uint8Array() : readExactly(file, from, to - from);
  return respond(bytes, TYPE, {
    status: isPart ? 206 : 200,
    headers: {
      "accept-ranges": "bytes",
      // Compressed it would be another one than what was asked for.
      "cache-control": "no-store, no-transform",
      ...(isPart ? { "content-range": `bytes ${from}-${from + bytes.length - 1}/${size}` } : {}),
    },
  });
}

/** Bytes of a plan that are shown. */
export const MOST_PLAN = 256 * 1024;

/** The text of a task's plan, cut with a note where it is large; null where it has none. */
export function readPlan(store: Store, task: Task): string | null {
  try {
    using file = openRegular(readablePlace(store, task, "plan"));
    if (file === undefined) return null;
    const { size } = file.statSync();
    const bytes = readExactly(file, 0, Math.min(size, MOST_PLAN));
    if (size <= MOST_PLAN) return new TextDecoder().decode(bytes);
    // A letter that is cut in two is left out.
    const text = new TextDecoder().decode(bytes, { stream: true });
    return `${text}\n\n[Cut here: the plan has ${size} bytes, and ${MOST_PLAN} of them are shown]\n`;
  } catch (error) {
    // The task is shown all the same.
    return `[The plan cannot be read: ${toOrchestraError(error, "Reading it").message}]\n`;
  }
}
