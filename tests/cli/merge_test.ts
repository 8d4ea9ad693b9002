// `orchestra merge`: real branches of a real repository, and what becomes of everybody's files.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { runLine } from "../support/program.ts";
import { lines, makeMergeBox, type MergeBox } from "../support/merges.ts";
import { linking, needs, ON_POSIX, SHELL, test } from "../support/needs.ts";

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

/** All refs but backups, the index and the files: what must be as before where nothing is changed. */
async function everything({ repo }: MergeBox): Promise<string> {
  const refs = await repo.git("for-each-ref");
  const status = await repo.git("status", "--porcelain", "--untracked-files=all");
  const files = await repo.git("ls-files", "--stage");
  const trees = await repo.git("worktree", "list", "--porcelain");
  return [refs, status, files, trees].join("\n");
}

test("branches are merged in the order in which they build on each other", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(2, { "a.txt": lines({ 1: "eins" }) });
  // It is older than what it builds on.
  await it.task(1, { "a.txt": lines({ 1: "eins", 2: "zwei" }) }, {
    from: "orchestra/2",
    dependsOn: [it.id(2)],
  });
  await it.task(3, { "a.txt": lines({ 8: "acht" }) });
  const report = await merged(it, "--all");
  assertEquals(report.code, 0);
  assertEquals(
    report.tasks.map(({ taskId }: { taskId: string }) => taskId),
    [it.id(2), it.id(1), it.id(3)],
  );
  assertEquals(outcomes(report), ["fast-forward", "fast-forward", "clean"]);
  assertEquals(it.read("a.txt"), lines({ 1: "eins", 2: "zwei", 8: "acht" }));
  assertEquals(await it.repo.git("status", "--porcelain"), "");
  assertEquals(await it.at("main"), report.to);
  assertEquals(await it.at(report.backup), report.from);
  // All of it is there now.
  const again = await it.box.ok("merge", "--all");
  assertEquals(again, "Nothing to merge into main\n");
  const named = await it.box.ok("merge", it.id(3));
  assertStringIncludes(named, `${it.id(3)} nothing to merge: main has it already`);
});

test("a conflict changes nothing, and its files are named", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "b.txt": "b" });
  await it.task(2, { "a.txt": lines({ 1: "uno" }), "b.txt": "c", "new.txt": "n" });
  assertEquals((await merged(it, it.id(1))).code, 0);
  const before = await everything(it);
  for (const mode of [[], ["--squash"], ["--rebase"], ["--no-ff"]]) {
    const report = await merged(it, it.id(2), ...mode);
    assertEquals(report.code, 1, mode.join());
    assertEquals(report.tasks[0].outcome, "conflict");
    assertEquals(report.tasks[0].files, ["a.txt", "b.txt"]);
    assertEquals(report.to, report.from);
    assertEquals(await everything(it), before, mode.join());
  }
  const { code, stdout } = await it.box.run("merge", it.id(2));
  assertEquals(code, 1);
  assertStringIncludes(stdout, `${it.id(2)} conflict in a.txt, b.txt\n`);
  assertStringIncludes(stdout, "nothing was changed");
});

test("of several that are named all are merged, or none", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "a.txt": lines({ 1: "uno" }) });
  const before = await everything(it);
  const report = await merged(it, it.id(1), it.id(2));
  assertEquals([report.code, ...outcomes(report)], [1, "fast-forward", "conflict"]);
  assertEquals(await everything(it), before);
});

test("with --all what is in conflict is left out, with all that build on it", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "a.txt": lines({ 1: "uno" }) });
  await it.task(3, { "c.txt": "c" }, { from: "orchestra/2", dependsOn: [it.id(2)] });
  await it.task(4, { "d.txt": "d" }, { from: "orchestra/3", dependsOn: [it.id(3)] });
  await it.task(5, { "a.txt": lines({ 8: "acht" }) });
  const report = await merged(it, "--all");
  assertEquals(report.code, 1);
  assertEquals(outcomes(report), ["fast-forward", "conflict", "left-out", "left-out", "clean"]);
  assertEquals(report.tasks[3].because, it.id(2));
  assertEquals(it.read("a.txt"), lines({ 1: "eins", 8: "acht" }));
  assertEquals(it.read("c.txt"), undefined);
});

