// `orchestra workspaces`, and -w: which workspaces there are, and one of them by its name.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { GIVING, NAMES, test } from "../support/needs.ts";
import { assertPrintable, assertRefused, makeFolder, runProgram } from "../support/program.ts";
import { makeShelf } from "../support/shelf.ts";

const NOBODY = 65534;

Deno.test("init makes a workspace known, and is content where it may not", async () => {
  await using shelf = await makeShelf();
  Deno.mkdirSync(`${shelf.path}/site`);
  const root = Deno.realPathSync(`${shelf.path}/site`);
  const first = await runProgram(root, ["init"], { env: shelf.env });
  assertStringIncludes(first.stdout, "known as site");
  assertEquals(
    (await shelf.json("workspaces")).map((
      { name, root }: { name: string; root: string },
    ) => [name, root]),
    [
      ["site", root],
    ],
  );
  // A place that cannot be made, and none at all.
  for (const state of ["/dev/null/x", `${root}/.orchestra/.gitignore`]) {
    const env = { ...shelf.env, XDG_STATE_HOME: state };
    const { code, stdout, stderr } = await runProgram(root, ["init", "--json"], { env });
    assertEquals([code, stderr], [0, ""], state);
    assertEquals(JSON.parse(stdout).name, null);
  }
});

Deno.test("workspaces tells how it stands with each, in 80 columns", async () => {
  await using shelf = await makeShelf("app", "notes");
  const { app, notes } = shelf.boxes;
  const failed = await app!.start("shell", "exit 3");
  await app!.ok("run", "--all");
  await app!.settled(failed);
  const running = await app!.start("shell", "sleep 600");
  await app!.ok("run", "--all");
  await app!.start("shell", "true", "--depends-on", failed);
  await notes!.start("shell", "true");
  const list = await shelf.json("workspaces", "list");
  assertEquals(
    list.map(({ name, counts, attention, problem }: Record<string, unknown>) => {
      const { running, ready, blocked, failed } = counts as Record<string, number>;
      return { name, running, ready, blocked, failed, attention, problem };
    }),
    [
      { name: "app", running: 1, ready: 0, blocked: 1, failed: 1, attention: 2, problem: null },
      { name: "notes", running: 0, ready: 1, blocked: 0, failed: 0, attention: 0, problem: null },
    ],
  );
  assertMatch(list[0].supervisor, /^supervisor \(pid \d+\)/);
  assertEquals(list[1].supervisor, null);
  const wide = await shelf.ok("workspaces");
  assertStringIncludes(wide, app!.root);
  const env = { ...shelf.env, COLUMNS: "80" };
  const { stdout } = await runProgram(shelf.path, ["workspaces"], { env });
  for (const line of stdout.split("\n")) assert(line.length <= 80, line);
  assertMatch(stdout, /^app +1 +0 +2 +supervisor/m);
  assertMatch(stdout, /^notes +0 +1 +0 +nobody/m);
  await app!.ok("cancel", running);
});

Deno.test("-w and --workspace name a workspace for every command, from anywhere", async () => {
  await using shelf = await makeShelf("app", "notes");
  const { app } = shelf.boxes;
  const id = (await shelf.ok("-w", "app", "start", "-q", "shell", "true")).trim();
  assertEquals(app!.task(id).agent, "shell");
  assertStringIncludes(await shelf.ok("show", id.slice(-6), "--workspace", "app"), id);
  assertStringIncludes(await shelf.ok("--workspace=app", "status"), id);
  assertStringIncludes(await shelf.ok("status", "--workspace", "app"), id);
  assertStringIncludes(await shelf.ok("config", "show", "-wapp"), "max_concurrent");
  assert(!(await shelf.ok("-w", "notes", "status")).includes(id));
  // What a hint tells to type names it, too.
  const hint = await shelf.run("-w", "notes", "status");
  assertStringIncludes(hint.stdout, "orchestra -w notes start shell");
  assertStringIncludes(
    assertRefused(await shelf.run("-w", "app", "show", "1234567"), 3),
    " -w app status",
  );
  // From within another one it is not that one.
  const there = await shelf.boxes.notes!.runWith({ env: { ...shelf.env } }, "-w", "app", "status");
  assertStringIncludes(there.stdout, id);
});

