// What is told of a task and of the queue, from how they are.

import { eventsBetween, hasHappened, queueEvents } from "../../lib/decide/history.ts";
import { type HistoryEvent, parseEvent } from "../../lib/task/event.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const at = (seconds: number) => formatTime(NOW + seconds * 1000);
const ID = "task_1000000000";

function task(fields: Partial<Task> = {}): Task {
  return { ...newTask(ID, { agent: "a", prompt: "p" }, NOW), ...fields };
}

const keys = (events: readonly HistoryEvent[]) => events.map(({ key }) => key);

Deno.test("a life is told in order, each step once, and with its own times", () => {
  const queued = task({ prompt: "\n first line \nsecond", labels: { x: "y" } });
  const launched = { ...queued, status: "running", claim: 1, startedAt: at(3) } as Task;
  const failed = {
    ...launched,
    status: "failed",
    completedAt: at(10),
    exitCode: 7,
    failureClass: "budget",
    retryAt: at(30),
    errorMessage: "w".repeat(500),
    reapAt: at(20),
  } as Task;
  const reaped = { ...failed, reapAt: null, usage: { costUsd: 1, sessionId: "secret" } };
  const named = { ...reaped, retriedBy: "task_1000000001" };
  const lives = [undefined, queued, launched, failed, reaped, named];
  const events = lives.slice(1).flatMap((after, place) => eventsBetween(lives[place], after!, NOW));
  const ends = ["0.queued", "1.launched", "1.failed", "1.budget", "1.reaped"];
  assertEquals(keys(events), ends.map((end) => `${ID}.${end}`));
  const [first, second, third, , last] = events;
  assertEquals([first!.title, first!.labels, first!.time], ["first line", { x: "y" }, at(0)]);
  assertEquals([second!.time, second!.waited], [at(3), 3]);
  assertEquals([third!.time, third!.waited, third!.ran, third!.error!.length], [at(10), 3, 7, 200]);
  assertEquals([third!.retryAt, last!.usage], [at(30), { costUsd: 1 }]);
  // What is told is accepted again, and happened.
  for (const event of events) {
    const line = JSON.stringify(event);
    assertEquals(parseEvent(line), JSON.parse(line));
    assert(hasHappened(event, { task: reaped, isArchived: false }), event.key);
  }
});

Deno.test("what did not happen yet is not taken for what happened", () => {
  const lives: Task[] = [
    task(),
    task({ status: "running", claim: 1, startedAt: at(1) }),
    task({ claim: 1 }),
    task({ status: "running", claim: 2, startedAt: at(2) }),
    task({ status: "complete", claim: 2, startedAt: at(2), completedAt: at(3) }),
  ];
  for (const [place, life] of lives.entries()) {
    for (const [other, after] of lives.entries()) {
      // A claim that was taken back is not told from one that runs by what came of the next one.
      if (place === 2 && other === 1) continue;
      for (const event of eventsBetween(lives[other - 1], after, NOW)) {
        const happened = hasHappened(event, { task: life, isArchived: false });
        assertEquals(happened, other <= place, `${event.key} at ${place}`);
      }
    }
  }
  for (const event of eventsBetween(undefined, lives[0]!, NOW)) {
    assertEquals(hasHappened(event, { task: undefined, isArchived: false }), false);
  }
});

const pause = (from: number, until: number, agent = "a"): HistoryEvent => ({
  key: `pause-${from}`,
  time: at(from),
  event: "lane-paused",
  agent,
  until: at(until),
});

const NONE = { isAtRest: false, resumed: new Map<string, number>(), identity: "w" };
const REST = { ...NONE, isAtRest: true };
const recent = (events: readonly HistoryEvent[], isWhole = true) => ({ events, isWhole });

