// A little torture on Windows among the other tests; elsewhere it is among the slow ones, and longer.

import { assertEquals, assertGreater } from "../support/assert.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { formatReport, torture } from "./torture.ts";

test("twenty kills at random moments lose nothing", ON_WINDOWS, async () => {
  const report = await torture({ seed: 20261122, kills: 20, workers: 3 });
  assertEquals(report.violations, [], formatReport(report));
  assertGreater(report.launches, 0);
});
