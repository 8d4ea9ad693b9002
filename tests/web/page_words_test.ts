// Forms from schemas, charts from numbers, tokens from addresses, titles from counts.

import { assert, assertEquals } from "../support/assert.ts";
import { OPTION_LIST, OPTIONS } from "../../lib/task/options.ts";
import {
  chartsOf,
  fillGaps,
  formatValue,
  ratesSince,
  topsOf,
} from "../../lib/web/page/chart_data.ts";
import { controlOf, readForm, readTyped } from "../../lib/web/page/form.ts";
import { type Acted, refusalsOf, summarize } from "../../lib/web/page/parts/actions.tsx";
import { standingOf, titleFor } from "../../lib/web/page/parts/icon.ts";
import { readDraft } from "../../lib/web/page/parts/new_task.tsx";
import { callOf, gather } from "../../lib/web/page/parts/notify.ts";
import { tokenIn } from "../../lib/web/page/token.ts";
import type { NamedGroup, Stats } from "../../lib/task/stats.ts";

const schemaOf = (name: keyof typeof OPTIONS) => OPTIONS[name].kind.schema;

Deno.test("each option of a task has the control that fits its values", () => {
  const kinds = OPTION_LIST.map(([name, { kind }]) => [name, controlOf(kind.schema).kind]);
  assertEquals(Object.fromEntries(kinds), {
    key: "text",
    priority: "number",
    maxRetries: "number",
    autoRetry: "switch",
    timeout: "text",
    timeoutWarning: "text",
    idleTimeout: "text",
    budget: "number",
    verify: "text",
    worktree: "switch",
    base: "text",
    dirty: "choice",
    dependsOn: "list",
    labels: "pairs",
    touches: "text",
  });
});

Deno.test("what is typed becomes a value that the table of options takes", () => {
  const typed = {
    key: "build",
    priority: "7",
    maxRetries: "0",
    autoRetry: "yes",
    timeout: "1h30m",
    idleTimeout: "none",
    budget: "0.50",
    verify: "make test, all of it",
    dependsOn: "9612, build  1234",
    labels: "area=docs\n\n who = me=you",
  };
  const fields = OPTION_LIST.map(([name, { kind }]) => ({ name, schema: kind.schema }));
  const { values, problems } = readForm(fields, typed);
  assertEquals(problems, {});
  assertEquals(values, {
    key: "build",
    priority: 7,
    maxRetries: 0,
    autoRetry: true,
    timeout: "1h30m",
    idleTimeout: null,
    budget: 0.5,
    verify: "make test, all of it",
    dependsOn: ["9612", "build", "1234"],
    labels: { area: "docs", who: "me=you" },
  });
  for (const [name, { kind }] of OPTION_LIST) {
    if (name in values) assert(kind.check(values[name]) !== undefined, name);
  }
});

Deno.test("what cannot be right is told before it is sent", () => {
  assertEquals(readTyped(schemaOf("priority"), "11").kind, "wrong");
  assertEquals(readTyped(schemaOf("priority"), "1.5").kind, "wrong");
  assertEquals(readTyped(schemaOf("priority"), "high").kind, "wrong");
  assertEquals(readTyped(schemaOf("key"), "-x").kind, "wrong");
  assertEquals(readTyped(schemaOf("timeout"), "soon").kind, "wrong");
  assertEquals(readTyped(schemaOf("labels"), "no sign").kind, "wrong");
  assertEquals(readTyped(schemaOf("labels"), "  ").kind, "absent");
});

Deno.test("a schema with several types in a list is read like one with alternatives", () => {
  assertEquals(controlOf({ type: ["string", "number"] }).kind, "text");
  assertEquals(controlOf({ enum: ["fast", "slow"] }), { kind: "choice", of: ["fast", "slow"] });
  assertEquals(controlOf({}).kind, "text");
});

