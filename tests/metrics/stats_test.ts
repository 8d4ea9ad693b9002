// What statistics come to, counted from events that are known.

import { createStats, type StatsOptions } from "../../lib/metrics/stats.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import type { Stats } from "../../lib/task/stats.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { createRandom, events } from "./large_history.ts";
import { event, eventsOf, idAt, type Life, START } from "./lives.ts";

const HOUR = 3_600_000;

function count(all: readonly HistoryEvent[], options: Partial<StatsOptions> = {}): Stats {
  const counter = createStats({ now: START + HOUR, slots: 2, ...options });
  all.forEach(counter.add);
  return counter.result();
}

const failed: Life = { at: 0, end: "failed", more: { class: "timeout" } };
const retry: Life = { at: 70, follows: failed };

Deno.test("a task that failed and then succeeded is one that succeeded, in two attempts", () => {
  const { total } = count([...eventsOf(failed), ...eventsOf(retry)]);
  assertEquals(total.queued, 1);
  assertEquals(total.chains, {
    settled: 1,
    complete: 1,
    failed: 0,
    cancelled: 0,
    successRate: 1,
  });
  assertEquals(total.attempts, {
    settled: 2,
    complete: 1,
    failed: 1,
    cancelled: 0,
    successRate: 0.5,
    perSuccess: 2,
  });
  assertEquals({ ...total.retries }, { timeout: 1 });
  assertEquals({ ...total.failures }, { timeout: 1 });
});

Deno.test("what is told twice counts once, in any part of a life", () => {
  const lives = [...eventsOf(failed), ...eventsOf(retry), ...eventsOf({ at: 7 })];
  const twice = lives.flatMap((one) => [one, one]);
  assertEquals(count(twice), count(lives));
  const again = [...lives, ...lives];
  assertEquals(count(again), count(lives));
});

Deno.test("a second claim of a task is told for itself", () => {
  const task = idAt(0);
  const base = { task, agent: "alpha" };
  const { total } = count([
    event("queued", 0, base),
    event("launched", 1, { ...base, claim: 1, waited: 1 }),
    event("released", 2, { ...base, claim: 1 }),
    event("launched", 9, { ...base, claim: 2, waited: 9 }),
    event("complete", 19, { ...base, claim: 2, waited: 9, ran: 10 }),
    // Somebody who was late tells of the first claim.
    event("failed", 20, { ...base, claim: 1, ran: 1 }),
  ]);
  assertEquals([total.queued, total.attempts.complete, total.attempts.failed], [1, 1, 0]);
  assertEquals([total.waiting!.max, total.busySeconds], [9, 10]);
});

Deno.test("what an agent says after the end replaces what it said before", () => {
  const usage = { inputTokens: 100, outputTokens: 10 };
  const life = eventsOf({ at: 0, more: { usage } });
  const reaped = event("reaped", 90, {
    task: idAt(0),
    claim: 1,
    agent: "alpha",
    usage: { inputTokens: 150, outputTokens: 20, cachedTokens: 50, costUsd: 0.25 },
  });
  assertEquals(count(life).total.usage, {
    inputTokens: 100,
    outputTokens: 10,
    cachedTokens: 0,
    costUsd: 0,
    runs: 1,
    unpriced: 1,
  });
  const after = {
    inputTokens: 150,
    outputTokens: 20,
    cachedTokens: 50,
    costUsd: 0.25,
    runs: 1,
    unpriced: 0,
  };
  assertEquals(count([...life, reaped, reaped]).total.usage, after);
  assertEquals(count([...life, reaped], { by: "agent" }).groups[0]!.usage, after);
});

Deno.test("a launch that failed and a task that was cancelled before it ran are no runs", () => {
  const { total } = count([
    event("failed", 3, { task: idAt(0), claim: 1, class: "spawn", waited: 1, ran: 0 }),
    event("cancelled", 4, { task: idAt(1), claim: 0 }),
  ]);
  assertEquals([total.usage.runs, total.usage.unpriced], [0, 0]);
  assertEquals([total.attempts.settled, total.running!.count], [2, 1]);
});

