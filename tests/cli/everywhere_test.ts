// Commands over all known workspaces: what they find in each, and that one which is broken leaves the
// others alone.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { assertRefused, runProgram } from "../support/program.ts";
import { makeShelf, type Shelf } from "../support/shelf.ts";

const AS_ROOT = ON_POSIX ??
  (Deno.uid() === 0 ? null : "only root can give a file to somebody else");
const NOBODY = 65534;

interface Told {
  workspace: string;
  taskId: string;
  event: string;
  task: string;
  time: string;
  key: string;
  cursor: string;
}

/** A value's workspace and one of its fields. */
const pairs = (list: Told[], field: keyof Told) =>
  list.map((one) => `${one.workspace} ${one[field]}`).sort();

/** The objects on the lines of a text; a line that is not whole yet is left out. */
const linesOf = (text: string): Told[] =>
  text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line));

async function makeTwo(): Promise<Shelf & { ids: { app: string; notes: string } }> {
  const shelf = await makeShelf("app", "notes");
  const { app, notes } = shelf.boxes;
  const ids = {
    app: await app!.start("shell", "true", "--key", "same", "--label", "kind=x"),
    notes: await notes!.start("shell", "true", "--key", "same"),
  };
  return Object.assign(shelf, { ids });
}

Deno.test("status --everywhere is one table with a column for the workspace, and fits 80 columns", async () => {
  await using shelf = await makeTwo();
  const { ids } = shelf;
  const text = await shelf.ok("status", "--everywhere");
  assertMatch(text, new RegExp(`^app .*${ids.app}`, "m"));
  assertMatch(text, new RegExp(`^notes .*${ids.notes}`, "m"));
  assertStringIncludes(text, "2 ready");
  const env = { ...shelf.env, COLUMNS: "80" };
  const narrow = await runProgram(shelf.path, ["status", "--everywhere"], { env });
  assertStringIncludes(narrow.stdout, "WORKSPACE");
  for (const line of narrow.stdout.split("\n")) assert(line.length <= 80, line);
  const { tasks, counts, workspaces } = await shelf.json("status", "--everywhere");
  assertEquals(pairs(tasks, "taskId"), [`app ${ids.app}`, `notes ${ids.notes}`]);
  assertEquals(counts.total, 2);
  assertEquals(workspaces.map(({ name }: { name: string }) => name), ["app", "notes"]);
  const some = await shelf.json("status", "--everywhere", "--label", "kind=x");
  assertEquals(pairs(some.tasks, "taskId"), [`app ${ids.app}`]);
});

Deno.test("two tasks of one id in different workspaces are two", async () => {
  await using shelf = await makeTwo();
  const { ids, boxes: { app, notes } } = shelf;
  const file = `tasks/${ids.app}.json`;
  Deno.copyFileSync(app!.path(file), notes!.path(file));
  const { tasks } = await shelf.json("status", "--everywhere");
  assertEquals(
    pairs(tasks, "taskId"),
    [
      `app ${ids.app}`,
      `notes ${ids.app}`,
      `notes ${ids.notes}`,
    ].sort(),
  );
  const refused = assertRefused(await shelf.run("cancel", "--everywhere", ids.app), 2);
  assertStringIncludes(refused, `${ids.app} in app`);
  assertStringIncludes(refused, `${ids.app} in notes`);
  assertEquals(app!.task(ids.app).status, "pending");
});

Deno.test("status --everywhere --watch is live, also for a workspace that comes later", async () => {
  await using shelf = await makeTwo();
  const { app } = shelf.boxes;
  await using live = shelf.live("status", "--everywhere", "--watch");
  await live.printed((text) => text.includes("2 ready"));
  await app!.ok("run", "--all", "--wait");
  await live.printed((text) => text.includes("1 ready · 1 complete"));
  await shelf.ok("workspaces", "remove", "app");
  await live.printed((text) => text.endsWith("\n1 ready\n"));
  await using later = await makeShelf();
  const root = `${later.path}/later`;
  Deno.mkdirSync(root);
  assertEquals((await runProgram(root, ["init"], { env: shelf.env })).code, 0);
  await shelf.ok("-w", "later", "start", "shell", "true");
  await live.printed((text) => /^later .*ready/m.test(text));
  live.kill("SIGINT");
  assertEquals((await live.ended()).code, 130);
});

