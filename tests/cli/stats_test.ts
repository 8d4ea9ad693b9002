// `orchestra stats`: what it counts of a real queue, its forms, what it refuses, and how it looks.

import { formatStats } from "../../lib/format/stats.ts";
import { createStats } from "../../lib/metrics/stats.ts";
import { formatEvent, type HistoryEvent } from "../../lib/task/event.ts";
import type { Stats, StatsBy } from "../../lib/task/stats.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable, type Box, makeBox } from "../support/program.ts";
import { events } from "../metrics/large_history.ts";
import { event, eventsOf, idAt, START } from "../metrics/lives.ts";

async function settle(box: Box, ids: readonly string[]): Promise<void> {
  await box.ok("run", "--all");
  await Promise.all(ids.map((id) => box.settled(id)));
}

function writeHistory(box: Box, lines: readonly (HistoryEvent | string)[]): Promise<void> {
  const texts = lines.map((line) => typeof line === "string" ? line : formatEvent(line));
  const text = `{"history":1,"part":1}\n${texts.join("\n")}\n`;
  return Deno.writeTextFile(box.path("history.jsonl"), text);
}

Deno.test("stats counts what a queue did, and goes on counting what was cleaned", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("stats"), "Nothing was queued");
  const ids = [
    await box.start("shell", "true", "--label", "team=web"),
    await box.start("shell", "exit 3"),
    await box.start("auto", "true"),
  ];
  await settle(box, ids);
  const stats: Stats = await box.json("stats");
  assertEquals(stats.total.queued, 3);
  const { complete, failed, cancelled } = stats.total.chains;
  assertEquals([complete, failed, cancelled], [2, 1, 0]);
  assertEquals(stats.total.failures, { exit: 1 });
  assertEquals([stats.slots.there, stats.unread], [3, 0]);
  await box.ok("clean", "all", "-y");
  assertEquals(box.tasks(), []);
  const after: Stats = await box.json("stats");
  assertEquals([after.total.queued, after.total.attempts], [3, stats.total.attempts]);
  const byAgent: Stats = await box.json("stats", "--by", "agent");
  assertEquals(byAgent.groups.map(({ name, queued }) => [name, queued]), [["shell", 2], [
    "auto",
    1,
  ]]);
  const csv = await box.ok("stats", "--by", "label:team", "--csv");
  const rows = csv.trimEnd().split("\r\n").map((row) => row.split(",").slice(0, 4));
  assertEquals(rows, [
    ["team", "queued", "tasks_complete", "tasks_failed"],
    ["", "2", "1", "1"],
    ["web", "1", "1", "0"],
  ]);
  assertEquals((await box.json("stats", "--since", "3650d", "--by", "day")).total.queued, 3);
  assertEquals((await box.json("stats", "--since", "2100-01-01")).total.queued, 0);
});

Deno.test("stats counts a retry with the task that it retries", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "cat again || (echo >again; exit 1)");
  await settle(box, [id]);
  const { retried } = await box.json("retry", id).then(() => ({
    retried: box.task(id).retriedBy!,
  }));
  await settle(box, [retried]);
  const { total }: Stats = await box.json("stats");
  assertEquals([total.queued, total.attempts.settled], [1, 2]);
  assertEquals([total.chains.complete, total.chains.failed], [1, 0]);
  assertEquals(total.retries, { exit: 1 });
});

Deno.test("what runs holds a slot and is told among the metrics", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "sleep 1000");
  await box.ok("run");
  const stats: Stats = await box.json("stats");
  assert(stats.total.busySeconds > 0);
  const text = await box.ok("stats", "--openmetrics");
  assert(text.endsWith("# EOF\n"));
  assertStringIncludes(text, 'orchestra_tasks{state="running",agent="shell"} 1\n');
  assertStringIncludes(text, 'orchestra_slots{state="used"} 1\n');
  assertMatch(text, /orchestra_task_transitions_total\{to="launched",agent="shell",class=""\} 1\n/);
  const older = await box.ok("stats", "--prometheus");
  assertStringIncludes(older, "# TYPE orchestra_task_transitions_total counter\n");
  assert(!older.includes("EOF") && !text.includes(id));
  await box.ok("cancel", id);
  await box.settled(id);
});

Deno.test("stats says what it does not understand", async () => {
  await using box = await makeBox();
  await box.fails(2, "stats", "--since", "yesterday");
  assertMatch((await box.fails(2, "stats", "--by", "label:")).text, /label:NAME/);
  const { message } = await box.fails(2, "stats", "--by", "weather");
  assertStringIncludes(message, '--by "weather" is nothing to part statistics by');
  const csv = await box.run("--json", "stats", "--csv");
  assertEquals([csv.code, csv.stdout], [2, ""]);
  await box.fails(2, "stats", "--csv", "--openmetrics");
  await box.fails(2, "stats", "--openmetrics", "--by", "agent");
  await box.fails(2, "stats", "--prometheus", "--since", "1d");
});

