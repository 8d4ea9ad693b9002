// A kill at every change of a file while a worktree is set up and its agent launched.

import { assert, assertEquals } from "../support/assert.ts";
import { DENO, execute } from "../support/execute.ts";
import { textIn } from "../support/gated.ts";
import { needs, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const PROGRAM = new URL("setup_program.ts", import.meta.url).pathname;
const GIT = needs("git") ?? SHELL ?? ON_POSIX;
const linesOf = (path: string) => (textIn(path) ?? "").split("\n").filter((line) => line !== "");

test(
  "killed at any change of a file, a worktree is set up once and its agent runs once",
  GIT,
  async () => {
    const append = (name: string) => `echo x >>"$ORCHESTRA_WORKSPACE/${name}"`;
    let killed = 0;
    for (let at = 1;; at++) {
      await using tree = await makeWorktreeBox();
      const { box } = tree;
      tree.config({ supervise: false }, { setup: `${append("setups")}; echo ready >ready` });
      const id = await tree.start(`${append("agents")}; cat ready >seen`);
      const args = ["run", "-A", "--no-check", "--quiet", PROGRAM, box.root, id, `${at}`];
      const { code, stderr } = await execute(DENO, args);
      assert(code === 0 || code === 137, `killed at ${at}: ${code} ${stderr}`);
      if (code !== 0) killed++;
      const after = await box.run("run", "--all", "--wait");
      const what = `killed at ${at}: ${after.stdout}${after.stderr}`;
      const task = box.task(id);
      assertEquals([task.status, task.reapAt, task.setupAt], ["complete", null, null], what);
      assertEquals(linesOf(box.path("workspace/setups")), ["x"], what);
      assertEquals(linesOf(box.path("workspace/agents")), ["x"], what);
      const { tip, left } = tree.branch(task);
      assertEquals([await tree.show(tip!, "seen"), left], ["ready", null], what);
      await tree.repo.git("fsck", "--strict", "--no-dangling");
      // What a kill after the end leaves beside the task goes with it.
      if (code !== 0) continue;
      const beside = [...Deno.readDirSync(box.path("tasks"))].map(({ name }) => name);
      assertEquals(beside, [`${id}.json`], what);
      break;
    }
    assert(killed >= 10, `killed ${killed} times`);
  },
);
