// What `orchestra merge` takes and leaves, and what it says is to be done: tasks whose branches were given up,
// that were archived or removed, whose work is in no commit, that were to resolve what is in conflict.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { lines, makeMergeBox, type MergeBox } from "../support/merges.ts";
import { needs, test } from "../support/needs.ts";
import { makeFolder, openBox } from "../support/program.ts";

const GIT = needs("git");

/** What `merge --json` says, and its exit code. */
// deno-lint-ignore no-explicit-any
async function merged({ box }: MergeBox, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await box.run("--json", "merge", ...args);
  assert(stdout !== "", stderr);
  return { code, ...JSON.parse(stdout) };
}

// deno-lint-ignore no-explicit-any
const outcomes = (report: any) => report.tasks.map(({ outcome }: { outcome: string }) => outcome);

/** A task gets fields that it did not have. */
function change({ box }: MergeBox, id: string, fields: Record<string, unknown>): void {
  const path = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(path, JSON.stringify({ ...box.task(id), ...fields }));
}

test("what was thrown away comes back by its id alone, and that is said", GIT, async () => {
  await using it = await makeMergeBox();
  const tip = await it.task(1, { "junk.txt": "junk\n" });
  change(it, it.id(1), { git: { ...it.box.task(it.id(1)).git, tip } });
  await it.repo.git("branch", "-D", "orchestra/1");
  assertEquals(await it.box.ok("merge", "--all"), "Nothing to merge into main\n");
  assertEquals(it.read("junk.txt"), undefined);
  const { code, stderr } = await it.box.run("merge", it.id(1));
  assertEquals(code, 0);
  assertStringIncludes(stderr, `its branch orchestra/1 was removed`);
  assertEquals(await it.at("main"), tip);
});

test(
  "archived tasks are merged as others are, and of removed ones it is said how",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    it.box.config({ worktrees: { folder: it.repo.beside, branch: "orchestra/{taskId}" } });
    for (const number of [1, 2]) {
      await it.task(number, { [`${number}.txt`]: "x\n" });
      const branch = `orchestra/${it.id(number)}`;
      await it.repo.git("branch", "-m", `orchestra/${number}`, branch);
      change(it, it.id(number), { git: { ...it.box.task(it.id(number)).git, branch } });
    }
    Deno.renameSync(
      it.box.path(`tasks/${it.id(1)}.json`),
      it.box.path(`archive/${it.id(1)}.json`),
    );
    await it.box.ok("clean", it.id(2), "--yes");
    const { message, hint } = await it.box.fails(3, "merge", it.id(2));
    assertStringIncludes(`${message}${hint}`, `git merge orchestra/${it.id(2)}`);
    assertEquals((await merged(it, it.id(1), "--dry-run")).tasks[0].outcome, "fast-forward");
    const { code, stdout, stderr } = await it.box.run("merge", "--all");
    assertEquals(code, 0);
    assertStringIncludes(stdout, `${it.id(1)} fast-forwarded`);
    assertStringIncludes(stderr, `git merge orchestra/${it.id(2)}`);
    assertEquals([it.read("1.txt"), it.read("2.txt")], ["x\n", undefined]);
  },
);

test("work that could not be committed is no merge, and what to do is said", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, {});
  const tree = `${it.repo.beside}/make-1`;
  await it.repo.git("worktree", "add", "--quiet", tree, "orchestra/1");
  it.repo.write("b.txt", "b\n", tree);
  change(it, it.id(1), { git: { ...it.box.task(it.id(1)).git, left: "a nest is in it" } });
  for (const which of ["--all", it.id(1)]) {
    const { code, stdout, stderr } = await it.box.run("merge", which);
    assertEquals(code, 1, which);
    assertStringIncludes(stdout, `its work in ${tree} is not committed`);
    assertStringIncludes(stderr, "a nest is in it");
    assertStringIncludes(stderr, `git -C ${tree} add -A && git -C ${tree} commit`);
  }
  await it.repo.commit({}, "by hand", tree);
  assertEquals(outcomes(await merged(it, "--all")), ["fast-forward"]);
});

