// What the system refuses, told by the name it has for it and never by the words of a message.

import { quote, toOrchestraError } from "../../lib/task/error.ts";
import { assertEquals, assertMatch, assertThrows } from "../support/assert.ts";

Deno.test("a full disk is told by the system's name for it, on every system", () => {
  for (const [code, number] of [["ENOSPC", 28], ["ENOSPC", 112], ["EDQUOT", 122]] as const) {
    const refused = Object.assign(new Error(`No space left (os error ${number})`), { code });
    const error = toOrchestraError(refused, "Writing");
    assertEquals(error.code, "environment");
    assertMatch(error.hint ?? "", /disk is full/);
  }
  if (Deno.build.os !== "linux") return;
  const real = assertThrows(() => Deno.writeTextFileSync("/dev/full", "x"));
  assertMatch(toOrchestraError(real, "Writing").hint ?? "", /disk is full/);
});

Deno.test("a file that is called like an error of the system is not taken for one", () => {
  for (const name of ["os error 28", "a (os error 13)"]) {
    const missing = assertThrows(() => Deno.readTextFileSync(`/nowhere/${name}`));
    const error = toOrchestraError(missing, "Reading");
    assertEquals([error.code, error.hint], ["environment", undefined], name);
    assertEquals(toOrchestraError(new Error(`no ${name}`), "Reading").code, "internal", name);
  }
});

Deno.test("words are quoted as the shells of the system take them", () => {
  const words = ["start", "C:\\my folder", "it's", 'say "hi"', "a&b"];
  assertEquals(quote(words, false), `start 'C:\\my folder' 'it'\\''s' 'say "hi"' 'a&b'`);
  assertEquals(quote(words, true), 'start "C:\\my folder" "it\'s" "say \\"hi\\"" "a&b"');
  assertEquals(quote(["C:\\work\\shop"], true), "C:\\work\\shop");
});
