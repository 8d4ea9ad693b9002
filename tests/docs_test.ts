// The documentation against the program: generated parts are current, links lead somewhere, every
// documented command is one that the program takes, examples are valid and the programs among them
// run. A page is wrong where one of these tests fails, or the program is.

import { buildRouteMap, type Command, type RouteMap, run } from "@stricli/core";
import { generate, listCommands } from "../docs/generate.ts";
import { parseCommandLine } from "../lib/cli.ts";
import { type Context, createContext } from "../lib/commands/context.ts";
import { createApplication, ROUTES } from "../lib/commands/tree.ts";
import { CONFIG_ABOUT } from "../lib/config.ts";
import { parseAgent, parseConfig, parseImport } from "../lib/schemas.ts";
import { FIELDS } from "../lib/task.ts";
import { PRESETS } from "../templates/presets.ts";
import { assert, assertEquals, assertStringIncludes } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);
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
  for (const [name, text] of await generate()) {
    assert(
      text === PAGES.get(name),
      `${name} is not current; bring it up to date with: deno run -A docs/generate.ts`,
    );
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
  await run(app, rest, context);
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

Deno.test("the documented settings and fields are those of the program", () => {
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
  const wrong = parseImport({ agent: "x", prompt: "y", "no such field": 1 });
  assert("problem" in wrong);
  for (const field of imports) assertStringIncludes(wrong.problem, field);
});

Deno.test("the examples of agents, settings and tasks are valid", () => {
  let seen = 0;
  for (const block of listBlocks("json")) {
    const value = JSON.parse(block.text);
    if (value.agents !== undefined) {
      for (const [name, agent] of Object.entries(value.agents)) {
        const parsed = parseAgent(agent);
        assert(!("problem" in parsed), `${place(block)}: agent ${name}: ${JSON.stringify(parsed)}`);
        seen++;
      }
    } else if (Object.keys(value).some((key) => Object.hasOwn(parseConfig({}), key))) {
      parseConfig(value, place(block));
      seen++;
    }
  }
  for (const block of listBlocks("jsonl")) {
    for (const line of block.text.trim().split("\n")) {
      const parsed = parseImport(JSON.parse(line));
      assert(!("problem" in parsed), `${place(block)}: ${JSON.stringify(parsed)}`);
      seen++;
    }
  }
  assert(seen > 8, `only ${seen} examples were found`);
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
