// The queue as metrics for Prometheus, in the text format of OpenMetrics 1.0. Counters come from the whole
// history: where its old parts are dropped they begin anew, which is allowed and which `rate()` knows. The
// values of labels are a closed set: of agents only those of the settings are told by name. Pure.

import type { PausedLane, PhaseName } from "../decide/view.ts";
import type { EventKind, HistoryEvent } from "../task/event.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";
import { PHASES } from "../text/style.ts";
import type { Line } from "./line.ts";
import { createLedger, setConsumed, type Told } from "./ledger.ts";
import { boundSeconds } from "./spread.ts";

/** Content type of the text, where it is served. */
export const METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Stands for every agent, and every class of failure, that has no series of its own. */
const OTHER = "other";
/** More agents have none, however many the settings have. */
const MOST_AGENTS = 100;

/** What can become of a task. */
const TRANSITIONS = [
  "queued",
  "retried",
  "launched",
  "released",
  "verifying",
  "complete",
  "failed",
  "cancelled",
  "handed-on",
  "reaped",
  "archived",
  "restored",
  "removed",
] as const satisfies readonly EventKind[];
const IS_TRANSITION: ReadonlySet<string> = new Set(TRANSITIONS);
const CLASSES: readonly string[] = [...FAILURE_CLASSES, OTHER];
/** Upper bounds of waiting and running, seconds. */
const BOUNDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
/** An agent may tell its price so long after its task has settled, milliseconds. */
const LATE = 600_000;

/** How many values were up to each bound, those up to a smaller one not among them. */
interface Histogram {
  counts: number[];
  sum: number;
}

/** The counters of one agent. */
interface AgentCounters {
  /** By what became of a task; for failures by class, after a slash. */
  transitions: Map<string, number>;
  wait: Histogram;
  run: Histogram;
  /** Tokens: a sum over the kinds is all of them. */
  tokens: { input: number; cached: number; output: number };
  costUsd: number;
  unpriced: number;
}

/** What the history comes to, by agent. */
export type Counters = ReadonlyMap<string, AgentCounters>;

/** How the queue is now. */
export interface QueueNow {
  tasks: readonly { agent: string; state: PhaseName }[];
  lanes: readonly PausedLane[];
  slots: { used: number; there: number };
  version: string;
}

/** What is remembered of an attempt: where its end was counted. */
interface Ended {
  counters: AgentCounters;
  isUnpriced: boolean;
}

/**
 * Counts what a history tells.
 *
 * @param agents those of the settings, which are told by name
 * @param now milliseconds since the epoch
 */
export function createCounters(
  agents: readonly string[],
  now: number,
): { add(event: HistoryEvent): void; addLine(line: Line): void; result(): Counters } {
  const byAgent = new Map<string, AgentCounters>();
  for (const agent of [...agents.slice(0, MOST_AGENTS), OTHER]) byAgent.set(agent, newCounters());
  const ofAgent = (name = OTHER) => byAgent.get(name) ?? byAgent.get(OTHER)!;

  function tell({ line, task }: Told<Ended>): void {
    const { kind, time } = line;
    if (task === undefined || !IS_TRANSITION.has(kind)) return;
    const counters = ofAgent(line.agent);
    const to = kind === "failed" ? `failed/${classOf(line)}` : kind;
    counters.transitions.set(to, (counters.transitions.get(to) ?? 0) + 1);
    if (kind === "launched" && line.waited !== undefined) observe(counters.wait, line.waited);
    if (kind === "complete" || kind === "failed" || kind === "cancelled") {
      if (line.ran === undefined) return;
      observe(counters.run, line.ran);
      setConsumed(task.usage, line.usage);
      addUsage(counters, task.usage);
      // A counter must not go down: who may yet tell a price is not counted before.
      const isUnpriced = !task.usage.isPriced && line.class !== "spawn";
      if (isUnpriced && now - time > LATE) counters.unpriced++;
      task.note = { counters, isUnpriced };
    } else if (kind === "reaped" && task.note !== undefined && line.usage !== undefined) {
      const { counters, isUnpriced } = task.note;
      const before = { ...task.usage };
      setConsumed(task.usage, line.usage);
      // It has told more than before, never less.
      const { input, cached, output, cost, isPriced } = task.usage;
      addUsage(counters, {
        input: input - before.input,
        cached: cached - before.cached,
        output: output - before.output,
        cost: cost - before.cost,
      });
      if (isUnpriced && isPriced && counters.unpriced > 0) counters.unpriced--;
      task.note = undefined;
    }
  }

  const { add, addLine } = createLedger<Ended>(tell);
  return { add, addLine, result: () => byAgent };
}

