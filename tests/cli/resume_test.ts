// retry --resume: the successor goes on in the session and in the worktree of the attempt before.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { NARROW, needs, SHELL, test } from "../support/needs.ts";
import { forge, textIn } from "../support/gated.ts";
import { MAIN, makeBox, spawn } from "../support/program.ts";
import { makeWorktreeBox, type WorktreeBox } from "../support/worktree_box.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { makeFor } from "../../lib/queue/worktree.ts";
import { withWorktreeLock } from "../../lib/queue/worktree_lock.ts";
import { handOver } from "../../lib/worktree/hand_over.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { openWorkspace } from "../../mod.ts";

const GIT = needs("git") ?? SHELL;

/** An agent that says which session it is in, and does what the prompt's script says. */
const TALKER = {
  command: "sh",
  args: ["-c", 'echo "begins $1"; eval "$2"', "talker", "{sessionId}", "{userPrompt}"],
  resume: ["-c", 'echo "resumes $1"; eval "$2"', "talker", "{sessionId}", "{userPrompt}"],
  completion: "exit",
};

/** Fails at first, and then goes on with what it has left, committed or ignored. */
const TWICE = "if [ -e begun ]; then echo two >>begun; ls -a >seen; else echo one >begun; " +
  "echo secret >.kept; exit 3; fi";

function prepared(tree: WorktreeBox, settings = {}): void {
  tree.box.agents({ talker: TALKER });
  tree.config(settings);
  Deno.writeTextFileSync(`${tree.repo.top}/.git/info/exclude`, ".orchestra*/\n.kept\n");
}

async function failOnce(tree: WorktreeBox, script = TWICE): Promise<string> {
  const id = await tree.box.start("--worktree", "talker", script);
  await tree.box.run("run", "--wait");
  assertEquals((await tree.box.settled(id)).status, "failed");
  return id;
}

async function resume(tree: WorktreeBox, id: string): Promise<string> {
  const said = await tree.box.ok("retry", "--resume", id);
  return /^Queued (task_\d+) as retry/.exec(said)![1]!;
}

const logOf = ({ box }: WorktreeBox, id: string) => textIn(box.path(`logs/${id}.log`))!.trim();

test(
  "a resumed retry goes on in the old session, on the old branch, in the old folder",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    prepared(tree);
    const id = await failOnce(tree);
    const first = tree.branch(id);
    const session = box.task(id).usage!.sessionId!;
    assertEquals(logOf(tree, id), `begins ${session}`);
    assertStringIncludes(await box.ok("status"), "stays");
    const next = await resume(tree, id);
    assertEquals([box.task(next).resumes, box.task(next).worktree], [session, true]);
    await box.ok("run", "--wait");
    const task = await box.settled(next);
    assertEquals([task.status, task.usage?.sessionId], ["complete", session]);
    assertEquals(logOf(tree, next), `resumes ${session}`);
    const second = tree.branch(task);
    assertEquals(
      [second.branch, second.base, second.path, second.folder, second.left],
      [first.branch, first.base, first.path, first.folder, null],
    );
    assertEquals(await tree.show(second.tip!, "begun"), "one\ntwo");
    // What git ignores was there still.
    assertStringIncludes(await tree.show(second.tip!, "seen"), ".kept");
    assertEquals(await repo.git("show", "-s", "--format=%P", second.tip!), first.tip!);
    assertEquals(await tree.worktrees(), []);
    assertEquals(await repo.git("branch", "--list", "orchestra/*"), `  ${first.branch}`);
    // Nothing of the first stays any more, and merging it takes what the last made.
    assertEquals(tree.branch(id).left, null);
    await box.ok("merge", id);
    assertEquals(textIn(`${repo.top}/begun`), "one\ntwo\n");
    await repo.git("fsck", "--strict", "--no-dangling");
  },
);

test(
  "a worktree whose folder has gone is made again on its branch, and set up again",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    prepared(tree);
    tree.config({}, { setup: 'echo set >>"$ORCHESTRA_WORKSPACE/setups"' });
    const id = await failOnce(tree);
    const { path } = tree.branch(id);
    await repo.git("worktree", "unlock", path);
    await repo.git("worktree", "remove", "--force", path);
    const next = await resume(tree, id);
    await box.ok("run", "--wait");
    const { tip, path: again } = tree.branch(await box.settled(next));
    assertEquals(again, path);
    assertEquals(await tree.show(tip!, "begun"), "one\ntwo");
    assertEquals(textIn(box.path("workspace/setups")), "set\nset\n");
  },
);

