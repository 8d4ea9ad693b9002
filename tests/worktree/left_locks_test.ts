// What a git leaves locked that is killed while it moves a branch of the user's: nobody could commit there
// any more. The next of us who comes releases it, as soon as nobody can have it.

import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { makeMergeBox, type MergeBox } from "../support/merges.ts";
import { mounting, needs, ON_LINUX, test, which } from "../support/needs.ts";
import { type Outcome, PATIENCE, runProgram } from "../support/program.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { readRecord } from "../../lib/worktree/merge_record.ts";
import { GitError } from "../../lib/worktree/git.ts";
import { alone, patiently } from "../../lib/worktree/lock.ts";
import { findRepository } from "../../lib/worktree/repository.ts";

const LINUX_GIT = needs("git") ?? ON_LINUX;

/** What git has while it moves the branch that is checked out. */
const LOCKS = ["HEAD.lock", "refs/heads/main.lock"];

/**
 * Merges the first task with a git that, when it is to move `main`, does what a script says.
 *
 * @param script `git` does it; `lock` makes the locks, so old that no git of another test can have them;
 * `die` is its end
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
lock() { for name in ${LOCKS.join(" ")}; do touch -d yesterday "${it.repo.top}/.git/$name"; done; }
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

async function prepare(): Promise<MergeBox> {
  const it = await makeMergeBox();
  await it.task(1, { "new.txt": "new\n" });
  return it;
}

const pending = (it: MergeBox) => readRecord(openQueue(it.repo.top).store).pending;

async function assertMerged(it: MergeBox): Promise<void> {
  assertEquals([leftIn(it), pending(it)], [[], null]);
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
    assertEquals(leftIn(it), []);
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

/** A file in git's folder, as old as told. */
function leave(it: MergeBox, name: string, days: number): string {
  const path = `${it.repo.top}/.git/${name}`;
  const time = new Date(Date.now() - days * 24 * 60 * 60 * 1000);
  Deno.writeTextFileSync(path, "");
  Deno.utimeSync(path, time, time);
  return path;
}

const YESTERDAY = () => new Date(Date.now() - 24 * 60 * 60 * 1000).toISOString();

test(
  "what somebody has left who was killed goes, and what is older or of an index stays",
  LINUX_GIT,
  async () => {
    await using it = await prepare();
    const repo = await findRepository(it.repo.top);
    await alone(repo, () => Promise.resolve());
    const [older, index] = [leave(it, "config.lock", 2), leave(it, "index.lock", 1)];
    const [own, ref] = [leave(it, "packed-refs.lock", 1), leave(it, "refs/heads/x.lock", 1)];
    await alone(repo, () => Promise.resolve());
    for (const path of [older, index, own, ref]) assert(Deno.statSync(path).isFile);
    Deno.writeTextFileSync(noteOf(it), YESTERDAY());
    await alone(repo, () => Promise.resolve());
    for (const path of [older, index]) assert(Deno.statSync(path).isFile);
    for (const path of [own, ref]) assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
    assertEquals(Deno.readTextFileSync(noteOf(it)), "");
  },
);

test("a lock that somebody has stays, and is looked at again", LINUX_GIT, async () => {
  await using it = await prepare();
  const repo = await findRepository(it.repo.top);
  const path = leave(it, "packed-refs.lock", 1);
  const note = YESTERDAY();
  Deno.writeTextFileSync(noteOf(it), note);
  {
    using _held = Deno.openSync(path);
    assertEquals(await alone(repo, () => Promise.resolve("done")), "done");
    assertEquals([Deno.readTextFileSync(noteOf(it)), Deno.statSync(path).size], [note, 0]);
  }
  await alone(repo, () => Promise.resolve());
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  assertEquals(Deno.readTextFileSync(noteOf(it)), "");
});

test("only what passes is waited for", null, async () => {
  const after = async (stderr: string) => {
    let count = 0;
    await patiently(() => {
      if (++count === 2) return Promise.resolve();
      throw new GitError(["x"], { code: 128, stdout: "", stderr });
    }).catch(() => {});
    return count;
  };
  const passing = [
    "fatal: Unable to create '/a/index.lock': File exists.\n\nAnother git",
    "fatal: cannot lock ref 'refs/heads/x': Unable to create '/a/refs/heads/x.lock': File exists.",
    "fatal: cannot lock ref 'refs/o/x': Unable to create '/a/refs/o/x.lock': No such file or directory",
    "error: could not lock config file .git/config: File exists",
  ];
  const lasting = [
    "fatal: cannot lock ref 'HEAD': Unable to create '/a/HEAD.lock': Permission denied",
    "error: could not lock config file .git/config: Permission denied",
    "fatal: Unable to create '/a/index.lock': No such file or directory",
    "fatal: cannot lock ref 'refs/heads/x': is at 1 but expected 2",
    "fatal: cannot lock ref 'refs/heads/x': unable to resolve reference 'refs/heads/x'",
    "error: unable to create file yarn.lock: File exists",
  ];
  for (const stderr of passing) assertEquals([stderr, await after(stderr)], [stderr, 2]);
  for (const stderr of lasting) assertEquals([stderr, await after(stderr)], [stderr, 1]);
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
  assertEquals(it.read(".git/packed-refs.lock"), undefined);
});

test("a full disk keeps nobody from what makes room on it", mounting() ?? LINUX_GIT, async () => {
  using disk = new SmallDisk("size=16k");
  Deno.writeFileSync(`${disk.path}/rest`, new Uint8Array(16 * 1024));
  const repo = { top: disk.path, gitDir: disk.path, prefix: "", hash: "sha1", head: "" };
  await alone(repo, () => Deno.remove(`${disk.path}/rest`));
  assertEquals([...Deno.readDirSync(disk.path)].map(({ name }) => name), ["orchestra.lock"]);
});
