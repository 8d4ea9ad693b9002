// Times in task files: in UTC with Z as we write them, naive and local as the ancestor did.

import fc from "fast-check";
import { assertEquals } from "../support/assert.ts";
import { test, ZONES } from "../support/needs.ts";
import { formatTime, parseTime } from "../../lib/task/fields.ts";

Deno.test("naive times are local, times with a zone are in that zone, bare dates are local", () => {
  for (
    const [text, local] of [
      ["2026-11-22T07:12:44.659086", new Date(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44", new Date(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22 07:12:44", new Date(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12", new Date(2026, 10, 22, 7, 12)],
      ["2026-11-22", new Date(2026, 10, 22)],
      ["2026-07-22", new Date(2026, 6, 22)],
    ] as const
  ) assertEquals(parseTime(text), local.getTime(), text);
  for (
    const [text, utc] of [
      ["2026-11-22T07:12:44.659Z", Date.UTC(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44Z", Date.UTC(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12:44.659086Z", Date.UTC(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44z", Date.UTC(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12:44+02:00", Date.UTC(2026, 10, 22, 5, 12, 44)],
      ["2026-11-22 07:12:44-05:30", Date.UTC(2026, 10, 22, 12, 42, 44)],
    ] as const
  ) assertEquals(parseTime(text), utc, text);
});

test("naive times follow the time zone of the reader", ZONES, async () => {
  const code = `import { parseTime } from ${
    JSON.stringify(new URL("../../lib/task/fields.ts", import.meta.url).href)
  };
    console.log(...["T07:12:44", "T07:12:44Z", " 07:12:44", ""].map((time) => parseTime("2026-11-22" + time)));`;
  const read = async (zone: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", "--no-lock", code],
      env: { TZ: zone, NO_COLOR: "1" },
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
  };
  const [utc, tokyo] = await Promise.all([read("UTC"), read("Asia/Tokyo")]);
  const at = Date.UTC(2026, 10, 22, 7, 12, 44);
  const day = Date.UTC(2026, 10, 22);
  const nine = 9 * 3_600_000;
  assertEquals(utc, [at, at, at, day]);
  assertEquals(tokyo, [at - nine, at, at - nine, day - nine]);
});

Deno.test("parseTime refuses what is no time", () => {
  for (
    const text of [
      "",
      "now",
      "yesterday",
      "2026",
      "2026-13-01",
      "2026-11-22T25:00:00",
      "2026-11-22T07:12:44.659Zjunk",
      "\n2026-11-22T07:12:44Z",
      "1795331564659",
      "NaN",
    ]
  ) assertEquals(parseTime(text), null, text);
  assertEquals(parseTime(null), null);
});

Deno.test("formatTime writes UTC with Z, and parseTime reads it back", () => {
  assertEquals(formatTime(0), "1970-01-01T00:00:00.000Z");
  fc.assert(fc.property(
    fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
    (millis) => parseTime(formatTime(millis)) === millis,
  ));
});
