// The documentation against the program: generated parts are current, links lead somewhere, every
// documented command is one that the program takes, examples are valid and the programs among them
// run, and the JSON Schemas say what the program says. A page is wrong where one of these tests
// fails, or the program is.

import { buildRouteMap, type Command, type RouteMap, run } from "@stricli/core";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { type JsonSchema, makeSchemas, schemaOf } from "../../docs/json_schemas.ts";
import { generate, listCommands } from "../../docs/generate.ts";
import { parseCommandLine } from "../../lib/cli/main.ts";
import { type Context, createContext } from "../../lib/cli/context.ts";
import { createApplication, Misspelt, ROUTES } from "../../lib/cli/application.ts";
import { CONFIG_ABOUT } from "../../lib/settings/config.ts";
import { isRegExp } from "../../lib/settings/agent_shape.ts";
import { parseAgent, parseConfig } from "../../lib/settings/schemas.ts";
import { refusalError } from "../../lib/queue/refusal.ts";
import { readWish } from "../../lib/task/options.ts";
import { parseDoneSentinel, parseErrorSentinel } from "../../lib/queue/observe.ts";
import {
  FIELDS,
  formatTask,
  isTaskId,
  newTask,
  parseTask,
  type Task,
} from "../../lib/task/fields.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import * as z from "zod/mini";

const ROOT = new URL("../../", import.meta.url);
const ROOT_PATH = decodeURIComponent(ROOT.pathname);

/** All pages, by their path from the root. */
function listPages(): Map<string, string> {
  const names = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
  for (const { name } of Deno.readDirSync(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) names.push(`docs/${name}`);
  }
  return new Map(names.sort().map((name) => [name, Deno.readTextFileSync(new URL(name, ROOT))]));
}

const PAGES = listPages();

function page(name: string): string {
  const text = PAGES.get(name);
  assert(text !== undefined, `there is no page ${name}`);
  return text;
}

interface Block {
  page: string;
  line: number;
  language: string;
  text: string;
}

function listBlocks(...languages: string[]): Block[] {
  const blocks: Block[] = [];
  for (const [name, text] of PAGES) {
    let open: Block | undefined;
    for (const [at, line] of text.split("\n").entries()) {
      const fence = /^```(\S*)/.exec(line);
      if (open === undefined) {
        if (fence !== null) open = { page: name, line: at + 1, language: fence[1]!, text: "" };
      } else if (fence !== null) {
        if (languages.includes(open.language)) blocks.push(open);
        open = undefined;
      } else open.text += `${line}\n`;
    }
    assertEquals(open, undefined, `${name}: a block is not closed`);
  }
  return blocks;
}

function place({ page, line }: Block): string {
  return `${page}, block at line ${line}`;
}

// ---------------------------------------------------------------------------------------------

Deno.test("the generated parts of the documentation are current", async () => {
  const generated = await generate();
  for (const [name, text] of generated) {
    let found: string | undefined;
    try {
      found = Deno.readTextFileSync(new URL(name, ROOT));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    assert(
      text === found,
      `${name} is not current; bring it up to date with: deno run -A docs/generate.ts`,
    );
  }
  for (const { name } of Deno.readDirSync(new URL("docs/schemas/", ROOT))) {
    assert(generated.has(`docs/schemas/${name}`), `docs/schemas/${name} is made by nothing`);
  }
});

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replace(/[`*_]/g, "").toLowerCase()
    .replace(/[^\p{L}\p{N}\- ]/gu, "").replaceAll(" ", "-");
}

function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutCode(text, false).matchAll(/^#{1,6} +(.+)$/gm)) {
    const anchor = anchorOf(heading!);
    let unique = anchor;
    for (let number = 1; anchors.has(unique); number++) unique = `${anchor}-${number}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(text: string, inline = true): string {
  const outside = text.replace(/^```[^]*?^```$/gm, "");
  return inline ? outside.replace(/`[^`\n]*`/g, "") : outside;
}

Deno.test("every internal link of the documentation leads somewhere", () => {
  const problems: string[] = [];
  for (const [name, text] of PAGES) {
    const links = withoutCode(text).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g);
    for (const [, target] of links) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path = "", anchor] = target!.split("#");
      const file = path === ""
        ? name
        : new URL(path, new URL(name, ROOT)).href.slice(ROOT.href.length);
      const found = PAGES.get(file);
      if (found === undefined) {
        try {
          Deno.statSync(new URL(file, ROOT));
        } catch {
          problems.push(`${name}: ${target}: there is no such file`);
        }
      } else if (anchor !== undefined && !anchorsOf(found).has(anchor)) {
        problems.push(`${name}: ${target}: there is no such heading`);
      }
    }
  }
  assertEquals(problems, []);
});

