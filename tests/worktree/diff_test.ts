// What a task changed, told of real repositories: committed and not, whatever the files are called, and
// whatever is going on in the worktree; and nothing of the agent's is touched by looking.

import type { TaskBranch } from "../../lib/task/fields.ts";
import { compare, listChanges, readPatches, readWhole } from "../../lib/worktree/diff.ts";
import { parseChanges, splitPatches } from "../../lib/worktree/diff_parse.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { MODES, needs, test } from "../support/needs.ts";
import { makeRepository, type TestRepository } from "../support/repository.ts";
import { OrchestraError } from "../../lib/task/error.ts";

const GIT = needs("git");
/** Names that Windows has no files of. */
const ODD_NAMES = GIT ?? MODES;

/** A worktree as a task's is. */
async function makeTree(repo: TestRepository, name = "t1"): Promise<TaskBranch> {
  const path = `${repo.beside}/${name}`;
  const base = await repo.git("rev-parse", "HEAD");
  await repo.git("worktree", "add", "--quiet", "-b", `orchestra/${name}`, path, base);
  const counts = { files: null, insertions: null, deletions: null };
  return { branch: `orchestra/${name}`, base, path, folder: "", tip: null, left: null, ...counts };
}

/** The changes of a branch, and their patches by path. */
async function look(repo: TestRepository, branch: TaskBranch, against?: string) {
  const found = await findRepository(repo.top);
  await using comparison = await compare(found, "task_1", branch, {
    against,
    scratch: repo.beside,
  });
  const files = await listChanges(comparison);
  const { patches, cut } = await readPatches(comparison, files, 1e6);
  const { text } = await readWhole(comparison, 1e6);
  return { files, patches, cut, text, base: comparison.base, tip: comparison.tip };
}

const short = (files: Awaited<ReturnType<typeof look>>["files"]) =>
  files.map(({ path, change, insertions, deletions }) =>
    `${change} ${path} ${insertions} ${deletions}`
  );

test("a task's branch is compared from its base to its tip", GIT, async () => {
  await using repo = await makeRepository();
  const branch = await makeTree(repo);
  const tip = await repo.commit({ "a.txt": "one\n", "new.txt": "new\n" }, "work", branch.path);
  // What came after it, in its worktree and on the branch, is not the task's.
  await repo.commit({ "later.txt": "later\n" }, "later", branch.path);
  repo.write("open.txt", "open\n", branch.path);
  const seen = await look(repo, { ...branch, tip });
  assertEquals(short(seen.files), ["modified a.txt 0 7", "added new.txt 1 0"]);
  assertEquals(seen.patches.get("new.txt"), "@@ -0,0 +1 @@\n+new\n");
  assertEquals([seen.base, seen.tip], [branch.base, tip]);
  assert(seen.text.includes("--- a/a.txt\n+++ b/a.txt\n"));
});

test(
  "while it runs, what is not committed is told as well, and nothing of it is touched",
  GIT,
  async () => {
    await using repo = await makeRepository();
    const branch = await makeTree(repo);
    const { path } = branch;
    await repo.commit({ "committed.txt": "1\n", ".gitignore": "*.log\n" }, "work", path);
    await repo.git("config", "core.trustctime", "false");
    const then = new Date(1000 * Math.floor(Date.now() / 1000 - 60));
    Deno.utimeSync(`${path}/a.txt`, then, then);
    await repo.gitIn(path, "update-index", "--refresh");
    repo.write("staged.txt", "staged\n", path);
    await repo.gitIn(path, "add", "staged.txt");
    repo.write("staged.txt", "and more\n", path);
    repo.write("deep/new.txt", "new\n", path);
    repo.write("ignored.log", "not told\n", path);
    // Of the same length, and at the time at which the index was written: git looks into such a file.
    repo.write("a.txt", "ONE\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n", path);
    Deno.utimeSync(`${path}/a.txt`, then, then);
    Deno.utimeSync(`${repo.top}/.git/worktrees/t1/index`, then, then);
    const status = (...args: string[]) =>
      repo.gitIn(path, "--no-optional-locks", "status", ...args);
    const before = await status("--porcelain=v2", "--untracked-files=all");
    const index = Deno.readFileSync(`${repo.top}/.git/worktrees/t1/index`);
    const seen = await look(repo, branch);
    assertEquals(short(seen.files), [
      "added .gitignore 1 0",
      "modified a.txt 1 1",
      "added committed.txt 1 0",
      "added deep/new.txt 1 0",
      "added staged.txt 1 0",
    ]);
    assertEquals(seen.tip, null);
    assertEquals(seen.patches.get("staged.txt"), "@@ -0,0 +1 @@\n+and more\n");
    assertEquals(Deno.readFileSync(`${repo.top}/.git/worktrees/t1/index`), index);
    assertEquals(
      await status("--porcelain=v2", "--untracked-files=all"),
      before,
    );
    assertEquals([...Deno.readDirSync(repo.beside)].map(({ name }) => name), ["t1"]);
  },
);

