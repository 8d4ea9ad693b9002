// The table of options: that everything which is said to follow from it does, for each option there
// is, and for one that is added to a copy of the program in one place.

import { makeSchemas } from "../../docs/json_schemas.ts";
import { successorOf } from "../../lib/decide/retry.ts";
import { refusalError } from "../../lib/queue/refusal.ts";
import { parseConfig } from "../../lib/settings/schemas.ts";
import { FIELDS, formatTask, newTask, parseTask, type Task } from "../../lib/task/fields.ts";
import { NEEDED, OPTION_LIST, type OptionName, readWish } from "../../lib/task/options.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { commandLine, makeBox, makeFolder, spawn } from "../support/program.ts";

const ID = "task_1772625600000";

/** For each option texts of the command line, with the value that the task then has. */
const GOOD: Readonly<Record<OptionName, { text: string; value: unknown }>> = {
  key: { text: "docs/build 2", value: "docs/build 2" },
  priority: { text: "9", value: 9 },
  maxRetries: { text: "7", value: 7 },
  autoRetry: { text: "true", value: true },
  timeout: { text: "1h30m", value: 5400 },
  timeoutWarning: { text: "90", value: 90 },
  idleTimeout: { text: "2.5s", value: 2.5 },
  budget: { text: "0.50", value: 0.5 },
  verify: { text: "make test", value: ["sh", "-c", "make test"] },
  worktree: { text: "true", value: true },
  base: { text: "origin/main~2", value: "origin/main~2" },
  dirty: { text: "carry", value: "carry" },
  dependsOn: { text: "task_1772625600009", value: ["task_1772625600009"] },
  labels: { text: "team=x=y", value: { team: "x=y" } },
  touches: { text: "src/**/*.{ts,tsx}", value: ["src/**/*.{ts,tsx}"] },
};

/** What no option takes, and what some do not. */
const BAD: Readonly<Record<OptionName, { texts: string[]; values: unknown[] }>> = {
  key: {
    texts: ["", "612", "@last", "a,b", "task_1", " a", "a ", "-a", "a\n"],
    values: [1, {}, "123"],
  },
  priority: { texts: ["0", "11", "1.5", "", "x"], values: [0, 99, 1.5, "9", null] },
  maxRetries: { texts: ["-1", "1.5", ""], values: [-1, 0.5, "3", Infinity, null] },
  autoRetry: { texts: ["yes", ""], values: [0, "true", null] },
  timeout: { texts: ["0", "-5", "soon", ""], values: [0, -5, "soon", NaN, 4e8, [5]] },
  timeoutWarning: { texts: ["0", "1m1h"], values: [-1, "0s"] },
  idleTimeout: { texts: ["0", "x"], values: [0, true] },
  budget: { texts: ["0", "-1", "x", ""], values: [0, -1, "1", Infinity] },
  verify: { texts: ["", " "], values: ["", "\t", [], [1], ["a\0"], {}] },
  worktree: { texts: ["yes", ""], values: [0, "true", {}] },
  base: {
    texts: ["", "-x", "--upload-pack=x", "a b", "a\n", "a\0", "x".repeat(501)],
    values: ["", "-x", 1, {}],
  },
  dirty: { texts: ["", "Carry", "stash"], values: ["", true, []] },
  dependsOn: { texts: [""], values: ["", [""], [5], {}] },
  labels: { texts: ["oops", "=x", ""], values: [[], "a=b", { a: 1 }, { "": "x" }, null] },
  touches: {
    texts: ["", " ", "/etc/*", "C:/x", "../x", "a/../b", "a/..", "a\\b", "a\nb", "a\0"],
    values: ["", [""], [5], {}, null, ["a", "/b"], "x".repeat(1001)],
  },
};

Deno.test("every option has what follows from it: a field, a description, a schema", () => {
  const schemas = makeSchemas();
  assertEquals(
    Object.keys(schemas.tasks!.properties!),
    [...Object.keys(NEEDED), ...OPTION_LIST.map(([name]) => name)],
  );
  const settings = parseConfig({}) as unknown as Record<string, unknown>;
  for (const [name, { about, kind, fallback, setting }] of OPTION_LIST) {
    assertEquals(FIELDS[name], { kind: kind.field, fallback }, name);
    assertStringIncludes(schemas.tasks!.properties![name]!.description!, about);
    assertStringIncludes(schemas.task!.properties![name]!.description!, about);
    if (setting !== undefined) assertEquals(settings[setting], fallback, name);
  }
});

