/// <reference lib="dom" />
// How much was done, how well, how fast and for how much: by day or hour, and by agent, for a span of time
// that the address names.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { NamedGroup, Stats as Counted, StatsGroup } from "../../../task/stats.ts";
import { formatElapsed } from "../../../text/time.ts";
import { at, get } from "../api.ts";
import {
  chartsOf,
  fillGaps,
  formatValue,
  nextDay,
  nextHour,
  type Rates,
  ratesSince,
} from "../chart_data.ts";
import { Chart } from "../parts/chart.tsx";
import { useReading } from "../parts/reading.ts";
import { go, usePlace } from "../router.ts";

/** Spans that can be chosen, and by what they are parted. */
const SPANS = [
  { name: "24h", title: "24 hours", by: "hour" },
  { name: "7d", title: "7 days", by: "day" },
  { name: "30d", title: "30 days", by: "day" },
  { name: "90d", title: "90 days", by: "day" },
  { name: "all", title: "All", by: "day" },
] as const;

type Span = typeof SPANS[number];

/** While things happen it is counted anew at most so often, milliseconds. */
const RECOUNT = 10_000;

interface Both {
  span: Span;
  /** When the history begins, milliseconds since the epoch. */
  first: number;
  byTime: Counted;
  byAgent: Counted;
}

const firsts = new Map<string, Promise<number>>();

/** When the history of a workspace begins, milliseconds since the epoch; it is asked for once. */
function firstOf(workspace: string): Promise<number> {
  const known = firsts.get(workspace);
  if (known !== undefined) return known;
  const asked = get<Counted>(at(workspace, "stats")).then(({ from }) => Date.parse(from));
  firsts.set(workspace, asked);
  asked.catch(() => firsts.delete(workspace));
  return asked;
}

function useStats(
  workspace: string | null,
  span: Span,
): { both: Both | null; problem: string | null } {
  const { read: both, problem } = useReading<Both>(
    workspace,
    async (where, signal, set) => {
      const since = span.name === "all" ? "" : `&since=${span.name}`;
      const ask = (by: string) => get<Counted>(`${at(where, "stats")}?by=${by}${since}`, signal);
      const [byTime, byAgent, first] = await Promise.all([
        ask(span.by),
        ask("agent"),
        firstOf(where),
      ]);
      set({ span, first, byTime, byAgent });
    },
    RECOUNT,
    [span],
  );
  return { both, problem };
}

export default function Stats(): JSX.Element {
  const { workspace, query } = usePlace();
  const wanted = new URLSearchParams(query).get("since");
  const span = SPANS.find(({ name }) => name === wanted) ?? SPANS[1];
  const { both, problem } = useStats(workspace, span);
  return (
    <>
      <div class="head">
        <h1>Statistics</h1>
        <div class="chips" role="group" aria-label="Span of time">
          {SPANS.map(({ name, title }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === span.name}
              onClick={() =>
                go({ view: "stats", workspace, query: `since=${name}` }, { replace: true })}
            >
              {title}
            </button>
          ))}
        </div>
      </div>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {both === null
        ? problem === null && <p class="muted empty">Counting …</p>
        : <Counts both={both} />}
    </>
  );
}

function Counts({ both }: { both: Both }): JSX.Element {
  const { span, first, byTime, byAgent } = both;
  const timed = useMemo(() => {
    const groups = fillGaps(byTime.groups, span.by === "day" ? nextDay : nextHour);
    return chartsOf(groups, span.by);
  }, [both]);
  const agents = useMemo(() => chartsOf(byAgent.groups, "agent"), [both]);
  const heading = span.by === "day" ? "day" : "hour";
  const { settled } = byTime.total.attempts;
  if (settled === 0 && byTime.total.queued === 0) {
    return <p class="empty muted">Nothing was queued and nothing has ended in this time.</p>;
  }
  return (
    <>
      <Totals stats={byTime} rates={ratesSince(byTime, first)} />
      <section aria-labelledby="by-time">
        <h2 id="by-time">By {heading}</h2>
        <div class="charts">
          {timed.map((data) => <Chart key={data.title} data={data} heading={heading} />)}
        </div>
      </section>
      <section aria-labelledby="by-agent">
        <h2 id="by-agent">By agent</h2>
        <AgentTable groups={byAgent.groups} />
        <div class="charts">
          {agents.map((data) => <Chart key={data.title} data={data} heading="agent" />)}
        </div>
      </section>
      {byTime.unread > 0 && (
        <p class="notice">
          {byTime.unread} lines of the history could not be read and do not count.
        </p>
      )}
    </>
  );
}

