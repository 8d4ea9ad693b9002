// A worktree comes to be: with its files, beside many others, with what the user has not committed, and
// without touching anything of the user's.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { execute, succeeded } from "../support/execute.ts";
import {
  closing,
  linking,
  mounting,
  NARROW,
  needs,
  ON_POSIX,
  succeeds,
  test,
} from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";
import { authorEnv } from "../../lib/worktree/author.ts";
import { keepBackup } from "../../lib/worktree/backup.ts";
import { commitLeft } from "../../lib/worktree/commit.ts";
import { ask } from "../../lib/worktree/git.ts";
import { makeWorktree } from "../../lib/worktree/make.ts";
import { removeWorktree } from "../../lib/worktree/remove.ts";
import { snapshotTree } from "../../lib/worktree/snapshot.ts";
import { ANN, assertSound, assertWhole, makeTrees, taskId } from "./trees.ts";
import { findRepository, listWorktrees } from "../../lib/worktree/repository.ts";
import { OrchestraError } from "../../lib/task/error.ts";

const GIT = needs("git");

/** The error that something is refused with: what was attempted, what was wrong, what to do. */
async function refused(act: () => Promise<unknown>): Promise<OrchestraError> {
  const error = await assertRejects(act);
  assert(error instanceof OrchestraError, String(error));
  assertMatch(error.message, /^Making the worktree \S+: ./);
  assert(error.hint !== undefined, error.message);
  return error;
}

test(
  "a worktree has the files of its base, its own branch, and a lock; again nothing changes",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    await user.commit({ "later.txt": "later\n" });
    const path = await trees.make(1);
    await assertWhole(trees, trees.wanted(1));
    assertEquals(Deno.readTextFileSync(`${path}/a.txt`).split("\n").length, 9);
    await assertRejects(() => Deno.lstat(`${path}/later.txt`));
    // What the agent did is never undone by whoever wants the worktree once more.
    user.write("a.txt", "by the agent\n", path);
    await user.gitIn(path, "checkout", "-q", "--detach");
    await trees.make(1);
    assertEquals(Deno.readTextFileSync(`${path}/a.txt`), "by the agent\n");
    assertEquals(await user.git("config", "--get-regexp", "^branch\\.").catch(() => ""), "");
    await assertSound(trees);
  },
);

test("forty worktrees come to be at once, beside other gits of the user", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  // What the user does meanwhile takes git's own locks.
  let isOver = false;
  const busy = async () => {
    for (let n = 0; !isOver; n++) {
      await user.git("branch", `user-${n}`);
      await user.git("config", "user.count", String(n));
    }
  };
  const wanted = Array.from({ length: 40 }, (_, at) => trees.wanted(at));
  const user_ = busy();
  await Promise.all(wanted.map((it) => makeWorktree(trees.repo, it)));
  isOver = true;
  await user_;
  await Promise.all(wanted.map((it) => assertWhole(trees, it)));
  await assertSound(trees);
});

test(
  "twenty-four come to be at once from eight processes, with each three times",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const program = new URL("steps_program.ts", import.meta.url).pathname.replace(/^\/(?=\w:)/, "");
    const wanted = Array.from({ length: 24 }, (_, at) => trees.wanted(at));
    // Each process makes three of its own and those of two others: the same are made thrice.
    await Promise.all(Array.from({ length: 8 }, async (_, at) => {
      const own = [0, 1, 2].flatMap((shift) =>
        wanted.slice(((at + shift) % 8) * 3, ((at + shift) % 8) * 3 + 3)
      );
      const args = ["run", "-A", "--quiet", program, "make", trees.user.top, JSON.stringify(own)];
      succeeded(await execute(Deno.execPath(), args), `process ${at}`);
    }));
    for (const it of wanted) await assertWhole(trees, it);
    await assertSound(trees);
  },
);

test("names of folders and of files may be strange", GIT ?? ON_POSIX, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const base = await user.commit({ "-x": "x\n", 'odd\n"name': "y\n", "ä b/c": "z\n" });
  const path = `${user.beside}/-a folder\nwith 'all' "of" it/${taskId(1)}`;
  await trees.make(1, { base, path });
  assertEquals(Deno.readTextFileSync(`${path}/odd\n"name`), "y\n");
  assertEquals((await listWorktrees(trees.repo)).map((it) => it.path), [user.top, path]);
  await trees.make(1, { base, path });
});