Deno.test("percentiles are right to half a percent, the longest exactly", () => {
  const random = createRandom(7);
  const values = Array.from({ length: 5000 }, () => Math.round(1e6 * random() ** 3) / 1000);
  const lives = values.flatMap((ran, at) => eventsOf({ at, waited: 0, ran }));
  const { running, waiting } = count(lives, { now: START + 24 * HOUR }).total;
  values.sort((a, b) => a - b);
  for (const [part, found] of [[0.5, running!.p50], [0.95, running!.p95]] as const) {
    const exact = values[Math.ceil(part * values.length) - 1]!;
    assertLess(Math.abs(found - exact) / exact, 0.006);
  }
  assertEquals(running!.max, values.at(-1));
  assertEquals(waiting, { count: 5000, mean: 0, p50: 0, p95: 0, max: 0 });
});

Deno.test("time lost to quotas is what the pauses of an agent cover together, up to now", () => {
  const until = (seconds: number) => new Date(START + seconds * 1000).toISOString();
  const pause = (at: number, to: number, agent: string) =>
    event("lane-paused", at, { task: idAt(at), claim: 1, agent, until: until(to) });
  const events = [
    event("queued", 0, { task: idAt(0), agent: "alpha" }),
    pause(100, 200, "alpha"),
    pause(150, 250, "alpha"),
    pause(120, 180, "alpha"),
    pause(1000, 9999, "beta"),
    event("lane-resumed", 1500, { agent: "beta" }),
    pause(3500, 9999, "alpha"),
    // A clock that was wrong.
    pause(300, 1e9, "gamma"),
  ];
  const stats = count(events, { by: "agent" });
  assertEquals(stats.limited, { alpha: 250, beta: 500 });
  assertEquals(stats.total.limitedSeconds, 750);
  assertEquals(stats.groups[0]!.limitedSeconds, 250);
  assertEquals(count(events, { since: START + 200_000 }).limited, { alpha: 150, beta: 500 });
  assertEquals(count(events, { by: "class" }).groups[0]?.limitedSeconds ?? null, null);
});

Deno.test("slots are held by what ran and by what runs, within the span", () => {
  const stats = count([...eventsOf({ at: 0, waited: 0, ran: 1800 })], {
    held: [START + HOUR / 2],
  });
  assertEquals(stats.seconds, 3600);
  assertEquals(stats.total.busySeconds, 3600);
  assertEquals(stats.slots, { there: 2, used: 0.5 });
  const later = count([...eventsOf({ at: 0, waited: 0, ran: 1800 })], {
    since: START + HOUR / 4,
  });
  assertEquals([later.seconds, later.total.busySeconds], [2700, 900]);
  assertEquals(later.total.queued, 0);
});

Deno.test("only what happened since a time counts, though what went before is known", () => {
  const stats = count([...eventsOf(failed), ...eventsOf(retry)], { since: START + 66_000 });
  assertEquals([stats.total.queued, stats.total.attempts.settled], [0, 1]);
  assertEquals({ ...stats.total.retries }, { timeout: 1 });
  assertEquals(stats.total.chains.failed, 0);
});

Deno.test("a history that begins in the middle counts what it has", () => {
  const { total } = count([...eventsOf(failed).slice(2), ...eventsOf(retry).slice(0)]);
  assertEquals([total.queued, total.chains.complete, total.chains.failed], [0, 1, 0]);
  const { total: rest } = count(eventsOf(retry));
  assertEquals({ ...rest.retries }, { unknown: 1 });
  assertEquals([rest.chains.complete, rest.chains.failed], [1, 0]);
});

Deno.test("parts by agent, label, class, day and hour add up to the whole", () => {
  const lives = [
    ...eventsOf({ at: 0, more: { agent: "alpha", labels: { team: "web" } } }),
    ...eventsOf({ at: 1, more: { agent: "beta", labels: { team: "core" } }, end: "failed" }),
    ...eventsOf({ at: 2, more: { agent: "alpha" }, end: "cancelled" }),
    ...eventsOf({ at: 90_000, more: { agent: "gamma", labels: { team: "web" } } }),
  ];
  const options = { now: START + 48 * HOUR };
  const names = (by: StatsOptions["by"]) => {
    const stats = count(lives, { ...options, by });
    const sum = stats.groups.reduce((all, { attempts }) => all + attempts.settled, 0);
    assertEquals(sum, stats.total.attempts.settled);
    return stats.groups.map(({ name, attempts }) => [name, attempts.settled]);
  };
  assertEquals(names("agent"), [["alpha", 2], ["beta", 1], ["gamma", 1]]);
  assertEquals(names({ label: "team" }), [["web", 2], [null, 1], ["core", 1]]);
  assertEquals(names("class"), [["complete", 2], ["cancelled", 1], ["exit", 1]]);
  const days = names("day");
  assertEquals(days.map(([, settled]) => settled), [3, 1]);
  for (const [name] of [...days, ...names("hour")]) {
    assertEquals(new Date(name as string).getMinutes(), 0);
  }
});

