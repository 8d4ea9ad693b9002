// What people are shown: nothing dangerous, nothing wider than the terminal, nothing cut in half.

import fc from "fast-check";
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { formatShow, type TaskDetail } from "../../lib/format/show.ts";
import {
  formatPlainEvent,
  formatProgress,
  formatStatus,
  formatTiming,
  formatTry,
  formatWatch,
  type StatusInput,
} from "../../lib/format/status.ts";
import { buildGraph, formatMermaid } from "../../lib/format/graph.ts";
import { createPalette, PHASES, type Style } from "../../lib/text/style.ts";
import { type ColumnLayout, fitColumns, formatTable } from "../../lib/text/table.ts";
import {
  displayWidth,
  pad,
  sanitize,
  sanitizeBlock,
  truncate,
  wrap,
} from "../../lib/text/width.ts";
import {
  formatAgo,
  formatClock,
  formatElapsed,
  formatLimit,
  formatPast,
  localizeTimes,
} from "../../lib/text/time.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { countPhases, type PausedLane, type TaskView, viewTask } from "../../lib/decide/view.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const PLAIN: Style = { color: false, unicode: true, width: 120 };
const ASCII: Style = { color: false, unicode: false, width: 120 };
const COLOR: Style = { color: true, unicode: true, width: 120 };

// deno-lint-ignore no-control-regex
const SGR = /\x1b\[\d+m/g;
const uncolored = (text: string) => text.replace(SGR, "");
const DANGEROUS =
  // deno-lint-ignore no-control-regex
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200d-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** Texts with everything in them that has ever broken a table. */
const nasty = fc.array(
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      "日本語",
      "👨‍👩‍👧",
      "🇩🇪",
      "👍🏽",
      "e\u0301",
      "नि",
      "क्षि",
      "각",
      "❤️",
      "\u200d",
      "\u0301",
      "\x1b[31m",
      "\x1b[2J\x1b[H",
      "\x1b]0;title\x07",
      "\x1b]8;;http://x\x1b\\",
      "\x1bP1$r\x1b\\",
      "\x9b5A",
      "\u202e",
      "\u2066",
      "\r\n",
      "\r",
      "\t",
      "\x08",
      "\x85",
      "\u2028",
      "\ud800",
      "word ",
      "plain words of some length ",
    ),
  ),
  { maxLength: 30 },
).map((parts) => parts.join(""));

const taskOf = (
  agent: string,
  prompt: string,
  secondsAgo: number,
  over: Partial<Task> = {},
): Task => {
  const created = NOW - secondsAgo * 1000;
  return { ...newTask(`task_${created}`, { agent, prompt }, created), ...over };
};
const ago = (seconds: number) => formatTime(NOW - seconds * 1000);

function queueOf(tasks: readonly Task[], lanes: readonly PausedLane[] = []): StatusInput {
  const index = indexTasks(tasks);
  const memo = new Map();
  const byAgent = new Map(lanes.map((lane) => [lane.agent, lane]));
  const views = tasks.map((task) => viewTask(task, index, NOW, memo, byAgent));
  return { views, hidden: 0, counts: countPhases(views), damaged: [], lanes, supervisor: null };
}

/** One task in each phase, and whatever makes the optional columns appear. */
function fullQueue(text = "Refactor the storage so that every write is atomic"): StatusInput {
  const failed = taskOf("codex", `${text} 日本語のドキュメント`, 9000, {
    status: "failed",
    startedAt: ago(8000),
    completedAt: ago(7925),
    errorMessage: `agent exited with code 7: ${text}`,
    failureClass: "exit",
  });
  const running = taskOf("claude-code", text, 400, {
    status: "running",
    startedAt: ago(250),
    timeout: 300,
    timeoutWarning: 60,
    priority: 9,
    labels: { area: text },
  });
  const tasks = [
    running,
    taskOf("shell", text, 10),
    taskOf("gemini", text, 20, { dependsOn: [running.taskId] }),
    taskOf("gemini", text, 30, { dependsOn: [failed.taskId] }),
    taskOf("an-agent-with-quite-a-long-name", text, 40, {
      status: "failed",
      autoRetry: true,
      retryCount: 1,
      retryAt: formatTime(NOW + 8000),
      errorMessage: "429 Too Many Requests",
    }),
    taskOf("shell", text, 50, { notBefore: formatTime(NOW + 900_000) }),
    taskOf("paused", text, 60),
    taskOf("shell", text, 86400 * 5, {
      status: "complete",
      startedAt: ago(86400 * 5 - 10),
      completedAt: ago(86400 * 5 - 11),
      usage: { inputTokens: 123_456, outputTokens: 4567, costUsd: 0.31 },
    }),
    failed,
    taskOf("shell", text, 7200, { status: "cancelled", completedAt: ago(7000) }),
  ];
  return {
    ...queueOf(tasks, [{ agent: "paused", until: NOW + 720_000 }]),
    hidden: 40,
    damaged: [{ file: `tasks/task_1763000000000.json ${text}`, problem: "is not valid JSON" }],
    supervisor: `the daemon watches ${text}`,
    usage: true,
  };
}

