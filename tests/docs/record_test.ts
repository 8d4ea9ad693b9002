// The picture of a terminal: what is drawn is what the terminal showed, at every moment, and the one
// in README shows what the program prints today. Where the last test fails: deno task record.

import fc from "fast-check";
import {
  drawPicture,
  type Frame,
  type Look,
  parseScreen,
  type PictureOptions,
  type Run,
} from "../../docs/terminal_picture.ts";
import { formatWatch } from "../../lib/format/status.ts";
import { PHASES, type Style } from "../../lib/text/style.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { nameTasks } from "../../lib/decide/names.ts";
import { newTask, type Status } from "../../lib/task/fields.ts";
import { countPhases, type Phase, type PhaseName, type TaskView } from "../../lib/decide/view.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { type Element, readXml } from "../format/xml.ts";

const ROOT = new URL("../../", import.meta.url);
const PLAIN: Look = { color: null, bold: false, dim: false };
const OPTIONS: PictureOptions = {
  columns: 40,
  rows: 3,
  title: "a title",
  description: "what it shows",
  pause: 1000,
};

// --- A reader of such pictures ----------------------------------------------------------------------

/** Width of a cell, as the picture has it. */
const CELL = 8.4;

interface Picture {
  /** Seconds that it plays. */
  length: number;
  /** What a line shows where nothing moves, by the line's number from the top. */
  still: Map<number, Run[]>;
  /** From when on a line shows what, in parts of the length, by the line's number. */
  moving: Map<number, { from: number; runs: Run[] }[]>;
}

function numberIn(text: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(text ?? "")?.[1] ?? 0);
}

function readRun({ name, attributes, text }: Element): Run {
  const classes = (attributes.class ?? "").split(" ");
  const color = classes.find((name) => /^c\d+$/.test(name));
  const width = Number(name === "rect" ? attributes.width : attributes.textLength) / CELL;
  if (name === "text") assertEquals(Math.round(width), displayWidth(text), text);
  return {
    column: Math.round(Number(attributes.x) / CELL),
    text: name === "rect" ? "━".repeat(Math.round(width)) : text,
    color: color === undefined ? null : Number(color.slice(1)),
    bold: classes.includes("b"),
    dim: classes.includes("d"),
  };
}

