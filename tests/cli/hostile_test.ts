// Bad input, by hand and generated, and a system that refuses: each gives a clear error and the
// right exit code, nothing dangerous reaches the terminal, nothing outside the workspace is read or
// written, and every other task is left as it was.

import fc from "fast-check";
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { newTask } from "../../lib/task/fields.ts";
import { isIdEnd, isKey, isTaskId } from "../../lib/task/id.ts";
import {
  assertPrintable,
  assertRefused,
  type Box,
  type Live,
  makeBox,
  makeFolder,
  openBox,
  type Outcome,
} from "../support/program.ts";

/** Everything that a terminal would obey, in one text. */
const EVIL = "\x1b[31mred\x1b[2J\x1b[H\x1b]0;title\x07\x1b]8;;http://x\x1b\\\x9b5A\x08\x08\r" +
  "over\x7f\x85\u2028\u202egnp\u202c\x00".replace("\x00", "");

/** Checks that a text in colour holds no sequence but colours. */
function assertOnlyColors(text: string): void {
  // deno-lint-ignore no-control-regex
  assertPrintable(text.replaceAll(/\x1b\[\d+(?:;\d+)*m/g, ""));
  assert(!/[\u202a-\u202e\u2028\u2029]/.test(text), "direction overrides are gone too");
}

/** Names and bytes of all files in a folder, to compare. */
function contents(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (isFile) found[name] = Deno.readFileSync(`${folder}/${name}`).join();
  }
  return found;
}

/** Runs what must work beside anything broken: a task that is there already, and a new one. */
async function assertRestWorks(box: Box, id: string): Promise<void> {
  const fresh = await box.start("shell", "true");
  await box.run("run", "--all", "--wait");
  assertEquals([box.task(id).status, box.task(fresh).status], ["complete", "complete"]);
}

const id = (number: number) => `task_${1_000_000_000 + number}`;
const valid = (number: number, rest: Record<string, unknown> = {}) => ({
  ...newTask(id(number), { agent: "hostile", prompt: "x" }, 1_000_000),
  ...rest,
});

Deno.test("a damaged task file is named, kept as it is, and disturbs no other task", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const bad: Record<string, string | Uint8Array> = {
    empty: "",
    blank: " \n",
    truncated: JSON.stringify(valid(3)).slice(0, -20),
    array: "[]",
    null: "null",
    number: "5",
    deep: "[".repeat(100_000),
    binary: new Uint8Array([0, 255, 254, 27, 91, 50, 74]),
    otherId: JSON.stringify(valid(999)),
    noPrompt: JSON.stringify({ ...valid(9), prompt: undefined }),
    wrongStatus: JSON.stringify(valid(10, { status: "done\x1b[2J" })),
    wrongTime: JSON.stringify(valid(11, { createdAt: "yesterday" })),
    wrongPid: JSON.stringify(valid(12, { pid: "all" })),
    infinite: JSON.stringify(valid(13)).replace('"retryCount":0', '"retryCount":1e999'),
    wrongDependency: JSON.stringify(valid(14, { dependsOn: ["../../etc/passwd"] })),
    wrongHistory: JSON.stringify(valid(15, { retryHistory: [null] })),
    escape: JSON.stringify(valid(16, { taskId: EVIL })),
  };
  const names = Object.keys(bad);
  for (const [at, content] of Object.values(bad).entries()) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(box.path(`tasks/${id(at + 1)}.json`), bytes);
  }
  Deno.writeTextFileSync(box.path("tasks/notes.txt"), "not ours");
  Deno.writeTextFileSync(box.path("tasks/task_5.json"), "{}");
  Deno.mkdirSync(box.path(`tasks/${id(500)}.json`));
  const before = contents(box.path("tasks"));

  const [plain, colored, json] = await Promise.all([
    box.ok("status"),
    box.ok("status", "--color"),
    box.json("status"),
  ]);
  assertPrintable(plain);
  assertOnlyColors(colored);
  assertEquals(json.tasks.length, 1);
  for (const [at, name] of names.entries()) {
    const file = `.orchestra/tasks/${id(at + 1)}.json`;
    const found = json.damaged.find((item: { file: string }) => item.file === file);
    assert(found !== undefined && found.problem !== "", `${name} is reported`);
  }
  assertEquals(json.damaged.length, names.length + 2);
  assertStringIncludes(plain, `.orchestra/tasks/${id(1)}.json is empty`);
  assertMatch(plain, /and \d+ more damaged files/);
  // A command about one of them says so; two by two, for each asks for text and for JSON.
  for (
    const args of [["show"], ["logs"], ["retry"], ["cancel"], ["timeout"], ["timeout", "extend"]]
  ) {
    const rest = args.length === 2 ? ["5"] : [];
    const failure = await box.fails(5, ...args, id(3), ...rest);
    assertEquals(failure.code, "damaged", args.join(" "));
    assertStringIncludes(failure.message, `${id(3)}.json`);
  }
  await box.fails(5, "show", id(17));
  await box.fails(5, "wait", id(3));
  await box.ok("clean", "all", "--yes");
  await assertRestWorks(box, good);
  for (const [name, bytes] of Object.entries(contents(box.path("tasks")))) {
    if (name in before && !name.startsWith(good)) assertEquals(bytes, before[name], name);
  }
});

