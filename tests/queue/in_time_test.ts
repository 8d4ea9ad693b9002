// A filter of the user's that git waits for may never end: no task and no command hangs with it, and what
// could not be committed stays where it is.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { NARROW, needs, SHELL, test } from "../support/needs.ts";
import { lives, MAIN, spawn } from "../support/program.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";

const GIT = needs("git") ?? SHELL;

/** Files named *.h go through a filter that tells its number and hangs; those numbers. */
async function hang({ repo }: WorktreeBox, way: "clean" | "smudge"): Promise<() => number[]> {
  const told = `${repo.beside}/pids`;
  Deno.writeTextFileSync(told, "");
  Deno.writeTextFileSync(
    `${repo.beside}/filter.sh`,
    `sleep 1000 &\necho $$ $! >>'${told}'\nwait; cat\n`,
  );
  await repo.commit({ ".gitattributes": "*.h filter=h\n" });
  await repo.git("config", `filter.h.${way}`, `sh '${repo.beside}/filter.sh'`);
  await repo.git("config", "filter.h.required", "true");
  return () => Deno.readTextFileSync(told).split(/\s+/).filter((it) => it !== "").map(Number);
}

test(
  "a task whose work cannot be committed in its time comes to its end, and keeps it",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const pids = await hang(tree, "clean");
    const id = await tree.start("echo x >y.h", "--timeout", "3s");
    await box.ok("run", "--all", "--wait");
    const task = await box.settled(id);
    const { left, path, tip } = tree.branch(task);
    assertEquals([task.status, tip], ["complete", null]);
    assertMatch(left!, /could not be committed: git add: it had not come to its end after 10 s/);
    assertEquals(Deno.readTextFileSync(`${path}/y.h`), "x\n");
    assert(pids().length >= 2);
    assertEquals(pids().filter(lives), []);
  },
);

test(
  "the same under the narrow permissions, of a worktree that its agent has moved",
  GIT ?? NARROW,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const pids = await hang(tree, "clean");
    const id = await tree.start(
      `cd '${repo.beside}'; git -C '${repo.top}' worktree move -f -f "$ORCHESTRA_WORKTREE" "$PWD/moved"; echo x >moved/y.h`,
      "--timeout",
      "3s",
    );
    const args = ["run", "--quiet", ...permissionFlags(), MAIN, "run", "--wait"];
    await using live = spawn(Deno.execPath(), args, { cwd: box.root });
    const { code, stderr } = await live.ended();
    assertEquals(code, 0, stderr);
    const { left } = tree.branch(await box.settled(id));
    assertMatch(left!, /could not be committed: git add: it had not come to its end after 10 s/);
    assertEquals(Deno.readTextFileSync(`${repo.beside}/moved/y.h`), "x\n");
    assertEquals(pids().filter(lives), []);
  },
);

test("cancel returns, though what is left cannot be committed", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const pids = await hang(tree, "clean");
  const id = await tree.start("echo x >y.h");
  await box.ok("run");
  await box.until("a filter that hangs", () => pids().length >= 2);
  assertEquals(box.task(id).status, "running");
  assertStringIncludes(await box.ok("cancel", id), `Cancelled ${id}`);
  const task = await box.settled(id);
  await box.unwatched();
  const { left, path } = tree.branch(box.task(id));
  assertEquals(task.status, "cancelled");
  assertMatch(left!, /could not be committed/);
  assertEquals(Deno.readTextFileSync(`${path}/y.h`), "x\n");
  assertEquals(pids().filter(lives), []);
});

test("a task that is cancelled while its worktree is made leaves none", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  await repo.commit({ "x.h": "x\n" });
  const pids = await hang(tree, "smudge");
  const id = await tree.start("true");
  const run = box.run("run", "--wait");
  await box.until("a filter that hangs", () => pids().length >= 2);
  await box.ok("cancel", id);
  await run;
  assertEquals(box.task(id).status, "cancelled");
  assertEquals(await tree.worktrees(), []);
  assertEquals(await repo.git("branch", "--list", "orchestra/*"), "");
  assertEquals(pids().filter(lives), []);
});
