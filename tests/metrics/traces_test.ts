// Traces: what is told of an attempt and its chain, as a strict receiver takes it, and what agents are told.

import { attemptSpanId, chainSpanId, traceId, traceVariables } from "../../lib/decide/trace_ids.ts";
import { otlpBody } from "../../lib/metrics/traces.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import { FAILURE_CLASSES } from "../../lib/task/fields.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertThrows,
} from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { event, eventsOf, idAt, type Life, START } from "./lives.ts";
import { receive, type Received } from "./otlp.ts";
import { SHELL, test } from "../support/needs.ts";

const RESOURCE = { version: "1.2.3", workspace: "shop" };

function told(events: readonly HistoryEvent[], identity = "a.b.c"): Received {
  return receive(otlpBody(events, identity, RESOURCE));
}

const first: Life = {
  at: 0,
  end: "failed",
  more: { class: "verify", error: "verify: exit 1", exitCode: 0, attempt: 1 },
};
const second: Life = {
  at: 100,
  follows: first,
  more: {
    attempt: 2,
    labels: { team: "web" },
    usage: { inputTokens: 12, outputTokens: 3, cachedTokens: 4, costUsd: 0.5, model: "m-1" },
  },
};
const ends = (life: Life) => eventsOf(life).slice(-1);

/** The chain's span first, then those of attempts. */
function parts({ spans }: Received) {
  return {
    chain: spans.filter(({ kind }) => kind === 2),
    attempts: spans.filter(({ kind }) => kind === 1),
  };
}

Deno.test("an attempt is a span below that of its chain, with times, outcome and usage", () => {
  const received = told([...ends(first), ...ends(second)]);
  assertEquals(received.resource["service.name"], "orchestra");
  const { chain, attempts } = parts(received);
  assertEquals([chain.length, attempts.length], [1, 2]);
  const root = chain[0]!;
  assertEquals(root.parentSpanId, undefined);
  assertEquals(root.startTimeUnixNano, `${START}000000`);
  assertEquals(root.endTimeUnixNano, `${START + 165_000}000000`);
  assertEquals(root.attributes["cicd.pipeline.result"], "success");
  assertEquals(root.attributes["cicd.pipeline.run.id"], idAt(0));
  assertEquals(root.status, {});
  for (const span of attempts) {
    assertEquals([span.traceId, span.parentSpanId], [root.traceId, root.spanId]);
  }
  const [failed, complete] = attempts;
  assertEquals(failed!.status, { code: 2, message: "verify: exit 1" });
  assertEquals(failed!.attributes["error.type"], "verify");
  assertEquals(failed!.attributes["cicd.pipeline.task.run.result"], "failure");
  assertEquals(complete!.startTimeUnixNano, `${START + 105_000}000000`);
  assertEquals(complete!.endTimeUnixNano, `${START + 165_000}000000`);
  assertEquals(complete!.attributes, {
    "cicd.pipeline.name": "shop",
    "cicd.pipeline.run.id": idAt(0),
    "cicd.pipeline.task.name": "alpha",
    "cicd.pipeline.task.run.id": `${idAt(100)}.1`,
    "cicd.pipeline.task.run.result": "success",
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "alpha",
    "gen_ai.response.model": "m-1",
    "gen_ai.usage.input_tokens": "12",
    "gen_ai.usage.output_tokens": "3",
    "gen_ai.usage.cache_read.input_tokens": "4",
    "orchestra.task.id": idAt(100),
    "orchestra.attempt": "2",
    "orchestra.wait_seconds": 5,
    "orchestra.cost_usd": 0.5,
    "orchestra.label.team": "web",
  });
});

Deno.test("the chain's span comes with the attempt that is its last word", () => {
  const [failed] = ends(first) as [HistoryEvent];
  const chains = (event: HistoryEvent) => parts(told([event])).chain.length;
  assertEquals(chains({ ...failed, retryAt: failed.time }), 0);
  assertEquals(chains(failed), 1);
});

Deno.test("a repeat is the same span, and another task, claim or workspace is another", () => {
  const once = told(ends(first));
  assertEquals(told([...ends(first), ...ends(first), ...eventsOf(first)]), once);
  const later = told(ends(second));
  assertEquals(parts(later).chain[0]!.spanId, parts(once).chain[0]!.spanId);
  assertNotEquals(parts(later).attempts[0]!.spanId, parts(once).attempts[0]!.spanId);
  const claimed = told(ends(first).map((one) => ({ ...one, claim: 2 })));
  assertNotEquals(parts(claimed).attempts[0]!.spanId, parts(once).attempts[0]!.spanId);
  assertNotEquals(told(ends(first), "a.b.d").spans[0]!.traceId, once.spans[0]!.traceId);
});

Deno.test("results are those of the conventions, and only what went wrong is an error", () => {
  const allowed = ["success", "failure", "error", "timeout", "cancellation", "skip"];
  for (const kind of [...FAILURE_CLASSES, "of tomorrow", undefined]) {
    const { attempts } = parts(told(ends({ ...first, more: { class: kind as "exit" } })));
    const { attributes, status } = attempts[0]!;
    const result = attributes["cicd.pipeline.task.run.result"] as string;
    assert(allowed.includes(result), result);
    const isError = ["failure", "error", "timeout"].includes(result);
    assertEquals([status.code === 2, "error.type" in attributes], [isError, isError], kind);
  }
  const cancelled = parts(told(ends({ at: 0, end: "cancelled" }))).attempts[0]!;
  assertEquals(cancelled.attributes["cicd.pipeline.task.run.result"], "cancellation");
  assertEquals(cancelled.status, {});
});

