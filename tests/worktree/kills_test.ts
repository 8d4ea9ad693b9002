// Whoever makes, commits or removes a worktree is killed before and after each git that changes something,
// and with that git while it runs. The next call finishes it, and nothing is lost.

import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { execute, namesBelow, succeeded } from "../support/execute.ts";
import { KILLED, needs, SHELL, test, which } from "../support/needs.ts";
import { assertSound, assertWhole, makeTrees, type Trees } from "./trees.ts";
import { backups } from "../../lib/worktree/backup.ts";
import { findWorktree } from "../../lib/worktree/repository.ts";

const HERE = needs("git", "sleep") ?? SHELL ?? KILLED;
const PROGRAM = new URL("steps_program.ts", import.meta.url).pathname;

/**
 * A git that counts how often it is run to change something; the time it is to, it ends who runs it, and
 * perhaps itself. To end who only looks is to end him before the next change.
 */
const GIT = `#!/bin/sh
case "$*" in
*" worktree list "* | *" symbolic-ref --quiet "*) exec "$KILL_GIT" "$@" ;;
*" worktree "* | *" reset "* | *" add "* | *" write-tree"* | *" commit-tree "* | *"-ref "*) ;;
*) exec "$KILL_GIT" "$@" ;;
esac
count=1
while ! mkdir "$KILL_COUNT/$count" 2>/dev/null; do count=$((count + 1)); done
if [ $count = "$KILL_AT" ]; then
  case $KILL_HOW in
  before) kill -9 $PPID; exit 1 ;;
  after) "$KILL_GIT" "$@"; kill -9 $PPID; exit 1 ;;
  during*) "$KILL_GIT" "$@" & git=$!; sleep "\${KILL_HOW#during}"; kill -9 $git $PPID; exit 1 ;;
  esac
fi
exec "$KILL_GIT" "$@"
`;

type What = "make" | "commit" | "remove";

/** Runs a step in a process of its own, which is killed at one of its gits; whether it was. */
async function runStep(
  { user, wanted }: Trees,
  what: What,
  number: number,
  at: number,
  how: string,
  more: Parameters<Trees["wanted"]>[1],
): Promise<boolean> {
  const folder = `${user.beside}/git-${what}-${at}-${how}`;
  Deno.mkdirSync(`${folder}/count`, { recursive: true });
  user.write("git", GIT, folder);
  Deno.chmodSync(`${folder}/git`, 0o755);
  const args = [
    "run",
    "-A",
    "--quiet",
    PROGRAM,
    what,
    user.top,
    JSON.stringify([wanted(number, more)]),
  ];
  const outcome = await execute(Deno.execPath(), args, {
    env: {
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      KILL_COUNT: `${folder}/count`,
      KILL_AT: String(at),
      KILL_HOW: how,
      KILL_GIT: which("git")!,
    },
  });
  const count = [...Deno.readDirSync(`${folder}/count`)].length;
  if (count < at) succeeded(outcome, `${what}, of which nothing was killed`);
  else assertEquals(outcome.code, 137, JSON.stringify(outcome));
  return count >= at;
}

/** Whoever was killed was killed yesterday: no git of another test can have had its locks. */
function age({ repo }: Trees): void {
  const yesterday = new Date(Date.now() - 24 * 60 * 60 * 1000);
  for (const name of namesBelow(repo.gitDir)) {
    if (name.endsWith(".lock")) Deno.utimeSync(`${repo.gitDir}/${name}`, yesterday, yesterday);
  }
}

/** Has a step killed everywhere, and each time checks what the next call makes of it. */
async function killEverywhere(
  what: What,
  hows: readonly string[],
  prepare: (trees: Trees, number: number) => Promise<Parameters<Trees["wanted"]>[1]>,
  check: (trees: Trees, number: number) => Promise<void>,
): Promise<void> {
  for (const how of hows) {
    await using trees = await makeTrees();
    let at = 1;
    for (; at < 100; at++) {
      const more = await prepare(trees, at);
      const isKilled = await runStep(trees, what, at, at, how, more);
      if (isKilled) age(trees);
      if (isKilled) await runStep(trees, what, at, 1000, `again-${how}`, more);
      await check(trees, at);
      if (!isKilled) break;
    }
    assertGreater(at, 2);
    await assertSound(trees);
  }
}

const HOWS = ["before", "during0.003"];

