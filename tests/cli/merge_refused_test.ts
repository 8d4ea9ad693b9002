// What `orchestra merge` refuses whatever the branches have: files of a workspace's own folder, a target that an
// agent works on; and what it warns of.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { GIT_ENV } from "../support/repository.ts";
import { makeMergeBox, type MergeBox } from "../support/merges.ts";
import { needs, test } from "../support/needs.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { performMove } from "../../lib/worktree/perform.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { findTarget } from "../../lib/worktree/target.ts";

const GIT = needs("git");

/** A complete task whose agent has committed a file that git ignores. */
async function forced(it: MergeBox, number: number, name: string): Promise<void> {
  await it.task(number, { [`${number}.txt`]: "x\n" });
  const tree = `${it.repo.beside}/forced-${number}`;
  await it.repo.git("worktree", "add", "--quiet", tree, `orchestra/${number}`);
  it.repo.write(name, "{}\n", tree);
  await it.repo.gitIn(tree, "add", "--force", name);
  await it.repo.gitIn(tree, "commit", "--quiet", "-m", "forced");
  await it.repo.git("worktree", "remove", "--force", tree);
}

test(
  "a branch that would change the folder of a workspace is refused, others come in",
  GIT,
  async () => {
    await using it = await makeMergeBox();
    const name = `.orchestra/tasks/${it.id(9)}.json`;
    await forced(it, 1, name);
    await forced(it, 2, "packages/x/.Orchestra/merge.json");
    await it.task(3, { "good.txt": "g\n" });
    await it.task(4, { "more.txt": "m\n" }, { from: "orchestra/1", dependsOn: [it.id(1)] });
    const before = await it.at("main");
    for (const mode of [[], ["--squash"], ["--rebase"]]) {
      const { code, stdout, stderr } = await it.box.run("merge", it.id(1), ...mode);
      assertEquals(code, 1, stderr);
      assertStringIncludes(stdout, `refused: it would change what is Orchestra's own: ${name}`);
      assertStringIncludes(stderr, "git rm --cached");
    }
    assertEquals(await it.at("main"), before);
    const { stdout } = await it.box.run("--json", "merge", "--all");
    const outcomes = JSON.parse(stdout).tasks.map(({ outcome }: { outcome: string }) => outcome);
    assertEquals(outcomes, ["own-files", "own-files", "fast-forward", "left-out"]);
    assertEquals([it.read("good.txt"), it.read(name), it.read("1.txt")], [
      "g\n",
      undefined,
      undefined,
    ]);
  },
);

test("no move of any kind changes the folder of a workspace", GIT, async () => {
  await using it = await makeMergeBox();
  await forced(it, 1, ".orchestra/merge.json");
  const { store } = openQueue(it.repo.top);
  const repo = await findRepository(it.repo.top);
  const target = await findTarget(repo, "main");
  const what = { kind: "undo", tasks: [it.id(1)], tips: {}, mode: "merge" } as const;
  const place = { repo, store, now: Date.now };
  const error = await performMove(place, target, await it.at("orchestra/1"), what)
    .then(() => null, (error) => error);
  assertStringIncludes(`${error}`, ".orchestra/merge.json");
  assertEquals([await it.at("main"), it.read(".orchestra/merge.json")], [target.commit, undefined]);
});

test("nothing is merged into a branch that an agent works on", GIT, async () => {
  await using it = await makeMergeBox();
  await it.task(1, { "b.txt": "b\n" });
  const tip = await it.task(2, { "c.txt": "c\n" });
  // Its processes may still write there.
  const path = it.box.path(`tasks/${it.id(2)}.json`);
  const task = it.box.task(it.id(2));
  Deno.writeTextFileSync(path, JSON.stringify({ ...task, reapAt: "2100-01-01T00:00:00Z" }));
  const { message, hint } = await it.box.fails(4, "merge", it.id(1), "--into", "orchestra/2");
  assertStringIncludes(message, `orchestra/2: it is the branch of ${it.id(2)}`);
  assertStringIncludes(hint!, `orchestra wait ${it.id(2)}`);
  assertEquals(await it.at("orchestra/2"), tip);
  Deno.writeTextFileSync(path, JSON.stringify(task));
  await it.box.ok("merge", it.id(1), "--into", "orchestra/2");
});

test("of a submodule whose commit is in no other place it is said", GIT, async () => {
  await using it = await makeMergeBox();
  const { repo } = it;
  const library = `${repo.beside}/library`;
  await repo.git("init", "--quiet", "-b", "main", library);
  await repo.commit({ "l.txt": "l\n" }, "library", library);
  const add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", library, "sub"];
  await repo.git(...add);
  await repo.commit({}, "with a submodule");
  const tree = `${repo.beside}/submodule`;
  await repo.git("worktree", "add", "--quiet", "-b", "orchestra/1", tree);
  const { success } = await new Deno.Command("git", {
    args: ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init"],
    cwd: tree,
    env: GIT_ENV,
  }).output();
  assert(success);
  const lost = await repo.commit({ "l.txt": "L\n" }, "only here", `${tree}/sub`);
  const tip = await repo.commit({}, "the submodule", tree);
  const git = { branch: "orchestra/1", base: await it.at("main"), path: tree, folder: "", tip };
  await it.task(2, { "b.txt": "b\n" });
  const task = it.box.task(it.id(2));
  const own = { ...task, taskId: it.id(1), git: { ...task.git, ...git } };
  Deno.writeTextFileSync(it.box.path(`tasks/${it.id(1)}.json`), JSON.stringify(own));
  const { code, stderr } = await it.box.run("merge", it.id(1), "--dry-run");
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, `The submodule sub comes in at ${lost.slice(0, 10)}`);
  // Once it is there nothing is to be said.
  await repo.gitIn(`${repo.top}/sub`, "fetch", "--quiet", `${tree}/sub`, "HEAD");
  assert(!(await it.box.run("merge", it.id(1))).stderr.includes("submodule"));
});
