// Tasks with worktrees of their own, from the queue to the branch: real git, real agents.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { mounting, NARROW, needs, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { SmallDisk } from "../support/disk.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";
import { numberIn, shimOf, textIn } from "../support/gated.ts";
import { commandLine, kill, MAIN, spawn } from "../support/program.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { openWorkspace } from "../../mod.ts";
import { cancel } from "../../lib/queue/cancel.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { makeFor } from "../../lib/queue/worktree.ts";
import { lstat } from "../../lib/store/files.ts";

const GIT = needs("git") ?? SHELL;

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

test(
  "a task works in a worktree of its own; what it left is committed, the folder goes, the branch stays",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { repo, box } = tree;
    const before = await repo.git("rev-parse", "HEAD");
    const id = await tree.start(
      "pwd >where; git branch --show-current >branch; echo two >>a.txt; git rm -q --cached where; true",
    );
    await box.ok("run", "--all", "--wait");
    const task = await box.settled(id);
    const { branch, base, tip, files, insertions, paths, left, path } = tree.branch(task);
    assertEquals(task.status, "complete");
    assertEquals([branch, base, left], [`orchestra/${id}`, before, null]);
    assertEquals([files, insertions, paths], [3, 3, ["a.txt", "branch", "where"]]);
    assertEquals(await repo.git("rev-parse", branch), tip);
    assertEquals(await tree.show(tip!, "where"), path);
    assertEquals(await tree.show(tip!, "branch"), branch);
    const message = await repo.git("show", "-s", "--format=%B", tip!);
    assertMatch(message, new RegExp(`^pwd >where;.*\n\nTask: ${id}\nAgent: shell`));
    // Nothing of it is in the user's own working copy.
    assertEquals(await repo.git("status", "--porcelain"), "");
    assertEquals(await repo.git("rev-parse", "HEAD"), before);
    assertEquals(await tree.worktrees(), []);
    assert(!exists(path), "the folder is there");
    await repo.git("fsck", "--strict", "--no-dangling");
  },
);

test(
  "an agent works where in the repository its workspace is, and is told absolute paths",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox("docs/book");
    const { repo, box } = tree;
    await repo.commit({ "docs/book/x.txt": "x\n" });
    const told = ["WORKTREE", "BRANCH", "BASE", "ROOT", "LOG_FILE", "DONE_FILE"]
      .map((name) => `echo "${name} $ORCHESTRA_${name}"`).join("; ");
    const id = await tree.start(`pwd; ${told}; echo y >y.txt`);
    await box.ok("run", "--wait");
    const task = await box.settled(id);
    const { path, branch, base, tip, folder } = tree.branch(task);
    assertEquals(folder, "docs/book");
    assertEquals(textIn(box.path(`logs/${id}.log`))!.trim().split("\n"), [
      `${path}/docs/book`,
      `WORKTREE ${path}`,
      `BRANCH ${branch}`,
      `BASE ${base}`,
      `ROOT ${box.root}`,
      `LOG_FILE ${box.path(`logs/${id}.log`)}`,
      `DONE_FILE ${box.path(`tasks/${id}.done`)}`,
    ]);
    assertEquals(await tree.show(tip!, "docs/book/y.txt"), "y");
  },
);

test("nothing that git was told by the caller reaches an agent in a worktree", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { repo, box } = tree;
  const other = `${repo.beside}/other`;
  Deno.mkdirSync(other);
  await repo.gitIn(other, "init", "-q", "-b", "main");
  const id = await tree.start('env | grep ^GIT_; echo new >new.txt; git add new.txt; echo "$MINE"');
  const env = {
    GIT_DIR: `${other}/.git`,
    GIT_WORK_TREE: other,
    GIT_INDEX_FILE: `${other}/.git/index`,
    GIT_AUTHOR_NAME: "Somebody Else",
    MINE: "kept",
  };
  const { code } = await box.runWith({ env }, "run", "--wait");
  assertEquals(code, 0);
  const { tip } = tree.branch(await box.settled(id));
  assertEquals(textIn(box.path(`logs/${id}.log`)), "kept\n");
  assertEquals(await tree.show(tip!, "new.txt"), "new");
  assertEquals(await repo.gitIn(other, "status", "--porcelain"), "");
  assert(await repo.git("show", "-s", "--format=%an", tip!) !== "Somebody Else");
});

