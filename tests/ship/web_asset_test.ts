// The server's asset beside the one file: the page is in it, nothing is built or fetched, and what lacks is
// told.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeDesk, ship } from "../support/desk.ts";
import { DENO, ROOT } from "../support/execute.ts";
import { NARROW, test } from "../support/needs.ts";
import { makeBox, makeFolder } from "../support/program.ts";
import { spawn } from "../support/spawn.ts";

/** Serves a workspace by a file, in a cache that is empty. */
async function serveBy(file: string, root: string, cache: string) {
  const live = spawn(DENO, [
    "run",
    "-A",
    "--no-config",
    "--cached-only",
    file,
    "serve",
    "--port",
    "0",
  ], {
    cwd: root,
    console: true,
    env: {
      DENO_DIR: cache,
      ORCHESTRA_TOKEN: "mine".repeat(4),
      XDG_STATE_HOME: cache,
      XDG_CONFIG_HOME: cache,
    },
  });
  await live.type("");
  return live;
}

Deno.test("the one file serves the page that is built into its asset", async () => {
  const { path } = await ship();
  await using box = await makeBox();
  await using cache = await makeFolder();
  const id = await box.start("shell", "echo hello");
  await using live = await serveBy(path, box.root, cache.path);
  const printed = await live.printed((text) => text.endsWith("\n"));
  const { origin } = new URL(printed);
  const page = await fetch(origin);
  const html = await page.text();
  assertMatch(
    page.headers.get("content-security-policy")!,
    /^default-src 'none'; script-src 'sha256-/,
  );
  assertStringIncludes(html, '<div id="app">');
  assert(!html.includes(ROOT), "paths of the machine that made it");
  const headers = { authorization: `Bearer ${"mine".repeat(4)}` };
  const [workspace] = await (await fetch(`${origin}/api/v1/workspaces`, { headers })).json();
  const tasks = `${origin}/api/v1/workspaces/${encodeURIComponent(workspace.name)}/tasks`;
  const answer = await (await fetch(tasks, { headers })).json();
  assertEquals(answer.tasks.map(({ taskId }: { taskId: string }) => taskId), [id]);
  live.kill("SIGINT");
  assertEquals((await live.ended()).code, 130);
});

Deno.test("without its asset the one file says what lacks", async () => {
  const { path } = await ship();
  await using box = await makeBox();
  await using folder = await makeFolder();
  const alone = `${folder.path}/orchestra.js`;
  Deno.copyFileSync(path, alone);
  await using live = await serveBy(alone, box.root, folder.path);
  const { code, stderr } = await live.ended();
  assertEquals(code, 5, stderr);
  assertStringIncludes(stderr, "orchestra-web.js is not beside this program");
});

test(
  "without permissions the one file says what it needs to serve",
  NARROW,
  async () => {
    await using desk = await makeDesk();
    const narrow = await desk.run(["serve"]);
    assertEquals(narrow.code, 5);
    assertStringIncludes(narrow.stderr, "To let it do all that you may: deno run -A");
  },
);
