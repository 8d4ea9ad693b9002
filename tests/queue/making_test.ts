// Several supervisors may make the worktree of one task, and one of them may stand still meanwhile, or be
// killed while its git goes on.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";
import { openLockFile } from "../../lib/store/lock.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { asOnlyMaker } from "../../lib/queue/one_maker.ts";
import { makeFor } from "../../lib/queue/worktree.ts";

const GIT = needs("git") ?? SHELL;

const placesOf = ({ box, repo }: WorktreeBox, id: string) => ({
  branch: `orchestra/${id}`,
  path: `${repo.beside}/${id}`,
  lock: `${box.root}/.orchestra/${id}.worktree.lock`,
});

test("who comes too late to make a worktree leaves what was done meanwhile", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const base = await repo.commit({ ".gitattributes": "*.h filter=h\n" });
  const id = await tree.start("true");
  const { branch, path, lock } = placesOf(tree, id);
  const queue = openQueue(box.root);
  const rules = await loadRules(queue);
  let late: ReturnType<typeof makeFor>;
  await asOnlyMaker(queue.store, id, async () => {
    late = makeFor(queue, id, rules);
    // Another one makes it, and the task runs and ends before it is the late one's turn.
    await repo.git("worktree", "add", "-b", branch, path);
    repo.write("x.h", "work\n", path);
    await repo.git("-C", path, "add", "-A");
    await repo.git("-C", path, "commit", "-qm", "work");
    await repo.git("worktree", "remove", path);
    const tip = await repo.git("rev-parse", branch);
    const done = { files: 1, insertions: 1, deletions: 0, left: null };
    queue.store.write({
      ...queue.store.read(id)!,
      ...{ status: "complete", startedAt: "2026-01-01T00:00:00.000Z", claim: 1 },
      completedAt: "2026-01-01T00:00:01.000Z",
      git: { branch, base, path, folder: "", tip, ...done },
    });
  });
  const made = await late!;
  assertEquals("task" in made && made.task?.status, "complete");
  assertEquals(await repo.git("rev-parse", branch), tree.branch(id).tip!);
  assertEquals(await tree.worktrees(), []);
  assertEquals(await Deno.lstat(lock).catch(() => "gone"), "gone");
});

test("who made it and was killed has left a lock that is in nobody's way", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const id = await tree.start("echo x >y");
  const { lock } = placesOf(tree, id);
  openLockFile(lock).close();
  await box.ok("run", "--wait");
  assertEquals((await box.settled(id)).status, "complete");
  assertEquals(await Deno.lstat(lock).catch(() => "gone"), "gone");
});

test("what stands in the place of the lock keeps one task waiting, and no other", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const [id, other] = [await tree.start("true"), await tree.start("true")];
  const { lock } = placesOf(tree, id);
  Deno.mkdirSync(lock);
  const { stderr } = await box.run("run", "--wait");
  assertStringIncludes(stderr, `${id}.worktree.lock is a folder`);
  assertEquals((await box.settled(other)).status, "complete");
  assertEquals(box.task(id).status, "pending");
  Deno.removeSync(lock);
  await box.ok("run", "--wait");
  assertEquals((await box.settled(id)).status, "complete");
});

test("a branch that is there already stays where its worktree cannot be made", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  await repo.commit({ ".gitattributes": "*.h filter=h\n", "x.h": "x\n" });
  const id = await tree.start("true");
  const { branch } = placesOf(tree, id);
  await repo.git("branch", branch);
  await repo.git("config", "filter.h.smudge", "exit 1");
  await repo.git("config", "filter.h.required", "true");
  await box.run("run", "--wait");
  assertEquals(box.task(id).failureClass, "spawn");
  assertEquals(await tree.worktrees(), []);
  assertEquals(await repo.git("rev-parse", branch), await repo.git("rev-parse", "HEAD"));
});

test("doctor removes such a lock where the task waits for no worktree any more", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const [id, other] = [await tree.start("true"), await tree.start("true")];
  const locks = [id, other].map((it) => placesOf(tree, it).lock);
  for (const lock of locks) openLockFile(lock).close();
  await box.ok("cancel", id);
  assertStringIncludes((await box.run("doctor")).stdout, `.orchestra/${id}.worktree.lock`);
  await box.run("doctor", "--fix");
  const left = [...Deno.readDirSync(`${box.root}/.orchestra`)].map(({ name }) => name);
  assertEquals(left.filter((name) => name.endsWith(".worktree.lock")), [`${other}.worktree.lock`]);
});
