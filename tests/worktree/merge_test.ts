// What a merge leaves that is killed, wherever that is: nothing of anybody's is lost, and the next one
// finishes it or begins anew.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { lines, makeMergeBox, type MergeBox } from "../support/merges.ts";
import { needs, ON_LINUX, ON_POSIX, test } from "../support/needs.ts";
import { act } from "./merge_program.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { readRecord, writeRecord } from "../../lib/worktree/merge_record.ts";
import { settleMove } from "../../lib/worktree/perform.ts";
import { ask } from "../../lib/worktree/git.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { scratchEnv, withScratch } from "../../lib/worktree/scratch.ts";

const GIT = needs("git");
const PROGRAM = filePath(new URL("merge_program.ts", import.meta.url));

/** Runs the program; whether it came to its end. */
async function run(
  it: MergeBox,
  what: string,
  count: number,
  when: "before" | "after",
): Promise<boolean> {
  const { repo: { top, beside } } = it;
  const { signal, success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", PROGRAM, top, beside, what, `${count}`, when],
    stdin: "null",
  }).output();
  assert(success || signal === "SIGKILL", new TextDecoder().decode(stderr));
  return success;
}

/** A merge that changes, adds and removes files, and everything of the user's that it must leave alone. */
async function prepare(): Promise<MergeBox> {
  const it = await makeMergeBox();
  const { repo } = it;
  await repo.commit({
    "mine.txt": "m\n",
    "staged.txt": "s\n",
    "gone.txt": "g\n",
    "d/e.txt": "e\n",
  });
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new/deep.txt": "n\n", "gone.txt": null });
  await it.task(2, { "a.txt": lines({ 8: "acht" }), "d/e.txt": null, "d/f.txt": "f\n" });
  await repo.commit({ "other.txt": "o\n" }, "somebody else's");
  repo.write("mine.txt", "mine\n");
  repo.write("staged.txt", "staged\n");
  await repo.git("add", "staged.txt");
  repo.write("untracked.txt", "untracked\n");
  return it;
}

const BEFORE = { a: lines(), deep: undefined, gone: "g\n", e: "e\n", f: undefined };
const AFTER = {
  a: lines({ 1: "eins", 8: "acht" }),
  deep: "n\n",
  gone: undefined,
  e: undefined,
  f: "f\n",
};

/** That everything is as it is to be, and nothing else is there. */
async function check(
  it: MergeBox,
  files: typeof BEFORE | typeof AFTER,
  what: string,
): Promise<void> {
  const { repo } = it;
  const names = { a: "a.txt", deep: "new/deep.txt", gone: "gone.txt", e: "d/e.txt", f: "d/f.txt" };
  const found = Object.entries(names).map(([name, path]) => [name, it.read(path)]);
  assertEquals(Object.fromEntries(found), files, what);
  const status = (await repo.git("status", "--porcelain", "--untracked-files=all")).split("\n");
  assertEquals(status.sort(), [" M mine.txt", "?? untracked.txt", "M  staged.txt"], what);
  assertEquals([it.read("mine.txt"), it.read("staged.txt")], ["mine\n", "staged\n"], what);
  await repo.git("fsck", "--no-dangling");
  const trees = await repo.git("worktree", "list", "--porcelain");
  assertEquals(trees.match(/^worktree /gm)?.length, 1, `${what}: ${trees}`);
  assertEquals([...Deno.readDirSync(repo.beside)].map(({ name }) => name), [], what);
  assertEquals(readRecord(openQueue(repo.top).store).pending, null, what);
}

/** The same again and again, as it was, in the same place. */
async function prepareMany(): Promise<MergeBox & { again(): Promise<void> }> {
  const it = await prepare();
  const { top } = it.repo;
  const kept = `${top}.kept`;
  const copy = async (from: string, to: string) => {
    const { success } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
    assert(success);
  };
  await copy(top, kept);
  return Object.assign(it, {
    async again() {
      await Deno.remove(top, { recursive: true });
      await copy(kept, top);
    },
  });
}

const KILLS = [
  ["merge", "before", "A merge"],
  ["merge", "after", "A merge"],
  ["rebase", "before", "A rebase"],
  ["undo", "before", "An undoing"],
  ["undo", "after", "An undoing"],
] as const;

