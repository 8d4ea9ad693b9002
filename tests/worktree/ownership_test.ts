// A worktree is ours only where git's own record of it, its `.git` and its lock say so together: an agent can
// write each of them, and what is another's is neither committed nor removed for it.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { linking, needs, test } from "../support/needs.ts";
import { makeBranches } from "../support/branches.ts";
import { makeTrees, taskId } from "./trees.ts";
import { GitError } from "../../lib/worktree/git.ts";
import { removeWorktree } from "../../lib/worktree/remove.ts";

const GIT = needs("git");

const text = (path: string) => Deno.readTextFileSync(path);

/** Files below a folder, with their texts, and how git's own stands. */
function pictureOf(...paths: string[]): string[] {
  return paths.map((path) => `${path}: ${text(path)}`);
}

test("a user's worktree stays, though an agent locked it as if it were a task's", GIT, async () => {
  await using all = await makeBranches();
  const { repo } = all;
  await repo.commit({ ".gitignore": "*.env\n" });
  const one = await all.make();
  const detached = `${repo.beside}/detached`;
  const named = `${repo.beside}/named`;
  await repo.git("worktree", "add", "-q", "--detach", detached);
  await repo.git("worktree", "add", "-q", "-b", "mine", named);
  for (const path of [detached, named]) repo.write("my.env", "secret\n", path);
  // One that has a branch of its own, and one that is nobody's: either went.
  await repo.git("worktree", "lock", "--reason", `orchestra ${one.taskId}`, detached);
  await repo.git("worktree", "lock", "--reason", "orchestra task_1700000000000009", named);
  const seen = await all.look();
  assertEquals(seen.map(({ found }) => [found.taskId, found.path]), [[one.taskId, one.path]]);
  for (const id of [one.taskId, "task_1700000000000009"]) await all.clean(id, true);
  assertEquals(text(`${detached}/my.env`) + text(`${named}/my.env`), "secret\nsecret\n");
  assertEquals(await repo.gitIn(named, "branch", "--show-current"), "mine");
});

test(
  "an agent whose .git leads to the user's index has nothing committed there",
  GIT ?? linking(),
  async () => {
    await using trees = await makeTrees();
    const { user, repo } = trees;
    user.write("a.txt", "staged\n");
    await user.git("add", "a.txt");
    user.write("a.txt", "working\n");
    const own = `${user.beside}/own`;
    await user.git("worktree", "add", "-q", "-b", "mine", own);
    user.write("a.txt", "staged\n", own);
    await user.gitIn(own, "add", "a.txt");
    const ownRecord = `${repo.gitDir}/worktrees/own`;
    const before = () =>
      Promise.all([
        user.git("rev-parse", "--abbrev-ref", "HEAD"),
        user.git("ls-files", "--stage"),
        user.gitIn(own, "rev-parse", "--abbrev-ref", "HEAD"),
        user.gitIn(own, "ls-files", "--stage"),
      ]);
    const then = await before();
    let number = 0;
    const replaceByLink = (path: string, name: string) => {
      const record = path.replace(user.beside, `${repo.gitDir}/worktrees`);
      Deno.removeSync(`${record}/${name}`);
      Deno.symlinkSync(`${repo.gitDir}/${name}`, `${record}/${name}`);
    };
    const spoil = [
      (path: string) => Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${repo.gitDir}\n`),
      (path: string) => Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${ownRecord}\n`),
      (path: string) => {
        Deno.removeSync(`${path}/.git`);
        Deno.symlinkSync(repo.gitDir, `${path}/.git`);
      },
      (path: string) => {
        Deno.removeSync(`${path}/.git`);
        Deno.symlinkSync(`${own}/.git`, `${path}/.git`);
      },
      // Git would write through these.
      (path: string) => replaceByLink(path, "index"),
      (path: string) => replaceByLink(path, "HEAD"),
    ];
    for (const change of spoil) {
      const path = await trees.make(++number);
      user.write("x", "x\n", path);
      change(path);
      await assertRejects(() => trees.commit(number), GitError, "no longer a worktree");
      assertEquals(await before(), then);
      const removal = await removeWorktree(repo, path, { force: true });
      assert(!removal.removed, "it was removed");
      assertEquals(await before(), then);
      assertEquals(pictureOf(`${path}/x`), [`${path}/x: x\n`]);
    }
    assertEquals(await user.git("rev-parse", "main"), trees.base);
  },
);

