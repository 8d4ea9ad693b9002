// What goes of branches and worktrees, what stays, and that nothing is ever lost by it.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { linking, NAMES, needs, ON_LINUX, test } from "../support/needs.ts";
import { type Branches, type Made, makeBranches } from "../support/branches.ts";
import { IDLE, spawn } from "../support/program.ts";
import type { Cleaned } from "../../lib/worktree/clean.ts";
import { findBranches, patternOf } from "../../lib/worktree/orphans.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { adminFolder } from "../../lib/worktree/record.ts";

const GIT = needs("git");
/** A name of which git would say less than it is. */
const ODD = NAMES === null ? "ü\n.txt" : "ü.txt";
const exists = (path: string) => {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
};

/** What came of it, in short: that it went, or why it did not. */
function short(cleaned: Cleaned | undefined): string {
  if (cleaned === undefined) return "nothing";
  if (cleaned.kind === "removed") {
    return ["removed", ...cleaned.backups.map((one) => one.of)].join(" ");
  }
  return cleaned.kind === "failed" ? `failed: ${cleaned.problem}` : cleaned.why.code;
}

/** Checks that a task has neither branch nor folder any more, and git nothing to find fault with. */
async function assertGone({ repo }: Branches, { branch, path }: Made): Promise<void> {
  assert(!exists(path), `${path} is there`);
  assertEquals(await repo.succeeds("rev-parse", "--verify", "-q", `refs/heads/${branch}`), false);
  assert(!(await repo.git("worktree", "list", "--porcelain")).includes(path));
  await repo.git("fsck", "--strict", "--no-dangling");
}

/** Checks that all is there still. */
async function assertThere({ repo }: Branches, { branch, path }: Made): Promise<void> {
  assert(exists(path), `${path} is gone`);
  await repo.git("rev-parse", "--verify", "-q", `refs/heads/${branch}`);
}

const backupOf = (cleaned: Cleaned | undefined, of: string): string => {
  assert(cleaned !== undefined && "backups" in cleaned, JSON.stringify(cleaned));
  const found = cleaned.backups.find((one) => one.of === of);
  assert(found !== undefined, JSON.stringify(cleaned));
  return found.ref;
};

test(
  "what is integrated and clean goes: the folder, the branch, and what git ignores",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    await all.repo.commit({ "b.txt": "b\n", ".gitignore": "build/\n" }, "b", one.path);
    all.repo.write("build/out/x.o", "built", one.path);
    assertEquals(short(await all.clean(one.taskId)), "not-integrated");
    await assertThere(all, one);
    await all.repo.git("merge", "-q", "--no-ff", "--no-edit", one.branch);
    assertEquals(short(await all.clean(one.taskId)), "removed");
    await assertGone(all, one);
    assertEquals(await all.repo.git("for-each-ref", "refs/orchestra"), "");
    assertEquals(await all.clean(one.taskId), undefined);
  },
);

test("of a branch that was squashed the commits are kept, and can be got back", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  await all.repo.commit({ "b.txt": "b\n" }, "b", one.path);
  const tip = await all.repo.commit({ "c.txt": "c\n" }, "c", one.path);
  await all.repo.git("merge", "-q", "--squash", one.branch);
  await all.repo.commit({});
  const cleaned = await all.clean(one.taskId);
  assertEquals(short(cleaned), "removed branch");
  await assertGone(all, one);
  const ref = backupOf(cleaned, "branch");
  assertMatch(ref, /^refs\/orchestra\/backup\/task_\d+-1$/);
  assertEquals(await all.repo.git("rev-parse", ref), tip);
});

test(
  "by name goes what is not integrated and not committed, and all of it is kept",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    const tip = await all.repo.commit({ "b.txt": "b\n" }, "b", one.path);
    all.repo.write("a.txt", "changed\n", one.path);
    all.repo.write(`new/${ODD}`, "new\n", one.path);
    Deno.removeSync(`${one.path}/b.txt`);
    assertEquals(short(await all.clean(one.taskId)), "changed");
    const cleaned = await all.clean(one.taskId, true);
    assertEquals(short(cleaned), "removed branch changes");
    await assertGone(all, one);
    assertEquals(await all.repo.git("rev-parse", backupOf(cleaned, "branch")), tip);
    const kept = backupOf(cleaned, "changes");
    assertEquals(await all.repo.git("rev-parse", `${kept}^`), tip);
    assertEquals(await all.repo.git("show", `${kept}:a.txt`), "changed");
    assertEquals(await all.repo.git("show", `${kept}:new/${ODD}`), "new");
    assertEquals(await all.repo.succeeds("show", `${kept}:b.txt`), false);
  },
);

