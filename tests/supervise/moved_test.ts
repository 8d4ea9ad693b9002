// A workspace that is moved or removed under its supervisor.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { agentOf, gated, gone, numberIn, openGate } from "../support/gated.ts";
import { MOVABLE, removing, test } from "../support/needs.ts";
import { type Box, makeBox, makeFolder, openBox } from "../support/program.ts";
import { removed } from "../support/unheld.ts";

/** Leaves a supervisor with an agent that waits at a gate. */
async function supervise(box: Box): Promise<{ id: string; supervisor: number }> {
  box.config({ interval: 0.1 });
  const id = await box.start("shell", gated());
  await box.ok("run");
  await agentOf(box, id);
  const [supervisor] = await box.until("the supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  return { id, supervisor: supervisor! };
}

test(
  "a supervisor whose workspace was moved away ends, and another takes over at the new place",
  MOVABLE,
  async () => {
    await using box = await makeBox();
    await using elsewhere = await makeFolder();
    const { id, supervisor } = await supervise(box);
    await box.until("its taking over", () => numberIn(box.path("daemon.lock")) === undefined);
    const root = `${elsewhere.path}/moved`;
    Deno.renameSync(box.root, root);
    Deno.mkdirSync(`${box.root}/.orchestra`, { recursive: true });
    await using moved = openBox(root);
    await gone(moved, supervisor);
    await moved.ok("status");
    await moved.until("another supervisor", () => moved.supervisors().length > 0);
    // The agent itself was told the old place, and waits there; its shim has the room for its code open.
    openGate(box);
    assertEquals((await moved.settled(id)).status, "complete");
    await moved.unwatched();
  },
);

Deno.test("a supervisor whose workspace was removed ends", async () => {
  await using box = await makeBox();
  const { supervisor } = await supervise(box);
  await removed(`${box.root}/.orchestra`);
  Deno.mkdirSync(`${box.root}/.orchestra/tasks`, { recursive: true });
  for (const name of ["logs", "workspace"]) Deno.mkdirSync(`${box.root}/.orchestra/${name}`);
  await gone(box, supervisor);
});

Deno.test("a daemon whose workspace was made anew in its place leaves it to the next one", async () => {
  await using box = await makeBox();
  await box.ok("daemon", "start");
  const first = JSON.parse(await box.ok("daemon", "status", "--json")).pid;
  await removed(`${box.root}/.orchestra`);
  await box.ok("init");
  await box.ok("daemon", "start");
  const second = JSON.parse(await box.ok("daemon", "status", "--json")).pid;
  await gone(box, first);
  // It took nothing of the new one's with it.
  assertEquals(JSON.parse(await box.ok("daemon", "status", "--json")).pid, second);
  await box.settled(await box.start("shell", "true"));
  await box.ok("daemon", "stop");
});

test(
  "whoever watches takes a lock anew whose file was removed, and leaves it to who was faster",
  removing(),
  async () => {
    await using box = await makeBox();
    await using daemon = box.live({}, "daemon", "run", "--interval", "0.1");
    await daemon.printed((text) => text.includes("Watching over"));
    const path = box.path("daemon.lock");
    const take = () => {
      const file = Deno.openSync(path, { read: true, write: true, create: true });
      if (file.tryLockSync(true)) return file;
      file.close();
      return undefined;
    };
    await removed(path);
    await box.until("its lock", () => {
      try {
        using file = Deno.openSync(path, { read: true, write: true });
        return !file.tryLockSync(true);
      } catch {
        return false;
      }
    });
    const { text } = await box.fails(4, "daemon", "start");
    assertStringIncludes(text, "already");
    // Now somebody takes it in the very moment.
    let ours: Deno.FsFile | undefined;
    while (ours === undefined) {
      await removed(path);
      ours = take();
    }
    using _ours = ours;
    assertEquals((await daemon.ended()).code, 0);
    assertStringIncludes(daemon.stdout(), "somebody else watches now");
  },
);
