// What was probably meant.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { CONFIG_ABOUT } from "../../lib/settings/config_fields.ts";
import { closest } from "../../lib/text/suggest.ts";

Deno.test("closest names what was probably meant, and nothing far off", () => {
  const known = ["status", "start", "show", "cancel", "retry", "run"];
  for (
    const [given, meant] of [
      ["statsu", "status"],
      ["STATUS", "status"],
      ["stauts", "status"],
      ["satrt", "start"],
      ["cancle", "cancel"],
      ["strat", "start"],
      ["retyr", "retry"],
      ["banana", undefined],
      ["completelydifferent", undefined],
      // The same letters are no reason to go farther than the limit.
      ["hwos", undefined],
    ] as const
  ) {
    // The order in which the names are known does not matter.
    assertEquals(closest(given, known), meant, given);
    assertEquals(closest(given, known.toReversed()), meant, given);
  }
  assertEquals(closest("x", []), undefined);
  assertEquals(closest("max_concurent", Object.keys(CONFIG_ABOUT)), "max_concurrent");
});

Deno.test("closest gives a known name or nothing, and a known name for itself", () => {
  fc.assert(fc.property(fc.string(), fc.array(fc.string()), (given, known) => {
    const found = closest(given, known);
    assert(found === undefined || known.includes(found));
    const lower = given.toLowerCase();
    if (known.includes(given)) assertEquals(found?.toLowerCase(), lower);
  }));
});