test(
  "a task that builds on others begins from what they made: one, two merged, and their merge",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const first = await tree.start("echo first >first.txt");
    const left = await tree.start("echo left >left.txt; cat first.txt", "--depends-on", first);
    const right = await tree.start("echo right >right.txt", "--depends-on", first);
    const last = await tree.start("ls", "--depends-on", left, "--depends-on", right);
    await box.ok("run", "--all", "--wait");
    const [one, two, three, four] = [first, left, right, last].map((id) => box.task(id));
    assertEquals([one, two, three, four].map((task) => task!.status), Array(4).fill("complete"));
    assertEquals(tree.branch(two!).base, tree.branch(one!).tip);
    assertEquals(tree.branch(three!).base, tree.branch(one!).tip);
    const { base, files } = tree.branch(four!);
    assertEquals(
      (await repo.git("show", "-s", "--format=%P", base)).split(" ").sort(),
      [tree.branch(two!).tip, tree.branch(three!).tip].sort(),
    );
    assertEquals(files, 0);
    assertEquals(
      textIn(box.path(`logs/${last}.log`))!.trim().split("\n"),
      ["a.txt", "first.txt", "left.txt", "right.txt"],
    );
  },
);

test(
  "dependencies that contradict each other fail what builds on both, and the files are named",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const one = await tree.start("echo one >same.txt; echo one >a.txt");
    const two = await tree.start("echo two >same.txt; echo two >a.txt");
    const both = await tree.start("true", "--depends-on", one, "--depends-on", two);
    assertEquals((await box.run("run", "--all", "--wait")).code, 1);
    const { status, failureClass, errorMessage, claim, git } = box.task(both);
    assertEquals([status, failureClass, claim, git], ["failed", "conflict", 0, null]);
    assertEquals(
      errorMessage,
      `Conflicts in a.txt, same.txt between orchestra/${one} and orchestra/${two}: what its ` +
        "dependencies made cannot be merged. Have both in the branch that you work on, with orchestra " +
        "merge, where --resolve AGENT has an agent resolve them, or with git merge; then retry this task",
    );
    assertStringIncludes(await box.ok("show", both), "same.txt");
  },
);

test("--base says what a branch begins from, whatever was made before", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { repo, box } = tree;
  const old = await repo.git("rev-parse", "HEAD");
  await repo.git("tag", "v1");
  await repo.commit({ "later.txt": "later\n" });
  const first = await tree.start("echo x >x.txt");
  const id = await tree.start("ls", "--base", "v1", "--depends-on", first);
  const none = await tree.start("true", "--base", "nowhere");
  await box.run("run", "--all", "--wait");
  assertEquals(tree.branch(id).base, old);
  assertEquals(textIn(box.path(`logs/${id}.log`)), "a.txt\n");
  const { status, failureClass, errorMessage } = box.task(none);
  assertEquals([status, failureClass], ["failed", "spawn"]);
  assertStringIncludes(errorMessage!, 'No commit is named "nowhere"');
});

test(
  "what failed stays in its folder, is committed, and says so; its retry has a branch of its own",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const id = await tree.start("echo half >half.txt; exit 7");
    await box.run("run", "--wait");
    const failed = await box.settled(id);
    const { path, tip, left } = tree.branch(failed);
    assertEquals([failed.failureClass, left], ["exit", "the task failed"]);
    assertEquals(await tree.show(tip!, "half.txt"), "half");
    assertEquals(await tree.worktrees(), [path]);
    assertStringIncludes(await box.ok("show", id), path);
    await box.ok("retry", id);
    await box.run("run", "--wait");
    const retry = await box.settled(box.task(id).retriedBy!);
    assertEquals(tree.branch(retry).branch, `orchestra/${retry.taskId}`);
    assertEquals(tree.branch(retry).base, tree.branch(failed).base);
  },
);

test("what a cancelled task and one that ran out of time have done is committed", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const script = 'echo work >work.txt; touch "$ORCHESTRA_WORKSPACE/$ORCHESTRA_TASK_ID"; sleep 600';
  const cancelled = await tree.start(script);
  const late = await tree.start(script);
  await box.ok("run", "--all");
  for (const id of [cancelled, late]) {
    await box.until("its work", () => exists(box.path(`workspace/${id}`)));
  }
  await box.ok("cancel", cancelled);
  await box.ok("timeout", "now", late);
  for (const [id, left] of [[cancelled, "was cancelled"], [late, "failed"]] as const) {
    const branch = tree.branch(await box.settled(id));
    assertEquals(branch.left, `the task ${left}`);
    assertEquals(await tree.show(branch.tip!, "work.txt"), "work");
    assert(exists(`${branch.path}/work.txt`), "the folder is gone");
  }
});