// ---------------------------------------------------------------------------------------------
// Command lines

const SOME_ID = "task_1795331564659";

/**
 * The commands of a shell text, each as its words: enough of the grammar for documentation. Variables
 * and substitutions stand for a task's id; what is substituted is a command of its own.
 */
export function splitShell(text: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let skipWord = false;
  let quoted = false;
  const endWord = () => {
    if (word !== undefined && !skipWord) words.push(word);
    if (word !== undefined) skipWord = false;
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    while (words.length > 0 && /^(?:\w+=.*|do|then|else|if|while|!)$/.test(words[0]!)) {
      words.shift();
    }
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "\\") {
      at++;
      if (text[at] !== "\n") word = (word ?? "") + (text[at] ?? "");
    } else if (char === "'" && !quoted) {
      const end = text.indexOf("'", at + 1);
      assert(end > 0, `a quote is not closed: ${text.slice(at, at + 40)}`);
      word = (word ?? "") + text.slice(at + 1, end);
      at = end;
    } else if (char === "$" && text[at + 1] === "(") {
      let depth = 1;
      let end = at + 2;
      for (; depth > 0 && end < text.length; end++) {
        if (text[end] === "(") depth++;
        else if (text[end] === ")") depth--;
      }
      commands.push(...splitShell(text.slice(at + 2, end - 1)));
      word = (word ?? "") + SOME_ID;
      at = end - 1;
    } else if (char === "$" && /[A-Za-z_]/.test(text[at + 1] ?? "")) {
      while (/\w/.test(text[at + 1] ?? "")) at++;
      word = (word ?? "") + SOME_ID;
    } else if (char === '"') {
      word ??= "";
      quoted = !quoted;
    } else if (quoted) word = (word ?? "") + char;
    else if (char === "#" && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== "\n") at++;
    } else if (/[;&|\n()]/.test(char)) endCommand();
    else if (/[<>]/.test(char)) {
      if (/^\d$/.test(word ?? "")) word = undefined;
      endWord();
      while (/[<>&]/.test(text[at + 1] ?? "")) at++;
      skipWord = true;
    } else if (/\s/.test(char)) endWord();
    else word = (word ?? "") + char;
  }
  endCommand();
  return commands;
}

type Target = Command<Context> | RouteMap<Context>;

/** The command tree with commands that do nothing but tell that they were reached. */
function rehearse(target: Target, path: string[], reached: (path: string[]) => void): Target {
  if (!("getAllEntries" in target)) {
    // deno-lint-ignore require-await
    return { ...target, loader: async () => () => reached(path) } as Command<Context>;
  }
  const first = target.getDefaultCommand();
  const routes: Record<string, Target> = {};
  let defaultCommand: string | undefined;
  for (const entry of target.getAllEntries()) {
    const name = entry.name.original;
    if (entry.target === first) defaultCommand = name;
    routes[name] = rehearse(entry.target, [...path, entry.name["convert-camel-to-kebab"]], reached);
  }
  return buildRouteMap({
    routes: routes as never,
    docs: { brief: target.brief },
    ...(defaultCommand === undefined ? {} : { defaultCommand: defaultCommand as never }),
  }) as RouteMap<Context>;
}

/** Parses a command line as the program would. Which command it is, or what the program says. */
async function rehearseCommand(args: string[]): Promise<{ path: string[] } | { problem: string }> {
  const { special, rest, globals } = parseCommandLine(args);
  if (special !== undefined) return { path: [] };
  if (rest.at(-1) === "--help") rest.pop();
  let path: string[] | undefined;
  const routes = Object.fromEntries(
    Object.entries(ROUTES).map(([name, target]) => [
      name,
      rehearse(target as Target, [name], (found) => path = found),
    ]),
  );
  const root = buildRouteMap({ routes: routes as never, docs: { brief: "" } });
  const app = { ...createApplication({ json: false, debug: false }), root } as ReturnType<
    typeof createApplication
  >;
  const said: string[] = [];
  const write = (text: string) => void said.push(text);
  const context: Context = {
    ...createContext(globals, ""),
    process: { stdout: { write }, stderr: { write } },
  };
  try {
    await run(app, rest, context);
  } catch (error) {
    if (!(error instanceof Misspelt)) throw error;
    said.push(`${error.message}: there are ${error.known.map((name) => error.prefix + name)}`);
  }
  return path === undefined ? { problem: said.join("").trim() } : { path };
}