Deno.test("a token is found in a fragment, in a whole address and on its own", () => {
  const token = "cbvMkHU1T9-aQ_lZ0p3xWw";
  assertEquals(tokenIn(`token=${token}`), token);
  assertEquals(tokenIn(` http://127.0.0.1:4000/#token=${token}\n`), token);
  assertEquals(tokenIn(`http://127.0.0.1:4000/#${token}`), token);
  assertEquals(tokenIn(token), token);
  assertEquals(tokenIn("L120"), null);
  assertEquals(tokenIn("http://127.0.0.1:4000/"), null);
  assertEquals(tokenIn("token=%E0%A4%A"), null);
});

Deno.test("the title and the icon of the tab tell what runs, what failed and what is lost", () => {
  const counts = { total: 9, running: 2, failed: 3, blocked: 1, needed: 3 };
  const title = { workspace: "shop", counts, connected: true, about: "Graph" };
  assertEquals(titleFor(title), "▶ 2 · ✕ 2 · ⊘ 1 · Graph · shop – Orchestra");
  assertEquals(
    titleFor({ ...title, counts: { total: 0 }, connected: false, about: "" }),
    "not connected · shop – Orchestra",
  );
  assertEquals(standingOf(counts, true), "failed");
  assertEquals(standingOf({ ...counts, needed: 1 }, true), "running");
  assertEquals(standingOf({ total: 3, complete: 3 }, true), "idle");
  assertEquals(standingOf(counts, false), "lost");
});

Deno.test("a failure that is tried again calls nobody, and many at once call once", () => {
  const event = {
    key: "k",
    time: "2026-01-01T00:00:00.000Z",
    task: "task_1700000000000",
    title: "Mend",
  };
  assertEquals(callOf({ ...event, event: "failed", retryAt: "2026-01-01T00:00:09.000Z" }), null);
  assertEquals(callOf({ ...event, event: "complete" }), null);
  const call = callOf({ ...event, event: "failed", error: "no tests" })!;
  assertEquals([call.title, call.body, call.task], ["Failed: Mend", "no tests", event.task]);
  const rest = callOf({
    ...event,
    event: "drained",
    ended: { complete: 4, failed: 1, cancelled: 0 },
  });
  assertEquals(rest?.body, "4 complete, 1 failed");
  assertEquals(gather(Array.from({ length: 9 }, () => call)).length, 1);
  assertEquals(gather([call, call]).length, 2);
});

function group(name: string, complete: number): NamedGroup {
  return {
    name,
    queued: complete,
    attempts: {
      settled: complete + 1,
      complete,
      failed: 1,
      cancelled: 0,
      successRate: complete / (complete + 1),
      perSuccess: null,
    },
    chains: { settled: complete, complete, failed: 0, cancelled: 0, successRate: 1 },
    waiting: null,
    running: null,
    failures: {},
    retries: {},
    limitedSeconds: null,
    usage: { inputTokens: 10, outputTokens: 3, cachedTokens: 4, costUsd: 1, runs: 1, unpriced: 0 },
    busySeconds: 1,
  };
}

Deno.test("hours without anything are drawn too", () => {
  const groups = [group("2026-01-01T10:00:00.000Z", 4), group("2026-01-01T13:00:00.000Z", 2)];
  const filled = fillGaps(groups, (millis) => millis + 3_600_000);
  assertEquals(filled.map(({ name, attempts }) => [name?.slice(11, 13), attempts.complete]), [
    ["10", 4],
    ["11", 0],
    ["12", 0],
    ["13", 2],
  ]);
  assertEquals(fillGaps([group("no time", 1)], (millis) => millis), []);
});

Deno.test("bars stand on each other where they are parts of one, and keep what they count", () => {
  const charts = chartsOf([group("a", 4), group("b", 2)], "agent");
  assertEquals(charts.map(({ title }) => title), ["Attempts", "Waiting", "Cost", "Tokens"]);
  const [attempts, waiting, , tokens] = charts;
  assertEquals(topsOf(attempts!), [[4, 2], [5, 3], [5, 3]]);
  assertEquals(topsOf(waiting!), [[null, null], [null, null]]);
  assertEquals(topsOf(tokens!), [[3, 3], [9, 9], [13, 13]]);
  assertEquals(attempts!.labels, ["a", "b"]);
});

