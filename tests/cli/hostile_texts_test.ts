// What agents and users write never reaches the terminal as it is.

import { assert, assertEquals } from "../support/assert.ts";
import { assertPrintable, assertRefused, makeBox, type Outcome } from "../support/program.ts";
import { assertOnlyColors, EVIL } from "../support/hostile.ts";
import { linking, SHELL, test } from "../support/needs.ts";

Deno.test("what agents write into sentinels, logs and plans never reaches a table or a page as it is", async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  Deno.writeTextFileSync(`${box.root}/evil`, EVIL);
  Deno.writeFileSync(`${box.root}/zeros`, new Uint8Array(20_000_000));
  Deno.writeTextFileSync(`${box.root}/deep`, "[[[[[[[\n".repeat(375_000));
  const json = JSON.stringify({ error: EVIL, details: `${EVIL}\n${EVIL}` });
  Deno.writeTextFileSync(`${box.root}/evil.json`, json);
  const scripts = [
    'cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_ERROR_FILE"',
    'cat "$ORCHESTRA_ROOT/evil.json" >"$ORCHESTRA_ERROR_FILE"',
    'cat "$ORCHESTRA_ROOT/evil"; cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_PLAN_FILE"; exit 3',
    'cat "$ORCHESTRA_ROOT/evil" >"$ORCHESTRA_DONE_FILE"',
    `echo '{"summary": 5, "files": [{"a": 1}, "ok", null]}' >"$ORCHESTRA_DONE_FILE"`,
    `echo '{"error": {"deep": []}}' >"$ORCHESTRA_ERROR_FILE"`,
    'cat "$ORCHESTRA_ROOT/zeros" >"$ORCHESTRA_ERROR_FILE"',
    'cat "$ORCHESTRA_ROOT/deep" >"$ORCHESTRA_DONE_FILE"',
    'mkdir "$ORCHESTRA_DONE_FILE"',
  ];
  const ids = await Promise.all([
    ...scripts.map((script) => box.start("signal", script)),
    box.start("signal", `exit 3 # ${EVIL}`, "--label", `a=${EVIL}`),
  ]);
  const cancelled = await box.start("shell", EVIL, "--timeout", "5m");
  await box.ok("cancel", cancelled, "--reason", EVIL);
  const run = await box.run("run", "--all", "--wait", "--parallel", "11");
  assertEquals(run.code, 1);
  assertPrintable(run.stdout + run.stderr);
  for (const each of ids) assert(box.task(each).status !== "running", box.task(each).prompt);
  const everything = [...ids, cancelled];
  const calls = [
    ["status"],
    ["timeout", "list"],
    ["wait", ...everything],
    ...everything.map((each) => ["show", each]),
  ];
  const outputs = await Promise.all(
    calls.flatMap((args) => [box.run(...args), box.run("--color", ...args)]),
  );
  for (const [at, { stdout, stderr }] of outputs.entries()) {
    if (at % 2 === 0) assertPrintable(stdout + stderr);
    assertOnlyColors(stdout);
  }
  // As JSON the texts are whole, and what is not seen in them is spelled out.
  for (const args of [["status"], ["show", cancelled]]) {
    const text = await box.ok(...args, "--json");
    assertPrintable(text);
    assert(text.includes("\\u200b") && JSON.stringify(JSON.parse(text)).includes("\u200b"));
  }
  const { stderr } = await box.run("show", `${EVIL.replaceAll("\n", " ")}`, "--json");
  assertPrintable(stderr);
  const retried = await box.run("retry", ids[0]!);
  assertPrintable(retried.stdout + retried.stderr);
});

test("sentinels that are links are not read", SHELL ?? linking(), async () => {
  await using box = await makeBox();
  Deno.writeTextFileSync(`${box.root}/secret`, "root:x:0:0 the secret");
  const scripts = [
    'ln -s "$ORCHESTRA_ROOT/secret" "$ORCHESTRA_DONE_FILE"',
    'ln -s "$ORCHESTRA_ROOT/secret" "$ORCHESTRA_ERROR_FILE"',
    'ln -s /nowhere/at/all "$ORCHESTRA_ERROR_FILE"',
  ];
  const ids = await Promise.all(scripts.map((script) => box.start("signal", script)));
  assertEquals((await box.run("run", "--all", "--wait", "--parallel", "3")).code, 1);
  assertEquals(ids.map((each) => box.task(each).status), ["complete", "failed", "failed"]);
  for (const each of ids) assert(!JSON.stringify(box.task(each)).includes("the secret"));
  for (const args of [["status"], ["wait", ...ids], ...ids.map((each) => ["show", each])]) {
    const { stdout } = await box.run(...args);
    assert(!stdout.includes("the secret"), args.join(" "));
  }
});

Deno.test("control characters in arguments and in names never come back in a message", async () => {
  await using box = await makeBox();
  box.agents({
    [`bad${EVIL}`]: { command: EVIL, description: EVIL },
    worse: { command: "true", args: "no list", [EVIL]: 1 },
  });
  const evil = EVIL.replaceAll("\n", " ");
  Deno.writeTextFileSync(`${box.root}/evil.jsonl`, JSON.stringify({ agent: EVIL, prompt: "x" }));
  Deno.writeTextFileSync(
    `${box.root}/evil-key.jsonl`,
    JSON.stringify({ agent: "shell", prompt: "x", [EVIL]: 1 }),
  );
  const outcomes: [string[], Outcome][] = await Promise.all(
    [
      [evil],
      ["start", evil, "x"],
      ["start", "shell", "x", `--${evil}`],
      ["start", "shell", "x", "--priority", evil],
      ["start", "shell", "x", "--depends-on", evil],
      ["start", "shell", "x", "--label", evil],
      ["start", "--from", evil],
      ["start", "--from", "evil.jsonl"],
      ["start", "--from", "evil-key.jsonl"],
      ["show", evil],
      ["clean", evil],
      ["-C", evil, "status"],
      ["config", "set", evil, "1"],
      ["config", "set", "timeout", evil],
      ["completions", evil],
      ["init", "--agent", evil],
      ["agents", "check", evil],
      ["agents", "check", "worse"],
      ["status", "--status", evil],
      ["status", evil],
      ["run", "--parallel", evil],
      ["wait", "--timeout", evil],
    ].map(async (args): Promise<[string[], Outcome]> => [args, await box.run(...args)]),
  );
  for (const [args, outcome] of outcomes) {
    assertRefused(outcome, outcome.code, args.join(" "));
    assert([2, 3, 5].includes(outcome.code), `${args.join(" ")}: ${outcome.code}`);
  }
  assertPrintable(await box.ok("agents"));
  const fine = await box.run("status", "--agent", evil);
  assertPrintable(fine.stdout + fine.stderr);
  assertEquals(box.tasks(), []);
});