test(
  "files that git ignores and .worktreeinclude names are copied, links as links",
  GIT ?? linking(),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({
      ".gitignore": ".env*\nlocal/\nnode_modules\n*.secret\nlink\ntracked.env\n.orchestra/\n",
      ".worktreeinclude":
        "# what an agent needs\n.env*\n!.env.prod\nlocal/**\nlink\na.txt\nnew.txt\n.orchestra/\n",
    });
    user.write(".env", "TOKEN=1\n");
    user.write(".env.prod", "no\n");
    user.write("local/deep/config.json", "{}\n");
    user.write("node_modules/x/index.js", "no\n");
    user.write("key.secret", "no\n");
    user.write("new.txt", "not ignored\n");
    user.write("a.txt", "changed by the user\n");
    user.write(".orchestra/config.json", "{}\n");
    user.write("../outside", "outside\n");
    Deno.symlinkSync("../outside", `${user.top}/link`);
    Deno.chmodSync(`${user.top}/.env`, 0o600);
    const path = await trees.make(1, { base });
    await assertWhole(trees, trees.wanted(1));
    assertEquals(Deno.readTextFileSync(`${path}/.env`), "TOKEN=1\n");
    if (Deno.build.os !== "windows") {
      assertEquals(Deno.statSync(`${path}/.env`).mode! & 0o777, 0o600);
    }
    assertEquals(Deno.readTextFileSync(`${path}/local/deep/config.json`), "{}\n");
    assertEquals(Deno.readLinkSync(`${path}/link`), "../outside");
    assertEquals(Deno.readTextFileSync(`${path}/a.txt`).split("\n").length, 9);
    const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assertEquals(names, [
      ".env",
      ".git",
      ".gitignore",
      ".worktreeinclude",
      "a.txt",
      "link",
      "local",
    ]);
    // Without it nothing is.
    const plain = await trees.make(2, { base, include: false });
    await assertRejects(() => Deno.lstat(`${plain}/.env`));
  },
);

test(
  "what is tracked at the base wins over a copy, also as a folder or a link",
  GIT ?? linking(),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    user.write(".env", "tracked\n");
    user.write("conf", "a file at the base\n");
    Deno.symlinkSync("a.txt", `${user.top}/cache`);
    const base = await user.commit({});
    await user.git("rm", "-q", ".env", "conf", "cache");
    await user.commit({
      ".gitignore": ".env\nconf\ncache\n",
      ".worktreeinclude": ".env\nconf\ncache\n",
    });
    user.write(".env", "mine\n");
    user.write("conf/x", "mine\n");
    user.write("cache/x", "mine\n");
    const path = await trees.make(1, { base });
    await assertWhole(trees, trees.wanted(1));
    assertEquals(Deno.readTextFileSync(`${path}/.env`), "tracked\n");
    assertEquals(Deno.readTextFileSync(`${path}/conf`), "a file at the base\n");
    assertEquals(Deno.readLinkSync(`${path}/cache`), "a.txt");
  },
);

/** What git tells of the user's working copy, index included. */
async function standing(user: Awaited<ReturnType<typeof makeTrees>>["user"]): Promise<string[]> {
  const status = await user.git("status", "--porcelain", "--ignored");
  return [status, await user.git("ls-files", "--stage"), await user.git("diff", "--binary")];
}

/** Changes of every kind that are not committed. */
async function soil({ user }: Awaited<ReturnType<typeof makeTrees>>): Promise<void> {
  await user.commit({ "gone.txt": "gone\n", "b.txt": "b\n", ".gitignore": "ignored\n" });
  user.write("a.txt", "changed\n");
  user.write("staged.txt", "staged\n");
  await user.git("add", "staged.txt");
  user.write("b.txt", "staged\n");
  await user.git("add", "b.txt");
  user.write("b.txt", "staged and changed\n");
  user.write("new/untracked.txt", "untracked\n");
  user.write("ignored", "ignored\n");
  Deno.removeSync(`${user.top}/gone.txt`);
  Deno.mkdirSync(`${user.top}/nested`);
  await user.gitIn(`${user.top}/nested`, "init", "-q");
  user.write("nested/x", "x\n");
}

