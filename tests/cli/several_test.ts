// Commands that take several tasks: by their names, or by the filters of `status`.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("cancel takes the filters of status, and only what is not over yet", async () => {
  await using box = await makeBox();
  const [a, b, c] = [
    await box.start("shell", "true", "-l", "team=x"),
    await box.start("auto", "true", "-l", "team=x"),
    await box.start("auto", "true"),
  ];
  assertEquals((await box.json("cancel", "--label", "team=x", "--agent", "auto")).cancelled, [b]);
  assertEquals((await box.json("cancel", "--label", "team=x")).cancelled, [a]);
  assertEquals((await box.json("cancel", "-s", "failed")).cancelled, []);
  assertEquals((await box.json("cancel", "--all", "--agent", "shell")).cancelled, []);
  assertEquals((await box.json("cancel", "--status", "ready")).cancelled, [c]);
  assertStringIncludes((await box.fails(2, "cancel", a, "--agent", "auto")).text, "not both");
});

Deno.test("retry takes several and filters; one that cannot be retried keeps all back", async () => {
  await using box = await makeBox();
  const [a, b, c] = [
    await box.start("shell", "exit 1", "-k", "a"),
    await box.start("shell", "exit 1", "-k", "b"),
    await box.start("shell", "true"),
  ];
  await box.ok("run", "--all");
  await box.runWith({}, "wait");
  assertStringIncludes((await box.fails(4, "retry", "a", c)).text, `${c} is complete`);
  assertEquals(box.tasks().length, 3);
  const from = (list: { parentTaskId: string }[]) => list.map((task) => task.parentTaskId);
  assertEquals(from(await box.json("retry", "b", "a", "b")), [b, a]);
  assertEquals(await box.json("retry", "--status", "failed"), []);
  await box.ok("cancel", "a", "b");
  assertEquals(from(await box.json("retry", "--agent", "shell", "--max-retries", "9")), [b, a]);
  await box.fails(2, "retry");
  await box.fails(2, "retry", "a", "--status", "failed");
});

Deno.test("wait takes filters, and clean takes several and those that never change", async () => {
  await using box = await makeBox();
  const [a, b, c] = [
    await box.start("shell", "true", "-l", "team=x"),
    await box.start("shell", "exit 1", "-l", "team=x"),
    await box.start("shell", "true"),
  ];
  await box.ok("run", "--all");
  await box.settled(c);
  const { tasks, complete } = await box.json("wait", "--status", "complete");
  assertEquals([tasks.length, complete], [2, true]);
  const waited = await box.run("wait", "--label", "team=x", "--json");
  assertEquals([waited.code, JSON.parse(waited.stdout).tasks.length], [1, 2]);
  assertEquals((await box.json("clean", "-y", "--agent", "auto")).removed, []);
  assertEquals((await box.json("clean", "-y", "--label", "team=x")).removed, [a]);
  assertEquals((await box.json("clean", "-y", "failed", "@last")).removed, [b, c]);
  assertStringIncludes((await box.fails(2, "clean", "-y", "faild")).text, '"failed"');
});
