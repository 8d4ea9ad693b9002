// Writes the parts of the documentation that follow from the code: the command reference and the JSON
// Schemas as a whole, and the marked regions of other pages. `--check` writes nothing and fails where
// a file is not current.

import { listGroups, loadCommands } from "../lib/cli/application.ts";
import { CONFIG_ABOUT, DEFAULT_CONFIG } from "../lib/settings/config_fields.ts";
import { EXIT_CODES } from "../lib/task/error.ts";
import { AgentSchema, ConfigSchema } from "../lib/settings/schemas.ts";
import { EVENTS } from "../lib/task/event.ts";
import { FIELDS, type Task } from "../lib/task/fields.ts";
import { type Preset, PRESETS } from "../lib/agents/presets.ts";
import { openApi } from "../lib/web/openapi.ts";
import { pathOf, ROUTES } from "../lib/web/routes.ts";
import { AGENT_ABOUT, EVENT_ABOUT, IMPORT_ABOUT, RATE_LIMIT_ABOUT, TASK_ABOUT } from "./about.ts";
import {
  type JsonSchema,
  type Kind,
  makeSchemas,
  schemaOf,
  taskListSchema,
} from "./json_schemas.ts";

/** Folder of the repository, as a URL that ends with a slash. */
const ROOT = new URL("../", import.meta.url);

/** What the exit codes mean; the codes themselves are in lib/task/error.ts. */
const EXIT_ABOUT: Readonly<Record<number, string>> = {
  0: "done",
  1: "done, but a task that was waited for did not complete, or a check (`doctor`, `deps validate`, " +
    "`agents check`) found something wrong, or a branch could not be merged",
  2: "the command line is wrong",
  3: "no such task, agent or workspace",
  4: "not possible in the present state",
  5: "the environment failed: permission, disk, a damaged or malformed file",
  130: "interrupted",
};

const GLOBAL_OPTIONS: readonly (readonly [string, string])[] = [
  [
    "`-C <dir>`",
    "root of the workspace; without it, the nearest folder upwards with `.orchestra/`",
  ],
  [
    "`-w <name>`, `--workspace <name>`",
    "the known workspace of that name; behind `status` and `run`, whose `-w` is another, only the " +
    "long form",
  ],
  ["`--json`", "print exactly one JSON value; errors are one JSON value on stderr"],
  ["`--color`, `--no-color`", "colours in any case, or in none; also `NO_COLOR`"],
  [
    "`--debug`",
    "tell what is done, and stack traces; also `-d` before any command, `ORCHESTRA_DEBUG=1` and " +
    "`AGENT_DEBUG=1`",
  ],
  ["`--version`, `-V`", "print the version (before any command)"],
  ["`--help`, `-h`", "print help, of a command too"],
];

// ---------------------------------------------------------------------------------------------
// Small pieces of Markdown

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

// ---------------------------------------------------------------------------------------------
// The command table

/** What the reference and the checks need of a command; the framework's type says more. */
export interface Command {
  /** Words of the command: `["timeout", "list"]`. */
  path: string[];
  brief: string;
  description: string | undefined;
  parameters: Parameters;
  /** Taken where the words before it are given alone. */
  isDefault: boolean;
}

interface Parameters {
  flags?: Record<string, Flag>;
  positional?:
    | { kind: "tuple"; parameters: Positional[] }
    | { kind: "array"; parameter: Positional; minimum?: number };
  aliases?: Record<string, string>;
}

interface Flag {
  kind: string;
  brief: string;
  optional?: boolean;
  hidden?: boolean;
  variadic?: boolean | string;
  placeholder?: string;
  values?: readonly string[];
}

interface Positional {
  brief: string;
  placeholder?: string;
  optional?: boolean;
}

interface Target {
  brief: string;
  fullDescription?: string;
  parameters?: Parameters;
  getDefaultCommand?(): unknown;
  getAllEntries?(): { name: Record<string, string>; target: Target; hidden: boolean }[];
}

