// A worktree goes when everything in it is committed, and stays with the reason when it is not. Nothing that
// is only there is lost, whatever is forced.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import {
  closing,
  linking,
  needs,
  ON_LINUX,
  ON_POSIX,
  SHELL,
  succeeds,
  test,
} from "../support/needs.ts";
import { assertSound, makeTrees, taskId, type Trees } from "./trees.ts";
import { backups } from "../../lib/worktree/backup.ts";
import { removeWorktree } from "../../lib/worktree/remove.ts";
import { findWorktree } from "../../lib/worktree/repository.ts";
import { worktreeState } from "../../lib/worktree/state.ts";

const GIT = needs("git");

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Removes it; the folder and the record are gone. */
async function removes(trees: Trees, number: number, force = false): Promise<void> {
  const { path } = trees.wanted(number);
  assertEquals(await removeWorktree(trees.repo, path, { force }), { removed: true });
  assertEquals(exists(path), false);
  assertEquals(await findWorktree(trees.repo, path), undefined);
  await assertSound(trees);
}

/** It stays, with all that is in it; why. */
async function keeps(trees: Trees, number: number, force = false): Promise<string> {
  const { path } = trees.wanted(number);
  const before = await findWorktree(trees.repo, path);
  const removal = await removeWorktree(trees.repo, path, { force });
  assert(!removal.removed, "it was removed");
  assertEquals(await findWorktree(trees.repo, path), before);
  return removal.why;
}

test("a clean worktree goes with what git ignores, and its branch stays", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ ".gitignore": "build/\n.env\n", ".worktreeinclude": ".env\n" });
  user.write(".env", "TOKEN=1\n");
  const path = await trees.make(1, { base });
  user.write("work", "work\n", path);
  user.write("build/deep/out", "out\n", path);
  const { tip } = await trees.commit(1, { base });
  await removes(trees, 1);
  assertEquals(await user.git("rev-parse", trees.wanted(1).branch), tip);
  assertEquals(Deno.readTextFileSync(`${user.top}/.env`), "TOKEN=1\n");
  // It is gone: once more there is nothing to do.
  await removes(trees, 1);
  assertEquals(await backups(trees.repo), []);
});

test("what is not committed keeps it, or is kept as a backup where it is forced", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ ".gitignore": "ignored\n", "gone": "gone\n" });
  const path = await trees.make(1, { base });
  user.write("a.txt", "staged\n", path);
  await user.gitIn(path, "add", "a.txt");
  user.write("a.txt", "changed\n", path);
  user.write("new/file", "new\n", path);
  Deno.removeSync(`${path}/gone`);
  assertEquals(await keeps(trees, 1), "3 files are not committed");
  await removes(trees, 1, true);
  const [backup, ...others] = await backups(trees.repo);
  assertEquals([backup!.ref, others], [`refs/orchestra/backup/${taskId(1)}-1`, []]);
  assertEquals(await user.git("show", `${backup!.ref}:a.txt`), "changed");
  assertEquals(await user.git("show", `${backup!.ref}:new/file`), "new");
  assertEquals(await user.succeeds("show", `${backup!.ref}:gone`), false);
  assertEquals(await user.git("show", `${backup!.ref}^2:a.txt`), "staged");
  assertEquals(await user.git("rev-parse", `${backup!.ref}^`), base);
});