test("marks of a conflict are no resolution, and nowhere come in without a word", GIT, async () => {
  await using it = await makeMergeBox();
  const marks = "<<<<<<< HEAD\nuno\n=======\neins\n>>>>>>> orchestra/1\n";
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "n.txt": marks }, { labels: { resolves: it.id(1) } });
  // Only a heading.
  await it.task(3, { "h.rst": "Title\n=======\n" });
  await it.task(4, { "test.txt": marks });
  for (const id of [it.id(2), "--all"]) {
    const { code, stdout, stderr } = await it.box.run("merge", id, "--dry-run");
    assertEquals(code, 1);
    assertStringIncludes(stdout, `${it.id(2)} left marks of the conflict`);
    assertStringIncludes(stderr, `orchestra merge ${it.id(1)} --resolve AGENT`);
  }
  assertEquals((await it.box.run("merge", it.id(3))).stderr.includes("<<<"), false);
  const { code, stderr } = await it.box.run("merge", it.id(4));
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Marks of a conflict (<<<<<<<) come in with it, in test.txt");
  assertEquals(it.read("n.txt"), undefined);
  // Once its conflict is out of the world, nobody asks for that branch any more.
  assertEquals(outcomes(await merged(it, "--all")), ["clean", "unresolved"]);
  assertEquals(await it.box.ok("merge", "--all"), "Nothing to merge into main\n");
});

test("who resolves a conflict, has done so or has not is told, with what to do", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.git("branch", "old");
  await it.repo.commit({ "a.txt": lines({ 1: "eins" }) }, "mine");
  await it.task(1, { "a.txt": lines({ 1: "uno" }) }, { from: "old" });
  const conflict = async (...args: string[]) => {
    const { code, stdout, stderr } = await it.box.run("merge", it.id(1), ...args);
    assertEquals(code, 1, stderr);
    return stdout + stderr;
  };
  assertStringIncludes(await conflict(), "Or do it yourself: git merge orchestra/1\n");
  // One that does nothing resolves nothing.
  await it.task(2, {}, { labels: { resolves: it.id(1) } });
  assertStringIncludes(await conflict(), `${it.id(2)} was to resolve the conflict`);
  // Nor does one that commits it as it is.
  const marks = `<<<<<<< HEAD\n${lines()}=======\nuno\n>>>>>>> orchestra/1\n`;
  await it.task(5, { "a.txt": marks }, { labels: { resolves: it.id(1) }, from: "orchestra/1" });
  assertStringIncludes(await conflict(), `${it.id(5)} was to resolve the conflict`);
  it.box.agents({ other: { command: "true", args: [], completion: "exit" } });
  await it.task(3, {}, { labels: { resolves: it.id(1) }, status: "pending" });
  const said = await conflict("--resolve", "other");
  assertStringIncludes(said, `${it.id(3)} with agent shell is pending for ${it.id(1)} already`);
  assertStringIncludes(said, `when it is complete, orchestra merge ${it.id(3)}`);
  // It has both, and is complete.
  await it.task(4, { "a.txt": lines({ 1: "uno e eins" }) }, { labels: { resolves: it.id(1) } });
  const tree = `${it.repo.beside}/both`;
  await it.repo.git("worktree", "add", "--quiet", tree, "orchestra/4");
  await it.repo.gitIn(tree, "merge", "--quiet", "-X", "ours", "--no-edit", "orchestra/1");
  assertStringIncludes(
    await conflict(),
    `${it.id(4)} has resolved the conflict of ${it.id(1)}: orchestra merge ${it.id(4)}`,
  );
});

test(
  "of several conflicts in one file each is resolved on top of the one before",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.repo.git("branch", "old");
    await it.repo.commit({ "a.txt": lines({ 1: "eins" }), "b.txt": "b\n" }, "mine");
    await it.task(1, { "a.txt": lines({ 1: "uno" }) }, { from: "old" });
    await it.task(2, { "a.txt": lines({ 1: "un" }) }, { from: "old" });
    await it.task(3, { "b.txt": "c\n" }, { from: "old" });
    const { stderr } = await it.box.run("merge", "--all");
    assertStringIncludes(
      stderr,
      "Let an agent resolve a.txt, b.txt: orchestra merge --all --resolve",
    );
    assertEquals(stderr.split("Let an agent").length, 2, stderr);
    await it.box.run("merge", "--all", "--resolve", "shell");
    const queued = it.box.tasks().filter(({ labels }) => "resolves" in labels);
    assertEquals(
      queued.map(({ base, dependsOn }) => [base, dependsOn]),
      [["main", []], [null, [queued[0]!.taskId]], ["main", []]],
    );
  },
);