function newCounters(): AgentCounters {
  const histogram = () => ({ counts: new Array<number>(BOUNDS.length + 1).fill(0), sum: 0 });
  return {
    transitions: new Map(),
    wait: histogram(),
    run: histogram(),
    tokens: { input: 0, cached: 0, output: 0 },
    costUsd: 0,
    unpriced: 0,
  };
}

function classOf({ class: kind }: Line): string {
  return kind !== undefined && CLASSES.includes(kind) ? kind : OTHER;
}

function observe(histogram: Histogram, told: number): void {
  const seconds = boundSeconds(told);
  const at = BOUNDS.findIndex((bound) => seconds <= bound);
  histogram.counts[at < 0 ? BOUNDS.length : at]!++;
  histogram.sum += seconds;
}

function addUsage(
  counters: AgentCounters,
  told: { input: number; cached: number; output: number; cost: number },
): void {
  counters.tokens.input += Math.max(0, told.input - told.cached);
  counters.tokens.cached += Math.max(0, told.cached);
  counters.tokens.output += Math.max(0, told.output);
  counters.costUsd += Math.max(0, told.cost);
}

type Labels = Readonly<Record<string, string>>;
/** What follows the name of the family, the labels, the value. */
type Sample = readonly [suffix: string, labels: Labels, value: number];

/** One family of metrics. */
interface Family {
  name: string;
  type: "gauge" | "counter" | "histogram";
  unit?: string;
  help: string;
  samples: readonly Sample[];
}

/** The form of the text: OpenMetrics 1.0, or the older one of Prometheus, 0.0.4. */
export type MetricsForm = "openmetrics" | "prometheus";

/**
 * The text that Prometheus reads. What reads text files for it (node_exporter, `promtool check metrics`)
 * knows the older form alone: of OpenMetrics it takes the numbers, but not the types of counters.
 */
export function formatMetrics(
  counters: Counters,
  now: QueueNow,
  form: MetricsForm = "openmetrics",
): string {
  const families = familiesOf(counters, now).map((family) => formatFamily(family, form)).join("");
  return form === "openmetrics" ? `${families}# EOF\n` : families;
}