for (const [mode, when, verb] of KILLS) {
  test(
    `${verb} that is killed just ${when} anything that it does is finished by the next`,
    ON_POSIX ?? GIT,
    async () => {
      await using it = await prepareMany();
      const { top, beside } = it.repo;
      const first = await it.at("main");
      let kills = 0;
      for (let at = 1;; at++) {
        await it.again();
        if (mode === "undo") await act(top, beside, "merge");
        const second = await it.at("main");
        const done = await run(it, mode, at, when);
        const what = `${mode}, killed ${when} ${at}`;
        // Whatever was half done, nothing of the user's is lost.
        assertEquals([it.read("mine.txt"), it.read("untracked.txt")], ["mine\n", "untracked\n"]);
        assertEquals(await it.repo.git("log", "--format=%s", "-1", "orchestra/1"), "work of 1");
        if (mode === "undo") {
          // What was begun is finished; what was not is begun.
          await act(top, beside, "undo").catch((error) => assertStringIncludes(`${error}`, "none"));
          await check(it, BEFORE, what);
          assertEquals(await it.at("main"), first, what);
          const kept = await it.repo.git(
            "for-each-ref",
            "--format=%(objectname)",
            "refs/orchestra",
          );
          assertStringIncludes(kept, second, what);
        } else {
          await act(top, beside, mode);
          await check(it, AFTER, what);
          // And it can be undone.
          if (at % 4 === 0) {
            await act(top, beside, "undo");
            await check(it, BEFORE, what);
            assertEquals(await it.at("main"), first, what);
          }
        }
        if (done) break;
        kills++;
      }
      assert(kills > 10, `${kills}`);
    },
  );
}

/** What is under way in a workspace: a move of `main` to the tip of a branch, of which nothing is done. */
async function begin(it: MergeBox, branch: string): Promise<{ from: string; to: string }> {
  const [from, to] = [await it.at("main"), await it.at(branch)];
  const backup = "refs/orchestra/backup/merge/main-1";
  await it.repo.git("update-ref", backup, from);
  const { store } = openQueue(it.repo.top);
  writeRecord(store, {
    done: [],
    pending: {
      ...{ kind: "merge", ref: "refs/heads/main", from, to, backup, tasks: [it.id(1)] },
      ...{ checkouts: [it.repo.top], tips: {}, mode: "merge", at: "2026-03-04T12:00:00Z" },
    },
  });
  return { from, to };
}

async function settle(it: MergeBox, note?: (text: string) => void) {
  const { store } = openQueue(it.repo.top);
  const repo = await findRepository(it.repo.top);
  return await settleMove({ repo, store, now: Date.now, note });
}

/** As a git does that is killed while it writes files. */
function leaveLock(it: MergeBox): void {
  const path = `${it.repo.top}/.git/index.lock`;
  Deno.writeTextFileSync(path, "");
  const old = new Date(Date.now() - 3_600_000);
  Deno.utimeSync(path, old, old);
}

test("files that a killed git left half written are finished", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ "b.txt": "b\n", "c.txt": "c\n", "d.txt": "d\n" });
  await it.task(1, {
    "a.txt": lines({ 1: "eins" }),
    "b.txt": "b, and more\n",
    "c.txt": "c, and more\n",
    "d.txt": null,
    "new.txt": "new and long\n",
    "empty.txt": "not empty\n",
  });
  const { to } = await begin(it, "orchestra/1");
  // The one is written, the next one removed to be written, others cut short, one untouched.
  it.repo.write("a.txt", lines({ 1: "eins" }));
  Deno.removeSync(`${it.repo.top}/b.txt`);
  it.repo.write("new.txt", "new a");
  it.repo.write("empty.txt", "");
  leaveLock(it);
  const settled = await settle(it);
  assertEquals([settled!.abandoned, settled!.move.to], [null, to]);
  assertEquals(await it.at("main"), to);
  assertEquals(await it.repo.git("status", "--porcelain"), "");
  assertEquals([it.read("b.txt"), it.read("new.txt"), it.read("d.txt")], [
    "b, and more\n",
    "new and long\n",
    undefined,
  ]);
  assertEquals(await settle(it), null);
});

test("a file that somebody has changed since is not overwritten, and named", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "new\n" });
  const { from, to } = await begin(it, "orchestra/1");
  it.repo.write("new.txt", "new\n");
  it.repo.write("a.txt", "mine");
  const error = await assertRejects(() => settle(it), Error, "a.txt");
  assert(!`${error}`.includes("new.txt"));
  assertEquals([await it.at("main"), it.read("a.txt")], [from, "mine"]);
  // The same by the command line, which changes nothing else either.
  assertStringIncludes((await it.box.fails(4, "merge", "--all")).message, "a.txt");
  // That it is gone is a change, too: no git was killed while it wrote it.
  Deno.renameSync(`${it.repo.top}/a.txt`, `${it.repo.beside}/a.txt`);
  assertStringIncludes((await it.box.fails(4, "merge", "--all")).message, "a.txt");
  assertEquals(it.read("a.txt"), undefined);
  await it.repo.git("checkout-index", "--", "a.txt");
  const { code, stderr } = await it.box.run("merge", "--all");
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "that was interrupted is finished");
  assertEquals([await it.at("main"), it.read("a.txt")], [to, lines({ 1: "eins" })]);
});