/** The arguments after the program's name, where a command line starts Orchestra. */
function orchestraArguments(words: readonly string[]): string[] | undefined {
  if (words[0] === "orchestra") return words.slice(1);
  if (words[0] !== "deno" || words[1] !== "run") return undefined;
  const at = words.findIndex((word) =>
    word === "main.ts" || word === "jsr:@orchestra/cli" || word === "dist/orchestra.js"
  );
  return at < 0 ? undefined : words.slice(at + 1);
}

Deno.test("splitShell finds the commands of a shell text", () => {
  assertEquals(
    splitShell(
      "a=$(orchestra start -q x 'it''s' | cat) # no; no\nb && c \"d e\" <f >>g 2>&1; h \\\n i",
    ),
    [["orchestra", "start", "-q", "x", "its"], ["cat"], ["b"], ["c", "d e"], ["h", "i"]],
  );
});

Deno.test("every documented command is one that the program takes", async () => {
  const problems: string[] = [];
  const shown = new Map<string, Set<string>>();
  const settings: string[] = [];
  let count = 0;
  for (const block of listBlocks("sh")) {
    for (const words of splitShell(block.text)) {
      const args = orchestraArguments(words);
      if (args === undefined) continue;
      count++;
      const result = await rehearseCommand(args);
      if ("problem" in result) {
        problems.push(`${place(block)}: ${words.join(" ")}: ${result.problem}`);
        continue;
      }
      const name = result.path.join(" ");
      shown.set(block.page, (shown.get(block.page) ?? new Set()).add(name));
      if (name === "config set") settings.push(args.at(-2)!);
      if (name === "init" || name === "agents check") {
        const at = args.indexOf("--agent");
        const agent = name === "init" ? (at < 0 ? undefined : args[at + 1]) : args.at(-1);
        if (agent !== undefined && !Object.hasOwn(PRESETS, agent)) {
          problems.push(`${place(block)}: there is no preset ${agent}`);
        }
      }
    }
  }
  assertEquals(problems, []);
  assert(count > 40, `only ${count} commands were found`);
  assertEquals(settings.filter((key) => !Object.hasOwn(CONFIG_ABOUT, key)), []);
  const guide = shown.get("docs/guide.md") ?? new Set();
  const missing = listCommands().map(({ path }) => path.join(" ")).filter((name) =>
    !guide.has(name)
  );
  assertEquals(missing, [], "the guide shows every command at work");
});

Deno.test("a documented command with an unknown option is noticed", async () => {
  const result = await rehearseCommand(["start", "shell", "x", "--priorty", "3"]);
  assert("problem" in result);
  assertStringIncludes(result.problem, "--priority");
  assert("problem" in await rehearseCommand(["strat"]));
  assert("problem" in await rehearseCommand(["run", "--parallel", "many"]));
  assertEquals(await rehearseCommand(["timeout", SOME_ID]), { path: ["timeout", "now"] });
});

Deno.test("every documented task of deno.json exists", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const problems: string[] = [];
  for (const block of listBlocks("sh")) {
    for (const words of splitShell(block.text)) {
      const at = words.indexOf("task");
      if (at < 0 || !(words[0] === "deno" || words[0] === "npx")) continue;
      if (!Object.hasOwn(tasks, words[at + 1] ?? "")) {
        problems.push(`${place(block)}: ${words.join(" ")}`);
      }
    }
  }
  assertEquals(problems, []);
});

// ---------------------------------------------------------------------------------------------
// Settings, agents, tasks

/** First cells of the rows of the table in a generated part. */
function firstCells(name: string, part: string): string[] {
  const region = new RegExp(
    `<!-- generated: ${part} -->([^]*?)<!-- end of generated -->`,
  ).exec(page(name));
  assert(region !== null, `${name} has no part ${part}`);
  return [...region[1]!.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell!);
}

Deno.test("the documented settings and fields are those of the program", async () => {
  assertEquals(firstCells("docs/formats.md", "config-keys"), Object.keys(CONFIG_ABOUT));
  assertEquals(firstCells("docs/formats.md", "task-fields"), Object.keys(FIELDS));
  const flat = (value: object, prefix = ""): string[] =>
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? flat(inner, `${prefix}${key}.`)
        : [prefix + key]
    );
  assertEquals(flat(parseConfig({})), Object.keys(CONFIG_ABOUT));
  const agents = firstCells("docs/agents.md", "agent-fields");
  const unknown = parseAgent({ command: "x", "no such field": 1 });
  assert("problem" in unknown);
  for (const field of agents) assertStringIncludes(unknown.problem, field);
  const imports = firstCells("docs/formats.md", "import-fields");
  const wrong = readWish({ agent: "x", prompt: "y", "no such field": 1 });
  assert("problem" in wrong);
  const { hint = "" } = await refusalError(wrong.problem);
  for (const field of imports) assertStringIncludes(hint, field);
});