Deno.test("events --everywhere merges by time, and its cursor misses nothing of any", async () => {
  await using shelf = await makeTwo();
  const { app, notes } = shelf.boxes;
  await app!.ok("run", "--all", "--wait");
  await notes!.ok("run", "--all", "--wait");
  const all: Told[] = await shelf.json("events", "--everywhere");
  assertEquals(all.map(({ time }) => time), all.map(({ time }) => time).sort());
  assertEquals(new Set(all.map(({ workspace }) => workspace)), new Set(["app", "notes"]));
  const keys = (list: Told[]) => list.map(({ workspace, key }) => `${workspace} ${key}`);
  // From each event on there is what came after it.
  for (const at of [0, 1, Math.floor(all.length / 2), all.length - 1]) {
    const rest = await shelf.json("events", "--everywhere", "--since", all[at]!.cursor);
    assertEquals(keys(rest), keys(all.slice(at + 1)), `after ${at}`);
  }
  // The cursors of the last ones, too.
  const last: Told[] = await shelf.json("events", "--everywhere", "-n", "3");
  assertEquals(keys(last), keys(all.slice(-3)));
  const rest = await shelf.json("events", "--everywhere", "--since", last[0]!.cursor);
  assertEquals(keys(rest), keys(all.slice(-2)));
  const one: Told[] = await shelf.json("events", "--everywhere", "--task", shelf.ids.app);
  assert(one.length >= 3);
  assert(one.every(({ workspace, task }) => workspace === "app" && task === shelf.ids.app));
  assertRefused(await shelf.run("-w", "app", "events", "--since", all[0]!.cursor), 2);
  assertRefused(await shelf.run("events", "--everywhere", "--since", "1.20"), 2);
});

Deno.test("events --everywhere --follow tells what happens in each, and goes on from its cursor", async () => {
  await using shelf = await makeTwo();
  const { app, notes } = shelf.boxes;
  await using live = shelf.live("events", "--everywhere", "--follow", "--json");
  await live.printed((text) => linesOf(text).length >= 2);
  await Promise.all([app!.ok("run", "--all", "--wait"), notes!.ok("run", "--all", "--wait")]);
  const ended = (text: string) => linesOf(text).filter(({ event }) => event === "complete");
  await live.printed((text) => ended(text).length === 2);
  assertEquals(pairs(ended(live.stdout()), "task"), [
    `app ${shelf.ids.app}`,
    `notes ${shelf.ids.notes}`,
  ]);
  live.kill("SIGINT");
  assertEquals((await live.ended()).code, 130);
  const told = linesOf(live.stdout());
  // Killed after any of them, whoever goes on is told of all others, and of none twice.
  const from = told.findIndex(({ event }) => event === "complete");
  const rest: Told[] = await shelf.json("events", "--everywhere", "--since", told[from]!.cursor);
  const seen = [...told.slice(0, from + 1), ...rest].map(({ workspace, key }) => workspace + key);
  assertEquals(new Set(seen).size, seen.length);
  const all: Told[] = await shelf.json("events", "--everywhere", "-n", "100");
  assertEquals(seen.sort(), all.map(({ workspace, key }) => workspace + key).sort());
});

