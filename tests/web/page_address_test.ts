// Addresses of the page and the filters in them: what is written is read as the same.

import { assert, assertEquals } from "../support/assert.ts";
import { formatFilter, needsPerson, parseFilter, passes } from "../../lib/web/filter.ts";
import { href, parsePlace } from "../../lib/web/page/router.ts";
import type { WireFilter } from "../../lib/web/wire.ts";

const at = (address: string) => parsePlace(new URL(address, "http://127.0.0.1:4000"));

Deno.test("the address of a place leads to that place", () => {
  for (
    const place of [
      { view: "now", workspace: "shop", task: null, query: "status=failed", hash: "" },
      { view: "task", workspace: "a b/ü?#", task: "task_1700000000000", query: "", hash: "L120" },
      { view: "graph", workspace: "shop", task: null, query: "", hash: "" },
      { view: "timeline", workspace: "shop", task: null, query: "", hash: "" },
      { view: "stats", workspace: "shop", task: null, query: "since=7d", hash: "" },
      { view: "agents", workspace: "shop", task: null, query: "", hash: "" },
      { view: "workspaces", workspace: null, task: null, query: "", hash: "" },
      { view: "home", workspace: null, task: null, query: "", hash: "" },
    ] as const
  ) {
    assertEquals(at(href(place)), place);
  }
});

Deno.test("a workspace alone is its first view, and what names no view is no page", () => {
  assertEquals(at("/w/shop").view, "now");
  assertEquals(at("/w/shop/").view, "now");
  assertEquals(at("/").view, "home");
  assertEquals(at("/w/").view, "home");
  const nowhere = [
    "/w/shop/statistics",
    "/w/shop/task/",
    "/w/shop/task/x/y",
    "/w/shop/now/x",
    "/elsewhere",
  ];
  for (const address of nowhere) assertEquals(at(address).view, "unknown", address);
  assertEquals(at("/w/shop/statistics").workspace, "shop");
  assertEquals(at("/w/%E0%A4%A/now").workspace, "%E0%A4%A");
});

Deno.test("filters come back from the address as they were", () => {
  const filters: WireFilter[] = [
    {},
    {
      status: ["failed", "blocked"],
      agent: ["claude"],
      label: ["area:docs & more=1"],
      q: "a+b %20 ü",
    },
    { q: " two words " },
  ];
  for (const filter of filters) {
    assertEquals(parseFilter(new URLSearchParams(formatFilter(filter))), filter);
  }
});

Deno.test("empty and repeated values of an address are no filters of their own", () => {
  const read = (query: string) => parseFilter(new URLSearchParams(query));
  assertEquals(read("status=&q=%20&agent="), {});
  assertEquals(read("status=failed&status=failed"), { status: ["failed"] });
  assertEquals(formatFilter({ status: [], q: "  " }), "");
});

const TASK = {
  taskId: "task_1700000000123",
  status: "failed",
  phase: "failed",
  agent: "claude",
  labels: { area: "docs" },
  prompt: "Mend the Parser",
  key: "mend",
  retriedBy: null,
} as const;

Deno.test("a task passes with one value of each filter that is set", () => {
  assert(passes({}, TASK));
  assert(passes({ status: ["running", "failed"], agent: ["claude", "codex"] }, TASK));
  assert(!passes({ status: ["failed"], agent: ["codex"] }, TASK));
  assert(passes({ label: ["area:docs"] }, TASK));
  assert(passes({ label: ["area"] }, TASK));
  assert(!passes({ label: ["area:core"] }, TASK));
});

Deno.test("text is looked for in prompt, id, key and labels, whatever its case", () => {
  for (const q of ["parser", " PARSER ", "0123", "MEND", "Area:Docs"]) {
    assert(passes({ q }, TASK), q);
  }
  assert(!passes({ q: "codex" }, TASK));
});

Deno.test("a phase and the status that it refines are both filters", () => {
  const waiting = { ...TASK, status: "pending", phase: "waiting" } as const;
  assert(passes({ status: ["pending"] }, waiting));
  assert(passes({ status: ["waiting"] }, waiting));
  assert(!passes({ status: ["ready"] }, waiting));
});

Deno.test("what is about to be retried has not failed for good", () => {
  const retrying = { ...TASK, phase: "retrying" } as const;
  assert(passes({ status: ["retrying"] }, retrying));
  assert(!passes({ status: ["failed"] }, retrying));
});

Deno.test("a failure that was retried, or will be, needs nobody", () => {
  assert(needsPerson(TASK));
  assert(needsPerson({ phase: "blocked", retriedBy: null }));
  assert(!needsPerson({ phase: "failed", retriedBy: "task_1700000000124" }));
  assert(!needsPerson({ phase: "retrying", retriedBy: null }));
  assert(!needsPerson({ phase: "cancelled", retriedBy: null }));
  assert(passes({ status: ["needed"] }, TASK));
});