test("a dry run says what would become of each and changes nothing", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "a.txt": lines({ 8: "acht" }) });
  await it.task(3, { "a.txt": lines({ 1: "uno" }) });
  const before = await everything(it);
  for (const mode of [[], ["--squash"], ["--rebase"]]) {
    const report = await merged(it, "--all", "--dry-run", ...mode);
    assertEquals(report.code, 1);
    assertEquals(outcomes(report).slice(1), ["clean", "conflict"]);
    assertEquals(report.to, report.from);
    assertEquals(await everything(it), before);
  }
  const { stdout } = await it.box.run("merge", "--all", "--dry-run");
  assertStringIncludes(stdout, `${it.id(2)} merges cleanly\n`);
});

test("a stack is squashed to a commit for each task", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "a.txt": lines({ 1: "eins!" }) }, {
    from: "orchestra/1",
    dependsOn: [it.id(1)],
  });
  // One after the other, and each time the one before has come in as another commit.
  assertEquals((await merged(it, it.id(1), "--squash")).code, 0);
  await it.repo.commit({ "other.txt": "o" }, "somebody else's");
  const report = await merged(it, "--all", "--squash");
  assertEquals([report.code, ...outcomes(report)], [0, "clean"]);
  assertEquals(it.read("a.txt"), lines({ 1: "eins!" }));
  assertEquals(
    await it.repo.git("log", "--format=%s", "main"),
    "Change no. 2\nsomebody else's\nChange no. 1\nfirst",
  );
  const message = await it.repo.git("log", "-1", "--format=%B", "main");
  assertStringIncludes(message, `Task: ${it.id(2)}\nAgent: shell\nBranch: orchestra/2`);
  assertEquals(await it.box.ok("merge", "--all"), "Nothing to merge into main\n");
});

test("rebased commits keep their authors, and no other branch moves", GIT, async () => {
  await using it = await makeMergeBox();
  it.box.config({ worktrees: { folder: it.repo.beside, author: "Olga <olga@example.org>" } });
  await it.repo.git("config", "rebase.updateRefs", "true");
  await it.repo.git("config", "rebase.autoSquash", "true");
  const first = await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  const tip = await it.task(2, { "a.txt": lines({ 1: "eins", 2: "zwei" }) }, {
    from: "orchestra/1",
    dependsOn: [it.id(1)],
  });
  await it.repo.commit({ "other.txt": "o" }, "somebody else's");
  const report = await merged(it, it.id(2), it.id(1), "--rebase");
  assertEquals([report.code, ...outcomes(report)], [0, "clean", "clean"]);
  assertEquals(
    await it.repo.git("log", "--format=%s by %an, merged by %cn", "-3", "main"),
    "work of 2 by Ann Author, merged by Olga\n" +
      "work of 1 by Ann Author, merged by Olga\n" +
      "somebody else's by Ann Author, merged by Ann Author",
  );
  assertEquals([await it.at("orchestra/1"), await it.at("orchestra/2")], [first, tip]);
  assertEquals(
    await it.repo.git("worktree", "list", "--porcelain", "-z").then((list) =>
      list.split("worktree ").length
    ),
    2,
  );
});

test("with --no-ff a branch that only moves along has a commit too", GIT, async () => {
  await using it = await makeMergeBox();
  const tip = await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  const from = await it.at("main");
  const report = await merged(it, it.id(1), "--no-ff");
  assertEquals(outcomes(report), ["clean"]);
  assertEquals([await it.at("main^1"), await it.at("main^2")], [from, tip]);
  assertStringIncludes(
    await it.repo.git("log", "-1", "--format=%s"),
    `Merge ${it.id(1)}: Change no. 1`,
  );
});

test("what .gitattributes say of merging counts", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ ".gitattributes": "list.txt merge=union\n", "list.txt": "a\n" });
  await it.task(1, { "list.txt": "a\nb\n" });
  await it.task(2, { "list.txt": "a\nc\n" });
  assertEquals((await merged(it, "--all")).code, 0);
  assertEquals(it.read("list.txt"), "a\nb\nc\n");
});