Deno.test("a workspace that is not known, or named twice, is refused with what was meant", async () => {
  await using shelf = await makeShelf("application");
  assertStringIncludes(
    assertRefused(await shelf.run("-w", "aplication", "status"), 3),
    'Did you mean "application"?',
  );
  assertStringIncludes(assertRefused(await shelf.run("-w", "zzz", "status"), 3), "workspaces list");
  const twice = await shelf.run("-w", "application", "-C", shelf.path, "status");
  assertStringIncludes(assertRefused(twice, 2), "both name the workspace");
  assertRefused(await shelf.run("-w"), 2);
  assertStringIncludes(
    assertRefused(await shelf.run("-w", "application", "status", "--everywhere"), 2),
    "Give one of the two",
  );
  assertRefused(await shelf.run("workspaces", "remove", "aplication"), 3);
  assertRefused(await shelf.run("workspaces", "add", shelf.path), 3);
  assertRefused(await shelf.run("workspaces", "add", `${shelf.path}/none`), 3);
});

Deno.test("add takes a folder below the root, and names anew; remove takes a name or a folder", async () => {
  await using shelf = await makeShelf("one", "two");
  const { one, two } = shelf.boxes;
  Deno.mkdirSync(`${one!.root}/a/b`, { recursive: true });
  assertEquals(await shelf.json("workspaces", "add", `${one!.root}/a/b`, "--name", "uno"), {
    name: "uno",
    root: one!.root,
  });
  assertRefused(await shelf.run("workspaces", "add", one!.root, "--name", "two"), 2);
  await shelf.ok("workspaces", "remove", "uno");
  await shelf.ok("workspaces", "remove", two!.root);
  assertEquals(await shelf.json("workspaces"), []);
  assertStringIncludes(await shelf.ok("workspaces"), "No workspace is known");
  // Forgotten is a name, and no more.
  assert(Deno.lstatSync(`${one!.root}/.orchestra/tasks`).isDirectory);
  assertRefused(await shelf.run("status", "--everywhere"), 3);
});

Deno.test("one that is gone is said to be, once, and is forgotten", async () => {
  await using shelf = await makeShelf("app", "gone");
  Deno.removeSync(shelf.boxes.gone!.root, { recursive: true });
  const [app, gone] = await shelf.json("workspaces");
  assertEquals([app.problem, gone.name, gone.counts], [null, "gone", null]);
  assertStringIncludes(gone.problem, "gone");
  assertEquals((await shelf.json("workspaces")).length, 1);
});

test("another user's workspace is listed with what is wrong", GIVING, async () => {
  await using shelf = await makeShelf("app", "theirs");
  Deno.chownSync(`${shelf.boxes.theirs!.root}/.orchestra`, NOBODY, NOBODY);
  const env = { ...shelf.env, COLUMNS: "80" };
  const { code, stdout } = await runProgram(shelf.path, ["workspaces"], { env });
  assertEquals(code, 0);
  assertStringIncludes(stdout, "! theirs: ");
  assertStringIncludes(stdout, "somebody else");
  for (const line of stdout.split("\n")) assert(line.length <= 80, line);
});

test("what a folder's name makes a terminal do is not done", NAMES, async () => {
  await using shelf = await makeShelf();
  await using folder = await makeFolder();
  const root = `${folder.path}/\u001b[31mred\nline`;
  Deno.mkdirSync(`${root}/.orchestra`, { recursive: true });
  assertPrintable(await shelf.ok("workspaces", "add", root));
  assertPrintable(await shelf.ok("workspaces"));
});

Deno.test("names of workspaces complete", async () => {
  await using shelf = await makeShelf("app", "notes");
  const complete = async (...words: string[]) =>
    (await shelf.ok("_complete", ...words)).trim().split("\n");
  assertEquals(await complete("-w", ""), ["app", "notes"]);
  assertEquals(await complete("show", "--workspace", "n"), ["notes"]);
  assertEquals(await complete("workspaces", "remove", "a"), ["app"]);
  assert((await complete("status", "--")).includes("--everywhere"));
  assert((await complete("show", "--")).includes("--workspace"));
});

Deno.test("behind status and run, who means a workspace by -w is told how to name it", async () => {
  await using shelf = await makeShelf("shop");
  for (const [command, meaning] of [["status", "--watch"], ["run", "--wait"]] as const) {
    for (const given of [["-w", "shop"], ["-w=shop"]]) {
      const text = assertRefused(await shelf.run(command, ...given), 2);
      assertStringIncludes(text, `-w is ${meaning} behind ${command}`);
      assertStringIncludes(text, `orchestra -w shop ${command} `);
      assertStringIncludes(text, `orchestra ${command} --workspace shop`);
    }
  }
});
