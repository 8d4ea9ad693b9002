// The shape of the program, read from its module graph: imports point down, nothing goes round in
// circles, decisions and formats do no I/O, and what costs start-up time is off the way of the
// commands that scripts call most.

import { assert, assertEquals, assertGreater } from "./support/assert.ts";
import { COMMANDS, loadCommands } from "../lib/cli/application.ts";
import { VERSION } from "../lib/task/version.ts";

const ROOT = new URL("..", import.meta.url);

/**
 * The rooms of the house, in the order of docs/design.md: a module may import from its own room and
 * from those above it in this list. A name that ends in `/` stands for a folder.
 */
const ROOMS: readonly { name: string; modules: readonly string[] }[] = [
  { name: "task", modules: ["lib/task/"] },
  { name: "decide", modules: ["lib/decide/"] },
  { name: "text", modules: ["lib/text/"] },
  { name: "store", modules: ["lib/store/"] },
  { name: "settings", modules: ["lib/settings/"] },
  { name: "workspaces", modules: ["lib/workspaces/"] },
  { name: "agents", modules: ["lib/agents/"] },
  { name: "templates", modules: ["templates/"] },
  { name: "launch", modules: ["lib/launch/"] },
  { name: "worktree", modules: ["lib/worktree/"] },
  { name: "queue", modules: ["lib/queue/"] },
  { name: "metrics", modules: ["lib/metrics/"] },
  { name: "notify", modules: ["lib/notify/"] },
  { name: "supervise", modules: ["lib/supervise/"] },
  { name: "library", modules: ["lib/library.ts"] },
  { name: "format", modules: ["lib/format/"] },
  { name: "web", modules: ["lib/web/"] },
  { name: "cli", modules: ["lib/cli/"] },
  { name: "entries", modules: ["main.ts", "mod.ts"] },
];

/** Rooms that do no I/O and read no clock. */
const PURE = /^lib\/(?:task|decide|text|format|agents)\//;

/** What may be loaded from npm or from the runtime's copy of Node, and by whom. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@stricli/core": ["lib/cli/"],
  "zod": ["lib/settings/schemas.ts"],
  "deno-std": [
    "lib/text/suggest.ts",
    "lib/text/bytes.ts",
    "lib/decide/diagnose.ts",
    "lib/cli/versions.ts",
  ],
  "preact": ["lib/web/page/"],
  "uplot": ["lib/web/page/parts/chart.tsx"],
  // Handing a file to a child as its output is not possible otherwise, on Windows, nor a hidden console.
  "node:": ["lib/launch/windows/shim.ts", "lib/launch/windows/hidden.ts"],
};

interface Edge {
  to: string;
  kind: "static" | "dynamic" | "type";
}

/** Path below the root, or the specifier of what is not ours. */
function nameOf(specifier: string): string {
  return specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : specifier;
}

interface InfoDependency {
  specifier: string;
  code?: { specifier?: string; error?: string };
  type?: { specifier?: string; error?: string };
  isDynamic?: boolean;
}

async function readGraph(entry: string): Promise<Map<string, Edge[]>> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  assert(success, `deno info ${entry}`);
  const info = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { specifier: string; error?: string; dependencies?: InfoDependency[] }[];
  };
  const graph = new Map<string, Edge[]>();
  for (const { specifier, error, dependencies = [] } of info.modules) {
    assertEquals(error, undefined, specifier);
    const edges: Edge[] = [];
    for (const { specifier: written, code, type, isDynamic } of dependencies) {
      const target = code ?? type;
      assert(target?.specifier !== undefined, `${specifier} imports ${written}: ${target?.error}`);
      edges.push({
        to: nameOf(target.specifier),
        kind: code === undefined ? "type" : isDynamic ? "dynamic" : "static",
      });
    }
    graph.set(nameOf(specifier), edges);
  }
  return graph;
}

/** Entry of the page, which is bundled by itself. */
const PAGE = "lib/web/page/main.tsx";

const graphs = Promise.all(["main.ts", "mod.ts", PAGE].map(readGraph));

/** The modules of the program, of the library and of the page, and what each imports. */
async function wholeGraph(): Promise<Map<string, Edge[]>> {
  return new Map((await graphs).flatMap((graph) => [...graph]));
}

