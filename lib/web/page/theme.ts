/// <reference lib="dom" />
// Light or dark: as the system has it, unless the user of this browser wants it otherwise.

import { useEffect, useState } from "preact/hooks";

/** What can be chosen. */
export const THEMES = ["system", "light", "dark"] as const;
/** What was chosen. */
export type Theme = typeof THEMES[number];

const KEY = "orchestra-theme";
const listeners = new Set<() => void>();

/** What is kept in this browser; null where it keeps nothing. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps something in this browser, where it can. */
export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It holds until the tab is closed.
  }
}

/** What is kept in this tab; null where it keeps nothing. */
export function recallHere(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps something in this tab, where it can. */
export function keepHere(key: string, value: string): void {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // It holds until the page is loaded anew.
  }
}

let theme: Theme = THEMES.find((name) => name === recall(KEY)) ?? "system";

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const listener of [...listeners]) listener();
}

/** Chooses. */
export function setTheme(chosen: Theme): void {
  theme = chosen;
  keep(KEY, chosen);
  apply();
}

/** Applies what was chosen before, and tells when the system changes. To be called once. */
export function startTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

/** What was chosen, and whether that is dark now: for what is painted and not styled. */
export function useTheme(): { theme: Theme; dark: boolean } {
  const [, set] = useState({});
  useEffect(() => {
    const listener = () => set({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  const dark = theme === "dark" ||
    (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  return { theme, dark };
}
