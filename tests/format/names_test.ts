// What a person may type for a task, in every table and report that shows it.

import fc from "fast-check";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { type Names, nameTasks, resolveName, WHOLE_IDS } from "../../lib/decide/names.ts";
import { countPhases, spokenOf, type TaskView, viewTask } from "../../lib/decide/view.ts";
import { formatArchive, formatTimeouts } from "../../lib/format/lists.ts";
import {
  formatAnnotations,
  formatJunit,
  formatMarkdown,
  type ReportInput,
} from "../../lib/format/report.ts";
import { formatShow, type TaskDetail } from "../../lib/format/show.ts";
import {
  formatPlainEvent,
  formatStatus,
  formatWatch,
  type StatusInput,
} from "../../lib/format/status.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import type { Style } from "../../lib/text/style.ts";
import { formatClock } from "../../lib/text/time.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Element, readXml } from "./xml.ts";

const NOW = 1_772_625_600_000;
const PLAIN: Style = { color: false, unicode: true, width: 120 };
const COLOR: Style = { ...PLAIN, color: true };
// deno-lint-ignore no-control-regex
const uncolored = (text: string) => text.replace(/\x1b\[\d+m/g, "");
const dim = (text: string) => `\x1b[2m${text}\x1b[22m`;
const bold = (text: string) => `\x1b[1m${text}\x1b[22m`;

const idOf = (at: number) => `task_${NOW + at}`;

function task(at: number, change: Partial<Task> = {}): Task {
  return { ...newTask(idOf(at), { agent: "shell", prompt: `do ${at}` }, NOW), ...change };
}

function viewsOf(tasks: readonly Task[]): TaskView[] {
  const index = indexTasks(tasks);
  const memo = new Map();
  return tasks.map((item) => viewTask(item, index, NOW, memo));
}

/** What is shown of some tasks in a queue of more. */
function inputOf(shown: readonly Task[], all: readonly Task[] = shown): StatusInput {
  const seen = new Set(shown.map(({ taskId }) => taskId));
  const views = viewsOf(all).filter((view) => seen.has(view.task.taskId));
  return {
    ...{
      views,
      names: nameTasks(all, () => spokenOf(views)),
      hidden: 0,
      counts: countPhases(views),
    },
    ...{ damaged: [], lanes: [], supervisor: null },
  };
}

/** The words of each line of a table. */
function cells(text: string): string[][] {
  return text.split("\n").map((line) => line.split(/ {2,}/));
}

Deno.test("a table sets apart the end of an id that suffices to type", () => {
  const text = formatStatus(inputOf([task(1), task(2)]), COLOR, NOW);
  assertStringIncludes(text, `${dim("task_1772625600")}${bold("001")} `);
  assertStringIncludes(text, `${dim("task_1772625600")}${bold("002")} `);
});

Deno.test("without colours it stands in a column of its own, and nowhere else", () => {
  const input = inputOf([task(1), task(2)]);
  const [header, first] = cells(formatStatus(input, PLAIN, NOW));
  assertEquals(header!.slice(0, 3), ["ID", "END", "STATUS"]);
  assertEquals(first!.slice(0, 3), [idOf(1), "001", "○ ready"]);
  assert(!formatStatus(input, COLOR, NOW).includes("END"));
});

Deno.test("output with colour differs only by escape codes, and by the column that they replace", () => {
  const tasks = [task(1, { key: "build" }), task(2, { dependsOn: [idOf(1)] }), task(3)];
  const input = inputOf(tasks);
  // The same names without ends: what stands in sentences stays.
  const ends: Names = { ...input.names!, end: () => undefined };
  for (const width of [24, 40, 60, 80, 120, 200]) {
    assertEquals(
      uncolored(formatStatus(input, { ...COLOR, width }, NOW)),
      formatStatus({ ...input, names: ends }, { ...PLAIN, width }, NOW),
    );
  }
});

Deno.test("an end is unique among all tasks, not only among those that are shown", () => {
  const hidden = task(10_001);
  const shown = (all: readonly Task[]) =>
    cells(formatStatus(inputOf([task(1)], all), PLAIN, NOW))[1]![1];
  assertEquals(shown([task(1)]), "001");
  assertEquals(shown([task(1), hidden]), "00001");
  const colored = formatStatus(inputOf([task(1)], [task(1), hidden]), COLOR, NOW);
  assertStringIncludes(colored, bold("00001"));
});

Deno.test("what a table names a task by is taken for it, in whatever queue", () => {
  const times = fc.uniqueArray(
    fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 10 ** 11 })),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(fc.property(times, (list) => {
    const tasks = list.map((at) => task(at));
    const ids = tasks.map(({ taskId }) => taskId);
    const rows = cells(formatStatus(inputOf(tasks), { ...PLAIN, width: 200 }, NOW));
    for (const [at, id] of ids.entries()) {
      const row = rows.slice(1).find(([first]) => first === id)!;
      assertEquals(resolveName(row[1]!, { ids: () => ids, keyed: () => [] }), { id }, String(at));
    }
  }));
});