test(
  "a killed making is finished by the next call, with all files and nothing of the user's changed",
  HERE,
  async () => {
    await killEverywhere("make", HOWS, async ({ user }, number) => {
      if (number === 1) {
        const files = Array.from({ length: 300 }, (_, at) => [`many/${at}`, `${at}\n`.repeat(50)]);
        await user.commit({
          ...Object.fromEntries(files),
          ".gitignore": ".env\n",
          ".worktreeinclude": ".env\n",
        });
        user.write(".env", "TOKEN=1\n");
        user.write("a.txt", "changed\n");
        user.write("new.txt", "new\n");
      }
      const base = await user.git("rev-parse", "HEAD");
      return { base, dirty: number % 2 === 0 ? "carry" : "ignore" };
    }, async (trees, number) => {
      const { user } = trees;
      const { path } = trees.wanted(number);
      await assertWhole(trees, trees.wanted(number));
      assertEquals(Deno.readTextFileSync(`${path}/.env`), "TOKEN=1\n");
      assertEquals(Deno.readTextFileSync(`${path}/many/299`).length, 200);
      const isCarried = number % 2 === 0;
      assertEquals(Deno.readTextFileSync(`${path}/a.txt`) === "changed\n", isCarried);
      assertEquals(await user.git("status", "--porcelain"), " M a.txt\n?? new.txt");
    });
  },
);

test("a killed commit is made by the next call, with every file that was left", HERE, async () => {
  await killEverywhere("commit", HOWS, async (trees, number) => {
    const path = await trees.make(number);
    trees.user.write("a.txt", "changed\n", path);
    for (let at = 0; at < 100; at++) trees.user.write(`new/${at}`, `${at}\n`, path);
    // Some have gone elsewhere.
    if (number % 2 === 0) await trees.user.gitIn(path, "checkout", "-q", "--detach");
    return {};
  }, async ({ user, wanted, base }, number) => {
    const { path, branch } = wanted(number);
    assertEquals(await user.gitIn(path, "status", "--porcelain", "--branch"), `## ${branch}`);
    const changed = await user.git("diff", "--name-only", base, branch);
    assertEquals(changed.split("\n").length, 101);
    assertEquals(await user.git("rev-list", "--count", `${base}..${branch}`), "1");
  });
});

test(
  "a killed removal is finished by the next call, and every commit has a name",
  HERE,
  async () => {
    const lonely: string[] = [];
    await killEverywhere("remove", HOWS, async (trees, number) => {
      const path = await trees.make(number);
      await trees.user.gitIn(path, "checkout", "-q", "--detach");
      const files = Array.from({ length: 100 }, (_, at) => [`many/${at}`, `${number} ${at}\n`]);
      lonely[number] = await trees.user.commit(Object.fromEntries(files), "lonely", path);
      return {};
    }, async ({ user, wanted, repo }, number) => {
      const { path } = wanted(number);
      assertEquals(await findWorktree(repo, path), undefined);
      assert(await Deno.lstat(path).then(() => false, () => true), path);
      const kept = (await backups(repo)).map(({ commit }) => commit);
      assert(kept.includes(lonely[number]!), `task ${number}`);
      await user.git("rev-parse", "--verify", `refs/heads/${wanted(number).branch}`);
    });
  },
);

/** Git's record of a worktree, as a git leaves it that was killed while it wrote it. */
const HALVES: Readonly<Record<string, readonly string[]>> = {
  "a branch and nothing else": [],
  "a lock": ["locked"],
  "where it is": ["locked", "gitdir"],
  "git's file in the folder": ["locked", "gitdir", ".git"],
  "a HEAD": ["locked", "gitdir", ".git", "HEAD"],
  "where the rest is": ["locked", "gitdir", ".git", "HEAD", "commondir"],
};

test(
  "whatever a git that was killed has written of a worktree, it is made whole",
  needs("git"),
  async () => {
    for (const [what, files] of Object.entries(HALVES)) {
      for (const hasBranch of [true, false]) {
        await using trees = await makeTrees();
        const { user, repo, base } = trees;
        const { path, branch, reason } = trees.wanted(1);
        if (hasBranch) await user.git("branch", branch, base);
        const record = `${repo.gitDir}/worktrees/${path.split("/").at(-1)}`;
        const texts: Record<string, string> = {
          locked: reason,
          gitdir: `${path}/.git\n`,
          HEAD: `${"0".repeat(40)}\n`,
          commondir: "../..\n",
        };
        for (const file of files) {
          if (file === ".git") user.write(".git", `gitdir: ${record}\n`, path);
          else user.write(file, texts[file]!, record);
        }
        await trees.make(1);
        await assertWhole(trees, trees.wanted(1));
        await user.git("fsck", "--strict");
        assert(what !== "");
      }
    }
  },
);
