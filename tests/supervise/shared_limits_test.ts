// Limits across workspaces with real supervisors, agents and files: who waits, and who goes on when a slot
// is free.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { DENO, execute } from "../support/execute.ts";
import { filePath } from "../support/file_path.ts";
import { shimOf } from "../support/gated.ts";
import { linking, type Missing, MOVABLE, SHELL, test } from "../support/needs.ts";
import { kill, processesWith } from "../support/processes.ts";
import { type Box, makeBox, makeFolder, runLine } from "../support/program.ts";
import { IDLING } from "../support/shell.ts";

/** Some workspaces of one user. */
async function makeUser(settings: unknown, count: number) {
  const home = await makeFolder();
  const boxes = await Promise.all(Array.from({ length: count }, makeBox));
  const env = { XDG_CONFIG_HOME: home.path, XDG_STATE_HOME: `${home.path}/state` };
  Deno.mkdirSync(`${home.path}/orchestra`);
  const path = `${home.path}/orchestra/settings.json`;
  Deno.writeTextFileSync(path, JSON.stringify(settings));
  for (const box of boxes) {
    box.config({ interval: 0.5, grace_period: 0.2 });
    box.agents({
      claude: { ...SH, provider: "anthropic" },
      codex: { ...SH, provider: "openai" },
      quota: { ...SH, provider: "anthropic", rateLimit: { patterns: ["used up"], cooldown: 60 } },
    });
  }
  return {
    boxes: boxes as [Box, Box, ...Box[]],
    env,
    home: home.path,
    settings: path,
    slots: `${home.path}/state/orchestra/slots`,
    async ok(box: Box, ...args: string[]) {
      const { code, stdout, stderr } = await box.runWith({ env }, ...args);
      assertEquals(code, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    async start(box: Box, ...args: string[]) {
      return (await this.ok(box, "start", "--quiet", ...args)).trim();
    },
    async json(box: Box, ...args: string[]) {
      return JSON.parse(await this.ok(box, "--json", ...args));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(boxes.map((box) => box[Symbol.asyncDispose]()));
      await home[Symbol.asyncDispose]();
    },
  };
}

const SH = { ...runLine(), completion: "exit" };

/** Runs until a file is there. */
const until = (path: string) =>
  SHELL === null
    ? `while [ ! -e '${path}' ]; do sleep 0.02; done`
    : `deno eval 'while (!await Deno.stat(${JSON.stringify(path)}).catch(() => null)) ` +
      `await new Promise((resolve) => setTimeout(resolve, 20))'`;

/** Tells in a file that it begins, and a little later that it ends. */
function recorded(path: string): string {
  const record = path.replaceAll("\\", "/");
  return `echo + >>'${record}'; sleep 0.1; echo - >>'${record}'`;
}

function isRunning(box: Box, id: string): boolean {
  return box.task(id).status === "running";
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

Deno.test(
  "a task waits for a slot that another workspace has, and is launched when it is free",
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
    const [one, other] = user.boxes;
    const gate = `${user.home}/gate`;
    const first = await user.start(one, "claude", until(gate));
    await user.ok(one, "run");
    const second = await user.start(other, "claude", "true");
    const free = await user.start(other, "codex", "true");
    const run = await user.json(other, "run", "--all");
    assertEquals(run.launched.map(({ taskId }: { taskId: string }) => taskId), [free]);
    assertEquals(run.waitsFor, "the limit of anthropic, 1 at once, holds");
    await other.settled(free);
    const { tasks } = await user.json(other, "status");
    const waiting = tasks.find(({ taskId }: { taskId: string }) => taskId === second);
    assertEquals([waiting.phase, waiting.waitsFor], [
      "waiting",
      "the limit of anthropic, 1 at once, holds",
    ]);
    assertEquals(other.task(second).claim, 0);
    assertStringIncludes(await user.ok(other, "show", second), "the limit of anthropic, 1 at once");
    const plain = await user.ok(other, "run");
    assertEquals(plain, "Nothing started: the limit of anthropic, 1 at once, holds\n");
    Deno.writeTextFileSync(gate, "");
    assertEquals((await other.settled(second)).status, "complete");
    assertEquals((await one.settled(first)).status, "complete");
    // Given back right after the task is settled.
    await one.until("the slots", () => !names(user.slots).some((name) => name.includes("task_")));
  },
);

Deno.test("the machine's limit holds for five workspaces together", async () => {
  await using user = await makeUser({ machine: { concurrent: 2 } }, 5);
  const record = `${user.home}/record`;
  const work = recorded(record);
  for (const box of user.boxes) {
    for (const agent of ["claude", "shell"]) await user.start(box, agent, work);
  }
  await Promise.all(user.boxes.map((box) => user.ok(box, "run", "--all", "--wait")));
  const lines = Deno.readTextFileSync(record).trim().split("\n");
  assertEquals(lines.length, 20);
  let running = 0;
  for (const line of lines) {
    running += line === "+" ? 1 : -1;
    assert(running <= 2, lines.join(""));
  }
});

Deno.test(
  "the machine's limit holds for a program that opens several workspaces",
  async () => {
    await using user = await makeUser({ machine: { concurrent: 1 } }, 3);
    const record = `${user.home}/record`;
    for (const box of user.boxes) {
      for (let at = 0; at < 2; at++) {
        await user.start(box, "claude", recorded(record));
      }
    }
    const program = `${user.home}/program.ts`;
    const library = new URL("../../mod.ts", import.meta.url).href;
    Deno.writeTextFileSync(
      program,
      `import { openWorkspace } from ${JSON.stringify(library)};
     await Promise.all(Deno.args.map((root) => openWorkspace(root).run()));`,
    );
    const config = filePath(new URL("../../deno.json", import.meta.url));
    const roots = user.boxes.map(({ root }) => root);
    const args = ["run", "-A", "--quiet", "--config", config, program, ...roots];
    const { code, stderr } = await execute(DENO, args, { cwd: user.home, env: user.env });
    assertEquals(code, 0, stderr);
    // Never two at once.
    assertEquals(Deno.readTextFileSync(record), "+\n-\n".repeat(6));
  },
);

Deno.test(
  "a slot of a workspace whose supervisor and agent were killed is free again",
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
    const [one, other] = user.boxes;
    const first = await user.start(one, "claude", IDLING);
    await user.ok(one, "run");
    const shim = await shimOf(one, first);
    const agents = () =>
      processesWith("environ", [`ORCHESTRA_TASK_ID=${first}`]).filter((pid) => pid !== shim);
    await one.until("its launch", () => isRunning(one, first) && agents().length > 0);
    const second = await user.start(other, "claude", "true");
    await user.ok(other, "run", "--all");
    await one.until("the supervisor", () => one.supervisors().length > 0);
    for (const watcher of one.supervisors()) kill(watcher, "SIGKILL");
    assertEquals(other.task(second).status, "pending");
    // The shim and what it started: nobody is left to tell how it ended.
    for (const pid of [shim, ...agents()]) kill(pid, "SIGKILL");
    assertEquals((await other.settled(second)).status, "complete");
    assertEquals(one.task(first).failureClass, "lost");
  },
);

Deno.test("a launch window holds across workspaces, and says when it opens", async () => {
  await using user = await makeUser({ limits: { anthropic: { launches: "1/1h" } } }, 2);
  const [one, other] = user.boxes;
  await user.start(one, "claude", "true");
  await user.ok(one, "run", "--all", "--wait");
  const second = await user.start(other, "claude", "true");
  const { launched, waitsFor } = await user.json(other, "run", "--all");
  assertEquals(launched, []);
  assertMatch(waitsFor, /^the limit of anthropic, 1\/1h launches, holds until /);
  const [task] = (await user.json(other, "status")).tasks;
  assertMatch(task.waitsFor, /1\/1h launches, holds until \d{4}-\d\d-\d\dT.*Z$/);
  // A supervisor stays for it.
  await other.until("the supervisor", () => other.supervisors().length > 0);
  Deno.removeSync(`${user.slots}/launches.json`);
  assertEquals((await other.settled(second)).status, "complete");
});

Deno.test("a quota that is used up pauses the agent in all workspaces", async () => {
  await using user = await makeUser({}, 2);
  const [one, other] = user.boxes;
  const first = await user.start(one, "quota", "echo used up; exit 1");
  await user.ok(one, "run");
  const { laneUntil } = await one.settled(first);
  assert(laneUntil !== null);
  const second = await user.start(other, "quota", "true");
  const third = await user.start(other, "claude", "true");
  await user.ok(other, "run", "--all");
  assertEquals((await other.settled(third)).status, "complete");
  const { lanes, tasks } = await user.json(other, "status");
  assertEquals(lanes, [{ agent: "quota", until: laneUntil }]);
  const waiting = tasks.find(({ taskId }: { taskId: string }) => taskId === second);
  assertEquals(waiting.waitsFor, `agent quota is paused until ${laneUntil}`);
  const agents: { name: string; pausedUntil: string | null }[] = await user.json(other, "agents");
  assertEquals(
    agents.filter(({ pausedUntil }) => pausedUntil).map(({ name, pausedUntil }) => [
      name,
      pausedUntil,
    ]),
    [["quota", laneUntil]],
  );
  assertMatch(await user.ok(other, "agents"), /^quota is paused until /m);
});

Deno.test(
  "where slots cannot be kept nothing is launched that is limited, and why is said",
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
    const [box] = user.boxes;
    // A file stands where the folder belongs.
    Deno.writeTextFileSync(`${user.home}/state`, "");
    const id = await user.start(box, "claude", "true");
    const free = await user.start(box, "codex", "true");
    const { launched, waitsFor } = await user.json(box, "run", "--all");
    assertEquals(launched.map(({ taskId }: { taskId: string }) => taskId), [free]);
    assertMatch(waitsFor, /^limits across workspaces cannot be held: .*state\/orchestra\/slots/);
    assertEquals(box.task(id).status, "pending");
    const doctor = await box.runWith({ env: user.env }, "--json", "doctor");
    const { findings } = JSON.parse(doctor.stdout);
    assert(findings.some(({ code }: { code: string }) => code === "no-slots"), doctor.stdout);
    // It goes on by itself once it can.
    Deno.removeSync(`${user.home}/state`);
    assertEquals((await box.settled(id)).status, "complete");
  },
);

