// What stops a merge in the middle: its user's going to another branch, a git that fails, a full disk, a
// kill. Either all of it is there afterwards, or nothing.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { makeBetween } from "../support/git_between.ts";
import { lines, makeMergeBox, type MergeBox } from "../support/merges.ts";
import { mounting, needs, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { readRecord, writeRecord } from "../../lib/worktree/merge_record.ts";
import { performMove } from "../../lib/worktree/perform.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { findTarget } from "../../lib/worktree/target.ts";

const GIT = needs("git");

/** Writes down a merge of a branch, of which nothing is done. */
async function begin(it: MergeBox, branch: string): Promise<{ from: string; to: string }> {
  const [from, to] = [await it.at("main"), await it.at(branch)];
  const backup = "refs/orchestra/backup/merge/main-1";
  await it.repo.git("update-ref", backup, from);
  writeRecord(openQueue(it.repo.top).store, {
    done: [],
    pending: {
      ...{ kind: "merge", ref: "refs/heads/main", from, to, backup, tasks: [it.id(1)] },
      ...{ checkouts: [it.repo.top], tips: {}, mode: "merge", at: "2026-03-04T12:00:00Z" },
    },
  });
  return { from, to };
}

/**
 * Moves `main` to a branch.
 *
 * @param before is done when all has been looked at, and before the first file is changed
 * @returns why it could not be; null where it is done
 */
async function move(
  it: MergeBox,
  branch: string,
  before: () => void = () => {},
): Promise<unknown> {
  const { store } = openQueue(it.repo.top);
  const repo = await findRepository(it.repo.top);
  const target = await findTarget(repo, "main");
  const what = { kind: "merge", tasks: [it.id(1)], tips: {}, mode: "merge" } as const;
  const now = () => {
    before();
    return Date.now();
  };
  const place = { repo, store, now };
  return await performMove(place, target, await it.at(branch), what)
    .then(() => null, (error) => error);
}

test("doctor tells of a merge that was interrupted, and finishes it", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
  const { from, to } = await begin(it, "orchestra/1");
  await it.repo.git("read-tree", "-m", "-u", from, to);
  const told = await it.box.run("doctor");
  assertStringIncludes(told.stdout, `A merge of ${it.id(1)} into main was interrupted`);
  const { stdout, stderr } = await it.box.run("doctor", "--fix");
  assertStringIncludes(stdout, `finished the merge of ${it.id(1)}`, stderr);
  assertEquals([await it.at("main"), await it.repo.git("status", "--porcelain")], [to, ""]);
  assert(!(await it.box.run("doctor")).stdout.includes("interrupted"));
});

test("doctor takes back what was interrupted where somebody has gone on since", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ "b.txt": "b\n" });
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  const { from, to } = await begin(it, "orchestra/1");
  await it.repo.git("read-tree", "-m", "-u", from, to);
  it.repo.write("b.txt", "bb\n");
  await it.repo.git("commit", "--quiet", "-m", "mine", "--", "b.txt");
  const { stdout } = await it.box.run("doctor", "--fix");
  assertStringIncludes(stdout, `gave up the merge of ${it.id(1)}`);
  assertEquals([it.read("a.txt"), await it.repo.git("status", "--porcelain")], [lines(), ""]);
});

test("doctor says what keeps it from finishing a merge, and mends the rest", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await begin(it, "orchestra/1");
  it.repo.write("a.txt", "mine\n");
  const { code, stdout, stderr } = await it.box.run("doctor", "--fix");
  assertStringIncludes(stderr, "have been changed since: a.txt");
  assertStringIncludes(stdout, "was interrupted");
  assertEquals([code, it.read("a.txt")], [0, "mine\n"]);
});

/** A program of git's that its user has; it does something when the file `trap` is there, and once. */
async function setTrap(it: MergeBox, script: string): Promise<string> {
  const trap = `${it.repo.beside}/trap`;
  const filter = `cat; if [ -e ${trap} ]; then rm ${trap}; ${script}; fi`;
  await it.repo.git("config", "filter.trap.smudge", filter);
  return trap;
}

