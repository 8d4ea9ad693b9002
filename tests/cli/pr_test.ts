// `orchestra pr`: a real remote, a bare repository, and a small script in the place of gh, which talks to
// a server of GitHub's.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { lines, makeMergeBox, type MergeBox } from "../support/merges.ts";
import { needs, ON_POSIX, SHELL, test, which } from "../support/needs.ts";

const NEEDED = ON_POSIX ?? SHELL ?? needs("git");

/** A gh that writes down how it was called, and then does what a script says. */
function putGh({ repo }: MergeBox, script: string): { env: Record<string, string> } {
  const folder = `${repo.beside}/bin`;
  Deno.mkdirSync(folder, { recursive: true });
  const text = `#!/bin/sh\nfor it; do echo "$it"; done >"${folder}/args"\n` +
    `cat >"${folder}/body"\n${script}\n`;
  Deno.writeTextFileSync(`${folder}/gh`, text, { mode: 0o755 });
  return { env: { PATH: `${folder}:${Deno.env.get("PATH")}` } };
}

/** A remote, and what is in it. */
async function addRemote(it: MergeBox, name = "origin"): Promise<string> {
  const path = `${it.repo.beside}/${name}.git`;
  await it.repo.git("init", "--quiet", "--bare", path);
  await it.repo.git("remote", "add", name, path);
  return path;
}

test("a pull request is opened for a task's branch, which is pushed first", NEEDED, async () => {
  await using it = await makeMergeBox();
  const remote = await addRemote(it);
  const tip = await it.task(1, { "a.txt": lines({ 1: "eins" }) }, {
    prompt: "\n# Count in German\n\nAll `of` it, ```please```.\n",
    result: { summary: "It counts." },
  });
  // What is set up for a push is done, as for any other.
  const hook = `${it.repo.top}/.git/hooks/pre-push`;
  Deno.writeTextFileSync(hook, `#!/bin/sh\ntouch ${it.repo.beside}/pushed\n`, { mode: 0o755 });
  const options = putGh(it, "echo https://example.org/pull/7");
  const { code, stdout, stderr } = await it.box.runWith(options, "pr", it.id(1), "--draft");
  assertEquals([code, stdout], [0, "https://example.org/pull/7\n"], stderr);
  assertEquals(await it.repo.gitIn(remote, "rev-parse", "orchestra/1"), tip);
  assert(Deno.statSync(`${it.repo.beside}/pushed`).isFile);
  assertEquals(
    it.read("bin/args", it.repo.beside),
    "pr\ncreate\n--head\norchestra/1\n--base\nmain\n--title\nCount in German\n--body-file\n-\n--draft\n",
  );
  const body = it.read("bin/body", it.repo.beside)!;
  assert(body.startsWith("It counts.\n"), body);
  for (const part of ["````text\n", "All `of` it, ```please```.", "a.txt | 2 +-", it.id(1)]) {
    assertStringIncludes(body, part);
  }
});

test("one that is there already gets the new commits", NEEDED, async () => {
  await using it = await makeMergeBox();
  const remote = await addRemote(it, "upstream");
  const tip = await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  const options = putGh(
    it,
    'echo "a pull request for branch \\"x\\" already exists:" >&2; echo https://example.org/pull/8 >&2; exit 1',
  );
  const { code, stdout } = await it.box.runWith(
    options,
    ...["--json", "pr", it.id(1), "--base", "stable"],
  );
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout), {
    taskId: it.id(1),
    branch: "orchestra/1",
    base: "stable",
    remote: "upstream",
    url: "https://example.org/pull/8",
    created: false,
  });
  assertEquals(await it.repo.gitIn(remote, "rev-parse", "orchestra/1"), tip);
});

test("why there is no pull request is said", NEEDED, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "a.txt": lines({ 1: "eins" }) });
  await it.task(2, { "a.txt": lines({ 2: "zwei" }) }, { status: "pending" });
  const fails = async (
    code: number,
    said: string,
    options: { env: Record<string, string> },
    id = 1,
  ) => {
    const outcome = await it.box.runWith(options, "pr", it.id(id));
    assertEquals(outcome.code, code, outcome.stderr);
    assertStringIncludes(outcome.stderr, said);
    assert(outcome.stderr.trimEnd().split("\n").length <= 3, outcome.stderr);
  };
  const gh = putGh(it, 'printf "no\\nnot logged in\\033[31m\\n" >&2; exit 4');
  await fails(4, "it has no remote", gh);
  await fails(4, "it is pending", gh, 2);
  await it.task(3, {});
  await fails(4, "changes nothing", gh, 3);
  await it.repo.git("checkout", "--quiet", "--detach");
  await fails(4, "--base main", gh);
  await it.repo.git("checkout", "--quiet", "main");
  const remote = await addRemote(it);
  await fails(5, "gh pr create: not logged in\\u{1b}[31m", gh);
  // Somebody else has pushed to that branch: nothing of it is overwritten.
  const other = `${it.repo.beside}/other`;
  await it.repo.git("clone", "--quiet", "--branch", "orchestra/1", remote, other);
  const theirs = await it.repo.commit({ "theirs.txt": "t" }, "theirs", other);
  await it.repo.gitIn(other, "push", "--quiet", "origin", "HEAD");
  const anew = ["commit-tree", "orchestra/1^{tree}", "-p", "main", "-m", "anew"];
  await it.repo.git("branch", "-f", "orchestra/1", await it.repo.git(...anew));
  await fails(5, "rejected", gh);
  assertEquals(await it.repo.gitIn(remote, "rev-parse", "orchestra/1"), theirs);
  await it.repo.git("remote", "set-url", "origin", `${it.repo.beside}/nowhere`);
  await fails(5, "Pushing orchestra/1 to origin", gh);
  // git is there, and gh is not.
  const bin = `${it.repo.beside}/only`;
  Deno.mkdirSync(bin);
  for (const name of ["git", "sh"]) {
    Deno.symlinkSync(which(name)!, `${bin}/${name}`);
  }
  await fails(5, "there is no gh on PATH", { env: { PATH: bin } });
});
