// A clone has what is committed, `.orchestra-cli/`, and no queue: it is a workspace all the same, and
// whoever first writes makes the rest.

import { findRoot } from "../../lib/store/paths.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Box, makeFolder, openBox } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

async function makeClone(): Promise<Box> {
  const { path } = await makeFolder();
  Deno.mkdirSync(`${path}/.orchestra-cli`);
  const box = openBox(path);
  box.agents({});
  return box;
}

function isMade(box: Box): boolean {
  return [...Deno.readDirSync(box.root)].some(({ name }) => name === ".orchestra");
}

Deno.test("a folder with nothing but .orchestra-cli is found from below and holds no tasks", async () => {
  await using box = await makeClone();
  Deno.mkdirSync(`${box.root}/src/deep`, { recursive: true });
  assertEquals(findRoot(`${box.root}/src/deep`), box.root);
  const store = openStore(box.root);
  assertEquals(store.scan().tasks, []);
  assertEquals(store.read("task_1795338125627"), undefined);
  assert(!isMade(box));
});

Deno.test("in a clone commands that look show an empty queue and make nothing", async () => {
  await using box = await makeClone();
  const looks = [
    ["status"],
    ["agents"],
    ["doctor"],
    ["config", "show"],
    ["deps", "graph"],
    ["deps", "validate"],
    ["timeout", "list"],
    ["archive", "list"],
    ["archive", "stats"],
    ["archive", "--dry-run"],
    ["daemon", "status"],
    ["wait"],
  ];
  for (const words of looks) {
    const outcome = await box.run(...words);
    assertEquals(outcome.code, 0, `${words}: ${outcome.stderr}`);
    assert(!isMade(box), `${words} made .orchestra`);
  }
  await box.fails(3, "show", "task_1795338125627");
  assert(!isMade(box));
});

Deno.test("in a clone the first command that writes makes the queue, kept out of git", async () => {
  await using box = await makeClone();
  const id = await box.start("shell", "true");
  assertEquals(Deno.readTextFileSync(box.path(".gitignore")), "*\n");
  assertMode(box.path(""), 0o700);
  await box.ok("run");
  assertEquals((await box.settled(id)).status, "complete");
});

Deno.test("a daemon in a clone makes the queue that it watches over", async () => {
  await using box = await makeClone();
  await box.ok("daemon", "start");
  assert(isMade(box));
  await box.ok("daemon", "stop");
});

Deno.test("init writes a .gitignore, and changes none that is there", async () => {
  await using box = await makeClone();
  const first = await box.json("init");
  assert(first.made.includes(".orchestra/.gitignore"));
  assertEquals(Deno.readTextFileSync(box.path(".gitignore")), "*\n");
  Deno.writeTextFileSync(box.path(".gitignore"), "logs/\n");
  assertEquals((await box.json("init")).made, []);
  assertEquals(Deno.readTextFileSync(box.path(".gitignore")), "logs/\n");
});

Deno.test("init gives an older workspace its .gitignore", async () => {
  await using box = await makeClone();
  Deno.mkdirSync(`${box.root}/.orchestra/tasks`, { recursive: true });
  await box.ok("status");
  assert(![...Deno.readDirSync(box.path(""))].some(({ name }) => name === ".gitignore"));
  await box.ok("init");
  assertEquals(Deno.readTextFileSync(box.path(".gitignore")), "*\n");
});
