// The repository of a workspace, and what is said where there is none that worktrees can be made of.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { execute } from "../support/execute.ts";
import { GIVING, needs, ON_POSIX, test } from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";
import { makeRepository } from "../support/repository.ts";
import { authorEnv, authorOf } from "../../lib/worktree/author.ts";
import { commitOf, mergeTips } from "../../lib/worktree/base.ts";
import { backups, keepBackup } from "../../lib/worktree/backup.ts";
import { worktreeFolder, worktreePath } from "../../lib/worktree/folder.ts";
import { ask } from "../../lib/worktree/git.ts";
import { findRepository, findWorktree, listWorktrees } from "../../lib/worktree/repository.ts";
import { OrchestraError } from "../../lib/task/error.ts";

const GIT = needs("git");
const ANN = { name: "Ann Author", email: "ann@example.org" };

/** The error that something is refused with. */
async function refused(act: () => Promise<unknown>): Promise<OrchestraError> {
  const error = await assertRejects(act);
  assert(error instanceof OrchestraError, String(error));
  assert(error.hint !== undefined && !/fatal:/.test(error.message), error.message);
  return error;
}

test("a workspace in a sub-folder knows its repository and its place in it", GIT, async () => {
  await using repo = await makeRepository();
  await repo.commit({ "packages/one two/a.txt": "a\n" });
  const found = await findRepository(`${repo.top}/packages/one two`);
  assertEquals(found, {
    top: repo.top,
    gitDir: `${repo.top}/.git`,
    prefix: "packages/one two",
    hash: "sha1",
    head: (await repo.git("rev-parse", "HEAD")).trim(),
  });
  assertEquals((await findRepository(repo.top)).prefix, "");
});

test("a workspace in a worktree has the same repository as all others", GIT, async () => {
  await using repo = await makeRepository();
  await repo.git("worktree", "add", "-q", `${repo.beside}/linked`, "-b", "linked");
  await repo.git("worktree", "lock", "--reason", "two\nlines", `${repo.beside}/linked`);
  await repo.git("worktree", "add", "-q", "--detach", `${repo.beside}/at a commit`);
  const found = await findRepository(`${repo.beside}/linked`);
  assertEquals([found.top, found.gitDir], [`${repo.beside}/linked`, `${repo.top}/.git`]);
  const list = await listWorktrees(found);
  assertEquals(
    list.map(({ path, branch, locked, isMain }) => [path, branch, locked, isMain]),
    [
      [repo.top, "main", null, true],
      [`${repo.beside}/at a commit`, null, null, false],
      [`${repo.beside}/linked`, "linked", "two\nlines", false],
    ],
  );
  assertEquals(await findWorktree(found, repo.top), undefined);
  assertEquals((await findWorktree(found, `${repo.beside}/linked/`))?.branch, "linked");
});

test("a HEAD at a commit itself is as good as a branch", GIT, async () => {
  await using repo = await makeRepository();
  await repo.git("checkout", "-q", "--detach");
  assertEquals((await findRepository(repo.top)).top, repo.top);
});