function detailOf(view: TaskView, over: Partial<TaskDetail> = {}): TaskDetail {
  return {
    view,
    chain: [view],
    dependencies: [],
    dependents: [],
    sentinels: [],
    plan: null,
    logTail: null,
    logSize: null,
    usage: null,
    ...over,
  };
}

function fullDetail(view: TaskView, text: string): TaskDetail {
  return detailOf(view, {
    chain: fullQueue(text).views,
    dependencies: [{ id: view.task.taskId, view }, { id: "task_1763798400000", view: null }],
    dependents: fullQueue(text).views,
    sentinels: [{ name: `${view.task.taskId}.error`, modifiedAt: NOW - 5000, text }],
    plan: text,
    logTail: text,
    logSize: 123_456,
    usage: { inputTokens: 1, model: text, sessionId: text },
  });
}

function assertFits(text: string, width: number): void {
  for (const line of uncolored(text).split("\n")) {
    const actual = displayWidth(line);
    assert(actual <= width, `${actual} cells in a terminal of ${width}: ${JSON.stringify(line)}`);
  }
}

// Text.

Deno.test("displayWidth counts cells as tmux does", () => {
  const cells: [string, number][] = [
    ["plain", 5],
    ["é", 1],
    ["e\u0301", 1],
    ["日本", 4],
    ["ｱ", 1],
    ["한", 2],
    ["\u1112\u1161\u11ab", 2],
    ["👍", 2],
    ["👍🏽", 4],
    ["👨‍👩‍👧", 2],
    ["👨‍👩‍👧x", 3],
    ["🇩🇪", 2],
    ["🇩", 1],
    ["❤", 1],
    ["⚠️", 1],
    ["⌚", 2],
    ["1️⃣", 1],
    ["नि", 2],
    ["क्षि", 3],
    ["a\u200bb", 2],
    ["\u00ad", 1],
    ["…·✓✗●○◌⊘↻⊗━█", 12],
    ["\x1b\x07\x9b", 0],
  ];
  for (const [text, width] of cells) assertEquals(displayWidth(text), width, JSON.stringify(text));
});

Deno.test("displayWidth knows no cheaper answer for a text of narrow letters than the true one", () => {
  for (let code = 0x20; code < 0x3000; code++) {
    const char = String.fromCharCode(code);
    if (/\p{M}/u.test(char)) continue;
    // Beside a wide character the fast path is not taken.
    assertEquals(displayWidth(char), displayWidth("日" + char) - 2, code.toString(16));
  }
});

Deno.test("the icons of all phases are one cell wide and differ from each other", () => {
  for (const style of [PLAIN, ASCII]) {
    const icons = PHASES.map((phase) => createPalette(style).icon[phase]);
    assertEquals(icons.map(displayWidth), PHASES.map(() => 1));
    assertEquals(new Set(icons).size, PHASES.length);
  }
});

Deno.test("truncate never cuts a wide character in half", () => {
  assertEquals(truncate("日本語", 6), "日本語");
  assertEquals(truncate("日本語", 5), "日本…");
  assertEquals(truncate("日本語", 4), "日…");
  assertEquals(truncate("日本語", 2), "…");
  assertEquals(truncate("日本語", 0), "");
});