Deno.test("stats --everywhere counts all, and each workspace by itself", async () => {
  await using shelf = await makeTwo();
  const { app, notes } = shelf.boxes;
  // One id in both: they must not be taken for one task.
  const file = `tasks/${shelf.ids.app}.json`;
  Deno.copyFileSync(app!.path(file), notes!.path(file));
  await app!.ok("run", "--all", "--wait");
  await notes!.ok("run", "--all", "--wait");
  const stats = await shelf.json("stats", "--everywhere");
  assertEquals(stats.total.chains.complete, 3);
  assertEquals(
    stats.groups.map(({ workspace, chains }: { workspace: string; chains: { complete: number } }) =>
      `${workspace} ${chains.complete}`
    ).sort(),
    ["app 1", "notes 2"],
  );
  assertMatch(await shelf.ok("stats", "--everywhere"), /^WORKSPACE/m);
  const metrics = await shelf.ok("stats", "--everywhere", "--openmetrics");
  assertMatch(metrics, /^orchestra_tasks\{workspace="notes",state="complete",agent="shell"\} 2$/m);
  assertEquals(metrics.match(/^# TYPE orchestra_tasks /gm)!.length, 1);
});

Deno.test("wait --everywhere waits for all, or for tasks of any", async () => {
  await using shelf = await makeTwo();
  const { ids, boxes: { app, notes } } = shelf;
  const bad = await notes!.start("shell", "exit 3");
  await using all = shelf.live("wait", "--everywhere");
  await using some = shelf.live("wait", "--everywhere", ids.app, ids.notes.slice(-7));
  for (const live of [all, some]) {
    for (const name of ["app", "notes"]) {
      await app!.until(
        `a word on ${name}`,
        () =>
          live.stderr().includes(`${name}: Nothing runs`) &&
          live.stderr().includes(`-w ${name} run --all`),
      );
    }
  }
  await app!.ok("run", "--all");
  await app!.settled(ids.app);
  await notes!.ok("run", "--all");
  assertEquals((await all.ended()).code, 1);
  for (const id of [ids.app, ids.notes, bad]) assertStringIncludes(all.stdout(), id);
  assertStringIncludes(all.stdout(), "2 complete · 1 failed");
  assertEquals((await some.ended()).code, 0);
  assertStringIncludes(some.stdout(), "2 complete");
  const { complete, tasks } = await shelf.json("wait", "--everywhere", ids.app, bad);
  assertEquals(complete, false);
  assertEquals(pairs(tasks, "taskId"), [`app ${ids.app}`, `notes ${bad}`]);
  assertRefused(await shelf.run("wait", "--everywhere", "1234567"), 3);
});

Deno.test("cancel --everywhere needs ids or filters, and refuses a name that is two tasks'", async () => {
  await using shelf = await makeTwo();
  const { ids, boxes: { app, notes } } = shelf;
  assertStringIncludes(
    assertRefused(await shelf.run("cancel", "--everywhere", "--all"), 2),
    "needs ids or filters",
  );
  assertRefused(await shelf.run("cancel", "--everywhere"), 2);
  assertRefused(await shelf.run("cancel", "--everywhere", "nobody"), 3);
  const refused = assertRefused(await shelf.run("cancel", "--everywhere", "same"), 2);
  for (const name of ["app", "notes"]) assertStringIncludes(refused, `in ${name}`);
  assertEquals([app!.task(ids.app).status, notes!.task(ids.notes).status], ["pending", "pending"]);
  const text = await shelf.ok("cancel", "--everywhere", ids.app.slice(-7));
  assertStringIncludes(text, `Cancelled ${ids.app} in app`);
  const done = await shelf.json("cancel", "--everywhere", "--agent", "shell");
  assertEquals(pairs(done.cancelled, "taskId"), [`notes ${ids.notes}`]);
  assertEquals(notes!.task(ids.notes).status, "cancelled");
  assertRefused(await shelf.run("cancel", "--everywhere", ids.notes), 4);
});

Deno.test("a workspace that is broken is told on stderr, and the others are worked on", async () => {
  await using shelf = await makeTwo();
  const { ids, boxes: { notes } } = shelf;
  notes!.config({ max_concurrent: "many" });
  for (const command of ["doctor", "status", "events", "stats", "wait"]) {
    const args = command === "wait"
      ? [command, "--everywhere", "--timeout", "1"]
      : [command, "--everywhere"];
    const { code, stdout, stderr } = await shelf.run(...args);
    assert(!/\n\s+at /.test(stderr), stderr);
    if (command === "doctor") {
      assertEquals(code, 1);
      assertStringIncludes(stdout, "max_concurrent");
      assertStringIncludes(stdout, "Nothing is wrong with: app");
    } else if (command === "status") assertStringIncludes(stdout, ids.app);
  }
  await using live = shelf.live("status", "--everywhere", "--watch");
  await live.printed((text) => text.includes(ids.app));
  live.kill("SIGINT");
  assertStringIncludes((await live.ended()).stderr, "orchestra: notes: ");
});

test(
  "what is gone or another user's is told on stderr, and the others are worked on",
  AS_ROOT,
  async () => {
    await using shelf = await makeShelf("app", "gone", "theirs");
    const { app, gone, theirs } = shelf.boxes;
    const id = await app!.start("shell", "true");
    Deno.chownSync(`${theirs!.root}/.orchestra`, NOBODY, NOBODY);
    Deno.removeSync(gone!.root, { recursive: true });
    const first = await shelf.run("status", "--everywhere");
    assertEquals(first.code, 5);
    assertStringIncludes(first.stdout, id);
    assertStringIncludes(first.stderr, "gone: gone from");
    assertStringIncludes(first.stderr, "orchestra: theirs: ");
    // What it tells to type is about that one.
    assertStringIncludes(first.stderr, "orchestra -w theirs trust");
    const again = await shelf.run("--json", "status", "--everywhere");
    assertEquals(pairs(JSON.parse(again.stdout).tasks, "taskId"), [`app ${id}`]);
    assertStringIncludes(JSON.parse(again.stderr).error.message, "theirs: ");
    const doctor = await shelf.run("--json", "doctor", "--everywhere");
    assertEquals(JSON.parse(doctor.stdout).healthy, false);
    const cancelled = await shelf.run("--json", "cancel", "--everywhere", "--agent", "shell");
    assertEquals(cancelled.code, 5);
    assertEquals(pairs(JSON.parse(cancelled.stdout).cancelled, "taskId"), [`app ${id}`]);
    // No fault any more, no other code.
    await shelf.ok("workspaces", "remove", "theirs");
    await shelf.ok("status", "--everywhere");
  },
);

Deno.test("events --everywhere --follow lets go of a workspace that is forgotten, and takes it again", async () => {
  await using shelf = await makeTwo();
  const { app, notes } = shelf.boxes;
  await using live = shelf.live("--json", "events", "--everywhere", "--follow");
  await live.printed((text) => linesOf(text).length === 2);
  await shelf.ok("workspaces", "remove", "app");
  await using later = await makeShelf();
  assertEquals((await runProgram(later.path, ["init"], { env: shelf.env })).code, 0);
  // Who is forgotten and who has come is looked for at once: when one is told of, the other is let go.
  const come = (await runProgram(later.path, ["start", "-q", "shell", "true"])).stdout.trim();
  await live.printed((text) => text.includes(come));
  const unseen = await app!.start("shell", "true");
  const seen = await notes!.start("shell", "true");
  await live.printed((text) => text.includes(seen));
  assert(!live.stdout().includes(unseen));
  // Known again, it goes on where it was.
  await shelf.ok("workspaces", "add", app!.root, "--name", "app");
  await live.printed((text) => text.includes(unseen));
  live.kill("SIGINT");
  assertEquals((await live.ended()).code, 130);
});

Deno.test("what a hint tells to type over all workspaces is not refused", async () => {
  await using shelf = await makeTwo();
  for (const words of [[], ["--all"], ["--all", "same"]]) {
    const text = assertRefused(await shelf.run("cancel", "--everywhere", ...words), 2);
    assertStringIncludes(text, "orchestra cancel --everywhere --status running");
    assert(!text.includes("cancel --all"), text);
  }
  await shelf.ok("cancel", "--everywhere", "--status", "running");
});
