// A compiled binary, where one can be made.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeFolder, openBox } from "../support/program.ts";
import { checksumLine, fileFor } from "../../.ci/compile.ts";
import { VERSION } from "../../lib/task/version.ts";
import { DENO, execute, namesBelow, ROOT, succeeded } from "../support/execute.ts";
import { type Missing, test } from "../support/needs.ts";

/** The target that this machine runs. */
const HERE = Deno.build.target;

/** Why no binary can be made here. */
const NO_RUNTIME: Missing = await (async () => {
  if (Deno.env.get("DENORT_BIN")) return null;
  const url = `https://dl.deno.land/release/v${Deno.version.deno}/denort-${HERE}.zip`;
  try {
    const { ok, status } = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.timeout(5000),
    });
    return ok ? null : `${url} answered ${status}`;
  } catch {
    return `DENORT_BIN is not set, and ${new URL(url).host} cannot be reached`;
  }
})();

test("a compiled binary runs by itself, and its sum is right", NO_RUNTIME, async () => {
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
});

Deno.test("compiling without a base runtime says why and fails", async () => {
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
});
