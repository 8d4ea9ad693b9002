/// <reference lib="dom" />
// Keys of the page: what each does is said where it is set up, and `?` lists it. They mean nothing while
// something is typed, in a box above the page, or together with Ctrl, Alt or Meta.

import { useLayoutEffect, useRef } from "preact/hooks";
import { isDialogOpen } from "./dialog.tsx";

/** What a key does. */
export interface Binding {
  /** As `KeyboardEvent.key` names it; two after each other with a space between: `g n`. */
  keys: string;
  /** What it does, for the list of keys. */
  about: string;
  run: () => void;
}

const bindings = new Set<{ current: readonly Binding[] }>();
/** The second key of two comes within this time, milliseconds. */
const PAUSE = 1200;
let first = "";
let since = 0;

/** All keys that do something now. */
export function allKeys(): Binding[] {
  return [...bindings].flatMap(({ current }) => current);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !/^(?:checkbox|radio|button)$/.test(target.type);
}

function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.defaultPrevented || isDialogOpen()) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    return;
  }
  const pair = first !== "" && event.timeStamp - since < PAUSE ? `${first} ${event.key}` : "";
  const all = allKeys();
  const found = all.findLast(({ keys }) => keys === pair) ??
    all.findLast(({ keys }) => keys === event.key);
  first = found === undefined ? event.key : "";
  since = event.timeStamp;
  if (found === undefined) return;
  event.preventDefault();
  found.run();
}

/** Sets up keys as long as the component is there. */
export function useKeys(mine: readonly Binding[]): void {
  const ref = useRef(mine);
  ref.current = mine;
  // With what is shown, and not some time after it: what can be seen can be pressed.
  useLayoutEffect(() => {
    bindings.add(ref);
    return () => void bindings.delete(ref);
  }, []);
}

/** To be called once. */
export function startKeys(): void {
  document.addEventListener("keydown", press);
}
