// One daemon for all workspaces: what it takes over and hands back, and that nothing which is wrong with
// one disturbs the others.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeUser, recordOf } from "../support/everywhere.ts";
import { agentOf, exitIn, gated, gone, openGate } from "../support/gated.ts";
import { mounting, MOVABLE, ON_POSIX, succeeds, test } from "../support/needs.ts";
import { type Box, kill, lives, makeBox, makeFolder, openBox } from "../support/program.ts";
import { makeSite } from "../support/site.ts";
import { type Telling, watchEverywhere } from "../../lib/supervise/everywhere.ts";
import type { KeptWorkspace } from "../../lib/supervise/user_daemon.ts";

/** Whether a daemon with this number watches over a workspace, as its record says. */
const has = (box: Box, pid: number) => recordOf(box).kind === "daemon" && recordOf(box).pid === pid;

Deno.test(
  "what is queued runs in every known workspace, each with its own record",
  async () => {
    await using user = await makeUser();
    await using one = await makeBox();
    await using two = await makeBox();
    for (const box of [one, two]) user.add(box);
    const early = await one.start("shell", "true");
    const pid = await user.start();
    for (const box of [one, two]) await user.becomes(box, "watched");
    const late = await two.start("shell", "echo late");
    assertEquals((await one.settled(early)).status, "complete");
    assertEquals((await two.settled(late)).status, "complete");
    for (const box of [one, two]) {
      assert(has(box, pid));
      const watched = `daemon for all workspaces (pid ${pid}) watches over it`;
      assertStringIncludes(await box.ok("status"), watched);
      assertStringIncludes(await box.ok("daemon", "logs"), "Watching over");
    }
    await user.stop();
    assert(!lives(pid));
    for (const box of [one, two]) {
      assertEquals(recordOf(box), {});
      assertEquals(box.supervisors(), []);
    }
  },
);

Deno.test("it takes over from a supervisor, and hands back to one what runs", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  user.add(box);
  const id = await box.start("shell", gated());
  await box.ok("run");
  await agentOf(box, id);
  const first: number = await box.until(
    "a supervisor",
    () => recordOf(box).kind === "supervisor" && !recordOf(box).begins && recordOf(box).pid,
  );
  const pid = await user.start();
  await user.becomes(box, "watched");
  await gone(box, first);
  assert(has(box, pid));
  await user.stop();
  const second: number = await box.until(
    "a supervisor",
    () => recordOf(box).kind === "supervisor" && !recordOf(box).begins && recordOf(box).pid,
  );
  assert(second !== first);
  assertEquals(recordOf(box).launch, "retries");
  openGate(box);
  assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
});

for (const ordered of ["before it came", "while it watches"] as const) {
  Deno.test(`run --all, ordered ${ordered}, goes on when it has left`, async () => {
    await using user = await makeUser();
    await using box = await makeBox();
    user.add(box);
    const ids: string[] = [];
    for (let at = 0; at < 3; at++) ids.push(await box.start("shell", gated()));
    const order = () => box.ok("run", "--all", "--parallel", "1");
    if (ordered === "before it came") {
      await order();
      await box.until("a supervisor", () => recordOf(box).kind && !recordOf(box).begins);
    }
    await user.start("--max-concurrent", "1");
    await user.becomes(box, "watched");
    await agentOf(box, ids[0]!);
    if (ordered === "while it watches") await order();
    await user.stop();
    await box.until("a supervisor", () => recordOf(box).kind === "supervisor");
    assertEquals([recordOf(box).launch, recordOf(box).parallel], ["all", 1]);
    openGate(box);
    for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
    await box.unwatched();
  });
}

Deno.test("what was ordered and is done is not handed back", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  user.add(box);
  const first = await box.start("shell", gated());
  await user.start("--max-concurrent", "1");
  await agentOf(box, first);
  await box.ok("run", "--all");
  assertEquals(recordOf(box).ordered.launch, "all");
  openGate(box);
  await box.settled(first);
  await box.until("its rest", () => recordOf(box).ordered.launch === "retries");
  await user.stop();
  assertEquals(box.supervisors(), []);
});