function isOurs(name: string): boolean {
  return /\.tsx?$/.test(name) && !name.includes(":") && !name.endsWith(".d.ts");
}

function matches(name: string, pattern: string): boolean {
  return pattern.endsWith("/") ? name.startsWith(pattern) : name === pattern;
}

/** Number of a module's room: that of the first pattern with its own name, else of its folder. */
function roomOf(name: string): number {
  const exact = ROOMS.findIndex(({ modules }) => modules.includes(name));
  return exact >= 0
    ? exact
    : ROOMS.findIndex(({ modules }) => modules.some((pattern) => matches(name, pattern)));
}

/** Everything that is loaded with some modules. */
function closure(
  graph: ReadonlyMap<string, readonly Edge[]>,
  entries: readonly string[],
  kinds: readonly Edge["kind"][],
): string[] {
  const found = new Set<string>();
  const queue = [...entries];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    for (const { to, kind } of graph.get(name) ?? []) {
      if (kinds.includes(kind)) queue.push(to);
    }
  }
  return [...found].sort();
}

/** Name of the package in `npm:@scope/name@1.2.3/path`; undefined for what comes from elsewhere. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith("node:")) return "node:";
  return /^npm:\/?((?:@[^/]+\/)?[^@/]+)/.exec(specifier)?.[1];
}

/** A module's text without comments, and without what stands in quotes or backticks. */
function codeOf(name: string): string {
  const text = Deno.readTextFileSync(new URL(name, ROOT));
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
  return text.replace(token, (found) => found.startsWith("`") ? keepExpressions(found) : " ");
}

function keepExpressions(template: string): string {
  return [...template.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]).join(" ");
}

function* sourceFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* sourceFiles(`${folder}${name}/`);
    else if (/\.tsx?$/.test(name)) yield `${folder}${name}`;
  }
}

Deno.test("every module of lib is in a room, and every room has modules", async () => {
  const files = [...sourceFiles("lib/")].filter(isOurs);
  assertGreater(files.length, 30);
  assertEquals(files.filter((name) => roomOf(name) < 0), []);
  const known = new Set([...files, ...sourceFiles("templates/"), ...(await wholeGraph()).keys()]);
  for (const { modules } of ROOMS) {
    for (const pattern of modules) {
      assert([...known].some((name) => matches(name, pattern)), `${pattern} does not exist`);
    }
  }
});

Deno.test("every module of lib is used by the program or by the library", async () => {
  const graph = await wholeGraph();
  assertEquals([...sourceFiles("lib/")].filter((name) => isOurs(name) && !graph.has(name)), []);
});

Deno.test("a room imports only from rooms above it", async () => {
  const wrong: string[] = [];
  let count = 0;
  for (const [from, edges] of await wholeGraph()) {
    if (!isOurs(from)) continue;
    for (const { to } of edges) {
      if (!isOurs(to)) continue;
      count++;
      if (roomOf(from) >= roomOf(to)) continue;
      wrong.push(
        `${from} (${ROOMS[roomOf(from)]?.name}) imports ${to} (${ROOMS[roomOf(to)]?.name})`,
      );
    }
  }
  assertEquals(wrong, []);
  assertGreater(count, 100);
});

Deno.test("no modules import each other in a circle, not even types or what is loaded later", async () => {
  const graph = await wholeGraph();
  /** A way back to a module along whatever is imported. */
  const wayBack = (start: string): string[] | undefined => {
    const before = new Map<string, string>();
    const queue = [start];
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      for (const { to } of graph.get(name) ?? []) {
        if (before.has(to)) continue;
        before.set(to, name);
        if (to === start) {
          const way = [start];
          for (let at = before.get(start)!; at !== start; at = before.get(at)!) way.unshift(at);
          return [start, ...way];
        }
        queue.push(to);
      }
    }
    return undefined;
  };
  for (const name of [...graph.keys()].filter(isOurs)) {
    assertEquals(wayBack(name), undefined);
  }
});