Deno.test("the end of a pause is told once, and of pauses that overlap the last", () => {
  const told = (last: readonly HistoryEvent[], now: number, resumed: [string, number][] = []) => {
    const state = { ...NONE, resumed: new Map(resumed.map(([who, to]) => [who, NOW + to * 1000])) };
    const events = queueEvents(recent(last), state, NOW + now * 1000);
    assertEquals(queueEvents(recent([...last, ...events]), state, NOW + now * 1000), []);
    return events.map(({ agent, time }) => `${agent} ${(Date.parse(time) - NOW) / 1000}`);
  };
  assertEquals(told([pause(0, 10)], 9), []);
  assertEquals(told([pause(0, 10)], 10), ["a 10"]);
  assertEquals(told([pause(0, 10), pause(5, 20)], 15), []);
  assertEquals(told([pause(0, 10), pause(5, 20)], 25), ["a 20"]);
  assertEquals(told([pause(0, 20), pause(5, 10)], 15), []);
  assertEquals(told([pause(0, 20), pause(5, 10)], 25), ["a 20"]);
  assertEquals(told([pause(0, 10), pause(11, 20)], 15), ["a 10"]);
  assertEquals(told([pause(0, 10), pause(11, 20)], 25), ["a 10", "a 20"]);
  assertEquals(told([pause(0, 10), pause(1, 12, "b")], 25), ["a 10", "b 12"]);
  // What began too long ago to be seen is known to who watched.
  assertEquals(told([], 25, [["a", 20]]), ["a 20"]);
  assertEquals(told([pause(0, 20)], 25, [["a", 20]]), ["a 20"]);
  const other = queueEvents(recent([pause(0, 10)]), { ...NONE, identity: "v" }, NOW + 10_000);
  assertEquals(keys(other), [`lane.a.${at(10)}.v.lane-resumed`]);
});

Deno.test("a queue comes to rest once after the last end", () => {
  const end = (key: string): HistoryEvent => ({ key, time: at(0), event: "complete" });
  assertEquals(queueEvents(recent([]), REST, NOW), []);
  assertEquals(keys(queueEvents(recent([end("x")]), REST, NOW)), ["drained.x"]);
  assertEquals(queueEvents(recent([end("x")]), NONE, NOW), []);
  const rested = [end("x"), ...queueEvents(recent([end("x")]), REST, NOW)];
  assertEquals(queueEvents(recent(rested), REST, NOW), []);
  assertEquals(keys(queueEvents(recent([...rested, end("y")]), REST, NOW)), ["drained.y"]);
  const failed = { ...end("z"), event: "failed" } as const;
  const again = { ...failed, key: "again", retryAt: at(1) };
  const more = [...rested, failed, again, end("y")];
  const [event] = queueEvents(recent(more, false), REST, NOW);
  assertEquals([event!.key, event!.ended], ["drained.y", { complete: 1, failed: 1, cancelled: 0 }]);
  // How it was before is not known any more.
  assertEquals(queueEvents(recent(more.slice(2), false), REST, NOW)[0]!.ended, undefined);
});

Deno.test("what a line holds has its bounds, whatever the task holds", () => {
  const long = "x".repeat(3_000_000);
  const labels = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`l${at}`, long]));
  const fields = { prompt: long, agent: long, labels: { a: "b", ...labels }, errorMessage: long };
  const usage = { model: long, costUsd: 1 };
  const failed = task({ ...fields, usage, status: "failed", claim: 1, completedAt: at(1) });
  for (const event of eventsBetween(undefined, failed, NOW)) {
    assert(JSON.stringify(event).length < 10_000, event.event);
    assertEquals(event.labels!.a, "b");
  }
  const lane = eventsBetween(
    undefined,
    task({
      status: "failed",
      claim: 1,
      completedAt: at(1),
      laneUntil: "2026-03-04T14:00:00+01:00",
    }),
    NOW,
  ).find(({ event }) => event === "lane-paused");
  assertEquals(lane!.until, "2026-03-04T13:00:00.000Z");
});