/** Values that somebody hostile would put into a field. */
const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom<unknown>(
    "../../../victim",
    "/etc/passwd",
    ".orchestra/../victim",
    ".orchestra/tasks/../../victim",
    ".orchestra/logs/../../victim",
    `.orchestra/tasks/${id(1)}.json`,
    ".orchestra/lock",
    ".orchestra/logs/\0",
    ".orchestra\\..\\victim",
    EVIL,
    "running",
    "complete",
    "failed",
    "2030-01-01T00:00:00Z",
    "9999-99-99",
    -1,
    0,
    1,
    1e308,
    Number.MAX_SAFE_INTEGER,
    ["task_1000000001"],
    [id(2), id(2)],
    { __proto__: null, constructor: { prototype: 1 } },
    [{ retriedFrom: id(3), error: EVIL, attempt: 1, timestamp: "x" }],
    [{ retriedFrom: "../../x" }],
  ),
);
const hostileChange = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...Object.keys(valid(0)).filter((name) => name !== "taskId")),
    fc.constantFrom("__proto__", "constructor", "unknownField", "toString"),
  ),
  hostileValue,
  { maxKeys: 4, noNullPrototype: true },
);

Deno.test("two hundred generated task files: each is shown or reported, none breaks out", async () => {
  await using folder = await makeFolder();
  const root = `${folder.path}/root`;
  Deno.mkdirSync(`${root}/.orchestra/tasks`, { recursive: true });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  Deno.writeTextFileSync(`${folder.path}/victim`, "untouched");
  Deno.writeTextFileSync(`${root}/victim`, "untouched");
  await using box = openBox(root);
  box.agents({ hostile: { command: "true", completion: "exit" } });
  box.config({ grace_period: 0.1, retry: { base: 0.01, cap: 0.02 } });
  const changes = fc.sample(hostileChange, { numRuns: 200, seed: 20261122 });
  for (const [at, change] of changes.entries()) {
    Deno.writeTextFileSync(box.path(`tasks/${id(at)}.json`), JSON.stringify(valid(at, change)));
  }
  const good = await box.start("shell", "true", "-p", "10");
  const [plain, colored, json] = await Promise.all([
    box.ok("status", "--all", "--no-auto-retry"),
    box.ok("status", "--all", "--no-auto-retry", "--color"),
    box.json("status", "--no-auto-retry"),
  ]);
  assertPrintable(plain);
  assertOnlyColors(colored);
  assert(json.tasks.length + json.damaged.length >= 201, "every file is accounted for");
  assert(json.damaged.length > 20 && json.tasks.length > 20, "and there are some of each");
  const shown: string[] = json.tasks.map((task: { taskId: string }) => task.taskId);
  for (let at = 0; at < shown.length; at += 20) {
    await Promise.all(
      shown.slice(at, at + 20).filter((_, each) => each % 6 === 0).map(async (name) => {
        const page = await box.run("show", name);
        if (page.code === 0) assertPrintable(page.stdout);
        else assertRefused(page, 5, name);
      }),
    );
  }
  const run = await box.run("run", "--all", "--wait", "--parallel", "8");
  assert(run.code === 0 || run.code === 1, JSON.stringify(run));
  assertPrintable(run.stdout + run.stderr);
  assertEquals(box.task(good).status, "complete");
  for (const path of [`${folder.path}/victim`, `${root}/victim`]) {
    assertEquals(Deno.readTextFileSync(path), "untouched");
  }
  const names = [...Deno.readDirSync(folder.path)].map((item) => item.name).sort();
  assertEquals(names, ["root", "victim"]);
  const inside = [...Deno.readDirSync(root)].map((item) => item.name).sort();
  assertEquals(inside, [".orchestra", ".orchestra-cli", "victim"]);
});