Deno.test(
  "a workspace with a run --wait or a daemon of its own is taken when it is free",
  async () => {
    await using user = await makeUser();
    await using waited = await makeBox();
    await using owned = await makeBox();
    for (const box of [waited, owned]) user.add(box);
    const id = await waited.start("shell", gated());
    await using live = waited.live({}, "run", "--wait");
    await agentOf(waited, id);
    await waited.until("its record", () => recordOf(waited).kind === "run");
    await owned.ok("daemon", "start");
    const pid = await user.start();
    const { reason } = await user.becomes(waited, "waiting");
    assertStringIncludes(reason!, `A run --wait watches over this workspace (pid ${live.pid})`);
    await user.becomes(owned, "waiting");
    openGate(waited);
    assertEquals((await live.ended()).code, 0);
    await owned.ok("daemon", "stop");
    for (const box of [waited, owned]) {
      await user.becomes(box, "watched");
      assert(has(box, pid));
    }
  },
);

test(
  "a new workspace is seen, a forgotten one handed back, a removed one let go",
  MOVABLE,
  async () => {
    await using user = await makeUser();
    await using stays = await makeBox();
    user.add(stays);
    await user.start();
    await user.becomes(stays, "watched");
    await using comes = await makeBox();
    const id = await comes.start("shell", gated());
    user.add(comes, "newcomer");
    assertEquals((await user.becomes(comes, "watched")).name, "newcomer");
    await agentOf(comes, id);
    user.remove(comes);
    await comes.until("a supervisor", () => recordOf(comes).kind === "supervisor");
    await user.until("its going", () => user.kept(comes) === undefined);
    user.add(comes);
    await user.becomes(comes, "watched");
    openGate(comes);
    await comes.settled(id);
    await using elsewhere = await makeFolder();
    Deno.renameSync(comes.root, `${elsewhere.path}/moved`);
    await user.until("its going", () => user.kept(comes) === undefined);
    // The folder is not made again by who watched over it.
    await stays.settled(await stays.start("shell", "true"));
    await user.stop();
    let isThere = true;
    try {
      Deno.lstatSync(comes.root);
    } catch {
      isThere = false;
    }
    assert(!isThere);
  },
);

Deno.test(
  "one of five with broken settings is told, left alone and taken once it is mended",
  async () => {
    await using user = await makeUser();
    await using boxes = new AsyncDisposableStack();
    const all: Box[] = [];
    for (let at = 0; at < 5; at++) {
      const box = boxes.use(await makeBox());
      user.add(box, `box-${at}`);
      all.push(box);
    }
    const [broken, ...others] = all as [Box, ...Box[]];
    broken.config({ max_concurrent: "x" });
    await user.start();
    assertStringIncludes((await user.becomes(broken, "failed")).reason!, "max_concurrent");
    for (const box of others) {
      assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
    }
    const lines = user.log().split("\n").filter((line) => line.includes("box-0: "));
    assertEquals(lines.length, 1, user.log());
    broken.config({});
    await user.becomes(broken, "watched");
    assertEquals((await broken.settled(await broken.start("shell", "true"))).status, "complete");
  },
);

Deno.test(
  "settings that break while it watches are told once, and the last good ones hold",
  async () => {
    await using user = await makeUser();
    await using box = await makeBox();
    user.add(box, "site");
    box.config({ max_concurrent: 2 });
    // By the default, which is three, the last would run as well.
    const ids = await Promise.all([1, 2, 3].map(() => box.start("shell", gated())));
    await user.start("--interval", "0.2");
    await user.becomes(box, "watched");
    const running = () => ids.filter((id) => box.task(id).status === "running").length;
    await user.until("two of them", () => running() === 2);
    Deno.writeTextFileSync(`${box.root}/config.new`, '{"max_concurrent": ');
    Deno.renameSync(`${box.root}/config.new`, box.path("config.json"));
    const said =
      "The last good settings hold: Reading .orchestra/config.json: it is not valid JSON";
    await user.until("its being told", () => user.kept(box)?.reason === said);
    assertEquals(user.kept(box)!.state, "watched");
    assertStringIncludes((await user.run("daemon", "status", "--everywhere")).stdout, said);
    assertEquals(running(), 2);
    openGate(box);
    for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
    // Whoever looks is told.
    const status = await user.runIn(box, "status");
    assertEquals(status.code, 0, status.stderr);
    const told = "Reading .orchestra/config.json: it is not valid JSON; who watches goes on with " +
      "earlier settings";
    assertEquals(status.stderr.split("\n").filter((line) => line.includes(told)).length, 1);
    const [listed] = JSON.parse((await user.run("--json", "workspaces")).stdout);
    assertEquals([listed.name, listed.problem], ["site", told]);
    for (const log of [user.log(), Deno.readTextFileSync(box.path("daemon.log"))]) {
      assertEquals(log.split(said).length, 2, log);
    }
    box.config({});
    await user.until("its being well", () => user.kept(box)?.reason === null);
    assertEquals((await user.runIn(box, "status")).stderr, "");
  },
);