/** All commands that help shows, in its order, subcommands after each other. */
export async function listCommands(): Promise<Command[]> {
  const found: Command[] = [];
  const add = (path: string[], target: Target, isDefault: boolean) => {
    if (target.getAllEntries === undefined) {
      found.push({
        path,
        brief: target.brief,
        description: target.fullDescription,
        parameters: target.parameters ?? {},
        isDefault,
      });
      return;
    }
    const first = target.getDefaultCommand?.();
    for (const entry of target.getAllEntries()) {
      if (entry.hidden) continue;
      const name = entry.name["convert-camel-to-kebab"] ?? entry.name.original!;
      add([...path, name], entry.target, entry.target === first);
    }
  };
  const all = await loadCommands();
  for (const names of listGroups().values()) {
    for (const name of names) add([name], all[name] as unknown as Target, false);
  }
  return found;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function optionText(name: string, flag: Flag): string {
  const value = flag.kind === "enum"
    ? ` <${flag.values?.join("|")}>`
    : flag.kind === "boolean"
    ? ""
    : ` <${flag.placeholder ?? "value"}>`;
  return `--${kebab(name)}${value}`;
}

function argumentTexts({ positional }: Parameters): [string, Positional][] {
  if (positional === undefined) return [];
  if (positional.kind === "array") {
    const { parameter, minimum = 0 } = positional;
    const name = `<${parameter.placeholder ?? "value"}>...`;
    return [[minimum === 0 ? `[${name}]` : name, parameter]];
  }
  return positional.parameters.map((parameter) => {
    const name = `<${parameter.placeholder ?? "value"}>`;
    return [parameter.optional ? `[${name}]` : name, parameter];
  });
}

function usageOf(command: Command): string {
  const { flags = {} } = command.parameters;
  const last = command.path.at(-1)!;
  const words = command.isDefault ? [...command.path.slice(0, -1), `[${last}]`] : [...command.path];
  const options = Object.entries(flags).filter(([, flag]) => !flag.hidden).map(([name, flag]) => {
    const text = optionText(name, flag) + (flag.variadic ? "..." : "");
    return flag.optional ? `[${text}]` : text;
  });
  return [
    "orchestra",
    ...words,
    ...argumentTexts(command.parameters).map(([text]) => text),
    ...options,
  ]
    .join(" ");
}

function referenceOf(command: Command): string {
  const { flags = {}, aliases = {} } = command.parameters;
  const short = new Map(Object.entries(aliases).map(([letter, name]) => [name, letter]));
  const parts = [
    `### ${command.path.join(" ")}`,
    `${(command.description ?? command.brief).replace(/\.$/, "")}.`,
    "```text\n" + usageOf(command) + "\n```",
  ];
  const rows: string[][] = [];
  for (const [text, parameter] of argumentTexts(command.parameters)) {
    rows.push([code(text.replace(/^\[|\]$/g, "")), parameter.brief]);
  }
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.hidden) continue;
    const letter = short.get(name);
    const notes = flag.variadic === ","
      ? "; repeatable, or several with commas between"
      : flag.variadic
      ? "; repeatable"
      : "";
    rows.push([
      code(optionText(name, flag)) + (letter === undefined ? "" : `, ${code(`-${letter}`)}`),
      flag.brief + notes,
    ]);
  }
  if (rows.length > 0) parts.push(table(["", "Meaning"], rows));
  return parts.join("\n\n");
}

async function makeReference(): Promise<string> {
  const commands = await listCommands();
  const codes = new Map<number, string[]>();
  for (const [name, value] of Object.entries(EXIT_CODES)) {
    codes.set(value, [...codes.get(value) ?? [], code(name)]);
  }
  const exits = Object.entries(EXIT_ABOUT).map(([value, about]) => [
    value,
    about,
    codes.get(Number(value))?.join(", ") ?? "",
  ]);
  const groups = [...listGroups()].map(([title, names]) =>
    [
      `## ${title}`,
      ...commands.filter(({ path }) => names.includes(path[0]!)).map(referenceOf),
    ].join("\n\n")
  );
  return [
    "# Command reference",
    "<!-- Made by docs/generate.ts from the command table: change that instead. -->",
    "The [guide](guide.md) shows the commands at work. `orchestra <command> --help` prints what " +
    "stands here.",
    "## Conventions",
    "These options belong to every command and may stand before or after it.",
    table(["Option", "Meaning"], GLOBAL_OPTIONS),
    "- The result goes to stdout, comments to stderr. With `--json` there are no comments.\n" +
    "- Times are given as `90`, `90s`, `5m`, `1h30m` or `2d`; a bare number is seconds.\n" +
    "- A task id is `task_` and 10 to 20 digits. Wherever one is taken, so are a unique end of it " +
    "(three digits or more), the key that was given with `--key`, which means the latest attempt, " +
    "and `@last`, the youngest task.\n" +
    "- What stands behind `--` is never taken for an option.",
    "### Exit codes",
    table(["Code", "Meaning", 'Values of `"code"` in a JSON error'], exits),
    'An error is one or two lines, or with `--json` one value: `{"error": {"code", "message", ' +
    '"hint"?}}`. The codes are stable; the words are not.',
    ...groups,
    "",
  ].join("\n\n");
}

