// Every command under the narrow permissions, and what the runtime refuses.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { NARROW, test } from "../support/needs.ts";
import { makeFolder, type Outcome } from "../support/program.ts";
import { loadCommands } from "../../lib/cli/application.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { DENO, execute, namesBelow, succeeded } from "../support/execute.ts";
import { makeDesk } from "../support/desk.ts";

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
  ["diff $1", 4],
  ["logs --follow $1"],
  ["wait $1"],
  ["status --all --usage --json"],
  ["agents list"],
  ["agents check shell"],
  ["config init"],
  ["config set archive.max_queue_size 0"],
  ["config set retry.base 0.01"],
  ["config show"],
  ["retry $2 --resume", 4],
  ["retry $2"],
  ["_supervise --parallel=1 --launch=all"],
  ["archive stats"],
  ["archive now"],
  ["archive list"],
  ["archive restore $1"],
  ["archive import .orchestra/workspace"],
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
  ["events"],
  ["events --json --since 1h"],
  ["stats"],
  ["stats --openmetrics"],
  ["webhooks list"],
  ["webhooks log"],
  ["webhooks test nobody", 2],
  ["webhooks enable nobody", 2],
  ["webhooks replay $1", 4],
  ["_deliver"],
  ["completions bash"],
  // Here is no repository of git's.
  ["merge --all", 4],
  ["pr $3", 4],
  ["worktrees", 4],
  ["clean --worktrees", 4],
  ["clean all --yes"],
  // What is known of other workspaces is beyond the two folders.
  ["workspaces list", 5],
  ["workspaces add", 5],
  ["workspaces remove work", 5],
  ["-w work status", 5],
  ["status --everywhere", 5],
  ["events --everywhere", 5],
  ["cancel --everywhere --status running", 5],
  // Beyond the two folders nothing may be written.
  // To listen it needs more, and says so.
  ["serve", 5],
  ["trust --list", 5],
  // Without a network this cannot succeed; that it is said is all there is to see here.
  ["upgrade --check", 5],
];

/** Those that go on until they are interrupted: what they print first, and their exit code. */
const STAYING: readonly [args: string, first: RegExp, code: number][] = [
  ["status --watch", /./, 130],
  ["daemon run", /./, 0],
];

/** All commands, as they are typed. */
async function commandNames(): Promise<string[]> {
  return Object.entries(await loadCommands()).flatMap(([name, route]) =>
    "getAllEntries" in route
      ? route.getAllEntries().map((entry) => `${name} ${entry.name.original}`)
      : [name]
  );
}

Deno.test("every command is among those that are run under the narrow permissions", async () => {
  const lines = [...STEPS, ...STAYING].map(([args]) => `${args} `);
  const names = await commandNames();
  assertEquals(names.filter((name) => !lines.some((it) => it.startsWith(`${name} `))), []);
});

test("every command runs under the narrow permissions alone", NARROW, async (t) => {
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
