// In which folder of its worktree an agent works, where its commit does not have that of the workspace.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";
import { textIn } from "../support/gated.ts";

const GIT = needs("git") ?? SHELL;

test("a folder of the workspace that its commit does not have is made", GIT, async () => {
  await using tree = await makeWorktreeBox("new/deep");
  const { box } = tree;
  const id = await tree.start("pwd; echo x >x.txt");
  await box.ok("run", "--wait");
  const { path, tip } = tree.branch(await box.settled(id));
  assertEquals(textIn(box.path(`logs/${id}.log`)), `${path}/new/deep\n`);
  assertEquals(await tree.show(tip!, "new/deep/x.txt"), "x");
});

test("where its commit has a link in place of that folder, nothing is launched", GIT, async () => {
  await using tree = await makeWorktreeBox("new/deep");
  const { box, repo } = tree;
  Deno.mkdirSync(`${repo.beside}/elsewhere`);
  const blob = `${repo.beside}/target`;
  Deno.writeTextFileSync(blob, `${repo.beside}/elsewhere`);
  const hash = await repo.git("hash-object", "-w", blob);
  await repo.git("update-index", "--add", "--cacheinfo", `120000,${hash},new`);
  await repo.git("commit", "-q", "-m", "a link");
  const id = await tree.start("echo x >x.txt");
  await box.run("run", "--wait");
  const { status, failureClass, errorMessage } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "spawn"]);
  assertStringIncludes(errorMessage!, "new/deep");
  assertEquals([...Deno.readDirSync(`${repo.beside}/elsewhere`)], []);
});
