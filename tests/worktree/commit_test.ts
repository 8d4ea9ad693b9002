// What an agent has left is committed on its branch, wherever it went in git; where that would lose
// something, all stays as it is, with the reason.

import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { needs, ON_LINUX, ON_POSIX, test } from "../support/needs.ts";
import { assertSound, makeTrees, type Trees } from "./trees.ts";
import { GitError } from "../../lib/worktree/git.ts";
import { worktreeState } from "../../lib/worktree/state.ts";

const GIT = needs("git");
const AS_ANN = ["-c", "user.name=Agent", "-c", "user.email=agent@example.org"];

/** Why nothing was committed; the branch and the files are as they were. */
async function keeps(trees: Trees, number = 1): Promise<string> {
  const { path, branch } = trees.wanted(number);
  const look = async () => [
    await trees.user.git("for-each-ref", branch),
    await trees.user.gitIn(path, "diff", "--binary", "HEAD"),
  ];
  const before = await look();
  const error = await assertRejects(() => trees.commit(number));
  assert(error instanceof GitError, String(error));
  assertEquals(await look(), before);
  return error.message;
}

/** All that is there is committed, and the worktree on its branch. */
async function assertCommitted(trees: Trees, tip: string, number = 1): Promise<void> {
  const { path, branch } = trees.wanted(number);
  assertEquals(await trees.user.git("rev-parse", `refs/heads/${branch}`), tip);
  const { clean, branch: on, head } = await worktreeState(trees.repo, path);
  assertEquals([clean, on, head], [true, branch, tip]);
  const again = await trees.commit(number);
  assertEquals([again.tip, again.committed], [tip, false]);
  await assertSound(trees);
}

/** Commits in the worktree, as an agent does. */
async function agentCommits(trees: Trees, path: string, name: string): Promise<string> {
  trees.user.write(name, `${name}\n`, path);
  await trees.user.gitIn(path, "add", "-A");
  await trees.user.gitIn(path, ...AS_ANN, "commit", "-q", "-m", name);
  return await trees.user.gitIn(path, "rev-parse", "HEAD");
}

test("what several commit at once is committed, and told by each of them", GIT, async () => {
  await using trees = await makeTrees();
  const path = await trees.make(1);
  for (let round = 1; round <= 5; round++) {
    trees.user.write("work.txt", `${round}\n`, path);
    const all = await Promise.all([1, 2, 3, 4].map(() => trees.commit(1)));
    const tip = await trees.user.git("rev-parse", `refs/heads/${trees.wanted(1).branch}`);
    assertEquals(all.map((one) => [one.tip, one.files]), all.map(() => [tip, 1]));
    await assertCommitted(trees, tip);
  }
});

test(
  "what was changed, added and removed is committed, with author, message and numbers",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({
      ".gitignore": "ignored\n",
      "b.txt": "b\n",
      "c.txt": "c\n",
      "d/e/f.txt": "f\n",
    });
    const path = await trees.make(1, { base });
    user.write("a.txt", "one\n2\nthree\nfour\nfive\nsix\nseven\neight\n", path);
    user.write("new/file.txt", "1\n2\n3\n", path);
    user.write("ignored", "ignored\n", path);
    Deno.removeSync(`${path}/b.txt`);
    Deno.removeSync(`${path}/d`, { recursive: true });
    user.write("d", "a file now\n", path);
    Deno.writeFileSync(`${path}/binary`, new Uint8Array([0, 1, 2, 10, 0]));
    user.write("staged", "first\n", path);
    await user.gitIn(path, "add", "staged");
    user.write("staged", "second\n", path);
    const { tip, ...rest } = await trees.commit(1, { base });
    assertEquals(rest, {
      files: 7,
      insertions: 6,
      deletions: 3,
      paths: ["a.txt", "b.txt", "binary", "d", "d/e/f.txt", "new/file.txt", "staged"],
      committed: true,
    });
    assertEquals(
      await user.git("show", "-s", "--format=%an %ae %cn%n%P%n%B", tip),
      `Ann Author ann@example.org Ann Author\n${base}\nwhat was left\n`,
    );
    assertEquals(await user.git("show", `${tip}:staged`), "second");
    await assertCommitted(trees, tip);
  },
);

