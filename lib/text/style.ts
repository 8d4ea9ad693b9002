// What a meaning looks like: colours and one-cell marks, with plain and ASCII forms.
// Escape codes are written here and not taken from @std/fmt/colors, whose switch is one variable
// for the whole process and whose import reads NO_COLOR: colour is an argument in this layer.

import type { PhaseName } from "../decide/view.ts";

/** How to draw. */
export interface Style {
  /** Whether escape codes for colour may be used; without, the output holds none at all. */
  color: boolean;
  /** Whether marks outside ASCII may be used. What users and agents wrote stays as it is. */
  unicode: boolean;
  /** Cells of a line. */
  width: number;
}

/** Puts a text in a colour; the text itself where there is no colour. */
export type Paint = (text: string) => string;

/** A style made ready for use: one paint per meaning, and the marks. */
export interface Palette {
  ok: Paint;
  bad: Paint;
  running: Paint;
  waiting: Paint;
  blocked: Paint;
  accent: Paint;
  dim: Paint;
  bold: Paint;
  /** Leaves a text as it is. */
  plain: Paint;
  /** Paint of a phase. */
  phase: Readonly<Record<PhaseName, Paint>>;
  /** Mark of a phase, one cell wide, not painted. */
  icon: Readonly<Record<PhaseName, string>>;
  /** `…` or `...` */
  ellipsis: string;
  /** `·` or `-`, between parts of a line. */
  dot: string;
  /** Mark of a warning. */
  alert: string;
  /** Cells of a progress bar: complete, failed, cancelled, still to do. */
  bar: { ok: string; bad: string; cancelled: string; rest: string };
}

/** Phases in the order in which they are summed up. */
export const PHASES: readonly PhaseName[] = [
  "running",
  "ready",
  "waiting",
  "blocked",
  "retrying",
  "complete",
  "failed",
  "cancelled",
];

const plain: Paint = (text) => text;

const UNICODE_ICONS: Readonly<Record<PhaseName, string>> = {
  running: "●",
  ready: "○",
  waiting: "◌",
  blocked: "⊘",
  retrying: "↻",
  complete: "✓",
  failed: "✗",
  cancelled: "⊗",
};

const ASCII_ICONS: Readonly<Record<PhaseName, string>> = {
  running: "*",
  ready: ".",
  waiting: "~",
  blocked: "!",
  retrying: "r",
  complete: "+",
  failed: "x",
  cancelled: "-",
};

/** The paints and marks of a style. */
export function createPalette(style: Style): Palette {
  const paint = (open: number, close: number): Paint =>
    style.color ? (text) => text === "" ? "" : `\x1b[${open}m${text}\x1b[${close}m` : plain;
  const ok = paint(32, 39);
  const bad = paint(31, 39);
  const running = paint(36, 39);
  const waiting = paint(33, 39);
  const blocked = paint(35, 39);
  const accent = paint(34, 39);
  // Faint and not grey: palettes like Solarized make "bright black" the colour of the background.
  const dim = paint(2, 22);
  const bold = paint(1, 22);
  return {
    ok,
    bad,
    running,
    waiting,
    blocked,
    accent,
    dim,
    bold,
    plain,
    phase: {
      running,
      ready: accent,
      waiting,
      blocked,
      retrying: waiting,
      complete: ok,
      failed: bad,
      cancelled: dim,
    },
    icon: style.unicode ? UNICODE_ICONS : ASCII_ICONS,
    ellipsis: style.unicode ? "…" : "...",
    dot: style.unicode ? "·" : "-",
    alert: "!",
    // Without colour the portions are told apart by their shape.
    bar: style.unicode
      ? style.color
        ? { ok: "━", bad: "━", cancelled: "━", rest: "━" }
        : { ok: "█", bad: "▒", cancelled: "▒", rest: "░" }
      : { ok: "#", bad: "x", cancelled: "x", rest: "-" },
  };
}