test("what was staged and changed again is kept in both states", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  all.repo.write("a.txt", "staged\n", one.path);
  await all.repo.gitIn(one.path, "add", "a.txt");
  all.repo.write("a.txt", "later\n", one.path);
  const kept = backupOf(await all.clean(one.taskId, true), "changes");
  assertEquals(await all.repo.git("show", `${kept}:a.txt`), "later");
  assertEquals(await all.repo.git("show", `${kept}^2:a.txt`), "staged");
});

test("commits that only HEAD, or only the logs, still name are kept", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  await all.repo.commit({ "b.txt": "given up\n" }, "given up", one.path);
  const given = await all.repo.gitIn(one.path, "rev-parse", "HEAD");
  await all.repo.gitIn(one.path, "reset", "-q", "--hard", "HEAD~1");
  await all.repo.gitIn(one.path, "switch", "-q", "--detach");
  const loose = await all.repo.commit({ "c.txt": "loose\n" }, "loose", one.path);
  assertEquals(short(await all.clean(one.taskId)), "loose");
  const cleaned = await all.clean(one.taskId, true);
  assertEquals(short(cleaned), "removed head earlier");
  assertEquals(await all.repo.git("rev-parse", backupOf(cleaned, "head")), loose);
  assertEquals(await all.repo.git("rev-parse", backupOf(cleaned, "earlier")), given);
});

test("what is not at rest, or is built on, stays even by name", GIT, async () => {
  await using all = await makeBranches();
  const [running, retrying, needed] = [
    await all.make({ status: "running" }),
    await all.make({ status: "failed", retryAt: "2026-03-05T12:00:00.000Z" }),
    await all.make(),
  ];
  const waiting = await all.make({ status: "pending", dependsOn: [needed.taskId] });
  for (
    const [made, why] of [
      [running, "active"],
      [retrying, "active"],
      [needed, "needed"],
      [waiting, "active"],
    ] as const
  ) {
    assertEquals(short(await all.clean(made.taskId, true)), why);
    await assertThere(all, made);
  }
});

test("a branch that a retry goes on with, and one whose retry is to come, stays", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make({ status: "failed" });
  const first = all.tasks[0]!;
  const retry = { ...first, taskId: "task_1772625699999", parentTaskId: one.taskId };
  all.tasks.push({ ...retry, status: "pending", git: null });
  all.tasks[0] = { ...first, retriedBy: retry.taskId };
  assertEquals(short(await all.clean(one.taskId, true)), "active");
  // In the same branch, which is then its own.
  all.tasks[1] = { ...retry, status: "running" };
  assertEquals(short(await all.clean(retry.taskId, true)), "active");
  all.tasks[1] = { ...retry, status: "complete" };
  assertEquals(short(await all.clean(retry.taskId)), "removed");
});

test("without a task it goes by name alone: another workspace may have it", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  all.tasks.length = 0;
  assertEquals((await all.look()).map((it) => it.place.owner.kind), ["none"]);
  assertEquals(short(await all.clean(one.taskId)), "no-task");
  assertEquals(short(await all.clean(one.taskId, true)), "removed");
  await assertGone(all, one);
});

test(
  "a worktree that somebody else locked, or has files of repositories in it, stays",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    const nested = `${one.path}/build/inner`;
    all.repo.write(".gitignore", "build/\n", all.repo.top);
    await all.repo.git("add", ".");
    await all.repo.git("commit", "-qm", "ignore");
    await all.repo.gitIn(one.path, "merge", "-q", "main");
    Deno.mkdirSync(nested, { recursive: true });
    await all.repo.gitIn(nested, "init", "-q");
    assertEquals(short(await all.clean(one.taskId, true)), "nested");
    Deno.removeSync(nested, { recursive: true });
    Deno.mkdirSync(nested, { recursive: true });
    await all.repo.gitIn(nested, "init", "-q", "--bare");
    assertEquals(short(await all.clean(one.taskId, true)), "nested");
    Deno.removeSync(nested, { recursive: true });
    await all.repo.git("worktree", "unlock", one.path);
    await all.repo.git("worktree", "lock", "--reason", "mine", one.path);
    assertEquals(short(await all.clean(one.taskId, true)), "locked");
    await all.repo.git("worktree", "unlock", one.path);
    assertEquals(short(await all.clean(one.taskId)), "removed");
  },
);

