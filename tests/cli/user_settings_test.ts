// The user's own settings and agents, below those of a workspace.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { GIVING, linking, NARROW, succeeds, test } from "../support/needs.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { MAIN, spawn } from "../support/spawn.ts";
import { type Box, makeBox, makeFolder, runLine } from "../support/program.ts";
import { lineCommand } from "../support/shell.ts";

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
const SH = { ...runLine(), completion: "exit" };
/** Makes a link to a file, which need not be there. */
const linkTo = (target: string, path: string) => Deno.symlinkSync(target, path, { type: "file" });

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
  assertEquals([row("mine")?.origin, row("mine")?.command], ["user", SH.command]);
  assertEquals([row("shell")?.origin, row("shell")?.command], ["workspace", SH.command]);
  assertEquals([row("broken")?.origin, row("broken")?.command], ["user", null]);
  const [line] = /^mine .*/m.exec((await user.run("agents")).stdout)!;
  assertEquals(line.split(/ +/), ["mine", "✓", "installed", SH.command, "user"]);
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
  linking(),
  async () => {
    await using user = await makeUser();
    const elsewhere = `${user.folder}/elsewhere.json`;
    Deno.writeTextFileSync(elsewhere, JSON.stringify({ priority: 2, agents: { mine: SH } }));
    for (const name of ["settings", "agents"]) {
      linkTo(elsewhere, `${user.folder}/${name}.json`);
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

/** Moves the user's settings elsewhere, with a link in their place that leads there by another one. */
function linkSettings({ folder }: { folder: string }) {
  const link = `${folder}/settings.json`;
  const elsewhere = `${folder}/../dotfiles`;
  const [target, middle] = [`${elsewhere}/orchestra.json`, `${elsewhere}/middle.json`];
  Deno.mkdirSync(elsewhere);
  Deno.renameSync(link, target);
  linkTo("orchestra.json", middle);
  linkTo("../dotfiles/middle.json", link);
  return { link, middle, target };
}

/** Gives a link away, and not what it leads to. */
const giveLink = (path: string, uid: number) =>
  assert(succeeds("chown", "-h", `${uid}:${uid}`, path));

/** What hooks have written, once there is something and nobody watches any more. */
async function hooked(box: Box): Promise<string> {
  const read = () => {
    try {
      return Deno.readTextFileSync(`${box.root}/hooked`);
    } catch {
      return "";
    }
  };
  await box.until("a hook", () => read() !== "");
  await box.unwatched();
  return read();
}

test(
  "hooks in linked settings run, and are not told what was before the link",
  linking(),
  async () => {
    await using user = await makeUser();
    const work = async () => {
      await user.run("start", "--quiet", "shell", "true");
      await user.run("run", "--wait");
      await user.box.unwatched();
    };
    user.box.config({ hooks: [{ on: ["complete"], run: ["true"] }] });
    await work();
    user.settings({ hooks: [{ on: ["complete"], run: lineCommand("echo linked >>hooked") }] });
    // The file is older than all that happened, and the link is not.
    Deno.utimeSync(`${user.folder}/settings.json`, new Date(0), new Date(0));
    const { target } = linkSettings(user);
    await work();
    assertEquals(await hooked(user.box), "linked\n");
    const listed = await user.json("webhooks", "list");
    assertEquals(listed.problems, []);
    assertEquals(
      listed.subscribers.map(({ source, state }: Record<string, string>) => [source, state]),
      [["workspace", "ok"], ["user", "ok"]],
    );
    Deno.writeTextFileSync(target, "{");
    assertStringIncludes(
      (await user.json("webhooks", "list")).problems.join(),
      "Your settings file is no JSON object: its hooks and webhooks do not count",
    );
  },
);

test("trust writes what the user's settings lead to, and keeps the link", linking(), async () => {
  await using user = await makeUser();
  user.settings({ priority: 2 });
  const { link, target } = linkSettings(user);
  Deno.writeTextFileSync(
    `${user.box.root}/.orchestra-cli/config.json`,
    JSON.stringify({ hooks: [{ on: ["complete"], run: lineCommand("echo told >>hooked") }] }),
  );
  const trusted = await user.run("trust", "--commands", "--yes");
  assertEquals(trusted.code, 0, trusted.stderr);
  assertEquals(Deno.readLinkSync(link).replaceAll("\\", "/"), "../dotfiles/middle.json");
  const { priority, approved } = JSON.parse(Deno.readTextFileSync(target));
  assertEquals([priority, Object.keys(approved)], [2, [user.box.root]]);
  assertEquals(await user.json("trust", "--list", "--commands"), [user.box.root]);
  assertEquals(
    [...Deno.readDirSync(`${user.folder}/../dotfiles`)].map(({ name }) => name).sort(),
    ["middle.json", "orchestra.json"],
  );
  await user.run("start", "--quiet", "shell", "true");
  await user.run("run", "--wait");
  assertEquals(await hooked(user.box), "told\n");
  await user.run("trust", "--commands", "--remove");
  assertEquals(JSON.parse(Deno.readTextFileSync(target)), { priority: 2, approved: {} });
  assertEquals(Deno.lstatSync(link).isSymlink, true);
});

test(
  "settings that do not count are no place for trust, which says why and changes nothing",
  linking(),
  async () => {
    await using user = await makeUser();
    const link = `${user.folder}/settings.json`;
    const refused = async (why: string) => {
      for (const words of [["trust", user.box.root], ["trust", "--list"]]) {
        const { code, stdout, stderr } = await user.run(...words);
        assertEquals([code, stdout], [5, ""], stderr);
        assertStringIncludes(stderr, `Reading your settings, ${link}: it ${why}`);
      }
    };
    linkTo("nowhere.json", link);
    await refused("is a link that leads nowhere");
    assertEquals([...Deno.readDirSync(user.folder)].map(({ name }) => name), ["settings.json"]);
    Deno.removeSync(link);
    linkTo("settings.json", link);
    await refused("is a link that leads nowhere");
    Deno.removeSync(link);
    for (const text of ["null", "[]"]) {
      user.settings(text);
      await refused("is no JSON object");
      assertEquals(Deno.readTextFileSync(link), text);
    }
  },
);

test(
  "a link or file of somebody else's in the place of the user's settings never counts",
  GIVING,
  async () => {
    await using user = await makeUser();
    await using theirs = await makeBox();
    user.settings({
      priority: 2,
      safe: [theirs.root],
      hooks: [{ on: ["complete"], run: ["sh", "-c", "echo evil >>hooked"] }],
    });
    const { link, middle, target } = linkSettings(user);
    const before = Deno.readTextFileSync(target);
    Deno.chownSync(theirs.path(""), 65534, 65534);
    const looks = async () =>
      (await user.box.runWith({ env: user.env }, "-C", theirs.root, "status")).code;
    assertEquals([await looks(), (await user.json("webhooks")).subscribers.length], [0, 1]);
    for (const path of [link, middle, target]) {
      giveLink(path, 65534);
      const config = await user.run("config");
      assertMatch(config.stdout, /^priority +5 /m);
      assertStringIncludes(config.stderr, "Your settings file: it belongs to another user");
      const { subscribers, problems } = await user.json("webhooks");
      assertEquals(subscribers, []);
      assertStringIncludes(problems.join(), "Your settings file belongs to another user");
      assertEquals(await looks(), 5);
      const trusted = await user.run("trust", "--list");
      assertEquals([trusted.code, trusted.stdout], [5, ""]);
      assertStringIncludes(trusted.stderr, "it belongs to another user");
      assertEquals((await user.run("trust", theirs.root)).code, 5);
      assertEquals(Deno.readTextFileSync(target), before);
      giveLink(path, 0);
    }
    assertEquals(await looks(), 0);
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

async function runNarrow(
  { box, env }: { box: Box; env: Record<string, string> },
  permissions: string[],
  ...args: string[]
) {
  const options = { cwd: box.root, env };
  const flags = ["run", "--quiet", ...permissions, MAIN];
  await using live = spawn(Deno.execPath(), [...flags, ...args], options);
  await live.type("");
  return await live.ended();
}

test("trust does not write over settings that it may not read", NARROW, async () => {
  await using user = await makeUser();
  user.settings({ priority: 2 });
  const { link, target } = linkSettings(user);
  // The folder of the link may be used, and not that of what it leads to.
  const permissions = permissionFlags().filter((flag) => !flag.startsWith("--allow-env"))
    .map((flag) => /^--allow-(?:read|write)=/.test(flag) ? `${flag},${user.folder}` : flag)
    .concat("--allow-env");
  const trust = ["trust", "--commands", "--yes"];
  Deno.writeTextFileSync(
    `${user.box.root}/.orchestra-cli/config.json`,
    JSON.stringify({ hooks: [{ on: ["complete"], run: ["true"] }] }),
  );
  const refused = await runNarrow(user, permissions, ...trust);
  assertEquals([refused.code, refused.stdout], [5, ""]);
  assertStringIncludes(refused.stderr, "trust: your settings are beyond the workspace");
  assertEquals(Deno.lstatSync(link).isSymlink, true);
  assertEquals(Deno.readTextFileSync(target), '{"priority":2}');
  // Where there are none they are made.
  Deno.removeSync(link);
  const { code, stderr } = await runNarrow(user, permissions, ...trust);
  assertEquals(code, 0, stderr);
  assertEquals(Object.keys(JSON.parse(Deno.readTextFileSync(link)).approved), [user.box.root]);
});

test(
  "under the narrow permissions the user's files are as if there were none",
  NARROW,
  async () => {
    await using user = await makeUser();
    user.settings({ priority: 2, machine: { concurrent: 1 }, wrong: 1 });
    user.agents("{");
    const narrow = async (...args: string[]) => {
      const { code, stdout, stderr } = await runNarrow(user, permissionFlags(), ...args);
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

Deno.test(
  "who watches sees changes of the user's files, and of what they lead to",
  async () => {
    await using user = await makeUser();
    if (linking() === null) linkTo("mine.json", `${user.folder}/agents.json`);
    const exits = (code: number) =>
      user.agents({ agents: { mine: { ...SH, ...runLine(`exit ${code}`) } } });
    exits(0);
    user.box.config({ interval: 0.2 });
    await using daemon = user.box.live({ env: user.env }, "daemon", "run");
    const work = async () => {
      const id = (await user.run("start", "--quiet", "mine", "x")).stdout.trim();
      return (await user.box.settled(id)).status;
    };
    assertEquals(await work(), "complete");
    exits(13);
    assertEquals(await work(), "failed");
    daemon.kill("SIGTERM");
    await daemon.ended();
  },
);