Deno.test("what agents write into sentinels, logs and plans never reaches a table or a page as it is", async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  Deno.writeTextFileSync(`${box.root}/secret`, "root:x:0:0 the secret");
  Deno.writeTextFileSync(`${box.root}/evil`, EVIL);
  const json = JSON.stringify({ error: EVIL, details: `${EVIL}\n${EVIL}` });
  Deno.writeTextFileSync(`${box.root}/evil.json`, json);
  const scripts = [
    'cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_ERROR_FILE"',
    'cat "$ORCHESTRA_ROOT/evil.json" >"$ORCHESTRA_ERROR_FILE"',
    'cat "$ORCHESTRA_ROOT/evil"; cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_PLAN_FILE"; exit 3',
    'cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_DONE_FILE"',
    `echo '{"summary": 5, "files": [{"a": 1}, "ok", null]}' >"$ORCHESTRA_DONE_FILE"`,
    `echo '{"error": {"deep": []}}' >"$ORCHESTRA_ERROR_FILE"`,
    'head -c 20000000 /dev/zero >"$ORCHESTRA_ERROR_FILE"',
    'yes "[[[[[[[" | head -c 3000000 >"$ORCHESTRA_DONE_FILE"',
    'ln -s "$ORCHESTRA_ROOT/secret" "$ORCHESTRA_ERROR_FILE"',
    'ln -s "$ORCHESTRA_ROOT/secret" "$ORCHESTRA_DONE_FILE"',
    'mkdir "$ORCHESTRA_DONE_FILE"',
    'ln -s /nowhere/at/all "$ORCHESTRA_ERROR_FILE"',
  ];
  const ids = await Promise.all([
    ...scripts.map((script) => box.start("signal", script)),
    box.start("signal", `exit 3 # ${EVIL}`, "--label", `a=${EVIL}`),
  ]);
  const cancelled = await box.start("shell", EVIL, "--timeout", "5m");
  await box.ok("cancel", cancelled, "--reason", EVIL);
  const run = await box.run("run", "--all", "--wait", "--parallel", "14");
  assertEquals(run.code, 1);
  assertPrintable(run.stdout + run.stderr);
  for (const each of ids) assert(box.task(each).status !== "running", box.task(each).prompt);
  assertEquals(box.task(ids[9]!).status, "complete");
  for (const at of [8, 9, 10, 11]) {
    assert(!JSON.stringify(box.task(ids[at]!)).includes("the secret"), "links are not read");
  }
  const everything = [...ids, cancelled];
  const calls = [
    ["status"],
    ["timeout", "list"],
    ["wait", ...everything],
    ...everything.map((each) => ["show", each]),
  ];
  const outputs = await Promise.all(
    calls.flatMap((args) => [box.run(...args), box.run("--color", ...args)]),
  );
  for (const [at, { stdout, stderr }] of outputs.entries()) {
    if (at % 2 === 0) assertPrintable(stdout + stderr);
    assertOnlyColors(stdout);
    assert(!stdout.includes("the secret"), calls[at >> 1]!.join(" "));
  }
  const retried = await box.run("retry", ids[0]!);
  assertPrintable(retried.stdout + retried.stderr);
});