test("changes that are not committed stay, where no merged file is touched", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ "mine.txt": "m\n", "staged.txt": "s\n", "gone.txt": "g\n" });
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new/deep.txt": "n\n", "gone.txt": null });
  it.repo.write("mine.txt", "mine\n");
  it.repo.write("staged.txt", "staged\n");
  await it.repo.git("add", "staged.txt");
  it.repo.write("untracked.txt", "untracked\n");
  // Written anew, and with the same content.
  it.repo.write("a.txt", lines());
  await it.box.ok("merge", it.id(1));
  assertEquals(it.read("a.txt"), lines({ 1: "eins" }));
  assertEquals(it.read("new/deep.txt"), "n\n");
  assertEquals(it.read("gone.txt"), undefined);
  assertEquals(
    (await it.repo.git("status", "--porcelain")).split("\n").sort(),
    [" M mine.txt", "?? untracked.txt", "M  staged.txt"],
  );
  assertEquals(it.read("mine.txt"), "mine\n");
});

const IN_THE_WAY: readonly [what: string, file: string, put: (it: MergeBox) => unknown][] = [
  ["a file that is changed", "a.txt", (it) => it.repo.write("a.txt", "mine")],
  ["one that is staged", "a.txt", async (it) => {
    it.repo.write("a.txt", "mine");
    await it.repo.git("add", "a.txt");
  }],
  ["one that is removed", "a.txt", (it) => Deno.removeSync(`${it.repo.top}/a.txt`)],
  ["one that git is told to take as unchanged", "a.txt", async (it) => {
    await it.repo.git("update-index", "--assume-unchanged", "a.txt");
    it.repo.write("a.txt", "mine");
  }],
  ["one that git is told to leave out", "a.txt", async (it) => {
    await it.repo.git("update-index", "--skip-worktree", "a.txt");
    it.repo.write("a.txt", "mine");
  }],
  ["a link", "new", (it) => Deno.symlinkSync(it.repo.beside, `${it.repo.top}/new`)],
  ["one that git does not know", "new/b.txt", (it) => it.repo.write("new/b.txt", "mine")],
  ["one that git ignores", "new/b.txt", (it) => {
    it.repo.write(".git/info/exclude", ".orchestra\n.orchestra-cli\nnew\n");
    it.repo.write("new/b.txt", "mine");
  }],
  ["a file where a folder comes", "new", (it) => it.repo.write("new", "mine")],
  ["a folder where a file comes", "c/mine.txt", (it) => it.repo.write("c/mine.txt", "mine")],
];

for (const [what, file, put] of IN_THE_WAY) {
  const missing = GIT ?? (what === "a link" ? linking() : null);
  test(`a merge is refused where ${what} is in its way, and names it`, missing, async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "a.txt": lines({ 1: "eins" }), "new/b.txt": "b\n", "c": "c\n" });
    await put(it);
    const before = await everything(it);
    const { message } = await it.box.fails(4, "merge", it.id(1));
    assertStringIncludes(message, file);
    assertStringIncludes(message, it.repo.top);
    assertEquals(await everything(it), before);
    if (file.includes("/")) assertEquals(it.read(file), "mine");
    const dry = await merged(it, it.id(1), "--dry-run");
    assertEquals([dry.code, ...outcomes(dry)], [4, "fast-forward"]);
    assertStringIncludes(dry.obstacle, file);
  });
}

test("a working copy that has only a part of the files stays so", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ "in/a.txt": "a\n", "out/b.txt": "b\n" });
  await it.task(1, { "in/a.txt": "A\n", "out/b.txt": "B\n", "out/c.txt": "c\n" });
  await it.repo.git("sparse-checkout", "set", "in");
  await it.box.ok("merge", it.id(1));
  assertEquals([it.read("in/a.txt"), it.read("out/b.txt"), it.read("out/c.txt")], [
    "A\n",
    undefined,
    undefined,
  ]);
  assertEquals(await it.repo.git("status", "--porcelain"), "");
  await it.box.ok("merge", "--undo");
  assertEquals([it.read("in/a.txt"), await it.repo.git("status", "--porcelain")], ["a\n", ""]);
});

test("a merge that its user is in the middle of is not disturbed", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  await it.task(2, { "c.txt": "c\n" });
  await it.repo.git("merge", "--no-ff", "--no-commit", "orchestra/2");
  const { message } = await it.box.fails(4, "merge", it.id(1));
  assertStringIncludes(message, "a merge is under way");
  await it.repo.git("merge", "--abort");
  await it.box.ok("merge", it.id(1));
});

