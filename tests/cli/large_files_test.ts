// Logs and tasks of any size cost what is shown of them.

import { assertEquals, assertLess, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable, assertRefused, type Live, makeBox } from "../support/program.ts";
import { assertRestWorks, id, valid } from "../support/hostile.ts";

/** Most memory that a process had while it lived, bytes; undefined where the system does not tell. */
async function peakOf(live: Live): Promise<number | undefined> {
  let peak: number | undefined;
  const ended = live.ended().then(() => true);
  for (;;) {
    try {
      const status = Deno.readTextFileSync(`/proc/${live.pid}/status`);
      const match = /VmHWM:\s+(\d+) kB/.exec(status);
      if (match !== null) peak = Number(match[1]) * 1024;
    } catch {
      // Ended, or another system.
    }
    const over = await Promise.race([
      ended,
      new Promise<false>((resolve) => setTimeout(resolve, 2, false)),
    ]);
    if (over) return peak;
  }
}

Deno.test("a log of a gigabyte costs what its end costs", async () => {
  await using box = await makeBox();
  const each = await box.start("shell", "true");
  await box.run("run", "--wait");
  const log = box.path(`logs/${each}.log`);
  const file = Deno.openSync(log, { write: true });
  file.truncateSync(1024 * 1024 * 1024);
  file.seekSync(0, Deno.SeekMode.End);
  file.writeSync(new TextEncoder().encode("\nthe line before\nthe last line\n"));
  file.close();
  for (
    const args of [["show", each], ["logs", "-n", "2", each], ["logs", "-f", "-n", "2", each]]
  ) {
    await using live = box.live({}, ...args);
    const peak = await peakOf(live);
    const { code, stdout } = await live.ended();
    assertEquals(code, 0);
    assertStringIncludes(stdout, "the last line");
    assertPrintable(stdout);
    if (peak !== undefined) assertLess(peak, 300 * 1024 * 1024, args.join(" "));
  }
  // And no line at all for its whole length.
  Deno.truncateSync(log, 1024 * 1024 * 1024);
  await using live = box.live({}, "show", each);
  const peak = await peakOf(live);
  const outcome = await live.ended();
  assertEquals(outcome.code, 0);
  assertLess(outcome.stdout.length, 10_000);
  if (peak !== undefined) assertLess(peak, 400 * 1024 * 1024);
});

Deno.test("a task file of many megabytes is read or reported, and never printed whole", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const prompt = `${"a long word ".repeat(300_000)}end`;
  Deno.writeTextFileSync(box.path(`tasks/${id(1)}.json`), JSON.stringify(valid(1, { prompt })));
  Deno.writeTextFileSync(box.path(`tasks/${id(2)}.json`), "");
  Deno.truncateSync(box.path(`tasks/${id(2)}.json`), 2 ** 30);
  await using live = box.live({}, "status");
  const peak = await peakOf(live);
  const { code, stdout } = await live.ended();
  assertEquals(code, 0);
  assertLess(stdout.length, 2000);
  assertStringIncludes(stdout, `${id(2)}.json is too large`);
  if (peak !== undefined) assertLess(peak, 400 * 1024 * 1024, "it is not read to be refused");
  assertRefused(await box.run("show", id(2)), 5);
  assertLess((await box.ok("show", id(1))).length, 20_000_000);
  Deno.removeSync(box.path(`tasks/${id(1)}.json`));
  Deno.removeSync(box.path(`tasks/${id(2)}.json`));
  await assertRestWorks(box, good);
});
