// Several processes may be at work on the worktree of one task, and one of them may stand still meanwhile, or
// be killed while its git goes on.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { makeBetween } from "../support/git_between.ts";
import { needs, ON_LINUX, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";
import { openLockFile } from "../../lib/store/lock.ts";
import { commitTask, endTask } from "../../lib/queue/end.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { makeFor } from "../../lib/queue/worktree.ts";
import { NotNow, withWorktreeLock } from "../../lib/queue/worktree_lock.ts";

const GIT = needs("git") ?? SHELL;

const placesOf = ({ box, repo }: WorktreeBox, id: string) => ({
  branch: `orchestra/${id}`,
  path: `${repo.beside}/${id}`,
  lock: `${box.root}/.orchestra/${id}.worktree.lock`,
});

/** A git that is at work until its input ends. */
function reading(cwd: string, args: readonly string[], env = {}): Deno.ChildProcess {
  return new Deno.Command("git", { args: [...args], cwd, env, stdin: "piped", stdout: "null" })
    .spawn();
}

/** As we start each. */
const OURS = ["-c", "core.hooksPath=/dev/null", "cat-file"];

test("who comes too late to make a worktree leaves what was done meanwhile", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const base = await repo.commit({ ".gitattributes": "*.h filter=h\n" });
  const id = await tree.start("true");
  const { branch, path, lock } = placesOf(tree, id);
  const queue = openQueue(box.root);
  const rules = await loadRules(queue);
  let late: ReturnType<typeof makeFor>;
  await withWorktreeLock(queue.store, id, async () => {
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
  const first = await late!;
  // On a slow machine it has not waited so long.
  const made = "later" in first ? await makeFor(queue, id, rules) : first;
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
  assertStringIncludes(await box.ok("status"), "1 ready");
  Deno.removeSync(lock);
  await box.ok("run", "--wait");
  assertEquals((await box.settled(id)).status, "complete");
});

test("nor does it keep anybody from looking, once a task has ended", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const [id, other] = [await tree.start("exit 3"), await tree.start("true")];
  tree.config({ supervise: false });
  await box.run("run", "--all", "--wait");
  await box.settled(other);
  const { store } = openQueue(box.root);
  const ended = await box.settled(id);
  store.write({ ...ended, reapAt: ended.completedAt });
  Deno.mkdirSync(placesOf(tree, id).lock);
  assertStringIncludes(await box.ok("status"), other.slice(-6));
  const told: string[] = [];
  const queue = openQueue(box.root);
  const tell = (problem: string) => void told.push(problem);
  assertEquals(await endTask(queue, id, await loadRules(queue), { tell }), false);
  assertStringIncludes(told.join(), `Ending ${id}: Taking the lock: `);
  assertStringIncludes(told.join(), "is a folder; it is tried again");
  Deno.removeSync(placesOf(tree, id).lock);
  await box.ok("status");
  assertEquals((await box.settled(id)).reapAt, null);
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

test("doctor removes such a lock where nobody has it", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const [id, other] = [await tree.start("true"), await tree.start("true")];
  openLockFile(placesOf(tree, id).lock).close();
  await withWorktreeLock(openQueue(box.root).store, other, async () => {
    const { stdout } = await box.run("doctor");
    assertStringIncludes(stdout, `.orchestra/${id}.worktree.lock`);
    assertEquals(stdout.includes(`${other}.worktree.lock`), false);
    await box.run("doctor", "--fix");
    const names = [...Deno.readDirSync(`${box.root}/.orchestra`)].map(({ name }) => name);
    assertEquals(names.filter((it) => it.endsWith(".worktree.lock")), [`${other}.worktree.lock`]);
  });
});

test(
  "who comes too late to commit what a task left, or to put it away, changes nothing",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    tree.config({ supervise: false });
    const id = await tree.start("echo x >x.txt; exit 3");
    await box.run("run", "--wait");
    const ended = await box.settled(id);
    const { path, branch } = tree.branch(ended);
    const tip = await repo.git("rev-parse", branch);
    const queue = openQueue(box.root);
    const rules = await loadRules(queue);
    const git = { ...tree.branch(ended), tip: null, files: null, left: null };
    for (const act of [endTask, commitTask]) {
      const isEnd = act === endTask;
      queue.store.write({
        ...ended,
        ...(isEnd ? { reapAt: ended.completedAt } : { status: "running", completedAt: null }),
        ...{ git, pid: null },
      });
      let late: Promise<boolean> | undefined;
      await withWorktreeLock(queue.store, id, async () => {
        late = act(queue, id, rules);
        // Another one does it, and the next attempt is at work there.
        await repo.git("rev-parse", "HEAD");
        queue.store.write(ended);
        repo.write("next.txt", "next\n", path);
      });
      assert(await late! || await act(queue, id, rules));
      assertEquals(await repo.git("rev-parse", branch), tip);
      assertEquals(await repo.git("-C", path, "status", "--porcelain"), "?? next.txt");
      Deno.removeSync(`${path}/next.txt`);
    }
  },
);

test(
  "who takes over from somebody who was killed waits for the git that has outlived him",
  GIT ?? ON_LINUX,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const id = await tree.start("true");
    const { branch, path, lock } = placesOf(tree, id);
    const add = ["worktree", "add", "-q", "--no-checkout", "--lock", "--reason", `orchestra ${id}`];
    await repo.git(...add, "-b", branch, path);
    openLockFile(lock).close();
    const orphan = reading(path, [...OURS, "--batch"]);
    let hasEnded = false;
    orphan.status.then(() => hasEnded = true);
    setTimeout(() => orphan.stdin.close(), 300);
    // One of its user's, which may be there for hours.
    const reader = reading(path, ["cat-file", "--batch"]);
    const queue = openQueue(box.root);
    const made = await makeFor(queue, id, await loadRules(queue));
    await reader.stdin.close();
    await reader.status;
    assert(hasEnded);
    assertEquals("task" in made && made.task?.git?.path, path);
    assertEquals(await repo.git("-C", path, "status", "--porcelain"), "");
  },
);

