// Dependencies as a picture: as long as the graph is large, however deep it is, and never wider than
// the terminal.

import { indexTasks } from "../../lib/decide/dependencies.ts";
import { nameTasks } from "../../lib/decide/names.ts";
import { type TaskView, viewTask } from "../../lib/decide/view.ts";
import { buildGraph, formatDot, formatMermaid, formatTree } from "../../lib/format/graph.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import type { Style } from "../../lib/text/style.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { assert, assertEquals, assertLess, assertStringIncludes } from "../support/assert.ts";

const NOW = 1_772_625_600_000;
const PLAIN: Style = { color: false, unicode: true, width: 100 };
const idOf = (at: number) => `task_${NOW + at}`;

function task(at: number, after: readonly number[] = [], change: Partial<Task> = {}): Task {
  const wish = { agent: "shell", prompt: `do ${at}`, dependsOn: after.map(idOf) };
  return { ...newTask(idOf(at), wish, NOW), ...change };
}

function graphOf(tasks: readonly Task[]) {
  const index = indexTasks(tasks);
  const memo = new Map();
  const views: TaskView[] = tasks.map((item) => viewTask(item, index, NOW, memo));
  return buildGraph(views, index);
}

/** The tree with each task as its number alone. */
function drawn(tasks: readonly Task[], style = PLAIN): string[] {
  return formatTree(graphOf(tasks), { ...style, width: Infinity }).split("\n")
    .map((line) => line.replace(/. task_\d*?(\d{3}) \w+ {2}(?:shell: do \d+)?/, "$1 ").trimEnd());
}

Deno.test("what waits for a task stands below it, an only one straight and several as branches", () => {
  assertEquals(
    drawn([
      ...[task(1), task(2, [1]), task(3, [2]), task(4, [3]), task(5, [3])],
      ...[task(6, [4]), task(7, [6]), task(8, [6]), task(9, [5])],
    ]),
    [
      "001",
      "↓  002",
      "↓  003",
      "├─ 004",
      "│  ↓  006",
      "│  ├─ 007",
      "│  └─ 008",
      "└─ 005",
      "   ↓  009",
    ],
  );
  assertEquals(drawn([task(1), task(2, [1]), task(3, [1])], { ...PLAIN, unicode: false }), [
    "001",
    "|- 002",
    "`- 003",
  ]);
});

Deno.test("a task that waits for several stands below each, its own dependents only once", () => {
  assertEquals(drawn([task(1), task(2), task(3, [1, 2, 1]), task(4, [3])]), [
    "001",
    "↓  003",
    "↓  004",
    "002",
    "↓  003 … see above",
  ]);
});

Deno.test("tasks that wait for each other are drawn, each once", () => {
  const lines = drawn([task(1, [3]), task(2, [1]), task(3, [2]), task(4, [4])]);
  assertEquals(lines, [
    "001",
    "↓  002",
    "↓  003",
    "↓  001 … see above",
    "004",
    "↓  004 … see above",
  ]);
});

Deno.test("a chain of 20,000 is a list of so many lines, none of them long", () => {
  const tasks = [task(0)];
  for (let at = 1; at < 20_000; at++) tasks.push(task(at, [at - 1]));
  const lines = formatTree(graphOf(tasks), PLAIN, nameTasks(tasks)).split("\n");
  assertEquals(lines.length, 20_000);
  assertEquals(lines.at(-1), `↓  ◌ ${idOf(19_999)} [19999] waiting  shell: do 19999`);
  for (const line of lines) assertLess(displayWidth(line), 70);
});

Deno.test("a ladder of 20,000 is as long as it has tasks, and no line is wider than the terminal", () => {
  // Each task has a dependent that goes on and one that does not.
  const tasks = [task(0)];
  for (let at = 1; at < 20_000; at += 2) {
    tasks.push(task(at, [Math.max(0, at - 2)]), task(at + 1, [Math.max(0, at - 2)]));
  }
  for (const width of [40, 100, 200]) {
    for (const color of [true, false]) {
      const text = formatTree(graphOf(tasks), { ...PLAIN, width, color }, nameTasks(tasks));
      const lines = text.split("\n");
      assertLess(lines.length, tasks.length * 1.3);
      assertLess(text.length, tasks.length * 500);
      for (const { taskId } of tasks.slice(-3)) assertStringIncludes(text, taskId.slice(0, -5));
      for (const line of lines) {
        // deno-lint-ignore no-control-regex
        assert(displayWidth(line.replace(/\x1b\[\d+m/g, "")) <= width, line);
      }
    }
  }
});

Deno.test("what would be indented too far begins anew at the left, and its place says so", () => {
  const tasks = [task(0)];
  for (let at = 1; at < 40; at += 2) {
    tasks.push(task(at, [Math.max(0, at - 2)]), task(at + 1, [Math.max(0, at - 2)]));
  }
  const lines = formatTree(graphOf(tasks), { ...PLAIN, width: 60 }).split("\n");
  const moved = lines.findIndex((line) => line.endsWith("… see below"));
  assert(moved > 0);
  const id = /task_\d+/.exec(lines[moved]!)![0];
  const again = lines.findIndex((line, at) => at > moved && line.includes(id));
  assert(lines[again]!.startsWith(`◌ ${id} `), lines[again]);
  assert(lines[again + 1]!.startsWith("├─ "));
  // Each task has its dependents drawn once.
  const heads = lines.filter((line) => !line.endsWith("see below"));
  assertEquals(heads.length, tasks.length);
});

Deno.test("a hundred thousand dependents of one task are drawn", () => {
  const tasks = [task(0)];
  for (let at = 1; at <= 100_000; at++) tasks.push(task(at, [0]));
  assertEquals(formatTree(graphOf(tasks), PLAIN).split("\n").length, 100_001);
});

Deno.test("a tree tells what may be typed, and a picture the key", () => {
  const tasks = [task(1, [], { key: "build" }), task(2, [1])];
  const graph = graphOf(tasks);
  const names = nameTasks(tasks);
  assertEquals(formatTree(graph, PLAIN, names).split("\n"), [
    `○ ${idOf(1)} [001] build ready  shell: do 1`,
    `↓  ◌ ${idOf(2)} [002] waiting  shell: do 2`,
  ]);
  const colored = formatTree(graph, { ...PLAIN, color: true }, names);
  assertStringIncludes(colored, "\x1b[2mtask_1772625600\x1b[22m\x1b[1m001\x1b[22m");
  assert(!colored.includes("[001]"));
  assertStringIncludes(
    formatMermaid(graph),
    `  ${idOf(1)}["build (shell): do 1<br/>ready"]:::ready`,
  );
  assertStringIncludes(formatMermaid(graph), `  ${idOf(2)}["shell: do 2<br/>waiting"]:::waiting`);
  assertStringIncludes(formatDot(graph), `  "${idOf(1)}" [label="build (shell): do 1 (ready)"];`);
});

Deno.test("an agent's name is text in a picture, be it of several lines", () => {
  const graph = graphOf([task(1, [], { agent: 'a"]\nclick x "javascript:' }), task(2, [1])]);
  const lines = formatMermaid(graph).split("\n");
  assertStringIncludes(lines[1]!, "a#quot;] click x #quot;javascript:: do 1<br/>ready");
  assertEquals(formatDot(graph).split("\n").length, 7);
});
