/// <reference lib="dom" />
// The title and the icon of the tab: how it stands, seen from another tab.

import { useEffect } from "preact/hooks";
import type { WireCounts } from "../../wire.ts";
import { retriedOf } from "../listing.ts";

/** How it stands in one word. */
export type Standing = "idle" | "running" | "failed" | "lost";

/** Failures that nothing follows. */
function failedOf(counts: WireCounts): number {
  return (counts.failed ?? 0) - retriedOf(counts);
}

/** What a tab's title says. */
export function titleFor(
  { workspace, counts, connected, about }: {
    workspace: string | null;
    counts: WireCounts;
    connected: boolean;
    /** The view. */
    about: string;
  },
): string {
  const { running = 0, blocked = 0 } = counts;
  const failed = failedOf(counts);
  const words = [
    connected ? "" : "not connected",
    running > 0 ? `▶ ${running}` : "",
    failed > 0 ? `✕ ${failed}` : "",
    blocked > 0 ? `⊘ ${blocked}` : "",
  ].filter((word) => word !== "");
  const place = workspace === null ? "Orchestra" : `${workspace} – Orchestra`;
  return [...words, about, place].filter((word) => word !== "").join(" · ");
}

/** What a tab's icon tells. */
export function standingOf(counts: WireCounts, connected: boolean): Standing {
  if (!connected) return "lost";
  if (failedOf(counts) > 0) return "failed";
  return (counts.running ?? 0) > 0 ? "running" : "idle";
}

/** Shapes on a ground that can be seen on light and dark; told apart without colour. */
const SHAPES: Readonly<Record<Standing, string>> = {
  idle: `<circle cx="16" cy="16" r="10" fill="none" stroke="#7b8794" stroke-width="5"/>`,
  running:
    `<circle cx="16" cy="16" r="15" fill="#1c6fd1"/><path d="M12 9l11 7-11 7z" fill="#fff"/>`,
  failed:
    `<rect x="1" y="1" width="30" height="30" rx="5" fill="#c8322b"/><path d="M14 6h4v13h-4zM14 22h4v4h-4z" fill="#fff"/>`,
  lost: `<path d="M6 6l20 20M26 6L6 26" stroke="#7b8794" stroke-width="5"/>`,
};

/** An icon as an address. */
function iconOf(standing: Standing): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${
    SHAPES[standing]
  }</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** Keeps title and icon. */
export function useTab(title: string, standing: Standing): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    document.querySelector<HTMLLinkElement>("link[rel=icon]")!.href = iconOf(standing);
  }, [standing]);
}