Deno.test("control characters in arguments and in names never come back in a message", async () => {
  await using box = await makeBox();
  box.agents({
    [`bad${EVIL}`]: { command: EVIL, description: EVIL },
    worse: { command: "true", args: "no list", [EVIL]: 1 },
  });
  const evil = EVIL.replaceAll("\n", " ");
  Deno.writeTextFileSync(`${box.root}/evil.jsonl`, JSON.stringify({ agent: EVIL, prompt: "x" }));
  Deno.writeTextFileSync(
    `${box.root}/evil-key.jsonl`,
    JSON.stringify({ agent: "shell", prompt: "x", [EVIL]: 1 }),
  );
  const outcomes: [string[], Outcome][] = await Promise.all(
    [
      [evil],
      ["start", evil, "x"],
      ["start", "shell", "x", `--${evil}`],
      ["start", "shell", "x", "--priority", evil],
      ["start", "shell", "x", "--depends-on", evil],
      ["start", "shell", "x", "--label", evil],
      ["start", "--from", evil],
      ["start", "--from", "evil.jsonl"],
      ["start", "--from", "evil-key.jsonl"],
      ["show", evil],
      ["clean", evil],
      ["-C", evil, "status"],
      ["config", "set", evil, "1"],
      ["config", "set", "timeout", evil],
      ["completions", evil],
      ["init", "--agent", evil],
      ["agents", "check", evil],
      ["agents", "check", "worse"],
      ["status", "--status", evil],
      ["status", evil],
      ["run", "--parallel", evil],
      ["wait", "--timeout", evil],
    ].map(async (args): Promise<[string[], Outcome]> => [args, await box.run(...args)]),
  );
  for (const [args, outcome] of outcomes) {
    assertRefused(outcome, outcome.code, args.join(" "));
    assert([2, 3, 5].includes(outcome.code), `${args.join(" ")}: ${outcome.code}`);
  }
  assertPrintable(await box.ok("agents"));
  const fine = await box.run("status", "--agent", evil);
  assertPrintable(fine.stdout + fine.stderr);
  assertEquals(box.tasks(), []);
});

Deno.test("a settings file that is wrong is refused with the key that is wrong, and tasks stay", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  const files: [string, string][] = [
    ["{", "config.json"],
    ["[]", "config.json"],
    ["null", "config.json"],
    ["\x00\x1b[2J", "config.json"],
    ['{"timeout": "long"}', "timeout"],
    ['{"priority": 11}', "priority"],
    ['{"grace_period": -1}', "grace_period"],
    ['{"interval": 1e999}', "interval"],
  ];
  for (const [text, part] of files) {
    box.config({});
    Deno.writeTextFileSync(box.path("config.json"), text);
    const calls = [["start", "shell", "x"], ["config", "set", "priority", "3"]];
    // All read it the same way: the others need to be shown but once.
    if (text === "{") calls.push(["run"], ["config"], ["run", "--wait"]);
    for (const outcome of await Promise.all(calls.map((args) => box.run(...args)))) {
      assertStringIncludes(assertRefused(outcome, 5, text), part);
    }
    assertEquals(Deno.readTextFileSync(box.path("config.json")), text);
  }
  assertEquals(contents(box.path("tasks")), before);
  box.config({});
  await assertRestWorks(box, good);
});

Deno.test("what is no setting is told of without what a terminal obeys, and has no effect", async () => {
  await using box = await makeBox();
  const files: [string, string][] = [
    ['{"max_retrys": 1}', "max_retries"],
    ['{"retry": {"bse": 1}}', "retry.base"],
    ['{"archive": {"archive_dir": "../../outside"}}', "archive_dir"],
    [`{"${"\\u001b[31m"}": 1}`, "there is no setting"],
    ['{"__proto__": {"polluted": 1}, "constructor": 1}', "there is no setting"],
  ];
  for (const [text, part] of files) {
    Deno.writeTextFileSync(box.path("config.json"), text);
    const outcome = await box.run("start", "shell", "true");
    assertEquals(outcome.code, 0, text);
    assertStringIncludes(outcome.stderr, part, text);
    assertPrintable(outcome.stdout + outcome.stderr);
    assertEquals(Deno.readTextFileSync(box.path("config.json")), text);
  }
  assertEquals(box.tasks().map(({ maxRetries }) => maxRetries), files.map(() => 3));
});

Deno.test("an agents file that is wrong is refused, a wrong agent makes only itself unusable", async () => {
  await using box = await makeBox();
  const path = `${box.root}/.orchestra-cli/agent-config.json`;
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  for (const text of ["", "{", "[]", "null", '{"agents": []}', '{"agents": null}', "\x00"]) {
    Deno.writeTextFileSync(path, text);
    const outcomes = await Promise.all([
      box.run("start", "shell", "x"),
      box.run("run"),
      box.run("agents"),
    ]);
    for (const outcome of outcomes) {
      assertStringIncludes(assertRefused(outcome, 5, text), "agent-config.json");
    }
  }
  assertEquals(contents(box.path("tasks")), before);
  const wrong: Record<string, Record<string, unknown>> = {
    noCommand: {},
    emptyCommand: { command: "" },
    nul: { command: "a\0b" },
    argument: { command: "true", args: ["a\0b"] },
    unknownKey: { command: "true", complition: "exit" },
    badCompletion: { command: "true", completion: "sometimes" },
    badVariable: { command: "true", env: { "A=B": "x" } },
    list: { command: ["true"] },
  };
  box.agents(wrong);
  const names = Object.keys(wrong);
  const table = await box.ok("agents");
  for (const name of names) assertMatch(table, new RegExp(`^${name}\\s+broken`, "m"));
  assertStringIncludes(table, '"completion"');
  const ids = await Promise.all(names.map((name) => box.start(name, "x")));
  await box.run("run", "--all", "--wait", "--parallel", "9");
  for (const [at, each] of ids.entries()) {
    assertEquals(box.task(each).failureClass, "spawn", names[at]);
  }
  assertEquals(box.task(good).status, "complete");
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    await box.fails(3, "start", name, "x");
  }
});