Deno.test("every option takes its good values as texts and as values, and they reach the task", () => {
  for (const [name, { kind }] of OPTION_LIST) {
    const { text, value } = GOOD[name];
    assertEquals(kind.parse(text), value, name);
    assertEquals(kind.check(value), value, name);
    const read = readWish({ agent: "a", prompt: "p", [name]: value });
    assert("wish" in read, name);
    const task = newTask(ID, read.wish, 0);
    assertEquals(task[name], value);
    const again = parseTask(formatTask(task), ID);
    assert("task" in again, name);
    assertEquals(again.task[name], value, name);
  }
});

Deno.test("no option takes what is none of its values, and the refusal names the option", async () => {
  for (const [name, { kind }] of OPTION_LIST) {
    for (const text of BAD[name].texts) {
      assertEquals(kind.parse(text), undefined, `${name} ${JSON.stringify(text)}`);
    }
    for (const value of BAD[name].values) {
      const read = readWish({ agent: "a", prompt: "p", [name]: value });
      assert("problem" in read, `${name} ${JSON.stringify(value)}`);
      const error = await refusalError(read.problem);
      assertEquals(error.code, "usage");
      assertStringIncludes(error.message, `"${name}" must be ${kind.must}`);
    }
  }
});

Deno.test("null is none where an option may have none, and what is absent stays absent", () => {
  for (const [name, { fallback }] of OPTION_LIST) {
    if (fallback !== null) continue;
    assertEquals(readWish({ agent: "a", prompt: "p", [name]: null }), {
      wish: { agent: "a", prompt: "p", [name]: null },
    });
  }
  assertEquals(readWish({ agent: "a", prompt: "p", timeout: undefined }), {
    wish: { agent: "a", prompt: "p" },
  });
});

Deno.test("a value of a list may be a text, as on the command line", () => {
  const wish = { agent: "a", prompt: "p" };
  assertEquals(
    readWish({ ...wish, timeout: "1h30m", idleTimeout: 5, dependsOn: "k", verify: "make" }),
    {
      wish: {
        ...wish,
        timeout: 5400,
        idleTimeout: 5,
        dependsOn: ["k"],
        verify: ["sh", "-c", "make"],
      },
    },
  );
});

Deno.test("what is no new task says what is wrong, and what was meant", async () => {
  for (
    const [value, says] of [
      [{ agent: "a" }, '"prompt"'],
      [{ prompt: "p" }, '"agent"'],
      [{ agent: "a", prompt: " \n" }, '"prompt"'],
      [{ agent: "a", prompt: "a\0b" }, "NUL"],
      [{ agent: "a", prompt: "p", dependson: [] }, 'Did you mean "dependsOn"?'],
      [{ agent: "a", prompt: "p", ["__proto__x"]: 1 }, "There are: agent, prompt, key"],
      [null, "an object"],
      [[], "an object"],
      ["x", "an object"],
    ] as const
  ) {
    const read = readWish(value);
    assert("problem" in read, JSON.stringify(value));
    const { message, hint = "" } = await refusalError(read.problem);
    assertStringIncludes(`${message} ${hint}`, says);
  }
});

Deno.test("a retry inherits every option that says so, and shares no value with its predecessor", () => {
  const values = Object.fromEntries(OPTION_LIST.map(([name]) => [name, GOOD[name].value]));
  const read = readWish({ agent: "a", prompt: "p", ...values });
  assert("wish" in read);
  const first: Task = { ...newTask(ID, read.wish, 0), status: "failed" };
  const second = successorOf(first, "task_1772625600001", {}, 1);
  for (const [name, { inherited, fallback }] of OPTION_LIST) {
    assertEquals(second[name], inherited ? first[name] : fallback, name);
    if (typeof first[name] === "object") assert(second[name] !== first[name], name);
  }
});

Deno.test("a number that the ancestor wrote for none, or as a text, is read as what it meant", () => {
  const whole = { ...newTask(ID, { agent: "a", prompt: "p" }, 0) };
  for (const timeout of [0, -1]) {
    const parsed = parseTask(
      JSON.stringify({ ...whole, timeout, idleTimeout: 0, pid: "4242" }),
      ID,
    );
    assert("task" in parsed, JSON.stringify(parsed));
    assertEquals([parsed.task.timeout, parsed.task.idleTimeout, parsed.task.pid], [
      null,
      null,
      4242,
    ]);
  }
});

// ---------------------------------------------------------------------------------------------
// An option more

/** A copy of the program in which an edit was made to the table, and to nothing else. */
async function copyProgram(to: string, edit: (table: string) => string): Promise<void> {
  const root = filePath(new URL("../../", import.meta.url));
  const copy = (name: string) => {
    const info = Deno.statSync(root + name);
    if (info.isDirectory) {
      Deno.mkdirSync(`${to}/${name}`, { recursive: true });
      for (const entry of Deno.readDirSync(root + name)) copy(`${name}/${entry.name}`);
    } else Deno.copyFileSync(root + name, `${to}/${name}`);
  };
  for (const name of ["deno.json", "deno.lock", "main.ts", "mod.ts", "lib", "templates", "docs"]) {
    copy(name);
  }
  const path = `${to}/lib/task/options.ts`;
  await Deno.writeTextFile(path, edit(await Deno.readTextFile(path)));
}