Deno.test("keys have a column as soon as one task has one", () => {
  assert(!formatStatus(inputOf([task(1), task(2)]), PLAIN, NOW).includes("KEY"));
  const keyed = inputOf([task(1, { key: "build" }), task(2)]);
  const [header, first, second] = cells(formatStatus(keyed, PLAIN, NOW));
  assertEquals(header!.slice(0, 4), ["ID", "END", "KEY", "STATUS"]);
  assertEquals(first!.slice(0, 4), [idOf(1), "001", "build", "○ ready"]);
  assertEquals(second!.slice(0, 3), [idOf(2), "002", "○ ready"]);
});

Deno.test("a sentence about another task names it as a person would type it, whole in any table", () => {
  const build = task(1, { key: "build", status: "running" });
  const other = task(2, { status: "running" });
  const waiting = task(3, { dependsOn: [idOf(1), idOf(2)] });
  const failed = task(4, { status: "failed", key: "schema" });
  const blocked = task(5, { dependsOn: [idOf(4)] });
  const behind = task(6, { dependsOn: [idOf(5)] });
  const input = inputOf([build, other, waiting, failed, blocked, behind]);
  const row = (id: string, style: Style) =>
    uncolored(formatStatus(input, style, NOW)).split("\n").find((line) => line.startsWith(id))!;
  for (const style of [PLAIN, COLOR]) {
    assertStringIncludes(row(idOf(3), style), "do 3 · waits for build, 002");
    assertStringIncludes(row(idOf(5), style), "do 5 · Dependency schema failed");
    assertStringIncludes(
      row(idOf(6), { ...style, width: 160 }),
      "do 6 · Dependency 005 is blocked: Dependency schema failed",
    );
  }
  // At 80 columns only the beginning of an id was left, which all of them have in common.
  assertStringIncludes(row(idOf(3), { ...COLOR, width: 80 }), "waits for build, 002");
});

Deno.test("a table with ends and keys fits any width and still has the whole id", () => {
  const tasks = [
    task(1, { key: "a-key-that-is-quite-long-for-one-that-somebody-types-by-hand" }),
    task(2, { key: "日本語のキー", dependsOn: [idOf(1)] }),
    task(10_002, { key: "evil\x1b[31m\n\u202ekey" }),
  ];
  const input = { ...inputOf(tasks), workspace: "/w" };
  for (let width = 18; width <= 220; width++) {
    for (const color of [true, false]) {
      const style = { ...PLAIN, color, width };
      const detail = detailOf(tasks[1]!, tasks);
      for (
        const text of [
          formatStatus(input, style, NOW),
          formatWatch(input, style, NOW, 30),
          formatShow(detail, style, NOW),
          formatArchive(tasks, input.names!, style, NOW),
        ].map(uncolored)
      ) {
        for (const line of text.split("\n")) {
          assert(displayWidth(line) <= Math.max(width, 22), `${width}: ${line}`);
        }
        // deno-lint-ignore no-control-regex
        assert(!/[\x1b\u202e]/.test(text));
        if (width >= 22) { for (const { taskId } of tasks) assertStringIncludes(text, taskId); }
      }
    }
  }
});

