// `orchestra events`: the past from any point, what comes, and the same through kills.

import { historyPath } from "../../lib/store/history_files.ts";
import type { StoredEvent } from "../../lib/task/event.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { agentOf, gated, openGate } from "../support/gated.ts";
import { type Box, kill, makeBox, runLine } from "../support/program.ts";

async function eventsOf(box: Box, ...args: string[]): Promise<StoredEvent[]> {
  return JSON.parse(await box.ok("events", "--json", ...args));
}

Deno.test(
  "events tells a task's life, a line each, and what was cleaned as well",
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", "exit 3", "--label", "kind=x");
    await box.run("run", "--wait");
    await box.ok("clean", id);
    const lines = (await box.ok("events")).trimEnd().split("\n");
    assertEquals(lines.length, 5);
    for (
      const [at, pattern] of [/○ queued/, /● launched/, /✗ failed .* exit {2}Process exited/]
        .entries()
    ) {
      assertMatch(lines[at]!, pattern);
    }
    assertMatch(lines[3]!, /drained/);
    assertMatch(lines[4]!, /removed/);
    const events = await eventsOf(box, "--task", id);
    assertEquals(events.map(({ event }) => event), ["queued", "launched", "failed", "removed"]);
    const [, launched, failed] = events as [StoredEvent, StoredEvent, StoredEvent];
    assertEquals([failed.class, failed.exitCode, failed.labels], ["exit", 3, { kind: "x" }]);
    assertEquals([launched.key, failed.key], [`${id}.1.launched`, `${id}.1.failed`]);
    assert(launched.waited! > 0 && failed.ran! >= 0);
    assertEquals(await eventsOf(box, "--since", failed.cursor), (await eventsOf(box)).slice(3));
    assertEquals((await eventsOf(box, "-n", "2")).map(({ event }) => event), [
      "drained",
      "removed",
    ]);
    assertEquals(await eventsOf(box, "--since", "2000-01-01", "--task", id), events);
    assertEquals(await eventsOf(box, "--since", "9998-01-01"), []);
    const { text } = await box.fails(2, "events", "--since", "soon");
    assertStringIncludes(text, "neither a duration nor a time");
  },
);

Deno.test("a follower that was away goes on where it was, with nothing twice", async () => {
  await using box = await makeBox();
  const seen: StoredEvent[] = [];
  const follow = (...args: string[]) => box.live({}, "events", "--follow", "--json", ...args);
  const id = await box.start("shell", gated());
  {
    await using live = follow("--since", "1h");
    await box.ok("run");
    await agentOf(box, id);
    const text = await live.printed((stdout) => /"launched".*\n/.test(stdout));
    seen.push(...text.trimEnd().split("\n").map((line) => JSON.parse(line)));
    kill(live.pid, "SIGKILL");
  }
  const other = await box.start("shell", "true");
  openGate(box);
  await box.settled(id);
  await box.ok("run", "--all", "--wait");
  await using live = follow("--since", seen.at(-1)!.cursor);
  const last = new RegExp(`${other}.1.complete.*\\n`);
  const text = await live.printed((stdout) => last.test(stdout));
  seen.push(...text.trimEnd().split("\n").map((line) => JSON.parse(line)));
  const keys = seen.map(({ key }) => key);
  assertEquals(new Set(keys).size, keys.length);
  for (const one of [id, other]) {
    assertEquals(
      seen.filter(({ task }) => task === one).map(({ event }) => event),
      ["queued", "launched", "complete"],
    );
  }
});

Deno.test("a queue where something is ready is not at rest", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  await box.start("shell", "true");
  await box.ok("run");
  await box.unwatched();
  const drained = async () => (await eventsOf(box)).filter(({ event }) => event === "drained");
  assertEquals(await drained(), []);
  await box.ok("run");
  await box.unwatched();
  assertEquals((await drained()).length, 1);
});

