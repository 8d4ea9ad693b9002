// The metrics as text: what they count, their form, and that their labels are a closed set.

import {
  createCounters,
  formatMetrics,
  type MetricsForm,
  type QueueNow,
} from "../../lib/metrics/openmetrics.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { event, eventsOf, idAt, START } from "./lives.ts";

const NOW = START + 86_400_000;
const QUEUE: QueueNow = {
  tasks: [
    { agent: "alpha", state: "running" },
    { agent: "alpha", state: "ready" },
    { agent: "gone", state: "failed" },
  ],
  lanes: [{ agent: "alpha", until: START + 500 }],
  slots: { used: 1, there: 3 },
  version: '1.2.3"\\',
};

function metrics(
  events: readonly HistoryEvent[],
  agents: readonly string[] = ["alpha", "beta"],
  form?: MetricsForm,
): string {
  const counters = createCounters(agents, NOW);
  events.forEach(counters.add);
  return formatMetrics(counters.result(), QUEUE, form);
}

/** The value of a series; undefined where there is none. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const LIVES = [
  ...eventsOf({ at: 0, waited: 1, ran: 2, more: { usage: { inputTokens: 10, cachedTokens: 4 } } }),
  ...eventsOf({ at: 1, waited: 3, ran: 9000, end: "failed", more: { class: "timeout" } }),
  ...eventsOf({ at: 2, more: { agent: "gone", usage: { costUsd: 1.5, outputTokens: 7 } } }),
];

Deno.test("counters tell what became of tasks, by agent and class", () => {
  const text = metrics([...LIVES, ...LIVES]);
  const total = (labels: string) => valueOf(text, `orchestra_task_transitions_total{${labels}}`);
  assertEquals(total('to="queued",agent="alpha",class=""'), 2);
  assertEquals(total('to="complete",agent="alpha",class=""'), 1);
  assertEquals(total('to="failed",agent="alpha",class="timeout"'), 1);
  assertEquals(total('to="failed",agent="beta",class="timeout"'), 0);
  assertEquals(total('to="complete",agent="other",class=""'), 1);
  assertEquals(total('to="complete",agent="gone",class=""'), undefined);
  assertEquals(valueOf(text, 'orchestra_tokens_total{agent="alpha",kind="input"}'), 6);
  assertEquals(valueOf(text, 'orchestra_tokens_total{agent="alpha",kind="cached"}'), 4);
  assertEquals(valueOf(text, 'orchestra_tokens_total{agent="other",kind="output"}'), 7);
  assertEquals(valueOf(text, 'orchestra_cost_usd_total{agent="other"}'), 1.5);
  assertEquals(valueOf(text, 'orchestra_unpriced_runs_total{agent="alpha"}'), 2);
  assertEquals(valueOf(text, 'orchestra_unpriced_runs_total{agent="other"}'), 0);
});

Deno.test("gauges tell how the queue is now", () => {
  const text = metrics([]);
  assertEquals(valueOf(text, 'orchestra_tasks{state="running",agent="alpha"}'), 1);
  assertEquals(valueOf(text, 'orchestra_tasks{state="blocked",agent="alpha"}'), 0);
  assertEquals(valueOf(text, 'orchestra_tasks{state="failed",agent="other"}'), 1);
  assertEquals(valueOf(text, 'orchestra_slots{state="used"}'), 1);
  assertEquals(valueOf(text, 'orchestra_slots{state="there"}'), 3);
  assertEquals(valueOf(text, 'orchestra_lane_paused{agent="alpha"}'), 1);
  assertEquals(valueOf(text, 'orchestra_lane_paused{agent="beta"}'), 0);
  const until = "orchestra_lane_paused_until_timestamp_seconds";
  assertEquals(valueOf(text, `${until}{agent="alpha"}`), START / 1000 + 0.5);
  assertEquals(valueOf(text, `${until}{agent="beta"}`), undefined);
});

Deno.test("histograms are cumulative, and their last bucket is their count", () => {
  const text = metrics(LIVES);
  const run = (le: string) =>
    valueOf(text, `orchestra_task_run_seconds_bucket{agent="alpha",le="${le}"}`);
  assertEquals([run("1.0"), run("2.0"), run("7200.0"), run("+Inf")], [0, 1, 1, 2]);
  assertEquals(valueOf(text, 'orchestra_task_run_seconds_count{agent="alpha"}'), 2);
  assertEquals(valueOf(text, 'orchestra_task_run_seconds_sum{agent="alpha"}'), 9002);
  assertEquals(valueOf(text, 'orchestra_task_wait_seconds_sum{agent="alpha"}'), 4);
});

Deno.test("a counter never goes down as more of a history becomes known", () => {
  const events = [
    ...eventsOf({ at: 86_300, ran: 1, waited: 0 }),
    event("reaped", 86_350, {
      task: idAt(86_300),
      claim: 1,
      agent: "alpha",
      usage: { costUsd: 0.5, inputTokens: 9 },
    }),
    ...eventsOf({ at: 0, more: { usage: { inputTokens: 100 } } }),
    event("reaped", 90, { task: idAt(0), claim: 1, agent: "alpha", usage: { inputTokens: 60 } }),
  ];
  let before = new Map<string, number>();
  for (let count = 0; count <= events.length; count++) {
    const now = new Map(
      metrics(events.slice(0, count)).split("\n").filter((line) =>
        /_(?:total|count|bucket)\{/.test(line)
      )
        .map((line) => line.split(" ") as [string, string])
        .map(([series, value]) => [series, Number(value)]),
    );
    for (const [series, value] of before) {
      assert(now.get(series)! >= value, `${series}: ${value} -> ${now.get(series)}`);
    }
    before = now;
  }
});

Deno.test("the text is OpenMetrics: each family once, its metadata first, an end", () => {
  const text = metrics(LIVES);
  assert(text.endsWith("\n# EOF\n"));
  const families = new Map<string, string>();
  let current = "";
  for (const line of text.trimEnd().split("\n").slice(0, -1)) {
    const meta = /^# (HELP|TYPE|UNIT) (\S+) (.+)$/.exec(line);
    if (meta !== null) {
      const [, what, name, value] = meta;
      if (what === "HELP") {
        assert(!families.has(name!), name);
        current = name!;
        families.set(name!, "");
      }
      assertEquals(name, current);
      if (what === "TYPE") families.set(name!, value!);
      if (what === "UNIT") assert(name!.endsWith(`_${value}`), line);
      continue;
    }
    assertMatch(
      line,
      /^[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\} -?\d+(?:\.\d+)?(?:e[+-]\d+)?$/,
    );
    const suffixes = { counter: "_total", histogram: "_(?:bucket|count|sum)", gauge: "" };
    const type = families.get(current) as keyof typeof suffixes;
    assertMatch(line, new RegExp(`^${current}${suffixes[type]}\\{`));
  }
  assert(families.size >= 11);
});

Deno.test("hostile names of agents are escaped, and those that nobody set are one", () => {
  const hostile = ['a"b\\c\nd', "__proto__", "\ud800", "other", "# EOF"];
  const events = hostile.flatMap((agent, at) => eventsOf({ at, more: { agent } }));
  const text = metrics(events, hostile);
  assertStringIncludes(text, 'agent="a\\"b\\\\c\\nd"');
  assertEquals(text.split("\n").filter((line) => line === "# EOF").length, 1);
  const none = metrics(events, []);
  const agents = new Set([...none.matchAll(/agent="([^"]*)"/g)].map(([, name]) => name));
  assertEquals([...agents], ["other"]);
  const many = Array.from({ length: 5000 }, (_, at) => `agent ${at}`);
  assert(metrics([], many).split("\n").length < 20_000);
  const classes = metrics(
    eventsOf({ at: 0, end: "failed", more: { class: JSON.parse('"of tomorrow"') } }),
  );
  assertEquals(
    valueOf(classes, 'orchestra_task_transitions_total{to="failed",agent="alpha",class="other"}'),
    1,
  );
});

Deno.test("the dashboard asks only for metrics that there are, by labels that they have", async () => {
  const path = new URL("../../docs/grafana-dashboard.json", import.meta.url);
  const dashboard = JSON.parse(await Deno.readTextFile(path));
  const text = metrics(LIVES);
  const series = new Map<string, Set<string>>();
  for (const [, name, labels] of text.matchAll(/^([a-z_]+)\{(.*)\} /gm)) {
    const known = series.get(name!) ?? new Set();
    series.set(name!, known);
    for (const [, label] of labels!.matchAll(/([a-z]+)="/g)) known.add(label!);
  }
  const queries: string[] = [];
  JSON.stringify(dashboard, (key, value) => {
    if (key === "expr" || key === "query" && typeof value === "string") queries.push(value);
    return value;
  });
  assert(queries.length >= 12);
  const used = new Set<string>();
  for (const query of queries) {
    for (const [name, selector = ""] of query.matchAll(/orchestra_[a-z_]+(\{[^}]*\})?/g)) {
      const base = name.replace(/\{.*/, "");
      assert(series.has(base), `${base} in ${query}`);
      used.add(base);
      for (const [, label] of selector.matchAll(/([a-z]+)\s*[=!]/g)) {
        assert(series.get(base)!.has(label!), `${label} of ${base}`);
      }
    }
    for (const [, labels] of query.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of labels!.split(",")) {
        assert([...series.values()].some((known) => known.has(label.trim())), query);
      }
    }
  }
  assertEquals(
    new Set(dashboard.panels.map(({ id }: { id: number }) => id)).size,
    dashboard.panels.length,
  );
  const about = ["tasks", "task_transitions_total", "task_wait_seconds_bucket", "cost_usd_total"];
  for (
    const name of [...about, "task_run_seconds_bucket", "tokens_total", "lane_paused", "slots"]
  ) {
    assert(used.has(`orchestra_${name}`), name);
  }
});