Deno.test("an import file that is wrong anywhere queues nothing", async () => {
  await using box = await makeBox();
  const task = (rest: Record<string, unknown>) =>
    JSON.stringify({ agent: "shell", prompt: "x", ...rest });
  const files: [number, string, string][] = [
    [2, "", "no task"],
    [2, " \n\n", "no task"],
    [2, `${task({})}\n{"agent": "shell"`, "line 2"],
    [2, `${task({})}\n\n[]`, "line 3"],
    [2, "null", "line 1"],
    [2, '{"agent": "shell"}', "prompt"],
    [2, task({ prompt: "" }), "prompt"],
    [2, task({ prompt: "a\0b" }), "NUL"],
    [2, task({ promt: 1 }), "prompt"],
    [2, task({ priority: 11 }), "priority"],
    [2, task({ timeout: "soon" }), "timeout"],
    [2, task({ dependsOn: [5] }), "dependsOn"],
    [2, task({ labels: { a: 1 } }), "labels"],
    [3, task({ agent: "shel" }), '"shell"'],
    [3, task({ agent: "__proto__" }), "__proto__"],
    [3, task({ dependsOn: ["nowhere"] }), "nowhere"],
    [3, task({ dependsOn: [id(5)] }), id(5)],
    [3, task({ dependsOn: ["../../etc/passwd"] }), "passwd"],
    [2, `${task({ key: "a" })}\n${task({ key: "a" })}`, '"a"'],
    [2, task({ key: "a", dependsOn: "a" }), "a -> a"],
    [
      2,
      `${task({ key: "a", dependsOn: "b" })}\n${task({ key: "b", dependsOn: "a" })}`,
      "wait for each other",
    ],
    [2, "\x00\xff\x1b[2J", "line 1"],
  ];
  const outcomes = await Promise.all(
    files.map(([, text]) => box.runWith({ stdin: text }, "start", "--from", "-")),
  );
  for (const [at, [code, text, part]] of files.entries()) {
    assertStringIncludes(assertRefused(outcomes[at]!, code, text), part);
  }
  assertRefused(await box.run("start", "--from", "/"), 2);
  assertEquals(box.tasks(), []);

  // Generated: all or nothing, and never anything but the two.
  const line = fc.oneof(
    fc.constant(task({})),
    fc.dictionary(fc.constantFrom("agent", "prompt", "key", "dependsOn", "timeout"), hostileValue)
      .map((item) => JSON.stringify(item)),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const texts = fc.sample(fc.array(line, { minLength: 1, maxLength: 5 }), {
    numRuns: 20,
    seed: 20261122,
  }).map((lines) => lines.join("\n"));
  let queued = 0;
  for (let at = 0; at < texts.length; at += 20) {
    await Promise.all(
      texts.slice(at, at + 20).map(async (text) => {
        const outcome = await box.runWith({ stdin: text }, "start", "--from", "-", "-q");
        if (outcome.code === 0) queued += outcome.stdout.trimEnd().split("\n").length;
        else assertRefused(outcome, outcome.code, JSON.stringify(text));
      }),
    );
  }
  assertEquals(box.tasks().length, queued);
});

Deno.test("what is no id is refused before it becomes a path", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  const made = [
    "..",
    "../../etc/passwd",
    "task_1234567890/../../x",
    "task_1234567890.json",
    "task_123",
    "task_123456789012345678901",
    "TASK_1234567890",
    "task_12345678９0",
    "task_1234567890\n",
    " task_1234567890",
    "",
    "*",
  ];
  const generated = fc.sample(fc.string({ unit: "grapheme", maxLength: 20 }), {
    numRuns: 25,
    seed: 20261122,
  }).map((text) => text.replaceAll("\0", ""));
  const texts = [...made, ...generated].filter((text) => !isTaskId(text));
  const commands = [["show"], ["logs"], ["cancel"], ["retry"], ["wait"], ["timeout", "now"]];
  const outcomes = await Promise.all(
    texts.map((text, at) => box.run(...commands[at % commands.length]!, "--", text)),
  );
  for (const [at, outcome] of outcomes.entries()) {
    // Some could be the key of a task, or the end of an id; nobody is called so.
    const named = isKey(texts[at]!) || isIdEnd(texts[at]!);
    const text = assertRefused(outcome, named ? 3 : 2, texts[at]);
    assertStringIncludes(text, named ? "No task " : "is not a task id");
  }
  assertEquals(contents(box.path("tasks")), before);
  await assertRestWorks(box, good);
});