Deno.test("an option is added in one place: command line, list, library, help, schema, retry", async () => {
  await using program = await makeFolder();
  await using box = await makeBox();
  await copyProgram(program.path, (table) => {
    const type = "export interface TaskOptions {\n";
    const entry =
      "export const OPTIONS: { readonly [K in OptionName]: Option<TaskOptions[K]> } = {\n";
    for (const mark of [type, entry]) assert(table.includes(mark), mark);
    return table
      .replace(type, `${type}  /** How loud it is. */\n  volume: number;\n`)
      .replace(
        entry,
        `${entry}  volume: {
          kind: integer(0, 11),
          about: "how loud it is",
          placeholder: "0..11",
          letter: "V",
          fallback: 3,
          inherited: true,
        },\n`,
      );
  });
  const deno = async (args: string[], stdin = "") => {
    await using live = spawn(Deno.execPath(), args, { cwd: box.root, stdin });
    const { code, stdout, stderr } = await live.ended();
    return { code, stdout, stderr };
  };
  const main = commandLine().slice(1, -1);
  const run = async (stdin: string, ...args: string[]) =>
    await deno([...main, `${program.path}/main.ts`, ...args], stdin);
  const ok = async (stdin: string, ...args: string[]) => {
    const { code, stdout, stderr } = await run(stdin, ...args);
    assertEquals(code, 0, stderr);
    return stdout;
  };

  // Command line: long, short, default, refusal, help.
  assertEquals(
    JSON.parse(await ok("", "start", "shell", "false", "--volume", "11", "--json")).volume,
    11,
  );
  const short = JSON.parse(await ok("", "start", "shell", "x", "-V", "0", "--json"));
  assertEquals(short.volume, 0);
  assertEquals(JSON.parse(await ok("", "start", "shell", "x", "--json")).volume, 3);
  const refused = await run("", "start", "shell", "x", "--volume", "12");
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, '"12" is not a whole number from 0 to 11');
  assertStringIncludes(await ok("", "start", "--help"), "--volume");
  assertStringIncludes(await ok("", "start", "--help"), "how loud it is (3)");

  // List of tasks.
  const line = '{"agent": "shell", "prompt": "x", "volume": 5}';
  const [{ taskId }] = JSON.parse(await ok(line, "start", "--from", "-", "--json"));
  assertEquals((box.task(taskId) as unknown as { volume: number }).volume, 5);
  const bad = await run(line.replace("5", "12"), "start", "--from", "-");
  assertEquals(bad.code, 2);
  assertStringIncludes(bad.stderr, '"volume" must be a whole number from 0 to 11, and is 12');

  // Library, its type, the schemas, and what a retry inherits.
  Deno.writeTextFileSync(
    `${program.path}/uses.ts`,
    `import { type NewTask, openWorkspace, type Task } from "./mod.ts";
    import { makeSchemas } from "./docs/json_schemas.ts";
    import { successorOf } from "./lib/decide/retry.ts";
    const wanted: NewTask = { agent: "shell", prompt: "x", volume: 7 };
    const task: Task = await openWorkspace(${JSON.stringify(box.root)}).start(wanted);
    const refused = await openWorkspace(${JSON.stringify(box.root)})
      .start({ ...wanted, volume: 12 }).then(() => "queued", (error) => error.code);
    const volume: number = successorOf({ ...task, status: "failed" }, task.taskId, {}, 0).volume;
    const { tasks, task: file } = makeSchemas();
    console.log(JSON.stringify([
      task.volume, refused, volume, tasks!.properties!.volume, file!.properties!.volume,
    ]));`,
  );
  const used = await deno(["run", "-A", "--check", "--quiet", `${program.path}/uses.ts`]);
  assertEquals(used.code, 0, used.stderr);
  assertEquals(JSON.parse(used.stdout), [
    7,
    "usage",
    7,
    { description: "how loud it is", type: "integer", minimum: 0, maximum: 11 },
    { description: "how loud it is", default: 3, type: ["number", "null"] },
  ]);

  // A file that is damaged there is one that is damaged.
  Deno.writeTextFileSync(
    box.path(`tasks/${taskId}.json`),
    JSON.stringify({ ...box.task(taskId), volume: "loud" }),
  );
  assertStringIncludes((await run("", "show", taskId)).stderr, 'bad "volume"');
});