test(
  "carry brings what the user has not committed, as the first commit, and leaves the user's alone",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    await soil(trees);
    const base = await user.git("rev-parse", "HEAD");
    const before = await standing(user);
    const wanted = trees.wanted(1, { base, dirty: "carry" });
    await makeWorktree(trees.repo, wanted);
    assertEquals(await standing(user), before);
    await assertWhole(trees, wanted);
    const changed = await user.gitIn(wanted.path, "diff", "--name-status", base, "HEAD");
    assertEquals(changed, "M\ta.txt\nM\tb.txt\nD\tgone.txt\nA\tnew/untracked.txt\nA\tstaged.txt");
    assertEquals(Deno.readTextFileSync(`${wanted.path}/b.txt`), "staged and changed\n");
    assertEquals(await user.gitIn(wanted.path, "rev-parse", "HEAD^"), base);
    // Once more, also when the user has gone on.
    user.write("a.txt", "changed again\n");
    await makeWorktree(trees.repo, wanted);
    assertEquals(Deno.readTextFileSync(`${wanted.path}/a.txt`), "changed\n");
    await assertSound(trees);
  },
);

test(
  "a copy of what is not committed has no worktree in it that comes within meanwhile",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user, repo } = trees;
    user.write("new.txt", "new\n");
    let isOver = false;
    const copies = (async () => {
      const seen = new Set<string>();
      while (!isOver) seen.add(await snapshotTree(repo, user.top));
      return seen;
    })();
    for (let n = 0; n < 30; n++) {
      await user.git("worktree", "add", "--quiet", "--detach", `${user.top}/made here/${n}`);
    }
    isOver = true;
    const [tree = "", ...others] = await copies;
    assertEquals(others, []);
    assertEquals(await user.git("ls-tree", "-r", "--name-only", tree), "a.txt\nnew.txt");
  },
);

test("carry takes changes to another base, or says which files do not fit there", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  await user.git("checkout", "-q", "-b", "other");
  const base = await user.commit({ "a.txt": "other\n", "c.txt": "c\n" });
  await user.git("checkout", "-q", "main");
  await user.commit({ "only-main.txt": "m\n" });
  user.write("new.txt", "new\n");
  const path = await trees.make(1, { base, dirty: "carry" });
  assertEquals(await user.gitIn(path, "ls-files"), "a.txt\nc.txt\nnew.txt");
  user.write("a.txt", "mine\n");
  const error = await refused(() => trees.make(2, { base, dirty: "carry" }));
  assertMatch(error.message, /do not fit on [0-9a-f]{10}: a\.txt$/);
  assertEquals(await user.git("branch", "--list", "orchestra/*2"), "");
});

test(
  "carry of nothing begins at the base itself, and in the middle of a merge it is refused",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const path = await trees.make(1, { dirty: "carry" });
    assertEquals(await user.gitIn(path, "rev-parse", "HEAD"), trees.base);
    await user.git("checkout", "-q", "-b", "other");
    await user.commit({ "a.txt": "other\n" });
    await user.git("checkout", "-q", "main");
    await user.commit({ "a.txt": "main\n" });
    assertEquals(await user.succeeds("merge", "-q", "other"), false);
    const error = await refused(() => trees.make(2, { dirty: "carry" }));
    assertStringIncludes(error.message, "in the middle of a merge: a.txt");
  },
);

test("refuse makes nothing where something is not committed, and says what", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  await trees.make(1, { dirty: "refuse" });
  await soil(trees);
  const error = await refused(() => trees.make(2, { dirty: "refuse" }));
  assertEquals(error.code, "state");
  assertMatch(error.message, /has uncommitted changes: a\.txt, b\.txt, gone\.txt and 3 more$/);
  assertEquals((await listWorktrees(trees.repo)).length, 2);
  // What is left out stays where it is.
  const path = await trees.make(3, { dirty: "ignore" });
  assertEquals(Deno.readTextFileSync(`${path}/a.txt`).split("\n").length, 9);
  await user.git("reset", "-q", "--hard");
  await user.git("clean", "-qfdx", "-e", "nested");
  Deno.removeSync(`${user.top}/nested`, { recursive: true });
  // A worktree within the working copy is nobody's change.
  await trees.make(4, { dirty: "refuse", path: `${user.top}/.trees/${taskId(4)}` });
  await trees.make(5, { dirty: "refuse" });
});

