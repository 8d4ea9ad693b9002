// cancel: what is pending, what runs, and all that it has started.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, ON_LINUX, test } from "../support/needs.ts";
import { lives, makeBox, spawn } from "../support/program.ts";
import { readNumber } from "../support/shell.ts";
import { MISSING } from "../support/words.ts";

Deno.test("cancel ends what is pending and what runs, and is refused for what is over", async () => {
  await using box = await makeBox();
  const [a, b, c, d] = await Promise.all([
    box.start("shell", "sleep 1000", "-p", "9"),
    box.start("shell", "true"),
    box.start("shell", "true"),
    box.start("shell", "true"),
  ]);
  await box.ok("run");
  const shim = await box.until("the shim", () => readNumber(box.path(`tasks/${a}.1.pid`)));
  assertEquals(await box.ok("cancel", b!, "--reason", "not needed"), `Cancelled ${b}\n`);
  assertEquals([box.task(b!).status, box.task(b!).errorMessage], ["cancelled", "not needed"]);
  const mark = JSON.parse(Deno.readTextFileSync(box.path(`tasks/${b}.cancelled`)));
  assertEquals(mark.reason, "not needed");
  assertEquals((await box.json("cancel", a!)).cancelled, [a]);
  assertEquals([lives(shim), box.task(a!).status], [false, "cancelled"]);
  const over = await box.fails(4, "cancel", a!);
  assertEquals([over.code, over.message.includes("cancelled")], ["state", true]);
  await box.fails(2, "cancel");
  await box.fails(2, "cancel", "--all", c!);
  await box.fails(3, "cancel", MISSING);
  assertEquals([box.task(c!).status, box.task(d!).status], ["pending", "pending"]);
  const mixed = await box.json("cancel", a!, c!);
  assertEquals([mixed.cancelled, mixed.skipped.length], [[c], 1]);
  assertEquals((await box.json("cancel", "--all")).cancelled, [d]);
  assertStringIncludes(await box.ok("cancel", "--all"), "Nothing to cancel");
  assertStringIncludes(await box.ok("run"), "Nothing to start");
});

test(
  "cancel ends the whole tree: children, other sessions, orphans, the deaf; and nobody else",
  ON_LINUX ?? needs("setsid"),
  async () => {
    await using box = await makeBox();
    box.config({ grace_period: 0.3 });
    const names = ["child", "session", "orphan", "deaf", "agent"];
    const script = `cd "$ORCHESTRA_WORKSPACE"
      sh -c 'echo $$ >child; exec sleep 1000' &
      setsid sh -c 'echo $$ >session; exec sleep 1000' &
      ( setsid sh -c 'echo $$ >orphan; exec sleep 1000' & )
      sh -c 'trap "" TERM; echo $$ >deaf; while :; do sleep 1000; done' &
      echo $$ >agent
      wait`;
    await using bystander = spawn("sleep", ["1000"], { cwd: box.root });
    const [id, other] = await Promise.all([
      box.start("shell", script),
      box.start("shell", "exec sleep 1000"),
    ]);
    await box.ok("run", "--parallel", "2");
    const pids = await box.until("the tree", () => {
      const found = names.map((name) => readNumber(box.path(`workspace/${name}`)));
      return found.every((pid) => pid !== undefined) && found;
    });
    await box.ok("cancel", id);
    for (const [at, pid] of pids.entries()) assertEquals(lives(pid), false, names[at]);
    const shim = readNumber(box.path(`tasks/${other}.1.pid`))!;
    assert(lives(bystander.pid) && lives(shim), "those of others go on");
    assertEquals(box.task(id).reapAt, null);
  },
);