test("a file that is in the way of one does not stop the others", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) }, { dirty: "carry" });
  await it.task(2, { "b.txt": "b\n" });
  it.repo.write("a.txt", "mine");
  const { message, hint } = await it.box.fails(4, "merge", it.id(1), it.id(2));
  assertStringIncludes(message, it.id(1));
  assertStringIncludes(hint ?? "", "git restore FILE");
  const report = await merged(it, "--all");
  assertEquals([report.code, ...outcomes(report)], [1, "in-the-way", "fast-forward"]);
  assertEquals(report.tasks[0].files, ["a.txt"]);
  assertEquals([it.read("a.txt"), it.read("b.txt")], ["mine", "b\n"]);
});

test("a lock that another git has, or has left, is named", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  it.repo.write(".git/index.lock", "");
  const { code, stderr } = await it.box.run("merge", it.id(1));
  assertEquals(code, 4);
  assertStringIncludes(stderr, `where none runs, remove ${it.repo.top}/.git/index.lock`);
  assertEquals(it.read("b.txt"), undefined);
});

test(
  "what comes in with a task that builds on others is told, and undone with it",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    const tips: string[] = [];
    for (const [number, from] of [[1, "main"], [2, "orchestra/1"]] as const) {
      const tip = await it.task(number, { [`${number}.txt`]: "x\n" }, {
        from,
        dependsOn: number === 1 ? [] : [it.id(1)],
      });
      tips.push(tip);
      change(it, it.id(number), { git: { ...it.box.task(it.id(number)).git, tip } });
    }
    await it.repo.commit({ "other.txt": "o\n" }, "somebody else's");
    for (const mode of ["--no-ff", "--squash"]) {
      const said = await it.box.ok("merge", it.id(2), mode);
      assertStringIncludes(said, `${it.id(2)} merged, and with it ${it.id(1)}\n`);
      assertStringIncludes(await it.box.ok("merge", it.id(1)), "nothing to merge");
      const undone = await it.box.ok("merge", "--undo");
      assertStringIncludes(undone, `without ${it.id(1)}, ${it.id(2)}\n`);
    }
  },
);

test(
  "a merge of the user's own that is under way is told of before its conflict",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.repo.git("branch", "old");
    await it.repo.commit({ "a.txt": lines({ 1: "eins" }) }, "mine");
    await it.task(1, { "a.txt": lines({ 1: "uno" }) }, { from: "old" });
    await it.repo.succeeds("merge", "--quiet", "orchestra/1");
    const { message } = await it.box.fails(4, "merge", it.id(1));
    assertStringIncludes(message, "a merge is under way");
  },
);

test(
  "without a repository no command speaks of a worktree that was not asked for",
  GIT,
  async () => {
    await using folder = await makeFolder();
    await using box = openBox(folder.path);
    await box.ok("init");
    for (
      const args of [
        ["merge", "--all"],
        ["merge", "--undo"],
        ["worktrees"],
        ["clean", "--worktrees"],
      ]
    ) {
      const { message } = await box.fails(4, ...args);
      assertStringIncludes(message, "is in no git repository");
      assertEquals(/--worktree |cannot be made/.test(message), false, message);
    }
  },
);

test("with nothing checked out the option is named that says what is meant", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  const branch = `orchestra/${it.id(1)}`;
  await it.repo.git("branch", "-m", "orchestra/1", branch);
  change(it, it.id(1), { git: { ...it.box.task(it.id(1)).git, branch } });
  await it.task(2, {}, { status: "pending", git: null, worktree: true });
  await it.task(3, {}, { status: "failed", git: null, worktree: true });
  await it.repo.git("checkout", "--quiet", "--detach");
  assertStringIncludes((await it.box.fails(4, "merge", "--undo")).hint ?? "", "--into main");
  assertStringIncludes((await it.box.run("worktrees")).stderr, "--into main");
  assertStringIncludes((await it.box.run("clean", "--worktrees")).stderr, "--into main");
  // Those that have no branch are not told to take a worktree: they did.
  for (const [command, id] of [["merge", 2], ["merge", 3], ["diff", 2], ["diff", 3]] as const) {
    const { hint } = await it.box.fails(4, command, it.id(id));
    assertEquals(hint?.includes("start --worktree"), false, hint);
  }
});