test("files of a repository that are tracked are files like others", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  await all.repo.commit(
    {
      "fixture.git/HEAD": "ref: refs/heads/main\n",
      "fixture.git/objects/x": "x",
      "fixture.git/refs/x": "x",
    },
    "fixture",
    one.path,
  );
  await all.repo.git("merge", "-q", one.branch);
  assertEquals(short(await all.clean(one.taskId)), "removed");
});

test("commits of a sub-module in a worktree are not lost, not even by name", GIT, async () => {
  await using all = await makeBranches();
  const other = await makeBranches();
  await using _ = other;
  const allow = ["-c", "protocol.file.allow=always"];
  await all.repo.git(...allow, "submodule", "--quiet", "add", other.repo.top, "sub");
  await all.repo.commit({}, "sub");
  // One whose sub-module was never set up is as any other.
  const empty = await all.make();
  const one = await all.make();
  await all.repo.gitIn(one.path, ...allow, "submodule", "--quiet", "update", "--init");
  const commit = await all.repo.commit({ "x.txt": "x\n" }, "only here", `${one.path}/sub`);
  assertEquals(short(await all.clean(one.taskId, true)), "submodules");
  await all.repo.gitIn(one.path, "submodule", "--quiet", "deinit", "--force", "sub");
  assertEquals(short(await all.clean(one.taskId, true)), "submodules");
  // Its folder gone, the commits are in git's own still.
  Deno.removeSync(one.path, { recursive: true });
  assertEquals(short(await all.clean(one.taskId, true)), "submodules");
  const admin = (await adminFolder(all.found, one.path))!;
  await all.repo.gitIn(`${admin}/modules/sub`, "cat-file", "-e", commit);
  assertEquals(short(await all.clean(empty.taskId)), "removed");
});

test("a link in place of the folder is not followed", GIT ?? linking(), async () => {
  await using all = await makeBranches();
  const one = await all.make();
  const moved = `${all.repo.beside}/moved`;
  Deno.renameSync(one.path, moved);
  Deno.symlinkSync(moved, one.path);
  assertEquals(short(await all.clean(one.taskId, true)), "foreign");
  assert(exists(`${moved}/a.txt`));
});

test("a folder that git does not know, and one that is another repository, stay", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  const two = await all.make();
  Deno.removeSync(`${two.path}/.git`);
  await all.repo.gitIn(two.path, "init", "-q");
  assertEquals(short(await all.clean(two.taskId, true)), "foreign");
  await all.repo.git("worktree", "unlock", one.path);
  await all.repo.git("worktree", "remove", one.path);
  all.repo.write("mine.txt", "mine", one.path);
  assertEquals(short(await all.clean(one.taskId, true)), "foreign");
  assert(exists(`${one.path}/mine.txt`));
});

test(
  "what a task's file says is no reason to touch a branch or a worktree of the user's",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    const mine = `${all.repo.beside}/mine`;
    await all.repo.git("worktree", "add", "-q", "-b", "feature", mine);
    const [task] = all.tasks;
    all.tasks[0] = { ...task!, git: { ...task!.git!, branch: "feature", path: mine } };
    assertEquals(short(await all.clean(one.taskId, true)), "removed", "its own, by its name");
    assertEquals(await all.look(), []);
    assert(exists(`${mine}/a.txt`));
    // By the name of one of ours, which is checked out in a worktree of the user's.
    await all.repo.git("worktree", "add", "-q", "-b", one.branch, `${mine}2`);
    all.tasks[0] = { ...task!, git: { ...task!.git!, path: mine } };
    assertEquals(short(await all.clean(one.taskId, true)), "elsewhere");
    assert(exists(`${mine}/a.txt`) && exists(`${mine}2/a.txt`));
  },
);