test("what its user has cut short since, or removed, is no half-written file", GIT, async () => {
  await using it = await makeMergeBox();
  await it.repo.commit({ "gone.txt": "gone\n" });
  await it.task(1, { "a.txt": lines({ 1: "eins" }), "gone.txt": "changed\n" });
  const { from } = await begin(it, "orchestra/1");
  const half = lines().slice(0, 20);
  it.repo.write("a.txt", half);
  Deno.removeSync(`${it.repo.top}/gone.txt`);
  const error = await assertRejects(() => settle(it), Error, "a.txt");
  assertStringIncludes(`${error}`, "gone.txt");
  assertEquals([it.read("a.txt"), it.read("gone.txt"), await it.at("main")], [
    half,
    undefined,
    from,
  ]);
  // Where a git was killed nobody can tell the one from the other: what the file had is kept.
  leaveLock(it);
  const notes: string[] = [];
  assertEquals((await settle(it, (text) => notes.push(text)))!.abandoned, null);
  assertEquals(it.read("a.txt"), lines({ 1: "eins" }));
  const kept = /refs\/orchestra\/backup\/\S+/.exec(notes.join())![0];
  assertEquals(await it.repo.git("show", `${kept}:a.txt`), half.trimEnd());
});

test("that a git was killed is known also where its lock was removed by hand", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await begin(it, "orchestra/1");
  const { store } = openQueue(it.repo.top);
  const record = readRecord(store);
  writeRecord(store, { ...record, pending: { ...record.pending!, torn: true } });
  it.repo.write("a.txt", lines({ 1: "eins" }).slice(0, 9));
  assertEquals((await settle(it))!.abandoned, null);
  assertEquals(it.read("a.txt"), lines({ 1: "eins" }));
});

test("what is given up goes out of the working copy again", GIT, async () => {
  await using it = await makeMergeBox();
  const { repo } = it;
  await repo.commit({ "b.txt": "b\n", "c.txt": "c\n", "gone.txt": "g\n" });
  await it.task(1, {
    "a.txt": lines({ 1: "eins" }),
    "c.txt": "C\n",
    "new/n.txt": "n\n",
    "gone.txt": null,
  });
  const { from, to } = await begin(it, "orchestra/1");
  await repo.git("read-tree", "-m", "-u", from, to);
  // Its user commits one file, stages another one and goes on with one of those that were merged.
  repo.write("b.txt", "bb\n");
  await repo.git("commit", "--quiet", "-m", "mine", "--", "b.txt");
  repo.write("b.txt", "bbb\n");
  await repo.git("add", "b.txt");
  repo.write("c.txt", "C, and mine\n");
  const notes: string[] = [];
  const settled = await settle(it, (text) => notes.push(text));
  assertStringIncludes(settled!.abandoned!, "somebody else");
  assertEquals((await repo.git("status", "--porcelain")).split("\n"), ["M  b.txt", "MM c.txt"]);
  assertEquals([it.read("a.txt"), it.read("new/n.txt"), it.read("gone.txt"), it.read("c.txt")], [
    lines(),
    undefined,
    "g\n",
    "C, and mine\n",
  ]);
  assertStringIncludes(notes.join(), "c.txt");
  assert(!notes.join().includes("a.txt"), notes.join());
});

test(
  "what was begun goes out of a working copy that has another branch since, and is finished",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    await repo.git("branch", "side");
    await it.task(1, { "a.txt": lines({ 1: "eins" }), "new.txt": "n\n" });
    const { from, to } = await begin(it, "orchestra/1");
    await repo.git("read-tree", "-m", "-u", from, to);
    await repo.git("switch", "--quiet", "side");
    assertEquals((await settle(it))!.abandoned, null);
    assertEquals(await it.at("main"), to);
    assertEquals(await repo.git("status", "--porcelain"), "");
    assertEquals(it.read("a.txt"), lines());
  },
);

test(
  "names that are no text are finished, too, and nothing else appears",
  ON_LINUX ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    const tree = `${repo.beside}/bytes`;
    await repo.git("worktree", "add", "--quiet", "-b", "bytes", tree);
    const script =
      'mkdir "$(printf "d\\377")"; printf y >"$(printf "d\\377/bad\\377\\376name")"; echo k >>a.txt';
    const { success } = await new Deno.Command("sh", { args: ["-c", script], cwd: tree }).output();
    assert(success);
    await repo.commit({}, "bytes", tree);
    await repo.git("worktree", "remove", tree);
    for (const carried of ["all", "some", "nothing"]) {
      const { from, to } = await begin(it, "bytes");
      if (carried !== "nothing") await repo.git("read-tree", "-m", "-u", from, to);
      if (carried === "some") it.repo.write("a.txt", lines());
      assertEquals((await settle(it))!.abandoned, null);
      assertEquals(await it.at("main"), to);
      assertEquals(await repo.git("status", "--porcelain"), "");
      await repo.git("reset", "--quiet", "--hard", from);
    }
  },
);

