// What builds on dependencies that contradict each other, once somebody has reconciled them.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";
import { textIn } from "../support/gated.ts";

const GIT = needs("git") ?? SHELL;

/** Two tasks that both write `same.txt`, and one that builds on both, and has failed for it. */
async function contradict(tree: WorktreeBox): Promise<[string, string, string]> {
  const one = await tree.start("echo one >same.txt");
  const two = await tree.start("echo two >same.txt; echo other >other.txt");
  const both = await tree.start("cat same.txt other.txt", "--depends-on", one, "--depends-on", two);
  assertEquals((await tree.box.run("run", "--all", "--wait")).code, 1);
  assertEquals(tree.box.task(both).failureClass, "conflict");
  return [one, two, both];
}

/** The log of the retry of a task, which is complete. */
async function retried(tree: WorktreeBox, id: string): Promise<string | undefined> {
  await tree.box.ok("retry", id);
  const again = tree.box.task(id).retriedBy!;
  await tree.box.run("run", "--all", "--wait");
  const { status, errorMessage } = await tree.box.settled(again);
  assertEquals([status, errorMessage], ["complete", null]);
  return textIn(tree.box.path(`logs/${again}.log`));
}

test(
  "dependencies that were merged by hand count through what the user's working copy is at",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { repo } = tree;
    const [one, two, both] = await contradict(tree);
    await repo.git("merge", "-q", `orchestra/${one}`);
    assert(!await repo.succeeds("merge", "-q", `orchestra/${two}`));
    await repo.commit({ "same.txt": "one and two\n" }, "resolved");
    assertEquals(await retried(tree, both), "one and two\nother\n");
  },
);

test("dependencies that were merged squashed count as well", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { repo } = tree;
  const [one, two, both] = await contradict(tree);
  await repo.git("merge", "-q", "--squash", `orchestra/${one}`);
  await repo.git("commit", "-q", "-m", "what one did");
  assert(!await repo.succeeds("merge", "-q", `orchestra/${two}`));
  await repo.commit({ "same.txt": "two in the end\n" }, "resolved");
  assertEquals(await retried(tree, both), "two in the end\nother\n");
});

test("a resolution that is complete counts in place of what it resolved", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const [one, two, both] = await contradict(tree);
  const nothing = await tree.start("true", "--label", `resolves=${two}`);
  await box.ok("run", "--all", "--wait");
  assertEquals(box.task(nothing).status, "complete");
  // Who did nothing has resolved nothing.
  await box.ok("retry", both);
  const again = box.task(both).retriedBy!;
  await box.run("run", "--all", "--wait");
  assertEquals(box.task(again).failureClass, "conflict");
  assertStringIncludes(box.task(again).errorMessage!, `orchestra/${one} and orchestra/${two}`);
  await tree.start(
    'g() { git -c user.name=A -c user.email=a@x "$@"; }; ' +
      `g merge -q orchestra/${two}; echo resolved >same.txt; g commit -qam resolved`,
    ...["--base", `orchestra/${one}`, "--label", `resolves=${two}`],
  );
  await box.ok("run", "--all", "--wait");
  assertEquals(await retried(tree, again), "resolved\nother\n");
  assert(!await repo.succeeds("merge-base", "--is-ancestor", `orchestra/${one}`, "main"));
});
