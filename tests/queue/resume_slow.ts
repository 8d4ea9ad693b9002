// A kill at every change of a file while a retry takes an earlier attempt's worktree over and goes on in it.

import { assert, assertEquals } from "../support/assert.ts";
import { DENO, execute } from "../support/execute.ts";
import { textIn } from "../support/gated.ts";
import { needs, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const PROGRAM = new URL("setup_program.ts", import.meta.url).pathname;
const GIT = needs("git") ?? SHELL ?? ON_POSIX;
const AGENT = {
  command: "sh",
  args: ["-c", "echo $1 >>begun; echo kept >.kept; exit 3", "agent", "{sessionId}"],
  resume: ["-c", 'echo $1 >>begun; cp .kept seen; echo x >>"$ORCHESTRA_WORKSPACE/agents"'],
  completion: "exit",
};

for (const isGone of [false, true]) {
  test(
    "killed at any change of a file, a retry goes on once in the worktree that it takes over" +
      (isGone ? ", which is made again" : ""),
    GIT,
    async () => {
      let killed = 0;
      for (let at = 1;; at++) {
        await using tree = await makeWorktreeBox();
        const { box, repo } = tree;
        box.agents({ agent: { ...AGENT, resume: [...AGENT.resume, "agent", "{sessionId}"] } });
        tree.config({ supervise: false });
        repo.write(".git/info/exclude", ".orchestra*/\n.kept\n");
        repo.write(".worktreeinclude", ".kept\n");
        repo.write(".kept", "kept\n");
        const id = await box.start("--worktree", "agent", "work");
        await box.run("run", "--wait");
        const { path, tip: before } = tree.branch(await box.settled(id));
        if (isGone) {
          await repo.git("worktree", "unlock", path);
          await repo.git("worktree", "remove", "--force", path);
        }
        const { taskId: next } = JSON.parse(await box.ok("retry", "--resume", id, "--json"));
        const args = ["run", "-A", "--no-check", "--quiet", PROGRAM, box.root, next, `${at}`];
        const { code, stderr } = await execute(DENO, args);
        assert(code === 0 || code === 137, `killed at ${at}: ${code} ${stderr}`);
        const after = await box.run("run", "--all", "--wait");
        const what = `killed at ${at}: ${after.stdout}${after.stderr}`;
        const task = box.task(next);
        assertEquals([task.status, task.reapAt], ["complete", null], what);
        assertEquals(textIn(box.path("workspace/agents")), "x\n", what);
        const { tip, left, branch } = tree.branch(task);
        const session = task.resumes!;
        assertEquals(
          [await tree.show(tip!, "begun"), await tree.show(tip!, "seen"), left, branch],
          [`${session}\n${session}`, "kept", null, `orchestra/${id}`],
          what,
        );
        assertEquals(await repo.git("show", "-s", "--format=%P", tip!), before!, what);
        assertEquals(await tree.worktrees(), [], what);
        await repo.git("fsck", "--strict", "--no-dangling");
        if (code === 0) break;
        killed++;
      }
      assert(killed >= 8, `killed ${killed} times`);
    },
  );
}