Deno.test("the examples of agents, settings and tasks are valid", () => {
  let seen = 0;
  for (const block of listBlocks("json")) {
    const value = JSON.parse(block.text);
    if (value.agents !== undefined) {
      assertValid("agent-config", value, place(block));
      for (const [name, agent] of Object.entries(value.agents)) {
        const parsed = parseAgent(agent);
        assert(!("problem" in parsed), `${place(block)}: agent ${name}: ${JSON.stringify(parsed)}`);
        seen++;
      }
    } else if (value.summary !== undefined) {
      assertValid("done", value, place(block));
      assertEquals(parseDoneSentinel(block.text), value, place(block));
      seen++;
    } else if (value.details !== undefined) {
      assertValid("error", value, place(block));
      assertEquals(parseErrorSentinel(block.text).message, value.error, place(block));
      seen++;
    } else if (Object.keys(value).some((key) => Object.hasOwn(parseConfig({}), key))) {
      assertValid("config", value, place(block));
      parseConfig(value, place(block));
      seen++;
    }
  }
  for (const block of listBlocks("jsonl")) {
    for (const line of block.text.trim().split("\n")) {
      assertValid("tasks", JSON.parse(line), place(block));
      const parsed = readWish(JSON.parse(line));
      assert(!("problem" in parsed), `${place(block)}: ${JSON.stringify(parsed)}`);
      seen++;
    }
  }
  assert(seen > 10, `only ${seen} examples were found`);
});

// ---------------------------------------------------------------------------------------------
// JSON Schemas

const SCHEMAS = makeSchemas();

/** The schemas as a validator reads them; in its strict mode, which refuses what means nothing. */
const VALIDATORS: ReadonlyMap<string, ValidateFunction> = new Map(
  Object.entries(SCHEMAS).map(([name, schema]) => [
    name,
    new Ajv2020({ strict: true, allowUnionTypes: true, formats: { regex: isRegExp } })
      .compile(schema),
  ]),
);

