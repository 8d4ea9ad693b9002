// What run says of tasks whose worktrees cannot be made now.

import { assertEquals, assertMatch } from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { mounting, needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;

test(
  "run --wait tells what waits for its worktree, and has not done what it should",
  GIT ?? mounting(),
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    using disk = new SmallDisk("size=256k");
    tree.config({ supervise: false }, { folder: disk.path });
    await repo.commit({ "large.txt": "x".repeat(100_000) });
    Deno.writeFileSync(`${disk.path}/filler`, new Uint8Array(200_000));
    const id = await tree.start("echo x >x.txt");
    const said = new RegExp(`${id} waits for its worktree: .*disk is full`);
    const waited = await box.run("run", "--wait");
    assertEquals([waited.code, waited.stdout], [
      1,
      "Nothing started: 1 task waits for its worktree\n",
    ]);
    assertMatch(waited.stderr, said);
    const json = await box.run("run", "--wait", "--json");
    assertEquals([json.code, JSON.parse(json.stdout).waitsFor], [
      1,
      "1 task waits for its worktree",
    ]);
    const one = await box.run("run");
    assertEquals([one.code, one.stdout], [0, "Nothing started: 1 task waits for its worktree\n"]);
    assertMatch(one.stderr, said);
    // What could be launched beside it counts as well.
    await box.start("--no-worktree", "shell", "true");
    assertEquals((await box.run("run", "--wait", "--parallel", "2")).code, 1);
    Deno.removeSync(`${disk.path}/filler`);
    await box.ok("run", "--wait");
    assertEquals(await tree.show(tree.branch(await box.settled(id)).tip!, "x.txt"), "x");
  },
);
