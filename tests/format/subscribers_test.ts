// How hooks and webhooks, and the attempts to tell them, look on narrow and wide terminals.

import { formatAttempts, formatStandings } from "../../lib/format/subscribers.ts";
import type { Attempt, Standing } from "../../lib/task/standing.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { formatStamp } from "../../lib/text/time.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable } from "../support/program.ts";

const NOW = Date.parse("2026-03-04T12:00:00.000Z");
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

function standing(more: Partial<Standing>): Standing {
  return {
    name: "hooks.slack.com",
    kind: "webhook",
    source: "workspace",
    to: "https://hooks.slack.com/ser…",
    format: "slack",
    events: ["complete", "failed", "cancelled", "drained", "lane-paused"],
    owed: 0,
    givenUp: 0,
    lastSuccess: null,
    failingSince: null,
    pausedUntil: null,
    next: null,
    lastError: null,
    state: "ok",
    problem: null,
    ...more,
  };
}

const style = (width: number) => ({ width, color: false, unicode: true });

const problem = `answered 500: ${"a word and another ".repeat(8)}end\x1b[31m`;
const failing = { state: "failing", problem, failingSince: at(-600), owed: 12 } as const;

Deno.test("at 80 columns the state of each is seen, and below the whole of what is wrong", () => {
  const rows = [
    standing({ ...failing, next: at(240), givenUp: 2 }),
    standing({ name: "hook-1", kind: "hook", format: null, source: "user" }),
  ];
  for (const width of [40, 60, 80, 120, 200]) {
    const text = formatStandings(rows, style(width), NOW);
    assertPrintable(text);
    for (const line of text.split("\n")) assert(displayWidth(line) <= width, `${width}: ${line}`);
    assertMatch(text, /^hooks.slack.com +failing +12/m);
    assertMatch(text, /^hook-1 +ok +0/m);
    const whole = text.replace(/\n */g, " ");
    assertMatch(whole, /another end; since [\d:]+; tried again in 4m; 2 given up$/);
  }
  assertMatch(formatStandings(rows, style(80), NOW), /SOURCE$/m);
  assert(!formatStandings([rows[0]!], style(120), NOW).includes("SOURCE"));
});

Deno.test("what is due is not said to be waited for, and nothing is said of those that are well", () => {
  assertMatch(
    formatStandings([standing({ ...failing, next: at(0) })], style(300), NOW),
    /due now$/,
  );
  assertEquals(formatStandings([standing({})], style(80), NOW).split("\n").length, 2);
  const hook = standing({ ...failing, kind: "hook", owed: 0 });
  assertMatch(formatStandings([hook], style(300), NOW), /is in .orchestra\/hooks.log$/);
  const unrun = standing({ ...hook, state: "program-missing" });
  assertMatch(formatStandings([unrun], style(300), NOW), /^hooks.*; since [\d:]+$/m);
});

Deno.test("an attempt says when, of what and what came of it on a narrow terminal", () => {
  const attempt = (more: Partial<Attempt>): Attempt & { name: string } => ({
    name: "hooks.slack.com",
    time: at(0),
    id: "task_1795337956391857.2.complete",
    event: "complete",
    attempt: 1,
    outcome: "answered 200",
    ok: true,
    ...more,
  });
  const rows = [
    attempt({ time: at(-3 * 86_400) }),
    attempt({ attempt: 2, outcome: "refuses the connection", ok: false }),
    attempt({ id: "drained.task_1795337956391857.2.complete", event: "drained" }),
    attempt({ id: "lane.claude.2026-03-04T12:00:00.000Z.lane-resumed", event: "lane-resumed" }),
  ];
  const lines = formatAttempts(rows, style(80), NOW).split("\n");
  for (const line of lines) assert(displayWidth(line) <= 80, line);
  assert(lines[1]!.startsWith(formatStamp(NOW - 3 * 86_400_000)), lines[1]);
  assertMatch(lines[2]!, / complete +391857\.2 +2 {2}refuses the/);
  assertMatch(lines[3]!, / drained +391857\.2 +1 {2}answered 200/);
  assertMatch(lines[4]!, / lane-resumed +1 {2}answered 200/);
  const wide = formatAttempts(rows, style(200), NOW);
  assertStringIncludes(wide, "drained.task_1795337956391857.2.complete");
});
