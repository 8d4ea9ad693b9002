// More processes at once than a machine has processors for.

import { startAtOnce } from "../support/crowd.ts";

Deno.test("two hundred processes that start a task at once make two hundred tasks", () =>
  startAtOnce(200));
