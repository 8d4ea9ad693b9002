// `orchestra diff`, and what `show` and `status --changes` tell of a task's changes.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, SIGNALS, terminal, test } from "../support/needs.ts";
import { commandLine, type Outcome, spawn } from "../support/program.ts";
import { GIT_ENV } from "../support/repository.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git");
/** Tasks whose prompts are scripts, with git. */
const REAL = GIT ?? SHELL;

/** The new line, as git paints it. */
const GREEN = new RegExp("\x1b\\[32m\\+.*new");

/** A task that has run, and has changed one file and made another. */
async function runOne(made: WorktreeBox, script = "echo one >a.txt; echo new >new.txt") {
  const id = await made.start(script);
  await made.box.ok("run", "--all", "--wait");
  return id;
}

test("diff shows what a task has changed, as git does", REAL, async () => {
  await using made = await makeWorktreeBox();
  const { box, repo } = made;
  const id = await runOne(made);
  const { base, tip } = made.branch(id);
  assert(tip !== null);
  for (const args of [[], ["--stat"], ["--name-only"]]) {
    const said = await box.ok("diff", ...args, id);
    assertEquals(said.trimEnd(), await repo.git("diff", ...args, base, tip), args.join());
  }
  assertEquals(await box.ok("diff", "--name-only", "@last"), "a.txt\nnew.txt\n");
  assertMatch(await box.ok("--color", "diff", id), GREEN);
  // Where the branch and another parted, and not what is on that by now.
  await repo.commit({ "later.txt": "later\n" });
  assertEquals(await box.ok("diff", "--name-only", "--against", "main", id), "a.txt\nnew.txt\n");
  await repo.git("merge", "--quiet", made.branch(id).branch);
  assertEquals(await box.ok("diff", "--against", "main", id), "");
  await box.ok("config", "set", "archive.max_queue_size", "0");
  assertStringIncludes(await box.ok("archive", "now", "--force"), "Archived 1 task");
  assertEquals(await box.ok("diff", "--name-only", id), "a.txt\nnew.txt\n");
});

test("diff --json has the files, the lines and the patch", REAL, async () => {
  await using made = await makeWorktreeBox();
  const id = await runOne(made);
  const { base, tip } = made.branch(id);
  const { files, patch, ...rest } = await made.box.json("diff", id);
  assertEquals(rest, { taskId: id, base, tip, insertions: 1, deletions: 7, cut: false });
  assertEquals(files.length, 2);
  assertEquals(files[1], {
    path: "new.txt",
    from: null,
    change: "added",
    insertions: 1,
    deletions: 0,
    modes: null,
  });
  assertStringIncludes(patch, "+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n");
  const stat = await made.box.json("diff", "--stat", id);
  assertEquals([stat.patch, stat.files], [undefined, files]);
});

test("a running task's diff has what is not committed yet", REAL, async () => {
  await using made = await makeWorktreeBox("sub");
  const { box } = made;
  await made.repo.commit({ "sub/there.txt": "there\n" });
  const id = await made.start("echo made >made.txt; echo ready; while :; do sleep 1; done");
  await box.ok("run", "--all");
  await box.until("the file", () => {
    try {
      return Deno.readTextFileSync(box.path(`logs/${id}.log`)).includes("ready");
    } catch {
      return false;
    }
  });
  // The whole repository, wherever in it the workspace is.
  assertEquals(await box.ok("diff", "--name-only", id), "sub/made.txt\n");
  assertEquals((await box.json("diff", id)).tip, null);
  assertEquals([...Deno.readDirSync(box.path(""))].filter(({ name }) => /index/.test(name)), []);
  await box.ok("cancel", id);
});

test("show and status --changes tell how much a task changed", REAL, async () => {
  await using made = await makeWorktreeBox();
  const { box } = made;
  const id = await runOne(made);
  const page = await box.ok("show", id);
  assertMatch(page, /^Changes +2 files \+1 -7$/m);
  assertMatch(page, /^Changed files\n {2}a\.txt\n {2}new\.txt$/m);
  assertEquals((await box.json("show", id)).changes, {
    branch: made.branch(id).branch,
    files: 2,
    insertions: 1,
    deletions: 7,
    paths: ["a.txt", "new.txt"],
  });
  const nothing = await runOne(made, "true");
  const plain = await box.start("shell", "true");
  assert(!(await box.ok("status")).includes("CHANGES"));
  const table = (await box.ok("status", "--changes")).split("\n");
  const row = (of: string) => table.find((line) => line.includes(of))!;
  assertStringIncludes(table[0]!, "CHANGES");
  assertStringIncludes(row(id), "2 files +1 -7");
  assertStringIncludes(row(nothing), "nothing");
  assertMatch(row(plain), /ready/);
  assertEquals((await box.json("show", plain)).changes, null);
});