test(
  "an agent that has signalled and goes on is waited for, and all that it wrote is committed",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const script = 'echo early >early.txt; echo "{}" >"$ORCHESTRA_DONE_FILE"; ' +
      'while [ ! -e "$ORCHESTRA_WORKSPACE/go" ]; do sleep 0.02; done; echo late >late.txt';
    box.agents({ signal: { command: "sh", args: ["-c", "{userPrompt}"], promptTemplate: "-" } });
    tree.config({ grace_period: 600 });
    const id = await box.start("--worktree", "signal", script);
    const next = await box.start("--worktree", "--depends-on", id, "shell", "cat late.txt");
    await box.ok("run", "--all");
    await box.until("the sentinel", () => exists(box.path(`tasks/${id}.done`)));
    await box.ok("status");
    assertEquals([box.task(id).status, box.task(next).status], ["running", "pending"]);
    Deno.writeTextFileSync(box.path("workspace/go"), "");
    const { tip, left } = tree.branch(await box.settled(id));
    assertEquals(left, null);
    assertEquals(await tree.show(tip!, "late.txt"), "late");
    assertEquals((await box.settled(next)).status, "complete");
    assertEquals(textIn(box.path(`logs/${next}.log`)), "late\n");
  },
);

test(
  "an agent that has signalled and never ends is ended after its grace, and committed",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({ grace_period: 0.1 });
    box.agents({ signal: { command: "sh", args: ["-c", "{userPrompt}"], promptTemplate: "-" } });
    const id = await box.start(
      ...["--worktree", "signal"],
      'echo done >done.txt; echo "{}" >"$ORCHESTRA_DONE_FILE"; sleep 600',
    );
    await box.ok("run", "--wait");
    const task = await box.settled(id);
    assertEquals(task.status, "complete");
    assertEquals(await tree.show(tree.branch(task).tip!, "done.txt"), "done");
    assertEquals(await tree.worktrees(), []);
  },
);

test(
  "verify runs in the worktree on what is committed; where it fails, the folder stays",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const verify = 'test -z "$(git status --porcelain)" && git log -1 --format=%s && cat made.txt';
    const good = await tree.start("echo made >made.txt", "--verify", verify);
    const bad = await tree.start("true", "--verify", verify);
    const littering = await tree.start("echo x >made.txt", "--verify", "echo litter >litter.txt");
    await box.run("run", "--all", "--wait");
    assertEquals((await box.settled(good)).status, "complete");
    assertStringIncludes(textIn(box.path(`logs/${good}.log`))!, "echo made >made.txt\nmade\n");
    const failed = await box.settled(bad);
    assertEquals([failed.failureClass, tree.branch(failed).left], ["verify", "the task failed"]);
    const { left, path, tip } = tree.branch(await box.settled(littering));
    assertStringIncludes(left!, "1 file is not committed");
    assert(exists(`${path}/litter.txt`), "what verify left is lost");
    assert(!await tree.repo.succeeds("cat-file", "-e", `${tip}:litter.txt`), "it is committed");
  },
);

test("the task's word counts before its agent's, and that before the settings'", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  tree.config({ worktree: true });
  const line = { command: "sh", args: ["-c", "{userPrompt}"], completion: "exit" };
  box.agents({ here: { ...line, worktree: false }, there: { ...line, worktree: true } });
  const has: [boolean, ...string[]][] = [
    [true, "shell", "pwd"],
    [false, "here", "pwd"],
    [true, "--worktree", "here", "pwd"],
    [false, "--no-worktree", "there", "pwd"],
    [false, "--no-worktree", "shell", "pwd"],
  ];
  const ids: string[] = [];
  for (const [, ...args] of has) ids.push(await box.start(...args));
  await box.ok("run", "--all", "--wait");
  for (const [at, id] of ids.entries()) {
    assertEquals(box.task(id).git !== null, has[at]![0], has[at]!.join(" "));
  }
});