Deno.test("links planted in .orchestra are refused, and what they lead to is neither read nor written", async () => {
  await using outside = await makeFolder();
  const victim = `${outside.path}/victim`;
  const reset = () => Deno.writeTextFileSync(victim, "the secret of the victim\n");
  /** What to replace by a link, which commands then, and with which exit codes. */
  const cases: [string, (id: string) => string, "file" | "folder", [number, ...string[]][]][] = [
    ["the folder itself", () => "", "folder", [[5, "status"], [5, "start", "shell", "x"], [
      5,
      "run",
    ]]],
    ["tasks", () => "tasks", "folder", [[5, "status"], [5, "start", "shell", "x"], [5, "init"]]],
    ["logs", () => "logs", "folder", [[5, "run"]]],
    ["plans", () => "plans", "folder", [[5, "start", "shell", "x"]]],
    ["the lock", () => "lock", "file", [[5, "run"], [5, "cancel", "ID"]]],
    ["the daemon's lock", () => "daemon.lock", "file", [[5, "status"]]],
    ["settings", () => "config.json", "file", [[5, "start", "shell", "x"], [
      5,
      "config",
      "set",
      "priority",
      "3",
    ]]],
    ["a task", (task) => `tasks/${task}.json`, "file", [[5, "show", "ID"], [5, "cancel", "ID"]]],
  ];
  for (const [name, target, kind, calls] of cases) {
    await using box = await makeBox();
    const task = await box.start("shell", "true");
    const path = box.path(target(task)).replace(/\/$/, "");
    reset();
    const real = `${outside.path}/real`;
    if (kind === "folder") Deno.renameSync(path, real);
    else await Deno.remove(path).catch(() => {});
    const before = kind === "folder" ? [...Deno.readDirSync(real)].length : 0;
    Deno.symlinkSync(kind === "folder" ? real : victim, path);
    for (const [code, ...args] of calls) {
      const text = await box.run(...args.map((arg) => arg === "ID" ? task : arg));
      const said = assertRefused(text, code, `${name}: ${args.join(" ")}`);
      assert(/symbolic link|regular file/.test(said), `${name}: ${said}`);
      assert(!said.includes("the secret"));
    }
    if (kind === "folder") {
      assertEquals([...Deno.readDirSync(real)].length, before, name);
      Deno.removeSync(real, { recursive: true });
    }
    assertEquals(Deno.readTextFileSync(victim), "the secret of the victim\n", name);
  }
});

Deno.test("a log, plan or prompt that is a link fails its own task, and only that", async () => {
  await using outside = await makeFolder();
  const victim = `${outside.path}/victim`;
  Deno.writeTextFileSync(victim, "the secret of the victim\n");
  await using box = await makeBox();
  const [log, plan, prompt, good] = await Promise.all([
    box.start("shell", "echo written"),
    box.start("shell", "true"),
    box.start("shell", "true"),
    box.start("shell", "true"),
  ]);
  await Deno.remove(box.path(`logs/${log}.log`)).catch(() => {});
  Deno.symlinkSync(victim, box.path(`logs/${log}.log`));
  Deno.removeSync(box.path(`plans/${plan}_plan.md`));
  Deno.symlinkSync(victim, box.path(`plans/${plan}_plan.md`));
  Deno.symlinkSync(victim, box.path(`plans/${prompt}_prompt.md`));
  // Where a process with that number would write beside its target.
  Deno.symlinkSync(victim, box.path(`tasks/${good}.json.${Deno.pid}.tmp`));
  const run = await box.run("run", "--all", "--wait", "--parallel", "4");
  assertEquals(box.task(good!).status, "complete", run.stdout + run.stderr);
  assertEquals(box.task(log!).status, "failed");
  for (const each of [log, plan, prompt]) {
    const page = await box.run("show", each!);
    assert(!page.stdout.includes("the secret"), page.stdout);
    assert(box.task(each!).status !== "running");
  }
  const logs = await box.run("logs", log!);
  assert(!logs.stdout.includes("the secret"));
  await box.ok("clean", "all", "--yes");
  assertEquals(Deno.readTextFileSync(victim), "the secret of the victim\n");
});

