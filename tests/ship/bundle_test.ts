// The one file, under its own permissions.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { ENV, permissionFlags } from "../../lib/supervise/permissions.ts";
import { VERSION } from "../../lib/task/version.ts";
import { execute, namesBelow, ROOT, succeeded, WINDOWS } from "../support/execute.ts";
import { ENDLESS, makeDesk, ship } from "../support/desk.ts";

Deno.test("the bundle is one file that asks for its permissions and no others", async () => {
  const { path } = await ship();
  const text = Deno.readTextFileSync(path);
  assertEquals(
    text.slice(0, text.indexOf("\n")),
    "#!/usr/bin/env -S deno run --no-config --v8-flags=--single-threaded --no-prompt " +
      "-R=.orchestra,.orchestra-cli -W=.orchestra,.orchestra-cli --allow-run -S=uid " +
      `-E=${ENV.join(",")}`,
  );
  const beside = namesBelow(path.replace(/[^/]*$/, ""));
  assertEquals(beside, ["orchestra-web.js", "orchestra.cmd", "orchestra.js"]);
  const everything = permissionFlags().filter((flag) =>
    /^(?:-A|--allow-(?:all|net|ffi|sys|import|read|write|env))$/.test(flag)
  );
  assertEquals(everything, []);
  if (!WINDOWS) assert((Deno.statSync(path).mode! & 0o777) === 0o755);
  // Nothing of the machine that made it, and nothing to be fetched.
  assert(!text.includes(ROOT) && !text.includes("registry.npmjs.org"));
  // What begins a module can stand in parentheses, and be in the code cache: a method could not.
  assert(/\(\{m:\(?(?:async )?function\(/.test(text));
  assertEquals(text.match(/\(\{(?:async )?m\(/g), null);
});

Deno.test("what is to be disposed of is so in the bundle too", async () => {
  const { path } = await ship();
  const output = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const args = ["bundle", "--quiet", "--external=../../web/serve.ts", "-o", output, "main.ts"];
    succeeded(await execute(Deno.execPath(), args, { cwd: ROOT }), "deno bundle");
    const count = (file: string) =>
      Deno.readTextFileSync(file).match(/\busing [\w$]+ ?=/g)?.length ?? 0;
    assert(count(path) >= 30);
    // What only Windows needs is left out of the one file.
    assert(count(path) >= count(output) - 2, `${count(path)} of ${count(output)}`);
  } finally {
    await Deno.remove(output);
  }
});

Deno.test(
  "the bundle runs from any folder, with an empty Deno cache and without a network",
  async () => {
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
    const bad = await desk.start(WINDOWS ? "echo bad>&2& exit 3" : "echo bad >&2; exit 3");
    const both = await run(["run", "--all", "--wait"]);
    assertEquals(both.code, 1, JSON.stringify(both));
    assertEquals(box.task(good).status, "complete");
    assertEquals([box.task(bad).status, box.task(bad).exitCode], ["failed", 3]);
    assertEquals((await run(["logs", bad])).stdout.trimEnd(), "bad");
    const { stdout: table } = succeeded(await run(["status"]), "status");
    assertMatch(table, new RegExp(`${good}.*complete`));
    assertMatch(table, new RegExp(`${bad}.*failed`));

    const long = await desk.start(ENDLESS);
    succeeded(await run(["run"]), "run");
    await box.until("a running task", () => box.task(long).status === "running");
    succeeded(await run(["cancel", long]), "cancel");
    assertEquals((await box.settled(long)).status, "cancelled");

    const cached = namesBelow(desk.cache).filter((name) => /^(?:npm|remote|deps)\/./.test(name));
    assertEquals(cached, []);
  },
);

Deno.test(
  "the supervisor that the bundle leaves behind works with the same permissions",
  async () => {
    await using desk = await makeDesk();
    const { box, run } = desk;
    // Deno looks for settings beside the program too.
    const { path } = await ship();
    const beside = `${path.slice(0, path.lastIndexOf("/"))}/deno.json`;
    Deno.writeTextFileSync(beside, "{ this is no JSON");
    try {
      succeeded(await run(["init"]), "init");
      const id = await desk.start(ENDLESS, "--timeout", "1");
      succeeded(await run(["run"]), "run");
      if (Deno.build.os === "linux") {
        const [pid] = await box.until("a supervisor", () => {
          const found = box.supervisors();
          return found.length > 0 && found;
        });
        const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
        for (const flag of permissionFlags()) assert(words.includes(flag), flag);
      }
      const task = await box.settled(id);
      assertEquals([task.status, task.failureClass], ["failed", "timeout"]);
      await box.unwatched();
    } finally {
      Deno.removeSync(beside);
    }
  },
);