const percent = (share: number | null) => share === null ? "–" : `${(share * 100).toFixed(0)} %`;

type Usage = StatsGroup["usage"];

const NOT_TOLD = "not told";
const hasTokens = ({ inputTokens, outputTokens }: Usage) => inputTokens + outputTokens > 0;

/** What some runs cost; none where none ran. */
function costOf({ costUsd, runs, unpriced }: Usage): string {
  if (runs === 0) return "–";
  return unpriced < runs ? formatValue(costUsd, "usd") : NOT_TOLD;
}

function tokensOf(usage: Usage): string {
  if (usage.runs === 0) return "–";
  return hasTokens(usage)
    ? formatValue(usage.inputTokens + usage.outputTokens, "tokens")
    : NOT_TOLD;
}

function Totals(
  { stats: { total, slots }, rates }: { stats: Counted; rates: Rates },
): JSX.Element {
  const { attempts, chains, waiting, running, usage } = total;
  const told = usage.unpriced > 0 && usage.unpriced < usage.runs
    ? `${usage.unpriced} of ${usage.runs} runs told no price`
    : "";
  const shown: [title: string, value: string, more: string][] = [
    [
      "Tasks that succeeded",
      percent(chains.successRate),
      `${chains.complete} of ${chains.settled - chains.cancelled}${
        chains.cancelled > 0 ? `, ${chains.cancelled} cancelled` : ""
      }`,
    ],
    [
      "Attempts",
      attempts.settled.toLocaleString("en"),
      `${percent(attempts.successRate)} succeeded`,
    ],
    ["Waited", waiting === null ? "–" : formatElapsed(waiting.p50), "median"],
    ["Ran", running === null ? "–" : formatElapsed(running.p50), "median"],
    ["Cost", costOf(usage), told],
    [
      "Tokens",
      tokensOf(usage),
      hasTokens(usage) ? `${formatValue(usage.outputTokens, "tokens")} of them written` : "",
    ],
    ["Slots in use", percent(rates.used), `${slots.there} at once`],
    ["An hour", rates.perHour === null ? "–" : rates.perHour.toFixed(1), "attempts"],
  ];
  return (
    <dl class="totals">
      {shown.map(([title, value, more]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>
            <span class="value">{value}</span> <span class="muted">{more}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function AgentTable({ groups }: { groups: readonly NamedGroup[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Agents in numbers">
      <table class="numbers wide">
        <thead>
          <tr>
            <th scope="col">agent</th>
            <th scope="col">attempts</th>
            <th scope="col">succeeded</th>
            <th scope="col">failed</th>
            <th scope="col">waited, median</th>
            <th scope="col">ran, median</th>
            <th scope="col">ran, 95th percentile</th>
            <th scope="col">cost</th>
            <th scope="col">tokens</th>
            <th scope="col">quota used up</th>
          </tr>
        </thead>
        <tbody>
          {groups.map(({ name, attempts, waiting, running, usage, limitedSeconds }) => (
            <tr key={name ?? ""}>
              <th scope="row">{name ?? "(none)"}</th>
              <td>{attempts.settled}</td>
              <td>{percent(attempts.successRate)}</td>
              <td>{attempts.failed}</td>
              <td>{waiting === null ? "–" : formatElapsed(waiting.p50)}</td>
              <td>{running === null ? "–" : formatElapsed(running.p50)}</td>
              <td>{running === null ? "–" : formatElapsed(running.p95)}</td>
              <td>{costOf(usage)}</td>
              <td>{tokensOf(usage)}</td>
              <td>{limitedSeconds ? formatElapsed(limitedSeconds) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