Deno.test("truncate never cuts a combining sequence, a flag or a joined emoji in half", () => {
  assertEquals(truncate("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  assertEquals(truncate("🇩🇪🇫🇷", 3), "🇩🇪…");
  assertEquals(truncate("🇩🇪🇫🇷", 2), "…");
  assertEquals(truncate("👨‍👩‍👧👨‍👩‍👧", 3), "👨‍👩‍👧…");
  assertEquals(truncate("👍🏽👍🏽", 5), "👍🏽…");
  assertEquals(truncate("👍🏽👍🏽", 4), "…");
  assertEquals(truncate("निनि", 3), "नि…");
  assertEquals(truncate("निनि", 2), "…");
});

Deno.test("truncate marks a cut in ASCII where asked to, even in no room at all", () => {
  assertEquals(truncate("a long text", 8, "..."), "a lon...");
  assertEquals(truncate("a long text", 2, "..."), "..");
  assertEquals(truncate("日本語の", 5, "..."), "日...");
  assertEquals(truncate("words that end", 7), "words…");
});

Deno.test("truncate fits any text into any width, and leaves alone what fits", () => {
  fc.assert(fc.property(nasty, fc.integer({ min: 0, max: 60 }), (text, width) => {
    const cut = truncate(text, width);
    assert(displayWidth(cut) <= width);
    if (displayWidth(text) <= width && width > 0) assertEquals(cut, text);
    else if (width > 0) assertEquals(cut.at(-1), "…");
    if (cut.endsWith("…") && cut !== text) assert(text.startsWith(cut.slice(0, -1)));
  }));
});

Deno.test("pad fills to the width in cells, on the side that is asked for", () => {
  assertEquals(pad("日本", 6), "日本  ");
  assertEquals(pad("日本", 6, "right"), "  日本");
  assertEquals(pad("too long", 3), "too long");
});

Deno.test("sanitize takes whole escape sequences, and only the introducer of an unfinished one", () => {
  assertEquals(sanitize("a\x1b[31mred\x1b[0m b"), "ared b");
  assertEquals(sanitize("\x1b]0;owned\x07title"), "title");
  assertEquals(sanitize("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"), "link");
  assertEquals(sanitize("\x1bP+q544e\x1b\\x"), "x");
  assertEquals(sanitize("\x9b2Jx\x9d0;t\x9cy"), "xy");
  assertEquals(sanitize("\x1bcreset"), "reset");
  assertEquals(sanitize("\x1b]52;c;never ended"), "52;c;never ended");
  assertEquals(sanitize("\x1b\x1b[31m[2Jx"), "[2Jx");
  assertEquals(sanitize("end\x1b"), "end");
});

Deno.test("sanitize makes one line, and takes what hides or turns text around", () => {
  assertEquals(sanitize("one\r\n\ttwo\n\n three\u2028four"), "one two three four");
  assertEquals(sanitize("a\u202eb\u2066c\u200fd\u061ce"), "abcde");
  assertEquals(sanitize("a\u200bb\ufeffc\u00add"), "abcd");
  assertEquals(sanitize("a\u{e0041}\u{e0042}b"), "ab");
  assertEquals(sanitize("👨‍👩‍👧 ❤️"), "👨👩👧 ❤");
  assertEquals(sanitize("x" + "\u0301".repeat(500)), "x" + "\u0301".repeat(8));
  assertEquals(sanitize("lone \ud800 half"), "lone \ufffd half");
  assertEquals(sanitize("می‌خواهم"), "می‌خواهم");
});

Deno.test("sanitizeBlock keeps line breaks and turns tabs into spaces", () => {
  assertEquals(sanitizeBlock("a\r\nb\n\tc\n"), "a\nb\n    c\n");
  assertEquals(sanitizeBlock("shown\rpainted over"), "shown\npainted over");
  assertEquals(sanitizeBlock("\x1b[1mbold\x1b[0m\n\x07"), "bold\n");
});

Deno.test("nothing dangerous is left of any text, and cleaning twice changes nothing", () => {
  fc.assert(fc.property(nasty, (text) => {
    const line = sanitize(text);
    assert(!DANGEROUS.test(line) && !line.includes("\n"), JSON.stringify(line));
    assertEquals(sanitize(line), line);
    const block = sanitizeBlock(text);
    assert(!DANGEROUS.test(block), JSON.stringify(block));
    assertEquals(sanitizeBlock(block), block);
  }));
});

Deno.test("sanitize takes time in proportion to the text, whatever is in it", () => {
  for (const part of ["\x1b]", "\x9d", "\x1b[", "\x1b[0;", " ", "\u0301", "\n ", "\x1bP"]) {
    const text = "é" + part.repeat(200_000) + "é";
    const start = performance.now();
    sanitize(text);
    sanitizeBlock(text);
    assertLess(performance.now() - start, 2000, JSON.stringify(part));
  }
});

Deno.test("wrap breaks at spaces, keeps the indentation, and breaks a long word anywhere", () => {
  assertEquals(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
  assertEquals(wrap("  - an item of a list", 12), ["  - an item", "  of a list"]);
  assertEquals(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
  assertEquals(wrap("日本語のテキスト", 5), ["日本", "語の", "テキ", "スト"]);
  assertEquals(wrap("a\n\nb", 10), ["a", "", "b"]);
  assertEquals(wrap("see /a/very/long/path now", 8), ["see", "/a/very/", "long/pat", "h now"]);
});

Deno.test("wrap loses no word of any text and exceeds no width", () => {
  fc.assert(fc.property(nasty, fc.integer({ min: 4, max: 60 }), (text, width) => {
    const clean = sanitizeBlock(text);
    const lines = wrap(clean, width);
    for (const line of lines) assert(displayWidth(line) <= width, JSON.stringify(line));
    assertEquals(lines.join("").replace(/\s/g, ""), clean.replace(/\s/g, ""));
  }));
});

// Times.

Deno.test("formatAgo tells the distance in its largest unit, in both directions", () => {
  const at = (seconds: number) => formatAgo(NOW - seconds * 1000, NOW);
  assertEquals(at(0), "just now");
  assertEquals(at(12), "12s ago");
  assertEquals(at(60), "1m ago");
  assertEquals(at(3599), "59m ago");
  assertEquals(at(7200), "2h ago");
  assertEquals(at(86400 * 5 + 5000), "5d ago");
  assertEquals(at(-7.9), "in 8s");
  assertEquals(at(-600), "in 10m");
  assertEquals(formatAgo(null, NOW), "-");
});

Deno.test("formatPast forgives a clock that is ahead, but not by an hour", () => {
  assertEquals(formatPast(NOW + 30_000, NOW), "just now");
  assertEquals(formatPast(NOW + 3_600_000, NOW), "in 1h");
});

Deno.test("durations leave out what is zero, and show tenths where they matter", () => {
  assertEquals(formatLimit(300), "5m");
  assertEquals(formatLimit(3600), "1h");
  assertEquals(formatLimit(90), "1m30s");
  assertEquals(formatElapsed(1.26), "1.2s");
  assertEquals(formatElapsed(75), "1m15s");
});

Deno.test("localizeTimes puts UTC times of today as clock times of here", () => {
  const at = NOW + 60_000;
  assertEquals(
    localizeTimes(`paused until ${formatTime(at)}`, NOW),
    `paused until ${formatClock(at)}`,
  );
  assertEquals(localizeTimes("Zebra 2026", NOW), "Zebra 2026");
});

// Tables.

Deno.test("a table aligns its columns and ends no line in spaces", () => {
  assertEquals(
    formatTable(
      [{ header: "NAME" }, { header: "N", align: "right" }, { header: "NOTE" }],
      [["a", "1", "日本"], ["long name", "1000", ""], ["b\x1b[2J", "2", { text: "c\nd" }]],
      PLAIN,
    ),
    ["NAME          N  NOTE", "a             1  日本", "long name  1000", "b             2  c d"],
  );
});

Deno.test("a narrow table shrinks what is flexible, then drops what matters least", () => {
  const columns: ColumnLayout[] = [
    {},
    { dropOrder: 2 },
    { dropOrder: 1, flex: 1, min: 10 },
  ];
  assertEquals(fitColumns(columns, [8, 6, 40], 100), [8, 6, 40]);
  assertEquals(fitColumns(columns, [8, 6, 40], 40), [8, 6, 22]);
  assertEquals(fitColumns(columns, [8, 6, 40], 28), [8, 6, 10]);
  assertEquals(fitColumns(columns, [8, 6, 40], 27), [8, 0, 17]);
  assertEquals(fitColumns(columns, [8, 6, 40], 19), [8, 0, 0]);
  assertEquals(fitColumns(columns, [8, 6, 40], 5), [5, 0, 0]);
});

Deno.test("flexible columns share by weight, and what one does not need goes to the other", () => {
  const columns: ColumnLayout[] = [{ flex: 1, min: 5 }, { flex: 3, min: 5 }];
  assertEquals(fitColumns(columns, [100, 100], 42), [10, 30]);
  assertEquals(fitColumns(columns, [100, 12], 42), [28, 12]);
  assertEquals(fitColumns(columns, [100, 100], 14), [5, 7]);
});

Deno.test("columns of any kind fit into any width, and use it up where there is more to show", () => {
  const layout = fc.record({
    min: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    max: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    flex: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    dropOrder: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    gap: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  });
  const column = fc.tuple(layout, fc.integer({ min: 1, max: 80 }));
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 200 }),
      (columns, width) => {
        const layouts = columns.map(([layout]) => layout);
        const natural = columns.map(([, size]) => size);
        const widths = fitColumns(layouts, natural, width);
        const shown = [...widths.keys()].filter((i) => widths[i]! > 0);
        const total = shown.reduce(
          (sum, i, at) => sum + widths[i]! + (at < shown.length - 1 ? layouts[i]!.gap ?? 2 : 0),
          0,
        );
        assert(shown.length > 0 && total <= width, `${widths} in ${width}`);
        const wanting = shown.filter((i) =>
          widths[i]! < Math.min(natural[i]!, layouts[i]!.max ?? Infinity)
        );
        if (wanting.length > 0) assertEquals(total, width, `${widths} in ${width}`);
      },
    ),
  );
});

