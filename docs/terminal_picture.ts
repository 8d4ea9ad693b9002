// A recording of a terminal as one SVG that plays by itself: no script, no font of its own, so that it
// plays as an image in a page. Pure: what the terminal showed and when goes in, the file's text
// comes out. What it cannot draw is an error, so that no picture is silently wrong.

import { displayWidth } from "../lib/text/width.ts";

/** What a terminal showed from some time on. */
export interface Frame {
  /** Milliseconds since the first frame. */
  at: number;
  /** The lines of the screen, with escape sequences for colours alone. */
  screen: string;
}

/** How text looks. */
export interface Look {
  /** Number of a colour of the terminal's sixteen; null for its own. */
  color: number | null;
  bold: boolean;
  dim: boolean;
}

/** Text of one look in a line. */
export interface Run extends Look {
  /** Cell in which it begins, from 0. */
  column: number;
  text: string;
}

/** How a recording is shown. */
export interface PictureOptions {
  /** Cells of a line. */
  columns: number;
  /** Lines of the screen. */
  rows: number;
  /** Text in the window's title bar. */
  title: string;
  /** What it shows, for who cannot see it. */
  description: string;
  /** Milliseconds that the last frame stays before it begins anew. */
  pause: number;
}

const PLAIN: Look = { color: null, bold: false, dim: false };

/** The look after a sequence that sets it, `ESC [ codes m`. */
function applyCodes(look: Look, codes: string): Look {
  for (const text of codes.split(";")) {
    const code = Number(text);
    if (code === 0) look = PLAIN;
    else if (code === 1) look = { ...look, bold: true };
    else if (code === 2) look = { ...look, dim: true };
    else if (code === 22) look = { ...look, bold: false, dim: false };
    else if (code >= 30 && code <= 37) look = { ...look, color: code - 30 };
    else if (code >= 90 && code <= 97) look = { ...look, color: code - 82 };
    else if (code === 39) look = { ...look, color: null };
    // The background is never set, but tmux takes it back all the same.
    else if (code !== 49) throw new Error(`A picture of a terminal has no way to show SGR ${code}`);
  }
  return look;
}

/**
 * The lines of a screen as runs. A look lasts over the end of a line until it is taken back. Gaps of
 * more than one space part a run, so that each column of a table is put in its place.
 *
 * @throws Error at an escape sequence that sets no look, or one that is unknown
 */