test(
  "a git that outlives the wait, too, is waited for again, and doctor leaves the sign of it",
  GIT ?? ON_LINUX,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const id = await tree.start("true");
    const { path, lock } = placesOf(tree, id);
    Deno.mkdirSync(path);
    // The one is there, the other has been told of it.
    const orphans = [
      reading(path, [...OURS, "--batch"], { GIT_DIR: `${repo.top}/.git` }),
      reading(repo.top, [...OURS, `--batch=%(rest) ${path}`]),
    ];
    openLockFile(lock).close();
    const { store } = openQueue(box.root);
    let done = 0;
    const act = () => Promise.resolve(done++);
    for (let turn = 0; turn < 2; turn++) {
      const error = await assertRejects(() => withWorktreeLock(store, id, act, 100), NotNow);
      assertStringIncludes(error.message, "another git is at work");
    }
    await box.run("doctor", "--fix");
    assert((await Deno.lstat(lock)).isFile);
    for (const git of orphans) {
      await git.stdin.close();
      await git.status;
    }
    await withWorktreeLock(store, id, act, 100);
    assertEquals(done, 1);
    assertEquals(await Deno.lstat(lock).catch(() => "gone"), "gone");
  },
);

test(
  "that one is killed while it is held is known by the next, whatever he saw first",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const id = await tree.start("true");
    const { lock } = placesOf(tree, id);
    const { store } = openQueue(box.root);
    await withWorktreeLock(store, id, () => {
      assertEquals(Deno.readTextFileSync(lock), "held\n");
      return Promise.resolve();
    });
    await assertRejects(() => withWorktreeLock(store, id, () => Promise.reject(new Error("no"))));
    assertEquals(await Deno.lstat(lock).catch(() => "gone"), "gone");
  },
);

test(
  "what comes into a worktree with submodules just before it is removed keeps it",
  GIT ?? ON_POSIX,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const head = await repo.git("rev-parse", "HEAD");
    await repo.git("update-index", "--add", "--cacheinfo", `160000,${head},sub`);
    await repo.git("commit", "-qm", "a submodule");
    const id = await tree.start("true");
    const { path } = placesOf(tree, id);
    await using between = await makeBetween('*" worktree unlock "*', `echo mine >'${path}/mine'`);
    await box.runWith({ env: between.env }, "run", "--wait");
    const task = await box.settled(id);
    assert(between.wasDone());
    assertStringIncludes(tree.branch(task).left!, "untracked files");
    assertEquals(Deno.readTextFileSync(`${path}/mine`), "mine\n");
  },
);

test("many who take such a lock in turn meet none that is damaged", GIT ?? ON_POSIX, async () => {
  await using tree = await makeWorktreeBox();
  const id = await tree.start("true");
  const module = (name: string) => new URL(`../../lib/queue/${name}`, import.meta.url).href;
  const script = `import { openQueue } from "${module("queue.ts")}";
    import { withWorktreeLock } from "${module("worktree_lock.ts")}";
    const { store } = openQueue(Deno.args[0]);
    for (let at = 0; at < 2000; at++) await withWorktreeLock(store, Deno.args[1], async () => {});`;
  const file = `${tree.repo.beside}/take.ts`;
  Deno.writeTextFileSync(file, script);
  const takers = [1, 2, 3].map(() =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--quiet", file, tree.box.root, id],
      stdout: "null",
      stderr: "piped",
    }).output()
  );
  for (const { success, stderr } of await Promise.all(takers)) {
    assert(success, new TextDecoder().decode(stderr));
  }
});
