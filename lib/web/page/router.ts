/// <reference lib="dom" />
// Where in the page one is: the address, read and written. The address alone says which view is shown and
// with which filters, so that it can be kept, sent and gone back to. parsePlace and href are pure.

import { useEffect, useState } from "preact/hooks";

/** Views below a workspace that have no further part in their address. */
const VIEWS = ["now", "graph", "timeline", "stats", "agents"] as const;

/** Which view. */
export type View = typeof VIEWS[number] | "task" | "workspaces" | "home" | "unknown";

/** What an address names. */
export interface Place {
  view: View;
  /** Name of the workspace; null where the view is about none. */
  workspace: string | null;
  /** Id of the task that is looked at. */
  task: string | null;
  /** Without its question mark. */
  query: string;
  /** Without its hash sign: `L120`. */
  hash: string;
}

/** What of a place has to be said; the rest is empty. */
export type GivenPlace = Partial<Place> & Pick<Place, "view">;

/** A part of an address as it was meant; as it stands where it is malformed. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The place of an address; a workspace alone is its first view, and what names no place is unknown. */
export function parsePlace(
  { pathname, search, hash }: Pick<URL, "pathname" | "search" | "hash">,
): Place {
  const rest = { query: search.replace(/^\?/, ""), hash: hash.replace(/^#/, "") };
  const [first, workspace, view, task, ...more] = pathname.split("/").slice(1).map(decode);
  const nowhere = { view: "home", workspace: null, task: null, ...rest } as const;
  if (first === "workspaces" && workspace === undefined) return { ...nowhere, view: "workspaces" };
  if (!first || (first === "w" && !workspace)) return nowhere;
  if (first !== "w" || !workspace) return { ...nowhere, view: "unknown" };
  if (view === "task" && task && more.length === 0) return { view, workspace, task, ...rest };
  const known = view ? VIEWS.find((name) => name === view && !task) ?? "unknown" : "now";
  return { view: known, workspace, task: null, ...rest };
}

/** The address of a place. */
export function href({ view, workspace, task, query, hash }: GivenPlace): string {
  const after = (query ? `?${query}` : "") + (hash ? `#${hash}` : "");
  if (view === "home" || view === "workspaces" || !workspace) {
    return (view === "workspaces" ? "/workspaces" : "/") + after;
  }
  const path = view === "task"
    ? `task/${encodeURIComponent(task ?? "")}`
    : view === "unknown"
    ? ""
    : view;
  return `/w/${encodeURIComponent(workspace)}/${path}${after}`;
}

const listeners = new Set<() => void>();

/** Where one is. */
export function here(): Place {
  return parsePlace(location);
}

/** Calls whenever the address has changed; returns how to stop that. */
export function onPlace(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of [...listeners]) listener();
}

/**
 * Goes to a place.
 *
 * @param replace whether Back leads to where one was before this place, and not to this one
 */
export function go(place: GivenPlace, { replace = false } = {}): void {
  const address = href(place);
  if (address === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  tell();
  if (!replace && !place.hash) scrollTo(0, 0);
}

/** The place, for a component that is drawn anew when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => onPlace(() => setPlace(here())), []);
  return place;
}

/** Links within the page load nothing anew. To be called once. */
export function startRouter(): void {
  addEventListener("popstate", tell);
  addEventListener("hashchange", tell);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || link.origin !== location.origin) return;
    // Within a page the browser scrolls by itself, and says so by `hashchange`.
    const samePage = link.pathname === location.pathname && link.search === location.search;
    if (samePage && link.hash !== "") return;
    if (!/^\/(?:$|w\/|workspaces$)/.test(link.pathname)) return;
    event.preventDefault();
    go(parsePlace(link));
  });
}