Deno.test("without limits in the settings no file of theirs is touched", async () => {
  await using user = await makeUser({ priority: 4 }, 2);
  const [box] = user.boxes;
  const id = await user.start(box, "claude", "true");
  await user.ok(box, "run", "--all", "--wait");
  assertEquals(box.task(id).status, "complete");
  assertEquals(names(user.slots), []);
});

Deno.test("agents check --run keeps to the limits", async () => {
  await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
  const [one, other] = user.boxes;
  const gate = `${user.home}/gate`;
  const first = await user.start(one, "claude", until(gate));
  await user.ok(one, "run");
  const { code, stderr } = await other.runWith(
    { env: user.env },
    "agents",
    "check",
    "claude",
    "--run",
  );
  assertEquals(code, 4, stderr);
  assertStringIncludes(stderr, "Asking claude: the limit of anthropic, 1 at once, holds");
  Deno.writeTextFileSync(gate, "");
  await one.settled(first);
});

/** What may stand in the place of the user's settings, and what is said of it. */
const UNREADABLE: readonly [string, (path: string) => void, string, Missing?][] = [
  ["half of it is saved", (path) => Deno.writeTextFileSync(path, '{"limits": {'), "not valid JSON"],
  ["it is empty", (path) => Deno.writeTextFileSync(path, ""), "it is not valid JSON"],
  ["it is a folder", (path) => Deno.mkdirSync(path), "it is not a regular file"],
  [
    "it is a link",
    (path) => Deno.symlinkSync("/dev/null", path),
    "it is not a regular file",
    linking(),
  ],
  [
    "it has a slip",
    (path) => Deno.writeTextFileSync(path, '{"limits": {"anthropic": {"concurent": 1}}}'),
    '"limits.anthropic" may have only "concurrent" and "launches" in it, and no "concurent"',
  ],
];