/** What is wrong with a value by a schema; null where nothing is. */
function schemaProblem(name: string, value: unknown): string | null {
  const validate = VALIDATORS.get(name);
  assert(validate !== undefined, `there is no schema ${name}`);
  if (validate(value)) return null;
  return validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`)
    .join("; ");
}

function assertValid(name: string, value: unknown, what: string): void {
  assertEquals(schemaProblem(name, value), null, `${what}, by ${name}.schema.json`);
}

/** What the program says to a value, for each schema that has a gate of its own. */
const GATES: Readonly<Record<string, (value: unknown) => string | null>> = {
  "config": (value) => {
    try {
      parseConfig(value);
      return null;
    } catch (error) {
      return String(error);
    }
  },
  "agent-config": (value) => {
    // The file as a whole is judged where it is loaded; see the test with a workspace.
    for (const agent of Object.values((value as { agents: object }).agents)) {
      const parsed = parseAgent(agent);
      if ("problem" in parsed) return parsed.problem;
    }
    return null;
  },
  "tasks": (value) => {
    const parsed = readWish(value);
    return "problem" in parsed ? JSON.stringify(parsed.problem) : null;
  },
  "task": (value) => {
    const id = (value as Partial<Task>).taskId;
    // The name of a file is a task id, whatever its content says.
    const promised = typeof id === "string" && isTaskId(id) ? id : SOME_ID;
    const parsed = parseTask(JSON.stringify(value), promised);
    return "problem" in parsed ? parsed.problem : null;
  },
};

Deno.test("every JSON Schema says what it is, and what each property means", () => {
  const addresses = new Set<string>();
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    assertEquals(schema.$schema, "https://json-schema.org/draft/2020-12/schema", name);
    assert(schema.$id && schema.title && schema.description, name);
    addresses.add(schema.$id);
    let count = 0;
    const walk = (part: unknown, path: string): void => {
      if (typeof part !== "object" || part === null) return;
      for (const [key, inner] of Object.entries(part)) {
        if (key === "properties") {
          for (const [property, { description }] of Object.entries(inner as JsonSchema[])) {
            count++;
            assert(description, `${path}.${property} is not described`);
          }
        }
        walk(inner, `${path}.${key}`);
      }
    };
    walk(schema, name);
    assert(count > 1, `${name} has only ${count} properties`);
    assertStringIncludes(page("docs/formats.md"), `(schemas/${name}.schema.json)`);
  }
  assertEquals(addresses.size, Object.keys(SCHEMAS).length);
});

Deno.test("the defaults in the JSON Schemas are those of the program", () => {
  const defaults = (schema: JsonSchema): unknown =>
    schema.properties === undefined ? schema.default : Object.fromEntries(
      Object.entries(schema.properties).map(([name, part]) => [name, defaults(part)]),
    );
  assertEquals(defaults(SCHEMAS.config!), parseConfig({}));
  for (const [name, part] of Object.entries(SCHEMAS.task!.properties!)) {
    const { fallback } = FIELDS[name as keyof Task];
    assertEquals(part.default, fallback, name);
    assertEquals(SCHEMAS.task!.required!.includes(name), fallback === undefined, name);
  }
});

Deno.test("what the program writes and brings passes the JSON Schemas", async () => {
  for (const [name, { agent }] of Object.entries(PRESETS)) {
    assertValid("agent-config", { agents: { [name]: agent } }, `the preset ${name}`);
  }
  const wanted = { agent: "shell", prompt: "date", timeout: 9, labels: { a: "b" }, verify: ["x"] };
  assertValid("task", JSON.parse(formatTask(newTask(SOME_ID, wanted, 1e12))), "a new task");
  assertEquals(Object.keys(LEGACY_TASKS).length, 9);
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    assertValid("task", JSON.parse(text), `the ancestor's ${id}`);
  }
  await withWorkspace(async (root) => {
    const read = (path: string) => JSON.parse(Deno.readTextFileSync(`${root}/${path}`));
    assertEquals((await orchestra(root, "init", "--agent", "codex,gemini")).code, 0);
    assertEquals((await orchestra(root, "config", "init")).code, 0);
    assertEquals((await orchestra(root, "config", "set", "retry.cap", "10m")).code, 0);
    assertValid("agent-config", read(".orchestra-cli/agent-config.json"), "what init writes");
    assertValid("config", read(".orchestra/config.json"), "what config writes");
    for (const prompt of ["exit 3", 'echo \'{"summary": "all"}\' > $ORCHESTRA_DONE_FILE']) {
      assertEquals((await orchestra(root, "start", "shell", prompt, "--max-retries", "0")).code, 0);
    }
    assertEquals((await orchestra(root, "run", "--all", "--wait")).code, 1);
    const files = [...Deno.readDirSync(`${root}/.orchestra/tasks`)]
      .filter(({ name }) => name.endsWith(".json"));
    assertEquals(files.length, 2);
    for (const { name } of files) assertValid("task", read(`.orchestra/tasks/${name}`), name);

    // A schema may be named in the agents file, and the whole file is what its schema says.
    const path = `${root}/.orchestra-cli/agent-config.json`;
    for (const [text, good] of AGENT_FILES) {
      Deno.writeTextFileSync(path, text);
      const { code, stderr } = await orchestra(root, "agents");
      assertEquals(code === 0, good, `${text}: ${stderr}`);
      assertEquals(schemaProblem("agent-config", JSON.parse(text)) === null, good, text);
    }
  });
  const legacy = Deno.makeTempDirSync({ prefix: "orchestra-docs-" });
  try {
    writeLegacyWorkspace(legacy);
    const agents = Deno.readTextFileSync(`${legacy}/.orchestra-cli/agent-config.json`);
    assertValid("agent-config", JSON.parse(agents), "the ancestor's agents");
  } finally {
    Deno.removeSync(legacy, { recursive: true });
  }
});

/** Agents files, and whether they can be loaded. */
const AGENT_FILES: readonly (readonly [string, boolean])[] = [
  ['{"$schema": "agent-config.schema.json", "agents": {"x": {"command": "true"}}}', true],
  ['{"agents": {}, "of": "the user"}', true],
  ['{"agents": []}', false],
  ['{"agents": null}', false],
  ["{}", false],
  ["[]", false],
  ["null", false],
];