test(
  "who goes to another branch while a merge waits for the index has nothing of it there",
  SHELL ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    await repo.git("branch", "side");
    await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
    const lock = `${repo.top}/.git/index.lock`;
    const before = await it.at("main");
    // As an editor has it while its user chooses another branch.
    const moving = move(it, "orchestra/1", () => Deno.writeTextFileSync(lock, ""));
    const pending = () => readRecord(openQueue(repo.top).store).pending;
    while (pending() === null) await new Promise((resolve) => setTimeout(resolve, 10));
    await repo.git("symbolic-ref", "HEAD", "refs/heads/side");
    Deno.removeSync(lock);
    assertStringIncludes(`${await moving}`, "something else checked out");
    assertEquals(await it.at("main"), before);
    assertEquals([await repo.git("status", "--porcelain"), it.read("a.txt")], ["", lines()]);
    assertEquals(pending(), null);
  },
);

test(
  "who goes to another branch while files are written has nothing of the merge there",
  SHELL ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    await repo.commit({ ".gitattributes": "*.x filter=trap\n" });
    await repo.git("branch", "side");
    await it.task(1, { "a.txt": lines({ 1: "eins" }), "n.x": "n\n" });
    const before = await it.at("main");
    const trap = await setTrap(it, "git symbolic-ref HEAD refs/heads/side");
    Deno.writeTextFileSync(trap, "");
    assertStringIncludes(`${await move(it, "orchestra/1")}`, "something else checked out");
    assertEquals(await it.at("main"), before);
    assertEquals([await repo.git("status", "--porcelain"), it.read("n.x")], ["", undefined]);
  },
);

test("a filter that fails is told of before anything is changed", SHELL ?? GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ ".gitattributes": "*.x filter=no\n", "m.x": "m\n" });
  await it.task(1, { "b.txt": "b\n" });
  await it.repo.git("config", "filter.no.clean", "false");
  await it.repo.git("config", "filter.no.required", "true");
  Deno.utimeSync(`${it.repo.top}/m.x`, new Date(0), new Date(0));
  const { message } = await it.box.fails(4, "merge", it.id(1));
  assertStringIncludes(message, "'false' failed");
  assertEquals(it.read("b.txt"), undefined);
});

test(
  "a git that fails while it writes files leaves the working copy as it was",
  SHELL ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    await repo.commit({ ".gitattributes": "*.x filter=picky\n", "m.x": "old\n", "z.txt": "z\n" });
    await it.task(1, {
      "a.txt": lines({ 1: "eins" }),
      "b.txt": "b\n",
      "m.x": "new\n",
      "z.txt": null,
    });
    await repo.git("config", "filter.picky.smudge", "! grep -q new >&2 && echo old");
    await repo.git("config", "filter.picky.clean", "cat");
    await repo.git("config", "filter.picky.required", "true");
    const before = await it.at("main");
    const { message } = await it.box.fails(4, "merge", it.id(1));
    assertStringIncludes(message, "git refuses");
    assertEquals(await repo.git("status", "--porcelain"), "");
    assertEquals([it.read("a.txt"), it.read("b.txt"), it.read("m.x"), it.read("z.txt")], [
      lines(),
      undefined,
      "old\n",
      "z\n",
    ]);
    assertEquals(await it.at("main"), before);
    assertEquals(readRecord(openQueue(repo.top).store).pending, null);
  },
);

