// What makes a fresh worktree ready: before the agent, once, under the same claim.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { forge, gated, gone, numberIn, openGate, textIn } from "../support/gated.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { kill, lives, makeBox, makeFolder } from "../support/program.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;
/** Sets up, and says so where the agent and the test see it. */
const MARK = 'echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/setups"; echo preparing; ' +
  "echo ready >ready; pwd >where";

function setupsOf(path: string): string[] {
  return (textIn(path) ?? "").trim().split("\n").filter((line) => line !== "");
}

test(
  "a fresh worktree is set up before its agent is launched, with a log of its own",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({}, { setup: MARK });
    const id = await tree.start("cat ready >seen");
    await box.ok("run", "--all", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.claim, task.setupClaim, task.setupAt], [
      "complete",
      1,
      1,
      null,
    ]);
    const { tip, path } = tree.branch(task);
    assertEquals(await tree.show(tip!, "seen"), "ready");
    assertEquals(await tree.show(tip!, "where"), path);
    assertEquals(setupsOf(box.path("workspace/setups")), [id]);
    assertEquals(textIn(box.path(`logs/${id}.setup.log`)), "preparing\n");
    assert(!textIn(box.path(`logs/${id}.log`))!.includes("preparing"));
    // Nothing of it is left beside the task but its log, which goes with it.
    const beside = [...Deno.readDirSync(box.path("tasks"))].map(({ name }) => name);
    assertEquals(beside.filter((name) => name.includes("setup")), []);
    await box.ok("clean", id);
    assertEquals(textIn(box.path(`logs/${id}.setup.log`)), undefined);
  },
);

test("a command as a list, and that of an agent before that of the settings", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  tree.config({}, { setup: "echo settings >which" });
  const shell = { command: "sh", args: ["-c", "{userPrompt}"], completion: "exit" };
  box.agents({ own: { ...shell, setup: ["sh", "-c", 'echo "$0" >which', "agent"] } });
  const ids = await Promise.all(
    ["own", "shell"].map((agent) => box.start("--worktree", agent, "true")),
  );
  await box.ok("run", "--all", "--wait");
  const which = ids.map(async (id) => {
    const { tip } = tree.branch(await box.settled(id));
    return await tree.show(tip!, "which");
  });
  assertEquals(await Promise.all(which), ["agent", "settings"]);
});

test("a task without a worktree is not set up", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  tree.config({}, { setup: MARK });
  const id = await box.start("shell", "true");
  await box.ok("run", "--all", "--wait");
  assertEquals([box.task(id).status, box.task(id).setupClaim], ["complete", 0]);
  assertEquals(setupsOf(box.path("workspace/setups")), []);
});

test(
  "where it fails the agent is not launched, and the task says with which code, and where the log is",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({}, { setup: "echo no network; exit 7" });
    const id = await tree.start('touch "$ORCHESTRA_WORKSPACE/launched"');
    assertEquals((await box.run("run", "--all", "--wait")).code, 1);
    const task = await box.settled(id);
    assertEquals([task.status, task.failureClass], ["failed", "spawn"]);
    assertStringIncludes(
      task.errorMessage!,
      `set-up command of its worktree exited with code 7, see .orchestra/logs/${id}.setup.log`,
    );
    assertEquals(textIn(box.path(`logs/${id}.setup.log`)), "no network\n");
    assertMatch(await box.ok("show", id), /Set-up log {2}.*\n {2}no network\n/);
    const { stderr } = await box.run("logs", id);
    assertStringIncludes(stderr, `.orchestra/logs/${id}.setup.log`);
    assertEquals(textIn(box.path("workspace/launched")), undefined);
  },
);

test("a command that is not there fails its task", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  tree.config({}, { setup: ["no-such-program-anywhere"] });
  const id = await tree.start("true");
  await box.run("run", "--all", "--wait");
  const { status, errorMessage } = await box.settled(id);
  assertEquals(status, "failed");
  assertStringIncludes(errorMessage!, "exited with code 127");
});

test("it is ended when it has had its time, with all that it started", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const slow = 'echo $$ >"$ORCHESTRA_WORKSPACE/pid"; sleep 1000 & wait';
  tree.config({ grace_period: 0.2 }, { setup: slow, setup_timeout: 0.5 });
  const id = await tree.start("true");
  await box.run("run", "--all", "--wait");
  const { status, failureClass, errorMessage, startedAt, completedAt } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "spawn"]);
  assertStringIncludes(errorMessage!, "took longer than 500ms");
  const took = Date.parse(completedAt!) - Date.parse(startedAt!);
  assert(took >= 500, `it took ${took} ms`);
  await gone(box, numberIn(box.path("workspace/pid"))!);
});

test(
  "cancelled while it sets up, nothing of the task lives, and its agent is never launched",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({ grace_period: 0.2 }, {
      setup: 'echo $$ >"$ORCHESTRA_WORKSPACE/pid"; exec env -i sleep 1000',
    });
    const id = await tree.start('touch "$ORCHESTRA_WORKSPACE/launched"');
    await box.ok("run", "--all");
    const pid = await box.until("the set-up", () => numberIn(box.path("workspace/pid")));
    assertMatch(await box.ok("status"), /its worktree is being set up/);
    await box.ok("cancel", id);
    assertEquals((await box.settled(id)).status, "cancelled");
    await gone(box, pid);
    assertEquals(textIn(box.path("workspace/launched")), undefined);
  },
);

