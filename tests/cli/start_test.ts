// start: prompts, options, and what it says.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

Deno.test("start says what it queued: in a sentence, as the bare id, or as the task", async () => {
  await using box = await makeBox();
  const plain = await box.run("start", "shell", "echo hello");
  const [, id] = /^Queued (task_\d+) for shell\n$/.exec(plain.stdout) ?? [];
  assert(id !== undefined, plain.stdout);
  assertStringIncludes(plain.stderr, "orchestra run");
  const quiet = await box.run("start", "-q", "shell", "echo hello");
  assertMatch(quiet.stdout, /^task_\d+\n$/);
  assertEquals(quiet.stderr, "");
  const task = await box.json("start", "shell", "echo hello");
  assertEquals(task, box.task(task.taskId));
  assertEquals([task.status, task.agent, task.prompt], ["pending", "shell", "echo hello"]);
  for (const name of [`tasks/${id}.json`, `plans/${id}_plan.md`]) {
    assert(Deno.statSync(box.path(name)).isFile, name);
    assertMode(box.path(name), 0o600);
  }
  assertStringIncludes(Deno.readTextFileSync(box.path(`plans/${id}_plan.md`)), "echo hello");
});

Deno.test("start takes every prompt as it is: quotes, $(), backticks, newlines, emoji, dashes", async () => {
  await using box = await makeBox();
  const prompts = [
    `it's "quoted" $(touch pwned) \`touch pwned\` \\n %s ; | & > pwned`,
    "two\nlines\n\nand a tab\t.",
    "日本語 👩‍👩‍👧 é e\u0301 \u{1f1e9}\u{1f1ea}",
    " leading and trailing ",
    "{taskId} {{braces}} {prompt}",
  ];
  const ids = await Promise.all(prompts.map((prompt) => box.start("shell", prompt)));
  for (const [at, id] of ids.entries()) assertEquals(box.task(id).prompt, prompts[at]);
  // One that begins with a dash comes behind `--`, where no option is looked for.
  const dashed = await box.start("--", "shell", "--json -C nowhere --help");
  assertEquals(box.task(dashed).prompt, "--json -C nowhere --help");
  const piped = await box.runWith(
    { stdin: "from stdin\nsecond line\n" },
    "start",
    "-q",
    "shell",
    "-",
  );
  assertEquals(box.task(piped.stdout.trim()).prompt, "from stdin\nsecond line\n");
  assertEquals([...Deno.readDirSync(box.root)].map((item) => item.name).includes("pwned"), false);
});

Deno.test("start records every option, and the settings where there is none", async () => {
  await using box = await makeBox();
  const [a, b] = await Promise.all([box.start("shell", "a"), box.start("shell", "b")]);
  const id = await box.start(
    ...[
      "shell",
      "c",
      "--max-retries",
      "7",
      "--auto-retry",
      "--priority",
      "9",
      "--timeout",
      "1h30m",
    ],
    ...["--timeout-warning", "5m", "--idle-timeout=90s", "--label", "team=x=y", "-l", "n=1"],
    ...["--depends-on", `${a},${b}`],
  );
  const task = box.task(id);
  assertEquals(
    [task.maxRetries, task.autoRetry, task.priority, task.timeout, task.timeoutWarning],
    [7, true, 9, 5400, 300],
  );
  assertEquals([task.idleTimeout, task.labels], [90, { team: "x=y", n: "1" }]);
  assertEquals(task.dependsOn, [a, b]);
  const twice = box.task(await box.start("shell", "d", "--depends-on", a!, "--depends-on", b!));
  assertEquals(twice.dependsOn, [a, b]);
  const ancestor = box.task(
    await box.start("shell", "e", "--depends-on", a!, b!, "--priority", "2"),
  );
  assertEquals([ancestor.dependsOn, ancestor.priority], [[a, b], 2]);
  box.config({ max_retries: 1, auto_retry: true, priority: 8, timeout: 60, idle_timeout: 30 });
  const plain = box.task(await box.start("shell", "f"));
  assertEquals(
    [plain.maxRetries, plain.autoRetry, plain.priority, plain.timeout, plain.idleTimeout],
    [1, true, 8, 60, 30],
  );
});