test("nothing left is nothing committed, and the agent's own commits count", GIT, async () => {
  await using trees = await makeTrees();
  const path = await trees.make(1);
  assertEquals(await trees.commit(1), {
    tip: trees.base,
    files: 0,
    insertions: 0,
    deletions: 0,
    paths: [],
    committed: false,
  });
  const tip = await agentCommits(trees, path, "own");
  const { files, ...rest } = await trees.commit(1);
  assertEquals([files, rest.tip, rest.committed], [1, tip, false]);
  await assertCommitted(trees, tip);
});

test(
  "names may have line ends and tabs in them, and begin with anything",
  GIT ?? ON_POSIX,
  async () => {
    await using trees = await makeTrees();
    const path = await trees.make(1);
    const names = [":(top)x", "-rf", "a\tb", "line\nend", '"quoted"', "ä", " space "];
    for (const name of names) trees.user.write(name, "x\n", path);
    const { paths, tip, insertions } = await trees.commit(1);
    assertEquals(paths.sort(), names.sort());
    assertEquals(insertions, names.length);
    await assertCommitted(trees, tip);
  },
);

test(
  "hooks and signatures of the user's are off, and so is what warns of line ends",
  GIT ?? ON_POSIX,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    for (const name of ["pre-commit", "commit-msg", "reference-transaction"]) {
      Deno.writeTextFileSync(`${user.top}/.git/hooks/${name}`, "#!/bin/sh\nexit 1\n", {
        mode: 0o755,
      });
    }
    const path = await trees.make(1);
    await user.git("config", "commit.gpgSign", "true");
    await user.git("config", "gpg.program", "false");
    await user.git("config", "core.autocrlf", "input");
    await user.git("config", "i18n.commitEncoding", "latin1");
    await user.git("config", "core.safecrlf", "true");
    user.write("crlf.txt", "one\r\ntwo\r\n", path);
    const { tip } = await trees.commit(1, { message: "für\0 Ödön 🎼\n" });
    Deno.removeSync(`${user.top}/.git/hooks/reference-transaction`);
    const raw = await user.git("cat-file", "commit", tip);
    assertMatch(raw, /^committer .*\n\nfür Ödön 🎼$/m);
    await assertCommitted(trees, tip);
  },
);

test(
  "an agent at a commit itself, or on a branch of its own, brings its branch along",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const path = await trees.make(1);
    await user.gitIn(path, "checkout", "-q", "--detach");
    const own = await agentCommits(trees, path, "detached");
    user.write("left", "left\n", path);
    const { tip, paths } = await trees.commit(1);
    assertEquals(paths, ["detached", "left"]);
    assertEquals(await user.git("rev-parse", `${tip}^`), own);
    await assertCommitted(trees, tip);
    const second = await trees.make(2);
    await user.gitIn(second, "checkout", "-q", "-b", "feature");
    const feature = await agentCommits(trees, second, "on-feature");
    assertEquals((await trees.commit(2)).tip, feature);
    await assertCommitted(trees, feature, 2);
    // Its own branch is the agent's, and stays.
    assertEquals(await user.git("rev-parse", "feature"), feature);
  },
);

test(
  "an agent that went elsewhere, where its branch does not lead, keeps everything",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const path = await trees.make(1);
    const own = await agentCommits(trees, path, "own");
    // It has only looked.
    await user.gitIn(path, "checkout", "-q", "--detach", trees.base);
    assertEquals((await trees.commit(1)).tip, own);
    // It has changed something there.
    user.write("a.txt", "elsewhere\n", path);
    assertMatch(
      await keeps(trees),
      /^HEAD is at [0-9a-f]{10}, which does not go on from orchestra\/task_/,
    );
    await user.gitIn(path, "checkout", "-q", "-b", "aside");
    assertMatch(await keeps(trees), /^HEAD is on aside, which/);
  },
);

