// Every documented command is one that the program takes.

import { buildRouteMap, type Command, type RouteMap, run } from "@stricli/core";
import { listCommands } from "../../docs/generate.ts";
import { parseCommandLine } from "../../lib/cli/main.ts";
import { type Context, createContext } from "../../lib/cli/context.ts";
import { createApplication, loadCommands, type Target } from "../../lib/cli/application.ts";
import { Misspelt } from "../../lib/cli/errors.ts";
import { CONFIG_ABOUT } from "../../lib/settings/config_fields.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { listBlocks, place, ROOT, SOME_ID } from "../support/pages.ts";

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
    Object.entries(await loadCommands()).map(([name, target]) => [
      name,
      rehearse(target, [name], (found) => path = found),
    ]),
  );
  const app = createApplication(routes, { json: false, debug: false, program: "" });
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
        const agent = name === "init" ? (at < 0 ? undefined : args[at + 1]) : args[2];
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
  const missing = (await listCommands()).map(({ path }) => path.join(" ")).filter((name) =>
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