test("changes that git was told to overlook keep it, and are in the backup", GIT, async () => {
  await using trees = await makeTrees();
  const { user, repo } = trees;
  const base = await user.commit({ "b.txt": "b\n", "c.txt": "c\n", "in/x": "x\n", "out/y": "y\n" });
  const path = await trees.make(1, { base });
  await user.gitIn(path, "update-index", "--assume-unchanged", "a.txt", "c.txt");
  await user.gitIn(path, "update-index", "--skip-worktree", "b.txt", "c.txt");
  await trees.commit(1, { base });
  // Told so, and the same: it goes as any other.
  assertEquals((await worktreeState(repo, path)).clean, true);
  user.write("a.txt", "overlooked\n", path);
  user.write("b.txt", "overlooked, too\n", path);
  assertEquals(await user.gitIn(path, "status", "--porcelain"), "");
  const { clean, changed, hidden } = await worktreeState(repo, path);
  assertEquals([clean, changed, hidden], [false, 2, ["a.txt", "b.txt"]]);
  assertEquals(
    await keeps(trees, 1),
    "2 files are not committed; git was told to overlook a.txt",
  );
  await removes(trees, 1, true);
  const [backup] = await backups(repo);
  assertEquals(await user.git("show", `${backup!.ref}:b.txt`), "overlooked, too");
  // A sparse checkout marks what is not there in the same way.
  const sparse = await trees.make(2, { base });
  await user.gitIn(sparse, "sparse-checkout", "set", "in");
  assertEquals((await worktreeState(repo, sparse)).clean, true);
  await removes(trees, 2);
});

test("what git is in the middle of keeps it, or its files are in the backup", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  await user.git("checkout", "-q", "-b", "other");
  await user.commit({ "a.txt": "other\n" });
  const path = await trees.make(1);
  await user.commit({ "a.txt": "agent\n" }, "agent", path);
  assertEquals(await user.succeeds("-C", path, "merge", "-q", "other"), false);
  assertEquals(await keeps(trees, 1), "git is in the middle of a merge there");
  await removes(trees, 1, true);
  const [backup] = await backups(trees.repo);
  assertMatch(
    await user.git("show", `${backup!.ref}:a.txt`),
    /^<<<<<<< HEAD\nagent\n=======\nother\n/,
  );
});

test(
  "commits that no branch has are kept first: of a HEAD without a branch, and what was undone",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const path = await trees.make(1);
    const undone = await user.commit({ undone: "undone\n" }, "undone", path);
    await user.gitIn(path, "reset", "-q", "--hard", trees.base);
    await user.gitIn(path, "checkout", "-q", "--detach");
    const detached = await user.commit({ detached: "detached\n" }, "detached", path);
    await removes(trees, 1);
    const [backup, ...others] = await backups(trees.repo);
    assertEquals(others, []);
    for (const commit of [undone, detached]) {
      await user.git("merge-base", "--is-ancestor", commit, backup!.ref);
    }
    await user.git("reflog", "expire", "--expire=now", "--all");
    await user.git("gc", "--quiet", "--prune=now");
    await user.git("cat-file", "-e", undone);
    // Also where somebody else took the folder away.
    const second = await trees.make(2);
    await user.gitIn(second, "checkout", "-q", "--detach");
    const lonely = await user.commit({ lonely: "lonely\n" }, "lonely", second);
    Deno.removeSync(second, { recursive: true });
    await removes(trees, 2);
    assertEquals((await backups(trees.repo)).map((it) => it.commit).includes(lonely), true);
  },
);

test("repositories within stay, ignored or not, also where it is forced", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ ".gitignore": "vendor/\n" });
  const ignored = await trees.make(1, { base });
  Deno.mkdirSync(`${ignored}/vendor/deep/lib`, { recursive: true });
  await user.gitIn(`${ignored}/vendor/deep/lib`, "init", "-q");
  const plain = await trees.make(2, { base });
  Deno.mkdirSync(`${plain}/lib`);
  await user.gitIn(`${plain}/lib`, "init", "-q");
  for (const force of [false, true]) {
    assertEquals(
      await keeps(trees, 1, force),
      "a repository of its own is within: vendor/deep/lib",
    );
    assertEquals(await keeps(trees, 2, force), "a repository of its own is within: lib");
  }
});

test("a queue that an agent began within stays, also where it is forced", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ ".gitignore": "target/\n" });
  const own = await trees.make(1, { base });
  user.write(".orchestra/.gitignore", "*\n", own);
  user.write(".orchestra/tasks/task_1700000000000.json", "{}\n", own);
  const deep = await trees.make(2, { base });
  user.write("target/try/.orchestra/tasks/task_1700000000000.json", "{}\n", deep);
  // What is tracked is on the branch.
  const tracked = await trees.make(3, { base });
  user.write("example/.orchestra/tasks/task_1700000000000.json", "{}\n", tracked);
  await trees.commit(3, { base });
  for (const force of [false, true]) {
    assertEquals(await keeps(trees, 1, force), "a workspace of its own is within: .orchestra");
    assertEquals(
      await keeps(trees, 2, force),
      "a workspace of its own is within: target/try/.orchestra",
    );
  }
  await removes(trees, 3);
});