test(
  "a branch that has commits of its own, or is in use, or cannot be, is refused",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const { branch } = trees.wanted(1);
    await user.git("checkout", "-q", "-b", branch);
    assertStringIncludes((await refused(() => trees.make(1))).message, "checked out in");
    const tip = await user.commit({ x: "x\n" });
    await user.git("checkout", "-q", "main");
    const error = await refused(() => trees.make(1));
    assertEquals([error.code, await user.git("rev-parse", branch)], ["state", tip]);
    await user.git("branch", "-q", "taken");
    const taken = await refused(() => trees.make(2, { branch: "taken/2" }));
    assertMatch(taken.message, /there is a branch named taken/);
    await assertRejects(() => trees.make(3, { branch: "-f" }), TypeError);
    await assertRejects(() => trees.make(3, { path: "relative" }), TypeError);
    assertEquals((await listWorktrees(trees.repo)).length, 1);
  },
);

test("what stands at the path already stays as it is", GIT ?? linking(), async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const { path } = trees.wanted(1);
  user.write("mine", "mine\n", path);
  assertStringIncludes((await refused(() => trees.make(1))).message, "something else is there");
  assertEquals(Deno.readTextFileSync(`${path}/mine`), "mine\n");
  Deno.symlinkSync(user.top, trees.wanted(2).path);
  assertStringIncludes((await refused(() => trees.make(2))).message, "something else is there");
  await user.git("worktree", "add", "-q", trees.wanted(3).path, "-b", "users");
  assertStringIncludes((await refused(() => trees.make(3))).message, "another worktree is there");
  // The user's working copy itself.
  assert((await assertRejects(() => trees.make(4, { path: user.top }))) instanceof OrchestraError);
  assertEquals(await user.git("branch", "--list", "orchestra/*"), "");
});

test("a submodule is an empty folder, and one that was set up there works", GIT, async () => {
  await using trees = await makeTrees();
  await using other = await makeTrees();
  const { user } = trees;
  const allow = ["-c", "protocol.file.allow=always"];
  await user.git(...allow, "submodule", "--quiet", "add", other.user.top, "sub");
  const base = await user.commit({});
  const path = await trees.make(1, { base });
  await assertWhole(trees, trees.wanted(1));
  assertEquals([...Deno.readDirSync(`${path}/sub`)], []);
  await user.gitIn(path, ...allow, "submodule", "--quiet", "update", "--init");
  assertEquals(Deno.readTextFileSync(`${path}/sub/a.txt`).split("\n").length, 9);
  await assertWhole(trees, trees.wanted(1));
});

test(
  "filters bring large files as they are configured; one that fails undoes the worktree",
  GIT ?? needs("sh", "sed"),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    await user.git("config", "filter.large.clean", "sed s/LARGE/pointer/");
    await user.git("config", "filter.large.smudge", "sed s/pointer/LARGE/");
    await user.git("config", "filter.large.required", "true");
    const base = await user.commit({
      ".gitattributes": "*.bin filter=large\n",
      "x.bin": "LARGE\n",
    });
    assertEquals(await user.git("show", "HEAD:x.bin"), "pointer");
    const path = await trees.make(1, { base });
    assertEquals(Deno.readTextFileSync(`${path}/x.bin`), "LARGE\n");
    await assertWhole(trees, trees.wanted(1));
    await user.git("config", "filter.large.smudge", "false");
    const error = await refused(() => trees.make(2, { base }));
    assertMatch(error.message, /x\.bin/);
    assertEquals(await user.git("branch", "--list", "orchestra/*2"), "");
    await assertRejects(() => Deno.lstat(trees.wanted(2).path));
    await user.git("config", "filter.large.smudge", "cat");
    await trees.make(2, { base });
    await assertSound(trees);
  },
);