Deno.test("at 80 columns the prompt keeps its room beside end and key", () => {
  const tasks = [task(1, { key: "build", prompt: "Make all of it" }), task(2)];
  const [, row] = formatStatus(inputOf(tasks), { ...PLAIN, width: 80 }, NOW).split("\n");
  assertEquals(row, `${idOf(1)}  001  build  ○ ready   shell  0s   Make all of it`);
});

Deno.test("what a task waits for is told beside a prompt that is cut, where it is short", () => {
  const tasks = [task(1), task(2, { prompt: "Update the docs of it all", dependsOn: [idOf(1)] })];
  const row = (width: number) =>
    formatStatus(inputOf(tasks), { ...PLAIN, width }, NOW).split("\n")
      .find((line) => line.startsWith(idOf(2)))!;
  assert(row(74).endsWith("  Update th… · waits for 001"), row(74));
  assert(row(72).endsWith("  Update… · waits for 001"), row(72));
  assert(row(71).endsWith("  Update the docs of it…"), row(71));
});

Deno.test("one change of a task is told with its key", () => {
  const [view] = viewsOf([task(1, { key: "build", status: "running" })]);
  assertEquals(
    formatPlainEvent(view!, PLAIN, NOW),
    `${formatClock(NOW)} ● ${idOf(1)} build shell running  do 1`,
  );
});

function detailOf(one: Task, all: readonly Task[], names: Names = nameTasks(all)): TaskDetail {
  const views = viewsOf(all);
  const view = views.find((item) => item.task.taskId === one.taskId)!;
  return {
    ...{ view, names, chain: views, dependents: [views.at(-1)!], sentinels: [] },
    dependencies: [{ id: views[0]!.task.taskId, view: views[0]! }, { id: idOf(99), view: null }],
    ...{ plan: null, logTail: null, logSize: null, usage: null },
  };
}

Deno.test("the page of a task names it and those around it the same way", () => {
  const tasks = [task(1, { key: "build" }), task(2, { dependsOn: [idOf(1)] }), task(3)];
  const plain = formatShow(detailOf(tasks[1]!, tasks), PLAIN, NOW);
  assertEquals(plain.split("\n")[0], `◌ ${idOf(2)}  002  waiting  shell`);
  assertStringIncludes(plain, "Reason      waits for build");
  assertMatch(plain, new RegExp(`Depends on\n  ○ ${idOf(1)}  001  build  ready`));
  assertStringIncludes(plain, `  ! ${idOf(99)}              missing`);
  const colored = formatShow(detailOf(tasks[1]!, tasks), COLOR, NOW);
  assertStringIncludes(colored, `${dim("task_1772625600")}${bold("001")}`);
  // Among its attempts the page's own stands out as a whole.
  assertStringIncludes(colored, bold(idOf(2)));
});

Deno.test("the archive and the limits name tasks as the status does", () => {
  const old = task(1, { key: "build", status: "complete", completedAt: task(0).createdAt });
  const names = nameTasks([old], undefined, [{ taskId: idOf(1001) }]);
  assertEquals(cells(formatArchive([old], names, PLAIN, NOW)), [
    ["ID", "END", "KEY", "STATUS", "AGENT", "ENDED", "PROMPT"],
    [idOf(1), "0001", "build", "complete", "shell", "just now", "do 1"],
  ]);
  const limited = task(1, { key: "build", timeout: 90 });
  assertEquals(cells(formatTimeouts(viewsOf([limited]), nameTasks([limited]), PLAIN)), [
    ["ID", "END", "KEY", "STATUS", "TIMEOUT", "ELAPSED", "REMAINING"],
    [idOf(1), "001", "build", "pending", "1m30s"],
  ]);
  assertStringIncludes(
    formatTimeouts(viewsOf([limited]), nameTasks([limited]), COLOR),
    bold("001"),
  );
});

// --- Reports ----------------------------------------------------------------------------------------

function reportOf(tasks: readonly Task[]): ReportInput {
  return { views: viewsOf(tasks), index: indexTasks(tasks), log: () => null, seconds: 1 };
}

