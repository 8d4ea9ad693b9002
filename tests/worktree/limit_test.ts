// A git that does not come to its end is ended, with the filter of the user's that it waits for.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { lives } from "../support/program.ts";
import { assertSound, makeTrees, type Trees } from "./trees.ts";
import { ask, GitError } from "../../lib/worktree/git.ts";
import { limitGit } from "../../lib/worktree/limit.ts";
import { makeWorktree } from "../../lib/worktree/make.ts";

const GIT = needs("git") ?? SHELL;

/** Files named *.h go through a filter that tells its number and hangs, with a child that does as well. */
async function hang({ user }: Trees, way: "clean" | "smudge"): Promise<() => number[]> {
  const told = `${user.beside}/pids`;
  Deno.writeTextFileSync(told, "");
  const script = `${user.beside}/filter.sh`;
  Deno.writeTextFileSync(script, `trap '' TERM\nsleep 1000 &\necho $$ $! >>'${told}'\nwait; cat\n`);
  await user.git("config", `filter.h.${way}`, `sh '${script}'`);
  await user.git("config", "filter.h.required", "true");
  return () => Deno.readTextFileSync(told).split(/\s+/).filter((it) => it !== "").map(Number);
}

/** Aborts as soon as a filter hangs. */
function whenHanging({ user }: Trees, pids: () => number[]): AbortSignal {
  const stop = new AbortController();
  const watcher = Deno.watchFs(user.beside);
  void (async () => {
    for await (const _ of watcher) if (pids().length >= 2) break;
    stop.abort(new Error("enough of it"));
  })();
  return stop.signal;
}

test(
  "a git in a limited folder is ended with all that it has started, and its locks go",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({ ".gitattributes": "*.h filter=h\n" });
    const path = await trees.make(1, { base });
    const pids = await hang(trees, "clean");
    user.write("x.h", "x\n", path);
    {
      using _limit = limitGit(path, whenHanging(trees, pids));
      const error = await assertRejects(() => trees.commit(1, { base }));
      assert(error instanceof GitError);
      assertStringIncludes(error.message, "enough of it");
      // Whatever follows under the same limit does not even begin to hang.
      await assertRejects(() => ask(path, ["add", "--all"]));
    }
    assertEquals(pids().filter(lives), []);
    await assertSound(trees);
    await user.git("config", "filter.h.clean", "cat");
    assertEquals((await trees.commit(1, { base })).files, 1);
  },
);

test("a worktree whose making does not come to its end is undone", GIT, async () => {
  await using trees = await makeTrees();
  const { user, repo } = trees;
  const base = await user.commit({ "x.h": "x\n", ".gitattributes": "*.h filter=h\n" });
  const pids = await hang(trees, "smudge");
  const wanted = trees.wanted(1, { base });
  const error = await assertRejects(() => makeWorktree(repo, wanted, whenHanging(trees, pids)));
  assertStringIncludes(String(error), "enough of it");
  assertEquals(pids().filter(lives), []);
  assertEquals(await user.git("branch", "--list", wanted.branch), "");
  assertEquals((await user.git("worktree", "list")).split("\n").length, 1);
  await assertSound(trees);
});

test("what is carried over comes to its end, too", GIT, async () => {
  await using trees = await makeTrees();
  const { user, repo } = trees;
  const base = await user.commit({ ".gitattributes": "*.h filter=h\n" });
  const pids = await hang(trees, "clean");
  user.write("x.h", "x\n");
  const wanted = trees.wanted(1, { base, dirty: "carry" });
  await assertRejects(() => makeWorktree(repo, wanted, whenHanging(trees, pids)));
  assertEquals(pids().filter(lives), []);
  assertEquals(await user.git("branch", "--list", wanted.branch), "");
  await assertSound(trees);
});