test("it is told whatever its agent did in git", GIT, async (t) => {
  await using repo = await makeRepository();
  await t.step("HEAD is at a commit itself, or at another branch", async () => {
    const branch = await makeTree(repo, "moved");
    await repo.gitIn(branch.path, "checkout", "--quiet", "--detach");
    await repo.commit({ "x.txt": "x\n" }, "work", branch.path);
    assertEquals(short((await look(repo, branch)).files), ["added x.txt 1 0"]);
  });
  await t.step("a merge stands still with a conflict", async () => {
    const branch = await makeTree(repo, "merging");
    const other = await makeTree(repo, "other");
    await repo.commit({ "a.txt": "theirs\n" }, "theirs", other.path);
    await repo.commit({ "a.txt": "ours\n", "b.txt": "b\n" }, "ours", branch.path);
    assertEquals(
      await repo.gitIn(branch.path, "merge", "orchestra/other").catch(() => "conflict"),
      "conflict",
    );
    const { files, patches } = await look(repo, branch);
    assertEquals(files.map(({ path }) => path), ["a.txt", "b.txt"]);
    assert(patches.get("a.txt")!.includes("+<<<<<<< HEAD\n"));
  });
  await t.step("its index is locked, or gone", async () => {
    const branch = await makeTree(repo, "locked");
    const folder = `${repo.top}/.git/worktrees/locked`;
    repo.write("x.txt", "x\n", branch.path);
    Deno.writeTextFileSync(`${folder}/index.lock`, "");
    assertEquals(short((await look(repo, branch)).files), ["added x.txt 1 0"]);
    Deno.removeSync(`${folder}/index`);
    assertEquals(short((await look(repo, branch)).files), ["added x.txt 1 0"]);
  });
  await t.step("git was told to overlook a file", async () => {
    const branch = await makeTree(repo, "overlooked");
    await repo.gitIn(branch.path, "update-index", "--assume-unchanged", "a.txt");
    repo.write("a.txt", "changed\n", branch.path);
    assertEquals(short((await look(repo, branch)).files), ["modified a.txt 1 8"]);
  });
  await t.step("another repository is in it", async () => {
    const branch = await makeTree(repo, "nested");
    repo.write("x.txt", "x\n", branch.path);
    Deno.mkdirSync(`${branch.path}/inner`);
    await repo.gitIn(`${branch.path}/inner`, "init", "--quiet");
    repo.write("inner/y.txt", "y\n", branch.path);
    assertEquals(short((await look(repo, branch)).files), ["added x.txt 1 0"]);
  });
  await t.step("the worktree is gone, and the branch is there", async () => {
    const branch = await makeTree(repo, "gone");
    const tip = await repo.commit({ "x.txt": "x\n" }, "work", branch.path);
    await repo.git("worktree", "remove", branch.path);
    const seen = await look(repo, branch);
    assertEquals([seen.tip, short(seen.files)], [tip, ["added x.txt 1 0"]]);
  });
});