Deno.test(
  "where the limits cannot be read nothing is launched, and run, status and doctor say why",
  async () => {
    await using user = await makeUser({}, 1);
    const [box] = user.boxes;
    const id = await user.start(box, "claude", "true");
    for (const [what, place, said, missing = null] of UNREADABLE) {
      if (missing !== null) continue;
      Deno.removeSync(user.settings, { recursive: true });
      place(user.settings);
      const { launched, waitsFor } = JSON.parse(
        (await box.runWith({ env: user.env }, "--json", "run", "--all")).stdout,
      );
      assertEquals(launched, [], what);
      assertStringIncludes(waitsFor, `the limits in ${user.settings} cannot be read: `);
      assertStringIncludes(waitsFor, said, what);
      const status = JSON.parse(
        (await box.runWith({ env: user.env }, "--json", "status")).stdout,
      );
      assertEquals(status.tasks[0].waitsFor, waitsFor, what);
      const doctor = await box.runWith({ env: user.env }, "--json", "doctor");
      const { findings } = JSON.parse(doctor.stdout);
      const codes = findings.map(({ code, level }: { code: string; level: string }) =>
        `${level} ${code}`
      );
      assert(codes.includes("error unread-limits"), doctor.stdout);
      assertEquals(doctor.code, 1, what);
    }
    assertEquals(box.task(id).claim, 0);
    // The supervisor that waits goes on once they can be read.
    Deno.writeTextFileSync(user.settings, "{}");
    assertEquals((await box.settled(id)).status, "complete");
  },
);