// The status table.

Deno.test("no line of the status table is wider than the terminal at any width from 20 to 250", () => {
  const long = "word ".repeat(100);
  for (const text of ["short", long, "日本語のドキュメント".repeat(30), "👍🏽🇩🇪".repeat(50)]) {
    const input = fullQueue(text);
    for (let width = 20; width <= 250; width++) {
      for (const unicode of [true, false]) {
        assertFits(formatStatus(input, { color: false, unicode, width }, NOW), width);
      }
    }
  }
});

Deno.test("no line of any screen is wider than the terminal, whatever users and agents wrote", () => {
  fc.assert(
    fc.property(
      nasty,
      fc.integer({ min: 1, max: 160 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat({ max: 9 }),
      (text, width, height, color, unicode, which) => {
        const style: Style = { color, unicode, width };
        const input = fullQueue(text);
        const view = input.views[which]!;
        const watch = formatWatch({ ...input, workspace: text }, style, NOW, height);
        const outputs = [
          formatStatus(input, style, NOW),
          watch,
          formatProgress(input.counts, style),
          formatPlainEvent(view, style, NOW),
          formatShow(fullDetail(view, text), { ...style, width: Math.max(16, width) }, NOW),
        ];
        assert(watch.split("\n").length <= height);
        outputs.forEach((output, i) => {
          assertFits(output, i === 4 ? Math.max(16, width) : width);
          assert(!DANGEROUS.test(color ? uncolored(output) : output), JSON.stringify(output));
          assert(!output.endsWith("\n"));
        });
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a prompt with escape sequences reaches the terminal as plain text", () => {
  const input = queueOf([
    taskOf("shell\x1b[5m", "evil \x1b]0;owned\x07title\x1b[2J\u202e end\r\nnext line", 5, {
      labels: { "\x1b[31ma": "b\nc" },
    }),
  ]);
  const text = formatStatus(input, PLAIN, NOW);
  assertStringIncludes(text, "evil title end next line");
  assert(!DANGEROUS.test(text));
});

Deno.test("output without colour holds no escape code, and with colour differs only by them", () => {
  const input = fullQueue();
  for (const width of [30, 60, 80, 120, 200]) {
    const plain = formatStatus(input, { ...PLAIN, width }, NOW);
    const colored = formatStatus(input, { ...COLOR, width }, NOW);
    assert(!plain.includes("\x1b"));
    assertNotEquals(colored, plain);
    assertEquals(uncolored(colored), plain);
    for (const view of input.views) {
      const detail = fullDetail(view, "some text");
      assertEquals(
        uncolored(formatShow(detail, { ...COLOR, width }, NOW)),
        formatShow(detail, { ...PLAIN, width }, NOW),
      );
    }
  }
});

Deno.test("every colour that is opened is closed on the same line", () => {
  const input = fullQueue("日本語 ".repeat(30));
  const texts = [
    formatStatus(input, COLOR, NOW),
    formatWatch({ ...input, workspace: "/w" }, COLOR, NOW, 20),
    ...input.views.map((view) => formatShow(fullDetail(view, "text ".repeat(99)), COLOR, NOW)),
  ];
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    const codes = [...line.matchAll(SGR)].map(([code]) => Number(code.slice(2, -1)));
    for (let i = 0; i < codes.length; i += 2) {
      assertEquals(codes[i + 1], codes[i]! < 3 ? 22 : 39, JSON.stringify(line));
    }
  }
});

Deno.test("our own marks are ASCII where the terminal is", () => {
  const input = fullQueue();
  const ascii = fullQueue("plain");
  // deno-lint-ignore no-control-regex
  const foreign = /[^\x00-\x7f]/;
  const views = ascii.views.filter((view) => !foreign.test(view.task.prompt));
  for (const color of [true, false]) {
    for (const width of [30, 80, 200]) {
      const style = { color, unicode: false, width };
      assert(!foreign.test(formatStatus({ ...ascii, views }, style, NOW)));
      assert(!foreign.test(formatWatch({ ...ascii, views, workspace: "/w" }, style, NOW, 8)));
      assert(!foreign.test(formatProgress(input.counts, style)));
      for (const view of views) {
        assert(!foreign.test(formatPlainEvent(view, style, NOW)));
        assert(!foreign.test(formatShow(detailOf(view, { plan: "x\n".repeat(99) }), style, NOW)));
      }
    }
  }
});

Deno.test("a plain queue has no column that would say nothing", () => {
  const input = queueOf([taskOf("shell", "echo hello", 5)]);
  const [header, row] = formatStatus(input, PLAIN, NOW).split("\n");
  assertMatch(header!, /^ID +STATUS +AGENT +AGE +PROMPT$/);
  assertMatch(row!, /^task_\d+ +○ ready +shell +5s +echo hello$/);
});

Deno.test("priority, tries and labels appear as soon as one task has them", () => {
  const header = (over: Partial<Task>) =>
    formatStatus(
      queueOf([taskOf("shell", "a", 5), taskOf("shell", "b", 6, over)]),
      PLAIN,
      NOW,
    ).split("\n")[0]!;
  assertStringIncludes(header({ priority: 6 }), "PRIO");
  assertStringIncludes(header({ autoRetry: true }), "TRY");
  assertStringIncludes(header({ labels: { a: "b" } }), "LABELS");
});

Deno.test("the status table sheds columns on a narrow terminal but keeps the whole id", () => {
  const input = fullQueue();
  const header = (width: number) =>
    formatStatus(input, { ...PLAIN, width }, NOW).split("\n")[0]!.split(/ +/);
  assertEquals(header(200), [
    "ID",
    "STATUS",
    "AGENT",
    "PRIO",
    "TIME",
    "TRY",
    "AGE",
    "TOKENS",
    "COST",
    "LABELS",
    "PROMPT",
  ]);
  assertEquals(header(60), ["ID", "STATUS", "PROMPT"]);
  assertEquals(header(40), ["ID", "PROMPT"]);
  const narrow = formatStatus(input, { ...PLAIN, width: 24 }, NOW);
  for (const { task } of input.views) assertStringIncludes(narrow, task.taskId);
});

Deno.test("a row says why its task waits, is blocked or failed", () => {
  const input = fullQueue("Do it");
  const rows = formatStatus(input, { ...PLAIN, width: 250 }, NOW).split("\n");
  const row = (mark: string, at = 0) => rows.filter((line) => line.includes(mark))[at]!;
  const [running] = input.views;
  assertStringIncludes(row("◌ waiting"), `Do it · waits for ${running!.task.taskId}`);
  assertStringIncludes(row("◌ waiting", 1), "Do it · starts in 15m");
  assertMatch(row("◌ waiting", 2), /Do it · agent paused is paused until \d\d:\d\d:\d\d$/);
  assertMatch(row("⊘ blocked"), /Do it · Dependency task_\d+ failed$/);
  assertStringIncludes(row("↻ retrying"), "Do it · retries in 8s: 429 Too Many Requests");
  assertStringIncludes(row("✗ failed"), "· agent exited with code 7: Do it");
});

Deno.test("until when an agent is paused has a date where that is not today", () => {
  const hour = 3_600_000;
  const until = (millis: number) =>
    formatStatus(queueOf([], [{ agent: "shell", until: millis }]), PLAIN, millis - hour);
  // Local times, whatever the zone of the machine is.
  const noon = new Date(2026, 2, 4, 12).getTime();
  assertMatch(until(noon), /agent shell is paused for 1h, until 12:00:00$/m);
  const midnight = new Date(2026, 2, 5).getTime();
  assertMatch(until(midnight), /agent shell is paused for 1h, until 2026-03-05 00:00:00$/m);
});

Deno.test("a prompt in a Mermaid graph is text and neither syntax nor HTML", () => {
  const first = taskOf("shell", '# say "a<b> && c;" #lt;', 9);
  const { taskId } = first;
  const second = taskOf("shell", "x", 5, { dependsOn: [taskId] });
  const graph = buildGraph(queueOf([first, second]).views, indexTasks([first, second]));
  assertStringIncludes(
    formatMermaid(graph),
    `  ${taskId}["shell: #35; say #quot;a#lt;b#gt; #amp;#amp; c;#quot; #35;lt;<br/>ready"]:::ready`,
  );
});

Deno.test("a narrow row of a failed task tells the error and not the prompt", () => {
  const input = queueOf([
    taskOf("shell", "a prompt of some length, which is known", 5, {
      status: "failed",
      errorMessage: "out of memory",
    }),
  ]);
  const text = formatStatus(input, { ...PLAIN, width: 60 }, NOW);
  assertStringIncludes(text, "out of memory");
  assert(!text.includes("a prompt"));
});

Deno.test("elapsed time is shown with its limit while a task runs, and coloured near its end", () => {
  const input = fullQueue();
  assertEquals(formatTiming(input.views[0]!), "4m10s/5m");
  assertEquals(formatTiming(input.views[1]!), "");
  assertEquals(formatTiming(input.views.find((view) => view.phase === "complete")!), "1.0s");
  assertStringIncludes(formatStatus(input, COLOR, NOW), "\x1b[33m4m10s/5m\x1b[39m");
  const early = queueOf([
    taskOf("shell", "x", 50, { status: "running", startedAt: ago(12), timeout: 300 }),
  ]);
  assertEquals(formatTiming(early.views[0]!), "12s/5m");
  assert(!formatStatus(early, COLOR, NOW).includes("\x1b[33m"));
});

Deno.test("tries are counted from one, up to the first attempt and all its retries", () => {
  assertEquals(formatTry(taskOf("a", "b", 1, { retryCount: 1, maxRetries: 3 })), "2/4");
  assertEquals(formatTry(taskOf("a", "b", 1, { autoRetry: true, maxRetries: 2 })), "1/3");
  assertEquals(formatTry(taskOf("a", "b", 1)), "");
});

Deno.test("the summary counts the whole queue, and names what is left out", () => {
  const text = formatStatus(fullQueue(), { ...PLAIN, width: 200 }, NOW);
  assertStringIncludes(
    text,
    "1 running · 1 ready · 3 waiting · 1 blocked · 1 retrying · 1 complete · 1 failed · 1 cancelled",
  );
  assertStringIncludes(text, "… and 40 more finished (--all)");
});

Deno.test("damaged files are named, and only counted beyond the first few", () => {
  const damaged = Array.from(
    { length: 7 },
    (_, i) => ({ file: `bad${i}.json`, problem: "is empty" }),
  );
  const text = formatStatus({ ...queueOf([]), damaged }, PLAIN, NOW);
  assertStringIncludes(text, "bad0.json is empty");
  assert(!text.includes("bad5.json"));
  assertStringIncludes(text, "and 2 more damaged files");
});

Deno.test("an empty queue says what to do next", () => {
  assertStringIncludes(formatStatus(queueOf([]), PLAIN, NOW), "orchestra start shell 'echo hello'");
});

Deno.test("a prompt of megabytes costs no more than the part of it that is shown", () => {
  const tasks = Array.from({ length: 200 }, (_, i) => taskOf("shell", "é\n".repeat(500_000), i));
  const input = queueOf(tasks);
  const start = performance.now();
  const text = formatStatus(input, PLAIN, NOW);
  assertLess(performance.now() - start, 1000);
  assertFits(text, PLAIN.width);
  assertStringIncludes(text.split("\n")[1]!, "…");
});

Deno.test("ten thousand rows are formatted in a moment", () => {
  const tasks = Array.from(
    { length: 10_000 },
    (_, i) => taskOf("claude", `Refactor module ${i} so that its functions are pure and tested`, i),
  );
  const input = queueOf(tasks);
  // The bound is for a busy machine: it takes about 50 ms.
  const start = performance.now();
  formatStatus(input, COLOR, NOW);
  assertLess(performance.now() - start, 1500);
});

// The watch screen.

Deno.test("the watch screen fits any height, and says how much it leaves out", () => {
  const input = { ...fullQueue(), workspace: "/home/me/project" };
  for (let height = 1; height <= 40; height++) {
    const lines = formatWatch(input, { ...PLAIN, width: 100 }, NOW, height).split("\n");
    assert(lines.length <= height);
    const rows = lines.filter((line) => line.startsWith("task_")).length;
    const left = input.views.length + input.hidden - rows;
    const more = lines.find((line) => /^… \d+ more/.test(line));
    if (more !== undefined) assertMatch(more, new RegExp(`^… ${left} more`));
    if (height >= 2) assert(more !== undefined, `height ${height}`);
    if (height >= 3) assert(rows >= 1, `height ${height}`);
    if (height >= 12) assertEquals(lines.at(-1), "q or Ctrl+C to leave", `height ${height}`);
  }
});

Deno.test("the watch screen of an empty queue fits any height, and says what to do next", () => {
  const input = { ...queueOf([]), workspace: "/w" };
  for (let height = 1; height <= 12; height++) {
    const text = formatWatch(input, PLAIN, NOW, height);
    assert(text.split("\n").length <= height && !text.includes("more"));
  }
  assertStringIncludes(formatWatch(input, PLAIN, NOW, 12), "orchestra start");
});

Deno.test("the watch screen has all its parts where there is room", () => {
  const input = { ...fullQueue(), workspace: "/home/me/project" };
  const text = formatWatch(input, { ...PLAIN, width: 100 }, NOW, 50);
  const lines = text.split("\n");
  assertStringIncludes(lines[0]!, "/home/me/project");
  assert(lines[0]!.endsWith(formatClock(NOW)));
  assertMatch(lines[1]!, /3\/10 +30%$/);
  assertStringIncludes(text, "1 running · 1 ready");
  assertStringIncludes(text, "the daemon watches");
  assertEquals(lines.at(-1), "q or Ctrl+C to leave");
});

Deno.test("the progress bar shows what is complete and what failed, and is full only at the end", () => {
  const counts = (complete: number, failed: number, ready: number) => ({
    total: complete + failed + ready,
    byPhase: { ...countPhases([]).byPhase, complete, failed, ready },
  });
  const bar = (complete: number, failed: number, ready: number) =>
    formatProgress(counts(complete, failed, ready), { ...ASCII, width: 28 });
  assertEquals(bar(4, 0, 4), "[########--------]  4/8  50%");
  assertEquals(bar(4, 4, 0), "[########xxxxxxxx]  8/8 100%");
  assertMatch(bar(999, 0, 1), /#-\]/);
  assertMatch(bar(1, 0, 999), /\[#-/);
  assertMatch(bar(998, 1, 1), /#x-\]/);
  assertEquals(bar(0, 0, 0), "[----------------]  0/0   0%");
  assertStringIncludes(
    formatProgress(counts(4, 4, 0), { ...COLOR, width: 30 }),
    "\x1b[31m━",
  );
});

Deno.test("one change of a task is one line", () => {
  const done = taskOf("shell", "make all", 10, {
    status: "complete",
    startedAt: ago(5),
    completedAt: ago(3.8),
  });
  const [view] = queueOf([done]).views;
  assertEquals(
    formatPlainEvent(view!, { ...PLAIN, width: Infinity }, NOW),
    `${formatClock(NOW - 3800)} ✓ ${done.taskId} shell complete 1.2s  make all`,
  );
});

// One task.

Deno.test("the page of a failed task tells the class, the error and the details", () => {
  const input = fullQueue("Do it");
  const view = input.views.find((view) => view.phase === "failed")!;
  view.task.errorDetails = "Traceback\n\tline 1";
  const text = formatShow(detailOf(view), COLOR, NOW);
  assertStringIncludes(text, "\x1b[31mexit: agent exited with code 7: Do it\x1b[39m");
  assertStringIncludes(uncolored(text), "  Traceback\n      line 1");
});

Deno.test("the page of a task tells of everything that surrounds it", () => {
  const input = fullQueue("Do it");
  const view = input.views[0]!;
  const text = formatShow(fullDetail(view, "# Plan\n- [ ] one\n"), PLAIN, NOW);
  for (
    const part of [
      `● ${view.task.taskId}  running  claude-code`,
      "Prompt\n  Do it",
      "Priority    9",
      "Labels      area=Do it",
      "Remaining   50s",
      "Timeout     5m",
      "Attempts\n",
      "Depends on\n",
      "! task_1763798400000  missing",
      "Needed by\n",
      `Sentinels\n  ${view.task.taskId}.error  5s ago  # Plan`,
      `Plan  .orchestra/plans/${view.task.taskId}_plan.md\n  # Plan\n  - [ ] one`,
      `Log  .orchestra/logs/${view.task.taskId}.log, 123.5 kB`,
    ]
  ) assertStringIncludes(text, part);
});

Deno.test("the page shows the beginning of a long plan and the end of a long log, and says so", () => {
  const [view] = queueOf([taskOf("shell", "x", 5)]).views;
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`).join("\n");
  const text = formatShow(detailOf(view!, { plan: lines, logTail: lines }), PLAIN, NOW);
  assertMatch(text, /Plan .*first 12 lines\n {2}line 0\n/);
  assertMatch(text, /Log .*last 15 lines\n {2}line 485\n/);
  assert(text.endsWith("  line 499"));
});

Deno.test("what an agent reports of itself may be of any type", () => {
  const strange = { inputTokens: "many", costUsd: null, model: 7, turns: NaN } as unknown;
  const result = { summary: 5, files: [{}, null, "a\x1b[31m"] } as unknown;
  const input = queueOf([
    taskOf("shell", "x", 5, {
      status: "complete",
      usage: strange as Task["usage"],
      result: result as Task["result"],
    }),
  ]);
  const style = { ...PLAIN, width: 100 };
  assertFits(formatStatus({ ...input, usage: true }, style, NOW), 100);
  assertFits(formatPlainEvent(input.views[0]!, style, NOW), 100);
  const page = formatShow(detailOf(input.views[0]!), style, NOW);
  assert(!DANGEROUS.test(page) && !page.includes("many"));
});