test("a branch is compared with that of another task, by its key", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) }, { key: "first" });
  await it.task(2, { "b.txt": "b\n" }, { from: "orchestra/1" });
  await it.task(3, { "c.txt": "c\n" }, { from: "orchestra/2", key: "third" });
  const names = (...args: string[]) => it.box.ok("diff", "--name-only", ...args);
  assertEquals(await names("third", "--against", "first"), "b.txt\nc.txt\n");
  assertEquals(await names("third", "--against", "main"), "a.txt\nb.txt\nc.txt\n");
});

test("worktrees says what may go, what is to be merged, and how", GIT, async () => {
  await using it = await makeMergeBox();
  it.box.config({ worktrees: { folder: it.repo.beside, branch: "orchestra/{taskId}" } });
  const make = async (number: number, files: Record<string, string>, fields = {}) => {
    await it.task(number, files);
    const branch = `orchestra/${it.id(number)}`;
    await it.repo.git("branch", "-m", `orchestra/${number}`, branch);
    change(it, it.id(number), { git: { ...it.box.task(it.id(number)).git, branch }, ...fields });
  };
  await make(1, { "b.txt": "b\n" }, { key: "a-key-of-its-own" });
  await make(2, { "c.txt": "c\n" }, { status: "failed" });
  const open = await it.box.run("worktrees");
  assertEquals(open.stderr.includes("clean --worktrees"), false, open.stderr);
  assertStringIncludes(open.stderr, "orchestra merge --all");
  const kept = await it.box.run("clean", "--worktrees");
  assertStringIncludes(kept.stderr, "orchestra merge --all");
  assertEquals(kept.stderr.includes(`--force ${it.id(1)}`), false, kept.stderr);
  // The filters that `clean` has.
  assertEquals((await it.box.json("clean", "--worktrees", "failed", "--dry-run")).kept.length, 1);
  await it.box.fails(2, "clean", "--worktrees", "--force", "failed");
  await it.box.ok("merge", "--all");
  const { stdout, stderr } = await it.box.runWith({ env: { COLUMNS: "80" } }, "worktrees");
  assertStringIncludes(stderr, "orchestra clean --worktrees");
  assertStringIncludes(stdout, "a-key-of");
  // What was removed comes in by git.
  const gone = await it.box.run("clean", "failed", "--yes");
  assertStringIncludes(gone.stderr, "Branches of 1");
  assertStringIncludes((await it.box.run("worktrees")).stderr, `git merge orchestra/${it.id(2)}`);
  await it.repo.git("branch", "-D", `orchestra/${it.id(1)}`);
  assertEquals((await it.box.run("clean", "--yes")).stderr.includes("ranch"), false);
});

test("show says whether a task's branch is there, and whether it is merged", GIT, async () => {
  await using it = await makeMergeBox();
  const tip = await it.task(1, { "b.txt": "b\n" });
  change(it, it.id(1), { git: { ...it.box.task(it.id(1)).git, tip } });
  const shown = async (word: RegExp) => {
    const page = await it.box.ok("show", it.id(1));
    assert(word.test(page), page);
  };
  const told = async () => (await it.box.json("show", it.id(1))).branch;
  await shown(/^ *Merged +no, not in main$/m);
  assertEquals(await told(), { isThere: true, into: "main", integrated: null });
  await it.box.ok("merge", it.id(1), "--squash");
  await shown(/^ *Merged +in main \(squashed\)$/m);
  assertEquals(await told(), { isThere: true, into: "main", integrated: "squashed" });
  await it.repo.git("branch", "-D", "orchestra/1");
  await shown(/^ *Branch +orchestra\/1 from [0-9a-f]{12}, removed$/m);
  // Where there is no repository any more, the page is there all the same.
  Deno.renameSync(`${it.repo.top}/.git`, `${it.repo.top}/was.git`);
  await shown(/^ *Branch +orchestra\/1 from [0-9a-f]{12}$/m);
  assertEquals(await told(), null);
});