test("a record that an agent turned to a user's folder leads nobody there", GIT, async () => {
  await using all = await makeBranches();
  const { repo, found } = all;
  const own = `${repo.beside}/own`;
  await repo.git("worktree", "add", "-q", "-b", "mine", own);
  const plain = `${repo.beside}/plain`;
  for (const path of [own, plain]) repo.write("unc", "not committed\n", path);
  const places = [own, plain, repo.top];
  for (const place of places) {
    const one = await all.make();
    Deno.writeTextFileSync(`${found.gitDir}/worktrees/${one.taskId}/gitdir`, `${place}/.git\n`);
    const cleaned = await all.clean(one.taskId, true);
    assert(cleaned?.kind !== "removed" || cleaned.path === null, JSON.stringify(cleaned));
    const removal = await removeWorktree(found, place, { force: true }).catch((error) => error);
    if (place !== own) assert(!removal.removed, `${place} was removed`);
    else assertEquals(removal.removed, false);
  }
  assertEquals(text(`${own}/unc`) + text(`${plain}/unc`), "not committed\nnot committed\n");
  assertEquals(await repo.gitIn(own, "status", "--porcelain", "--branch"), "## mine\n?? unc");
  assertEquals([...Deno.readDirSync(plain)].map(({ name }) => name), ["unc"]);
  assertEquals(await repo.git("branch", "--show-current"), "main");
});

test("a branch that somebody has checked out does not move under him", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const path = await trees.make(1);
  await user.gitIn(path, "checkout", "-q", "--detach");
  await user.git("checkout", "-q", `orchestra/${taskId(1)}`);
  user.write("x", "x\n", path);
  await assertRejects(() => trees.commit(1), GitError, `is checked out in ${user.top}`);
  assertEquals(await user.git("status", "--porcelain"), "");
  assertEquals(text(`${path}/x`), "x\n");
});

test("a branch that is being rebased or bisected elsewhere stays", GIT, async () => {
  await using all = await makeBranches();
  const { repo } = all;
  const rebased = await all.make();
  const bisected = await all.make();
  await repo.commit({ "a.txt": "theirs\n" }, "theirs", rebased.path);
  for (const { path } of [rebased, bisected]) {
    await repo.gitIn(path, "checkout", "-q", "--detach");
  }
  const user = `${repo.beside}/user`;
  await repo.git("worktree", "add", "-q", user, rebased.branch);
  // Both are integrated: all of them would go by themselves.
  const base = await repo.git("rev-parse", "main");
  await repo.git("merge", "-q", "--no-edit", rebased.branch);
  await repo.gitIn(user, "branch", "-q", "other", base);
  await repo.gitIn(user, "checkout", "-q", "other");
  await repo.commit({ "a.txt": "ours\n" }, "ours", user);
  const rebase = new Deno.Command("git", {
    args: ["rebase", "-q", "other", rebased.branch],
    cwd: user,
    stdout: "null",
    stderr: "null",
  });
  assert(!(await rebase.output()).success, "it was to stop in the middle");
  await repo.git("checkout", "-q", bisected.branch);
  await repo.git("bisect", "start");
  await repo.git("checkout", "-q", "--detach");
  for (const { taskId, branch } of [rebased, bisected]) {
    const cleaned = await all.clean(taskId, true, "main");
    assert(cleaned?.kind === "kept" && cleaned.why.code === "elsewhere", JSON.stringify(cleaned));
    await repo.git("rev-parse", "--verify", "-q", `refs/heads/${branch}`);
  }
});

test("of a repository that was moved is told what mends it", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  await using all = await makeBranches();
  const path = await trees.make(1);
  user.write("x", "x\n", path);
  const moved = `${user.beside}/moved`;
  Deno.renameSync(user.top, moved);
  const { findRepository } = await import("../../lib/worktree/repository.ts");
  const { commitLeft } = await import("../../lib/worktree/commit.ts");
  const repo = await findRepository(moved);
  const { base, branch } = trees.wanted(1);
  const author = { name: "a", email: "b@c" };
  const commit = () => commitLeft(repo, path, { base, branch, message: "x", author });
  await assertRejects(commit, GitError, `git -C ${moved} worktree repair`);
  await user.gitIn(moved, "worktree", "repair");
  assertEquals((await commit()).paths, ["x"]);
  // The same is told by those who look.
  const one = await all.make();
  const record = `${all.found.gitDir}/worktrees/${one.taskId}`;
  Deno.writeTextFileSync(`${one.path}/.git`, `gitdir: /gone${record}\n`);
  const [seen] = await all.look();
  const folder = seen!.place.folder;
  assert(folder.kind === "foreign", JSON.stringify(folder));
  assertStringIncludes(folder.problem, "git worktree repair");
});

test("what git would look at through a link is not taken for clean", GIT ?? linking(), async () => {
  await using all = await makeBranches();
  const one = await all.make();
  all.repo.write("x", "x\n", one.path);
  const record = `${all.found.gitDir}/worktrees/${one.taskId}`;
  Deno.removeSync(`${record}/index`);
  Deno.symlinkSync(`${all.found.gitDir}/index`, `${record}/index`);
  const before = await all.repo.git("ls-files", "--stage", "--debug");
  const cleaned = await all.clean(one.taskId, true);
  assert(cleaned?.kind === "kept" && cleaned.why.code === "foreign", JSON.stringify(cleaned));
  assertEquals(text(`${one.path}/x`), "x\n");
  assertEquals(await all.repo.git("ls-files", "--stage", "--debug"), before);
});
