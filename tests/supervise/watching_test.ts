// A watcher that sees nothing: rescans do it all.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { commandLine, spawn, withPatience } from "../support/program.ts";
import { blinding, ON_LINUX, succeeds, test } from "../support/needs.ts";
import { IDLING } from "../support/shell.ts";
import { makeSite } from "../support/site.ts";
import { type Watched, watchOver } from "../support/watched.ts";

test(
  "where folders cannot be watched, rescans do it all, and it is said once",
  blinding(),
  async () => {
    await using site = await makeSite();
    const { box } = site;
    box.config({ interval: 0.1, grace_period: 0.2 });
    const command = commandLine("daemon", "run");
    const blind = 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"';
    await using daemon = spawn("unshare", ["-Ur", "sh", "-c", blind, "sh", ...command], {
      cwd: box.root,
    });
    await daemon.printed((text) => text.includes("Watching over"));
    const first = await box.start("shell", "true");
    const cancelled = await box.start("shell", IDLING);
    assertEquals((await box.settled(first)).status, "complete");
    await box.until("the launch", () => box.task(cancelled).status === "running");
    await box.ok("cancel", cancelled);
    assertEquals((await box.settled(cancelled)).status, "cancelled");
    const signals = await box.start("signal", 'true >"$ORCHESTRA_DONE_FILE"');
    const last = await box.start("--depends-on", signals, "shell", "true");
    assertEquals((await box.settled(last)).status, "complete");
    assertEquals(daemon.stdout().split("cannot be watched").length - 1, 1, daemon.stdout());
    daemon.kill("SIGTERM");
    assertEquals((await daemon.ended()).code, 0);
  },
);

test("a pipe among the tasks is let go of, and changes are told of again", ON_LINUX, async () => {
  await using site = await makeSite();
  const { box } = site;
  box.config({ interval: 0.1 });
  await using daemon = box.live({}, "daemon", "run");
  await daemon.printed((text) => text.includes("Watching over"));
  const pipe = box.path("tasks/pipe");
  assert(succeeds("mkfifo", pipe));
  const found = await box.ok("doctor", "--json");
  assertStringIncludes(found, '"pipe"');
  const holds = () =>
    [...Deno.readDirSync(`/proc/${daemon.pid}/fd`)].some(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/${daemon.pid}/fd/${name}`) === pipe;
      } catch {
        return false;
      }
    });
  await withPatience("the pipe to be held open", becomes(holds));
  // From here on a rescan comes too late for anything.
  box.config({ interval: 3600 });
  await box.settled(await box.start("shell", "true"));
  const next = await box.start("signal", 'true >"$ORCHESTRA_DONE_FILE"');
  assertEquals((await box.settled(next)).status, "complete");
  Deno.removeSync(pipe);
  daemon.kill("SIGTERM");
  assertEquals((await daemon.ended()).code, 0);
});

/** Fulfilled when something is so, where nothing tells of it. */
async function becomes(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("a watcher that tells of nothing delays everything by no more than a rescan", async () => {
  await using site = await makeSite();
  const { box } = site;
  const original = Deno.watchFs;
  const silent = { close() {}, async *[Symbol.asyncIterator]() {}, [Symbol.dispose]() {} };
  let watched: Watched;
  Deno.watchFs = () => silent as unknown as Deno.FsWatcher;
  try {
    watched = watchOver(box, { until: "forever" });
    // It has read the settings and begun to watch once something it was not told of is launched.
    const first = await box.start("shell", "true");
    await withPatience("the first launch", becomes(() => box.task(first).status === "complete"));
  } finally {
    Deno.watchFs = original;
  }
  await using _watched = watched;
  // Launched by another process, ended by itself, by its time, and by hand.
  const ends = await box.start("shell", "true");
  const signals = await box.start("signal", 'true >"$ORCHESTRA_DONE_FILE"');
  const times = await box.start("--timeout=0.5", "shell", IDLING);
  const cancelled = await box.start("shell", IDLING);
  const after = await box.start("--depends-on", `${ends},${signals}`, "shell", "true");
  await box.until("the launch", () => box.task(cancelled).status === "running");
  await box.ok("cancel", cancelled);
  const fails = await box.start("--auto-retry", "--max-retries=1", "shell", "exit 7");
  assertEquals((await box.settled(ends)).status, "complete");
  assertEquals((await box.settled(signals)).status, "complete");
  assertEquals((await box.settled(times)).failureClass, "timeout");
  assertEquals((await box.settled(cancelled)).status, "cancelled");
  assertEquals((await box.settled(after)).status, "complete");
  const successor = await box.until("the retry", () => box.task(fails).retriedBy);
  assertEquals((await box.settled(successor)).failureClass, "exit");
});