/** Reads a picture as a browser does, as far as it is drawn by drawPicture. */
function readPicture(source: string): Picture {
  const svg = readXml(source);
  assertEquals(svg.name, "svg");
  const style = svg.children.find(({ name }) => name === "style")!.text;
  const screen = svg.children.find(({ name }) => name === "svg")!;
  const picture: Picture = { length: 0, still: new Map(), moving: new Map() };
  const tops = screen.children.map(({ attributes }) => numberIn(attributes.transform, /,([\d.]+)/));
  const first = 14;
  for (const [at, line] of screen.children.entries()) {
    const row = Math.round((tops[at]! - first) / 19);
    const moved = line.children[0]!.attributes.class;
    const strip = moved === undefined ? line : line.children[0]!;
    // What stands where in the strip, in pixels.
    const contents = new Map(
      strip.children.map(({ attributes, children }) => [
        numberIn(attributes.transform, /translate\(([\d.]+)/),
        children.map(readRun),
      ]),
    );
    const shown = (shift: number) => contents.get(shift === 0 ? 0 : -shift) ?? [];
    picture.still.set(row, shown(numberIn(strip.attributes.transform, /translate\((-?[\d.]+)/)));
    if (moved === undefined) continue;
    const rule = new RegExp(`@keyframes ${moved}\\{(.*)\\}`).exec(style)![1]!;
    picture.length = numberIn(style, new RegExp(`animation:${moved} ([\\d.]+)s step-end infinite`));
    picture.moving.set(
      row,
      [...rule.matchAll(/([\d.]+)%\{transform:translate\((-?[\d.]+)px\)\}/g)]
        .map(([, from, shift]) => ({ from: Number(from) / 100, runs: shown(Number(shift)) })),
    );
  }
  return picture;
}

/** What a picture shows at a moment, in parts of its length. */
function screenAt(picture: Picture, moment: number, rows: number): Run[][] {
  return Array.from({ length: rows }, (_, row) => {
    const steps = picture.moving.get(row);
    return (steps === undefined
      ? picture.still.get(row)
      : steps.findLast(({ from }) => from <= moment)?.runs) ?? [];
  });
}

/** The moments at which something changes. */
function momentsOf(picture: Picture): number[] {
  const moments = new Set([0]);
  for (const steps of picture.moving.values()) for (const { from } of steps) moments.add(from);
  return [...moments].sort((a, b) => a - b);
}

// ----------------------------------------------------------------------------------------------------

Deno.test("parseScreen tells where each text stands and how it looks", () => {
  assertEquals(parseScreen("\x1b[1mID\x1b[0m    \x1b[2;31mA b\x1b[39m  c\x1b[22m d\n"), [[
    { ...PLAIN, column: 0, text: "ID", bold: true },
    { ...PLAIN, column: 6, text: "A b", color: 1, dim: true },
    { ...PLAIN, column: 11, text: "c", dim: true },
    { ...PLAIN, column: 13, text: "d" },
  ]]);
  assertEquals(parseScreen("一  \x1b[92m✓\x1b[m"), [[
    { ...PLAIN, column: 0, text: "一" },
    { ...PLAIN, column: 4, text: "✓", color: 10 },
  ]]);
});

Deno.test("parseScreen carries a look over the end of a line, as tmux writes it", () => {
  assertEquals(parseScreen("\x1b[36ma\n\nb\x1b[39mc\n"), [
    [{ ...PLAIN, column: 0, text: "a", color: 6 }],
    [],
    [{ ...PLAIN, column: 0, text: "b", color: 6 }, { ...PLAIN, column: 1, text: "c" }],
  ]);
});

Deno.test("what a picture cannot show is an error", () => {
  for (
    const bad of ["\x1b[41mx", "\x1b[38;5;9mx", "\x1b[7mx", "\x1b[2Jx", "\x1b", "a\tb", "\x07"]
  ) {
    assertThrows(() => parseScreen(bad), Error, "no way to show", JSON.stringify(bad));
  }
});

const texts = fc.string({
  unit: fc.constantFrom(..."ab <>&\"'%{}·✓━一  ]]>"),
  maxLength: 12,
});
const screens = fc.array(
  fc.array(
    fc.tuple(fc.constantFrom("", "\x1b[1m", "\x1b[2m", "\x1b[0m", "\x1b[31m", "\x1b[39m"), texts),
    {
      maxLength: 3,
    },
  ).map((parts) => parts.flat().join("")),
  { minLength: 3, maxLength: 3 },
).map((lines) => lines.join("\n") + "\n");

Deno.test("a picture shows at every moment what the terminal showed, whatever that was", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.integer({ min: 100, max: 3000 }), screens), {
      minLength: 1,
      maxLength: 6,
    }),
    texts,
    (parts, title) => {
      let at = -parts[0]![0];
      const frames: Frame[] = parts.map(([after, screen]) => ({ at: at += after, screen }));
      const picture = readPicture(drawPicture(frames, { ...OPTIONS, title }));
      const end = at + OPTIONS.pause;
      for (const [number, frame] of frames.entries()) {
        const until = frames[number + 1]?.at ?? end;
        const shown = screenAt(picture, (frame.at + until) / 2 / end, OPTIONS.rows);
        assertEquals(shown, parseScreen(frame.screen));
      }
      // And the last one where nothing may move.
      const last = parseScreen(frames.at(-1)!.screen);
      for (let row = 0; row < OPTIONS.rows; row++) {
        assertEquals(picture.still.get(row) ?? [], last[row]);
      }
    },
  ));
});

Deno.test("a picture holds once what does not change", () => {
  const lines = (clock: number) => `the title\n${clock % 2 === 0 ? "even" : "odd"}\n${clock}\n`;
  const frames = Array.from({ length: 10 }, (_, at) => ({ at: at * 1000, screen: lines(at) }));
  const source = drawPicture(frames, OPTIONS);
  for (const text of ["the title", "even", "odd"]) {
    assertEquals(source.split(`>${text}<`).length, 2, text);
  }
  const { length, moving } = readPicture(source);
  assertEquals([length, [...moving.keys()]], [10, [1, 2]]);
  assertEquals(moving.get(1)!.length, 10);
});

// --- The picture in README --------------------------------------------------------------------------

const COLUMNS = 108;
const ROWS = 18;
const STYLE: Style = { color: true, unicode: true, width: COLUMNS };

/** A cell of a table by its header, where it has anything in it. */
function cellOf(row: readonly Run[], header: readonly Run[], name: string): Run | undefined {
  const { column, text } = header.find((run) => run.text === name) ?? { column: -1, text: "" };
  return row.find((run) =>
    name === "PRIO"
      ? run.column + displayWidth(run.text) === column + text.length
      : run.column === column
  );
}