test("an automatic retry after it begins anew", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  prepared(tree, { retry: { base: 0.01 } });
  const id = await failOnce(tree, 'echo x >>x; [ "$ORCHESTRA_BRANCH" != "$(cat name)" ]; exit 3');
  const said = await box.ok("retry", "--resume", "--auto", "--max-retries", "2", id);
  const next = /^Queued (task_\d+) as retry/.exec(said)![1]!;
  await box.run("run", "--wait");
  await box.until("the retry of the retry", () => box.task(next).retriedBy ?? undefined);
  const last = await box.settled(box.task(next).retriedBy!);
  assertEquals([last.resumes, tree.branch(last).branch], [null, `orchestra/${last.taskId}`]);
  assertMatch(logOf(tree, last.taskId), /^begins /);
});

test("killed after the worktree was handed over, the next look writes it down", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  prepared(tree);
  const id = await failOnce(tree);
  const { path } = tree.branch(id);
  const next = await resume(tree, id);
  const found = await findRepository(repo.top);
  const [from, to] = [`orchestra ${id}`, `orchestra ${next}`];
  assertEquals(await handOver(found, path, [from], to), "ours");
  // Once more is no harm; and to nobody else.
  assertEquals(await handOver(found, path, [from], to), "ours");
  assertEquals(await handOver(found, path, [from], "orchestra other"), { locked: to });
  assertStringIncludes(await repo.git("worktree", "list", "--porcelain"), `locked ${to}`);
  // Neither is it cleaned meanwhile, by name or not.
  await box.run("clean", "--worktrees", "--force", id);
  assertEquals(textIn(`${path}/begun`), "one\n");
  await box.ok("run", "--wait");
  assertEquals((await box.settled(next)).status, "complete");
  assertEquals(await tree.show(tree.branch(next).tip!, "begun"), "one\ntwo");
});

test(
  "cancelled before it was launched, it leaves the worktree to the one that resumes it",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    prepared(tree);
    const id = await failOnce(tree);
    const { path } = tree.branch(id);
    const second = await resume(tree, id);
    // Handed over, and killed before it was written.
    const found = await findRepository(repo.top);
    await handOver(found, path, [`orchestra ${id}`], `orchestra ${second}`);
    await box.ok("cancel", second);
    const third = await resume(tree, second);
    await box.ok("run", "--wait");
    const task = await box.settled(third);
    assertEquals([task.status, tree.branch(task).path], ["complete", path]);
    assertEquals(await tree.show(tree.branch(task).tip!, "begun"), "one\ntwo");
  },
);

test(
  "one that has taken the worktree over, and is cancelled then, leaves it there",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    prepared(tree);
    const id = await failOnce(tree);
    const { path } = tree.branch(id);
    const second = await resume(tree, id);
    const queue = openQueue(box.root);
    await makeFor(queue, second, await loadRules(queue));
    assertEquals(tree.branch(second).path, path);
    await box.ok("cancel", second);
    await box.settled(second);
    assertEquals(textIn(`${path}/.kept`), "secret\n");
    const third = await resume(tree, second);
    await box.ok("run", "--wait");
    assertEquals((await box.settled(third)).status, "complete");
    assertStringIncludes(await tree.show(tree.branch(third).tip!, "seen"), ".kept");
  },
);

test("where it cannot be made again, its branch stays with what was done on it", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  prepared(tree);
  const id = await failOnce(tree);
  const { path, branch, tip } = tree.branch(id);
  await repo.git("worktree", "unlock", path);
  await repo.git("worktree", "remove", "--force", path);
  // A filter that fails, as one of Git LFS does without a network.
  repo.write(".git/info/attributes", "begun filter=broken\n");
  await repo.git("config", "filter.broken.smudge", "false");
  await repo.git("config", "filter.broken.required", "true");
  const next = await resume(tree, id);
  assertEquals((await box.run("run", "--wait")).code, 1);
  assertEquals((await box.settled(next)).failureClass, "spawn");
  assertEquals(await repo.git("rev-parse", branch), tip);
  await repo.git("config", "--unset", "filter.broken.required");
  await repo.git("config", "--unset", "filter.broken.smudge");
  const last = await resume(tree, next);
  await box.ok("run", "--wait");
  assertEquals(await tree.show(tree.branch(await box.settled(last)).tip!, "begun"), "one\ntwo");
});