function familiesOf(counters: Counters, now: QueueNow): Family[] {
  const agents = [...counters];
  const each = (sampleOf: (counters: AgentCounters, agent: string) => Sample[]): Sample[] =>
    agents.flatMap(([agent, its]) => sampleOf(its, agent));
  const nameOf = (agent: string) => counters.has(agent) ? agent : OTHER;
  const states = new Map<string, number>();
  for (const { agent, state } of now.tasks) {
    const key = `${state}/${nameOf(agent)}`;
    states.set(key, (states.get(key) ?? 0) + 1);
  }
  const paused = new Map<string, number>();
  for (const { agent, until } of now.lanes) {
    paused.set(nameOf(agent), Math.max(until, paused.get(nameOf(agent)) ?? 0));
  }
  return [
    {
      // A gauge, as everybody has it: what reads text files does not know the type "info".
      name: "orchestra_build_info",
      type: "gauge",
      help: "Version of the program that tells this.",
      samples: [["", { version: now.version }, 1]],
    },
    {
      name: "orchestra_tasks",
      type: "gauge",
      help: "Tasks by what they are doing now, archived ones left out.",
      samples: each((_, agent) =>
        PHASES.map((state) => ["", { state, agent }, states.get(`${state}/${agent}`) ?? 0])
      ),
    },
    {
      name: "orchestra_task_transitions",
      type: "counter",
      help: "What became of tasks; failures by class.",
      samples: each(({ transitions }, agent) =>
        TRANSITIONS.flatMap((to): Sample[] =>
          to === "failed"
            ? CLASSES.map((kind) => [
              "_total",
              { to, agent, class: kind },
              transitions.get(`failed/${kind}`) ?? 0,
            ])
            : [["_total", { to, agent, class: "" }, transitions.get(to) ?? 0]]
        )
      ),
    },
    {
      name: "orchestra_task_wait_seconds",
      type: "histogram",
      unit: "seconds",
      help: "From queueing to launch.",
      samples: each(({ wait }, agent) => bucketsOf(wait, agent)),
    },
    {
      name: "orchestra_task_run_seconds",
      type: "histogram",
      unit: "seconds",
      help: "From launch to end.",
      samples: each(({ run }, agent) => bucketsOf(run, agent)),
    },
    {
      name: "orchestra_tokens",
      type: "counter",
      unit: "tokens",
      help: "Tokens that agents said they consumed; input without what came from a cache.",
      samples: each(({ tokens }, agent) =>
        Object.entries(tokens).map(([kind, value]) => ["_total", { agent, kind }, value])
      ),
    },
    {
      name: "orchestra_cost_usd",
      type: "counter",
      unit: "usd",
      help: "Price of what agents consumed, as they told it.",
      samples: each(({ costUsd }, agent) => [["_total", { agent }, costUsd]]),
    },
    {
      name: "orchestra_unpriced_runs",
      type: "counter",
      help:
        "Attempts whose agent told no price, counted ten minutes after their end: it may tell it late.",
      samples: each(({ unpriced }, agent) => [["_total", { agent }, unpriced]]),
    },
    {
      name: "orchestra_slots",
      type: "gauge",
      help: "Tasks that run at once, and how many may.",
      samples: [
        ["", { state: "used" }, now.slots.used],
        ["", { state: "there" }, now.slots.there],
      ],
    },
    {
      name: "orchestra_lane_paused",
      type: "gauge",
      help: "Whether an agent launches nothing because its quota is used up.",
      samples: each((_, agent) => [["", { agent }, paused.has(agent) ? 1 : 0]]),
    },
    {
      name: "orchestra_lane_paused_until_timestamp_seconds",
      type: "gauge",
      unit: "seconds",
      help: "When it launches again; absent where it is not paused.",
      samples: [...paused].map(([agent, until]) => ["", { agent }, until / 1000]),
    },
  ];
}

/** The same of several workspaces, each sample with the name of its own. */
export function formatMetricsOfAll(
  all: readonly { workspace: string; counters: Counters; now: QueueNow }[],
  form: MetricsForm = "openmetrics",
): string {
  const families = new Map<string, Family>();
  for (const { workspace, counters, now } of all) {
    for (const family of familiesOf(counters, now)) {
      const samples = family.samples.map(([suffix, labels, value]): Sample => [
        suffix,
        { workspace, ...labels },
        value,
      ]);
      const before = families.get(family.name)?.samples ?? [];
      families.set(family.name, { ...family, samples: [...before, ...samples] });
    }
  }
  const texts = [...families.values()].map((family) => formatFamily(family, form)).join("");
  return form === "openmetrics" ? `${texts}# EOF\n` : texts;
}

function bucketsOf({ counts, sum }: Histogram, agent: string): Sample[] {
  let count = 0;
  const buckets = counts.map((more, at): Sample => {
    count += more;
    return ["_bucket", { agent, le: formatBound(BOUNDS[at]) }, count];
  });
  return [...buckets, ["_count", { agent }, count], ["_sum", { agent }, sum]];
}

/** As the format wants it, with a point: the same bound must be the same text. */
function formatBound(bound: number | undefined): string {
  return bound === undefined ? "+Inf" : Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function formatFamily({ name, type, unit, help, samples }: Family, form: MetricsForm): string {
  const isNew = form === "openmetrics";
  const family = isNew || type !== "counter" ? name : `${name}_total`;
  const lines = [`# HELP ${family} ${escape(help)}`, `# TYPE ${family} ${type}`];
  if (isNew && unit !== undefined) lines.push(`# UNIT ${family} ${unit}`);
  for (const [suffix, labels, value] of samples) {
    const set = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
    lines.push(`${name}${suffix}{${set.join(",")}} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Names of agents are whatever somebody wrote into a file. */
function escape(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll(
    '"',
    '\\"',
  );
}