test(
  "on a disk that gets full a merge is taken back",
  mounting() ?? ON_POSIX ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    await repo.git("branch", "other");
    const big = (letter: string) => letter.repeat(300_000);
    await it.task(1, { "1.bin": big("a"), "2.bin": big("b"), "a.txt": lines({ 1: "eins" }) });
    // A working copy of the target on a disk that is too small for what comes.
    using disk = new SmallDisk("size=400k");
    const tree = `${disk.path}/tree`;
    await repo.git("switch", "--quiet", "other");
    await repo.git("worktree", "add", "--quiet", tree, "main");
    const before = await it.at("main");
    const { message } = await it.box.fails(4, "merge", it.id(1), "--into", "main");
    assertStringIncludes(message, "main");
    assertEquals(await it.at("main"), before);
    assertEquals(await repo.gitIn(tree, "status", "--porcelain"), "", message);
    assertEquals(it.read("a.txt", tree), lines());
    assertEquals(readRecord(openQueue(repo.top).store).pending, null);
    await repo.git("worktree", "remove", tree);
  },
);

test("a working copy that goes to the target meanwhile is not left behind", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
  await it.repo.git("checkout", "--quiet", "-b", "feature");
  const from = await it.at("main");
  const error = await move(it, "orchestra/1", () => {
    const args = ["-C", it.repo.top, "checkout", "--quiet", "main"];
    new Deno.Command("git", { args }).outputSync();
  });
  assertStringIncludes(String(error), "has it checked out since");
  assertEquals([await it.at("main"), await it.repo.git("status", "--porcelain")], [from, ""]);
  assertEquals(await move(it, "orchestra/1"), null);
  assertEquals(await it.repo.git("status", "--porcelain"), "");
});

test(
  "a working copy that goes to the target in the very moment goes along",
  GIT ?? ON_POSIX,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
    await it.repo.git("checkout", "--quiet", "-b", "feature");
    const script = `"$git" -C '${it.repo.top}' checkout --quiet main`;
    await using between = await makeBetween('*" update-ref "*" refs/heads/main "*', script);
    const args = ["merge", it.id(1), "--into", "main"];
    const { code, stderr } = await it.box.runWith({ env: between.env }, ...args);
    assertEquals([code, between.wasDone()], [0, true], stderr);
    assertEquals(await it.at("main"), await it.at("orchestra/1"));
    assertEquals(await it.repo.git("status", "--porcelain"), "");
    assertEquals(it.read("new.txt"), "n\n");
  },
);

test(
  "a branch on which an agent is at work since is not merged into",
  GIT ?? ON_POSIX,
  async () => {
    await using it = await makeMergeBox();
    const { store } = openQueue(it.repo.top);
    await it.task(1, { "a.txt": lines({ 1: "eins" }) });
    await it.task(2, { "b.txt": "b\n" });
    const before = await it.at("orchestra/2");
    const file = `${it.repo.top}/.orchestra/tasks/${it.id(2)}.json`;
    const verify = [
      "sh",
      "-c",
      `sed -i 's/"complete"/"running"/; s/"claim": 0/"claim": 1/' '${file}'`,
    ];
    store.write({ ...store.read(it.id(1))!, verify });
    const args = ["merge", it.id(1), "--verify", "--into", "orchestra/2"];
    const { code, stderr } = await it.box.run(...args);
    assertEquals(code, 4, stderr);
    assertStringIncludes(stderr, "which is running");
    assertEquals(await it.at("orchestra/2"), before);
  },
);

test(
  "nothing else is done to the worktree of a task while its branch is merged into",
  GIT ?? ON_POSIX,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "a.txt": lines({ 1: "eins" }) });
    await it.task(2, { "b.txt": "b\n" });
    const proof = `${it.repo.beside}/proof`;
    const script = `cp '${it.repo.top}/.orchestra/${it.id(2)}.worktree.lock' '${proof}'`;
    await using between = await makeBetween('*" update-ref "*" refs/heads/orchestra/2 "*', script);
    const args = ["merge", it.id(1), "--into", "orchestra/2"];
    const { code, stderr } = await it.box.runWith({ env: between.env }, ...args);
    assertEquals([code, Deno.readTextFileSync(proof)], [0, "held\n"], stderr);
  },
);
