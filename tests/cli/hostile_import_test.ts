// Task lists that are wrong anywhere queue nothing.

import fc from "fast-check";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assertRefused, makeBox } from "../support/program.ts";
import { hostileValue, id } from "../support/hostile.ts";

Deno.test("an import file that is wrong anywhere queues nothing", async () => {
  await using box = await makeBox();
  const task = (rest: Record<string, unknown>) =>
    JSON.stringify({ agent: "shell", prompt: "x", ...rest });
  const files: [number, string, string][] = [
    [2, "", "no task"],
    [2, " \n\n", "no task"],
    [2, `${task({})}\n{"agent": "shell"`, "line 2"],
    [2, `${task({})}\n\n[]`, "line 3"],
    [2, "null", "line 1"],
    [2, '{"agent": "shell"}', "prompt"],
    [2, task({ prompt: "" }), "prompt"],
    [2, task({ prompt: "a\0b" }), "NUL"],
    [2, task({ promt: 1 }), "prompt"],
    [2, task({ priority: 11 }), "priority"],
    [2, task({ timeout: "soon" }), "timeout"],
    [2, task({ dependsOn: [5] }), "dependsOn"],
    [2, task({ labels: { a: 1 } }), "labels"],
    [3, task({ agent: "shel" }), '"shell"'],
    [3, task({ agent: "__proto__" }), "__proto__"],
    [3, task({ dependsOn: ["nowhere"] }), "nowhere"],
    [3, task({ dependsOn: [id(5)] }), id(5)],
    [3, task({ dependsOn: ["../../etc/passwd"] }), "passwd"],
    [2, `${task({ key: "a" })}\n${task({ key: "a" })}`, '"a"'],
    [2, task({ key: "a", dependsOn: "a" }), "a -> a"],
    [
      2,
      `${task({ key: "a", dependsOn: "b" })}\n${task({ key: "b", dependsOn: "a" })}`,
      "wait for each other",
    ],
    [2, "\x00\xff\x1b[2J", "line 1"],
  ];
  const outcomes = await Promise.all(
    files.map(([, text]) => box.runWith({ stdin: text }, "start", "--from", "-")),
  );
  for (const [at, [code, text, part]] of files.entries()) {
    assertStringIncludes(assertRefused(outcomes[at]!, code, text), part);
  }
  assertRefused(await box.run("start", "--from", "/"), 2);
  assertEquals(box.tasks(), []);

  // Generated: all or nothing, and never anything but the two.
  const line = fc.oneof(
    fc.constant(task({})),
    fc.dictionary(fc.constantFrom("agent", "prompt", "key", "dependsOn", "timeout"), hostileValue)
      .map((item) => JSON.stringify(item)),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const texts = fc.sample(fc.array(line, { minLength: 1, maxLength: 5 }), {
    numRuns: 20,
    seed: 20261122,
  }).map((lines) => lines.join("\n"));
  let queued = 0;
  for (let at = 0; at < texts.length; at += 20) {
    await Promise.all(
      texts.slice(at, at + 20).map(async (text) => {
        const outcome = await box.runWith({ stdin: text }, "start", "--from", "-", "-q");
        if (outcome.code === 0) queued += outcome.stdout.trimEnd().split("\n").length;
        else assertRefused(outcome, outcome.code, JSON.stringify(text));
      }),
    );
  }
  assertEquals(box.tasks().length, queued);
});