// ---------------------------------------------------------------------------------------------
// Regions of other pages

const KIND_TEXT: Readonly<Record<Kind, string>> = {
  "string": "text",
  "string?": "text or null",
  "time": "time",
  "time?": "time or null",
  "number": "number",
  "number?": "number or null",
  "seconds?": "number or null",
  "pid?": "number or null",
  "boolean": "true or false",
  "boolean?": "true, false or null",
  "id?": "task id or null",
  "ids": "list of task ids",
  "texts": "list of texts",
  "command?": "list of texts or null",
  "count": "whole number",
  "labels": "object of texts",
  "history": "list of attempts",
  "object?": "object or null",
};

function taskFields(): string {
  return table(
    ["Field", "Kind", "Where absent", "Meaning"],
    (Object.keys(FIELDS) as (keyof Task)[]).map((name) => {
      const { kind, fallback } = FIELDS[name];
      return [
        code(name),
        KIND_TEXT[kind],
        fallback === undefined
          ? "refused"
          : fallback === ""
          ? "empty"
          : code(JSON.stringify(fallback)),
        TASK_ABOUT[name],
      ];
    }),
  );
}

/** A kind in words, short enough for a table. */
function kindOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) {
    const kinds = new Set(schema.anyOf.flatMap((part) => kindOf(part).split(" or ")));
    // Where a number and a text are taken alike, the text is a duration such as "5m".
    if (kinds.has("number") && kinds.delete("text")) kinds.add('duration such as `"5m"`');
    return [...kinds].join(" or ");
  }
  if (schema.enum !== undefined) {
    return schema.enum.length > 4
      ? "name"
      : schema.enum.map((item) => code(String(item))).join(" or ");
  }
  switch (schema.type) {
    case "array":
      return `list of ${kindOf(schema.items ?? {})}s`;
    case "object":
      return "object";
    case "integer":
      return schema.maximum !== undefined && schema.maximum <= 10
        ? `${schema.minimum} to ${schema.maximum}`
        : "whole number";
    case "boolean":
      return "true or false";
    case "string":
      return "text";
    default:
      return typeof schema.type === "string" ? schema.type : "any value";
  }
}

function fieldTable(schema: JsonSchema, about: Readonly<Record<string, string>>): string {
  const { properties = {}, required = [] } = schema;
  return table(
    ["Field", "Kind", "Meaning"],
    Object.entries(properties).map(([name, part]) => {
      const known = about[name];
      if (known === undefined) throw new Error(`docs/about.ts does not say what ${name} means`);
      return [code(name) + (required.includes(name) ? " *" : ""), kindOf(part), known];
    }),
  );
}

function valueAt(object: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>(
    (value, part) => (value as Record<string, unknown>)[part],
    object,
  );
}

function configKeys(): string {
  const schema = schemaOf(ConfigSchema);
  return table(
    ["Key", "Kind", "Default", "Meaning"],
    Object.entries(CONFIG_ABOUT).map(([key, about]) => {
      const part = key.split(".").reduce<JsonSchema | undefined>(
        (inner, name) => inner?.properties?.[name],
        schema,
      );
      const value = valueAt(DEFAULT_CONFIG, key);
      const text = Array.isArray(value)
        ? value.map((item) => code(String(item))).join(", ")
        : code(JSON.stringify(value));
      return [code(key), kindOf(part ?? {}), text, about];
    }),
  );
}

function promptBy({ agent }: Preset): string {
  const mentions = (name: string, texts: readonly string[]) =>
    texts.some((text) => text.includes(`{${name}}`));
  if (agent.stdin !== undefined) return "stdin";
  if (mentions("promptFile", agent.args)) return "file";
  return mentions("prompt", agent.args) || mentions("userPrompt", agent.args) ? "argument" : "none";
}