test(
  "a worktree that is locked for somebody else is left alone, and the retry fails",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    prepared(tree);
    const id = await failOnce(tree);
    const { path } = tree.branch(id);
    await repo.git("worktree", "unlock", path);
    await repo.git("worktree", "lock", "--reason", "mine", path);
    const next = await resume(tree, id);
    assertEquals((await box.run("run", "--wait")).code, 1);
    const { status, failureClass, errorMessage } = box.task(next);
    assertEquals([status, failureClass], ["failed", "spawn"]);
    assertStringIncludes(errorMessage!, "is locked: mine");
    assertEquals(textIn(`${path}/begun`), "one\n");
  },
);

test("a worktree is taken over under the narrow permissions, too", GIT ?? NARROW, async () => {
  await using tree = await makeWorktreeBox("docs");
  const { box } = tree;
  prepared(tree);
  await tree.repo.commit({ "docs/x.txt": "x\n" });
  const id = await failOnce(tree);
  const next = await resume(tree, id);
  const args = ["run", "--quiet", ...permissionFlags(), MAIN, "run", "--wait"];
  await using live = spawn(Deno.execPath(), args, { cwd: box.root });
  const { code, stderr } = await live.ended();
  assertEquals(code, 0, stderr + (box.task(next).errorMessage ?? ""));
  const { tip, folder } = tree.branch(await box.settled(next));
  assertEquals([await tree.show(tip!, "docs/begun"), folder], ["one\ntwo", "docs"]);
});

test("without a worktree the session alone is gone on in", SHELL, async () => {
  await using box = await makeBox();
  box.agents({ talker: TALKER });
  const id = await box.start("talker", "[ -e again ] || { touch again; exit 3; }");
  await box.run("run", "--wait");
  const session = box.task(id).usage!.sessionId!;
  const workspace = await openWorkspace(box.root);
  const next = workspace.retry(id, { resume: true });
  assertEquals([next.resumes, next.worktree], [session, false]);
  await box.ok("run", "--wait");
  assertEquals(textIn(box.path(`logs/${next.taskId}.log`))!.trim(), `resumes ${session}`);
});

test("what cannot be resumed is refused, and says what to do", SHELL, async () => {
  await using box = await makeBox();
  const { resume: _, ...mute } = TALKER;
  box.agents({ talker: TALKER, mute, plain: { ...TALKER, args: ["-c", "exit 3"] } });
  const ids: string[] = [];
  for (const agent of ["talker", "mute", "plain"]) ids.push(await box.start(agent, "exit 3"));
  const [talker, silent, plain] = ids as [string, string, string];
  assertStringIncludes((await box.fails(4, "retry", "--resume", talker)).message, "pending");
  await box.run("run", "--all", "--wait");
  const noResume = await box.fails(4, "retry", "--resume", silent);
  assertStringIncludes(noResume.message, "the agent mute does not say how");
  assertStringIncludes(noResume.hint!, '"resume"');
  const noSession = await box.fails(4, "retry", "--resume", plain);
  assertStringIncludes(noSession.message, "no session of its agent is known");
  assertStringIncludes(noSession.hint!, `orchestra retry ${plain}`);
  // One that would be an option of the agent's is none.
  forge(box, plain, { usage: { sessionId: "--yolo" } });
  await box.fails(4, "retry", "--resume", plain);
  assertEquals(box.tasks().length, 3);
  const said = await box.ok("retry", "--resume", "--status", "failed");
  assertEquals(said.match(/^Queued/gm)?.length, 1);
  // Whose definition has lost it since fails, and is not begun anew.
  const next = box.task(talker).retriedBy!;
  box.agents({ talker: mute });
  assertEquals((await box.run("run", "--wait")).code, 1);
  assertEquals(box.task(next).failureClass, "spawn");
  assertStringIncludes(box.task(next).errorMessage!, '"resume"');
});

test("the attempts that go on with each other's work have one lock", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  prepared(tree, { supervise: false });
  const id = await failOnce(tree, "exit 3");
  const second = await resume(tree, id);
  await box.run("run", "--wait");
  await box.settled(second);
  const third = await resume(tree, second);
  const { store } = openQueue(box.root);
  for (const one of [id, second, third]) {
    await withWorktreeLock(store, one, async () => {
      const names = [...Deno.readDirSync(`${box.root}/.orchestra`)].map(({ name }) => name);
      assertEquals(names.filter((it) => it.endsWith(".worktree.lock")), [`${id}.worktree.lock`]);
      await Promise.resolve();
    });
  }
});
