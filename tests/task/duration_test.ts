// Durations, as people write and read them.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { formatDuration, parseDuration } from "../../lib/task/duration.ts";

Deno.test("parseDuration reads seconds, single units and combinations", () => {
  for (
    const [text, seconds] of [
      ["90", 90],
      ["1.5", 1.5],
      ["90s", 90],
      ["0.5s", 0.5],
      ["5m", 300],
      ["1h30m", 5400],
      ["1h30m15s", 5415],
      ["2d", 172_800],
      ["1d1h1m1s", 90_061],
      [" 5M ", 300],
      ["0h5m", 300],
      ["315360000", 315_360_000],
    ] as const
  ) assertEquals(parseDuration(text), seconds, text);
});

Deno.test("parseDuration refuses zero, signs, blanks within, unknown units and ten years and more", () => {
  for (
    const text of [
      "",
      " ",
      "0",
      "0s",
      "0.0",
      "-5",
      "+5",
      "5 m",
      "m",
      "1e3",
      "Infinity",
      "NaN",
      "0x10",
      "5w",
      "30m1h",
      "1h30",
      "1.5h",
      "1,5",
      ".5",
      "5.",
      "1s1s",
      "315360001",
      "3651d",
      "9".repeat(400),
      "５",
      "5m\0",
    ]
  ) assertEquals(parseDuration(text), undefined, text);
});

Deno.test("parseDuration gives nothing or a time above zero, whatever the text", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9.]{0,6}[dhms]?[0-9.]{0,4}[dhms]?$/),
  );
  fc.assert(fc.property(text, (text) => {
    const seconds = parseDuration(text);
    assert(seconds === undefined || (seconds > 0 && seconds <= 315_360_000));
  }));
});

Deno.test("formatDuration has at most two units, and they are those that matter", () => {
  for (
    const [seconds, text] of [
      [0, "0ms"],
      [0.8509, "850ms"],
      [42.9, "42s"],
      [59.99, "59s"],
      [60, "1m00s"],
      [192, "3m12s"],
      [3900, "1h05m"],
      [86_399, "23h59m"],
      [183_600, "2d03h"],
      [-1, "0s"],
    ] as const
  ) assertEquals(formatDuration(seconds), text);
});

Deno.test("parseDuration reads what formatDuration wrote, to the smallest unit shown", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 315_360_000 }), (seconds) => {
    const back = parseDuration(formatDuration(seconds));
    assert(back !== undefined);
    assert(back <= seconds && seconds - back < (seconds < 3600 ? 1 : seconds < 86_400 ? 60 : 3600));
  }));
});
