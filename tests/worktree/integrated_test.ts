// Whether a branch is in its target, by each way in which it may have come there, and when it is not.

import { assertEquals } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { makeRepository, type TestRepository } from "../support/repository.ts";
import { integratedBy } from "../../lib/worktree/integrated.ts";

const GIT = needs("git");
const LINES = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
const text = (...lines: string[]) => lines.join("\n") + "\n";

/** The way of the branch `work` into `main`. */
async function way(repo: TestRepository, base: string | null = null): Promise<string | null> {
  const [tip, target] = await Promise.all(
    ["work", "main"].map((name) => repo.git("rev-parse", name)),
  );
  return await integratedBy(repo, tip!, target!, base);
}

/** A branch `work` with two commits; `main` is where it was. */
async function begun(repo: TestRepository): Promise<void> {
  await repo.git("switch", "-qc", "work");
  await repo.commit({ "b.txt": "b\n" });
  await repo.commit({ "a.txt": text("ONE", ...LINES.slice(1)) });
  await repo.git("switch", "-q", "main");
}

test(
  "a branch at its target's commit is the same, and one behind it an ancestor",
  GIT,
  async () => {
    await using repo = await makeRepository();
    await repo.git("branch", "work");
    assertEquals(await way(repo), "same");
    await repo.commit({ "c.txt": "c\n" });
    assertEquals(await way(repo), "ancestor");
  },
);

test("a branch that was merged is an ancestor", GIT, async () => {
  await using repo = await makeRepository();
  await begun(repo);
  assertEquals(await way(repo), null);
  await repo.git("merge", "-q", "--no-ff", "--no-edit", "work");
  assertEquals(await way(repo), "ancestor");
});

test("a branch whose commits come to nothing is empty", GIT, async () => {
  await using repo = await makeRepository();
  await begun(repo);
  await repo.git("switch", "-q", "work");
  await repo.git("rm", "-q", "b.txt");
  await repo.commit({ "a.txt": text(...LINES) });
  await repo.git("switch", "-q", "main");
  await repo.commit({ "c.txt": "c\n" });
  assertEquals(await way(repo), "empty");
});

test(
  "a branch that was squashed is in its target, also where that went on since",
  GIT,
  async () => {
    await using repo = await makeRepository();
    await begun(repo);
    await repo.commit({ "c.txt": "c\n" });
    await repo.git("merge", "-q", "--squash", "work");
    await repo.commit({});
    assertEquals(await way(repo), "squashed");
    // What it added is gone again: a merge would bring it back, and it was there all the same.
    await repo.git("rm", "-q", "b.txt");
    await repo.commit({ "a.txt": text("1", ...LINES.slice(1)) });
    assertEquals(await way(repo), "squashed");
  },
);

test("a branch whose commits were picked one by one is in its target", GIT, async () => {
  await using repo = await makeRepository();
  await begun(repo);
  await repo.commit({ "c.txt": "c\n" });
  await repo.git("cherry-pick", "work~1");
  assertEquals(await way(repo), null, "one of two");
  await repo.git("cherry-pick", "work");
  assertEquals(await way(repo), "picked");
});

test("a branch whose merge would change nothing is in its target", GIT, async () => {
  await using repo = await makeRepository();
  await begun(repo);
  // The same, and more, in a commit of another's.
  await repo.commit({ "b.txt": "b\n", "a.txt": text("ONE", ...LINES.slice(1, 7), "EIGHT") });
  assertEquals(await way(repo), "merged");
});

test("a task on another's branch is in the target when both are, each squashed", GIT, async () => {
  await using repo = await makeRepository();
  await begun(repo);
  const base = await repo.git("rev-parse", "work");
  await repo.git("branch", "first", "work");
  await repo.git("switch", "-q", "work");
  await repo.commit({ "d.txt": "d\n" });
  await repo.commit({ "d.txt": "d\nd\n" });
  await repo.git("switch", "-q", "main");
  // Only its own: what it was built on is not there.
  await repo.git("checkout", "-q", "work", "--", "d.txt");
  await repo.commit({});
  assertEquals(await way(repo, base), null);
  await repo.git("merge", "-q", "--squash", "first");
  await repo.commit({});
  // A later change in the same place: a merge would be a conflict.
  await repo.commit({ "a.txt": text("1", ...LINES.slice(1)), "d.txt": "e\n" });
  assertEquals(await way(repo, base), "squashed");
});

test(
  "a merge on a branch that resolved something is not taken for its commits alone",
  GIT,
  async () => {
    await using repo = await makeRepository();
    await begun(repo);
    await repo.git("branch", "other");
    await repo.git("switch", "-q", "other");
    const other = await repo.commit({ "e.txt": "e\n" });
    await repo.git("switch", "-q", "work");
    await repo.git("merge", "-q", "--no-ff", "--no-commit", "other");
    await repo.commit({ "f.txt": "only in the merge\n" });
    await repo.git("switch", "-q", "main");
    await repo.commit({ "c.txt": "c\n" });
    for (const commit of [other, "work^1~1", "work^1"]) await repo.git("cherry-pick", commit);
    assertEquals(await way(repo), null);
  },
);

test("branches that have no beginning in common are not in each other", GIT, async () => {
  await using repo = await makeRepository();
  await repo.git("switch", "-q", "--orphan", "work");
  await repo.commit({ "z.txt": "z\n" });
  await repo.git("switch", "-q", "main");
  assertEquals(await way(repo), null);
});

test(
  "what is looked for leaves nothing that has a name, and no file of the user's differs",
  GIT,
  async () => {
    await using repo = await makeRepository();
    await begun(repo);
    repo.write("a.txt", "mine\n");
    const before = [await repo.git("for-each-ref"), await repo.git("status", "--porcelain")];
    assertEquals(await way(repo), null);
    assertEquals([await repo.git("for-each-ref"), await repo.git("status", "--porcelain")], before);
    await repo.git("fsck", "--strict");
  },
);
