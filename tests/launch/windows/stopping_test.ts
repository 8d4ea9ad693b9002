// Asking a daemon to stop, on Windows.

import { askProcess } from "../../../lib/launch/windows/stopping.ts";
import { assertEquals } from "../../support/assert.ts";
import { ON_WINDOWS, test } from "../../support/needs.ts";
import { IDLE, makeBox, spawn } from "../../support/program.ts";

test("a process that listens is asked to stop, and no other", ON_WINDOWS, async () => {
  await using box = await makeBox();
  const module = import.meta.resolve("../../../lib/launch/windows/stopping.ts");
  const script = `import { onStopAsked } from ${JSON.stringify(module)};
    onStopAsked(() => Deno.exit(7));
    console.log("listens");`;
  const listener = `${box.root}/listener.ts`;
  Deno.writeTextFileSync(listener, script);
  await using live = spawn(Deno.execPath(), ["run", "-A", "--no-config", listener], {
    cwd: box.root,
  });
  await using deaf = spawn(...IDLE, { cwd: box.root });
  await live.printed((text) => text.includes("listens"));
  assertEquals([askProcess(deaf.pid), askProcess(live.pid)], [false, true]);
  assertEquals((await live.ended()).code, 7);
});

test("a daemon that is stopped takes its record along", ON_WINDOWS, async () => {
  await using box = await makeBox();
  await box.ok("daemon", "start");
  await box.ok("daemon", "stop");
  assertEquals(await Deno.stat(box.path("daemon.json")).catch(() => null), null);
});
