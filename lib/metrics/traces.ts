// What OpenTelemetry is told: each chain is a trace, each attempt a span in it. Names and values follow
// the semantic conventions for CI/CD (https://opentelemetry.io/docs/specs/semconv/cicd/) and for
// generative AI, the form is that of OTLP/HTTP with JSON. Pure: the same events are the same bytes, and
// what is sent twice is the same span. Prompts are not told, as the conventions ask.

import { attemptSpanId, chainSpanId, traceId } from "../decide/trace_ids.ts";
import type { HistoryEvent } from "../task/event.ts";
import type { FailureClass } from "../task/fields.ts";

/** Who tells it. */
export interface TraceResource {
  /** Version of this program. */
  version: string;
  /** Name of the workspace, for people. */
  workspace: string;
}

/** An attribute's value, in the one field that says its type; 64 bits are a text in JSON. */
type Value = { stringValue: string } | { intValue: string } | { doubleValue: number };

interface Attribute {
  key: string;
  value: Value;
}

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code?: number; message?: string };
}

const SERVER = 2;
const INTERNAL = 1;
const ERROR = 2;
const SCHEMA = "https://opentelemetry.io/schemas/1.37.0";

/** The results that the conventions know. */
type Result = "success" | "failure" | "error" | "timeout" | "cancellation" | "skip";

/** `error` is what is not the agent's own doing, as the conventions part it from `failure`. */
const RESULTS: Readonly<Record<FailureClass, Result>> = {
  "spawn": "error",
  "exit": "failure",
  "agent-error": "failure",
  "no-signal": "failure",
  "timeout": "timeout",
  "idle": "timeout",
  "rate-limit": "error",
  "billing": "error",
  "budget": "failure",
  "verify": "failure",
  "lost": "error",
  "dependency": "skip",
  "conflict": "failure",
};

/**
 * The body of one request to `/v1/traces`, with what is known of attempts that have settled.
 *
 * An attempt is sent once, when it settles, and the chain's own span with the attempt that is its last
 * word: not with a failure that is tried again by itself. Tried again by hand later, the chain's span is
 * sent once more with a later end.
 *
 * @param events `complete`, `failed` and `cancelled`, in any order; others are passed over, and what is
 * told twice counts once
 * @param identity which workspace: ids follow from it
 * @param resource who tells it
 */
export function otlpBody(
  events: readonly HistoryEvent[],
  identity: string,
  resource: TraceResource,
): string {
  const attempts = new Map<string, Span>();
  const chains = new Map<string, { end: number; span: Span }>();
  for (const event of events) {
    if (!isEnd(event)) continue;
    const chain = event.chain ?? event.task;
    attempts.set(
      `${event.task}.${event.claim ?? 0}`,
      attemptSpan(event, chain, identity, resource),
    );
    const end = Date.parse(event.time);
    if (event.retryAt !== undefined) continue;
    if (end >= (chains.get(chain)?.end ?? -Infinity)) {
      chains.set(chain, { end, span: chainSpan(event, chain, identity, resource) });
    }
  }
  return JSON.stringify({
    resourceSpans: [{
      resource: {
        attributes: attributes({
          "service.name": "orchestra",
          "service.version": resource.version,
          "cicd.pipeline.name": resource.workspace,
          "orchestra.workspace.id": identity,
        }),
      },
      scopeSpans: [{
        scope: { name: "orchestra", version: resource.version },
        spans: [...[...chains.values()].map(({ span }) => span), ...attempts.values()],
        schemaUrl: SCHEMA,
      }],
      schemaUrl: SCHEMA,
    }],
  });
}

/** An attempt that has settled. */
type End = HistoryEvent & { task: string; event: "complete" | "failed" | "cancelled" };

function isEnd(event: HistoryEvent): event is End {
  return event.task !== undefined && event.task !== "" && !Number.isNaN(Date.parse(event.time)) &&
    (event.event === "complete" || event.event === "failed" || event.event === "cancelled");
}

