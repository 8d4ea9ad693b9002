// The user's own settings and agents, below those of a workspace.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { MAIN, spawn } from "../support/spawn.ts";
import { type Box, makeBox, makeFolder } from "../support/program.ts";

/** A place for the user's files, and a workspace whose commands see it. */
async function makeUser() {
  const home = await makeFolder();
  const box = await makeBox();
  const env = { XDG_CONFIG_HOME: home.path, XDG_STATE_HOME: `${home.path}/state` };
  const folder = `${home.path}/orchestra`;
  Deno.mkdirSync(folder);
  return {
    box,
    env,
    folder,
    settings: (value: unknown) => Deno.writeTextFileSync(`${folder}/settings.json`, textOf(value)),
    agents: (value: unknown) => Deno.writeTextFileSync(`${folder}/agents.json`, textOf(value)),
    run: (...args: string[]) => box.runWith({ env }, ...args),
    async json(...args: string[]) {
      const { code, stdout, stderr } = await box.runWith({ env }, "--json", ...args);
      assertEquals([code, stderr], [0, ""], args.join(" "));
      return JSON.parse(stdout);
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const textOf = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
const SH = { command: "sh", args: ["-c", "{userPrompt}"], completion: "exit" };

Deno.test("the user's settings hold below a workspace's own, key by key, and config show says whose each is", async () => {
  await using user = await makeUser();
  user.settings({ max_concurrent: 7, timeout: 60, retry: { base: 3, cap: 90 }, safe: [] });
  user.box.config({ timeout: 30, retry: { cap: 50 } });
  const shown = await user.json("config", "show");
  assertEquals(
    [shown.max_concurrent, shown.timeout, shown.retry.base, shown.retry.cap, shown.retry.factor],
    [7, 30, 3, 50, 2],
  );
  assertEquals(shown.origins, {
    max_concurrent: "user",
    timeout: "workspace",
    "retry.base": "user",
    "retry.cap": "workspace",
  });
  const { stdout, stderr } = await user.run("config");
  assertMatch(stdout, /^max_concurrent +7 \* +user /m);
  assertMatch(stdout, /^timeout +30 \* +workspace /m);
  assertMatch(stdout, /^interval +5 +default /m);
  assertStringIncludes(stderr, `user: ${user.folder}/settings.json`);
  const task = await user.json("start", "shell", "true");
  assertEquals(task.timeout, 30);
});

Deno.test("an agent of the user's can be given work, a workspace's own comes first, and agents says whose each is", async () => {
  await using user = await makeUser();
  user.agents({ agents: { mine: SH, shell: { command: "false" }, broken: { command: 5 } } });
  const rows: { name: string; origin: string; command: string | null }[] = await user.json(
    "agents",
  );
  const row = (name: string) => rows.find((item) => item.name === name);
  assertEquals([row("mine")?.origin, row("mine")?.command], ["user", "sh"]);
  assertEquals([row("shell")?.origin, row("shell")?.command], ["workspace", "sh"]);
  assertEquals([row("broken")?.origin, row("broken")?.command], ["user", null]);
  assertMatch((await user.run("agents")).stdout, /^mine +✓ installed +sh +user/m);
  assertEquals((await user.run("start", "--quiet", "mine", "true")).code, 0);
  assertEquals((await user.run("start", "--quiet", "shell", "true")).code, 0);
  assertEquals((await user.run("run", "--all", "--wait")).code, 0);
  assertEquals(user.box.tasks().map(({ status }) => status), ["complete", "complete"]);
  const near = await user.run("start", "mien", "true");
  assertEquals(near.code, 3);
  assertStringIncludes(near.stderr, '"mine"');
});

Deno.test("files of the user's that are malformed are told, and cost a workspace nothing of its own", async () => {
  await using user = await makeUser();
  user.box.config({ max_retries: 9 });
  const wrong: [unknown, RegExp][] = [
    ["{", /Your settings file: it is not valid JSON; nothing in it counts/],
    ["[]", /Your settings file: it is no JSON object; nothing in it counts/],
    [
      { max_concurent: 2 },
      /Your settings file: there is no setting "max_concurent".*max_concurrent/,
    ],
    [{ timeout: "soon", priority: 2 }, /Your settings file: "timeout": must be a.*does not count/],
    [
      { limits: { anthropic: { concurent: 3 } } },
      /"limits\.anthropic" may have only .*, and no "concurent"; until it is mended, no agent/,
    ],
    [
      { limits: { anthropic: { launches: "20" } } },
      /"limits\.anthropic" must have "launches" like "20\/1h"; until it is mended/,
    ],
    [{ machine: 6 }, /"machine" must be like .*; until it is mended/],
  ];
  for (const [value, told] of wrong) {
    user.settings(value);
    const { code, stdout, stderr } = await user.run("config");
    assertEquals(code, 0, stderr);
    assertMatch(stderr, told);
    assertMatch(stdout, /^max_retries +9 /m);
    if (typeof value === "object" && "priority" in value!) assertMatch(stdout, /^priority +2 /m);
  }
  user.settings({});
  for (const text of ["{", "[]", '{"agents": []}']) {
    user.agents(text);
    const { code, stdout, stderr } = await user.run("agents");
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /^Your agents file .*: its agents do not count/m);
    assertMatch(stdout, /^shell +✓ installed/m);
    assertEquals((await user.run("start", "shell", "true")).code, 0);
  }
});

test(
  "the user's files may be kept elsewhere, with a link; those of somebody else do not count",
  ON_POSIX,
  async () => {
    await using user = await makeUser();
    const elsewhere = `${user.folder}/elsewhere.json`;
    Deno.writeTextFileSync(elsewhere, JSON.stringify({ priority: 2, agents: { mine: SH } }));
    for (const name of ["settings", "agents"]) {
      Deno.symlinkSync(elsewhere, `${user.folder}/${name}.json`);
    }
    assertMatch((await user.run("config")).stdout, /^priority +2 /m);
    assertStringIncludes((await user.run("agents")).stdout, "mine");
    if (Deno.uid() !== 0) return;
    Deno.chownSync(elsewhere, 65534, 65534);
    assertMatch((await user.run("config")).stdout, /^priority +5 /m);
    Deno.chownSync(elsewhere, 0, 0);
    for (const name of ["settings", "agents"]) {
      Deno.removeSync(`${user.folder}/${name}.json`);
      Deno.copyFileSync(elsewhere, `${user.folder}/${name}.json`);
      Deno.chownSync(`${user.folder}/${name}.json`, 65534, 65534);
    }
    const foreign = await user.run("config");
    assertMatch(foreign.stdout, /^priority +5 /m);
    assertStringIncludes(foreign.stderr, "Your settings file: it belongs to another user");
    const agents = await user.run("agents");
    assertEquals(agents.stdout.includes("mine"), false);
    assertStringIncludes(agents.stderr, "Your agents file belongs to another user");
  },
);

Deno.test("limits that hold everywhere are refused in a workspace's settings, and shown from the user's", async () => {
  await using user = await makeUser();
  user.box.config({ machine: { concurrent: 2 }, limits: {} });
  user.settings({ machine: { concurrent: 4 }, limits: { openai: { launches: "20/1h" } } });
  const { stdout, stderr } = await user.run("config");
  assertStringIncludes(stderr, '.orchestra/config.json: "machine" holds for all workspaces');
  assertStringIncludes(stderr, '.orchestra/config.json: "limits" holds for all workspaces');
  assertMatch(stdout, /^limits +\{"openai":\{"launches":"20\/1h"\}\} \* +user /m);
  const shown = await user.json("config");
  assertEquals([shown.machine, shown.origins.machine], [{ concurrent: 4 }, "user"]);
  const refused = await user.run("config", "set", "machine", "3");
  assertEquals(refused.code, 2);
  assertMatch(refused.stderr, /"machine" holds for all workspaces/);
  const inside = await user.run("config", "set", "machine.concurrent", "3");
  assertEquals(inside.code, 2);
  assertMatch(inside.stderr, /"machine\.concurrent" holds for all workspaces/);
  assertStringIncludes(inside.stderr, `${user.folder}/settings.json`);
  assertStringIncludes(refused.stderr, `${user.folder}/settings.json`);
});

test(
  "under the narrow permissions the user's files are as if there were none",
  ON_POSIX,
  async () => {
    await using user = await makeUser();
    user.settings({ priority: 2, machine: { concurrent: 1 }, wrong: 1 });
    user.agents("{");
    const narrow = async (...args: string[]) => {
      const flags = ["run", "--quiet", ...permissionFlags(), MAIN];
      const options = { cwd: user.box.root, env: user.env };
      await using live = spawn(Deno.execPath(), [...flags, ...args], options);
      await live.type("");
      const { code, stdout, stderr } = await live.ended();
      assertEquals(code, 0, stderr);
      return { stdout, stderr };
    };
    const { stdout, stderr } = await narrow("config");
    assertMatch(stdout, /^priority +5 +default/m);
    assertEquals(stderr.includes("Your"), false, stderr);
    assertEquals((await narrow("agents")).stderr, "");
    await narrow("start", "--quiet", "shell", "true");
    await narrow("run", "--wait");
    assertEquals(user.box.tasks().map(({ status }) => status), ["complete"]);
  },
);

test("who watches sees changes of the user's files", ON_POSIX, async () => {
  await using user = await makeUser();
  user.agents({ agents: {} });
  user.box.config({ interval: 0.2 });
  await using daemon = user.box.live({ env: user.env }, "daemon", "run");
  await user.box.until("the daemon", () => user.box.path("daemon.json") && isThere(user.box));
  user.agents({ agents: { late: SH } });
  assertEquals((await user.run("start", "--quiet", "late", "true")).code, 0);
  const done = await user.box.until("its end", () => {
    const [task] = user.box.tasks();
    return task !== undefined && task.status !== "pending" && task.status !== "running" && task;
  });
  assertEquals(done.status, "complete");
  daemon.kill("SIGTERM");
  await daemon.ended();
});

function isThere(box: Box): boolean {
  try {
    return Deno.statSync(box.path("daemon.json")).isFile;
  } catch {
    return false;
  }
}
