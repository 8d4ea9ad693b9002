// Which tasks change the same files without one building on the other.

import { findOverlaps, type Overlap } from "../../lib/decide/overlap_marks.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import type { Task, TaskBranch } from "../../lib/task/fields.ts";
import { formatDot, formatMermaid, formatTree, type Graph } from "../../lib/format/graph.ts";
import { formatOverlap } from "../../lib/format/reason.ts";
import { viewTask } from "../../lib/decide/view.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { idOf, NOW, task } from "../support/queues.ts";

const gitOf = (paths: string[], folder = ""): TaskBranch => ({
  branch: "orchestra/x",
  base: "0".repeat(40),
  path: "/w/x",
  folder,
  tip: "1".repeat(40),
  files: paths.length,
  insertions: 1,
  deletions: 0,
  paths,
  left: null,
});
const done = (number: number, paths: string[], rest: Partial<Task> = {}) =>
  task(number, { status: "complete", git: gitOf(paths), ...rest });
const needing = (...ids: number[]): Partial<Task> => ({ dependsOn: ids.map(idOf) });

function found(tasks: Task[]) {
  const overlaps = findOverlaps(tasks, () => indexTasks(tasks));
  const short = ({ tasks: [one, other], files }: Overlap) =>
    `${one.slice(-1)}${other.slice(-1)} ${files.join(" ")}`;
  return {
    all: overlaps.all.map(short),
    of: (id: number) => overlaps.of(idOf(id)).map(short),
  };
}

Deno.test("tasks that declare the same files overlap until one builds on the other", () => {
  const tasks = [
    task(1, { touches: ["src/**"] }),
    task(2, { touches: ["src/a.ts", "docs"] }),
    task(3, { touches: ["tests"] }),
    task(4, { touches: ["src/b.ts"], ...needing(1) }),
  ];
  assertEquals(found(tasks).all, ["12 src/a.ts"]);
  assertEquals(found(tasks).of(2), ["12 src/a.ts"]);
  assertEquals(found(tasks).of(4), []);
});

Deno.test("what builds on two that changed the same files is marked with them, and the files", () => {
  const tasks = [
    done(1, ["README.md"]),
    done(2, ["src/a.ts", "src/b.ts"], needing(1)),
    done(3, ["src/b.ts", "src/c.ts"], needing(1)),
    task(4, needing(2, 3)),
    task(5, needing(4)),
  ];
  assertEquals(found(tasks).all, ["23 src/b.ts"]);
  assertEquals(found(tasks).of(4), ["23 src/b.ts"]);
  assertEquals(found(tasks).of(5), ["23 src/b.ts"]);
  assertEquals(found(tasks).of(1), []);
  // Once it has begun, both are merged.
  tasks[3] = task(4, { ...needing(2, 3), status: "complete" });
  assertEquals(found(tasks.slice(0, 4)).all, []);
});

Deno.test("a sibling that has ended counts by what it changed, one that is no kin does not", () => {
  const tasks = [
    done(1, ["x"]),
    done(2, ["app/src/a.ts", "lib/b.ts"], { ...needing(1), git: gitOf(["app/src/a.ts"], "app") }),
    task(3, { touches: ["src/*.ts"], ...needing(1) }),
    done(4, ["src/a.ts"]),
  ];
  assertEquals(found(tasks).all, ["23 app/src/a.ts"]);
});

Deno.test("of a retried task the latest attempt is the one that is built on", () => {
  const tasks = [
    task(1, { status: "failed", retriedBy: idOf(2), git: gitOf(["a"]) }),
    done(2, ["a"], { parentTaskId: idOf(1) }),
    task(3, { touches: ["a"], ...needing(1) }),
  ];
  assertEquals(found(tasks).all, []);
});

Deno.test("what a task's file says of its branch is not believed where it makes no sense", () => {
  const broken = { ...gitOf(["a"]), base: "HEAD" };
  const tasks = [
    task(1, { status: "complete", git: broken }),
    done(2, ["a"]),
    task(3, needing(1, 2)),
  ];
  assertEquals(found(tasks).all, []);
});

Deno.test("a queue in which nobody tells anything is not looked through", () => {
  const tasks = [task(1), task(2, needing(1))];
  const overlaps = findOverlaps(tasks, () => {
    throw new Error("asked for an index");
  });
  assertEquals([overlaps.all, overlaps.of(idOf(1))], [[], []]);
});

Deno.test("a thousand tasks with the same files are told in bounded time", () => {
  const tasks = Array.from({ length: 1000 }, (_, at) => task(at + 1, { touches: ["src/**/*.ts"] }));
  const started = performance.now();
  assertEquals(findOverlaps(tasks, () => indexTasks(tasks)).all.length, 1000);
  assert(performance.now() - started < 5000);
});

Deno.test("a picture of the graph tells overlaps in every form", () => {
  const tasks = [
    task(1, { touches: ["a"], prompt: "one" }),
    task(2, { touches: ["a"], prompt: "two" }),
  ];
  const index = indexTasks(tasks);
  const files = ['a"<b', "b", "c", "d", "e"];
  const graph: Graph = {
    nodes: new Map(tasks.map((it) => [it.taskId, viewTask(it, index, NOW, new Map())])),
    dependsOn: new Map(),
    overlaps: [{ tasks: [idOf(1), idOf(2)], files }],
  };
  const style = { color: false, unicode: false, width: 100 } as const;
  const words = `${idOf(1)} and ${idOf(2)} overlap: a"<b, b, c and 2 more`;
  assertStringIncludes(formatTree(graph, style as never), words);
  assertStringIncludes(
    formatMermaid(graph),
    `  ${idOf(1)} -. "a#quot;#lt;b, b, c and 2 more" .- ${idOf(2)}`,
  );
  assertStringIncludes(
    formatDot(graph),
    `  "${idOf(1)}" -> "${idOf(2)}" [dir=none, style=dashed, constraint=false, ` +
      `label="a\\"<b, b, c and 2 more"];`,
  );
  const overlap: Overlap = { tasks: [idOf(1), idOf(2)], files: ["a"] };
  assertEquals(formatOverlap(overlap, idOf(2)), `overlaps ${idOf(1)}: a`);
});