test(
  "what is under way is given up where somebody else has moved the branch, and kept",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    await it.task(1, { "b.txt": "b\n" });
    const { to } = await begin(it, "orchestra/1");
    const mine = await it.repo.commit({ "mine.txt": "mine\n" });
    const settled = await settle(it);
    assertStringIncludes(settled!.abandoned!, "somebody else");
    assertEquals(await it.at("main"), mine);
    const kept = await it.repo.git(
      "for-each-ref",
      "--format=%(objectname)",
      "refs/orchestra/backup",
    );
    assertStringIncludes(kept, to);
  },
);

test("a record that somebody made up moves nothing", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  const { from } = await begin(it, "orchestra/1");
  await it.repo.git("update-ref", "-d", "refs/orchestra/backup/merge/main-1");
  assert((await settle(it))!.abandoned !== null);
  assertEquals([await it.at("main"), it.read("a.txt")], [from, lines()]);
  for (const text of ["[]", "{", "null", '{"pending":{"kind":"merge","ref":"HEAD"},"done":[1]}']) {
    Deno.writeTextFileSync(it.box.path("merge.json"), text);
    const { code, stderr } = await it.box.run("merge", "--undo");
    assert(code === 4 || code === 5, stderr);
    assert(!stderr.includes("    at "), stderr);
  }
  assertEquals([await it.at("main"), it.read("a.txt")], [from, lines()]);
});

test("a record of what can be no branch moves nothing, and is no defect", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  for (const ref of ["refs/heads/../../HEAD", "refs/heads/-x", "refs/heads/a..b", "refs/heads/"]) {
    const { from } = await begin(it, "orchestra/1");
    const { store } = openQueue(it.repo.top);
    const record = readRecord(store);
    writeRecord(store, { ...record, pending: { ...record.pending!, ref } });
    const before = await it.repo.git("for-each-ref");
    assertEquals(await settle(it), null, ref);
    assertEquals([await it.at("main"), await it.repo.git("for-each-ref")], [from, before], ref);
  }
  await it.box.ok("merge", it.id(1));
});

test(
  "a git that is killed while it writes files leaves nothing that the next merge does not finish",
  ON_LINUX ?? GIT,
  async () => {
    await using it = await makeMergeBox();
    const { repo } = it;
    // A filter of the user's by which each file goes; for the third it is the end of git and of who started it.
    const count = it.box.path("workspace/count");
    const filter = `cat; echo >>${count}; ` +
      `if [ "$(wc -l <${count})" = 3 ]; then kill -9 $(cut -d " " -f 4 /proc/$PPID/stat) $PPID; fi`;
    await repo.commit({ ".gitattributes": "*.x filter=deadly\n", "z.txt": "z\n" });
    const names = [1, 2, 3, 4, 5, 6].map((number) => `${number}.x`);
    await it.task(1, Object.fromEntries(names.map((name) => [name, `${name}\n`])));
    await repo.git("config", "filter.deadly.smudge", filter);
    const { code } = await it.box.run("merge", it.id(1));
    assert(code !== 0);
    assert(Deno.statSync(`${repo.top}/.git/index.lock`).isFile, "git was not killed");
    await repo.git("config", "filter.deadly.smudge", "cat");
    const next = await it.box.run("merge", it.id(1));
    if (/index\.lock is there/.test(next.stderr)) {
      // Not everybody who could have it can be seen from here: its user decides.
      Deno.removeSync(`${repo.top}/.git/index.lock`);
      await it.box.ok("merge", it.id(1));
    } else assertEquals(next.code, 0, next.stderr);
    assertEquals(names.map((name) => it.read(name)), names.map((name) => `${name}\n`));
    assertEquals(await repo.git("status", "--porcelain"), "");
    assertEquals(await it.at("main"), await it.at("orchestra/1"));
  },
);

test("a git in a scratch that has lost its own repository finds no other one", GIT, async () => {
  await using it = await makeMergeBox();
  const { repo } = it;
  const found = await findRepository(repo.top);
  repo.write("a.txt", "mine");
  // Inside of the working copy, as the settings may have it.
  const place = { repo: found, folder: `${repo.top}/trees`, root: repo.top };
  await withScratch(place, await it.at("main"), async (path) => {
    Deno.renameSync(`${path}/.git`, `${path}/elsewhere`);
    const env = scratchEnv(path);
    await assertRejects(
      () => ask(path, ["reset", "--hard"], { env }),
      Error,
      "not a git repository",
    );
    Deno.renameSync(`${path}/elsewhere`, `${path}/.git`);
  });
  assertEquals(it.read("a.txt"), "mine");
  assertEquals(await repo.git("status", "--porcelain"), " M a.txt");
});