Deno.test("the vocabulary, the decisions and the formats do no I/O and read no clock", () => {
  const pure = [...sourceFiles("lib/")].filter((name) => isOurs(name) && PURE.test(name));
  assertGreater(pure.length, 15);
  // The names of errors and of the system are constants.
  const forbidden =
    /\bDeno\b(?!\.(?:errors|build)\b)|\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bperformance\b|\bconsole\b|\bset(?:Timeout|Interval)\b|\bfetch\s*\(|\bimport\s*\(|\bawait\b|\bcrypto\b|\bglobalThis\b|\bTemporal\.Now\b/;
  for (const name of pure) {
    const found = forbidden.exec(codeOf(name));
    assertEquals(found?.[0], undefined, name);
    if (name !== "lib/task/error.ts") assert(!/\bDeno\b/.test(codeOf(name)), name);
  }
});

Deno.test("the formats know only the vocabulary and the decisions", async () => {
  for (const [from, edges] of await wholeGraph()) {
    if (!from.startsWith("lib/format/")) continue;
    for (const { to } of edges) {
      assert(
        /^lib\/(?:task|decide|text|format)\//.test(to),
        `${from}: ${to}`,
      );
    }
  }
});

Deno.test("each package is loaded only where it belongs, and node: only for Windows", async () => {
  const graph = await wholeGraph();
  const used = new Set<string>();
  for (const [from, edges] of graph) {
    if (!isOurs(from)) continue;
    for (const { to, kind } of edges) {
      if (isOurs(to) || to.endsWith(".d.ts")) continue;
      const name = packageOf(to);
      assert(name !== undefined && name in PACKAGES, `${from} imports ${to}`);
      if (kind === "type") continue;
      used.add(name);
      assert(PACKAGES[name]!.some((pattern) => matches(from, pattern)), `${from} imports ${to}`);
    }
  }
  assertEquals([...used].sort(), Object.keys(PACKAGES).sort());
});

Deno.test("the page takes from the program what does no I/O, and nothing of the program is of the page", async () => {
  const pure = /^lib\/(?:task|decide|text|agents)\/|^lib\/web\/(?:wire|filter)\.ts$/;
  for (const [from, edges] of await wholeGraph()) {
    if (!isOurs(from)) continue;
    const isPage = from.startsWith("lib/web/page/");
    for (const { to } of edges.filter(({ to }) => isOurs(to))) {
      const within = to.startsWith("lib/web/page/");
      assert(isPage ? within || pure.test(to) : !within, `${from} imports ${to}`);
    }
  }
});

Deno.test("only the frame of the command line is loaded before a command is known", async () => {
  const loaded = closure(await wholeGraph(), ["main.ts"], ["static"]);
  assertEquals(loaded.filter(isOurs), [
    "lib/cli/application.ts",
    "lib/cli/calling.ts",
    "lib/cli/context.ts",
    "lib/cli/errors.ts",
    "lib/cli/main.ts",
    "lib/cli/short_options.ts",
    "lib/cli/write.ts",
    "lib/task/error.ts",
    "lib/task/trace.ts",
    "lib/task/version.ts",
    "main.ts",
  ]);
});

/** The module of a command; that of one that no person calls has its name without the underscore. */
function commandModule(name: string): string {
  return `lib/cli/commands/${name.replace(/^_/, "")}.ts`;
}

Deno.test("a command is one file that the table names, and imports no other command", async () => {
  const graph = await wholeGraph();
  const modules = Object.keys(COMMANDS).map(commandModule);
  assertEquals([...sourceFiles("lib/cli/commands/")].sort(), modules.sort());
  for (const module of modules) {
    const loaded = closure(graph, [module], ["static", "dynamic", "type"]);
    assertEquals(loaded.filter((name) => modules.includes(name)), [module]);
    const users = [...graph].filter(([, edges]) => edges.some(({ to }) => to === module));
    assertEquals(users.map(([name]) => name), ["lib/cli/application.ts"]);
  }
});

Deno.test("what a command exports is built, and says in a line what it does", async () => {
  for (const [name, command] of Object.entries(await loadCommands())) {
    assert(command.brief.length > 0 && command.brief.length <= 60, name);
  }
});

/** What the context loads for a command that is about a workspace. */
const WORKSPACE = ["lib/queue/queue.ts", "lib/store/paths.ts", "lib/settings/config.ts"];

/** What is loaded when a command is called that is about a workspace. */
async function loadedFor(command: string): Promise<string[]> {
  const graph = await wholeGraph();
  const late = graph.get("lib/cli/context.ts")!.filter(({ kind }) => kind === "dynamic");
  for (const name of WORKSPACE) assert(late.some(({ to }) => to === name), name);
  return closure(graph, ["main.ts", commandModule(command), ...WORKSPACE], ["static"]);
}

for (const command of ["start", "run", "status", "cancel"]) {
  Deno.test(`${command} starts without node:, zod or any package but the command tree`, async () => {
    const loaded = await loadedFor(command);
    const foreign = loaded.filter((name) => !isOurs(name));
    assertEquals(foreign.map(packageOf), ["@stricli/core"]);
    for (
      const name of ["lib/settings/schemas.ts", "lib/text/suggest.ts", "lib/agents/presets.ts"]
    ) {
      assert(!loaded.includes(name), name);
    }
  });
}

Deno.test("what is for several workspaces is loaded only where several are meant", async () => {
  const several =
    /everywhere|lib\/workspaces\/registry|lib\/supervise\/user_daemon|daemon_|lib\/web\//;
  for (const command of ["start", "run", "status", "show", "logs", "events", "wait", "cancel"]) {
    const loaded = await loadedFor(command);
    assertEquals(loaded.filter((name) => several.test(name)), [], command);
  }
});

Deno.test("start, run and cancel load no tables, and start and cancel no supervision", async () => {
  for (const command of ["start", "run", "cancel"]) {
    const loaded = await loadedFor(command);
    assertEquals(loaded.filter((name) => name.startsWith("lib/format/")), [], command);
  }
  for (const command of ["start", "cancel", "status"]) {
    assert(!(await loadedFor(command)).includes("lib/supervise/loop.ts"), command);
  }
});

interface Manifest {
  version: string;
  imports: Record<string, string>;
  exports: Record<string, string>;
}

function manifest(): Manifest {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
}

Deno.test("the program says the version that it is published as", () => {
  assertEquals(VERSION, manifest().version);
  for (const path of Object.values(manifest().exports)) Deno.lstatSync(new URL(path, ROOT));
});

Deno.test("every entry of the import map is used, has a fixed version and comes from npm", () => {
  const sources = [
    "main.ts",
    "mod.ts",
    ...[".ci/", "lib/", "templates/", "tests/"].flatMap((folder) => [...sourceFiles(folder)]),
  ];
  const written = new Set(
    sources.flatMap((name) =>
      [...Deno.readTextFileSync(new URL(name, ROOT)).matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)]
        .map((match) => match[1]!)
    ),
  );
  const { imports } = manifest();
  for (const [name, target] of Object.entries(imports)) {
    assert(written.has(name), `${name} is not imported anywhere`);
    assert(/^npm:(?:@[^@/]+\/)?[^@/]+@\d+\.\d+\.\d+(?:\/|$)/.test(target), target);
  }
});

Deno.test("what the program imports is a file beside it or an entry of the import map", () => {
  const { imports } = manifest();
  for (const name of ["main.ts", "mod.ts", ...sourceFiles("lib/")]) {
    const text = Deno.readTextFileSync(new URL(name, ROOT));
    for (const [, specifier = ""] of text.matchAll(/^(?:import|export)[^;"]*?from\s+"([^"]+)"/gm)) {
      // An entry that names a package as a whole stands for its parts too: `preact/hooks`.
      const known = specifier in imports || specifier.split("/")[0]! in imports;
      assert(/^\.\.?\//.test(specifier) || known, `${name} imports ${specifier}`);
    }
  }
});

Deno.test("what the page shares with the program asks for no Deno when it is loaded", async () => {
  const loaded = closure(await wholeGraph(), [PAGE], ["static", "dynamic"])
    .filter((name) => isOurs(name) && !name.startsWith("lib/web/page/"));
  assertGreater(loaded.length, 10);
  const modules = loaded.map((name) => new URL(`../${name}`, import.meta.url).href);
  const code = `delete globalThis.Deno;
    for (const name of ${JSON.stringify(modules)}) await import(name);`;
  const { code: exitCode, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-check", code],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assertEquals([exitCode, new TextDecoder().decode(stderr)], [0, ""]);
});