test("what has no branch, or no longer has it, is said", GIT, async () => {
  await using made = await makeWorktreeBox();
  const { box, repo } = made;
  const plain = await box.start("--no-worktree", "shell", "true");
  const waiting = await box.start("--worktree", "shell", "true");
  const none = await box.fails(4, "diff", plain);
  assertStringIncludes(none.message, "has no branch: it works in the workspace itself");
  assertStringIncludes(none.hint!, "--worktree");
  const later = await box.fails(4, "diff", waiting);
  assertStringIncludes(later.message, "has no branch before it runs");
  await box.fails(3, "diff", "task_1234567890");
  // A file that somebody else wrote: neither options of git nor other folders come of it.
  const path = box.path(`tasks/${plain}.json`);
  const base = await repo.git("rev-parse", "HEAD");
  const git = {
    ...{ branch: "nobody", base, path: repo.top, folder: "", tip: null, left: null },
    ...{ files: null, insertions: null, deletions: null },
  };
  const say = (change: Record<string, unknown>) =>
    Deno.writeTextFileSync(
      path,
      JSON.stringify({ ...box.task(plain), git: { ...git, ...change } }),
    );
  say({});
  const gone = await box.fails(4, "diff", plain);
  assertStringIncludes(gone.message, "neither its worktree nor its branch any more");
  for (const change of [{ branch: "--output=x" }, { base: "--help" }, { tip: "--help", base: 1 }]) {
    say(change);
    assertStringIncludes((await box.fails(4, "diff", plain)).message, "has no branch");
  }
  say({ branch: "main" });
  for (const against of ["--output=x", "nobody", "main..main", "a b"]) {
    const error = await box.fails(2, "diff", `--against=${against}`, plain);
    assertStringIncludes(error.message, against);
  }
});

/** Runs the program on a terminal of its own; what came out of it. */
async function onTerminal(
  root: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<Outcome> {
  const line = commandLine(...args).map((word) => `'${word}'`).join(" ");
  await using live = spawn("script", ["-qec", line, "/dev/null"], {
    cwd: root,
    env: { TERM: "xterm", ...env },
  });
  return await live.ended();
}

test("on a terminal it is in colours and in the user's pager", REAL ?? terminal(), async () => {
  await using made = await makeWorktreeBox();
  const id = await runOne(made);
  const { GIT_CONFIG_GLOBAL, GIT_CONFIG_NOSYSTEM } = GIT_ENV;
  const base = { GIT_CONFIG_GLOBAL: GIT_CONFIG_GLOBAL!, GIT_CONFIG_NOSYSTEM: GIT_CONFIG_NOSYSTEM! };
  const look = async (env: Record<string, string>, ...args: string[]) =>
    (await onTerminal(made.box.root, { ...base, ...env }, "diff", ...args, id)).stdout;
  const paged = await look({ PAGER: "sed s/^/paged:/" });
  assertMatch(paged, GREEN);
  assertMatch(paged, /^paged:/m);
  assertMatch(await look({ PAGER: "false", GIT_PAGER: "sed s/^/own:/" }), /^own:/m);
  const plain = await look({ PAGER: "cat", NO_COLOR: "1" }, "--stat");
  assert(!plain.includes("\x1b["), plain);
  assertStringIncludes(plain, "2 files changed");
  await made.repo.git("config", "core.pager", "sed s/^/set:/");
  assertMatch(await look({}), /^set:/m);
});

test("who reads no further ends it, and nothing is left behind", REAL ?? SIGNALS, async () => {
  await using made = await makeWorktreeBox();
  const { box } = made;
  const id = await runOne(made, "yes 'a long line of text' | head -200000 >large.txt");
  const branch = made.branch(id);
  // As if it was still running: its worktree is there again.
  await made.repo.git("worktree", "add", "--quiet", branch.path, branch.branch);
  const task = { ...box.task(id), git: { ...branch, tip: null } };
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify(task));
  const line = commandLine("diff", id).map((word) => `'${word}'`).join(" ");
  await using live = spawn("sh", ["-c", `${line} | head -3`], { cwd: box.root });
  const { stdout, stderr } = await live.ended();
  assertEquals([stdout.split("\n").length, stderr], [4, ""]);
  assertEquals([...Deno.readDirSync(box.path(""))].filter(({ name }) => /index/.test(name)), []);
});