/** Documents that the program takes, and such as it refuses, by schema. */
const SAMPLES: Readonly<Record<string, { good: unknown[]; bad: unknown[] }>> = {
  "config": {
    good: [
      {},
      { max_concurrent: 1, retry: {}, archive: { archive_dir: ".orchestra/archive" } },
      { timeout: null, grace_period: 0, priority: 10, retry: { on: ["exit", "lost"], base: 0.5 } },
    ],
    bad: [
      [],
      null,
      { "$schema": "config.schema.json" },
      { max_concurent: 1 },
      { max_concurrent: 0 },
      { max_concurrent: 1.5 },
      { priority: 11 },
      { timeout: "5m" },
      { grace_period: 3601 },
      { retry: null },
      { retry: { on: ["exti"] } },
      { retry: { factor: 0.5 } },
      { archive: { archive_dir: "/tmp" } },
    ],
  },
  "agent-config": {
    good: [
      { agents: { x: { command: "true" }, "": { command: "true", args: ["{prompt}", ""] } } },
      {
        agents: {
          x: {
            command: "x",
            env: { A: "" },
            completion: "auto",
            rateLimit: { patterns: ["\\d+ left"] },
          },
        },
      },
    ],
    bad: [
      { agents: { x: {} } },
      { agents: { x: { command: "" } } },
      { agents: { x: { command: "a\0b" } } },
      { agents: { x: { command: "x", args: "y" } } },
      { agents: { x: { command: "x", arg: ["y"] } } },
      { agents: { x: { command: "x", env: { "A=B": "" } } } },
      { agents: { x: { command: "x", env: { "": "" } } } },
      { agents: { x: { command: "x", verify: [] } } },
      { agents: { x: { command: "x", completion: "done" } } },
      { agents: { x: { command: "x", rateLimit: { patterns: ["("] } } } },
      { agents: { x: { command: "x", rateLimit: { patterns: ["x"], resetPattern: "[" } } } },
      { agents: { x: { command: "x", rateLimit: {} } } },
      { agents: { x: { command: "x" }, y: null } },
    ],
  },
  "tasks": {
    good: [
      { agent: "x", prompt: "y" },
      { key: "k", agent: "x", prompt: "y", dependsOn: "a", timeout: " 1H30m ", budget: 0.1 },
      { agent: "x", prompt: "y", dependsOn: ["a", "b"], timeout: 90, idleTimeout: null },
      { agent: "x", prompt: "y", timeout: "1.5", timeoutWarning: "2.5s", labels: { a: "" } },
      { agent: "x", prompt: "y", timeout: "2d" },
    ],
    bad: [
      {},
      "x",
      { agent: "x" },
      { agent: "", prompt: "y" },
      { agent: "x", prompt: "a\0b" },
      { agent: "x", prompt: "y", priority: 0 },
      { agent: "x", prompt: "y", maxRetries: -1 },
      { agent: "x", prompt: "y", timeout: "soon" },
      { agent: "x", prompt: "y", timeout: "" },
      { agent: "x", prompt: "y", timeout: "0s" },
      { agent: "x", prompt: "y", timeout: "1m1h" },
      { agent: "x", prompt: "y", timeout: 0 },
      { agent: "x", prompt: "y", dependsOn: [""] },
      { agent: "x", prompt: "y", labels: { a: 1 } },
      { agent: "x", prompt: "y", taskId: "task_1795331564659" },
    ],
  },
  "task": {
    good: [
      { taskId: SOME_ID, status: "failed", agent: "x", prompt: "y", createdAt: "2026-01-31" },
      {
        ...newTask(SOME_ID, { agent: "", prompt: "" }, 0),
        createdAt: "2026-01-31 12:00",
        mine: { any: ["thing"] },
        dependsOn: null,
        priority: 99,
        failureClass: "of a later version",
        retryHistory: [{ attempt: 1, timestamp: "then", more: true }],
      },
    ],
    bad: [
      {},
      [],
      ...[
        { taskId: "task_123456789" },
        { status: "blocked" },
        { agent: null },
        { prompt: undefined },
        { createdAt: "yesterday" },
        { createdAt: null },
        { startedAt: "2026-01-31T12:00:00.5+1:00" },
        { retriedBy: "task_123456789012345678901" },
        { dependsOn: [1] },
        { autoRetry: "yes" },
        { labels: { a: 1 } },
        { labels: ["a"] },
        { retryHistory: [{ attempt: "1", timestamp: "then" }] },
        { retryHistory: [{ attempt: 1, timestamp: "then", retriedFrom: "x" }] },
        { verify: "x" },
        { usage: [] },
      ].map((part) => ({ ...newTask(SOME_ID, { agent: "x", prompt: "y" }, 0), ...part })),
    ],
  },
};