/** Puts another file in the place of one, as a whole: of what is written in place any part may be seen. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.new`, text);
  Deno.renameSync(`${path}.new`, path);
}

Deno.test(
  "who watches keeps the last good limits while the settings are half saved, and tells it once",
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 1);
    const [box] = user.boxes;
    await user.ok(box, "daemon", "start", "--interval", "0.2");
    try {
      const gate = `${user.home}/gate`;
      const ids = [await user.start(box, "claude", until(gate))];
      await box.until("the first", () => isRunning(box, ids[0]!));
      ids.push(await user.start(box, "claude", until(gate)));
      const log = () => Deno.readTextFileSync(box.path("daemon.log"));
      for (const [at, half] of ['{"limits": {', "[]", '{"machine": 1}'].entries()) {
        replace(user.settings, half);
        await box.until(
          "its being told",
          () => log().split("the last good settings hold").length > at + 1,
        );
        // Whoever has no limit goes on; so a turn was taken since.
        assertEquals(
          (await box.settled(await user.start(box, "codex", "true"))).status,
          "complete",
        );
        assertEquals(ids.map((id) => isRunning(box, id)), [true, false], half);
        // The same again is another file, and no news.
        replace(user.settings, half);
        await box.settled(await user.start(box, "codex", "true"));
      }
      assertEquals(log().split("the last good settings hold").length, 4, log());
      replace(user.settings, '{"limits": {"anthropic": {"concurrent": 2}}}');
      await box.until("the second", () => isRunning(box, ids[1]!));
      Deno.writeTextFileSync(gate, "");
      for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
    } finally {
      await user.ok(box, "daemon", "stop");
    }
  },
);

Deno.test(
  "a supervisor that begins while the workspace's settings are broken keeps to the limits",
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
    const [one, other] = user.boxes;
    const gate = `${user.home}/gate`;
    const first = await user.start(one, "claude", until(gate));
    await user.ok(one, "run");
    const held = await user.start(other, "claude", "true");
    const free = await user.start(other, "codex", "true");
    replace(other.path("config.json"), "{");
    await using _supervisor = other.live({ env: user.env }, "_supervise", "--launch=all");
    assertEquals((await other.settled(free)).status, "complete");
    assertEquals(other.task(held).claim, 0);
    Deno.writeTextFileSync(gate, "");
    assertEquals((await one.settled(first)).status, "complete");
    assertEquals((await other.settled(held)).status, "complete");
  },
);

test(
  "a workspace that is moved away keeps its slot as long as its agent lives",
  MOVABLE,
  async () => {
    await using user = await makeUser({ limits: { anthropic: { concurrent: 1 } } }, 2);
    const [one, other] = user.boxes;
    const gate = `${user.home}/gate`;
    const first = await user.start(one, "claude", until(gate));
    await user.ok(one, "run");
    await one.until("its launch", () => isRunning(one, first));
    const second = await user.start(other, "claude", "true");
    Deno.renameSync(one.root, `${one.root}-moved`);
    try {
      const run = await user.json(other, "run", "--all");
      assertEquals(run.launched, []);
      assertEquals(run.waitsFor, "the limit of anthropic, 1 at once, holds");
      // Another workspace in its place has nothing to do with it.
      Deno.mkdirSync(`${one.root}/.orchestra/tasks`, { recursive: true });
      assertEquals((await user.json(other, "run", "--all")).launched, []);
      Deno.removeSync(one.root, { recursive: true });
      Deno.writeTextFileSync(gate, "");
      assertEquals((await other.settled(second)).status, "complete");
    } finally {
      Deno.renameSync(`${one.root}-moved`, one.root);
    }
  },
);
