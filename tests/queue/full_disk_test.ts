// A full disk in the middle of each kind of write: the queue goes on where it stopped once there is room.

import { formatTime } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { withPatience } from "../support/program.ts";
import { agentLives, gated, launchesOf, noted, onSmallDisk, openGate } from "../support/site.ts";
import { textIn } from "../support/gated.ts";
import { AT_GATE, openGate as openFileGate } from "../support/shell.ts";

/** Checks that what was refused says why; anything else must have worked. */
function assertDone(outcome: { code: number; stderr: string }, what: string): boolean {
  if (outcome.code === 0) return true;
  assertEquals(outcome.code, 5, `${what}: ${JSON.stringify(outcome)}`);
  assertMatch(outcome.stderr, /disk is full|os error 28/, what);
  return false;
}

onSmallDisk("start on a full disk queues the task and prints it, or does neither", async (disk) => {
  const { box } = disk;
  const printed: string[] = [];
  for (let pages = 0; pages < 6; pages++) {
    disk.fill(pages);
    const outcome = await box.run("start", "-q", "shell", "true");
    if (assertDone(outcome, `start with ${pages} pages left`)) printed.push(outcome.stdout.trim());
    disk.free();
    assertEquals(box.tasks().map(({ taskId }) => taskId), printed, `${pages} pages left`);
  }
  assert(printed.length > 0, "with six pages left start must work");
  await box.ok("run", "--all", "--wait");
  for (const id of printed) assertEquals(box.task(id).status, "complete");
});

onSmallDisk("a launch that the full disk stops is made up for, once", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 6; pages++) {
    const id = await box.start("shell", noted(disk));
    disk.fill(pages);
    assertDone(await box.run("run"), `run with ${pages} pages left`);
    disk.free();
    await box.ok("run", "--all", "--wait");
    const { status, errorMessage } = box.task(id);
    assertEquals([status, errorMessage], ["complete", null], `${pages} pages left`);
    assertEquals(launchesOf(disk).at(-1), id);
  }
  assertEquals(launchesOf(disk).length, box.tasks().length);
});

onSmallDisk("a supervisor outlives a full disk, and goes on when there is room", async (disk) => {
  const { box } = disk;
  const first = await box.start("shell", gated(disk));
  const next = await box.start("shell", noted(disk));
  await using live = box.live({}, "run", "--all", "--wait", "--parallel=1");
  await box.until("the agent", () => launchesOf(disk).length === 1);
  disk.fill(0);
  using _opened = openGate(disk);
  await box.until("the end of the agent", () => !agentLives(disk, first));
  disk.free();
  const { code, stderr } = await live.ended();
  assertEquals([code, launchesOf(disk)], [0, [first, next]], stderr);
});

for (
  const [agent, end] of [["shell", "exit 0"], ["signal", ': >"$ORCHESTRA_DONE_FILE"']] as const
) {
  onSmallDisk(`an end on a full disk is settled when there is room again: ${end}`, async (disk) => {
    const { box } = disk;
    for (let pages = 0; pages < 4; pages++) {
      const id = await box.start(agent, gated(disk, end));
      await box.ok("run");
      await box.until("the agent", () => launchesOf(disk).includes(id));
      disk.fill(pages);
      // The shim cannot write the exit code, or the supervisor cannot write the task: in any case
      // the agent itself has ended before there is room again.
      using _opened = openGate(disk);
      await box.until("the end of the agent", () => !agentLives(disk, id));
      disk.free();
      const { status, errorMessage } = await box.settled(id);
      assertEquals([status, errorMessage], ["complete", null], `${pages} pages left`);
      assertEquals(launchesOf(disk).filter((line) => line === id), [id]);
    }
  });
}

onSmallDisk("cancel on a full disk cancels, or says that it could not", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 4; pages++) {
    const id = await box.start("shell", gated(disk));
    await box.ok("run");
    await box.until("the agent", () => launchesOf(disk).includes(id));
    disk.fill(pages);
    const done = assertDone(await box.run("cancel", id), `cancel with ${pages} pages left`);
    disk.free();
    if (!done) {
      await box.run("cancel", id);
    }
    const { status } = await box.settled(id);
    assertEquals(status, "cancelled", `${pages} pages left`);
    assert(!agentLives(disk, id), `the agent of ${id} lives`);
  }
});

/** Fulfilled when a file goes away in a folder that is watched. */
async function removal(watcher: Deno.FsWatcher): Promise<void> {
  for await (const { kind } of watcher) if (kind === "remove") return;
}

onSmallDisk("a timeout on a full disk ends the task when there is room again", async (disk) => {
  const { box } = disk;
  const id = await box.start("--timeout=1h", "shell", gated(disk));
  const first = await box.start("shell", AT_GATE);
  await box.ok("run", "--parallel", "2");
  await box.until("the agent", () => launchesOf(disk).includes(id));
  // What it settles tells that the supervisor is there: one that starts on a full disk waits for room.
  openFileGate(box, "");
  await box.settled(first);
  // The last that it removes: what goes later makes room.
  await box.until("its marks gone", () => textIn(box.path(`tasks/${first}.1.pid`)) === undefined);
  disk.fill(0);
  // The write that the full disk refuses is seen by what is made for it, and removed.
  using watcher = Deno.watchFs(box.path(""), { recursive: false });
  const past = formatTime(Date.now() - 7_200_000);
  const path = box.path(`tasks/${id}.json`);
  // In its place: a text of the same length needs no room.
  const text = Deno.readTextFileSync(path).replace(box.task(id).startedAt!, past);
  using file = Deno.openSync(path, { write: true });
  file.writeSync(new TextEncoder().encode(text));
  await withPatience("the attempt to end it", removal(watcher));
  assertEquals(box.task(id).status, "running");
  disk.free();
  const { status, failureClass } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "timeout"]);
  assert(!agentLives(disk, id));
});

onSmallDisk("retry on a full disk queues one successor, now or later", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 6; pages++) {
    const id = await box.start("shell", "exit 7");
    await box.run("run", "--wait");
    assertEquals(box.task(id).status, "failed");
    disk.fill(pages);
    const done = assertDone(await box.run("retry", id), `retry with ${pages} pages left`);
    disk.free();
    if (!done) await box.run("retry", id);
    await box.ok("status");
    const successors = box.tasks().filter((task) => task.retryHistory.at(-1)?.retriedFrom === id);
    assertEquals(
      successors.map(({ taskId }) => taskId),
      [box.task(id).retriedBy],
      `${pages} pages`,
    );
    await box.ok("cancel", "--all");
  }
});
