// The one file under the grant of its own first line: it does the work, or says why it cannot and what
// to type instead. What it tells to type is typed here as it stands.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { NARROW, test } from "../support/needs.ts";
import { type Box, makeBox, makeFolder, type Outcome, spawn } from "../support/program.ts";
import { spell } from "../../lib/cli/calling.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";

const ROOT = new URL("../..", import.meta.url);

interface OneFile extends AsyncDisposable {
  box: Box;
  /** The file, in a folder whose name a shell must be given in quotes. */
  path: string;
  /** Runs a line of a shell in a folder of the workspace, with a PATH before the usual one. */
  type(line: string, folder?: string, path?: string): Promise<Outcome>;
  /** Starts the file by its first line in a folder of the workspace. */
  run(folder: string, ...args: string[]): Promise<Outcome>;
}

async function makeOneFile(): Promise<OneFile> {
  const box = await makeBox();
  const folder = await makeFolder();
  const path = `${folder.path}/the file/orchestra.js`;
  Deno.mkdirSync(`${folder.path}/the file`);
  const external = ["launcher", "shim"].map((name) => `--external=./windows/${name}.ts`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", ...external, "-o", path, "main.ts"],
    cwd: ROOT,
  }).output();
  assert(success, "the bundler");
  const flags = ["--no-config", ...permissionFlags()].join(" ");
  const program = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, `#!/usr/bin/env -S deno run ${flags}\n${program}`);
  Deno.chmodSync(path, 0o755);
  Deno.symlinkSync(Deno.execPath(), `${folder.path}/deno`);
  Deno.mkdirSync(`${box.root}/src/deep`, { recursive: true });
  const execute = async (command: string, args: string[], cwd: string, before = "") => {
    const PATH = `${before}${folder.path}:${Deno.env.get("PATH")}`;
    await using live = spawn(command, args, { cwd: `${box.root}/${cwd}`, env: { PATH } });
    await live.type("");
    return await live.ended();
  };
  return {
    box,
    path,
    type: (line, cwd = ".", before = "") => execute("sh", ["-c", line], cwd, before),
    run: (cwd, ...args) => execute(path, args, cwd),
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The last line of an error: what it tells to type, behind what introduces it. */
function toType({ stderr }: Outcome): string {
  return /^ {2}(?:[A-Z][^:]*: )?(.*)\n$/m.exec(stderr)![1]!;
}

test(
  "from a folder below and with -C the one file says where it works, and the line does",
  NARROW,
  async () => {
    await using one = await makeOneFile();
    const { box } = one;
    const id = (await one.run(".", "start", "-q", "shell", "true")).stdout.trim();
    for (
      const [folder, ...args] of [
        ["src/deep", "status", "--json"],
        ["src", "-C", "..", "status", "--json"],
        ["src", `-C${box.root}`, "status", "--json"],
      ] as const
    ) {
      const refused = await one.run(folder, ...args.filter((word) => word !== "--json"));
      assertEquals([refused.code, refused.stdout], [3, ""]);
      assertMatch(refused.stderr, /Deno lets this program use only \.orchestra and/);
      assertEquals(refused.stderr.includes("No workspace"), false);
      const outcome = await one.run(folder, ...args);
      const { error } = JSON.parse(outcome.stderr);
      assertEquals(error.hint, `cd ${box.root} && '${one.path}' status --json`);
      const typed = await one.type(error.hint, folder);
      assertEquals(JSON.parse(typed.stdout).tasks[0].taskId, id);
    }
    assertEquals((await one.run(".", "-C", ".", "status")).code, 0);
    assertEquals((await one.run(".", "-C", box.root, "status")).code, 0);
    assertStringIncludes((await one.run(".", "-C", "nowhere", "status")).stderr, "no such folder");
    await using empty = await makeFolder();
    const alone = await one.type(`cd ${empty.path} && '${one.path}' status`);
    assertStringIncludes(alone.stderr, "No workspace here");
    assertEquals((await one.type(toType(alone).replace(/^.*?: /, ""), ".")).code, 0);
  },
);

test(
  "the one file runs agents in folders of their own, inside the workspace alone",
  NARROW,
  async () => {
    await using one = await makeOneFile();
    const { box } = one;
    await using outside = await makeFolder();
    Deno.symlinkSync(outside.path, `${box.root}/way-out`);
    const agent = { command: "sh", args: ["-c", "pwd -P"], completion: "exit" };
    box.agents({
      below: { ...agent, cwd: "src/deep" },
      out: { ...agent, cwd: "way-out" },
      up: { ...agent, cwd: ".." },
    });
    const start = async (name: string) =>
      (await one.run(".", "start", "-q", name, "x")).stdout.trim();
    const below = await start("below");
    await one.run(".", "run", "--wait");
    assertEquals((await one.run(".", "logs", below)).stdout, `${box.root}/src/deep\n`);
    assertMatch((await one.run(".", "agents")).stdout, /below\s+✓ installed/);
    for (const name of ["out", "up"]) {
      const id = await start(name);
      await one.run(".", "run", "--wait");
      assertStringIncludes(box.task(id).errorMessage!, "is no folder inside the workspace");
    }
  },
);

test(
  "a file that the one file may not use comes with the line that does without",
  NARROW,
  async () => {
    await using one = await makeOneFile();
    const { box } = one;
    Deno.writeTextFileSync(`${box.root}/src/t.jsonl`, '{"agent":"shell","prompt":"true"}\n');
    const from = await one.run(".", "start", "-q", "--from", "src/t.jsonl");
    assertEquals([from.code, /allow-read|Requires/.test(from.stderr)], [5, false]);
    assertEquals((await one.type(toType(from))).code, 0);
    assertEquals(box.tasks().length, 1);

    const report = await one.run(".", "run", "--all", "--wait", "--report", "junit=r.xml");
    assertEquals([report.code, box.tasks()[0]!.status], [5, "pending"]);
    assertEquals((await one.type(toType(report))).code, 0);
    assertStringIncludes(Deno.readTextFileSync(`${box.root}/r.xml`), "</testsuites>");

    Deno.mkdirSync(`${box.root}/old`);
    const imported = await one.run(".", "archive", "import", "old");
    assertEquals([imported.code, /allow-read flag/.test(imported.stderr)], [5, false]);
    const typed = await one.type(toType(imported));
    assertEquals([typed.code, typed.stdout], [0, `Imported 0 tasks from ${box.root}/old\n`]);
  },
);

test("what the one file tells to type is typed as it was started", NARROW, async () => {
  await using one = await makeOneFile();
  const folder = one.path.slice(0, one.path.lastIndexOf("/"));
  const started = await one.run(".", "start", "shell", "true");
  assertEquals(started.stderr, `Run it with: '${one.path}' run\n`);
  const onPath = await one.type("orchestra.js start shell true", ".", `${folder}:`);
  assertEquals(onPath.stderr, "Run it with: orchestra.js run\n");
  const byDeno = await one.type(`deno run -A '${one.path}' start shell true`);
  assertEquals(byDeno.stderr, `Run it with: deno run -A '${one.path}' run\n`);
  // The sources, a registry: whoever has them has a command for them.
  for (const program of ["file:///a/main.ts", "https://jsr.io/@orchestra/cli/0.1.0/main.ts"]) {
    assertEquals(spell("See: orchestra status", program), "See: orchestra status");
  }
  const text = "the orchestra plays, orchestra: x";
  assertEquals(spell(text, "file:///a/orchestra.js"), text);
});
