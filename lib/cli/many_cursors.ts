// A place in the histories of all workspaces, as `events --everywhere` gives it out: opaque to whoever
// keeps it, and good also where workspaces have been renamed, forgotten or added since. Pure.

import { type Cursor, formatCursor, parseCursor } from "../store/history_files.ts";
import type { StoredEvent } from "../task/event.ts";
import { hash } from "../task/hash.ts";

/** Where each history is, by workspace. */
export interface ManyCursors {
  /** Of a workspace that is not among them, what happened since then is wanted; milliseconds. */
  readonly since: number;
  /** By {@linkcode placeKey}. */
  readonly places: ReadonlyMap<string, Cursor>;
}

/** What prints events. */
export interface Printer {
  event(event: StoredEvent & { workspace?: string }): void;
  /** Told which workspaces there are, where there are several. */
  expect(workspaces: readonly string[]): void;
  end(): void;
}

/** Stands for a workspace, whatever it is called. */
export function placeKey(root: string): string {
  return hash(root).slice(0, 12);
}

export function formatCursors({ since, places }: ManyCursors): string {
  return `${since}@${[...places].map(([key, at]) => `${key}:${formatCursor(at)}`).join(",")}`;
}

/** Undefined for what is none. */
export function parseCursors(text: string): ManyCursors | undefined {
  const [, since, list] =
    /^(\d{1,16})@((?:[0-9a-f]{12}:\d+\.\d+(?:,(?=[0-9a-f])|$))*)$/.exec(text) ?? [];
  if (since === undefined || list === undefined) return undefined;
  const places = new Map<string, Cursor>();
  for (const entry of list === "" ? [] : list.split(",")) {
    const [key = "", at = ""] = entry.split(":");
    const cursor = parseCursor(at);
    if (cursor === undefined) return undefined;
    places.set(key, cursor);
  }
  return { since: Number(since), places };
}