test("a branch that is checked out, or that others are to be in, stays", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  assertEquals(short(await all.clean(one.taskId, true, one.branch)), "target");
  await all.repo.git("worktree", "unlock", one.path);
  await all.repo.git("worktree", "remove", one.path);
  await all.repo.git("switch", "-q", one.branch);
  assertEquals(short(await all.clean(one.taskId, true)), "elsewhere");
});

test(
  "a folder that is gone leaves its branch, which goes with git's notes of both",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    const tip = await all.repo.commit({ "b.txt": "b\n" }, "b", one.path);
    // Somebody else's, whose disk is not there just now.
    const mine = `${all.repo.beside}/mine`;
    await all.repo.git("worktree", "add", "-q", "-b", "feature", mine);
    for (const path of [one.path, mine]) Deno.removeSync(path, { recursive: true });
    assertEquals((await all.look()).map((it) => it.place.folder.kind), ["gone"]);
    assertEquals(short(await all.clean(one.taskId)), "not-integrated");
    const cleaned = await all.clean(one.taskId, true);
    assertEquals(short(cleaned), "removed branch");
    assertEquals(await all.repo.git("rev-parse", backupOf(cleaned, "branch")), tip);
    assertStringIncludes(await all.repo.git("worktree", "list", "--porcelain"), mine);
  },
);

test(
  "a worktree of which somebody made or removed a part is brought back, and goes",
  GIT,
  async () => {
    await using all = await makeBranches();
    const [half, removed, other] = [await all.make(), await all.make(), await all.make()];
    // Killed while it was made: no index, and some of the files.
    const admin = (made: Made) => adminFolder(all.found, made.path).then((found) => found!);
    Deno.removeSync(`${await admin(half)}/index`);
    Deno.removeSync(`${half.path}/a.txt`);
    assertEquals((await all.look())[0]!.place.folder.kind, "half");
    assertEquals(short(await all.clean(half.taskId)), "removed");
    await assertGone(all, half);
    // Killed while it was removed, after some of the files, or even git's own.
    for (const names of [["a.txt"], ["a.txt", ".git"]]) {
      const made = names.length === 1 ? removed : other;
      assertEquals(
        (await all.look()).find((it) => it.found.taskId === made.taskId)!.found.tip,
        made.base,
      );
      Deno.writeTextFileSync(`${await admin(made)}/orchestra-removing`, `${made.base}\n`);
      await all.repo.git("worktree", "unlock", made.path);
      for (const name of names) Deno.removeSync(`${made.path}/${name}`);
      assertEquals(short(await all.clean(made.taskId)), "removed");
      await assertGone(all, made);
    }
  },
);

test("files that an agent removed are not brought back, and a change is no part", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  Deno.removeSync(`${one.path}/a.txt`);
  assertEquals(short(await all.clean(one.taskId)), "changed");
  assert(!exists(`${one.path}/a.txt`));
  const admin = await adminFolder(all.found, one.path);
  Deno.writeTextFileSync(`${admin}/orchestra-removing`, `${one.base}\n`);
  all.repo.write("new.txt", "new\n", one.path);
  assertEquals(short(await all.clean(one.taskId)), "changed");
  assert(exists(`${one.path}/new.txt`) && !exists(`${one.path}/a.txt`));
});

test("in the middle of a merge it stays, and by name all of it is kept", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  await all.repo.commit({ "a.txt": "theirs\n" }, "theirs", one.path);
  await all.repo.commit({ "a.txt": "ours\n" }, "ours");
  assertEquals(await all.repo.succeeds("-C", one.path, "merge", "-q", "main"), false);
  assertEquals(short(await all.clean(one.taskId)), "operation");
  const cleaned = await all.clean(one.taskId, true);
  assertEquals(short(cleaned), "removed branch changes");
  assertStringIncludes(
    await all.repo.git("show", `${backupOf(cleaned, "changes")}:a.txt`),
    "<<<<<<<",
  );
});

test(
  "a lock of git's stays while anybody may have it, and is released when nobody can",
  GIT ?? ON_LINUX,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    const lock = `${await adminFolder(all.found, one.path)}/index.lock`;
    Deno.writeTextFileSync(lock, "");
    assertEquals(short(await all.clean(one.taskId, true)), "git-locks");
    const hourAgo = new Date(Date.now() - 3_600_000);
    Deno.utimeSync(lock, hourAgo, hourAgo);
    using held = Deno.openSync(lock);
    assertEquals(short(await all.clean(one.taskId, true)), "git-locks");
    held.close();
    const cleaned = short(await all.clean(one.taskId));
    // Where another git of this machine has run for so long, nobody can tell that it is not its.
    assert(cleaned === "removed" || cleaned === "git-locks", cleaned);
  },
);