test("it is compared with where it parted from another branch", GIT, async () => {
  await using repo = await makeRepository();
  const first = await makeTree(repo, "first");
  await repo.commit({ "first.txt": "1\n" }, "first", first.path);
  await repo.git("merge", "--quiet", "orchestra/first");
  const branch = { ...await makeTree(repo, "second"), base: first.base };
  await repo.commit({ "main.txt": "main\n" }, "main");
  repo.write("second.txt", "2\n", branch.path);
  assertEquals((await look(repo, branch)).files.length, 2);
  const seen = await look(repo, branch, "main");
  assertEquals(short(seen.files), ["added second.txt 1 0"]);
  for (const bad of ["-x", "--output=/tmp/x", "nobody", "main\n", ""]) {
    await assertRejects(() => look(repo, branch, bad), OrchestraError);
  }
  await repo.git("checkout", "--quiet", "--orphan", "alone");
  await repo.commit({}, "alone");
  const error = await assertRejects(() => look(repo, branch, "alone"), OrchestraError);
  assert(error.message.includes("nothing in common"), error.message);
});

test("what is gone is said, and no path of a task's file is looked into", GIT, async () => {
  await using repo = await makeRepository();
  await using other = await makeRepository();
  const branch = await makeTree(repo);
  const gone = "0123456789".repeat(4);
  for (
    const [bad, said] of [
      [{ ...branch, tip: gone }, /the tip of its branch, 012345678901, is not in/],
      [{ ...branch, base: gone }, /the base of its branch/],
      [{ ...branch, branch: "nobody", path: other.top }, /neither its worktree nor its branch/],
      // The user's own working copy is no worktree of a task.
      [{ ...branch, branch: "nobody", path: repo.top }, /neither its worktree nor its branch/],
    ] as const
  ) {
    const error = await assertRejects(() => look(repo, bad), OrchestraError);
    assert(said.test(error.message), error.message);
    assertEquals(error.code, "state");
  }
});

test(
  "names and contents are told as they are, whatever git and the user have set",
  ODD_NAMES,
  async () => {
    await using repo = await makeRepository();
    await repo.commit({ "blank.txt": "\n1\n" });
    const branch = await makeTree(repo);
    const { path } = branch;
    repo.write("blank.txt", "\n2\n", path);
    const names = [
      "line\nbreak",
      "tab\tname",
      '"quoted"',
      "-dash",
      ":(glob)*",
      "näme",
      "* star",
      " a b ",
      "\x1b[31m",
    ];
    for (const name of names) repo.write(name, `${name}\n`, path);
    const fake = "x\rdiff --git a/f b/f\n@@ -1 +1 @@\n\u2028diff --git a/g b/g\n\n";
    repo.write("fake.txt", fake, path);
    Deno.chmodSync(`${path}/a.txt`, 0o755);
    Deno.symlinkSync("nowhere", `${path}/link`);
    for (
      const [key, value] of [
        ["diff.noprefix", "true"],
        ["diff.mnemonicPrefix", "true"],
        ["diff.suppressBlankEmpty", "true"],
        ["diff.external", "false"],
        ["color.ui", "always"],
        ["diff.relative", "true"],
        ["core.quotePath", "true"],
        ["diff.renames", "false"],
        ["diff.submodule", "log"],
        ["diff.wsErrorHighlight", "all"],
      ] as const
    ) await repo.git("config", key, value);
    const { files, patches } = await look(repo, branch);
    assertEquals(
      new Set(files.map(({ path }) => path)),
      new Set([...names, "fake.txt", "a.txt", "link", "blank.txt"]),
    );
    assertEquals(files.find(({ path }) => path === "a.txt")!.modes, ["100644", "100755"]);
    assertEquals(patches.get("a.txt"), "");
    assertEquals(patches.get("blank.txt"), "@@ -1,2 +1,2 @@\n \n-1\n+2\n");
    for (const name of names) {
      const text = name === "line\nbreak" ? "+line\n+break\n" : `+${name}\n`;
      assert(patches.get(name)!.endsWith(text), JSON.stringify([name, patches.get(name)]));
    }
    assertEquals(
      patches.get("fake.txt"),
      `@@ -0,0 +1,4 @@\n${fake.trimEnd().split("\n").map((line) => `+${line}\n`).join("")}+\n`,
    );
  },
);

