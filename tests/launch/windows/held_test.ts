// A log that another program has open as a launch begins, and what is told of a launch that is refused.

import { createWindowsLauncher } from "../../../lib/launch/windows/launcher.ts";
import { assertEquals, assertMatch } from "../../support/assert.ts";
import { holdFile } from "../../support/hold_file.ts";
import { held, openPlace } from "../../support/launch.ts";
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
