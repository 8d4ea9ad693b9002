// The table of tasks: its columns, rows, summary and marks.

import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { growth } from "../support/growth.ts";
import {
  formatStatus,
  formatTiming,
  formatTry,
  type StatusInput,
} from "../../lib/format/status.ts";
import { nameTasks } from "../../lib/decide/names.ts";
import type { Task } from "../../lib/task/fields.ts";
import { displayWidth } from "../../lib/text/width.ts";
import {
  ago,
  assertFits,
  COLOR,
  fullQueue,
  NOW,
  PLAIN,
  queueOf,
  taskOf,
  uncolored,
} from "../support/views.ts";

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

Deno.test("a column that was asked for is there at 80 columns", () => {
  const input = { ...fullQueue(), usage: true, changes: true };
  const header = formatStatus(input, { ...PLAIN, width: 80 }, NOW).split("\n")[0]!.split(/ +/);
  assertEquals(header, ["ID", "STATUS", "TOKENS", "COST", "CHANGES", "PROMPT"]);
});

Deno.test("a long key does not push out a column that was asked for, nor do several workspaces", () => {
  const { views, ...rest } = fullQueue();
  const keyed = views.map((view) => {
    const git = {
      branch: `orchestra/${view.task.taskId}`,
      base: "a".repeat(40),
      path: "/tmp/worktree",
      folder: "",
      tip: null,
      files: 112,
      insertions: 12034,
      deletions: 4077,
      left: null,
    };
    return { ...view, task: { ...view.task, key: "a-key-that-is-long-enough", git } };
  });
  const input = {
    ...rest,
    usage: false,
    views: keyed,
    changes: true,
    names: nameTasks(keyed.map((it) => it.task)),
  };
  const header = (input: StatusInput) =>
    formatStatus(input, { ...PLAIN, width: 80 }, NOW).split("\n")[0]!.split(/ +/);
  assert(header(input).includes("CHANGES"), header(input).join());
  const everywhere = header({ ...input, workspaceOf: () => "a-workspace-of-long-name" });
  assert(everywhere.includes("CHANGES"), everywhere.join());
  assert(everywhere.includes("PROMPT"), everywhere.join());
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
  assertEquals(header(60), ["ID", "STATUS", "TOKENS", "COST", "PROMPT"]);
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
  assertEquals(formatTiming(input.views.find((view) => view.phase.kind === "complete")!), "1.0s");
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
  assertStringIncludes(formatStatus(queueOf([]), PLAIN, NOW), 'orchestra start shell "echo hello"');
});

Deno.test("a prompt of megabytes costs no more than the part of it that is shown", () => {
  const format = (length: number) => {
    const prompt = "é\n".repeat(length);
    const input = queueOf(Array.from({ length: 200 }, (_, i) => taskOf("shell", prompt, i)));
    return () => formatStatus(input, PLAIN, NOW);
  };
  assertLess(growth(format(5000), format(500_000)), 4);
  const text = format(500_000)();
  assertFits(text, PLAIN.width);
  assertStringIncludes(text.split("\n")[1]!, "…");
});

Deno.test("ten thousand rows cost in proportion what a thousand cost", () => {
  const format = (length: number) => {
    const prompt = (i: number) => `Refactor module ${i} so that its functions are pure and tested`;
    const tasks = Array.from({ length }, (_, i) => taskOf("claude", prompt(i), i));
    const input = queueOf(tasks);
    return () => formatStatus(input, COLOR, NOW);
  };
  // By the square it would be a hundred times as much.
  assertLess(growth(format(1000), format(10_000)), 30);
});

Deno.test("a narrow row of several workspaces keeps the reason, and of the id its end", () => {
  const first = taskOf("claude-code", "Parse the grammar", 30, { labels: { area: "parser" } });
  const failed = taskOf("claude-code", "Port the lexer", 20, {
    status: "failed",
    startedAt: ago(19),
    completedAt: ago(18),
    errorMessage: "exit code 7",
    failureClass: "exit",
  });
  const tasks = [
    first,
    taskOf("claude-code", "Refactor the storage of it", 10, { dependsOn: [first.taskId] }),
    taskOf("claude-code", "Write down how it was done", 5, { dependsOn: [failed.taskId] }),
    failed,
  ];
  const input = { ...queueOf(tasks), names: nameTasks(tasks), workspaceOf: () => "parser-service" };
  const end = (task: Task) => input.names.end(task.taskId);
  for (const style of [PLAIN, COLOR]) {
    const lines = uncolored(formatStatus(input, { ...style, width: 80 }, NOW)).split("\n");
    for (const line of lines) assert(displayWidth(line) <= 80, line);
    assertMatch(lines[0]!, /^WORKSPACE +END +STATUS .*PROMPT$/);
    assertMatch(lines[2]!, new RegExp(`waits for ${end(first)}$`));
    assertMatch(lines[3]!, new RegExp(`Dependency ${end(failed)} failed$`));
    assert(!lines.slice(0, 5).some((line) => line.includes("task_")), lines.join("\n"));
    const wide = uncolored(formatStatus(input, { ...style, width: 160 }, NOW));
    assertStringIncludes(wide, first.taskId);
  }
});