test("where there is no repository, a bare one, or no commit, that is said", GIT, async () => {
  await using folder = await makeFolder();
  const none = await refused(() => findRepository(folder.path));
  assertEquals([none.code, /is in no git repository$/.test(none.message)], ["state", true]);
  await ask(folder.path, ["init", "-q", "--bare", "bare"]);
  const bare = await refused(() => findRepository(`${folder.path}/bare`));
  assertEquals([bare.code, /bare repository/.test(bare.message)], ["state", true]);
  await ask(folder.path, ["init", "-q", "empty"]);
  const empty = await refused(() => findRepository(`${folder.path}/empty`));
  assertEquals([empty.code, /no commit yet/.test(empty.message)], ["state", true]);
  const inside = await refused(() => findRepository(`${folder.path}/empty/.git`));
  assertEquals([inside.code, /git's own folder/.test(inside.message)], ["state", true]);
});

test("a repository of somebody else's is told with what trusts it", GIT ?? GIVING, async () => {
  await using repo = await makeRepository();
  for (const path of [repo.top, `${repo.top}/.git`]) Deno.chownSync(path, 12345, 12345);
  const error = await refused(() => findRepository(repo.top));
  assertEquals(error.code, "environment");
  assertStringIncludes(error.hint!, `safe.directory ${repo.top}`);
});

/** Runs a line of code with the lib, with another PATH or other variables. */
async function evaluate(code: string, env: Record<string, string>, ...flags: string[]) {
  const module = (name: string) => new URL(`../../lib/worktree/${name}.ts`, import.meta.url).href;
  const text = `import { findRepository, listWorktrees } from "${module("repository")}";
    import { worktreeFolder } from "${module("folder")}";
    ${code}`;
  await using folder = await makeFolder();
  Deno.writeTextFileSync(`${folder.path}/code.ts`, text);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const args = ["run", "--no-prompt", "-c", config, ...flags, `${folder.path}/code.ts`];
  return await execute(Deno.execPath(), args, { env });
}

test("without git, and with one that is too old, that is said", GIT ?? ON_POSIX, async () => {
  await using folder = await makeFolder();
  const code = `await findRepository(${JSON.stringify(folder.path)})
    .catch((error) => console.log(error.code, error.message, error.hint));`;
  const none = await evaluate(code, { PATH: folder.path }, "-A");
  assertMatch(none.stdout, /^environment .*there is no git.* Install git, 2\.38 or newer/);
  Deno.writeTextFileSync(`${folder.path}/git`, "#!/bin/sh\necho git version 2.37.9.windows.1\n");
  Deno.chmodSync(`${folder.path}/git`, 0o755);
  const old = await evaluate(code, { PATH: `${folder.path}:${Deno.env.get("PATH")}` }, "-A");
  assertMatch(old.stdout, /^environment .*needs git 2\.38, not 2\.37\.9/);
});

test(
  "nothing of the caller's says which repository is meant, also where Deno hides it",
  GIT ?? ON_POSIX,
  async () => {
    await using repo = await makeRepository();
    await using other = await makeRepository();
    const env = {
      GIT_DIR: `${other.top}/.git`,
      GIT_WORK_TREE: other.top,
      GIT_INDEX_FILE: "/nowhere",
      XDG_STATE_HOME: repo.beside,
    };
    const code = `const repo = await findRepository(${JSON.stringify(repo.top)});
    console.log(repo.top, worktreeFolder(repo, null));`;
    const wide = await evaluate(code, env, "-A");
    const narrow = await evaluate(code, env, "--allow-run");
    assertMatch(
      wide.stdout,
      /^\S+\/repo \S+\/beside\/orchestra\/worktrees\/repo-[0-9a-f]{8}\n$/,
      wide.stderr,
    );
    assertEquals(narrow, wide);
  },
);

test(
  "settings of the user's that forbid bare repositories are no obstacle",
  GIT ?? ON_POSIX,
  async () => {
    await using repo = await makeRepository();
    Deno.writeTextFileSync(`${repo.beside}/.gitconfig`, "[safe]\n\tbareRepository = explicit\n");
    const code = `const repo = await findRepository(${JSON.stringify(repo.top)});
    console.log((await listWorktrees(repo)).length);`;
    const { stdout, stderr } = await evaluate(code, { HOME: repo.beside }, "-A");
    assertEquals(stdout, "1\n", stderr);
  },
);

test("a base is a commit's name, and what git would take for an option is none", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  const head = await repo.git("rev-parse", "HEAD");
  await repo.git("tag", "-a", "-m", "a tag", "v1");
  for (const ref of ["HEAD", "main", "v1", head, head.slice(0, 8)]) {
    assertEquals(await commitOf(found, ref), head);
  }
  for (const ref of ["", "-h", "--all", "nobody", "HEAD:a.txt", "main\0x"]) {
    assertEquals((await refused(() => commitOf(found, ref))).code, "usage", ref);
  }
});

/** Branches from the first commit, each with files of its own. */
async function branches(
  repo: Awaited<ReturnType<typeof makeRepository>>,
  all: Record<string, Record<string, string>>,
) {
  const tips = [];
  for (const [branch, files] of Object.entries(all)) {
    await repo.git("checkout", "-q", "-b", branch, "main");
    tips.push({ taskId: branch, branch, tip: await repo.commit(files, branch) });
  }
  await repo.git("checkout", "-q", "main");
  return tips;
}

test("the tips of several branches are merged, and always to the same commit", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  const tips = await branches(repo, {
    one: { "1": "1\n" },
    two: { "2": "2\n" },
    three: { "3": "3\n" },
  });
  assertEquals(await mergeTips(found, tips.slice(0, 1), ANN), { commit: tips[0]!.tip });
  const merged = await mergeTips(found, tips, ANN);
  assert("commit" in merged);
  assertEquals(await repo.git("ls-tree", "--name-only", merged.commit), "1\n2\n3\na.txt");
  for (const { tip } of tips) await repo.git("merge-base", "--is-ancestor", tip, merged.commit);
  assertEquals(await mergeTips(found, tips, ANN), merged);
  // One that is in another already changes nothing, in whatever order.
  const last = { taskId: "all", branch: "all", tip: merged.commit };
  assertEquals(await mergeTips(found, [last, ...tips], ANN), merged);
  assertEquals(await mergeTips(found, [tips[1]!, last], ANN), merged);
  assertEquals(await repo.git("status", "--porcelain"), "");
});

