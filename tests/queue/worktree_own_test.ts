// What a task's file says of its branch and its worktree is believed only where git says the same: the agent
// can write that file, and move the worktree, while it works there.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

test("a task whose file names a branch of the user's moves none", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { repo, box } = tree;
  const before = await repo.git("rev-parse", "main");
  await repo.git("branch", "theirs");
  // One that is checked out, one that is not, and another task's.
  const other = "orchestra/task_1700000000000";
  await repo.git("branch", other);
  const names = ["main", "theirs", other];
  const ids: string[] = [];
  const gate = `${repo.beside}/gate`;
  for (let at = 0; at < names.length; at++) {
    ids.push(await tree.start(`while [ ! -e '${gate}' ]; do sleep 0.05; done; echo x >x`));
  }
  // Nobody else writes the files while their agents run.
  tree.config({ supervise: false });
  await box.ok("run", "--all");
  for (const [at, id] of ids.entries()) {
    const task = box.task(id);
    assertEquals(task.status, "running");
    const git = { ...tree.branch(task), branch: names[at] };
    Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify({ ...task, git }));
  }
  Deno.writeTextFileSync(gate, "");
  await box.ok("run", "--all", "--wait");
  for (const [at, id] of ids.entries()) {
    const task = await box.settled(id);
    const { branch, left, path } = tree.branch(task);
    assertEquals(branch, names[at]);
    assertStringIncludes(left!, `${branch} is no branch that was made for ${id}`);
    assertEquals(Deno.readTextFileSync(`${path}/x`), "x\n");
    assertEquals(await repo.git("rev-parse", branch), before);
  }
  assertEquals(await repo.git("status", "--porcelain"), "");
});

test(
  "a worktree that was moved has its work committed, and goes from where it is",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { repo, box } = tree;
    const to = (name: string) => `${repo.beside}/${name}`;
    const kept = await tree.start(
      `echo x >x; git worktree move -f -f "$PWD" '${to("kept")}'; cd '${to("kept")}'; exit 3`,
    );
    const moved = await tree.start(`echo y >y; git worktree move -f -f "$PWD" '${to("moved")}'`);
    const unlocked = await tree.start(
      `echo z >z; git worktree unlock "$PWD"; git worktree move "$PWD" '${to("unlocked")}'`,
    );
    await box.run("run", "--all", "--wait");
    for (const id of [kept, moved, unlocked]) await box.settled(id);
    assertEquals(await tree.show(tree.branch(kept).tip!, "x"), "x");
    assertEquals([tree.branch(kept).path, tree.branch(kept).files], [to("kept"), 1]);
    assertEquals(await tree.show(tree.branch(moved).tip!, "y"), "y");
    assertEquals([tree.branch(moved).left, tree.branch(moved).files], [null, 1]);
    assert(!exists(to("moved")), "it is there still");
    // Who unlocked it may want it there.
    assertEquals(await tree.show(tree.branch(unlocked).tip!, "z"), "z");
    assertStringIncludes(tree.branch(unlocked).left!, `${to("unlocked")} is not locked for`);
    assertEquals(Deno.readTextFileSync(`${to("unlocked")}/z`), "z\n");
    assertEquals(await tree.worktrees(), [to("kept"), to("unlocked")]);
  },
);

test("a commit that only a ref of the worktree's own names is kept when it goes", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { repo, box } = tree;
  const commit = "git -c user.name=a -c user.email=a@b commit-tree -m aside";
  const id = await tree.start(
    `aside=$(${commit} -p HEAD "HEAD^{tree}") && git update-ref refs/worktree/aside "$aside"; echo "$aside"`,
  );
  await box.ok("run", "--all", "--wait");
  const { path, left } = tree.branch(await box.settled(id));
  assertEquals([left, exists(path)], [null, false]);
  const aside = Deno.readTextFileSync(box.path(`logs/${id}.log`)).trim();
  assertEquals(await repo.git("rev-parse", `refs/orchestra/backup/${id}-1`), aside);
});

test(
  "no agent is launched in a user's worktree that was locked as if it were its own",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { repo, box } = tree;
    const own = `${repo.beside}/own`;
    await repo.git("worktree", "add", "-q", "-b", "mine", own);
    const id = await tree.start("echo x >x");
    await repo.git("worktree", "lock", "--reason", `orchestra ${id}`, own);
    const git = {
      branch: "mine",
      base: await repo.git("rev-parse", "main"),
      path: own,
      folder: "",
    };
    const nothing = { tip: null, files: null, insertions: null, deletions: null, left: null };
    const task = { ...box.task(id), git: { ...git, ...nothing } };
    Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify(task));
    await box.run("run", "--all", "--wait");
    assertEquals((await box.settled(id)).status, "failed");
    assertEquals([exists(`${own}/x`), await repo.gitIn(own, "status", "--porcelain")], [false, ""]);
    assertEquals(await repo.gitIn(own, "branch", "--show-current"), "mine");
  },
);