test(
  "hooks of the user's do not run, and a sparse working copy stays sparse",
  GIT ?? ON_POSIX,
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const base = await user.commit({ "in/a": "a\n", "out/b": "b\n" });
    Deno.writeTextFileSync(
      `${user.top}/.git/hooks/post-checkout`,
      "#!/bin/sh\ntouch ran\nexit 1\n",
      {
        mode: 0o755,
      },
    );
    await user.git("sparse-checkout", "set", "in");
    const path = await trees.make(1, { base });
    await assertWhole(trees, trees.wanted(1));
    const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assertEquals(names, [".git", "a.txt", "in"]);
  },
);

test("a lock of another git is waited for", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  const lock = `${user.top}/.git/refs/heads/${trees.wanted(1).branch}.lock`;
  user.write(lock.slice(user.top.length + 1), "");
  const made = trees.make(1);
  // It is tried in vain before it is let go.
  await new Promise((done) => setTimeout(done, 100));
  Deno.removeSync(lock);
  await made;
  await assertWhole(trees, trees.wanted(1));
});

test(
  "on a full disk nothing is half made, and with room it goes on",
  GIT ?? mounting(),
  async () => {
    await using trees = await makeTrees();
    const { user } = trees;
    const noise = crypto.getRandomValues(new Uint8Array(60_000));
    Deno.writeFileSync(`${user.top}/large`, noise);
    const base = await user.commit({
      ...Object.fromEntries([..."abcdefgh"].map((it) => [it, "x\n"])),
    });
    using disk = new SmallDisk("size=48k");
    const path = `${disk.path}/${taskId(1)}`;
    const error = await refused(() => trees.make(1, { base, path }));
    assertEquals(error.code, "environment");
    assertMatch(error.message, /unable to write file large$/);
    assertStringIncludes(error.hint!, "disk is full");
    assertEquals([...Deno.readDirSync(disk.path)], []);
    assertEquals((await listWorktrees(trees.repo)).length, 1);
    assertEquals(await user.git("branch", "--list", "orchestra/*"), "");
    assert(succeeds("mount", "-o", "remount,size=1m", disk.path));
    await trees.make(1, { base, path });
    assertEquals(Deno.readFileSync(`${path}/large`), noise);
  },
);

test("a .git that may not be written to is told", GIT ?? closing(), async () => {
  await using trees = await makeTrees();
  const { gitDir } = trees.repo;
  const folders = [gitDir, `${gitDir}/refs/heads`];
  for (const folder of folders) assert(succeeds("chattr", "+i", folder));
  try {
    const error = await assertRejects(() => trees.make(1));
    assert(error instanceof OrchestraError, String(error));
    assertEquals(error.code, "environment");
    assertMatch(error.hint!, /Check who owns/);
  } finally {
    for (const folder of folders) succeeds("chattr", "-i", folder);
  }
  await trees.make(1);
});

test(
  "a worktree can be made from within another one, and from a HEAD at a commit",
  GIT,
  async () => {
    await using trees = await makeTrees();
    const path = await trees.make(1);
    await trees.user.gitIn(path, "checkout", "-q", "--detach");
    await makeWorktree(await findRepository(path), trees.wanted(2));
    await assertWhole(trees, trees.wanted(2));
  },
);