test("tips that contradict each other name the files, also strange ones", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  const odd = Deno.build.os === "windows" ? "odd ä.txt" : 'odd\n"ä.txt';
  const tips = await branches(repo, {
    one: { "a.txt": "1\n", [odd]: "1\n", same: "same\n" },
    two: { "a.txt": "2\n", [odd]: "2\n", same: "same\n" },
  });
  const between = { conflict: ["a.txt", odd], branches: tips.map(({ branch }) => branch) };
  assertEquals(await mergeTips(found, tips, ANN), between);
});

test("who commits is whom the settings name, then git's user, then Orchestra", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  await repo.git("config", "user.name", "Bob\t<B>");
  await repo.git("config", "user.email", "bob@example.org");
  assertEquals(await authorOf(found, null), { name: "BobB", email: "bob@example.org" });
  assertEquals(await authorOf(found, " Eve <eve@x> "), { name: "Eve", email: "eve@x" });
  assertEquals(authorEnv(ANN).GIT_COMMITTER_EMAIL, "ann@example.org");
  for (const setting of ["", "Eve", "<eve@x>", "Eve <>", "Eve <eve@x> more"]) {
    assertEquals((await refused(() => authorOf(found, setting))).code, "config", setting);
  }
});

test("worktrees are in a folder that has the repository's name and no other's", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  assertEquals(worktreeFolder(found, ".trees/"), `${repo.top}/.trees`);
  assertEquals(worktreeFolder(found, `${repo.beside}/trees`), `${repo.beside}/trees`);
  const id = "task_1700000000000";
  assertEquals(worktreePath("/trees", id), `/trees/${id}`);
  let thrown = "";
  try {
    worktreePath("/trees", "../x");
  } catch (error) {
    thrown = String(error);
  }
  assertStringIncludes(thrown, "is no task");
});

test("a backup is never overwritten, and one commit is kept once", GIT, async () => {
  await using repo = await makeRepository();
  const found = await findRepository(repo.top);
  const one = await repo.git("rev-parse", "HEAD");
  const two = await repo.commit({ b: "b\n" });
  assertEquals(await keepBackup(found, "refs/heads/main", one), "refs/orchestra/backup/main-1");
  assertEquals(await keepBackup(found, "main", two), "refs/orchestra/backup/main-2");
  assertEquals(await keepBackup(found, "main", one), "refs/orchestra/backup/main-1");
  assertEquals(await keepBackup(found, "..a~b/.c.lock/x.", one), "refs/orchestra/backup/a-b/c/x-1");
  const both = await Promise.all([keepBackup(found, "both", one), keepBackup(found, "both", two)]);
  assertEquals(both.sort(), ["refs/orchestra/backup/both-1", "refs/orchestra/backup/both-2"]);
  assertEquals((await backups(found)).length, 5);
});
