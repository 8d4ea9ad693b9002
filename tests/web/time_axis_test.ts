// An axis of time.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { test, ZONES } from "../support/needs.ts";
import {
  barsOf,
  fitRange,
  moveRange,
  type Run,
  ticksOf,
  zoomRange,
} from "../../lib/web/page/time_axis.ts";

const HOUR = 3_600_000;
const at = (text: string) => new Date(text).getTime();

Deno.test("ticks stand at times that a clock shows, and days are named", () => {
  const ticks = ticksOf({ from: at("2026-11-25T21:10:00"), to: at("2026-11-26T03:10:00") }, 600);
  assertEquals(ticks.map(({ label }) => label), [
    "22:00",
    "23:00",
    "11-26",
    "01:00",
    "02:00",
    "03:00",
  ]);
  assertEquals(ticks.filter(({ day }) => day).length, 1);
  const seconds = ticksOf({ from: at("2026-11-25T21:10:03"), to: at("2026-11-25T21:10:24") }, 400);
  assertEquals(seconds.map(({ label }) => label), ["21:10:05", "21:10:10", "21:10:15", "21:10:20"]);
});

Deno.test("labels have room, and there are some, whatever the range", () => {
  const start = at("2026-01-01T00:00:00");
  const ranges = fc.tuple(fc.nat(400 * 24 * 3600), fc.integer({ min: 5, max: 300 * 24 * 3600 }));
  fc.assert(fc.property(ranges, fc.integer({ min: 300, max: 2500 }), ([from, length], width) => {
    const range = { from: start + from * 1000, to: start + (from + length) * 1000 };
    const ticks = ticksOf(range, width);
    const x = (time: number) => (time - range.from) / (range.to - range.from) * width;
    ticks.forEach(({ time }, at) => {
      assert(time >= range.from && time <= range.to);
      if (at > 0) {
        assert(x(time) - x(ticks[at - 1]!.time) >= 74 * 0.7 - 1e-6, JSON.stringify(ticks));
      }
    });
    // However wide it is, no clock shows parts of a second.
    const least = Math.min(length, Math.floor(width / 74 / 4) - 1);
    assert(ticks.length >= least, JSON.stringify([range, width, ticks]));
  }));
});

test("no label stands on another where summer time begins", ZONES, async () => {
  const module = JSON.stringify(new URL("../../lib/web/page/time_axis.ts", import.meta.url).href);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { ticksOf } from ${module};
      const from = new Date("2026-03-28T21:00:00").getTime();
      const ticks = ticksOf({ from, to: from + 10 * 3_600_000 }, 390);
      console.log(JSON.stringify(ticks.map(({ label }) => label)));`,
    ],
    env: { TZ: "Europe/Berlin" },
  }).output();
  // There is no 02:00, and 04:00 is an hour after what stands in its place.
  const labels = ["22:00", "03-29", "03:00", "06:00", "08:00"];
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), labels);
});

Deno.test("zooming leaves a time where it is, and moving keeps the length", () => {
  assertEquals(zoomRange({ from: 0, to: HOUR }, 0.5, HOUR / 4), {
    from: HOUR / 8,
    to: HOUR * 5 / 8,
  });
  assertEquals(moveRange({ from: 0, to: HOUR }, -0.5), { from: -HOUR / 2, to: HOUR / 2 });
  const least = zoomRange({ from: 0, to: 6000 }, 0.001, 3000);
  assertEquals(least, { from: 500, to: 5500 });
});

const run = (started: number, ended: number | null, slot = 0): Run => ({
  taskId: `task_${started}`,
  name: String(started),
  key: null,
  agent: "a",
  title: "t",
  status: ended === null ? "running" : "complete",
  queued: started,
  started,
  ended,
  slot,
});

Deno.test("a range fits the runs that there are, and is no shorter than a minute", () => {
  assertEquals(fitRange([], HOUR), null);
  assertEquals(fitRange([run(0, 100_000), run(50_000, null)], 200_000), {
    from: -6000,
    to: 206_000,
  });
  // What ended long ago is seen as it was.
  assertEquals(fitRange([run(100_000, 200_000)], HOUR), { from: 97_000, to: 203_000 });
  const short = fitRange([run(HOUR, HOUR + 500)], 2 * HOUR)!;
  assert(short.to - short.from >= 60_000 && short.to > HOUR + 500);
});

Deno.test("runs out of sight are not drawn, those that run reach up to now", () => {
  const bars = barsOf(
    [run(0, 10), run(50, 70), run(80, null, 1), run(500, 600)],
    {
      from: 40,
      to: 200,
    },
    1,
    120,
  );
  assertEquals(bars.map(({ from, to, slot }) => [from, to, slot]), [[50, 70, 0], [80, 120, 1]]);
});

Deno.test("thousands of short runs become as many bars as can be seen", () => {
  const runs = Array.from({ length: 5000 }, (_, at) => run(at * 10, at * 10 + 5));
  const bars = barsOf(runs, { from: 0, to: 50_000 }, 50, 50_000);
  assert(bars.length <= 1000, String(bars.length));
  assertEquals(bars.reduce((sum, bar) => sum + bar.runs.length, 0), 5000);
});