test(
  "under the narrow permissions the same is done, by programs of the system",
  GIT ?? NARROW,
  async () => {
    await using trees = await makeTrees();
    const { user, repo } = trees;
    const base = await user.commit({
      ".gitignore": ".env\nlink\nlocal/\n.orchestra/\n",
      ".worktreeinclude": ".env\nlink\nlocal/\n",
    });
    user.write(".env", "TOKEN=1\n");
    user.write("local/a b/'c'", "c\n");
    Deno.symlinkSync("nowhere", `${user.top}/link`);
    Deno.mkdirSync(`${user.top}/local/repository`);
    await user.gitIn(`${user.top}/local/repository`, "init", "-q");
    user.write("mine.txt", "mine\n");
    Deno.mkdirSync(`${user.top}/.orchestra`);
    const wanted = trees.wanted(1, { base, dirty: "carry" });
    const run = async (what: string, code = 0) => {
      const program = new URL("steps_program.ts", import.meta.url).pathname;
      const folders = ".orchestra,.orchestra-cli";
      const flags = [`--allow-read=${folders}`, `--allow-write=${folders}`, "--allow-run"];
      const args = ["run", "--quiet", "--no-prompt", ...flags, program, what, user.top];
      const outcome = await execute(Deno.execPath(), [...args, JSON.stringify([wanted])], {
        cwd: user.top,
      });
      assertEquals(outcome.code, code, JSON.stringify(outcome));
      assert(!/NotCapable|Requires/.test(outcome.stderr), outcome.stderr);
      return outcome.stderr;
    };
    // Half made it is found as well.
    user.write("gitdir", `${wanted.path}/.git\n`, `${repo.gitDir}/worktrees/${taskId(1)}`);
    user.write("locked", wanted.reason, `${repo.gitDir}/worktrees/${taskId(1)}`);
    user.write(".git", `gitdir: ${repo.gitDir}/worktrees/${taskId(1)}\n`, wanted.path);
    await run("make");
    await run("make");
    await assertWhole(trees, wanted);
    assertEquals(Deno.readTextFileSync(`${wanted.path}/.env`), "TOKEN=1\n");
    assertEquals(Deno.readTextFileSync(`${wanted.path}/local/a b/'c'`), "c\n");
    assertEquals(Deno.readLinkSync(`${wanted.path}/link`), "nowhere");
    assertEquals(Deno.readTextFileSync(`${wanted.path}/mine.txt`), "mine\n");
    user.write("left.txt", "left\n", wanted.path);
    assertStringIncludes(await run("remove", 1), "1 file is not committed");
    await run("commit");
    Deno.mkdirSync(`${wanted.path}/local/nested`);
    await user.gitIn(`${wanted.path}/local/nested`, "init", "-q");
    assertStringIncludes(await run("remove", 1), "within: local/nested");
    Deno.removeSync(`${wanted.path}/local`, { recursive: true });
    await run("remove");
    await assertRejects(() => Deno.lstat(wanted.path));
    assertEquals(await user.git("show", `${wanted.branch}:left.txt`), "left");
    await assertSound(trees);
  },
);

test("a repository with SHA-256 is as any other", GIT, async () => {
  await using folder = await makeFolder();
  const top = `${folder.path}/repo`;
  await ask(folder.path, ["init", "-q", "-b", "main", "--object-format=sha256", top]);
  Deno.writeTextFileSync(`${top}/a`, "a\n");
  await ask(top, ["add", "a"]);
  await ask(top, ["commit", "-q", "-m", "first"], { env: authorEnv(ANN) });
  const base = await ask(top, ["rev-parse", "HEAD"]);
  const repo = await findRepository(top);
  assertEquals([repo.hash, base.length], ["sha256", 64]);
  const path = `${folder.path}/${taskId(1)}`;
  const branch = "orchestra/x";
  const wanted = {
    branch,
    base,
    path,
    reason: "orchestra x",
    dirty: "carry",
    include: true,
  } as const;
  Deno.writeTextFileSync(`${top}/b`, "b\n");
  await makeWorktree(repo, wanted);
  await ask(path, ["checkout", "-q", "--detach"]);
  Deno.writeTextFileSync(`${path}/c`, "c\n");
  const { tip, paths } = await commitLeft(repo, path, { base, branch, message: "m", author: ANN });
  assertEquals([tip.length, paths], [64, ["b", "c"]]);
  assertEquals(await keepBackup(repo, "x", tip), "refs/orchestra/backup/x-1");
  await ask(path, ["update-ref", "-d", `refs/heads/${branch}`]);
  assertEquals(
    (await commitLeft(repo, path, { base, branch, message: "m", author: ANN })).tip,
    tip,
  );
  assertEquals(await removeWorktree(repo, path, { force: false }), { removed: true });
});

test("a lock on the index of the user's is in nobody's way, and stays", GIT, async () => {
  await using trees = await makeTrees();
  const { user } = trees;
  user.write("new.txt", "new\n");
  user.write(".git/index.lock", "");
  const path = await trees.make(1, { dirty: "carry" });
  assertEquals(Deno.readTextFileSync(`${path}/new.txt`), "new\n");
  await assertWhole(trees, trees.wanted(1));
  assertEquals(Deno.readTextFileSync(`${user.top}/.git/index.lock`), "");
});