Deno.test("whatever a damaged history says, the receiver takes it", () => {
  const odd = {
    time: "9999-12-31T23:59:59.999Z",
    waited: -5,
    ran: 1e300,
    attempt: 1e300,
    exitCode: 0.5,
    agent: "",
    error: "\ud800",
    labels: JSON.parse('{"a":{"b":1},"__proto__":"x","n":1.5,"":"e"}'),
    usage: JSON.parse('{"inputTokens":"12","outputTokens":-1.5,"costUsd":null,"model":7}'),
  };
  const { attempts } = parts(told([
    event("failed", 0, { task: "no id", claim: 1, ...odd }),
    event("complete", -1e9 * 3, { task: idAt(0), claim: 1, ran: 5 }),
    event("complete", 0, { task: idAt(1), claim: 1, ran: 1e308, agent: "\udfff" }),
    { ...event("complete", 0, { task: idAt(2), claim: 1 }), time: "never" },
    event("complete", 0, { task: "" }),
    event("complete", 0),
    event("queued", 0, { task: idAt(9) }),
  ]));
  assertEquals(attempts.length, 3);
  assertEquals(receive(otlpBody([], "", RESOURCE)).spans, []);
});

Deno.test("the receiver of these tests refuses what is not as the protocol wants it", () => {
  const sound = otlpBody(ends(second), "a.b.c", RESOURCE);
  const spoil = (from: RegExp, to: string) => {
    const body = sound.replace(from, to);
    assertNotEquals(body, sound);
    assertThrows(() => receive(body), Error);
  };
  spoil(/"traceId":"[0-9a-f]+"/, `"traceId":"${"0".repeat(32)}"`);
  spoil(/"spanId":"[0-9a-f]/, '"spanId":"');
  spoil(/"startTimeUnixNano":"(\d+)"/, '"startTimeUnixNano":$1');
  spoil(/"intValue":"12"/, '"intValue":12');
  spoil(/"kind":2/, '"kind":"SPAN_KIND_SERVER"');
  spoil(/"parentSpanId"/, '"parent_span_id"');
  spoil(/"endTimeUnixNano":"\d+"/, '"endTimeUnixNano":"1"');
});

Deno.test("a receiver on loopback gets what was sent", async () => {
  const arrived = Promise.withResolvers<Received>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      try {
        assertEquals(new URL(request.url).pathname, "/v1/traces");
        assertEquals(request.headers.get("content-type"), "application/json");
        arrived.resolve(receive(await request.text()));
        return Response.json({});
      } catch (error) {
        arrived.reject(error);
        return new Response(null, { status: 400 });
      }
    },
  );
  const answer = await fetch(`http://127.0.0.1:${server.addr.port}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: otlpBody(ends(second), "a.b.c", RESOURCE),
  });
  assertEquals([answer.status, await answer.json()], [200, {}]);
  assertEquals(await arrived.promise, told(ends(second)));
});

Deno.test("no two of many tasks, claims and workspaces have one id, and each bit is as often set", () => {
  const seen = new Set<string>();
  const bits = new Uint32Array(64);
  let count = 0;
  for (let number = 0; number < 20_000; number++) {
    for (const identity of ["10301.1h4zr.mhz2q1x", "10301.1h4zs.mhz2q1x"]) {
      for (const claim of [1, 2]) {
        const id = attemptSpanId(identity, idAt(number), claim);
        seen.add(id).add(traceId(identity, idAt(number)));
        for (let bit = BigInt(`0x${id}`), at = 0; bit > 0n; bit >>= 1n, at++) {
          if (bit & 1n) bits[at]!++;
        }
        count++;
      }
    }
  }
  assertEquals(seen.size, count + count / 2);
  for (const [at, set] of bits.entries()) {
    assert(Math.abs(set / count - 0.5) < 0.02, `bit ${at} is set in ${set} of ${count}`);
  }
});

test(
  "an agent finds its own span in its environment, whatever the caller had there",
  SHELL,
  async () => {
    await using box = await makeBox();
    const script = 'printf "%s|%s\\n" "$TRACEPARENT" "$TRACESTATE"; exit 1';
    const id = await box.start("shell", script);
    const other = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    await box.runWith({ env: { TRACEPARENT: other, TRACESTATE: "dd=p:1" } }, "run");
    const task = await box.settled(id);
    const log = await Deno.readTextFile(`${box.root}/${task.logFile}`);
    assertMatch(log, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01\|$/m);
    const line = log.split("\n").find((one) => one.startsWith("00-"))!;
    const event = (await Deno.readTextFile(box.path("history.jsonl"))).split("\n")
      .filter((one) => one.startsWith("{")).map((one): HistoryEvent => JSON.parse(one))
      .find((one) => one.event === "failed")!;
    const { openStore } = await import("../../lib/store/tasks.ts");
    const { identity } = openStore(box.root);
    const [, trace, span] = line.split("-");
    const { attempts, chain } = parts(told([event], identity));
    assertEquals([attempts[0]!.traceId, attempts[0]!.spanId], [trace, span]);
    assertEquals(traceVariables(identity, task).TRACEPARENT, line.split("|")[0]);
    assertEquals(chain[0]!.spanId, chainSpanId(identity, id));
    assertEquals(trace, traceId(identity, id));
  },
);