test(
  "submodules that were set up keep it, also where it is forced; empty ones do not",
  GIT,
  async () => {
    await using trees = await makeTrees();
    await using other = await makeTrees();
    const { user } = trees;
    const allow = ["-c", "protocol.file.allow=always"];
    await user.git(...allow, "submodule", "--quiet", "add", other.user.top, "sub");
    const base = await user.commit({});
    await trees.make(1, { base });
    assertEquals((await worktreeState(trees.repo, trees.wanted(1).path)).submodules, false);
    await removes(trees, 1);
    const path = await trees.make(2, { base });
    await user.gitIn(path, ...allow, "submodule", "--quiet", "update", "--init");
    const own = await user.commit({ own: "own\n" }, "own", `${path}/sub`);
    for (const force of [false, true]) assertMatch(await keeps(trees, 2, force), /submodules/);
    assertEquals(await user.gitIn(`${path}/sub`, "rev-parse", "HEAD"), own);
    // Also when the agent has taken its files away: the commits are in git's folder.
    await user.gitIn(path, "submodule", "--quiet", "deinit", "-f", "sub");
    assertMatch(await keeps(trees, 2, true), /submodules/);
  },
);

test(
  "nothing is removed but a worktree of the repository, and no link is followed",
  GIT ?? linking(),
  async () => {
    await using trees = await makeTrees();
    await using other = await makeTrees();
    const { user, repo } = trees;
    const foreign = await other.make(1);
    Deno.mkdirSync(`${user.beside}/folder`);
    for (const path of [user.top, foreign, other.user.top, `${user.beside}/folder`]) {
      for (const force of [false, true]) {
        const removal = await removeWorktree(repo, path, { force });
        assertEquals(removal, { removed: false, why: "it is no worktree of this repository" });
      }
    }
    const path = await trees.make(2);
    Deno.renameSync(path, `${path}-moved`);
    Deno.symlinkSync(foreign, path);
    assertEquals(await keeps(trees, 2, true), "something else is in its place");
    assert(exists(`${foreign}/a.txt`) && exists(`${path}-moved/a.txt`));
    // A link in the worktree goes, and what it leads to stays.
    const third = await trees.make(3);
    const gitDir = await user.gitIn(third, "rev-parse", "--absolute-git-dir");
    user.write("kept/file", "kept\n", user.beside);
    Deno.mkdirSync(`${gitDir}/info`, { recursive: true });
    Deno.writeTextFileSync(`${user.top}/.git/info/exclude`, "link\n");
    Deno.symlinkSync(`${user.beside}/kept`, `${third}/link`);
    await removes(trees, 3);
    assertEquals(Deno.readTextFileSync(`${user.beside}/kept/file`), "kept\n");
  },
);

test("a lock of somebody else's keeps it", GIT, async () => {
  await using trees = await makeTrees();
  const path = await trees.make(1);
  await trees.user.git("worktree", "unlock", path);
  await trees.user.git("worktree", "lock", "--reason", "mine", path);
  assertEquals(await keeps(trees, 1, true), "it is locked: mine");
  await trees.user.git("worktree", "unlock", path);
  await trees.user.git("worktree", "lock", path);
  assertEquals(await keeps(trees, 1, true), "it is locked");
});

