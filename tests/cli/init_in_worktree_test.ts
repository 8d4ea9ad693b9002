// A queue begun in the worktree of a task would go with it: none is, and one that is there all the same stays.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { NARROW, needs, SHELL, test } from "../support/needs.ts";
import { MAIN, makeFolder, runProgram, spawn } from "../support/program.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;

test("init in the worktree of a task is refused, and says whose it is", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const id = await tree.start("mkdir deep; exit 1");
  await box.run("run", "--wait");
  const { path } = tree.branch(await box.settled(id));
  for (const folder of [path, `${path}/deep`]) {
    const { code, stderr } = await runProgram(folder, ["init"]);
    assertEquals(code, 4, stderr);
    assertStringIncludes(stderr, `this is the worktree of ${id}, of the workspace ${box.root}`);
    assertStringIncludes(stderr, `orchestra -C ${box.root} start`);
  }
  assert(![...Deno.readDirSync(path)].some(({ name }) => name.startsWith(".orchestra")));
  // A repository within is somebody's own, and so is what only looks like a worktree of ours.
  await tree.repo.gitIn(`${path}/deep`, "init", "-q");
  assertEquals((await runProgram(`${path}/deep`, ["init"])).code, 0);
  await using elsewhere = await makeFolder();
  await Deno.writeTextFile(`${elsewhere.path}/.git`, "gitdir: /nowhere\n");
  assertEquals((await runProgram(elsewhere.path, ["init"])).code, 0);
});

test(
  "in the worktree of a task the task's workspace counts, for whoever is there",
  GIT ?? NARROW,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    // The agents of the repository are in the worktree as well.
    await repo.git("add", "-f", ".orchestra-cli");
    await repo.git("commit", "-qm", "agents");
    const id = await tree.start("mkdir deep; exit 1");
    await box.run("run", "--wait");
    const { path } = tree.branch(await box.settled(id));
    for (const folder of [path, `${path}/deep`]) {
      assertStringIncludes((await runProgram(folder, ["status", "--all"])).stdout, id);
      const { code, stdout, stderr } = await runProgram(folder, ["start", "-q", "shell", "true"]);
      assertEquals(code, 0, stderr);
      assertEquals(box.task(stdout.trim()).prompt, "true");
    }
    assert(![...Deno.readDirSync(path)].some(({ name }) => name === ".orchestra"));
    // Nor is one begun where the workspace may not be looked at.
    const narrow = ["run", "--quiet", ...permissionFlags(), MAIN, "start", "shell", "true"];
    await using live = spawn(Deno.execPath(), narrow, { cwd: path });
    const { code, stderr } = await live.ended();
    assertEquals(code, 3, stderr);
    assertStringIncludes(stderr, `This is the worktree of ${id}`);
    assert(![...Deno.readDirSync(path)].some(({ name }) => name === ".orchestra"));
  },
);

test("a queue that an agent began in its worktree keeps it, and status says so", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const id = await tree.start(
    "mkdir -p .orchestra/tasks; echo '*' >.orchestra/.gitignore; echo {} >.orchestra/tasks/t.json; echo x >x",
  );
  await box.ok("run", "--wait");
  const task = await box.settled(id);
  const { path, left } = tree.branch(task);
  assertEquals([task.status, left], [
    "complete",
    "a workspace of its own is within: .orchestra",
  ]);
  assertEquals(Deno.readTextFileSync(`${path}/.orchestra/tasks/t.json`), "{}\n");
});