test(
  "another branch is merged into where it is, and every working copy of it goes along",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "a.txt": lines({ 1: "eins" }) });
    await it.task(2, { "b.txt": "b\n" });
    await it.repo.git("branch", "stable");
    const main = await it.at("main");
    // Nobody has it checked out.
    await it.box.ok("merge", it.id(1), "--into", "stable");
    assertEquals(await it.at("stable"), await it.at("orchestra/1"));
    assertEquals([await it.at("main"), it.read("a.txt")], [main, lines()]);
    // Somebody has.
    const other = `${it.repo.beside}/other`;
    await it.repo.git("worktree", "add", "--quiet", other, "stable");
    it.repo.write("a.txt", "mine", other);
    await it.box.ok("merge", it.id(2), "--into", "refs/heads/stable");
    assertEquals([it.read("b.txt", other), it.read("a.txt", other)], ["b\n", "mine"]);
    assertEquals(it.read("b.txt"), undefined);
    assertEquals(await it.repo.gitIn(other, "status", "--porcelain"), " M a.txt");
    // And may be in the way.
    await it.task(3, { "a.txt": lines({ 8: "acht" }) });
    const { message } = await it.box.fails(4, "merge", it.id(3), "--into", "stable");
    assertStringIncludes(message, other);
  },
);

test("what a merge cannot begin with is said", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  await it.task(2, { "c.txt": "c\n" }, { status: "pending" });
  await it.task(3, { "d.txt": "d\n" }, { git: null });
  await it.task(4, { "e.txt": "e\n" });
  await it.repo.git("branch", "-D", "orchestra/4");
  const task = it.box.task(it.id(4));
  task.git!.tip = "f".repeat(40);
  Deno.writeTextFileSync(it.box.path(`tasks/${it.id(4)}.json`), JSON.stringify(task));
  for (
    const [code, said, ...args] of [
      [2, "needs the id"],
      [2, "not both", it.id(1), "--all"],
      [2, "one of --squash", it.id(1), "--squash", "--rebase"],
      [2, "nothing but --into", "--undo", it.id(1)],
      [2, "no such branch", it.id(1), "--into", "nowhere"],
      [2, "no such branch", it.id(1), "--into=--upload-pack=x"],
      [2, "the target itself", it.id(1), "--into", "orchestra/1"],
      [3, "No task", "task_1234567890123"],
      [3, "no such agent", it.id(1), "--resolve", "nobody"],
      [4, "it is pending", it.id(2)],
      [4, "has no branch", it.id(3)],
      [4, "is gone", it.id(4)],
      [4, "verify command", it.id(1), "--verify"],
      [4, "there is none", "--undo"],
    ] as const
  ) {
    const { message } = await it.box.fails(code, "merge", ...args);
    assertStringIncludes(message, said);
  }
  await it.repo.git("checkout", "--quiet", "--detach");
  const { message } = await it.box.fails(4, "merge", it.id(1));
  assertStringIncludes(message, "detached");
  await it.box.ok("merge", it.id(1), "--into", "main");
});

test("the commit that a task left is merged where its branch is gone", GIT, async () => {
  await using it = await makeMergeBox();
  const tip = await it.task(1, { "b.txt": "b\n" });
  await it.repo.git("branch", "-D", "orchestra/1");
  await it.box.ok("merge", it.id(1));
  assertEquals(await it.at("main"), tip);
});

test(
  "only what its verify command confirms is merged, at the commit that it makes",
  SHELL ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.repo.commit({ "sub/keep": "" });
    // Each alone is right, and both together are not.
    const verify = [
      "sh",
      "-c",
      'test "$(cat ../[bc].txt | wc -l)" -le 1 || { echo too many; exit 3; }',
    ];
    const git = (number: number) => ({ ...it.box.task(it.id(number)).git!, folder: "sub" });
    await it.task(1, { "b.txt": "b\n" }, { verify });
    await it.task(2, { "c.txt": "c\n" }, { verify });
    for (const number of [1, 2]) {
      const task = { ...it.box.task(it.id(number)), git: git(number) };
      Deno.writeTextFileSync(it.box.path(`tasks/${it.id(number)}.json`), JSON.stringify(task));
    }
    const first = await merged(it, it.id(1), "--verify");
    assertEquals([first.code, ...outcomes(first)], [0, "fast-forward"]);
    const before = await everything(it);
    const second = await merged(it, it.id(2), "--verify");
    assertEquals([second.code, ...outcomes(second)], [1, "unverified"]);
    assertEquals(second.tasks[0].exitCode, 3);
    assertEquals(await everything(it), before);
    const { stdout, stderr } = await it.box.run("merge", it.id(2), "--verify");
    assertStringIncludes(stdout, "not confirmed: its verify command ended with exit code 3");
    assertStringIncludes(stderr, "too many");
    await it.box.ok("merge", it.id(2));
  },
);