test("what a killed git has begun to remove is removed to its end", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ "b/c.txt": "c\n", "d.txt": "d\n" });
  const begin = async (path: string) => {
    user.write(
      "orchestra-removing",
      `${base}\n`,
      await user.gitIn(path, "rev-parse", "--absolute-git-dir"),
    );
    await user.git("worktree", "unlock", path);
  };
  // Git's own file went first, or last, or the whole folder and not the record.
  const [first, last, gone] = [1, 2, 3].map((number) => trees.wanted(number).path);
  for (const number of [1, 2, 3]) {
    const path = await trees.make(number, { base });
    await begin(path);
  }
  Deno.removeSync(`${first}/.git`);
  Deno.removeSync(`${first}/b/c.txt`);
  Deno.removeSync(`${last}/b`, { recursive: true });
  Deno.removeSync(`${last}/a.txt`);
  Deno.removeSync(gone!, { recursive: true });
  for (const number of [1, 2, 3]) await removes(trees, number);
  // What somebody has changed there in between is no such thing, nor is what an agent has removed.
  const changed = await trees.make(4, { base });
  await begin(changed);
  Deno.removeSync(`${changed}/d.txt`);
  user.write("a.txt", "changed\n", changed);
  assertEquals(await keeps(trees, 4), "2 files are not committed");
  const removed = await trees.make(5, { base });
  Deno.removeSync(`${removed}/d.txt`);
  assertEquals(await keeps(trees, 5), "1 file is not committed");
});

test(
  "an ignored folder whose name is no text keeps it: it cannot be looked into",
  GIT ?? SHELL ?? ON_LINUX,
  async () => {
    await using trees = await makeTrees();
    const base = await trees.user.commit({ ".gitignore": "build/\n" });
    const path = await trees.make(1, { base });
    const script =
      `mkdir -p "$(printf 'build/\\377/x')" && git init -q "$(printf 'build/\\377/x')"`;
    await new Deno.Command("sh", { args: ["-c", script], cwd: path }).output();
    assertMatch(await keeps(trees, 1, true), /^a repository of its own is within: build\/\ufffd$/);
  },
);

test("folders that may not be written to go as well", GIT ?? ON_POSIX, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ ".gitignore": "mod/\n" });
  const path = await trees.make(1, { base });
  user.write("mod/cache/deep/file", "cached\n", path);
  for (const name of ["mod/cache/deep", "mod/cache", "mod"]) {
    Deno.chmodSync(`${path}/${name}`, 0o555);
  }
  // To root all folders are open; without these rights they are not.
  const rights = ["--bounding-set=-dac_override,-dac_read_search"];
  const isRoot = Deno.uid() === 0 && succeeds("setpriv", ...rights, "true");
  const program = new URL("steps_program.ts", import.meta.url).pathname;
  const wanted = JSON.stringify([trees.wanted(1)]);
  const args = ["run", "-A", "--quiet", "--no-check", program, "remove", user.top, wanted];
  const { success, stderr } = await new Deno.Command(isRoot ? "setpriv" : Deno.execPath(), {
    args: isRoot ? [...rights, Deno.execPath(), ...args] : args,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(exists(path), false);
  await removes(trees, 1);
});

test(
  "a folder that git cannot remove all of stays a worktree, and goes later",
  GIT ?? closing(),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({ ".gitignore": "mod/\n", "b/c": "c\n" });
    for (const force of [false, true]) {
      const number = force ? 2 : 1;
      const path = await trees.make(number, { base });
      user.write("mod/file", "cached\n", path);
      if (force) user.write("new", "new\n", path);
      assert(succeeds("chattr", "+i", `${path}/mod`));
      try {
        const removal = await removeWorktree(trees.repo, path, { force });
        assert(!removal.removed && /failed to delete/.test(removal.why), JSON.stringify(removal));
        const entry = await findWorktree(trees.repo, path);
        assertEquals(
          [entry?.locked, entry?.branch],
          [trees.wanted(number).reason, trees.wanted(number).branch],
        );
        // What git has removed is back, unless there is more; that is in a backup.
        const status = await user.gitIn(path, "status", "--porcelain");
        assert(force || (status === "" && exists(`${path}/b/c`)), status);
      } finally {
        succeeds("chattr", "-i", `${path}/mod`);
      }
      await removes(trees, number, force);
    }
    const [backup] = await backups(trees.repo);
    assertEquals(await user.git("show", `${backup!.ref}:new`), "new");
  },
);
