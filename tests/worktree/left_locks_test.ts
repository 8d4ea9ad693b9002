// What a git leaves locked that is killed while it moves a branch of the user's: nobody could commit there
// any more. The next of us who comes releases it, as soon as nobody can have it.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { makeMergeBox, type MergeBox } from "../support/merges.ts";
import { mounting, needs, ON_LINUX, test, which } from "../support/needs.ts";
import { type Outcome, PATIENCE, runProgram } from "../support/program.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { readRecord } from "../../lib/worktree/merge_record.ts";
import { alone } from "../../lib/worktree/lock.ts";
import { findRepository } from "../../lib/worktree/repository.ts";

const LINUX_GIT = needs("git") ?? ON_LINUX;

/** What git has while it moves the branch that is checked out. */
const LOCKS = ["HEAD.lock", "refs/heads/main.lock"];

/**
 * Merges the first task with a git that, when it is to move `main`, does what a script says.
 *
 * @param script `git` does it; `lock` makes the locks; `die` is its end
 * @param when what it does so for, a pattern of the shell's for its arguments
 */
async function merge(
  it: MergeBox,
  script: string,
  when = '*" update-ref "*" refs/heads/main "*',
): Promise<Outcome> {
  const folder = await Deno.makeTempDir({ dir: it.repo.beside });
  it.repo.write(
    "git",
    `#!/bin/sh
git() { "${which("git")!}" "$@"; }
lock() { for name in ${LOCKS.join(" ")}; do : >"${it.repo.top}/.git/$name"; done; }
die() { kill -9 $$; }
case " $* " in ${when}) ${script} ;; esac
exec "${which("git")!}" "$@"
`,
    folder,
  );
  Deno.chmodSync(`${folder}/git`, 0o755);
  const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
  return await runProgram(it.repo.top, ["merge", it.id(1)], { env });
}

const leftIn = ({ repo }: MergeBox) =>
  LOCKS.filter((name) => {
    try {
      return Deno.lstatSync(`${repo.top}/.git/${name}`).isFile;
    } catch {
      return false;
    }
  });

const noteOf = ({ repo }: MergeBox) => `${repo.top}/.git/orchestra.lock`;

/** All of it was yesterday: no git of another test can have those locks. */
function age(it: MergeBox): void {
  const yesterday = new Date(Date.now() - 24 * 60 * 60 * 1000);
  for (const name of leftIn(it)) {
    Deno.utimeSync(`${it.repo.top}/.git/${name}`, yesterday, yesterday);
  }
  const file = noteOf(it);
  if (Deno.readTextFileSync(file) !== "") Deno.writeTextFileSync(file, yesterday.toISOString());
}

async function prepare(): Promise<MergeBox> {
  const it = await makeMergeBox();
  await it.task(1, { "new.txt": "new\n" });
  return it;
}

const pending = (it: MergeBox) => readRecord(openQueue(it.repo.top).store).pending;

async function assertMerged(it: MergeBox): Promise<void> {
  assertEquals([leftIn(it), Deno.readTextFileSync(noteOf(it)), pending(it)], [[], "", null]);
  assertEquals(await it.at("main"), await it.at("orchestra/1"));
  assertEquals(await it.repo.git("status", "--porcelain"), "");
  await it.repo.commit({ "next.txt": "n\n" });
}

for (
  const [when, script] of [
    ["before it has moved it", "kill -9 $PPID; lock; die"],
    ["when it has moved it", 'kill -9 $PPID; git "$@"; lock; die'],
  ] as const
) {
  test(
    `the user can commit again where a merge and its git were killed ${when}`,
    LINUX_GIT,
    async () => {
      await using it = await prepare();
      const { code } = await merge(it, script);
      assertEquals(code === 0, false);
      while (leftIn(it).length < LOCKS.length) await new Promise((done) => setTimeout(done, 10));
      age(it);
      // It finishes it, and then there is nothing to merge.
      await it.box.run("merge", it.id(1));
      await assertMerged(it);
    },
  );
}

test(
  "where only git is killed when it has moved the branch, the merge is done",
  LINUX_GIT,
  async () => {
    await using it = await prepare();
    assertEquals((await merge(it, 'git "$@"; lock; die')).code, 0);
    assertEquals(await it.at("main"), await it.at("orchestra/1"));
    age(it);
    await alone(await findRepository(it.repo.top), () => Promise.resolve());
    await assertMerged(it);
  },
);

test(
  "where only git is killed before it has moved the branch, nothing is changed",
  LINUX_GIT,
  async () => {
    await using it = await prepare();
    const before = await it.at("main");
    const { code, stderr } = await merge(it, "lock; die");
    assertStringIncludes(stderr, "Moving main: git refuses");
    assertEquals(code, 4);
    assertEquals([await it.at("main"), it.read("new.txt"), pending(it)], [before, undefined, null]);
    age(it);
    await it.box.ok("merge", it.id(1));
    await assertMerged(it);
  },
);

test(
  "no git has the user's index locked before it is noted what is under way",
  LINUX_GIT,
  async () => {
    await using it = await prepare();
    const [early, late] = [`${it.repo.beside}/early`, `${it.repo.beside}/late`];
    const noted = `grep -q '"pending": {' ${it.repo.top}/.orchestra/merge.json`;
    const script =
      `if [ -z "$GIT_INDEX_FILE" ]; then ${noted} && echo >>${late} || echo "$*" >>${early}; fi`;
    const { code } = await merge(it, script, '*" update-index "*|*" read-tree "*');
    assertEquals([code, it.read(early, ""), it.read(late, "") === undefined], [
      0,
      undefined,
      false,
    ]);
  },
);

test("a lock that was there before stays", LINUX_GIT, async () => {
  await using it = await prepare();
  it.repo.write(".git/packed-refs.lock", "");
  const hourAgo = new Date(Date.now() - 3_600_000);
  Deno.utimeSync(`${it.repo.top}/.git/packed-refs.lock`, hourAgo, hourAgo);
  assertEquals((await merge(it, 'git "$@"; lock; die')).code, 0);
  await alone(await findRepository(it.repo.top), () => Promise.resolve());
  assertEquals(it.read(".git/packed-refs.lock"), "");
});

test("doctor releases a new lock of a git that was killed with us", LINUX_GIT, async () => {
  await using it = await prepare();
  await it.box.ok("merge", it.id(1));
  const lock = `${it.repo.top}/.git/packed-refs.lock`;
  Deno.writeTextFileSync(lock, "");
  assertEquals((await it.box.run("doctor", "--fix")).stdout.includes(lock), false);
  Deno.writeTextFileSync(noteOf(it), new Date().toISOString());
  const until = performance.now() + PATIENCE;
  // As long as a git of another test runs that began before, it might be its.
  for (let said = ""; !said.includes(`released ${lock}`);) {
    assert(performance.now() < until, said);
    said = (await it.box.run("doctor", "--fix")).stdout;
  }
  assertEquals([it.read(".git/packed-refs.lock"), Deno.readTextFileSync(noteOf(it))], [
    undefined,
    "",
  ]);
});

test("a full disk keeps nobody from what makes room on it", mounting() ?? LINUX_GIT, async () => {
  using disk = new SmallDisk("size=16k");
  Deno.writeFileSync(`${disk.path}/rest`, new Uint8Array(16 * 1024));
  const repo = { top: disk.path, gitDir: disk.path, prefix: "", hash: "sha1", head: "" };
  await alone(repo, () => Deno.remove(`${disk.path}/rest`));
  assertEquals([...Deno.readDirSync(disk.path)].map(({ name }) => name), ["orchestra.lock"]);
});