test("a verify command sees where it is, and not the caller's git", SHELL ?? GIT, async () => {
  await using it = await makeMergeBox();
  const out = it.box.path("workspace/seen");
  const line = `git rev-parse HEAD >${out}; pwd >>${out}; echo "$ORCHESTRA_WORKTREE" >>${out}; ` +
    `env | grep -c '^GIT_' >>${out}; true`;
  const tip = await it.task(1, { "b.txt": "b\n" }, { verify: ["sh", "-c", line] });
  const options = { env: { GIT_DIR: "/nowhere", GIT_INDEX_FILE: "/nowhere" } };
  const { code, stderr } = await it.box.runWith(options, "merge", it.id(1), "--verify");
  assertEquals(code, 0, stderr);
  const [head, pwd, worktree, count] = Deno.readTextFileSync(out).split("\n");
  assertEquals([head, worktree, count], [tip, pwd, "0"]);
  assert(pwd!.startsWith(`${it.repo.beside}/merge-`), pwd);
  assertEquals([...Deno.readDirSync(it.repo.beside)].map(({ name }) => name), []);
});

test("a merge is undone as long as the branch is what it made", GIT, async () => {
  await using it = await makeMergeBox();
  const first = await it.at("main");
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
  await it.task(2, { "a.txt": lines({ 8: "acht" }) });
  await it.box.ok("merge", it.id(1));
  const second = await it.at("main");
  await it.box.ok("merge", it.id(2));
  const third = await it.at("main");
  // A change of the user's that is in the way, and one that is not.
  it.repo.write("a.txt", "mine");
  assertStringIncludes((await it.box.fails(4, "merge", "--undo")).message, "a.txt");
  await it.repo.git("checkout", "--quiet", "a.txt");
  it.repo.write("mine.txt", "mine");
  const report = await merged(it, "--undo");
  assertEquals([report.from, report.to, report.undone], [third, second, [it.id(2)]]);
  assertEquals(await it.at(report.backup), third);
  assertEquals(it.read("a.txt"), lines({ 1: "eins" }));
  // Somebody commits: then it is his.
  await it.repo.git("commit", "--quiet", "--allow-empty", "-m", "mine");
  assertStringIncludes((await it.box.fails(4, "merge", "--undo")).message, "has gone on");
  await it.repo.git("reset", "--quiet", "--soft", "HEAD^");
  await it.box.ok("merge", "--undo", "--into", "main");
  assertEquals([await it.at("main"), it.read("new.txt"), it.read("mine.txt")], [
    first,
    undefined,
    "mine",
  ]);
  assertStringIncludes((await it.box.fails(4, "merge", "--undo")).message, "there is none");
  await it.box.ok("merge", it.id(1));
  assertEquals(await it.at("main"), second);
});

