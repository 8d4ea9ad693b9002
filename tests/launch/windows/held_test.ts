// A log that another program has open as a launch begins, and what is told of a launch that is refused.

import { createWindowsLauncher } from "../../../lib/launch/windows/launcher.ts";
import { runShim } from "../../../lib/launch/windows/shim.ts";
import { assertEquals, assertMatch } from "../../support/assert.ts";
import { holdFile } from "../../support/hold_file.ts";
import { held, namesIn, openPlace } from "../../support/launch.ts";
import { ON_WINDOWS, test } from "../../support/needs.ts";
import { makeBox } from "../../support/program.ts";

test("a log that is held as a launch begins is waited for", ON_WINDOWS, async () => {
  await using place = await openPlace();
  Deno.writeTextFileSync(`${place.dir}/log`, "");
  await using holder = await holdFile(`${place.dir}/log`, "nothing");
  const { ended } = createWindowsLauncher().launch(place.script("echo out"));
  // The next that it does is to open its log.
  await place.shim();
  await holder.release();
  await held(ended);
  assertEquals([place.read("exitcode"), place.read("log")], ["0\n", "out\n"]);
});

test("what to launch is read, and removed, as soon as nobody holds it", ON_WINDOWS, async () => {
  await using place = await openPlace();
  const specFile = `${place.dir}/spec`;
  for (const share of ["nothing", "writing"] as const) {
    Deno.writeTextFileSync(specFile, JSON.stringify(place.spec("no-such-program-anywhere")));
    await using holder = await holdFile(specFile, share);
    await holder.release();
    await runShim(specFile, { windows: true, identity: () => "this test\n" });
    assertMatch(place.read("exitcode"), /^127 spawn: .+ is not installed\n$/);
    assertEquals(namesIn(place.dir), ["exitcode", "log", "t.1.pid", "t.json"]);
    Deno.removeSync(`${place.dir}/t.1.pid`);
  }
});

test("a task says why its agent was refused", ON_WINDOWS, async () => {
  await using box = await makeBox();
  Deno.writeTextFileSync(`${box.root}/agent.cmd`, "@echo %*\r\n");
  box.agents({ batch: { command: "./agent", args: ["{prompt}"], completion: "exit" } });
  const id = await box.start("batch", "hello");
  await box.run("run", "--wait");
  const { failureClass, errorMessage } = box.task(id);
  assertEquals(failureClass, "spawn");
  assertMatch(
    errorMessage!,
    /^Agent "batch" could not be launched: .+ is a batch file, and cmd\.exe/,
  );
});