Deno.test("throughput is told for equal steps that end now", () => {
  const lives = Array.from({ length: 5 }, (_, at) => eventsOf({ at: at * 3600, ran: 1 })).flat();
  const { throughput } = count(lives, { now: START + 5 * HOUR });
  assertEquals([throughput.step, throughput.complete], [3600, [1, 1, 1, 1, 1]]);
  assertEquals([throughput.perHour, throughput.perDay], [1, 24]);
});

Deno.test("nothing at all is told as nothing", () => {
  const stats = count([]);
  assertEquals([stats.seconds, stats.throughput.perHour, stats.slots.used], [0, null, null]);
  assertEquals([stats.total.waiting, stats.total.attempts.successRate], [null, null]);
});

Deno.test("times out of order, jumping clocks and endless numbers leave numbers that are some", () => {
  const odd: HistoryEvent[] = [
    event("complete", 50, { task: idAt(0), claim: 1, waited: -5, ran: -60 }),
    event("queued", -1e7, { task: idAt(1), agent: "alpha" }),
    {
      ...event("failed", 0, { task: idAt(2), claim: 1, ran: 1e300 }),
      time: "9999-12-31T23:59:59.999Z",
    },
    { ...event("queued", 0, { task: idAt(3) }), time: "0000-01-01T00:00:00.000Z" },
    { ...event("complete", 0, { task: idAt(4) }), time: "2026-13-45T99:99:99.999Z" },
    event("complete", 3, {
      task: idAt(5),
      claim: 1,
      ran: 1,
      usage: JSON.parse('{"inputTokens":-5,"outputTokens":"many","costUsd":1e308}'),
    }),
    event("lane-paused", 3, { task: idAt(5), claim: 1, agent: "alpha", until: "never" }),
    event("failed", 8, { task: "__proto__", claim: 1, class: JSON.parse('"__proto__"') }),
  ];
  for (const by of [undefined, "agent", "class", "day", "hour", { label: "__proto__" }] as const) {
    const text = JSON.stringify(count(odd, { by }));
    assert(!/null,"p50"|NaN|Infinity|e\+/.test(text), text);
    const { total } = count(odd, { by });
    assertEquals([total.attempts.complete, total.attempts.failed], [2, 2]);
    assertEquals(total.usage.inputTokens + total.usage.outputTokens + total.usage.costUsd, 0);
  }
});

Deno.test("endless names of labels, agents and classes take no endless memory", () => {
  const counter = createStats({ now: START + HOUR, slots: 1, by: { label: "run" } });
  for (let at = 0; at < 20_000; at++) {
    const labels = { run: `${at}` };
    const kind = JSON.parse(`"kind ${at}"`);
    for (
      const one of eventsOf({ at, end: "failed", more: { agent: `${at}`, labels, class: kind } })
    ) {
      counter.add(one);
    }
  }
  const stats = counter.result();
  assertEquals(stats.total.attempts.failed, 20_000);
  assertEquals(stats.groups.length, 5001);
  assert(Object.keys(stats.total.failures).length <= 65);
});

Deno.test("a long history comes to what a recount of it comes to", () => {
  const counter = createStats({ now: START + 1000 * HOUR, slots: 3 });
  const chains = new Map<string, string>();
  const attempts = { complete: 0, failed: 0, cancelled: 0 };
  let queued = 0;
  let lines = 0;
  for (const one of events(3, START)) {
    if (++lines > 100_000) break;
    counter.add(one);
    if (one.event === "queued") queued++;
    if (one.event === "complete" || one.event === "failed" || one.event === "cancelled") {
      attempts[one.event]++;
    }
    if (["queued", "retried", "complete", "failed", "cancelled"].includes(one.event)) {
      chains.set(one.chain ?? one.task!, one.event);
    }
  }
  const { total } = counter.result();
  assertEquals(total.queued, queued);
  assertEquals(
    [total.attempts.complete, total.attempts.failed, total.attempts.cancelled],
    [attempts.complete, attempts.failed, attempts.cancelled],
  );
  const ended = (how: string) => [...chains.values()].filter((last) => last === how).length;
  const { complete, failed, cancelled } = total.chains;
  assertEquals(
    [complete, failed, cancelled],
    [ended("complete"), ended("failed"), ended("cancelled")],
  );
});
