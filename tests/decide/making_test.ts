// Which tasks get a worktree before they are launched, when that is made, and what it is called.

import { branchOf } from "../../lib/decide/branch.ts";
import { createModel } from "../../lib/decide/model.ts";
import { type Hold, NO_HOLD, type Orders, turn } from "../../lib/decide/turn.ts";
import {
  awaitsCommit,
  commitMessage,
  lacksWorktree,
  wantsWorktree,
} from "../../lib/decide/worktree.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { branchName, isBranchPattern } from "../../lib/settings/worktree_shape.ts";
import type { Agents } from "../../lib/task/agent.ts";
import { newTask, type Task, type TaskBranch } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const AGENTS: Agents = new Map([
  ["shell", { command: "sh", args: [] }],
  ["one", { command: "sh", args: [], maxConcurrent: 1 }],
  ["always", { command: "sh", args: [], worktree: true }],
  ["never", { command: "sh", args: [], worktree: false }],
  ["broken", { problem: "it is malformed" }],
]);
const GIT: TaskBranch = {
  branch: "orchestra/t",
  base: "a".repeat(40),
  path: "/trees/t",
  folder: "",
  tip: null,
  files: null,
  insertions: null,
  deletions: null,
  left: null,
};

function task(number: number, over: Partial<Task> = {}): Task {
  const { agent = "shell" } = over;
  const id = `task_${NOW + number}`;
  return { ...newTask(id, { agent, prompt: "p", worktree: true }, NOW + number), ...over };
}

const ids = (...tasks: Task[]) => tasks.map(({ taskId }) => taskId);

function turnOf(
  tasks: readonly Task[],
  hold: Partial<Hold> = {},
  parallel: Orders["parallel"] = 10,
) {
  const orders: Orders = { launch: "all", parallel, retry: true, limits: true };
  const rules = { agents: AGENTS, config: DEFAULT_CONFIG };
  return turn(createModel(tasks), orders, rules, NOW + 1000, { ...NO_HOLD, ...hold });
}

Deno.test("a ready task that wants a worktree gets one first, and is launched once it has it", () => {
  const [bare, wanting, having] = [task(0, { worktree: false }), task(1), task(2, { git: GIT })];
  const { make, launch, left } = turnOf([bare, wanting, having]);
  assertEquals(make, ids(wanting));
  assertEquals(launch, ids(bare, having));
  assertEquals(left, "ready");
});

Deno.test("a worktree that is being made has its place, and is not made twice", () => {
  const tasks = [task(0), task(1), task(2, { worktree: false }), task(3)];
  const making = new Set(ids(tasks[0]!));
  const { make, launch } = turnOf(tasks, { making }, 3);
  assertEquals(make, ids(tasks[1]!));
  assertEquals(launch, ids(tasks[2]!));
  assertEquals(turnOf(tasks, { making: new Set(ids(...tasks.slice(0, 3))) }, 3).make, []);
  const more = turnOf(tasks, { making }, { more: 1 });
  assertEquals([...more.make, ...more.launch], ids(tasks[1]!));
});

Deno.test("what is made counts for the limit of its agent", () => {
  const tasks = [task(0, { agent: "one" }), task(1, { agent: "one" }), task(2)];
  assertEquals(turnOf(tasks).make, ids(tasks[0]!, tasks[2]!));
  const { make } = turnOf(tasks, { making: new Set(ids(tasks[0]!)) });
  assertEquals(make, ids(tasks[2]!));
});

Deno.test("a worktree that could not be made is not made again at once, and others go on", () => {
  const tasks = [task(0), task(1)];
  const held = turnOf(tasks, { refused: new Set(ids(tasks[0]!)) }, 1);
  assertEquals(held.make, ids(tasks[1]!));
  const alone = turnOf([tasks[0]!], { refused: new Set(ids(tasks[0]!)) });
  // Who watches stays for it.
  assertEquals([alone.make, alone.launch, alone.left], [[], [], "ready"]);
});

Deno.test("where nothing is to be launched, no worktree is made", () => {
  const tasks = [task(0)];
  const rules = { agents: AGENTS, config: DEFAULT_CONFIG };
  for (const launch of ["nothing", "retries"] as const) {
    const orders: Orders = { launch, parallel: 9, retry: true, limits: true };
    assertEquals(turn(createModel(tasks), orders, rules, NOW + 1000).make, []);
  }
  assertEquals(turnOf(tasks, { launching: true }).make, []);
});

Deno.test("the task says whether it wants a worktree, else its agent, else the settings", () => {
  for (const setting of [true, false, undefined]) {
    const rules = { agents: AGENTS, config: { worktree: setting } };
    const wants = (agent: string, worktree: boolean | null) =>
      wantsWorktree({ agent, worktree }, rules);
    for (const agent of AGENTS.keys()) {
      assertEquals([wants(agent, true), wants(agent, false)], [true, false]);
    }
    assertEquals([wants("always", null), wants("never", null)], [true, false]);
    for (const agent of ["shell", "broken", "none"]) {
      assertEquals(wants(agent, null), setting ?? false);
    }
    assert(!lacksWorktree(task(0, { git: GIT }), rules));
    // What makes no sense is no branch.
    assert(lacksWorktree(task(0, { git: { ...GIT, path: "not/absolute" } }), rules));
  }
});

Deno.test("a commit is awaited until there is one, or a reason that there can be none", () => {
  assert(!awaitsCommit(task(0)));
  assert(awaitsCommit(task(0, { git: GIT })));
  assert(!awaitsCommit(task(0, { git: { ...GIT, tip: "b".repeat(40) } })));
  assert(!awaitsCommit(task(0, { git: { ...GIT, left: "the disk is full" } })));
});

Deno.test("the message of a commit begins with what was asked for, in one line that fits", () => {
  const message = (prompt: string) => commitMessage(task(0, { prompt }));
  const rest = `\n\nTask: task_${NOW}\nAgent: shell\n`;
  assertEquals(message("Fix it\nand more"), `Fix it${rest}`);
  assertEquals(message("\n \n  Second\tline\x1b[31m red\r"), `Second line [31m red${rest}`);
  assertEquals(message("x".repeat(100)), `${"x".repeat(71)}…${rest}`);
  assertEquals(message("\x00\x07"), `task_${NOW}${rest}`);
});

Deno.test("the name of a branch has the task's id in it, and is one that git takes", () => {
  assert(isBranchPattern("orchestra/{taskId}"));
  assertEquals(branchName("a/{taskId}/{taskId}", "task_1"), "a/task_1/task_1");
  for (
    const wrong of ["main", "", "-{taskId}", "{taskId}..", "a b/{taskId}", "{taskId}.lock", 5, null]
  ) {
    assert(!isBranchPattern(wrong), JSON.stringify(wrong));
  }
  assertEquals(branchOf({ git: { ...GIT, branch: "-x" } }), null);
});