Deno.test("the JSON Schemas and the program agree on good and bad documents", () => {
  for (const [name, { good, bad }] of Object.entries(SAMPLES)) {
    // As they come from a file: without what JSON does not have.
    const documents = (list: unknown[]) => list.map((value) => JSON.parse(JSON.stringify(value)));
    for (const value of documents(good)) {
      const text = JSON.stringify(value);
      assertEquals(GATES[name]!(value), null, `the program refuses ${text}`);
      assertValid(name, value, text);
    }
    for (const value of documents(bad)) {
      const text = JSON.stringify(value);
      assert(GATES[name]!(value) !== null, `the program takes ${text}`);
      assert(schemaProblem(name, value) !== null, `${name}.schema.json takes ${text}`);
    }
  }
  // What formats.md says they cannot say.
  const long = { agent: "x", prompt: "y", timeout: "4000d" };
  assert(GATES.tasks!(long) !== null && schemaProblem("tasks", long) === null);
  const never = { ...newTask(SOME_ID, { agent: "x", prompt: "y" }, 0), createdAt: "2026-13-01" };
  assert(GATES.task!(never) !== null && schemaProblem("task", never) === null);
});

Deno.test("a sentinel that its JSON Schema takes is understood in full", () => {
  const text = fc.string({ minLength: 1 });
  fc.assert(fc.property(
    fc.record({ summary: text, files: fc.array(text) }, { requiredKeys: [] }),
    (value) => {
      assertValid("done", value, JSON.stringify(value));
      assertEquals(parseDoneSentinel(JSON.stringify(value)), value);
    },
  ));
  fc.assert(fc.property(
    fc.record({ error: text, details: fc.jsonValue() }, { requiredKeys: ["error"] }),
    (value) => {
      assertValid("error", value, JSON.stringify(value));
      assertEquals(parseErrorSentinel(JSON.stringify(value)).message, value.error);
    },
  ));
  for (const value of [{ files: "x" }, { summary: 1 }, [], null]) {
    assert(schemaProblem("done", value) !== null, JSON.stringify(value));
  }
  for (const value of [{}, { error: "" }, { error: 1 }, { message: "x" }]) {
    assert(schemaProblem("error", value) !== null, JSON.stringify(value));
  }
});

/** Values among which each field finds some that it takes and many that it does not. */
const SOME_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, 1, 0.5, 5, 10, 11, -1, 3600, 3601, 2 ** 53, 315_360_001, {}, []],
  ...["", "x", "a\0b", "(", "\\d+", "5m", "0s", "1h30m", " 2D ", "m", "90", "exit", "auto"],
  ...["claude", ".orchestra/archive", SOME_ID, "task_1", "pending", "failed", "2026-01-31"],
  ...["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.123456", "2026-01-31 12:00+01:00"],
  ...[["x"], [""], ["exit", "idle"], ["("], [1], [SOME_ID], { A: "b" }, { "A=": "b" }, { A: 1 }],
  ...[{ attempt: 1, timestamp: "x" }, [{ attempt: 1, timestamp: "x", retriedFrom: SOME_ID }]],
];

/** Objects with some of a schema's properties, right or wrong, and now and then one of no schema. */
function generateDocument(schema: JsonSchema, start: object): fc.Arbitrary<unknown> {
  const entries = Object.entries(schema.properties!).map(([name, part]) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...SOME_VALUES) },
        { weight: 1, arbitrary: fc.jsonValue() },
        ...(part.properties === undefined
          ? []
          : [{ weight: 20, arbitrary: generateDocument(part, {}) }]),
      ),
    )
  );
  const unknown = fc.tuple(fc.string({ minLength: 1 }), fc.jsonValue());
  return fc.array(fc.oneof({ weight: 30, arbitrary: fc.oneof(...entries) }, unknown), {
    maxLength: 3,
  }).map((parts) => ({ ...start, ...Object.fromEntries(parts) }));
}

const GENERATED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "config": generateDocument(SCHEMAS.config!, {}),
  "agent-config": generateDocument(SCHEMAS["agent-config"]!.$defs!.agent!, { command: "x" })
    .map((agent) => ({ agents: { x: agent } })),
  "tasks": generateDocument(SCHEMAS.tasks!, { agent: "x", prompt: "y" }),
  "task": generateDocument(SCHEMAS.task!, newTask(SOME_ID, { agent: "x", prompt: "y" }, 0)),
};

for (const [name, documents] of Object.entries(GENERATED)) {
  Deno.test(`${name}.schema.json and the program agree on generated documents`, () => {
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(documents, (value) => {
        const text = JSON.stringify(value);
        // A key that JavaScript gives a meaning of its own; no file has a use for it.
        fc.pre(!text.includes("__proto__"));
        const program = GATES[name]!(JSON.parse(text));
        const schema = schemaProblem(name, JSON.parse(text));
        assertEquals(
          schema === null,
          program === null,
          `${text}: the program says ${program}, the schema ${schema}`,
        );
        if (program === null) taken++;
        else refused++;
      }),
      { numRuns: 1000 },
    );
    assert(taken > 100 && refused > 100, `${taken} were taken and ${refused} refused`);
  });
}