test(
  "what is only for a worktree is refused without one, and a base that is an option is none",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    for (const option of [["--base", "main"], ["--dirty", "carry"]]) {
      const { code, message } = await box.fails(2, "start", ...option, "shell", "true");
      assertEquals(code, "usage");
      assertStringIncludes(message, "is for a task with a worktree");
    }
    await box.fails(2, "start", "--worktree", "--base=-x", "shell", "true");
    await box.fails(2, "start", "--worktree", "--dirty", "stash", "shell", "true");
    assertEquals(box.tasks(), []);
  },
);

test(
  "without a repository a task with a worktree fails and says what to do, and others go on",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    await Deno.remove(`${repo.top}/.git`, { recursive: true });
    const id = await tree.start("true");
    const other = await box.start("shell", "true");
    const { stdout } = await box.run("run", "--all", "--wait");
    assertStringIncludes(stdout, "1 failed");
    const { failureClass, errorMessage } = box.task(id);
    assertEquals(failureClass, "spawn");
    assertStringIncludes(errorMessage!, "is in no git repository");
    assertStringIncludes(errorMessage!, "git init");
    assertEquals(box.task(other).status, "complete");
    // One that only launches says it as well.
    await tree.start("true");
    assertStringIncludes(await box.ok("run"), "Failed");
  },
);

test(
  "uncommitted changes of the user's: left out, carried over, or a reason to refuse",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    repo.write("a.txt", "changed\n");
    repo.write("new.txt", "new\n");
    const [ignore, carry, refuse] = await Promise.all(
      ["ignore", "carry", "refuse"].map((dirty) => tree.start("cat a.txt; ls", "--dirty", dirty)),
    );
    await box.run("run", "--all", "--wait");
    assert(!textIn(box.path(`logs/${ignore}.log`))!.includes("new.txt"));
    assertEquals(textIn(box.path(`logs/${carry}.log`)), "changed\na.txt\nnew.txt\n");
    // What was carried over is the user's, and no work of the agent's.
    assertEquals(tree.branch(carry!).files, 0);
    const { failureClass, errorMessage } = box.task(refuse!);
    assertEquals(failureClass, "spawn");
    assertStringIncludes(errorMessage!, "uncommitted changes: a.txt, new.txt");
    assertEquals(await repo.git("status", "--porcelain"), " M a.txt\n?? new.txt");
  },
);

test(
  "a worktree that is made counts as one that runs: no more than there are places for",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const script = 'cd "$ORCHESTRA_WORKSPACE"; echo + >>count; sleep 0.1; echo - >>count';
    for (let at = 0; at < 9; at++) await tree.start(script);
    await box.ok("run", "--all", "--wait", "--parallel", "3");
    let now = 0;
    let most = 0;
    for (const sign of textIn(box.path("workspace/count"))!.trim().split("\n")) {
      now += sign === "+" ? 1 : -1;
      most = Math.max(most, now);
    }
    assertEquals([now, box.tasks().every(({ status }) => status === "complete")], [0, true]);
    assert(most <= 3, `${most} at once`);
  },
);

test("a task file that names another folder launches nothing there", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const other = `${repo.beside}/other`;
  Deno.mkdirSync(other);
  await repo.gitIn(other, "init", "-q", "-b", "main");
  await repo.commit({ "theirs.txt": "x\n" }, "theirs", other);
  await repo.gitIn(other, "worktree", "add", "-q", "-b", "b", `${repo.beside}/theirs`);
  const own = `${repo.beside}/own`;
  await repo.git("worktree", "add", "-q", "-b", "mine", own);
  repo.write("unsaved.txt", "mine\n", own);
  for (const path of [other, repo.top, `${repo.beside}/theirs`, own, "/"]) {
    const id = await tree.start("echo ran >ran.txt");
    const base = await repo.git("rev-parse", "HEAD");
    const git = { branch: `orchestra/${id}`, base, path, folder: "", tip: null, left: null };
    const file = box.path(`tasks/${id}.json`);
    Deno.writeTextFileSync(file, JSON.stringify({ ...box.task(id), git }));
    await box.run("run", "--wait");
    const task = await box.settled(id);
    if (path === "/" || path === other || path === repo.top) {
      // No linked worktree at all: as if it had none yet, or refused.
      assert(task.git!.path !== path || task.status === "failed", path);
    } else assertEquals(task.failureClass, "spawn");
    assert(!exists(`${path}/ran.txt`), `it ran in ${path}`);
    assertEquals(await repo.gitIn(other, "status", "--porcelain"), "");
  }
  assertEquals(await repo.git("status", "--porcelain"), "");
  assertEquals(await repo.gitIn(own, "status", "--porcelain"), "?? unsaved.txt");
});