Deno.test("a damaged and hostile history makes no stack trace and no escape on the terminal", async () => {
  await using box = await makeBox();
  const bad = "\x1b[31m\u202e=cmd|'\n\"";
  const hostile = {
    agent: bad,
    labels: { [bad]: bad, "": "" },
    class: JSON.parse('"\\u001b]0;x"'),
  };
  await writeHistory(box, [
    ...eventsOf({ at: 0, end: "failed", more: hostile }),
    ...eventsOf({ at: 10 }),
    "{",
    "\0\0\0",
    '{"key":"x","time":"2026-01-31T12:00:00.000Z","event":"of tomorrow","task":"task_1"}',
    formatEvent(event("queued", 1, { task: idAt(1) })).slice(0, 50),
    "x".repeat(10 * 1024 * 1024),
    { ...event("complete", 0, { task: idAt(2), claim: 1 }), time: "9999-12-31T23:59:59.999Z" },
  ]);
  for (const by of ["agent", `label:${bad}`, "class", "day", "hour"]) {
    const text = await box.ok("stats", "--by", by);
    assertPrintable(text);
    assertStringIncludes(text, "4 lines of the history could not be read");
    assertPrintable((await box.ok("stats", "--by", by, "--csv")).replaceAll("\r\n", "\n"));
    const stats: Stats = await box.json("stats", "--by", by);
    assertEquals([stats.total.attempts.settled, stats.unread], [3, 4]);
  }
  const csv = await box.ok("stats", "--by", "agent", "--csv");
  assert(!/^"?[=+@]/m.test(csv), csv);
  await box.ok("stats", "--openmetrics");
  await Deno.writeFile(box.path("history.jsonl"), new Uint8Array(100_000).fill(255));
  await box.ok("stats");
});

/** How the statistics of a busy day look. */
function draw(width: number, by: StatsBy | undefined, color = false, unicode = true): string {
  const counter = createStats({ now: START + 12 * 3_600_000, slots: 3, by });
  let lines = 0;
  for (const one of events(6, START)) {
    if (++lines > 5000) break;
    counter.add(one);
  }
  return formatStats(counter.result(3), { by, isWhole: true }, { width, color, unicode });
}

Deno.test("statistics fit the terminal, from narrow to wide, in every form", () => {
  for (const width of [40, 80, 120, 200]) {
    for (const by of [undefined, "agent", "class", "day", "hour", { label: "team" }] as const) {
      const text = draw(width, by);
      for (const line of text.split("\n")) assert(displayWidth(line) <= width, `${width}: ${line}`);
      assertPrintable(text);
      const ascii = draw(width, by, false, false);
      assert([...ascii].every((character) => character <= "\x7f"), ascii);
      const plain = draw(width, by, true);
      // deno-lint-ignore no-control-regex
      assert(plain.includes("\x1b[") && displayWidth(plain.replace(/\x1b\[\d+m/g, "")) > 0);
    }
  }
});

Deno.test("what is little is not drawn as more: slots, shares, and rates of a short time", () => {
  const counted = (seconds: number, more: Partial<Parameters<typeof createStats>[0]> = {}) => {
    const counter = createStats({ now: START + seconds * 1000, slots: 1000, ...more });
    for (let at = 0; at < 3; at++) {
      eventsOf({ at, end: at === 0 ? "failed" : undefined })
        .forEach(counter.add);
    }
    const style = { width: 80, color: false, unicode: true };
    return formatStats(counter.result(), { isWhole: more.since === undefined }, style);
  };
  const day = counted(86_400);
  assertMatch(day, /^Slots +(░+) +<1% of 1000$/m);
  assertMatch(day, /^Attempts .* 67% . 2 complete . 1 failed/m);
  assertMatch(day, /^Settled .* \d\.\d a day$/m);
  assertMatch(counted(1800), /^Settled .*3 in \d+m\d+s$/m);
  assertMatch(counted(60, { since: START - 7 * 86_400_000 + 60_000 }), /^The last 7d /);
});

Deno.test("statistics of nothing, and of one task, can be drawn", () => {
  const style = { width: 80, color: true, unicode: true };
  for (const list of [[], eventsOf({ at: 0 }), eventsOf({ at: 0, end: "cancelled" }).slice(2)]) {
    const counter = createStats({ now: START + 60_000, slots: 0 });
    list.forEach(counter.add);
    assertStringIncludes(formatStats(counter.result(), { isWhole: false }, style), "Attempts");
  }
});