function agentTable(): string {
  return table(
    ["Agent", "Command", "Prompt by", "End known by", "Basis"],
    Object.entries(PRESETS).map(([name, preset]) => [
      code(name),
      code(preset.agent.command),
      promptBy(preset),
      preset.agent.completion ?? "sentinel",
      preset.ran ? "run" : "documents",
    ]),
  );
}

function presetSources(): string {
  return table(
    ["Agent", "Command line", "Basis"],
    Object.entries(PRESETS).map(([name, { agent, source }]) => [
      code(name),
      code([agent.command, ...agent.args].join(" ")),
      source,
    ]),
  );
}

function routeTable(): string {
  return table(
    ["", "Path", "Does"],
    ROUTES.map((route) => {
      const { method, brief, query = {} } = route;
      const names = Object.keys(query).map(code).join(", ");
      return [
        method,
        code(pathOf(route)),
        names === "" ? brief : `${brief}. Takes ${names}`,
      ];
    }),
  );
}

/** The marked regions by name. */
const REGIONS: Readonly<Record<string, () => string>> = {
  "agents": agentTable,
  "presets": presetSources,
  "task-fields": taskFields,
  "config-keys": configKeys,
  "agent-fields": () => fieldTable(schemaOf(AgentSchema), AGENT_ABOUT),
  "rate-limit-fields": () =>
    fieldTable(schemaOf(AgentSchema).properties!.rateLimit!, RATE_LIMIT_ABOUT),
  "events": () =>
    table(["Event", "Says"], Object.entries(EVENTS).map(([name, about]) => [code(name), about])),
  "event-fields": () =>
    table(
      ["Field", "Is"],
      Object.entries(EVENT_ABOUT).map(([name, about]) => [code(name), about]),
    ),
  "routes": routeTable,
  "import-fields": () => fieldTable(taskListSchema(), IMPORT_ABOUT),
};

const REGION = /(<!-- generated: ([a-z-]+) -->\n)[^]*?(<!-- end of generated -->)/g;

function fillRegions(text: string, page: string, used: Set<string>): string {
  return text.replace(REGION, (_all, open: string, name: string, close: string) => {
    const make = REGIONS[name];
    if (make === undefined) throw new Error(`${page}: there is no generated part "${name}"`);
    used.add(name);
    return `${open}\n${make()}\n\n${close}`;
  });
}

/** Pages with marked regions. */
const PAGES = ["README.md", "docs/agents.md", "docs/api.md", "docs/formats.md"] as const;

/** A Markdown text as `deno fmt` wants it. */
export async function format(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext", "md", "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("deno fmt refused a generated page");
  return new TextDecoder().decode(stdout);
}

/** Every file that is generated or has generated parts, by its path from the root, as it should be. */
export async function generate(): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  const used = new Set<string>();
  for (const page of PAGES) {
    pages.set(page, fillRegions(await Deno.readTextFile(new URL(page, ROOT)), page, used));
  }
  const unused = Object.keys(REGIONS).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`No page has the generated parts: ${unused.join(", ")}`);
  pages.set("docs/reference.md", await makeReference());
  for (const [page, text] of pages) pages.set(page, await format(text));
  for (const [name, schema] of Object.entries(makeSchemas())) {
    pages.set(`docs/schemas/${name}.schema.json`, JSON.stringify(schema, null, 2) + "\n");
  }
  pages.set("docs/openapi.json", JSON.stringify(openApi(ROUTES), null, 2) + "\n");
  return pages;
}

async function readOrEmpty(page: string): Promise<string> {
  try {
    return await Deno.readTextFile(new URL(page, ROOT));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  let stale = 0;
  for (const [page, text] of await generate()) {
    if (await readOrEmpty(page) === text) continue;
    stale++;
    if (check) console.error(`${page} is not current`);
    else {
      await Deno.writeTextFile(new URL(page, ROOT), text);
      console.log(`wrote ${page}`);
    }
  }
  if (check && stale > 0) {
    console.error("Bring them up to date with: deno run -A docs/generate.ts");
    Deno.exit(1);
  }
}
