// The metrics as Prometheus's own programs read them: promtool checks the older text form, and a real
// Prometheus scrapes the newer one and answers.

import { createCounters, formatMetrics, METRICS_TYPE } from "../../lib/metrics/openmetrics.ts";
import { VERSION } from "../../lib/task/version.ts";
import { assertEquals } from "../support/assert.ts";
import { type Missing, test, which } from "../support/needs.ts";
import { makeBox } from "../support/program.ts";
import { PATIENCE } from "../support/spawn.ts";
import { events } from "./large_history.ts";
import { START } from "./lives.ts";

const INSTALLED: Missing = which("prometheus") !== undefined && which("promtool") !== undefined
  ? null
  : "prometheus is not installed";

/** The metrics of a queue that has done much. */
function metricsText(form: "openmetrics" | "prometheus"): string {
  const counters = createCounters(["claude", "codex", 'a"b\\c'], START + 86_400_000 * 30);
  let lines = 0;
  for (const event of events(2, START)) {
    counters.add(event);
    if (++lines === 5000) break;
  }
  return formatMetrics(counters.result(), {
    tasks: [{ agent: "claude", state: "running" }, { agent: "new", state: "ready" }],
    lanes: [{ agent: "codex", until: START }],
    slots: { used: 1, there: 4 },
    version: VERSION,
  }, form);
}

async function promtool(text: string): Promise<{ code: number; said: string }> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

test("promtool has nothing to say against the metrics", INSTALLED, async () => {
  assertEquals(await promtool(metricsText("prometheus")), { code: 0, said: "" });
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await box.ok("run", "--wait");
  await box.settled(id);
  assertEquals(await promtool(await box.ok("stats", "--prometheus")), { code: 0, said: "" });
});

test("promtool reads the newer form, and only misses the counters' help", INSTALLED, async () => {
  const { said } = await promtool(metricsText("openmetrics"));
  assertEquals(said.split("\n").filter((line) => !/^$|_total no help text$/.test(line)), []);
});

interface Answer {
  status: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

test("a real Prometheus scrapes the metrics and answers queries", INSTALLED, async () => {
  const text = metricsText("openmetrics");
  const scraped = Promise.withResolvers<string>();
  let scrapes = 0;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      // The first answer is stored when it asks again.
      if (++scrapes === 2) scraped.resolve(request.headers.get("accept") ?? "");
      return new Response(text, { headers: { "content-type": METRICS_TYPE } });
    },
  );
  const dir = await Deno.makeTempDir({ prefix: "orchestra-prometheus-test-" });
  const port = freePort();
  await Deno.writeTextFile(
    `${dir}/prometheus.yml`,
    JSON.stringify({
      global: { scrape_interval: "1s", scrape_timeout: "1s" },
      scrape_configs: [{
        job_name: "orchestra",
        static_configs: [{ targets: [`127.0.0.1:${server.addr.port}`] }],
      }],
    }),
  );
  const prometheus = new Deno.Command("prometheus", {
    args: [
      `--config.file=${dir}/prometheus.yml`,
      `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const late = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error("it was not scraped")), PATIENCE);
      scraped.promise.finally(() => clearTimeout(timer));
    });
    assertEquals((await Promise.race([scraped.promise, late])).includes("openmetrics"), true);
    const ask = async (query: string): Promise<[Record<string, string>, number][]> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
      const answer = await (await fetch(url)).json() as Answer;
      assertEquals(answer.status, "success", query);
      return answer.data.result.map(({ metric, value }) => [metric, Number(value[1])]);
    };
    assertEquals((await ask("up"))[0]![1], 1);
    const value = async (query: string) => (await ask(query))[0]?.[1];
    const line = (series: string) =>
      Number(text.split("\n").find((one) => one.startsWith(`${series} `))!.split(" ").at(-1));
    const queued = 'orchestra_task_transitions_total{to="queued",agent="claude",class=""}';
    assertEquals(await value(queued), line(queued));
    assertEquals(await value('orchestra_slots{state="there"}'), 4);
    assertEquals(await value("orchestra_build_info"), 1);
    assertEquals((await ask('orchestra_lane_paused{agent="a\\"b\\\\c"}')).length, 1);
    // Of each series of the text there is one, and no other.
    const count = text.split("\n").filter((one) => one !== "" && !one.startsWith("#")).length;
    assertEquals(await value('count({__name__=~"orchestra_.*"})'), count);
    const half = await value(
      "histogram_quantile(0.5, sum by (le) (orchestra_task_run_seconds_bucket))",
    );
    assertEquals(half! > 60 && half! < 300, true, `${half}`);
    const meta = await (await fetch(`http://127.0.0.1:${port}/api/v1/metadata`)).json();
    assertEquals(meta.data["orchestra_tokens"]?.[0]?.type, "counter");
    assertEquals(meta.data["orchestra_task_wait_seconds"]?.[0]?.unit, "seconds");
  } finally {
    prometheus.kill("SIGTERM");
    await prometheus.status;
    await Deno.remove(dir, { recursive: true });
  }
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