Deno.test("a fifo or a device in the tasks folder is reported, and holds nobody up", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  for (const name of [`${id(1)}.json`, `${id(2)}.done`, `${good}.cancelled.tmp`]) {
    new Deno.Command("mkfifo", { args: [box.path(`tasks/${name}`)] }).outputSync();
  }
  assertStringIncludes(await box.ok("status"), id(1));
  assertRefused(await box.run("show", id(1)), 5);
  await assertRestWorks(box, good);
});

Deno.test("an agent that makes a fifo among the tasks while they are watched holds nobody up", async () => {
  await using box = await makeBox();
  const made = await box.start(
    "shell",
    'mkfifo "$ORCHESTRA_ROOT/.orchestra/tasks/trap"',
    "-p",
    "9",
  );
  const next = await box.start("shell", "true");
  const outcome = await box.run("run", "--all", "--wait", "--parallel", "1");
  assertEquals(outcome.code, 0, JSON.stringify(outcome));
  assertEquals([box.task(made).status, box.task(next).status], ["complete", "complete"]);
});

/** Runs a test on a small file system of its own; says so where none can be mounted. */
async function onTmpfs(options: string, test: (path: string) => Promise<void>): Promise<void> {
  await using folder = await makeFolder();
  const mount = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", options, "orchestra-test", folder.path],
    stderr: "piped",
  });
  let result: Deno.CommandOutput | undefined;
  try {
    result = Deno.build.os === "linux" ? mount.outputSync() : undefined;
  } catch {
    // No mount(8) at all.
  }
  if (!result?.success) return console.log("not run: no file system can be mounted here");
  try {
    await test(folder.path);
  } finally {
    new Deno.Command("umount", { args: ["-l", folder.path] }).outputSync();
  }
}

function makeWorkspace(root: string): Box {
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    Deno.mkdirSync(`${root}/.orchestra/${name}`, { recursive: true, mode: 0o700 });
  }
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  const box = openBox(root);
  box.agents({});
  return box;
}

Deno.test("on a disk that is full nothing is lost, and all goes on once there is room", async () => {
  await onTmpfs("size=1m", async (root) => {
    await using box = makeWorkspace(root);
    const [first, second] = [await box.start("shell", "true"), await box.start("shell", "exit 3")];
    await box.ok("status");
    await box.run("run", "--wait");
    const before = contents(box.path("tasks"));
    const ballast = new Uint8Array(1024 * 1024);
    try {
      Deno.writeFileSync(`${root}/ballast`, ballast);
    } catch {
      // As full as it gets.
    }
    const refused = await Promise.all([
      box.run("start", "shell", "y".repeat(5000)),
      box.run("run"),
      box.run("cancel", second),
      box.run("timeout", "extend", second, "60"),
      box.run("config", "set", "priority", "3"),
      box.run("start", "--json", "shell", "y".repeat(5000)),
    ]);
    for (const [at, outcome] of refused.slice(0, -1).entries()) {
      assertStringIncludes(assertRefused(outcome, 5, String(at)), "disk is full");
    }
    const { error } = JSON.parse(refused.at(-1)!.stderr);
    assertEquals(error.code, "environment");
    assertEquals(contents(box.path("tasks")), before);
    assertStringIncludes(await box.ok("status"), second);
    assertStringIncludes(await box.ok("show", first), first);
    Deno.removeSync(`${root}/ballast`);
    await assertRestWorks(box, first);
    assertEquals(box.task(second).exitCode, 3);
    const litter = [...Deno.readDirSync(box.path("tasks"))].filter(({ name }) =>
      name.endsWith(".tmp")
    );
    assertEquals(litter, []);
  });
});

