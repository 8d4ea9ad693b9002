// Times and durations, as people are shown them.

import { assertEquals } from "../support/assert.ts";
import {
  formatAgo,
  formatElapsed,
  formatLimit,
  formatMoment,
  formatPast,
} from "../../lib/text/time.ts";
import { NOW } from "../support/views.ts";

Deno.test("formatAgo tells the distance in its largest unit, in both directions", () => {
  const at = (seconds: number) => formatAgo(NOW - seconds * 1000, NOW);
  assertEquals(at(0), "just now");
  assertEquals(formatAgo(NOW + 400, NOW), "in 1s");
  assertEquals(at(12), "12s ago");
  assertEquals(at(60), "1m ago");
  assertEquals(at(3599), "59m ago");
  assertEquals(at(7200), "2h ago");
  assertEquals(at(86400 * 5 + 5000), "5d ago");
  assertEquals(at(-7.9), "in 8s");
  assertEquals(at(-600), "in 10m");
  assertEquals(formatAgo(null, NOW), "-");
});

Deno.test("formatPast forgives a clock that is ahead, but not by an hour", () => {
  assertEquals(formatPast(NOW + 30_000, NOW), "just now");
  assertEquals(formatPast(NOW + 3_600_000, NOW), "in 1h");
});

Deno.test("durations leave out what is zero, and show tenths where they matter", () => {
  assertEquals(formatLimit(300), "5m");
  assertEquals(formatLimit(3600), "1h");
  assertEquals(formatLimit(90), "1m30s");
  assertEquals(formatElapsed(1.26), "1.2s");
  assertEquals(formatElapsed(75), "1m15s");
});

Deno.test("formatMoment is a clock time of here, with the date where that is not today", () => {
  const noon = new Date(2026, 2, 4, 12).getTime();
  assertEquals(formatMoment(noon + 60_000, noon), "12:01:00");
  assertEquals(formatMoment(new Date(2026, 2, 5).getTime(), noon), "2026-03-05 00:00:00");
  assertEquals(
    formatMoment(new Date(2026, 2, 3, 23, 59, 59).getTime(), noon),
    "2026-03-03 23:59:59",
  );
});
