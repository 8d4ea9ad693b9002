// Short options with their value attached: `-p3` is `-p 3`, whatever command it belongs to.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { loadCommands, type Target } from "../../lib/cli/application.ts";
import { detachValues } from "../../lib/cli/short_options.ts";

const commands = await loadCommands();

function detached(line: string): string {
  const words = line.split(" ");
  return detachValues(words, commands[words[0]!]).join(" ");
}

/** Every letter of a command, with whether its option takes a value. */
function* letters(path: string[], target: Target): Generator<[line: string, takes: boolean]> {
  if ("getAllEntries" in target) {
    for (const entry of target.getAllEntries()) {
      yield* letters([...path, entry.name.original], entry.target);
    }
    return;
  }
  const { flags = {}, aliases = {} } = target.parameters;
  for (const [letter, name] of Object.entries(aliases)) {
    yield [[...path, `-${letter}`].join(" "), flags[name!]!.kind !== "boolean"];
  }
}

Deno.test("every short option that takes a value takes it attached", () => {
  let count = 0;
  for (const [name, target] of Object.entries(commands)) {
    for (const [line, takes] of letters([name], target)) {
      assertEquals(detached(`${line}7`), takes ? `${line}=7` : `${line}7`);
      assertEquals(detached(line), line);
      if (takes) count++;
    }
  }
  assertEquals(count > 10, true);
});

Deno.test("switches may stand before it, and what is no option of the command stays", () => {
  assertEquals(detached("logs -fn5 @last"), "logs -f -n=5 @last");
  assertEquals(detached("logs -fn 5"), "logs -f -n 5");
  assertEquals(detached("daemon logs -fn5"), "daemon logs -f -n=5");
  assertEquals(detached("daemon -c2"), "daemon -c=2");
  assertEquals(detached("start -lteam=x"), "start -l=team=x");
  assertEquals(detached("start -l-x=-y"), "start -l=-x=-y");
  for (
    const line of [
      "run -5",
      "run -p=3",
      "run -p=",
      "run -x3",
      "start a -- -p3",
      "run --all",
      "nope -p3",
    ]
  ) {
    assertEquals(detached(line), line);
  }
  // A value that looks like one of our options.
  assertEquals(detached("cancel --reason -l5 -sfailed"), "cancel --reason -l5 -s=failed");
  assertEquals(detached("start -l -p3 -p4"), "start -l -p3 -p=4");
});

Deno.test("-p3 is a priority, and -n1 a number of lines", async () => {
  await using box = await makeBox();
  const id = await box.start("-p3", "-lteam=x", "shell", "echo one; echo two");
  assertEquals([box.task(id).priority, box.task(id).labels], [3, { team: "x" }]);
  await box.ok("run", "-wp2");
  assertEquals(await box.ok("logs", "-n1", id), "two\n");
  assertStringIncludes((await box.fails(2, "run", "-pmany")).text, '--parallel "many"');
});