Deno.test(
  "killed, it loses nothing: the next command heals, and the next daemon takes over",
  async () => {
    await using user = await makeUser();
    await using box = await makeBox();
    await using other = await makeBox();
    for (const one of [box, other]) user.add(one);
    const id = await box.start("shell", gated());
    const pid = await user.start();
    await agentOf(box, id);
    kill(pid, "SIGKILL");
    await gone(box, pid);
    await box.ok("status");
    await box.until("a supervisor", () => recordOf(box).kind === "supervisor");
    const next = await user.start();
    await user.becomes(box, "watched");
    assert(has(box, next));
    openGate(box);
    assertEquals((await box.settled(id)).status, "complete");
    assertEquals((await other.settled(await other.start("shell", "true"))).status, "complete");
  },
);

Deno.test("killed again and again over five workspaces, each task runs once", async () => {
  await using user = await makeUser();
  await using boxes = new AsyncDisposableStack();
  await using ledgers = await makeFolder();
  const all: Box[] = [];
  const ids: string[] = [];
  for (let at = 0; at < 5; at++) {
    const box = boxes.use(await makeBox());
    user.add(box, `box-${at}`);
    all.push(box);
    const ledger = `${ledgers.path}/${at}`.replaceAll("\\", "/");
    const names = Array.from({ length: 6 }, (_, number) => `${at}.${number}`);
    const stdin = names.map((name) =>
      JSON.stringify({ agent: "shell", prompt: `echo ${name} >>${ledger}; sleep 0.05` })
    ).join("\n");
    const { code, stderr } = await box.runWith({ stdin }, "start", "--from", "-");
    assertEquals(code, 0, stderr);
    ids.push(...names);
  }
  const done = () =>
    all.flatMap((box) => box.tasks()).filter(({ status }) => status === "complete").length;
  for (let wanted = 4; done() < ids.length; wanted = done() + 4) {
    const pid = await user.start("--max-concurrent", "1");
    await user.until("some more", () => done() >= Math.min(wanted, ids.length));
    kill(pid, "SIGKILL");
    await user.until("its end", () => !lives(pid));
  }
  const ran = all.flatMap((_, at) =>
    Deno.readTextFileSync(`${ledgers.path}/${at}`).trim().split("\n")
  );
  assertEquals(ran.sort(), ids.sort());
});

Deno.test("of two that are started at once one watches, and the other names it", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  user.add(box);
  const outcomes = await Promise.all(
    [1, 2].map(() => user.run("--json", "daemon", "start", "--everywhere")),
  );
  const [won, lost] = outcomes.sort((a, b) => a.code - b.code);
  assertEquals([won!.code, lost!.code], [0, 4], JSON.stringify(outcomes));
  const { pid } = JSON.parse(won!.stdout);
  const { error } = JSON.parse(lost!.stderr);
  assertStringIncludes(error.message, `(pid ${pid})`);
  await user.becomes(box, "watched");
  assert(has(box, pid));
});

const NOBODY = 65534;
const AS_ROOT = ON_POSIX ??
  (Deno.uid() === 0 ? null : "only root can give a file to somebody else");