Deno.test("a set-up whose shim comes only after its task was cancelled finds its fence", async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const id = await box.start("shell", "true");
  // As a kill leaves it between the order and the shim.
  const now = new Date().toISOString();
  forge(box, id, { status: "running", claim: 1, startedAt: now, setupClaim: 1, setupAt: now });
  await box.ok("cancel", id);
  await box.run("status");
  assertEquals(box.task(id).status, "cancelled");
  for (const mark of ["1.pid", "setup.1.pid"]) {
    assertEquals(textIn(box.path(`tasks/${id}.${mark}`)), "fenced\n", mark);
  }
});

test(
  "whoever watches is killed while it sets up: who watches next launches the agent, once",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    const wait = `echo $$ >"$ORCHESTRA_WORKSPACE/pid"; ${gated()}`;
    tree.config({}, { setup: wait });
    const id = await tree.start('echo x >>"$ORCHESTRA_WORKSPACE/launched"');
    await box.ok("run");
    await box.until("the set-up", () => numberIn(box.path("workspace/pid")));
    const watcher = JSON.parse(textIn(box.path("daemon.json"))!).pid;
    kill(watcher, "SIGKILL");
    await box.until("the end of the supervisor", () => !lives(watcher));
    openGate(box);
    await box.run("run", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.claim, task.setupClaim], ["complete", 1, 1]);
    assertEquals(textIn(box.path("workspace/launched")), "x\n");
  },
);

test(
  "one whose launch never came is ordered again, and one that ended well is not repeated",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({ supervise: false, interval: 3600 }, { setup: MARK });
    const id = await tree.start("true");
    await box.ok("run");
    await box.until("the set-up", () => textIn(box.path(`tasks/${id}.setupcode`))?.trim() === "0");
    // As a kill leaves it between the order and the shim: only ordered, a minute ago.
    const setupAt = new Date(Date.now() - 60_000).toISOString();
    Deno.removeSync(box.path(`tasks/${id}.setupcode`));
    forge(box, id, { setupClaim: 2, setupAt });
    await box.run("run", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.setupClaim], ["complete", 3]);
    assertEquals(setupsOf(box.path("workspace/setups")), [id, id]);
  },
);

test(
  "a kill between the set-up and the launch leaves a claim that is taken back, and nothing is set up twice",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({ supervise: false, interval: 3600 }, { setup: MARK });
    const id = await tree.start("true");
    await box.ok("run");
    await box.until("the set-up", () => textIn(box.path(`tasks/${id}.setupcode`))?.trim() === "0");
    forge(box, id, { setupAt: null, startedAt: new Date(Date.now() - 60_000).toISOString() });
    await box.run("run", "--all", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.claim, task.setupClaim], ["complete", 2, 1]);
    assertEquals(setupsOf(box.path("workspace/setups")), [id]);
  },
);

test(
  "six who look and two who watch set each worktree up once, and launch each agent once",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box } = tree;
    tree.config({}, { setup: MARK });
    const ids: string[] = [];
    for (let at = 0; at < 6; at++) {
      ids.push(await tree.start('echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/launched"'));
    }
    let over = false;
    const looks = Array.from({ length: 6 }, async (_, at) => {
      while (!over) await box.run(...(at % 2 === 0 ? ["status"] : ["run", "--parallel", "3"]));
    });
    await Promise.all([1, 2].map(() => box.run("run", "--all", "--wait", "--parallel", "3")));
    over = true;
    await Promise.all(looks);
    for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
    assertEquals(setupsOf(box.path("workspace/setups")).sort(), [...ids].sort());
    assertEquals(setupsOf(box.path("workspace/launched")).sort(), [...ids].sort());
  },
);

test("one that came with the repository counts once that very text is approved", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  const path = `${box.root}/.orchestra-cli/config.json`;
  Deno.writeTextFileSync(path, JSON.stringify({ worktrees: { setup: MARK } }));
  await using home = await makeFolder();
  const env = { XDG_CONFIG_HOME: home.path, XDG_STATE_HOME: `${home.path}/state` };
  const orchestra = (...words: string[]) => box.runWith({ env }, ...words);
  /** Whether each run has said so. */
  const said: boolean[] = [];
  const run = async () => {
    const id = await tree.start("true");
    const ran = await orchestra("run", "--all", "--wait");
    assertEquals(ran.code, 0, ran.stderr);
    said.push(ran.stderr.includes("is not approved, and does not count"));
    return [(await box.settled(id)).status, box.task(id).setupClaim];
  };
  assertEquals(await run(), ["complete", 0]);
  const other = await tree.start("true");
  const ran = await orchestra("run");
  assertStringIncludes(ran.stderr, "not approved, and does not count: orchestra trust --commands");
  await box.settled(other);
  assertStringIncludes((await orchestra("doctor")).stdout, "set-up command for worktrees");
  assertStringIncludes((await orchestra("config")).stderr, "is not approved, and does not count");
  const trusted = await orchestra("trust", "--commands", "--yes");
  assertEquals(trusted.code, 0, trusted.stderr);
  assertStringIncludes(trusted.stderr, "in fresh worktrees");
  assertEquals(await run(), ["complete", 1]);
  Deno.writeTextFileSync(path, JSON.stringify({ worktrees: { setup: `${MARK}; true` } }));
  assertEquals(await run(), ["complete", 0]);
  assertEquals([said[0], said[1]], [true, false]);
});

test("a setting that is no command is refused, and says what one is", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box } = tree;
  for (const setup of ["[]", '""', "5"]) {
    const { code, stderr } = await box.run("config", "set", "worktrees.setup", setup);
    assert(code !== 0, setup);
    assertStringIncludes(stderr, "must be a command");
  }
  await box.ok("config", "set", "worktrees.setup", '["npm", "ci"]');
  await box.ok("config", "set", "worktrees.setup", "npm ci");
});
