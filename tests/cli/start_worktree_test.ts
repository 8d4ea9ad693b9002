// What `start --worktree` says at once of a task that could not be launched as things are.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;

test("start says of what needs a worktree that none can be made, and queues it", GIT, async () => {
  await using box = await makeBox();
  box.agents({});
  const { code, stderr } = await box.run("start", "--worktree", "shell", "true");
  assertEquals(code, 0);
  assertStringIncludes(stderr, "As things are it will fail");
  assertStringIncludes(stderr, "git init");
  box.config({ worktree: true });
  assertStringIncludes((await box.run("start", "shell", "true")).stderr, "it will fail");
  const without = await box.run("start", "--no-worktree", "shell", "true");
  assertEquals(without.stderr.includes("it will fail"), false);
  const from = (...lines: unknown[]) => {
    Deno.writeTextFileSync(`${box.root}/tasks`, lines.map((it) => JSON.stringify(it)).join("\n"));
    return box.run("start", "--from", "tasks");
  };
  const task = { agent: "shell", prompt: "true" };
  const all = await from(task, { ...task, worktree: false });
  assertEquals(all.code, 0);
  assertStringIncludes(all.stderr, "As things are it will fail");
  assertEquals((await from({ ...task, worktree: false })).stderr.includes("will fail"), false);
});

test("start says that a base names no commit, and that a set-up is not approved", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const start = async (...args: string[]) =>
    (await box.run("start", "--worktree", ...args, "shell", "true")).stderr;
  assertEquals((await start()).includes("it will fail"), false);
  assertStringIncludes(
    await start("--base", "nosuch"),
    'it will fail: No commit is named "nosuch"',
  );
  assertEquals((await start("--base", "main")).includes("it will fail"), false);
  const task = { agent: "shell", prompt: "true", worktree: true };
  const lines = [task, { ...task, base: "main" }, { ...task, base: "nosuch" }];
  repo.write("tasks", lines.map((it) => JSON.stringify(it)).join("\n"));
  const from = await box.run("start", "--from", "tasks");
  const { stdout } = await box.run("--json", "show", "@last");
  assertEquals(
    from.stderr.split("\n").filter((line) => line.includes("will fail")),
    [`As things are ${
      JSON.parse(stdout).task.taskId
    } will fail: No commit is named "nosuch" in ${repo.top}`],
  );
  repo.write(".orchestra-cli/config.json", '{"worktrees": {"setup": "echo ready"}}');
  assertStringIncludes(await start(), "is not approved, and does not count: orchestra trust");
});