Deno.test("an editor's settings in the documentation name schemas that are there", () => {
  const settings = listBlocks("json").map((block) => JSON.parse(block.text)["json.schemas"])
    .filter((schemas) => schemas !== undefined).flat();
  assertEquals(settings.length, 3);
  for (const { url } of settings) {
    const path = /^\.\.\/orchestra\/(.*)$/.exec(url)?.[1];
    assert(path !== undefined, url);
    Deno.statSync(new URL(path, ROOT));
  }
});

Deno.test("a check that JSON Schema has no word for stops the generator", () => {
  const schema = z.strictObject({ a: z.string().check(z.refine((text) => text > "b", "is late")) });
  assertStringIncludes(assertThrows(() => schemaOf(schema), Error).message, "is late");
});

// ---------------------------------------------------------------------------------------------
// Programs

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

async function deno(cwd: string, ...args: string[]): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function orchestra(cwd: string, ...args: string[]): Promise<Ran> {
  return deno(cwd, "run", "-A", "--quiet", `${ROOT_PATH}main.ts`, ...args);
}

/** A workspace in a folder that goes away with it. */
async function withWorkspace(body: (root: string) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "orchestra-docs-" });
  try {
    const made = await orchestra(root, "init");
    assertEquals(made.code, 0, made.stderr);
    await body(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

const CONFIG = `${ROOT_PATH}deno.json`;

Deno.test("the program of README runs and prints what README says", async () => {
  const programs = listBlocks("ts").filter((block) => block.page === "README.md");
  assertEquals(programs.length, 1);
  await withWorkspace(async (root) => {
    Deno.writeTextFileSync(`${root}/program.ts`, programs[0]!.text);
    const ran = await deno(root, "run", "-A", "--quiet", "--config", CONFIG, "program.ts");
    assertEquals(ran.code, 0, ran.stderr);
    assertEquals(ran.stdout.trim().split("\n").map((line) => line.split(" ")[0]), [
      "launched",
      "complete",
      "launched",
      "complete",
      "complete",
    ]);
  });
});

Deno.test("the programs of the documentation agree with the types of the library", async () => {
  await withWorkspace(async (root) => {
    const files = listBlocks("ts").map((block, at) => {
      const file = `${root}/example_${at}.ts`;
      Deno.writeTextFileSync(file, block.text);
      return file;
    });
    const checked = await deno(root, "check", "--quiet", "--config", CONFIG, ...files);
    assertEquals(checked.code, 0, checked.stderr);
  });
});

Deno.test("the library page names everything that the library exports", () => {
  const source = Deno.readTextFileSync(new URL("mod.ts", ROOT));
  const names = [...source.matchAll(/export (?:type )?\{([^}]+)\}/g)]
    .flatMap(([, list]) => list!.split(","))
    .map((name) => name.replace(/\btype\b/, "").trim()).filter((name) => name !== "");
  assert(names.length > 10, `only ${names.length} names were found`);
  const text = page("docs/library.md");
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  assertEquals(missing, []);
});

Deno.test({
  name: "the agent of the agents' guide runs as the guide says",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withWorkspace(async (root) => {
      const script = listBlocks("bash").find((block) => block.page === "docs/agents.md");
      assert(script !== undefined);
      const definition = listBlocks("json").map((block) => JSON.parse(block.text))
        .find((value) => value.agents?.wordcount !== undefined);
      Deno.writeTextFileSync(`${root}/wordcount.sh`, script.text, { mode: 0o755 });
      Deno.writeTextFileSync(`${root}/README.md`, "three short words\n");
      Deno.writeTextFileSync(
        `${root}/.orchestra-cli/agent-config.json`,
        JSON.stringify(definition),
      );
      for (const file of ["README.md", "absent.md"]) {
        const queued = await orchestra(root, "start", "wordcount", file);
        assertEquals(queued.code, 0, queued.stderr);
      }
      const ran = await orchestra(root, "--json", "run", "--all", "--wait");
      assertEquals(ran.code, 1, ran.stderr);
      const { tasks } = JSON.parse(ran.stdout);
      const outcomes = tasks
        .map((task: { prompt: string; result: { summary: string }; errorMessage: string }) =>
          `${task.prompt}: ${task.result?.summary ?? task.errorMessage}`
        ).sort();
      assertEquals(outcomes, ["README.md: 3 words", "absent.md: there is no file absent.md"]);
    }),
});