function namesIn(tasks: readonly Task[]): string[] {
  const cases: readonly Element[] = readXml(formatJunit(reportOf(tasks))).children[0]!.children;
  return cases.map(({ attributes }) => attributes.name!);
}

/** A small run whose tasks have other ids each time. */
function runAt(start: number): Task[] {
  const [build, test, first, second] = [0, 5, 9, 14].map((at) => start + at);
  return [
    task(build!, { key: "build", prompt: "Make all", status: "complete" }),
    task(test!, { key: "test", prompt: "Run the tests", dependsOn: [idOf(build!)] }),
    task(first!, { prompt: "Again", status: "failed" }),
    task(second!, { prompt: "Again", status: "complete" }),
  ];
}

Deno.test("JUnit names its cases by key and prompt, the same in every run", () => {
  const names = ["build: Make all", "test: Run the tests", "Again", "Again (2)"];
  assertEquals(namesIn(runAt(1)), names);
  assertEquals(namesIn(runAt(5_000_000)), names);
});

Deno.test("which of two equal tasks a case is does not depend on which ended or was retried", () => {
  const [build, test, first, second] = runAt(1) as [Task, Task, Task, Task];
  const retry = task(500, {
    prompt: "Again",
    status: "failed",
    parentTaskId: first.taskId,
    retryHistory: [{ attempt: 1, timestamp: "", error: null, retriedFrom: first.taskId }],
  });
  const tasks = [second, retry, build, test, { ...first, retriedBy: retry.taskId }];
  const cases = readXml(formatJunit(reportOf(tasks))).children[0]!.children;
  const failed = cases.filter(({ children }) => children.some(({ name }) => name === "failure"));
  assertEquals(failed.map(({ attributes }) => attributes.name), ["Again"]);
  assertEquals(cases.length, 4);
});

Deno.test("a prompt that is numbered like ours collides with none", () => {
  const prompts = ["x (2)", "x", "x", "x", "x (2)"];
  const names = namesIn(prompts.map((prompt, at) => task(at, { prompt })));
  assertEquals(new Set(names).size, prompts.length);
  assertEquals(names[0], "x (2)");
});

Deno.test("JUnit says of a task that was not run what it waited for, by its key", () => {
  const [build, test] = runAt(1) as [Task, Task];
  const failed = { ...build, status: "failed" } as const;
  const suite = readXml(formatJunit(reportOf([failed, test]))).children[0]!;
  const skipped = suite.children[1]!.children.find(({ name }) => name === "skipped")!;
  assertEquals(skipped.attributes.message, "Dependency build failed");
});

Deno.test("Markdown and annotations show the key beside the id", () => {
  const tasks = [
    task(1, { key: "build|it", status: "failed", errorMessage: "no" }),
    task(2, { status: "complete", result: { summary: "fine" } }),
    task(3, { key: "notes", status: "complete", result: { summary: "made" } }),
  ];
  const page = formatMarkdown(reportOf(tasks));
  assertStringIncludes(page, "| Task | Key | Agent | Outcome | Time | Tries | Prompt |\n");
  assertStringIncludes(page, `| \`${idOf(1)}\` | build\\|it | shell | ❌ failed |`);
  assertStringIncludes(page, `| \`${idOf(2)}\` |  | shell | ✅ complete |`);
  assertStringIncludes(page, `### build\\|it task\\_${NOW + 1}: no`);
  assertStringIncludes(page, `**${idOf(2)}**: fine`);
  assertStringIncludes(page, `**notes ${idOf(3)}**: made`);
  assertEquals(formatAnnotations(reportOf(tasks)), [
    `::error title=build|it ${idOf(1)} (shell)%3A no::no output`,
  ]);
});

Deno.test("who knows no names shows whole ids", () => {
  const input = { ...inputOf([task(1), task(2, { dependsOn: [idOf(1)] })]), names: WHOLE_IDS };
  const text = formatStatus(input, PLAIN, NOW);
  assert(!text.includes("END"));
  assertStringIncludes(text, `waits for ${idOf(1)}`);
});
