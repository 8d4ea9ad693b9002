// In which order branches are merged, and the texts that go with it.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import {
  mergeMessage,
  mergeOrder,
  pullBody,
  resolvePrompt,
  RESOLVES,
  titleOf,
} from "../../lib/decide/merging.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";

const ids = (...numbers: number[]) => numbers.map((number) => `task_${1_772_625_600_000 + number}`);
const [A, B, C, D, E] = ids(1, 2, 3, 4, 5) as [string, string, string, string, string];

function task(taskId: string, dependsOn: string[] = [], rest: Partial<Task> = {}): Task {
  return {
    ...newTask(taskId, { agent: "a", prompt: "p", dependsOn }, 1_772_625_600_000),
    status: "complete",
    ...rest,
  };
}

/** The ids in their order; those in between are in brackets. */
function order(chosen: readonly string[], tasks: readonly Task[]): string[] {
  const index = indexTasks(tasks);
  return mergeOrder(chosen.map((id) => index.byId.get(id)!), index)
    .map(({ taskId, chosen }) => chosen ? taskId : `(${taskId})`);
}

Deno.test("what is built on comes first, and the oldest where that leaves a choice", () => {
  const tasks = [task(A, [C]), task(B), task(C), task(D, [A, B])];
  assertEquals(order([D, C, B, A], tasks), [C, A, B, D]);
  assertEquals(order([B, D], tasks), [B, `(${C})`, `(${A})`, D]);
});

Deno.test("of a dependency the attempt counts that is complete", () => {
  const failed = task(A, [], { status: "failed", retriedBy: E });
  const retry = task(E, [], {
    parentTaskId: A,
    retryHistory: [{ attempt: 1, timestamp: "", error: "e", retriedFrom: A }],
  });
  assertEquals(order([B, E], [failed, retry, task(B, [A])]), [E, B]);
});

Deno.test("who has resolved a conflict comes before the one whose it was", () => {
  const tasks = [task(A), task(B, [A]), task(C, [], { labels: { [RESOLVES]: A } })];
  assertEquals(order([A, B, C], tasks), [C, A, B]);
});

Deno.test("circles, gaps and long chains have an end", () => {
  assertEquals(order([A, B], [task(A, [B]), task(B, [A])]), [B, A]);
  assertEquals(order([A], [task(A, [D])]), [A]);
  const many = Array.from(
    { length: 20_000 },
    (_, at) => task(ids(at)[0]!, at === 0 ? [] : ids(at - 1)),
  );
  const last = many.at(-1)!.taskId;
  assertEquals(order([last], many).length, 20_000);
});

Deno.test("a title is the first line that says something, and fits", () => {
  assertEquals(titleOf("\n\n  ## Do it\u001b[31m\nand more"), "Do it [31m");
  assertEquals(titleOf("- [ ] one"), "[ ] one");
  assertEquals(titleOf("   "), "");
  assertEquals(titleOf(`${"🎻".repeat(80)}`, 10), `${"🎻".repeat(9)}…`);
});

Deno.test("a commit's message says which task it is, and is no trailer of the agent's", () => {
  const message = mergeMessage(
    { taskId: A, agent: "a\nSigned-off-by: x", prompt: "Do it\n\nTask: other" },
    "orchestra/1",
    "merge",
  );
  assertEquals(
    message,
    `Merge ${A}: Do it\n\nTask: ${A}\nAgent: a\nBranch: orchestra/1\n`,
  );
  assert(mergeMessage(task(A), "b", "squash").startsWith("p\n\n"));
});

Deno.test("who resolves a conflict is told of so many files and no more", () => {
  const files = Array.from({ length: 60 }, (_, at) => `f${at}`);
  const prompt = resolvePrompt(task(A), "orchestra/1", "main", files);
  assertStringIncludes(prompt, "- f49\n- and 10 more\n");
  assert(!prompt.includes("f50"));
});

Deno.test("a body quotes a prompt whatever is in it", () => {
  const git = { branch: "b", base: "", path: "", folder: "", tip: null, left: null };
  const counts = { files: null, insertions: null, deletions: null };
  const body = pullBody(task(A, [], { prompt: "a\n`````\nb" }), { ...git, ...counts }, "");
  assertStringIncludes(body, "``````text\na\n`````\nb\n``````\n");
  assert(!body.includes("### Changes"));
  const odd = task(A, [], { result: { summary: 7 } as unknown as Task["result"] });
  assert(pullBody(odd, { ...git, ...counts }, " x | 1 +").startsWith("### Prompt"));
});
