// What agents and shims leave beside a task: sentinels and exit codes, whatever is in them.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { parseDoneSentinel, parseErrorSentinel, parseExitFile } from "../../lib/queue/observe.ts";

Deno.test("an .error file is JSON with error and details, or plain text, or empty", () => {
  const unsaid = "The agent reported an error without saying which";
  for (
    const [text, message, details] of [
      ['{"error":"boom","details":"stack","timestamp":"2026"}', "boom", "stack"],
      ['  {"error":"boom"}\n', "boom", null],
      ['{"message":"m"}', "m", null],
      ['{"error":"boom","details":{"line":3}}', "boom", '{"line":3}'],
      ['{"error":"boom","details":null}', "boom", null],
      ['{"error":""}', unsaid, null],
      ['{"error":5}', unsaid, null],
      ["{}", unsaid, null],
      ["", unsaid, null],
      [" \n\n", unsaid, null],
      ["boom", "boom", null],
      ["boom\nat line 3\nat line 4\n", "boom", "at line 3\nat line 4"],
      ['{"error": "cut o', '{"error": "cut o', null],
      ['["boom"]', '["boom"]', null],
      ["null", "null", null],
    ] as const
  ) assertEquals(parseErrorSentinel(text), { message, details }, text);
});

Deno.test("a .done file is JSON with summary and files, or plain text, or empty", () => {
  for (
    const [text, result] of [
      ["", {}],
      ["\n", {}],
      ["all good\n", { summary: "all good" }],
      ['{"summary":"s","files":["a","b"]}', { summary: "s", files: ["a", "b"] }],
      ['{"summary":5,"files":["a",1,null,{}]}', { files: ["a"] }],
      ['{"files":"a"}', {}],
      ['{"summary":""}', {}],
      ["[1]", { summary: "[1]" }],
      ['{"summary": "cut', { summary: '{"summary": "cut' }],
    ] as const
  ) assertEquals(parseDoneSentinel(text), result as ReturnType<typeof parseDoneSentinel>, text);
});

Deno.test("an exit file is a number, with or without the word spawn and why, and nothing else", () => {
  assertEquals(parseExitFile("0\n"), { code: 0, spawn: false });
  assertEquals(parseExitFile("137"), { code: 137, spawn: false });
  assertEquals(parseExitFile("127 spawn\n"), { code: 127, spawn: true });
  const why = "x: it is held";
  assertEquals(parseExitFile(`127 spawn: ${why}\n`), { code: 127, spawn: true, why });
  for (
    const text of [
      "",
      "\n",
      "x",
      "0x1",
      "1 2",
      "1 spawned",
      "1: x\n",
      "127 spawn: ha",
      "1.5",
      " 1",
      "0\n0",
      "\0",
    ]
  ) {
    assertEquals(parseExitFile(text), null, JSON.stringify(text));
  }
});

Deno.test("no sentinel makes its parser throw or give anything but texts", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.record({ error: fc.jsonValue(), details: fc.jsonValue(), message: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc.record({ summary: fc.jsonValue(), files: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(fc.property(text, (text) => {
    const { message, details } = parseErrorSentinel(text);
    assert(typeof message === "string" && message !== "" && !message.includes("\n\n\n\n\n"));
    assert(details === null || typeof details === "string");
    const { summary, files, ...rest } = parseDoneSentinel(text);
    assert(summary === undefined || typeof summary === "string");
    assert(files === undefined || files.every((file) => typeof file === "string"));
    assertEquals(rest, {});
    parseExitFile(text);
  }));
});