Deno.test("values are as short as an axis needs them, with their unit", () => {
  assertEquals(
    [0, 7, 9999, 12_345, 4_000_000, 2_500_000_000].map((value) => formatValue(value, "tokens")),
    ["0", "7", "9,999", "12.3k", "4M", "2.5G"],
  );
  assertEquals([0, 0.004, 1.5, 1200].map((value) => formatValue(value, "usd")), [
    "$0.00",
    "$0.0040",
    "$1.50",
    "$1200.00",
  ]);
  assertEquals([0, 90, 7200].map((value) => formatValue(value, "seconds")), [
    "0",
    "1m30s",
    "2h00m",
  ]);
});

Deno.test("rates are about the time in which there was a workspace", () => {
  const stats = {
    from: "2026-11-19T12:00:00.000Z",
    to: "2026-11-26T12:00:00.000Z",
    total: { attempts: { settled: 6 }, busySeconds: 1800 },
    slots: { there: 2 },
  } as Stats;
  assertEquals(ratesSince(stats, Date.parse("2026-11-26T11:00:00.000Z")), {
    perHour: 6,
    used: 0.25,
  });
  assertEquals(ratesSince(stats, 0).perHour, 6 / (7 * 24));
  assertEquals(ratesSince(stats, Date.parse(stats.to)), { perHour: null, used: null });
});

Deno.test("what was done and what was refused are both counted", () => {
  assertEquals(summarize({ done: 1, refused: 0 }), "1 task");
  assertEquals(summarize({ done: 3, refused: 4 }), "3 of 7 tasks done, 4 refused");
  assertEquals(summarize({ done: 0, refused: 2 }), "2 tasks refused");
});

Deno.test("an action is refused where no task would take it, and no option helps", () => {
  const task = (
    name: string,
    refuses: Acted["refuses"],
    phase: Acted["phase"] = "failed",
  ): Acted => ({
    taskId: `task_${name}`,
    name,
    key: null,
    phase,
    refuses,
  });
  const retry = { name: "retry", phases: ["failed" as const] };
  const followed = task("1", { retry: { why: "was retried already" } });
  const spent = task("2", { retry: { why: "has used it up", unless: "maxRetries" } });
  const fresh = task("3", {});
  const running = task("4", { extend: { why: "has no limit" } }, "running");
  assertEquals(refusalsOf(retry, [followed]), { words: "It was retried already", isOfAll: true });
  assertEquals(refusalsOf(retry, [spent]), {
    words: "It has used it up: set max retries to allow it",
    isOfAll: false,
  });
  assertEquals(refusalsOf(retry, [followed, fresh]), {
    words: "1 was retried already",
    isOfAll: false,
  });
  assertEquals(refusalsOf(retry, [followed, running]).isOfAll, true);
  assertEquals(refusalsOf(retry, []), { words: "", isOfAll: false });
  assertEquals(
    refusalsOf(retry, Array.from({ length: 9 }, () => followed)).words.split("; ").at(-1),
    "and 6 more",
  );
});

Deno.test("a draft comes back as it was kept, and what is none is none", () => {
  const draft = { typed: { prompt: "Mend it", key: "mend" }, openIn: "shop" };
  assertEquals(readDraft(JSON.stringify(draft)), draft);
  for (const text of [null, "", "{", "null", "7", "[]"]) {
    assertEquals(readDraft(text), { typed: {}, openIn: null }, String(text));
  }
  assertEquals(readDraft('{"typed":{"prompt":7,"key":"a"},"openIn":1}'), {
    typed: { key: "a" },
    openIn: null,
  });
});