function attemptSpan(event: End, chain: string, identity: string, resource: TraceResource): Span {
  const { task, claim = 0, agent, usage = {} } = event;
  const { started, ended } = timesOf(event);
  const result = resultOf(event);
  return {
    traceId: traceId(identity, chain),
    spanId: attemptSpanId(identity, task, claim),
    parentSpanId: chainSpanId(identity, chain),
    name: (agent || "task").toWellFormed(),
    kind: INTERNAL,
    startTimeUnixNano: nanos(started),
    endTimeUnixNano: nanos(ended),
    attributes: attributes({
      "cicd.pipeline.name": resource.workspace,
      "cicd.pipeline.run.id": chain,
      "cicd.pipeline.task.name": agent || "task",
      "cicd.pipeline.task.run.id": `${task}.${claim}`,
      "cicd.pipeline.task.run.result": result,
      "error.type": errorType(event, result),
      "process.exit.code": whole(event.exitCode),
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": agent,
      "gen_ai.response.model": usage.model,
      "gen_ai.usage.input_tokens": whole(usage.inputTokens),
      "gen_ai.usage.output_tokens": whole(usage.outputTokens),
      "gen_ai.usage.cache_read.input_tokens": whole(usage.cachedTokens),
      "orchestra.task.id": task,
      "orchestra.attempt": whole(event.attempt),
      "orchestra.wait_seconds": event.waited,
      "orchestra.cost_usd": usage.costUsd,
      ...labelled(event.labels),
    }),
    status: statusOf(event, result),
  };
}

function chainSpan(event: End, chain: string, identity: string, resource: TraceResource): Span {
  const { queued, ended } = timesOf(event);
  const result = resultOf(event);
  return {
    traceId: traceId(identity, chain),
    spanId: chainSpanId(identity, chain),
    name: `RUN ${resource.workspace.toWellFormed()}`,
    kind: SERVER,
    startTimeUnixNano: nanos(Math.min(queued, queuedAt(chain) ?? queued)),
    endTimeUnixNano: nanos(ended),
    attributes: attributes({
      "cicd.pipeline.name": resource.workspace,
      "cicd.pipeline.action.name": "RUN",
      "cicd.pipeline.run.id": chain,
      "cicd.pipeline.result": result,
      "error.type": errorType(event, result),
      "orchestra.attempts": whole(event.attempt),
      ...labelled(event.labels),
    }),
    status: statusOf(event, result),
  };
}

/** Milliseconds since the epoch; one that never started has its end for its start. */
function timesOf({ time, waited, ran }: End): { queued: number; started: number; ended: number } {
  const ended = Date.parse(time);
  const started = ended - seconds(ran) * 1000;
  return { queued: started - seconds(waited) * 1000, started, ended };
}

function seconds(told: number | undefined): number {
  return told !== undefined && told > 0 ? told : 0;
}

/** When a task was queued, as its id tells; undefined for an id that tells no time. */
function queuedAt(id: string): number | undefined {
  const match = /^task_(\d{13})\d{3}$/.exec(id);
  return match === null ? undefined : Number(match[1]);
}

function resultOf(event: End): Result {
  if (event.event === "complete") return "success";
  if (event.event === "cancelled") return "cancellation";
  // A class of a later version is a failure, too.
  return RESULTS[event.class ?? "exit"] ?? "failure";
}

function errorType(event: End, result: Result): string | undefined {
  const isError = result === "failure" || result === "error" || result === "timeout";
  return isError ? event.class ?? "_OTHER" : undefined;
}

/** Left unset where nothing went wrong: "ok" is for people to say. */
function statusOf(event: End, result: Result): Span["status"] {
  if (errorType(event, result) === undefined) return {};
  return { code: ERROR, message: (event.error ?? event.class ?? "failed").toWellFormed() };
}

/** The last millisecond whose nanoseconds 64 bits can hold, in the year 2554. */
const LAST = 18_446_744_073_709;

/** Nanoseconds since the epoch. */
function nanos(millis: number): string {
  return String(BigInt(Math.round(Math.max(0, Math.min(LAST, millis)))) * 1_000_000n);
}

/** A count, as 64 bits hold it; undefined for what is none. */
function whole(value: unknown): bigint | undefined {
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 2 ** 63
    ? BigInt(Math.trunc(value))
    : undefined;
}

function labelled(labels: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [`orchestra.label.${name}`, value]),
  );
}

/** Attributes of what is there: a text, a whole number, another number. Events come from a file. */
function attributes(values: Readonly<Record<string, unknown>>): Attribute[] {
  return Object.entries(values).flatMap(([name, value]): Attribute[] => {
    const key = name.toWellFormed();
    if (typeof value === "bigint") return [{ key, value: { intValue: String(value) } }];
    if (typeof value === "number") {
      return Number.isFinite(value) ? [{ key, value: { doubleValue: value } }] : [];
    }
    return typeof value === "string" ? [{ key, value: { stringValue: value.toWellFormed() } }] : [];
  });
}