test(
  "a task is queued for each conflict, once, and what it makes is merged cleanly",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "a.txt": lines({ 1: "eins" }) });
    await it.task(2, { "a.txt": lines({ 1: "uno" }) });
    const report = await merged(it, "--all", "--resolve", "shell");
    assertEquals([report.code, ...outcomes(report)], [1, "fast-forward", "conflict"]);
    const [resolver, ...others] = it.box.tasks().filter(({ labels }) =>
      labels.resolves !== undefined
    );
    assertEquals(others, []);
    assertEquals(report.tasks[1].resolvedBy, resolver!.taskId);
    assertEquals([resolver!.labels.resolves, resolver!.agent], [it.id(2), "shell"]);
    assertEquals([resolver!.base, resolver!.worktree], ["main", true]);
    for (const part of ["git merge orchestra/2", "- a.txt", "> Change no. 2"]) {
      assertStringIncludes(resolver!.prompt, part);
    }
    const again = await it.box.run("merge", "--all", "--resolve", "shell");
    assertStringIncludes(again.stderr, `${resolver!.taskId} resolves the conflict of ${it.id(2)}`);
    assertEquals(it.box.tasks().length, 3);
    // As it leaves its branch.
    const tree = `${it.repo.beside}/resolver`;
    await it.repo.git("worktree", "add", "--quiet", "-b", "orchestra/r", tree, "main");
    const base = await it.at("main");
    await it.repo.gitIn(tree, "merge", "--no-commit", "-X", "ours", "orchestra/2");
    const tip = await it.repo.commit({ "a.txt": lines({ 1: "eins/uno" }) }, "resolved", tree);
    await it.repo.git("worktree", "remove", tree);
    const git = { ...it.box.task(it.id(1)).git!, branch: "orchestra/r", base, tip };
    const done = { ...resolver!, status: "complete", git };
    Deno.writeTextFileSync(it.box.path(`tasks/${resolver!.taskId}.json`), JSON.stringify(done));
    for (const mode of ["--no-ff", "--squash"]) {
      const last = await merged(it, "--all", mode);
      assertEquals([last.code, ...outcomes(last)], [0, "clean", "nothing"], mode);
      assertEquals(it.read("a.txt"), lines({ 1: "eins/uno" }));
      assertEquals(await it.box.ok("merge", "--all"), "Nothing to merge into main\n");
      await it.box.ok("merge", "--undo");
    }
  },
);

test("merges at the same time come in one after the other", GIT, async () => {
  await using it = await makeMergeBox();
  const numbers = [1, 2, 3, 4];
  for (const number of numbers) await it.task(number, { [`${number}.txt`]: `${number}\n` });
  const ran = await Promise.all(numbers.map((number) => it.box.run("merge", it.id(number))));
  for (const [at, { code, stderr }] of ran.entries()) {
    assertEquals(code, 0, stderr);
    assertEquals(it.read(`${at + 1}.txt`), `${at + 1}\n`);
  }
  assertEquals(await it.repo.git("status", "--porcelain"), "");
  assertEquals((await it.repo.git("for-each-ref", "refs/orchestra/backup")).split("\n").length, 4);
});

test("a workspace in a folder of the repository merges for all of it", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "sub/b.txt": "b\n" });
  Deno.mkdirSync(`${it.repo.top}/sub`);
  Deno.renameSync(`${it.repo.top}/.orchestra`, `${it.repo.top}/sub/.orchestra`);
  Deno.renameSync(`${it.repo.top}/.orchestra-cli`, `${it.repo.top}/sub/.orchestra-cli`);
  const { code, stderr } = await it.box.runWith({ cwd: `${it.repo.top}/sub` }, "merge", it.id(1));
  assertEquals(code, 0, stderr);
  assertEquals([it.read("a.txt"), it.read("sub/b.txt")], [lines({ 1: "eins" }), "b\n"]);
});

test(
  "names of files and branches that a terminal would obey are shown as they are not",
  ON_POSIX ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const name = "a\u001b[31m\n.txt";
    await it.task(1, { [name]: "1\n" });
    await it.task(2, { [name]: "2\n" });
    await it.box.ok("merge", it.id(1));
    const { code, stdout } = await it.box.run("merge", it.id(2));
    assertEquals(code, 1);
    assertStringIncludes(stdout, "conflict in a .txt\n");
  },
);

test(
  "of a task that is named what it left uncommitted is not merged, and that is said",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "b.txt": "b\n" }, { status: "failed" });
    const tree = `${it.repo.beside}/make-1`;
    await it.repo.git("worktree", "add", "--quiet", tree, "orchestra/1");
    it.repo.write("b.txt", "half done\n", tree);
    assertEquals(await it.box.ok("merge", "--all"), "Nothing to merge into main\n");
    const { code, stderr } = await it.box.run("merge", it.id(1));
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, `${it.id(1)} has failed`);
    assertStringIncludes(stderr, `what is not committed in ${tree} is not merged`);
    assertEquals([it.read("b.txt"), it.read("b.txt", tree)], ["b\n", "half done\n"]);
  },
);