Deno.test("a task that was removed is found by its key, or the end of its id", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true", "--key", "build");
  await box.start("shell", "true");
  await box.ok("run", "--all", "--wait");
  await box.ok("clean", "all", "-y");
  for (const name of ["build", id.slice(-6), id]) {
    const events = await eventsOf(box, "--task", name);
    assertEquals(events.length, 4, name);
    assertEquals(events.every(({ task, taskKey }) => task === id && taskKey === "build"), true);
  }
  const { stderr } = await box.run("events", "--since", "9.77");
  assertStringIncludes(stderr, "not in the history any more");
});

Deno.test("the pause of an agent is told, and its end, once", async () => {
  await using box = await makeBox();
  box.agents({
    spent: {
      ...runLine("echo rate limit exceeded; exit 1"),
      rateLimit: { patterns: ["rate limit"], cooldown: 1 },
    },
  });
  box.config({ retry: { handovers: 1 } });
  await box.start("spent", "x");
  await box.run("run", "--all", "--wait");
  await box.unwatched();
  const events = await eventsOf(box);
  const paused = events.filter(({ event }) => event === "lane-paused");
  assertEquals(paused.length, 2);
  assertEquals(
    paused.every(({ until, agent }) => until! > events[0]!.time && agent === "spent"),
    true,
  );
  const resumed = events.filter(({ event }) => event === "lane-resumed");
  assertEquals(resumed[0]!.time, paused[0]!.until!);
  assertEquals(new Set(resumed.map(({ key }) => key)).size, resumed.length);
});

Deno.test(
  "a queue at rest is told once each time, also where whoever watched was killed before",
  async () => {
    await using box = await makeBox();
    const drained = async () => (await eventsOf(box)).filter(({ event }) => event === "drained");
    await box.start("shell", "true");
    await box.ok("run", "--all", "--wait");
    assertEquals((await drained()).length, 1);
    await box.ok("run", "--all", "--wait");
    await box.ok("status");
    assertEquals((await drained()).length, 1);
    const id = await box.start("shell", "true");
    await box.ok("run", "--all", "--wait");
    const [, last] = await drained();
    assertEquals(last!.key, `drained.${id}.1.complete`);
    // As if it had been killed just before.
    const path = historyPath(box.path("").replace(/\/$/, ""));
    const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
    assertStringIncludes(lines.at(-1)!, "drained");
    Deno.writeTextFileSync(path, lines.slice(0, -1).join("\n") + "\n");
    await box.ok("run", "--all", "--wait");
    assertEquals((await drained())[1]!.key, last!.key);
  },
);

Deno.test("a damaged history costs nobody anything", async () => {
  await using box = await makeBox();
  const path = box.path("history.jsonl");
  await box.start("shell", "true");
  for (
    const text of [
      "",
      "\0".repeat(5000),
      "{}\n[1]\n",
      "x".repeat(10_000_000),
      '{"history":1,"part":99',
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    await eventsOf(box);
    await box.ok("events");
    const id = await box.start("shell", "true");
    assertEquals((await eventsOf(box)).some(({ task }) => task === id), true, text.slice(0, 20));
  }
});

Deno.test("doctor finds what the history lacks, and adds it from the tasks", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  const id = await box.start("shell", "exit 7");
  await box.run("run", "--all", "--wait");
  await box.ok("archive", "--force");
  const doctor = async (...args: string[]) =>
    JSON.parse((await box.run("--json", "doctor", ...args)).stdout);
  const codes = async () =>
    (await doctor()).findings.map(({ code }: { code: string }) => code)
      .filter((code: string) => code.startsWith("history"));
  assertEquals(await codes(), []);
  const path = box.path("history.jsonl");
  const lines = Deno.readTextFileSync(path).split("\n");
  const left = lines.filter((line) => !line.startsWith(`{"key":"${id}.1`));
  assertEquals(left.length, lines.length - 2);
  Deno.writeTextFileSync(path, left.join("\n") + '{"torn\n');
  assertEquals(await codes(), ["history-gap", "history-damaged"]);
  const { fixed } = await doctor("--fix");
  assertEquals(fixed, ["added 2 to the history"]);
  assertEquals(await codes(), ["history-damaged"]);
  const told = (await eventsOf(box, "--task", id)).map(({ event }) => event);
  assertEquals(told.slice(0, 3).toSorted(), ["failed", "launched", "queued"]);
});
