// The package, from a registry.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { openRegistry } from "./jsr_registry.ts";
import { makeFolder, openBox, processesWith, spawn } from "../support/program.ts";
import { VERSION } from "../../lib/task/version.ts";
import { DENO, execute, ROOT, succeeded } from "../support/execute.ts";

test(
  "what is published to JSR runs from there, and can be imported, with an empty cache",
  ON_POSIX,
  async (t) => {
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

    await t.step("deno publish uploads it, with its page built in", async () => {
      const sources = `${folder.path}/sources`;
      const copied = ["deno.json", "deno.lock", "main.ts", "mod.ts", "lib", "templates", ".ci"];
      Deno.mkdirSync(sources);
      succeeded(
        await execute("cp", ["-r", ...copied, "README.md", "LICENSE", sources], { cwd: ROOT }),
        "cp",
      );
      const build = ["run", "-A", ".ci/jsr_page.ts"];
      succeeded(await execute(DENO, build, { cwd: sources }), "jsr_page.ts");
      const args = ["publish", "--allow-dirty", "--no-check", "--no-provenance", "--token", "none"];
      const { DENO_DIR: _, ...rest } = env;
      succeeded(await execute(DENO, args, { cwd: sources, env: rest }), "deno publish");
      const files = registry.files(VERSION);
      for (const name of ["/LICENSE", "/README.md", "/deno.json", "/main.ts", "/mod.ts"]) {
        assert(files.includes(name), `${name} is not among ${files.join(" ")}`);
      }
      assertEquals(
        files.filter((name) => /^\/(?:tests|docs|dist|\.ci|\.github|lib\/web\/page)\//.test(name)),
        [],
      );
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

    await t.step("its page is there without being built", async () => {
      const before = registry.requests.length;
      await using server = spawn(
        DENO,
        ["run", "-A", "jsr:@orchestra/cli", "serve", "--port", "0", "--json"],
        { cwd: root, env },
      );
      const printed = await server.printed((text) => text.endsWith("}\n"));
      const { address } = JSON.parse(printed) as { address: string };
      assertMatch(await (await fetch(address)).text(), /<script[^]{20000}/);
      const asked = registry.requests.slice(before);
      assertEquals(asked.filter((path) => /web\/(?:page\/|build)/.test(path)), []);
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
);