test(
  "files that were moved, became something else or are no text are told as such",
  ODD_NAMES,
  async () => {
    await using repo = await makeRepository();
    const lines = Array.from({ length: 30 }, (_, at) => `line ${at}\n`).join("");
    await repo.commit({
      "moved.txt": lines,
      "turned.txt": "text\n",
      "binary": "a\0b",
      "z.txt": "z\n",
    });
    const branch = await makeTree(repo);
    const { path } = branch;
    Deno.mkdirSync(`${path}/to`);
    Deno.renameSync(`${path}/moved.txt`, `${path}/to/here.txt`);
    repo.write("to/here.txt", lines.replace("line 3\n", "line three\n"), path);
    Deno.removeSync(`${path}/turned.txt`);
    Deno.symlinkSync("a.txt", `${path}/turned.txt`);
    repo.write("binary", "a\0c", path);
    repo.write("z.txt", "zz\n", path);
    for (const committed of [false, true]) {
      const tip = committed ? await repo.commit({}, "work", path) : null;
      const { files, patches } = await look(repo, { ...branch, tip });
      assertEquals(
        files.map(({ path, from, change, insertions }) => [path, from, change, insertions]),
        [
          ["binary", null, "modified", null],
          ["to/here.txt", "moved.txt", "renamed", 1],
          ["turned.txt", null, "retyped", 1],
          ["z.txt", null, "modified", 1],
        ],
      );
      assertEquals(patches.get("binary"), "");
      assertEquals(
        patches.get("turned.txt"),
        "@@ -1 +0,0 @@\n-text\n@@ -0,0 +1 @@\n+a.txt\n\\ No newline at end of file\n",
      );
      assertEquals(patches.get("z.txt"), "@@ -1 +1 @@\n-z\n+zz\n");
    }
  },
);

test("no more of a patch is read than was asked for", GIT, async () => {
  await using repo = await makeRepository();
  const branch = await makeTree(repo);
  const files = Object.fromEntries(
    Array.from({ length: 300 }, (_, at) => [`${"folder/".repeat(12)}f${100 + at}`, `${at}\n`]),
  );
  const tip = await repo.commit(
    { ...files, "zz-large": "x".repeat(5_000_000) },
    "work",
    branch.path,
  );
  const found = await findRepository(repo.top);
  await using comparison = await compare(found, "task_1", { ...branch, tip }, {
    scratch: repo.beside,
  });
  const listed = await listChanges(comparison);
  assertEquals(listed.length, 301);
  // All the small ones, in more than one go, and nothing of the large one.
  const { patches, cut } = await readPatches(comparison, listed, 200_000);
  assertEquals([patches.size, cut], [300, true]);
  assertEquals(patches.get(listed[299]!.path), "@@ -0,0 +1 @@\n+299\n");
  // Asked for alone it begins.
  const alone = await readPatches(comparison, listed.slice(300), 200_000);
  assertEquals(alone.cut, true);
  assertEquals([...alone.patches.keys()], ["zz-large"]);
  const few = await readPatches(comparison, listed, 1000);
  assert(few.cut && few.patches.size > 0 && few.patches.size < 10, String(few.patches.size));
});

test(
  "a scratch file that a killed look left goes with the next one, a young one stays",
  GIT,
  async () => {
    await using repo = await makeRepository();
    const branch = await makeTree(repo);
    const names = [crypto.randomUUID(), crypto.randomUUID()].map((id) => `diff-${id}.index`);
    for (const name of [...names, "diff-mine.index"]) repo.write(name, "", repo.beside);
    const old = new Date(Date.now() - 7_200_000);
    Deno.utimeSync(`${repo.beside}/${names[0]}`, old, old);
    Deno.utimeSync(`${repo.beside}/diff-mine.index`, old, old);
    await look(repo, branch);
    assertEquals(
      [...Deno.readDirSync(repo.beside)].map(({ name }) => name).sort(),
      [names[1]!, "diff-mine.index", "t1"].sort(),
    );
  },
);

Deno.test("what is no list of changes is refused, and no line of a file begins another file", () => {
  assertEquals(parseChanges(""), []);
  assertThrows(() => parseChanges(":100644 100644 a b M\0"), TypeError);
  assertThrows(() => parseChanges("nonsense\0"), TypeError);
  assertEquals(splitPatches(""), []);
  const patch = "@@ -1 +1,2 @@\n-x\n+diff --git a/f b/f\n+y\rdiff --git a/f b/f\n";
  const whole = `diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n${patch}`;
  assertEquals(splitPatches(`${whole}diff --git a/b b/b\nold mode 1\n`), [patch, ""]);
});