Deno.test("on a disk that may only be read, what reads works and what writes says why it cannot", async () => {
  await onTmpfs("size=4m", async (root) => {
    await using box = makeWorkspace(root);
    const [done, pending] = [await box.start("shell", "echo hi"), await box.start("shell", "true")];
    await box.run("run", "--wait");
    await box.unwatched();
    const remount = (mode: string) =>
      new Deno.Command("mount", { args: ["-o", `remount,${mode}`, root] }).outputSync();
    if (!remount("ro").success) return console.log("not run: remounting is not permitted");
    try {
      const outcomes = await Promise.all([
        box.run("start", "shell", "x"),
        box.run("cancel", pending),
        box.run("clean", done, "--yes"),
        box.run("config", "init"),
        box.run("init"),
      ]);
      for (const [at, outcome] of outcomes.slice(0, 4).entries()) {
        assertStringIncludes(assertRefused(outcome, 5, String(at)), "read-only");
      }
      for (
        const args of [["status"], ["show", done], ["logs", done], ["timeout", "list"], ["agents"]]
      ) {
        const text = await box.ok(...args);
        assert(text !== "", args.join(" "));
      }
    } finally {
      remount("rw");
    }
    await assertRestWorks(box, done);
  });
});

/** Most memory that a process had while it lived, bytes; undefined where the system does not tell. */
async function peakOf(live: Live): Promise<number | undefined> {
  let peak: number | undefined;
  const ended = live.ended().then(() => true);
  for (;;) {
    try {
      const status = Deno.readTextFileSync(`/proc/${live.pid}/status`);
      const match = /VmHWM:\s+(\d+) kB/.exec(status);
      if (match !== null) peak = Number(match[1]) * 1024;
    } catch {
      // Ended, or another system.
    }
    const over = await Promise.race([
      ended,
      new Promise<false>((resolve) => setTimeout(resolve, 2, false)),
    ]);
    if (over) return peak;
  }
}

Deno.test("a log of a gigabyte costs what its end costs", async () => {
  await using box = await makeBox();
  const each = await box.start("shell", "true");
  await box.run("run", "--wait");
  const log = box.path(`logs/${each}.log`);
  const file = Deno.openSync(log, { write: true });
  file.truncateSync(1024 * 1024 * 1024);
  file.seekSync(0, Deno.SeekMode.End);
  file.writeSync(new TextEncoder().encode("\nthe line before\nthe last line\n"));
  file.close();
  for (
    const args of [["show", each], ["logs", "-n", "2", each], ["logs", "-f", "-n", "2", each]]
  ) {
    await using live = box.live({}, ...args);
    const peak = await peakOf(live);
    const { code, stdout } = await live.ended();
    assertEquals(code, 0);
    assertStringIncludes(stdout, "the last line");
    assertPrintable(stdout);
    if (peak !== undefined) assertLess(peak, 300 * 1024 * 1024, args.join(" "));
  }
  // And no line at all for its whole length.
  Deno.truncateSync(log, 1024 * 1024 * 1024);
  await using live = box.live({}, "show", each);
  const peak = await peakOf(live);
  const outcome = await live.ended();
  assertEquals(outcome.code, 0);
  assertLess(outcome.stdout.length, 10_000);
  if (peak !== undefined) assertLess(peak, 400 * 1024 * 1024);
});

Deno.test("a task file of many megabytes is read or reported, and never printed whole", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const prompt = `${"a long word ".repeat(300_000)}end`;
  Deno.writeTextFileSync(box.path(`tasks/${id(1)}.json`), JSON.stringify(valid(1, { prompt })));
  Deno.writeTextFileSync(box.path(`tasks/${id(2)}.json`), "");
  Deno.truncateSync(box.path(`tasks/${id(2)}.json`), 2 ** 30);
  await using live = box.live({}, "status");
  const peak = await peakOf(live);
  const { code, stdout } = await live.ended();
  assertEquals(code, 0);
  assertLess(stdout.length, 2000);
  assertStringIncludes(stdout, `${id(2)}.json is too large`);
  if (peak !== undefined) assertLess(peak, 400 * 1024 * 1024, "it is not read to be refused");
  assertRefused(await box.run("show", id(2)), 5);
  assertLess((await box.ok("show", id(1))).length, 20_000_000);
  Deno.removeSync(box.path(`tasks/${id(1)}.json`));
  Deno.removeSync(box.path(`tasks/${id(2)}.json`));
  await assertRestWorks(box, good);
});