function isPhase(text: string): text is PhaseName {
  return (PHASES as readonly string[]).includes(text);
}

/** A phase of which only the name is looked at. */
function phaseOf(kind: PhaseName): Phase {
  switch (kind) {
    case "waiting":
      return { kind, wait: { kind: "tasks", ids: [] } };
    case "blocked":
      return { kind, by: "", cause: { kind: "failed", id: "" }, direct: true };
    case "retrying":
      return { kind, at: 0 };
    default:
      return { kind };
  }
}

/** A task as a row of the table tells of it. */
function viewOf(row: readonly Run[], header: readonly Run[]): TaskView {
  const cell = (name: string) => cellOf(row, header, name);
  // The end of the id that suffices to type is set apart from the rest.
  const id = `${row[0]?.text}${row[1]?.text}`;
  const phase = cell("STATUS")?.text as PhaseName;
  assert(/^task_\d{13}$/.test(id) && PHASES.includes(phase), JSON.stringify(row));
  const settled: Record<string, Status> = { retrying: "failed" };
  const status = settled[phase] ??
    (["ready", "waiting", "blocked"].includes(phase) ? "pending" : phase as Status);
  const wanted = {
    agent: cell("AGENT")!.text,
    prompt: cell("PROMPT")!.text,
    priority: Number(cell("PRIO")!.text),
    autoRetry: cell("TRY") !== undefined,
    key: cell("KEY")?.text ?? null,
  };
  return {
    task: { ...newTask(id, wanted, Number(id.slice(5))), status },
    phase: phaseOf(phase),
    elapsed: cell("TIME") === undefined ? null : 1,
    remaining: null,
    warning: false,
  };
}

Deno.test("the picture in README shows what status --watch prints today", () => {
  const source = Deno.readTextFileSync(new URL("docs/status-watch.svg", ROOT));
  const picture = readPicture(source);
  const seen = new Set<PhaseName>();
  for (const moment of momentsOf(picture)) {
    const screen = screenAt(picture, moment, ROWS);
    const at = screen.findIndex((line) => line[0]?.text === "ID");
    assertGreater(at, 0);
    const header = screen[at]!;
    const rows = screen.slice(
      at + 1,
      screen.findIndex((line, row) => row > at && line.length === 0),
    );
    const views = rows.map((row) => viewOf(row, header));
    for (const { phase } of views) seen.add(phase.kind);
    const supervisor = screen.flat().find(({ text }) => text.startsWith("supervisor"))?.text ??
      null;
    const expected = parseScreen(formatWatch(
      {
        ...{ views, hidden: 0, counts: countPhases(views), damaged: [], lanes: [], supervisor },
        names: nameTasks(views.map(({ task }) => task)),
        // Nobody's folder: no path of who recorded it is in the picture.
        workspace: "/tmp/shop",
      },
      STYLE,
      0,
      ROWS,
    ));
    // All but the clock, what a row tells beyond its names and status, and so the widths of columns.
    const known = (lines: Run[][]) =>
      lines.map((line) =>
        line[0]?.text.startsWith("task_")
          ? line.slice(0, line.findIndex(({ text }) => isPhase(text)) + 1)
          : line[0]?.text === "ID"
          ? line.map((run) => ({ ...run, column: 0 }))
          : line.filter(({ text }) => !/^\d\d:\d\d:\d\d$/.test(text))
      );
    assertEquals(known(screen.slice(0, expected.length)), known(expected), `at ${moment}`);
    assertEquals(screen.slice(expected.length).flat(), []);
  }
  for (const phase of ["ready", "waiting", "running", "blocked", "failed", "complete"] as const) {
    assert(seen.has(phase), `no task is ${phase}`);
  }
  assert(picture.length >= 10 && picture.length <= 15, `it plays ${picture.length} s`);
});

Deno.test("the picture in README is small, and needs nothing but itself", () => {
  const source = Deno.readTextFileSync(new URL("docs/status-watch.svg", ROOT));
  assert(source.length < 150_000, `${source.length} bytes`);
  for (
    const foreign of ["<script", "<image", "<foreignObject", "href", "url(", "@import", "@font"]
  ) {
    assert(!source.includes(foreign), foreign);
  }
  // What a viewer without animation shows, and one in which nothing may move.
  assertStringIncludes(source, "@media (prefers-reduced-motion:no-preference){");
  const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  const alt = /!\[([^\]]+)\]\(docs\/status-watch\.svg\)/.exec(readme)?.[1];
  assert(alt !== undefined && alt.length > 40, "README shows it, and says what it shows");
});