export function parseScreen(screen: string): Run[][] {
  let look = PLAIN;
  return screen.replace(/\n$/, "").split("\n").map((line) => {
    const runs: Run[] = [];
    let column = 0;
    // deno-lint-ignore no-control-regex
    for (const [, codes, text] of line.matchAll(/\x1b\[([\d;]*)m|([^\x1b]+|\x1b)/g)) {
      if (codes !== undefined) {
        look = applyCodes(look, codes);
        continue;
      }
      // deno-lint-ignore no-control-regex
      const bad = /[\x00-\x1f\x7f]/.exec(text!);
      if (bad !== null) {
        throw new Error(`A picture of a terminal has no way to show ${JSON.stringify(text)}`);
      }
      for (const piece of text!.matchAll(/\S+(?: \S+)*/g)) {
        const before = displayWidth(text!.slice(0, piece.index));
        runs.push({ column: column + before, text: piece[0], ...look });
      }
      column += displayWidth(text!);
    }
    return runs;
  });
}

// ---------------------------------------------------------------------------------------------
// The drawing

/** Pixels of a cell, and what surrounds the screen. */
const CELL = { width: 8.4, height: 19 };
const FONT_SIZE = 14;
const PADDING = 16;
const BAR = 34;
/** Where letters stand in their line, from its top. */
const BASELINE = 14;

const BACKGROUND = "#0d1117";
const FOREGROUND = "#e6edf3";
const FONTS = [
  "ui-monospace",
  "SFMono-Regular",
  "Menlo",
  "Consolas",
  "DejaVu Sans Mono",
  "Liberation Mono",
  "monospace",
];
const COLORS = [
  ...["#6e7681", "#ff7b72", "#3fb950", "#e3b341", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"],
  ...["#8b949e", "#ffa198", "#56d364", "#f2cc60", "#79c0ff", "#d2a8ff", "#56d4dd", "#f0f6fc"],
];

/** A number without what is beyond any eye. */
function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function drawRun({ column, text, color, bold, dim }: Run): string {
  const x = short(column * CELL.width);
  const width = short(displayWidth(text) * CELL.width);
  const classes = [color === null ? "" : `c${color}`, bold ? "b" : "", dim ? "d" : ""]
    .filter((name) => name !== "").join(" ");
  const look = classes === "" ? "" : ` class="${classes}"`;
  // Terminals draw lines without the gaps that a font of another width would leave.
  return /^━+$/.test(text)
    ? `<rect${look} x="${x}" y="${
      short(CELL.height / 2 - 1 - BASELINE)
    }" width="${width}" height="2"/>`
    : `<text${look} x="${x}" textLength="${width}">${escapeXml(text)}</text>`;
}

/** A line of the screen over time: each of its contents once, and from when on it shows which. */
interface Film {
  contents: string[];
  changes: { at: number; content: number }[];
}

function filmOf(frames: readonly { at: number; lines: Run[][] }[], row: number): Film {
  const film: Film = { contents: [], changes: [] };
  for (const { at, lines } of frames) {
    const drawn = (lines[row] ?? []).map(drawRun).join("");
    let content = film.contents.indexOf(drawn);
    if (content < 0) content = film.contents.push(drawn) - 1;
    if (film.changes.at(-1)?.content !== content) film.changes.push({ at, content });
  }
  return film;
}

/**
 * A recording as an SVG. Each line of the screen is a strip of all that it shows in turn, moved
 * behind a window: what does not change is there once. Where nothing may move, or the viewer knows
 * no animation, it shows the last frame.
 */
export function drawPicture(frames: readonly Frame[], options: PictureOptions): string {
  const { columns, rows, title, description, pause } = options;
  const parsed = frames.map(({ at, screen }) => ({ at, lines: parseScreen(screen) }));
  const end = (frames.at(-1)?.at ?? 0) + pause;
  const screenWidth = columns * CELL.width;
  const screenHeight = rows * CELL.height;
  const width = Math.ceil(screenWidth + 2 * PADDING);
  const height = Math.ceil(BAR + screenHeight + 2 * PADDING);
  // A letter may reach a little over its cell: what comes next in a strip keeps its distance.
  const step = screenWidth + 2 * CELL.width;
  const body: string[] = [];
  const moves: string[] = [];
  for (let row = 0; row < rows; row++) {
    const { contents, changes } = filmOf(parsed, row);
    if (contents.every((content) => content === "")) continue;
    const shift = (content: number) => short(-content * step);
    const strip = contents.map((content, at) =>
      content === ""
        ? ""
        : `\n<g${at === 0 ? "" : ` transform="translate(${short(at * step)})"`}>${content}</g>`
    ).join("");
    const line = `<g transform="translate(0,${short(row * CELL.height + BASELINE)})">`;
    if (changes.length === 1) {
      body.push(`${line}${strip}</g>`);
      continue;
    }
    const last = changes.at(-1)!.content;
    body.push(`${line}<g class="r${row}" transform="translate(${shift(last)})">${strip}</g></g>`);
    const steps = changes.map(({ at, content }) =>
      `${short(at * 100 / end)}%{transform:translate(${shift(content)}px)}`
    );
    moves.push(
      `.r${row}{animation:r${row} ${short(end / 1000)}s step-end infinite}`,
      `@keyframes r${row}{${steps.join("")}}`,
    );
  }
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img" xml:space="preserve">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(description)}</desc>`,
    "<style>",
    `text,rect{fill:${FOREGROUND}}`,
    `text{font:${FONT_SIZE}px ${FONTS.map((font) => font.includes(" ") ? `'${font}'` : font)};` +
    "white-space:pre}",
    ".b{font-weight:700}",
    ".d{fill-opacity:.6}",
    ...COLORS.map((color, number) => `.c${number}{fill:${color}}`),
    "@media (prefers-reduced-motion:no-preference){",
    ...moves,
    "}",
    "</style>",
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10" ` +
    `style="fill:${BACKGROUND};stroke:#30363d"/>`,
    `<path d="M1 ${BAR}V10.5A9.5 9.5 0 0 1 10.5 1H${width - 10.5}A9.5 9.5 0 0 1 ${width - 1} 10.5` +
    `V${BAR}z" fill="#161b22"/>`,
    ...["#ff5f57", "#febc2e", "#28c840"].map((color, at) =>
      `<circle cx="${20 + at * 20}" cy="${BAR / 2}" r="6" fill="${color}"/>`
    ),
    `<text x="${width / 2}" y="${BAR / 2 + 5}" text-anchor="middle" class="d">` +
    `${escapeXml(title)}</text>`,
    `<svg x="${PADDING}" y="${BAR + PADDING}" width="${short(screenWidth)}" ` +
    `height="${short(screenHeight)}">`,
    ...body,
    "</svg>",
    "</svg>",
    "",
  ].join("\n");
}
