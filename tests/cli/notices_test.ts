// The terminal's own notifications in live views.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { terminal, test } from "../support/needs.ts";
import { makeBox } from "../support/program.ts";
import { inTerminal } from "../support/terminal.ts";

/** The texts of the notifications in what a terminal was sent. */
function notices(text: string): string[] {
  // deno-lint-ignore no-control-regex
  return [...text.matchAll(/\x1b\]9;([^\x07\x1b]*)\x07/g)].map(([, notice]) => notice!);
}

test("status --watch and run --wait let the terminal notify of what ends", terminal(), async () => {
  await using box = await makeBox();
  box.config({ notify: { terminal: true } });
  await box.start("shell", "true");
  await box.ok("run", "--wait");
  await box.start("shell", "echo \x1b]0;evil\x07; exit 1");
  await using watching = inTerminal(box, 80, 24, "status", "--watch");
  await watching.printed((text) => text.includes("ready"));
  await box.ok("run");
  await watching.printed((text) => notices(text).length > 0);
  await watching.type("q");
  const seen = notices((await watching.ended()).stdout);
  assertEquals(seen, ["Failed (exit): echo ; exit 1"]);
  await box.start("shell", "exit 0");
  await using running = inTerminal(box, 80, 24, "run", "--wait");
  assertEquals(notices((await running.ended()).stdout), ["Complete: exit 0"]);
});

test("tmux gets a notification wrapped, for it to let it through", terminal(), async () => {
  await using box = await makeBox();
  box.config({ notify: { terminal: true } });
  await box.start("shell", "exit 0");
  const inTmux = (program: string) => `TERM=tmux-256color exec ${program}`;
  await using running = inTerminal(box, 80, 24, inTmux, "run", "--wait");
  const { stdout } = await running.ended();
  assertStringIncludes(stdout, "\x1bPtmux;\x1b\x1b]9;Complete: exit 0\x07\x1b\\");
});

test("where nobody asks for it, and into a pipe, no terminal is told", terminal(), async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  await using running = inTerminal(box, 80, 24, "run", "--wait");
  assertEquals(notices((await running.ended()).stdout), []);
  box.config({ notify: { terminal: true } });
  await box.start("shell", "true");
  const { stdout, stderr } = await box.run("run", "--wait");
  assertEquals(notices(stdout + stderr), []);
});