test(
  "what three agents made of one file at once is merged, or resolved by a fourth",
  SHELL ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { box } = it;
    const resolve = (end: string) =>
      runLine(
        `git -c user.name=r -c user.email=r@x merge $(printf %s "$1" | sed -n 's/^    git merge //p') || true; ` +
          `sed -i -e '/^[<=>|]\\{7\\}/d' a.txt; git add a.txt; ${end}`,
      );
    const line = (entry: { command: string; args: string[] }) => ({
      ...entry,
      args: [...entry.args, "sh", "{userPrompt}"],
      completion: "exit",
    });
    box.agents({
      commits: line(resolve("git -c user.name=r -c user.email=r@x commit -qm resolved")),
      // As one does whose sandbox lets it not write to git's folder.
      leaves: line(resolve("true")),
    });
    for (const change of ["one$/eins", "eight$/acht", "one$/uno"]) {
      await box.start("shell", `sed -i 's/^${change}/' a.txt`, "--worktree");
    }
    await box.ok("run", "--all", "--wait");
    const first = await merged(it, "--all", "--resolve", "commits");
    assertEquals([first.code, ...outcomes(first)], [1, "fast-forward", "clean", "conflict"]);
    await box.ok("run", "--all", "--wait");
    const second = await merged(it, "--all");
    assertEquals([second.code, ...outcomes(second)], [0, "fast-forward", "nothing"]);
    const text = it.read("a.txt")!;
    for (const word of ["eins", "uno", "acht"]) assertStringIncludes(text, `${word}\n`);
    assertEquals(await it.repo.git("status", "--porcelain"), "");
    await it.repo.git("fsck", "--no-dangling");
    // One that does not finish what it began has resolved nothing: its worktree stays, and another may try.
    await box.ok("merge", "--undo");
    await box.ok("clean", second.tasks[0].taskId);
    assertEquals(outcomes(await merged(it, "--all", "--resolve", "leaves")), ["conflict"]);
    await box.ok("run", "--all", "--wait");
    const last = await merged(it, "--all", "--resolve", "commits");
    assertEquals([last.code, ...outcomes(last)], [1, "uncommitted", "conflict"]);
    assertEquals(box.tasks().filter(({ labels }) => "resolves" in labels).length, 2);
    assertEquals(last.tasks[1].resolvedBy, box.tasks().at(-1)!.taskId);
  },
);

for (const mode of ["--no-ff", "--squash", "--rebase"]) {
  test(
    `four tasks of which one builds on two that build on one are merged with ${mode}`,
    GIT,
    async () => {
      await using it = await makeMergeBox();
      const texts = [
        lines({ 1: "eins" }),
        lines({ 1: "eins", 5: "fuenf" }),
        lines({ 1: "eins!", 8: "acht" }),
        lines({ 1: "eins!", 5: "fuenf!", 8: "acht!" }),
      ] as const;
      await it.task(1, { "a.txt": texts[0] });
      const on = (from: string, ...ids: number[]) => ({ from, dependsOn: ids.map(it.id) });
      await it.task(2, { "a.txt": texts[1] }, on("orchestra/1", 1));
      await it.task(3, { "b.txt": "b\n", "a.txt": texts[2] }, on("orchestra/1", 1));
      // As the base of one is made that builds on several.
      const tree = `${it.repo.beside}/both`;
      await it.repo.git("worktree", "add", "--quiet", "--detach", tree, "orchestra/2");
      await it.repo.gitIn(tree, "merge", "--quiet", "-X", "theirs", "--no-edit", "orchestra/3");
      const both = await it.repo.gitIn(tree, "rev-parse", "HEAD");
      await it.repo.git("worktree", "remove", tree);
      await it.task(4, { "a.txt": texts[3] }, on(both, 2, 3));
      await it.repo.commit({ "other.txt": "o\n" }, "somebody else's");
      const report = await merged(it, "--all", mode);
      assertEquals([report.code, ...outcomes(report)], [0, "clean", "clean", "clean", "clean"]);
      assertEquals([it.read("a.txt"), it.read("b.txt")], [texts[3], "b\n"]);
      assertEquals(await it.box.ok("merge", "--all", mode), "Nothing to merge into main\n");
    },
  );
}