test(
  "one of somebody else's, and one whose folder is a link, disturb no other",
  AS_ROOT,
  async () => {
    await using user = await makeUser();
    await using foreign = await makeBox();
    await using linked = await makeBox();
    await using box = await makeBox();
    for (const one of [foreign, linked, box]) user.add(one);
    Deno.chownSync(foreign.path("tasks"), NOBODY, NOBODY);
    Deno.renameSync(linked.path(""), `${linked.root}/elsewhere`);
    Deno.symlinkSync(`${linked.root}/elsewhere`, `${linked.root}/.orchestra`);
    await user.start();
    assertStringIncludes(
      (await user.becomes(foreign, "failed")).reason!,
      "belongs to somebody else",
    );
    assertStringIncludes((await user.becomes(linked, "failed")).reason!, "symbolic link");
    assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
    Deno.chownSync(foreign.path("tasks"), 0, 0);
    await user.becomes(foreign, "watched");
  },
);

test("a full disk in one stops no other, and goes on when there is room", mounting(), async () => {
  await using user = await makeUser();
  await using disk = await makeSite(true);
  await using box = await makeBox();
  for (const one of [disk.box, box]) user.add(one);
  const held = await disk.box.start("shell", "true");
  disk.fill(0);
  const pid = await user.start();
  await user.becomes(box, "watched");
  assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
  assertEquals(disk.box.task(held).status, "pending");
  disk.free();
  assertEquals((await disk.box.settled(held)).status, "complete");
  assert(lives(pid));
});

test("a disk that goes away takes along its own workspace alone", mounting(), async () => {
  await using user = await makeUser();
  await using folder = await makeFolder();
  await using box = await makeBox();
  const mount = () => succeeds("mount", "-t", "tmpfs", "-o", "size=1m", "none", folder.path);
  assert(mount());
  const root = `${folder.path}/workspace`;
  const make = () => Deno.mkdirSync(`${root}/.orchestra/tasks`, { recursive: true });
  make();
  await using away = openBox(root);
  for (const one of [away, box]) user.add(one);
  const pid = await user.start("--interval", "0.1");
  for (const one of [away, box]) await user.becomes(one, "watched");
  assert(succeeds("umount", "--lazy", folder.path));
  await user.until("its going", () => user.kept(away)?.state !== "watched");
  assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
  assert(lives(pid));
  // Nothing was made where the disk had been.
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("a lock that somebody holds for ever in one stops no other", async () => {
  await using user = await makeUser();
  await using stuck = await makeBox();
  await using box = await makeBox();
  for (const one of [stuck, box]) user.add(one);
  await user.start("--interval", "0.1");
  for (const one of [stuck, box]) await user.becomes(one, "watched");
  const held = await stuck.start("shell", gated());
  await agentOf(stuck, held);
  {
    using lock = Deno.openSync(stuck.path("lock"), { read: true, write: true });
    lock.lockSync(true);
    openGate(stuck);
    await stuck.until("its end", () => exitIn(stuck, held));
    assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
    assertEquals(stuck.task(held).status, "running");
  }
  assertEquals((await stuck.settled(held)).status, "complete");
});

Deno.test("what is thrown in one watch ends neither the others nor itself for good", async () => {
  await using folder = await makeFolder();
  const stop = new AbortController();
  const begun = Promise.withResolvers<void>();
  const said: string[] = [];
  let last: readonly KeptWorkspace[] = [];
  let tries = 0;
  const watch = async ({ name }: { name: string }, signal: AbortSignal, telling: Telling) => {
    if (name === "bad" && ++tries === 1) throw new TypeError("a mistake of ours");
    telling.begins();
    if (name === "bad") begun.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  const over = watchEverywhere({
    folder: folder.path,
    list: () => ["bad", "good"].map((name) => ({ name, root: `/${name}` })),
    watch,
    signal: stop.signal,
    say: (workspace, text) => void said.push(`${workspace?.name}: ${text}`),
    onChange: (workspaces) => last = workspaces,
    keeps: () => true,
  });
  await begun.promise;
  assertEquals(said, ["bad: a mistake of ours"]);
  assertEquals(last.map(({ state }) => state), ["watched", "watched"]);
  stop.abort();
  await over;
});