test("a worktree in which somebody is stays", GIT ?? ON_LINUX, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  {
    await using _ = spawn(...IDLE, { cwd: one.path });
    assertEquals(short(await all.clean(one.taskId, true)), "in-use");
  }
  assertEquals(short(await all.clean(one.taskId)), "removed");
});

test("what is looked at is not changed", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  await all.repo.commit({ "b.txt": "b\nb\n" }, "b", one.path);
  all.repo.write("c.txt", "c\n", one.path);
  const state = async () => [
    await all.repo.git("for-each-ref"),
    await all.repo.git("worktree", "list", "--porcelain"),
    await all.repo.gitIn(one.path, "status", "--porcelain"),
  ];
  const before = await state();
  const [seen] = await all.look();
  assertEquals([seen!.ahead, seen!.behind, seen!.place.way], [1, 0, null]);
  assert(seen!.bytes! > 0);
  assertEquals(await state(), before);
});

test(
  "what git remembers of a worktree alone is kept: its own refs, and what was merged there",
  GIT,
  async () => {
    await using all = await makeBranches();
    const one = await all.make();
    await all.repo.gitIn(one.path, "config", "core.logAllRefUpdates", "false");
    const own = await all.repo.commit({ "b.txt": "b\n" }, "b", one.path);
    await all.repo.gitIn(one.path, "update-ref", "refs/worktree/mine", own);
    await all.repo.gitIn(one.path, "reset", "-q", "--hard", one.base);
    const other = await all.repo.commit({ "c.txt": "c\n" }, "c", one.path);
    await all.repo.gitIn(one.path, "reset", "-q", "--hard", one.base);
    await all.repo.gitIn(one.path, "update-ref", "ORIG_HEAD", other);
    const cleaned = await all.clean(one.taskId);
    assertEquals(short(cleaned), "removed earlier");
    const kept = (await all.repo.git("rev-list", backupOf(cleaned, "earlier"))).split("\n");
    assert(kept.includes(own) && kept.includes(other), `${kept}`);
  },
);

test(
  "of a folder that is gone, and of a branch alone, states that were given up are kept",
  GIT,
  async () => {
    await using all = await makeBranches();
    for (const way of ["gone", "branch"]) {
      const one = await all.make();
      const given = await all.repo.commit({ [`${way}.txt`]: "x\n" }, way, one.path);
      await all.repo.gitIn(one.path, "reset", "-q", "--hard", one.base);
      if (way === "gone") Deno.removeSync(one.path, { recursive: true });
      else {
        await all.repo.git("worktree", "unlock", one.path);
        await all.repo.git("worktree", "remove", one.path);
      }
      const cleaned = await all.clean(one.taskId);
      assertEquals(short(cleaned), "removed earlier");
      assertEquals(await all.repo.git("rev-parse", backupOf(cleaned, "earlier")), given);
    }
  },
);

test("the worktree in which the workspace itself lies is the user's", GIT, async () => {
  await using all = await makeBranches();
  const one = await all.make();
  const found = await findRepository(one.path);
  const list = await findBranches(found, {
    tasks: all.tasks,
    pattern: "orchestra/{taskId}",
    folder: all.folder,
  });
  assertEquals(list.map(({ entry, elsewhere }) => [entry, elsewhere]), [[undefined, one.path]]);
});

Deno.test("patternOf takes the names that a setting gives, and no others", () => {
  const id = "task_1772625600000";
  for (const setting of ["orchestra/{taskId}", "{taskId}", "a.b+c/{taskId}/x", "x-{taskId}"]) {
    const pattern = patternOf(setting);
    assertEquals(pattern.exec(setting.replace("{taskId}", id))?.[1], id, setting);
    for (
      const name of ["main", id.slice(5), `${setting.replace("{taskId}", id)}/y`, `axb+c/${id}/x`]
    ) {
      assertEquals(pattern.exec(name), null, `${setting} ${name}`);
    }
  }
});
