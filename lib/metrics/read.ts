// Reads the whole history for those who count. Reads only; what a killed process left half written is
// not read.

import { EVENT_KINDS, type EventKind, parseEvent } from "../task/event.ts";
import { readHistory } from "../store/history_read.ts";
import { type Line, lineOf } from "./line.ts";
import { createScanner } from "./scan.ts";

const decoder = new TextDecoder();
const BREAK = 10;
/** The first line of a file. */
const HEADER = '{"history":';

/** What is read of the history. */
export interface ReadOptions {
  /** Parts that were complete before it are left out, milliseconds since the epoch. */
  since?: number;
  /** What is of use; all where absent. Of the rest nothing is looked at. */
  kinds?: ReadonlySet<EventKind>;
  /** Whether labels are of use; they may be left out where they are not. */
  labels?: boolean;
}

/**
 * Hands on the lines of the history, oldest first.
 *
 * @param dir `.orchestra/`
 * @param add told of each
 * @returns how many lines could not be read
 */
export async function eachLine(
  dir: string,
  add: (line: Line) => void,
  { since, kinds = new Set(EVENT_KINDS), labels = false }: ReadOptions = {},
): Promise<number> {
  let unread = 0;
  const scanner = createScanner(kinds, labels);
  for await (const { bytes } of readHistory(dir, { since })) {
    scanner.begin(bytes);
    for (let at = 0; at < bytes.length;) {
      const line = scanner.scan(at);
      if (line !== undefined) {
        if (line !== null) add(line);
        at = scanner.next();
        continue;
      }
      const found = bytes.indexOf(BREAK, at);
      const end = found < 0 ? bytes.length : found;
      const text = decoder.decode(bytes.subarray(at, end));
      const event = parseEvent(text);
      if (event === undefined) {
        if (text.trim() !== "" && !text.startsWith(HEADER)) unread++;
      } else if (kinds.has(event.event)) add(lineOf(event));
      at = end + 1;
    }
  }
  return unread;
}
