// status --watch, in a terminal and into a pipe.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { terminal, test } from "../support/needs.ts";
import { assertPrintable, makeBox } from "../support/program.ts";
import { inTerminal } from "../support/terminal.ts";
import { withoutColors } from "../support/words.ts";

test(
  "status --watch is drawn anew on a change, and left with q, or with Ctrl+C and 130",
  terminal(),
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", "true");
    await using watching = inTerminal(box, 80, 24, "status", "--watch");
    await watching.printed((text) => withoutColors(text).includes(id) && text.includes("ready"));
    assertStringIncludes(watching.stdout(), "\x1b[?1049h");
    await box.ok("run");
    await watching.printed((text) => text.includes("complete"));
    for (const line of watching.stdout().replaceAll("\x1b[H", "\n").split("\n")) {
      // deno-lint-ignore no-control-regex
      assert([...line.replaceAll(/\x1b\[[\d;?]*[A-Za-z]|\r/g, "")].length <= 80, line);
    }
    await watching.type("xq");
    const left = await watching.ended();
    assertEquals(left.code, 0);
    assert(left.stdout.trimEnd().endsWith("\x1b[?1049l"), "the terminal is left as it was");

    await using interrupted = inTerminal(box, 20, 5, "status", "--watch");
    await interrupted.printed((text) => text.includes("orchestra"));
    await interrupted.type("\x03");
    assertEquals((await interrupted.ended()).code, 130);
  },
);

test(
  "Ctrl+Z gives the terminal of status --watch to the shell, and fg takes it again",
  terminal(),
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", "true");
    const drawn = (times: number) => (text: string) => withoutColors(text).split(id).length > times;
    const mode = "stty -a | grep -o -e '-*icanon'";
    // A shell with job control, which goes on behind what was stopped.
    await using shell = inTerminal(
      box,
      80,
      24,
      (watch) => `set -m; ${watch}; echo "stopped $(${mode})"; read line; fg`,
      "status",
      "--watch",
    );
    await shell.printed(drawn(1));
    await shell.type("\x1a");
    const stopped = withoutColors(await shell.printed((text) => text.includes("icanon")));
    assertStringIncludes(stopped, "stopped icanon");
    assert(stopped.indexOf("\x1b[?25h\x1b[?1049l") > stopped.indexOf(id), "the page was left");
    await shell.type("\n");
    await shell.printed(drawn(2));
    // Without cbreak mode the q would wait for the end of its line.
    await shell.type("q");
    const { code, stdout } = await shell.ended();
    assertEquals(code, 0);
    assertEquals(stdout.split("\x1b[?1049h\x1b[?25l").length, 3);
    assertEquals(stdout.split("\x1b[?25h\x1b[?1049l").length, 3);

    // Where no shell could let it go on, it is not stopped for good.
    await using alone = inTerminal(box, 80, 24, "status", "--watch");
    await alone.printed(drawn(1));
    await alone.type("\x1a");
    await alone.printed(drawn(2));
    await alone.type("q");
    assertEquals((await alone.ended()).code, 0);
  },
);

Deno.test("status --watch into a pipe prints the table again when it differs", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using watching = box.live({}, "status", "--watch", "--interval", "1m");
  await watching.printed((text) => /ready/.test(text));
  await box.ok("run");
  await watching.printed((text) => /complete/.test(text));
  assertPrintable(watching.stdout());
  assert(watching.stdout().split(id).length > 2);
  watching.kill("SIGINT");
  assertEquals((await watching.ended()).code, 130);
});
