// Task files that are damaged or hostile, by hand and generated: each is named, none breaks out.

import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import {
  assertPrintable,
  assertRefused,
  makeBox,
  makeFolder,
  openBox,
} from "../support/program.ts";
import {
  assertOnlyColors,
  assertRestWorks,
  contents,
  EVIL,
  hostileValue,
  id,
  valid,
} from "../support/hostile.ts";

Deno.test("a damaged task file is named, kept as it is, and disturbs no other task", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const bad: Record<string, string | Uint8Array> = {
    empty: "",
    blank: " \n",
    truncated: JSON.stringify(valid(3)).slice(0, -20),
    array: "[]",
    null: "null",
    number: "5",
    deep: "[".repeat(100_000),
    binary: new Uint8Array([0, 255, 254, 27, 91, 50, 74]),
    otherId: JSON.stringify(valid(999)),
    noPrompt: JSON.stringify({ ...valid(9), prompt: undefined }),
    wrongStatus: JSON.stringify(valid(10, { status: "done\x1b[2J" })),
    wrongTime: JSON.stringify(valid(11, { createdAt: "yesterday" })),
    wrongPid: JSON.stringify(valid(12, { pid: "all" })),
    infinite: JSON.stringify(valid(13)).replace('"retryCount":0', '"retryCount":1e999'),
    wrongDependency: JSON.stringify(valid(14, { dependsOn: ["../../etc/passwd"] })),
    wrongHistory: JSON.stringify(valid(15, { retryHistory: [null] })),
    escape: JSON.stringify(valid(16, { taskId: EVIL })),
  };
  const names = Object.keys(bad);
  for (const [at, content] of Object.values(bad).entries()) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(box.path(`tasks/${id(at + 1)}.json`), bytes);
  }
  Deno.writeTextFileSync(box.path("tasks/notes.txt"), "not ours");
  Deno.writeTextFileSync(box.path("tasks/task_5.json"), "{}");
  Deno.mkdirSync(box.path(`tasks/${id(500)}.json`));
  const before = contents(box.path("tasks"));

  const [plain, colored, json] = await Promise.all([
    box.ok("status"),
    box.ok("status", "--color"),
    box.json("status"),
  ]);
  assertPrintable(plain);
  assertOnlyColors(colored);
  assertEquals(json.tasks.length, 1);
  for (const [at, name] of names.entries()) {
    const file = `.orchestra/tasks/${id(at + 1)}.json`;
    const found = json.damaged.find((item: { file: string }) => item.file === file);
    assert(found !== undefined && found.problem !== "", `${name} is reported`);
  }
  assertEquals(json.damaged.length, names.length + 2);
  assertStringIncludes(plain, `.orchestra/tasks/${id(1)}.json is empty`);
  assertMatch(plain, /and \d+ more damaged files/);
  // A command about one of them says so; two by two, for each asks for text and for JSON.
  for (
    const args of [["show"], ["logs"], ["retry"], ["cancel"], ["timeout"], ["timeout", "extend"]]
  ) {
    const rest = args.length === 2 ? ["5"] : [];
    const failure = await box.fails(5, ...args, id(3), ...rest);
    assertEquals(failure.code, "damaged", args.join(" "));
    assertStringIncludes(failure.message, `${id(3)}.json`);
  }
  await box.fails(5, "show", id(17));
  await box.fails(5, "wait", id(3));
  await box.ok("clean", "all", "--yes");
  await assertRestWorks(box, good);
  for (const [name, bytes] of Object.entries(contents(box.path("tasks")))) {
    if (name in before && !name.startsWith(good)) assertEquals(bytes, before[name], name);
  }
});

const hostileChange = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...Object.keys(valid(0)).filter((name) => name !== "taskId")),
    fc.constantFrom("__proto__", "constructor", "unknownField", "toString"),
  ),
  hostileValue,
  { maxKeys: 4, noNullPrototype: true },
);

Deno.test("two hundred generated task files: each is shown or reported, none breaks out", async () => {
  await using folder = await makeFolder();
  const root = `${folder.path}/root`;
  Deno.mkdirSync(`${root}/.orchestra/tasks`, { recursive: true });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  Deno.writeTextFileSync(`${folder.path}/victim`, "untouched");
  Deno.writeTextFileSync(`${root}/victim`, "untouched");
  await using box = openBox(root);
  box.agents({ hostile: { command: "true", completion: "exit" } });
  box.config({ grace_period: 0.1, retry: { base: 0.01, cap: 0.02 } });
  const changes = fc.sample(hostileChange, { numRuns: 200, seed: 20261122 });
  for (const [at, change] of changes.entries()) {
    Deno.writeTextFileSync(box.path(`tasks/${id(at)}.json`), JSON.stringify(valid(at, change)));
  }
  const good = await box.start("shell", "true", "-p", "10");
  const [plain, colored, json] = await Promise.all([
    box.ok("status", "--all", "--no-auto-retry"),
    box.ok("status", "--all", "--no-auto-retry", "--color"),
    box.json("status", "--no-auto-retry"),
  ]);
  assertPrintable(plain);
  assertOnlyColors(colored);
  assert(json.tasks.length + json.damaged.length >= 201, "every file is accounted for");
  assert(json.damaged.length > 20 && json.tasks.length > 20, "and there are some of each");
  const shown: string[] = json.tasks.map((task: { taskId: string }) => task.taskId);
  for (let at = 0; at < shown.length; at += 20) {
    await Promise.all(
      shown.slice(at, at + 20).filter((_, each) => each % 6 === 0).map(async (name) => {
        const page = await box.run("show", name);
        // What of its log or plan cannot be shown is told below the page, with the code of that.
        if (page.stdout !== "") {
          assertPrintable(page.stdout + page.stderr);
          assertEquals(page.code, page.stderr === "" ? 0 : 5, page.stderr);
        } else assertRefused(page, 5, name);
      }),
    );
  }
  const run = await box.run("run", "--all", "--wait", "--parallel", "8");
  assert(run.code === 0 || run.code === 1, JSON.stringify(run));
  assertPrintable(run.stdout + run.stderr);
  assertEquals(box.task(good).status, "complete");
  for (const path of [`${folder.path}/victim`, `${root}/victim`]) {
    assertEquals(Deno.readTextFileSync(path), "untouched");
  }
  const names = [...Deno.readDirSync(folder.path)].map((item) => item.name).sort();
  assertEquals(names, ["root", "victim"]);
  const inside = [...Deno.readDirSync(root)].map((item) => item.name).sort();
  assertEquals(inside, [".orchestra", ".orchestra-cli", "victim"]);
});