test("a branch that was taken away, or has no commit any more, comes back", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const { branch } = trees.wanted(1);
  const path = await trees.make(1);
  const own = await agentCommits(trees, path, "own");
  user.write("left", "left\n", path);
  await user.gitIn(path, "update-ref", "-d", `refs/heads/${branch}`);
  const { tip } = await trees.commit(1);
  // What the agent has committed is in it, as its log of HEAD tells.
  assertEquals(await user.git("rev-parse", `${tip}^`), own);
  await assertCommitted(trees, tip);
  const second = await trees.make(2);
  await user.gitIn(second, "branch", "-q", "-m", "renamed");
  const renamed = await agentCommits(trees, second, "renamed");
  assertEquals((await trees.commit(2)).tip, renamed);
  await assertCommitted(trees, renamed, 2);
  const third = await trees.make(3);
  await user.gitIn(third, "checkout", "-q", "--orphan", "fresh");
  user.write("fresh", "fresh\n", third);
  const { tip: fresh } = await trees.commit(3);
  assertEquals(await user.git("rev-parse", `${fresh}^`), trees.base);
  await assertCommitted(trees, fresh, 3);
});

test(
  "a merge, a rebase, a cherry-pick or a bisection that is not over keeps everything",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    await user.git("checkout", "-q", "-b", "other");
    const other = await user.commit({ "a.txt": "other\n" });
    const after = await user.commit({ "c.txt": "c\n" });
    const path = await trees.make(1);
    await agentCommits(trees, path, "a.txt");
    const fails = async (...args: string[]) => {
      const { success } = await new Deno.Command("git", {
        args: [...AS_ANN, ...args],
        cwd: path,
        stdout: "null",
        stderr: "null",
      }).output();
      assertEquals(success, false, args.join(" "));
    };
    await fails("merge", "-q", "other");
    assertEquals((await worktreeState(trees.repo, path)).operation, "merge");
    assertMatch(await keeps(trees), /in the middle of a merge/);
    await user.gitIn(path, "merge", "--abort");
    await fails("rebase", "-q", other);
    assertMatch(await keeps(trees), /in the middle of a rebase/);
    await user.gitIn(path, "rebase", "--abort");
    await fails("cherry-pick", other);
    assertMatch(await keeps(trees), /in the middle of a cherry-pick/);
    await user.gitIn(path, "cherry-pick", "--abort");
    await user.gitIn(path, "bisect", "start");
    assertMatch(await keeps(trees), /in the middle of a bisect/);
    await user.gitIn(path, "bisect", "reset");
    // A merge of nobody's: a stash that did not fit leaves files in conflict and nothing else.
    user.write("a.txt", "stashed\n", path);
    await user.gitIn(path, ...AS_ANN, "stash", "-q");
    user.write("a.txt", "committed\n", path);
    await user.gitIn(path, ...AS_ANN, "commit", "-q", "-a", "-m", "committed");
    await fails("stash", "pop", "-q");
    assertMatch(await keeps(trees), /^in conflict: a\.txt/);
    assert(after !== other);
  },
);

test("a repository within is kept, for git would commit its name alone", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const path = await trees.make(1);
  Deno.mkdirSync(`${path}/deep/vendor`, { recursive: true });
  await user.gitIn(`${path}/deep/vendor`, "init", "-q");
  // One without a commit, then one with.
  assertMatch(await keeps(trees), /^a repository of its own is within: deep\/vendor\/$/);
  user.write("x", "x\n", `${path}/deep/vendor`);
  await user.gitIn(`${path}/deep/vendor`, "add", "x");
  await user.gitIn(`${path}/deep/vendor`, ...AS_ANN, "commit", "-q", "-m", "x");
  assertMatch(await keeps(trees), /^a repository of its own is within/);
  assertEquals((await worktreeState(trees.repo, path)).untracked, 1);
});

test("a lock on the index is taken from nobody who may have it", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const path = await trees.make(1);
  user.write("left", "left\n", path);
  const lock = `${await user.gitIn(path, "rev-parse", "--absolute-git-dir")}/index.lock`;
  const long = new Date(Date.now() - 24 * 60 * 60 * 1000);
  {
    using _held = Deno.openSync(lock, { write: true, createNew: true });
    Deno.utimeSync(lock, long, long);
    assertMatch(await keeps(trees), /^another git holds .*index\.lock$/);
    assertEquals(Deno.statSync(lock).size, 0);
    // One that goes is waited for.
    const committed = trees.commit(1);
    await new Promise((done) => setTimeout(done, 100));
    Deno.removeSync(lock);
    await assertCommitted(trees, (await committed).tip);
  }
});