test("a worktree that somebody removed before the launch is made again", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const id = await tree.start("echo x >x.txt");
  const base = await repo.git("rev-parse", "HEAD");
  const path = `${repo.beside}/${id}`;
  const git = { branch: `orchestra/${id}`, base, path, folder: "", tip: null, left: null };
  const file = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(file, JSON.stringify({ ...box.task(id), git }));
  await box.ok("run", "--wait");
  assertEquals(await tree.show(tree.branch(await box.settled(id)).tip!, "x.txt"), "x");
});

test("an agent that removes its own worktree keeps what it has committed", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  const commit = "git add x.txt && git -c user.name=A -c user.email=a@x commit -qm mine";
  const gone = await tree.start(
    `echo x >x.txt && ${commit} && cd / && rm -r "$ORCHESTRA_WORKTREE"`,
  );
  const removed = await tree.start(
    `echo x >x.txt && ${commit} && cd / && git -C '${repo.top}' worktree remove -f -f "$ORCHESTRA_WORKTREE"`,
  );
  await box.ok("run", "--all", "--wait");
  for (const id of [gone, removed]) {
    const task = await box.settled(id);
    const { tip, files, left } = tree.branch(task);
    assertEquals([task.status, files, left], ["complete", 1, null]);
    assertEquals(await tree.show(tip!, "x.txt"), "x");
  }
  assertEquals(await tree.worktrees(), []);
});

test("what cannot be committed stays where it is, and the task ends as it would", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const id = await tree.start(
    "git init -q nested && echo precious >nested/file && echo more >more.txt",
  );
  await box.ok("run", "--wait");
  const task = await box.settled(id);
  const { left, path } = tree.branch(task);
  assertEquals(task.status, "complete");
  assertStringIncludes(left!, "nested");
  assertEquals(textIn(`${path}/nested/file`), "precious\n");
  assertEquals(textIn(`${path}/more.txt`), "more\n");
  assertMatch(await box.ok("status", "--all"), /WORKTREE.*\n.* stays /);
});

test(
  "an agent's own folder is one of its worktree, and one outside of that is refused",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    await repo.commit({ "lib/x.txt": "x\n" });
    const line = { command: "sh", args: ["-c", "{userPrompt}"], completion: "exit" };
    box.agents({
      inside: { ...line, cwd: "lib" },
      named: { ...line, cwd: "{worktree}/lib" },
      above: { ...line, cwd: ".." },
      root: { ...line, cwd: box.root },
      linked: { ...line, cwd: "out" },
    });
    Deno.symlinkSync(box.root, `${repo.top}/out`);
    await repo.commit({}, "a link that leads out");
    const ids: Record<string, string> = {};
    for (const name of ["inside", "named", "above", "root", "linked"]) {
      ids[name] = await box.start("--worktree", name, "pwd");
    }
    await box.run("run", "--all", "--wait");
    for (const name of ["inside", "named"]) {
      const id = ids[name]!;
      assertEquals(textIn(box.path(`logs/${id}.log`)), `${tree.branch(id).path}/lib\n`, name);
    }
    for (const name of ["above", "root", "linked"]) {
      const { failureClass, errorMessage } = await box.settled(ids[name]!);
      assertEquals(failureClass, "spawn", name);
      assertStringIncludes(errorMessage!, "is no folder inside its worktree");
    }
    // Nothing was done there: nothing is left.
    assertEquals(await tree.worktrees(), []);
  },
);

test("the library runs tasks with worktrees as well", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const workspace = openWorkspace(box.root);
  const first = await workspace.start({ agent: "shell", prompt: "echo 1 >one", worktree: true });
  const prompt = "cat one";
  const dependsOn = [first.taskId];
  const next = await workspace.start({ agent: "shell", prompt, worktree: true, dependsOn });
  const tasks = await workspace.run();
  assertEquals(tasks.map(({ status }) => status), ["complete", "complete"]);
  assertEquals(textIn(box.path(`logs/${next.taskId}.log`)), "1\n");
  assertEquals(await tree.worktrees(), []);
});

