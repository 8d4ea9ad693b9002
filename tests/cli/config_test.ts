// config.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox, makeFolder } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

Deno.test("config shows every setting, changes one, and refuses what it cannot be", async () => {
  await using box = await makeBox();
  const { origins, ...defaults } = await box.json("config", "show");
  assertEquals(origins, {});
  assertEquals([defaults.max_retries, defaults.retry.factor], [3, 2]);
  assertMatch(await box.ok("config"), /^retry\.base +1 +\S/m);
  assertEquals(await box.ok("config", "set", "retry.base", "0.5"), "retry.base = 0.5\n");
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("config.json"))), {
    retry: { base: 0.5 },
  });
  assertMode(box.path("config.json"), 0o600);
  await box.ok("config", "set", "timeout", "5m");
  await box.ok("config", "set", "retry.on", "exit, timeout");
  const changed = await box.json("config", "set", "auto_retry", "true");
  assertEquals([changed.timeout, changed.auto_retry, changed.retry.on], [300, true, [
    "exit",
    "timeout",
  ]]);
  assertMatch(await box.ok("config", "show"), /^retry\.base +0\.5 \*/m);
  const before = Deno.readTextFileSync(box.path("config.json"));
  for (
    const [key, value] of [
      ["max_concurrent", "2.5"],
      ["max_concurrent", "many"],
      ["priority", "11"],
      ["retry.on", "exot"],
      ["supervise", "maybe"],
      ["interval", "0"],
    ] as const
  ) {
    const failure = await box.fails(2, "config", "set", key, value);
    assertStringIncludes(failure.message, key);
    assertStringIncludes(failure.message, value);
  }
  const near = await box.fails(2, "config", "set", "retry.bse", "1");
  assertStringIncludes(near.hint!, "retry.base");
  assertEquals(Deno.readTextFileSync(box.path("config.json")), before);
  await box.fails(4, "config", "init");
  Deno.removeSync(box.path("config.json"));
  assertStringIncludes(await box.ok("config", "init"), "config.json");
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("config.json"))), defaults);
});

Deno.test("config says where in a list of hooks or webhooks something is wrong, and what may stand there", async () => {
  await using box = await makeBox();
  const refused = (key: string, value: unknown) =>
    box.fails(2, "config", "set", key, JSON.stringify(value));
  const unknown = await refused("webhooks", [{ url: "http://a", secret: "x" }]);
  assertMatch(unknown.message, /: unknown key "webhooks\.0\.secret"$/);
  const far = await refused("hooks", [{ on: ["failed"], run: ["true"], shell: true }]);
  assertMatch(far.message, /: unknown key "hooks\.0\.shell"$/);
  assertMatch(far.hint!, /^Known keys: on, run, timeout, name$/);
  const empty = await refused("hooks", [{ on: [], run: [] }]);
  assertMatch(empty.message, /: "hooks\.0\.on": must hold at least 1$/);
  const event = await refused("webhooks", [{ url: "http://a", on: ["complete", "faild"] }]);
  assertMatch(
    event.message,
    /: "webhooks\.0\.on\.1": must be .*, and is "faild"; events: .*failed/,
  );
});

Deno.test("config names the user's own settings, where they add something", async () => {
  await using box = await makeBox();
  await using home = await makeFolder();
  const env = { XDG_CONFIG_HOME: home.path };
  const path = `${home.path}/orchestra/settings.json`;
  Deno.mkdirSync(`${home.path}/orchestra`);
  const noted = async (text: string) => {
    Deno.writeTextFileSync(path, text);
    const { code, stderr } = await box.runWith({ env }, "config");
    assertEquals(code, 0);
    return stderr;
  };
  const value = { safe: [], notify: { desktop: true, terminal: false }, hooks: [], webhooks: [{}] };
  assertStringIncludes(
    await noted(JSON.stringify(value)),
    `${path} adds webhooks, notify.desktop; see orchestra webhooks`,
  );
  for (const text of ["{", "null", "[]", "{}", '{"notify": null}', '{"hooks": []}']) {
    assertEquals((await noted(text)).includes("adds"), false, text);
  }
});

Deno.test("a list that is no JSON is refused, and a line that begins with a bracket is none", async () => {
  await using box = await makeBox();
  const broken = await box.run("config", "set", "worktrees.setup", '["npm", "ci"');
  assertEquals(broken.code, 2);
  assertStringIncludes(broken.stderr, "it begins as a list and is not JSON");
  const set = async (text: string) =>
    (await box.run("config", "set", "worktrees.setup", text)).stdout.trim();
  assertEquals(await set("[ -f x ] && make"), 'worktrees.setup = "[ -f x ] && make"');
  assertEquals(await set('["npm", "ci"]'), 'worktrees.setup = ["npm","ci"]');
});
