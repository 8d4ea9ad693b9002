// Tasks that declare to touch the same files: kept apart where the settings say so.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { agentOf, forge, gated, openGate } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";
import { lineOf } from "../support/words.ts";

Deno.test("with serialize, of two tasks that touch the same files the second starts when the first has ended", async () => {
  await using box = await makeBox();
  box.config({ overlap: "serialize" });
  const first = await box.start("shell", gated(), "--touches", "src/**", "--touches", "docs/*.md");
  const second = await box.start("shell", gated(), "--touches", "src/{a,b}.ts");
  const third = await box.start("shell", gated(), "--touches", "tests/");
  assertEquals(box.task(first).touches, ["src/**", "docs/*.md"]);
  const ran = await box.json("run", "--all");
  assertEquals(
    ran.launched.map(({ taskId }: { taskId: string }) => taskId),
    [first, third],
  );
  const end = first.slice(-3);
  assertStringIncludes(await box.ok("run"), `${end}, which touches the same files`);
  const line = lineOf(await box.ok("status"), second);
  assertStringIncludes(line, "waiting");
  assertStringIncludes(await box.ok("show", second), "which touches the same files");
  const [shown] = (await box.json("status")).tasks
    .filter(({ taskId }: { taskId: string }) => taskId === second);
  assertEquals(shown.waitsFor, `waits for ${first}, which touches the same files`);
  await agentOf(box, first);
  openGate(box);
  for (const id of [first, second, third]) {
    assertEquals((await box.settled(id)).status, "complete");
  }
  const begun = Date.parse(box.task(second).startedAt!);
  assert(begun >= Date.parse(box.task(first).completedAt!));
});

Deno.test("by default tasks that touch the same files run at once", async () => {
  await using box = await makeBox();
  const ids = await Promise.all(
    ["a", "a"].map((glob) => box.start("shell", gated(), "--touches", glob)),
  );
  assertEquals((await box.json("run", "--all")).launched.length, 2);
  openGate(box);
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
});

Deno.test("a retry touches what its predecessor did", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "exit 3", "--touches", "a");
  await box.ok("run");
  await box.settled(id);
  await box.ok("retry", id);
  assertEquals(box.task(box.task(id).retriedBy!).touches, ["a"]);
});

Deno.test("a glob that leads out of the workspace is refused, with what one looks like", async () => {
  await using box = await makeBox();
  for (const glob of ["/etc/*", "../other", "a\\b"]) {
    const { code, stderr } = await box.run("start", "shell", "x", "--touches", glob);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "is not a glob of files below the workspace");
    assertStringIncludes(stderr, "src/**/*.ts");
  }
  const { code, stderr } = await box.run("config", "set", "overlap", "sometimes");
  assert(code !== 0);
  assertStringIncludes(stderr, "serialize");
});

Deno.test("start, status, show and deps graph mark tasks that touch the same files before they start", async () => {
  await using box = await makeBox();
  const first = await box.start("shell", "true", "--touches", "src/**", "--key", "one");
  const started = await box.run("start", "shell", "true", "--touches", "src/a.ts", "--key", "two");
  assertEquals(started.code, 0, started.stderr);
  const second = box.tasks().find(({ key }) => key === "two")!.taskId;
  assertMatch(started.stderr, /^Overlaps one: src\/a\.ts$/m);
  assertStringIncludes(lineOf(await box.ok("status"), first), "overlaps two: src/a.ts");
  assertStringIncludes(await box.ok("show", second), "overlaps one: src/a.ts");
  const overlaps = [{ tasks: [first, second], files: ["src/a.ts"] }];
  for (const words of [["status"], ["show", second], ["deps", "graph"]]) {
    assertEquals((await box.json(...words)).overlaps, overlaps, words.join(" "));
  }
  assertStringIncludes(await box.ok("deps"), "overlap: src/a.ts");
  assertStringIncludes(await box.ok("deps", "--format", "dot"), 'label="src/a.ts"');
  assertStringIncludes(await box.ok("deps", "--format", "mermaid"), '-. "src/a.ts" .-');
  await box.ok("cancel", first);
  assertEquals((await box.json("status")).overlaps, []);
});

Deno.test("a task that builds on two that changed the same files is marked with them", async () => {
  await using box = await makeBox();
  const before = await Promise.all(["a", "b"].map((key) => box.start("shell", "true", "-k", key)));
  await box.ok("run", "--all", "--wait");
  for (const id of before) {
    forge(box, id, {
      git: {
        branch: `orchestra/${id}`,
        base: "0".repeat(40),
        path: box.root,
        folder: "",
        tip: "1".repeat(40),
        files: 1,
        insertions: 1,
        deletions: 0,
        paths: ["src/a.ts"],
        left: null,
      },
    });
  }
  const both = await box.run("start", "shell", "true", "--depends-on", before.join(","));
  assertStringIncludes(both.stderr, "overlap: src/a.ts");
  const [id] = box.tasks().map(({ taskId }) => taskId).filter((it) => !before.includes(it));
  assertStringIncludes(lineOf(await box.ok("status"), id!), "overlap: src/a.ts");
});
