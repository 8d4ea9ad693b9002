// What a settings file may hold, and what its reader makes of what it does not know.

import fc from "fast-check";
import { loadConfig } from "../../lib/settings/config.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { configIssue, parseConfig } from "../../lib/settings/schemas.ts";
import { readVerdict } from "../../lib/settings/verdict.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("unknown settings are warned of and left out of account", async () => {
  await using box = await makeBox();
  box.config({ max_concurent: 1, retry: { fator: 3, cap: 60 }, theme: "dark", priority: 7 });
  const { config, warnings } = await loadConfig(openStore(box.root));
  assertEquals(config, {
    ...DEFAULT_CONFIG,
    priority: 7,
    retry: { ...DEFAULT_CONFIG.retry, cap: 60 },
  });
  assertEquals(warnings, [
    { kind: "unknown-key", key: "max_concurent" },
    { kind: "unknown-key", key: "retry.fator" },
    { kind: "unknown-key", key: "theme" },
  ]);
});

Deno.test("a task is queued and run although the settings hold what nobody knows", async () => {
  await using box = await makeBox();
  box.config({ max_concurent: 1, archive: { archive_dir: "old/archive" }, priority: 7 });
  const started = await box.run("start", "shell", "true", "--quiet");
  assertEquals(started.code, 0, started.stderr);
  assertMatch(started.stderr, /no setting "max_concurent".*did you mean "max_concurrent"\?/);
  assertMatch(started.stderr, /orchestra archive import old\/archive/);
  assertEquals(started.stderr.match(/max_concurent/g)?.length, 1);
  const id = started.stdout.trim();
  assertEquals(box.task(id).priority, 7);
  const ran = await box.run("run");
  assertEquals(ran.code, 0, ran.stderr);
  assertEquals((await box.settled(id)).status, "complete");
  const { findings } = JSON.parse((await box.run("--json", "doctor")).stdout);
  assertEquals(
    findings.filter(({ code }: { code: string }) => code === "setting-unused").length,
    2,
  );
});

Deno.test("config set goes on beside an unknown setting, keeps it, and refuses to make one", async () => {
  await using box = await makeBox();
  box.config({ theme: "dark" });
  await box.ok("config", "set", "priority", "7");
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("config.json"))), {
    theme: "dark",
    priority: 7,
  });
  await box.fails(2, "config", "set", "theme", "light");
});

Deno.test("what config set refuses is said with the requirement alone", async () => {
  await using box = await makeBox();
  const { message } = await box.fails(2, "config", "set", "retry.on", 'exit,": nonsense');
  assertMatch(
    message,
    /^config set retry.on "exit,\\": nonsense": must be one of "/,
  );
  assertEquals(configIssue({ priority: 11 })?.path, "priority");
  assertEquals(configIssue({ priority: 11 })?.requirement, "must be at most 10");
  assertEquals(configIssue({ retry: { fator: 1 } })?.requirement, null);
});

Deno.test("a wrong value stops everybody, with the setting's name", async () => {
  await using box = await makeBox();
  box.config({ max_concurrent: "many" });
  const error = await assertRejects(() => loadConfig(openStore(box.root)), OrchestraError);
  assertStringIncludes(error.message, '"max_concurrent"');
});

Deno.test("with a forged verdict a value of the wrong kind is refused all the same", async () => {
  await using box = await makeBox();
  const store = openStore(box.root);
  for (
    const value of [
      { max_concurrent: "many" },
      { retry: [] },
      { retry: { on: ["never"] } },
      { timeout: [] },
      { interval: -1 },
      { hooks: {} },
      { hooks: [{ on: ["complete"] }] },
      { hooks: [{ on: ["complete"], run: "notify-send" }] },
      { hooks: [{ on: ["never"], run: ["true"] }] },
      { hooks: [{ on: ["complete"], run: ["true"], name: "../x" }] },
      { hooks: [{ on: ["complete"], run: ["true"], shell: true }] },
      { webhooks: [{ url: "file:///etc/passwd" }] },
      { webhooks: [{ url: "http://a", name: "x" }, { url: "http://b", name: "X" }] },
      { webhooks: [{ url: "http://a", secretFile: "a,b" }] },
      { notify: { desktop: "yes" } },
      { otlp: { endpoint: "localhost" } },
      { supervise: 1 },
      [],
      null,
    ]
  ) {
    const text = JSON.stringify(value);
    Deno.writeTextFileSync(box.path("config.json"), text);
    (await readVerdict(store, "config", text)).keep();
    await assertRejects(() => loadConfig(store), OrchestraError, undefined, text);
  }
});

const number = fc.oneof(
  fc.integer({ min: 1, max: 10 }),
  fc.double({ min: 0.5, max: 9, noNaN: true }),
);
const events = fc.subarray(["complete", "failed", "failed:timeout", "drained"], { minLength: 1 });
const settings = fc.record({
  hooks: fc.array(
    fc.record({
      on: events,
      run: fc.array(fc.constantFrom("true", "notify-send", "-x"), { minLength: 1 }),
      timeout: number,
    }, { requiredKeys: ["on", "run"] }),
    { maxLength: 2 },
  ),
  webhooks: fc.array(
    fc.record({
      url: fc.constantFrom("http://127.0.0.1:9/x", "https://example.com/hook?key=1"),
      on: events,
      format: fc.constantFrom("standard", "slack", "discord", "ntfy"),
      secretEnv: fc.constantFrom("SECRET", ["OLD", "NEW"]),
    }, { requiredKeys: ["url"] }),
    { maxLength: 2 },
  ),
  notify: fc.record({ desktop: fc.oneof(fc.boolean(), events) }, { requiredKeys: [] }),
  otlp: fc.constantFrom({ endpoint: null }, { endpoint: "http://127.0.0.1:4318" }),
  max_concurrent: fc.integer({ min: 1, max: 10 }),
  interval: number,
  auto_retry: fc.boolean(),
  timeout: fc.option(number),
  grace_period: number,
  debug_log: fc.boolean(),
  retry: fc.record({
    cap: number,
    jitter: fc.boolean(),
    on: fc.subarray(["exit", "timeout", "lost"]),
  }, { requiredKeys: [] }),
  archive: fc.record({
    max_failed_age_days: number,
    archive_dir: fc.constant(".orchestra/archive"),
  }, { requiredKeys: [] }),
}, { requiredKeys: [] });

Deno.test("settings are the same with the schema and without it", async () => {
  await using box = await makeBox();
  const store = openStore(box.root);
  await fc.assert(
    fc.asyncProperty(settings, async (value) => {
      const text = JSON.stringify(value);
      Deno.writeTextFileSync(box.path("config.json"), text);
      const first = await loadConfig(store);
      assertEquals(first.config, parseConfig(value));
      assertEquals(first.warnings, []);
      assertEquals(await loadConfig(store), first);
      assertEquals(await loadConfig(openStore(box.root)), first);
    }),
    { numRuns: 100 },
  );
  assert(Deno.readTextFileSync(box.path("config.checked")).length === 33);
});