test(
  "an agent in a worktree queues into its own workspace, and begins no queue there",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    // The agents of the repository are in the worktree as well.
    await repo.git("add", "-f", ".orchestra-cli");
    await repo.git("commit", "-qm", "agents");
    const command = commandLine("start", "--quiet", "shell", "true")
      .map((word) => `'${word}'`).join(" ");
    const id = await tree.start(`mkdir sub && cd sub && ${command}`);
    await box.ok("run", "--wait");
    assertEquals((await box.settled(id)).status, "complete");
    const queued = textIn(box.path(`logs/${id}.log`))!.trim();
    assertEquals(box.task(queued).prompt, "true");
    assertEquals(tree.branch(id).files, 0);
    assertEquals(await tree.worktrees(), []);
  },
);

test(
  "a worktree works under the narrow permissions, and git's variables are taken away there too",
  GIT ?? NARROW,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const id = await tree.start('env | grep -c "^GIT_[DAI]"; echo x >x.txt');
    const env = { GIT_DIR: "/nowhere", GIT_AUTHOR_NAME: "Nobody", GIT_INDEX_FILE: "/nowhere" };
    const args = ["run", "--quiet", ...permissionFlags(), MAIN, "run", "--wait"];
    await using live = spawn(Deno.execPath(), args, { cwd: box.root, env });
    const { code, stderr } = await live.ended();
    assertEquals(code, 0, stderr);
    assertEquals(await tree.show(tree.branch(await box.settled(id)).tip!, "x.txt"), "x");
    assertEquals(textIn(box.path(`logs/${id}.log`)), "0\n");
  },
);

test("what an agent that was killed has done is committed, and its folder stays", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const id = await tree.start('echo x >x.txt; echo $$ >"$ORCHESTRA_WORKSPACE/pid"; sleep 600');
  await box.ok("run");
  const pid = await box.until("the agent", () => numberIn(box.path("workspace/pid")));
  kill(await shimOf(box, id), "SIGKILL");
  kill(pid, "SIGKILL");
  const task = await box.settled(id);
  const { tip, path, left } = tree.branch(task);
  assertEquals([task.failureClass, left], ["lost", "the task failed"]);
  assertEquals(await tree.show(tip!, "x.txt"), "x");
  assertEquals(await tree.worktrees(), [path]);
});

test(
  "a task that is cancelled while its worktree is made leaves no folder behind",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const id = await tree.start("true");
    const queue = openQueue(box.root);
    const rules = await loadRules(queue);
    const { promise: hasBegun, resolve } = Promise.withResolvers<void>();
    const read = (id: string) => {
      // Once it is alone with it; before, it only looks what its lock is called.
      if (lstat(box.path(`${id}.worktree.lock`)) !== undefined) resolve();
      return queue.store.read(id);
    };
    const making = makeFor({ ...queue, store: { ...queue.store, read } }, id, rules);
    await hasBegun;
    const [outcome] = cancel(queue, [id], null, rules);
    assert(outcome !== undefined && "cancelled" in outcome && outcome.cancelled);
    await making;
    assertEquals(await tree.worktrees(), [tree.branch(id).path]);
    await box.ok("status");
    const task = await box.settled(id);
    assertEquals([task.status, tree.branch(task).left, task.claim], ["cancelled", null, 0]);
    assertEquals(await tree.worktrees(), []);
  },
);

test(
  "a branch of the user's that has the name of the folder of ours is a clear error",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    await repo.git("branch", "orchestra");
    const id = await tree.start("true");
    await box.run("run", "--wait");
    const { failureClass, errorMessage } = box.task(id);
    assertEquals(failureClass, "spawn");
    const said = `No worktree: there is a branch named orchestra, so orchestra/${id} cannot be one`;
    assertStringIncludes(errorMessage!, said);
    assertStringIncludes(errorMessage!, "worktrees.branch");
    tree.config({}, { branch: "agents/{taskId}" });
    const other = await tree.start("true");
    await box.ok("run", "--wait");
    assertEquals(tree.branch(await box.settled(other)).branch, `agents/${other}`);
  },
);