test("a lock on the index whose git was killed is released", GIT ?? ON_LINUX, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const path = await trees.make(1);
  user.write("left", "left\n", path);
  const lock = `${await user.gitIn(path, "rev-parse", "--absolute-git-dir")}/index.lock`;
  Deno.writeTextFileSync(lock, "half");
  const long = new Date(Date.now() - 24 * 60 * 60 * 1000);
  Deno.utimeSync(lock, long, long);
  await assertCommitted(trees, (await trees.commit(1)).tip);
});

test(
  "a file of more than a gigabyte is not put into the repository unasked",
  GIT ?? ON_POSIX,
  async () => {
    await using trees = await makeTrees();
    const path = await trees.make(1);
    Deno.writeTextFileSync(`${path}/large`, "");
    Deno.truncateSync(`${path}/large`, 1024 ** 3 + 1);
    assertMatch(await keeps(trees), /^large is larger than 1 GB/);
    Deno.writeTextFileSync(`${path}/.gitignore`, "large\n");
    await assertCommitted(trees, (await trees.commit(1)).tip);
  },
);

test(
  "outside of what a sparse checkout shows nothing is removed, and what is new is committed",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({ "in/a": "a\n", "out/b": "b\n" });
    const path = await trees.make(1, { base });
    await user.gitIn(path, "sparse-checkout", "set", "in");
    user.write("in/a", "changed\n", path);
    user.write("out/new", "new\n", path);
    const { tip, paths } = await trees.commit(1, { base });
    assertEquals(paths, ["in/a", "out/new"]);
    assertEquals(
      await user.git("ls-tree", "-r", "--name-only", tip),
      "a.txt\nin/a\nout/b\nout/new",
    );
    await assertCommitted(trees, tip);
  },
);

test(
  "filters clean what is committed; one that fails keeps everything",
  GIT ?? needs("sh", "sed"),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({ ".gitattributes": "*.bin filter=large\n" });
    await user.git("config", "filter.large.required", "true");
    await user.git("config", "filter.large.smudge", "cat");
    await user.git("config", "filter.large.clean", "false");
    const path = await trees.make(1, { base });
    user.write("x.bin", "LARGE\n", path);
    assertMatch(await keeps(trees), /x\.bin/);
    await user.git("config", "filter.large.clean", "sed s/LARGE/pointer/");
    const { tip } = await trees.commit(1, { base });
    assertEquals(await user.git("show", `${tip}:x.bin`), "pointer");
    assertEquals(Deno.readTextFileSync(`${path}/x.bin`), "LARGE\n");
    await assertCommitted(trees, tip);
  },
);

test(
  "a worktree without git's own file in it is mended, and one that is gone has its branch",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const path = await trees.make(1);
    user.write("left", "left\n", path);
    Deno.removeSync(`${path}/.git`);
    const { tip } = await trees.commit(1);
    await assertCommitted(trees, tip);
    Deno.removeSync(path, { recursive: true });
    const { tip: still, paths, committed } = await trees.commit(1);
    assertEquals([still, paths, committed], [tip, ["left"], false]);
    await user.git("update-ref", "-d", `refs/heads/${trees.wanted(1).branch}`);
    await assertRejects(() => trees.commit(1), GitError, "is gone, and its branch");
  },
);

test(
  "no other folder is ever committed: not the user's, not one that git does not list",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user, repo } = trees;
    await using other = await makeTrees();
    const { commitLeft } = await import("../../lib/worktree/commit.ts");
    user.write("mine", "mine\n");
    const foreign = await other.make(1);
    const wanted = {
      base: trees.base,
      branch: "orchestra/x",
      message: "x",
      author: { name: "a", email: "b" },
    };
    for (const path of [user.top, foreign, other.user.top, user.beside]) {
      await assertRejects(() => commitLeft(repo, path, wanted), GitError, "is no worktree of");
    }
    // A link in the place of a worktree is not followed.
    const path = await trees.make(2);
    Deno.renameSync(path, `${path}-moved`);
    await Deno.symlink(foreign, path);
    await assertRejects(() => trees.commit(2), GitError, "no longer a worktree");
    assertEquals(await user.git("status", "--porcelain"), "?? mine");
  },
);
