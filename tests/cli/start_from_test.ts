// start --from: task lists.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assertRefused, makeBox } from "../support/program.ts";

Deno.test("start --from queues a whole graph from a file or from stdin", async () => {
  await using box = await makeBox();
  const earlier = await box.start("shell", "earlier");
  const lines = [
    { key: "test", agent: "shell", prompt: "test", dependsOn: ["build", earlier] },
    {
      key: "build",
      agent: "shell",
      prompt: "build",
      priority: 7,
      timeout: "5m",
      labels: { a: "b" },
    },
    { agent: "shell", prompt: "report", dependsOn: "test", maxRetries: 0, autoRetry: true },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\n\n") + "\n";
  Deno.writeTextFileSync(`${box.root}/tasks.jsonl`, text);
  const [test, build, report] = await box.json("start", "--from", "tasks.jsonl");
  assertEquals([test.key, build.key, report.key], ["test", "build", undefined]);
  assertEquals(box.task(test.taskId).dependsOn, [build.taskId, earlier]);
  assertEquals(box.task(report.taskId).dependsOn, [test.taskId]);
  const made = box.task(build.taskId);
  assertEquals([made.priority, made.timeout, made.labels], [7, 300, { a: "b" }]);
  assertEquals(box.task(report.taskId).autoRetry, true);
  assertEquals([made.key, box.task(report.taskId).key], ["build", null]);
  // The keys are those of the tasks above: the same list once more needs others.
  const stdin = text.replaceAll('"build"', '"build 2"').replaceAll(
    '"key":"test"',
    '"key":"test 2"',
  );
  const piped = await box.runWith({ stdin }, "start", "--from", "-", "--quiet");
  assertEquals(piped.stdout.match(/^task_\d+$/gm)?.length, 3);
  Deno.writeTextFileSync(
    `${box.root}/tasks.jsonl`,
    `{"agent": "shell", "prompt": "x"}\n`.repeat(3),
  );
  assertStringIncludes(await box.ok("start", "--from", "tasks.jsonl"), "Queued 3 tasks");
});

Deno.test("start --from takes a file that begins with a byte order mark", async () => {
  await using box = await makeBox();
  const text = '\ufeff{"agent": "shell", "prompt": "one"}\r\n';
  Deno.writeTextFileSync(`${box.root}/tasks.jsonl`, text);
  assertStringIncludes(await box.ok("start", "--from", "tasks.jsonl"), "Queued 1 task ");
  const piped = await box.runWith({ stdin: text }, "start", "--from", "-");
  assertEquals(piped.code, 0, piped.stderr);
  assertEquals(box.tasks().map((task) => task.prompt), ["one", "one"]);
});

Deno.test("start --from names a wrong line by its number", async () => {
  await using box = await makeBox();
  const good = '{"key": "a", "agent": "shell", "prompt": "x"}';
  const long = "x".repeat(3 << 20);
  const cases: [number, object][] = [
    [3, { agent: "shel", prompt: "x" }],
    [3, { agent: "shell", prompt: "x", dependsOn: "b" }],
    [2, { key: "a", agent: "shell", prompt: "x" }],
    [2, { agent: "shell" }],
    [2, { agent: "shell", prompt: long }],
  ];
  await Promise.all(cases.map(async ([code, line]) => {
    // The empty line counts, as it does in an editor.
    const stdin = `${good}\n\n${JSON.stringify(line)}\n`;
    const refused = await box.runWith({ stdin }, "start", "--from", "-");
    assertStringIncludes(assertRefused(refused, code), "orchestra: standard input, line 3: ");
  }));
  assertEquals(box.tasks(), []);
});

/** A text as PowerShell 5 writes it with `>`. */
function utf16(text: string): Uint8Array<ArrayBuffer> {
  const units = `\ufeff${text}`.split("").map((unit) => unit.charCodeAt(0));
  return new Uint8Array(Uint16Array.from(units).buffer);
}

Deno.test("UTF-16 with its mark, which PowerShell writes, is read as what it is", async () => {
  await using box = await makeBox();
  Deno.writeFileSync(`${box.root}/w.jsonl`, utf16('{"agent":"shell","prompt":"café 💡"}\r\n'));
  await box.ok("start", "--from", "w.jsonl");
  await box.runWith({ stdin: utf16("naïve") }, "start", "shell", "-");
  assertEquals(box.tasks().map(({ prompt }) => prompt).sort(), ["café 💡", "naïve"]);
});

Deno.test("options beside --from are defaults of the tasks that do not say otherwise", async () => {
  await using box = await makeBox();
  const lines = [
    { agent: "shell", prompt: "true" },
    { agent: "shell", prompt: "true", priority: 3, timeout: null, labels: {} },
  ];
  const options = ["--priority", "9", "--timeout", "5m", "--label", "a=b"];
  const stdin = lines.map((line) => JSON.stringify(line)).join("\n");
  await box.runWith({ stdin }, "start", "--from", "-", ...options);
  assertEquals(box.tasks().map(({ priority, timeout, labels }) => [priority, timeout, labels]), [
    [9, 300, { a: "b" }],
    [3, null, {}],
  ]);
  const refused = await box.runWith({ stdin }, "start", "--from", "-", "--depends-on", "nobody");
  assertStringIncludes(assertRefused(refused, 3), "line 1");
});

Deno.test("what is no UTF-8 is refused, not queued as something else", async () => {
  await using box = await makeBox();
  const latin = new Uint8Array([
    ...new TextEncoder().encode('{"agent":"shell","prompt":"caf'),
    0xe9,
  ]);
  const line = new Uint8Array([...latin, ...new TextEncoder().encode('"}\n')]);
  Deno.writeFileSync(`${box.root}/latin.jsonl`, line);
  const { text } = await box.fails(2, "start", "--from", "latin.jsonl");
  assertStringIncludes(text, "not UTF-8");
  assertEquals((await box.runWith({ stdin: line }, "start", "--from", "-")).code, 2);
  assertEquals(box.tasks(), []);
});