test(
  "a full disk keeps a task from its worktree as long as it is full",
  GIT ?? mounting(),
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    using disk = new SmallDisk("size=256k");
    tree.config({ interval: 1 }, { folder: disk.path });
    await repo.commit({ "large.txt": "x".repeat(100_000) });
    const filler = `${disk.path}/filler`;
    Deno.writeFileSync(filler, new Uint8Array(200_000));
    const id = await tree.start("echo x >x.txt");
    tree.config({ interval: 1, supervise: false }, { folder: disk.path });
    assertMatch((await box.run("run")).stderr, /waits for its worktree: .*disk is full/);
    tree.config({ interval: 1 }, { folder: disk.path });
    await using live = box.live({}, "run", "--all", "--wait");
    await box.until("what is wrong", () => /disk is full/.test(live.stderr()));
    assertEquals(box.task(id).status, "pending");
    Deno.removeSync(filler);
    assertEquals((await live.ended()).code, 0);
    assertEquals(await tree.show(tree.branch(await box.settled(id)).tip!, "x.txt"), "x");
  },
);

test("forty tasks get their worktrees at once, each its own", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const wishes = Array.from({ length: 40 }, (_, at) => ({
    agent: "shell",
    prompt: `echo ${at} >same.txt`,
    worktree: true,
  }));
  const stdin = wishes.map((wish) => JSON.stringify(wish)).join("\n");
  const ids = (await box.runWith({ stdin }, "start", "--quiet", "--from", "-")).stdout.trim()
    .split("\n");
  await box.ok("run", "--all", "--wait", "--parallel", "40");
  for (const [at, id] of ids.entries()) {
    const { tip, left } = tree.branch(await box.settled(id));
    assertEquals(left, null);
    assertEquals(await tree.show(tip!, "same.txt"), String(at));
  }
  assertEquals(await tree.worktrees(), []);
});

test(
  "a worktree whose remover was killed is removed by the next look, and no other that is not locked",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const [begun, users] = [await tree.start("echo 1 >1.txt"), await tree.start("echo 2 >2.txt")];
    await box.ok("run", "--all", "--wait");
    for (const id of [begun, users]) {
      const task = await box.settled(id);
      const { path, branch } = tree.branch(task);
      await repo.git("worktree", "add", "-q", path, branch);
      const owed = { ...task, reapAt: task.completedAt };
      Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify(owed));
    }
    const { path, tip } = tree.branch(begun);
    const admin = await repo.gitIn(path, "rev-parse", "--absolute-git-dir");
    repo.write("orchestra-removing", `${tip}\n`, admin);
    await box.ok("run", "--all", "--wait");
    for (const id of [begun, users]) await box.settled(id);
    assertEquals(await tree.worktrees(), [tree.branch(users).path]);
    assertEquals(tree.branch(begun).left, null);
    assertMatch(tree.branch(users).left!, /is not locked for task_/);
  },
);

test(
  "who makes, launches, commits and puts away may be killed at any time: another goes on, nothing is lost",
  GIT ?? ON_POSIX,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    const ids: string[] = [];
    for (let at = 0; at < 8; at++) {
      const options = at >= 4 ? ["--depends-on", ids[at - 4]!] : [];
      ids.push(await tree.start(`echo ${at} >file-${at}.txt; sleep 0.0${at}`, ...options));
    }
    tree.config({ supervise: false });
    const isOver = () =>
      box.tasks().every(({ status, reapAt }) => status === "complete" && reapAt === null);
    for (let turn = 0; turn < 60 && !isOver(); turn++) {
      await using live = box.live({}, "run", "--all", "--wait", "--parallel", "4");
      const timer = setTimeout(() => live.kill("SIGKILL"), 150 + turn * 20);
      await live.ended().catch(() => {});
      clearTimeout(timer);
    }
    await box.ok("run", "--all", "--wait");
    for (const [at, id] of ids.entries()) {
      const task = await box.settled(id);
      assertEquals([task.status, task.claim], ["complete", task.claim], id);
      const { tip, branch } = tree.branch(task);
      assertEquals(await tree.show(tip!, `file-${at}.txt`), String(at));
      assertEquals(await repo.git("rev-parse", branch), tip);
      if (at >= 4) assertEquals(await tree.show(tip!, `file-${at - 4}.txt`), String(at - 4));
    }
    assertEquals(await tree.worktrees(), []);
    assertEquals(await repo.git("status", "--porcelain"), "");
    await repo.git("fsck", "--strict", "--no-dangling");
  },
);
