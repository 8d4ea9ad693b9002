// The watch screen, the progress bar, and one line for one change.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { formatPlainEvent, formatProgress, formatWatch } from "../../lib/format/status.ts";
import { formatClock } from "../../lib/text/time.ts";
import { countPhases } from "../../lib/decide/view.ts";
import { ago, ASCII, COLOR, fullQueue, NOW, PLAIN, queueOf, taskOf } from "../support/views.ts";

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
