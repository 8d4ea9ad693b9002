// What the API answers: each answer fits the schema that the OpenAPI document has for it, and does what the
// verbs of the queue do.

import { FILTER_STATUSES } from "../../lib/web/filter.ts";
import { MOST_PLAN } from "../../lib/web/logs.ts";
import { openApi } from "../../lib/web/openapi.ts";
import { ROUTES } from "../../lib/web/routes.ts";
import { SCHEMAS } from "../../lib/web/schemas.ts";
import type { WireOutcome, WireRow, WireTasks, WireTimeline } from "../../lib/web/wire.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ON_LINUX, test } from "../support/needs.ts";
import { type Box, makeBox } from "../support/program.ts";
import { assertFits, compileSchema } from "./fits.ts";
import { BEARER, type Here, JSON_TYPE, serveHere, TOKEN } from "./server.ts";

/** A workspace where there is something of everything. */
async function makeBusyBox(): Promise<Box> {
  const box = await makeBox();
  box.agents({
    secretive: { command: "true", args: [], env: { KEY: "hush" } },
    broken: { args: 7 },
  });
  const done = await box.start("shell", "echo out", "--key", "first", "--label", "area=docs");
  await box.ok("run", "--all", "--wait");
  await box.settled(done);
  const failed = await box.start("shell", "exit 3");
  await box.run("run", "--all", "--wait");
  await box.settled(failed);
  await box.ok("retry", failed);
  await box.start("shell", "true", "--depends-on", failed, "--timeout", "1h");
  await box.start("shell", "true", "--depends-on", "first");
  return box;
}

Deno.test("every answer fits the schema that the document has for it", async () => {
  await using box = await makeBusyBox();
  await using here = await serveHere([{ name: "box", root: box.root }], { program: "" });
  const bodies: Readonly<Record<string, unknown>> = {
    "/session": { token: TOKEN },
    "/workspaces/{workspace}/tasks": { agent: "shell", prompt: "true", priority: 7, timeout: "5m" },
    "/workspaces/{workspace}/actions/{action}": { filter: { status: ["failed"] } },
    "/workspaces/{workspace}/agents/{agent}/check": {},
  };
  const seen: string[] = [];
  for (const route of ROUTES) {
    const { answer: { type = "application/json", status = 200, schema }, method, path } = route;
    // Streams, what would start a program in the background, and what is asked of git have tests of their own.
    if (type !== "application/json" || /\/(?:run|diff)$/.test(path)) continue;
    const given = path.replace("{workspace}", "box").replace("{agent}", "shell")
      .replace("{action}", "archive");
    for (const task of path.includes("{task}") ? box.tasks().map(({ taskId }) => taskId) : [""]) {
      const init = method === "GET" ? { headers: BEARER } : {
        method,
        headers: { ...BEARER, ...JSON_TYPE },
        body: JSON.stringify(bodies[path]),
      };
      const response = await here.ask(given.replace("{task}", task), init);
      const text = await response.text();
      assertEquals(response.status, status, `${method} ${path}: ${text}`);
      assertFits(JSON.parse(text), schema, `${method} ${path}`);
      seen.push(path);
    }
  }
  assert(seen.length > 15, String(seen));
  const refused = await here.ask("/workspaces/nobody/tasks");
  assertFits(await refused.json(), SCHEMAS.Error, "an error");
});

Deno.test("the document names every route once, and all that it refers to is there", () => {
  const document = openApi(ROUTES);
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert(name! in SCHEMAS, name);
  }
  const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
  assertEquals(new Set(ids).size, ROUTES.length);
  assertEquals(ids.length, ROUTES.length);
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    compileSchema(schema);
    assert(text.includes(`"#/components/schemas/${name}"`) || name.endsWith("Event"), name);
  }
});

Deno.test("lists are filtered, cut and counted", async () => {
  await using box = await makeBusyBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const list = (query: string): Promise<WireTasks> => here.get(`/workspaces/box/tasks?${query}`);
  const all = await list("");
  assertEquals(all.counts.total, 5);
  assertEquals(all.tasks.map(({ status }) => status), [
    "pending",
    "pending",
    "pending",
    "failed",
    "complete",
  ]);
  assertEquals((await list("status=failed")).tasks.length, 1);
  assertEquals((await list("status=failed")).counts.total, 5);
  assertEquals((await list("label=area:docs")).tasks.map(({ key }) => key), ["first"]);
  assertEquals((await list("q=ECHO")).tasks.length, 1);
  assertEquals((await list("agent=nobody")).tasks, []);
  const few = await list("limit=2");
  assertEquals([few.tasks.length, few.more], [2, 3]);
  const ended = await list("ended=1");
  assertEquals([ended.tasks.length, ended.more], [4, 1]);
  const wrong = await here.ask("/workspaces/box/tasks?limit=x");
  assertEquals(wrong.status, 400);
  await wrong.body?.cancel();
});

Deno.test("a task is told with its chain, what it needs and what needs it", async () => {
  await using box = await makeBusyBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const [done, failed, retried, waits] = box.tasks().map(({ taskId }) => taskId);
  const ids = (links: { taskId: string }[]) => links.map(({ taskId }) => taskId);
  const detail = await here.get(`/workspaces/box/tasks/${failed}`);
  assertEquals(ids(detail.chain), [failed, retried]);
  assertEquals(ids(detail.neededBy), [waits]);
  const first = await here.get("/workspaces/box/tasks/first");
  assertEquals([first.task.taskId, first.logSize, first.archived], [done, 4, false]);
  assertStringIncludes(first.plan, "echo out");
  assertEquals(first.neededBy[0].key, null);
  const waiting = await here.get(`/workspaces/box/tasks/${waits}`);
  assertEquals(ids(waiting.needs), [failed]);
  // It waits for the latest attempt.
  assertEquals(waiting.task.waitsFor, `waits for ${retried}`);
  assertEquals(ids(waiting.mentions), [retried]);
  const graph = await here.get("/workspaces/box/graph");
  assertEquals(graph.nodes.find(({ taskId }: WireRow) => taskId === done).key, "first");
  // What was retried stands in the graph as its latest attempt.
  assertEquals(graph.edges[0], [retried, waits]);
  const agents = JSON.stringify(await here.get("/workspaces/box/agents"));
  assertStringIncludes(agents, '"KEY"');
  assert(!agents.includes("hush"), agents);
});

/** Does something, and says what came of it. */
async function act(here: Here, action: string, order: unknown): Promise<WireOutcome["results"]> {
  return (await here.post(`/workspaces/box/actions/${action}`, order)).results;
}

Deno.test("each action does what its verb does, and says so task by task", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const queue = async (prompt: string, more = {}) =>
    (await here.post("/workspaces/box/tasks", { agent: "shell", prompt, ...more }))
      .taskId as string;
  const one = await queue("true");
  const two = await queue("true", { dependsOn: [one] });
  const three = await queue("exit 1");

  const four = await queue("true", { timeout: "1m" });
  const [extended] = await act(here, "extend", { tasks: [four], options: { time: "5m" } });
  assertEquals([extended!.ok, extended!.task!.timeout], [true, 360]);
  assertEquals(box.task(four).timeout, 360);
  // What may run for ever is not given a limit by asking for more time.
  const [endless] = await act(here, "extend", { tasks: [one], options: { time: "5m" } });
  assertEquals([endless!.ok, endless!.said], [false, `${one} has no limit: nothing to extend`]);
  assertEquals(box.task(one).timeout, null);
  await act(here, "remove", { tasks: [four] });
  await act(here, "cancel", { tasks: [four] });
  await act(here, "remove", { tasks: [four] });

  const cancelled = await act(here, "cancel", {
    tasks: [one],
    options: { reason: "no more", withDependents: true },
  });
  assertEquals(cancelled.map(({ taskId, ok }) => [taskId, ok]), [[one, true], [two, true]]);
  assertEquals(box.task(two).status, "cancelled");
  // Twice is said to be in vain, and so is what cannot be.
  assertEquals((await act(here, "cancel", { tasks: [one] })).map(({ ok }) => ok), [false]);
  const [late] = await act(here, "timeout", { tasks: [three] });
  assertEquals(late!.ok, false);
  assertStringIncludes(late!.said, "only running tasks can time out");

  const [retried] = await act(here, "retry", { tasks: [one], options: { maxRetries: 9 } });
  assertEquals([retried!.task!.status, retried!.task!.maxRetries], ["pending", 9]);
  assertEquals(box.task(one).retriedBy, retried!.task!.taskId);

  const mixed = await act(here, "remove", { tasks: [two, three] });
  assertEquals(mixed.map(({ taskId, ok }) => [taskId, ok]), [[two, true], [three, false]]);
  assertEquals(box.tasks().some(({ taskId }) => taskId === two), false);

  await act(here, "cancel", { filter: { status: ["pending"] } });
  const archived = await act(here, "archive", { filter: { status: ["cancelled"] } });
  assertEquals(archived.every(({ ok }) => ok), true, JSON.stringify(archived));
  assertEquals(box.tasks(), []);
  assertEquals((await here.get(`/workspaces/box/tasks/${three}`)).archived, true);
  const [restored] = await act(here, "restore", { tasks: [three] });
  assertEquals([restored!.ok, restored!.task!.taskId], [true, three]);
  assertEquals(box.task(three).status, "cancelled");
});

Deno.test("runs are called by their keys as long as their tasks are there", async () => {
  await using box = await makeBox();
  const first = await box.start("shell", "true", "--key", "first");
  await box.ok("run", "--all", "--wait");
  await box.settled(first);
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const keys = async () => {
    const { runs }: WireTimeline = await here.get("/workspaces/box/timeline");
    return runs.map(({ key }) => key);
  };
  assertEquals(await keys(), ["first"]);
  await act(here, "remove", { tasks: ["first"] });
  assertEquals(await keys(), [null]);
});

Deno.test("a name that means no task leaves the others alone, and so does one that is refused", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const id = await box.start("shell", "true", "--key", "tests", "--timeout", "1m");
  const gone = "task_1000000000";
  const order = (action: string, tasks: string[], options = {}) =>
    here.post(`/workspaces/box/actions/${action}`, { tasks, options }) as Promise<WireOutcome>;
  const said = ({ results }: WireOutcome) => results.map(({ taskId, ok }) => [taskId, ok]);
  const named = ["nobody", "tests", gone, "tests"];
  const expected = [[id, true], [gone, false], ["nobody", false]];
  const extended = await order("extend", named, { time: "1m" });
  assertEquals(said(extended), expected);
  assertEquals([extended.done, extended.refused], [1, 2]);
  assertEquals(extended.results[2]!.said, 'No task "nobody" in this workspace');
  assertEquals(said(await order("timeout", named)).map(([, ok]) => ok), [false, false, false]);
  assertEquals(said(await order("cancel", named)), expected);
  assertEquals(said(await order("archive", named)), expected);
  // Archived, it is found by its key.
  assertEquals(said(await order("restore", named)), expected);
  assertEquals(said(await order("remove", named)), expected);
  assertEquals(box.tasks(), []);
  assertEquals(said(await order("cancel", ["nobody"])), [["nobody", false]]);
});

Deno.test("each phase has as many tasks as it is counted, here and on the terminal", async () => {
  await using box = await makeBusyBox();
  const id = await box.start("shell", "exit 1");
  const due = { status: "failed", retryAt: new Date(Date.now() + 3_600_000).toISOString() };
  const task = { ...box.task(id), ...due, completedAt: new Date().toISOString() };
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify(task));
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const list = (query: string): Promise<WireTasks> => here.get(`/workspaces/box/tasks?${query}`);
  const { total, needed, ...counts } = (await list("")).counts;
  assertEquals([counts.failed, counts.retrying, needed], [1, 1, 0]);
  for (const [phase, count] of Object.entries({ ...counts, needed })) {
    assertEquals((await list(`status=${phase}`)).tasks.length, count, phase);
  }
  const told = JSON.parse(await box.ok("status", "--json", "--no-auto-retry")).counts;
  assertEquals(told.total, total);
  for (const [phase, count] of Object.entries(told.byPhase)) {
    assertEquals(counts[phase as keyof typeof counts] ?? 0, count, phase);
  }
});

Deno.test("a filter that means nothing is refused with those that there are", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const refused = async (path: string) => {
    const response = await here.ask(path);
    const { error } = await response.json();
    assertEquals([response.status, error.code], [400, "usage"], path);
    return `${error.message} ${error.hint}`;
  };
  assertStringIncludes(await refused("/workspaces/box/tasks?status=bogus"), "retrying, needed");
  assertStringIncludes(await refused("/workspaces/box/tasks?status=failed&status=x"), "running");
  assertStringIncludes(await refused("/workspaces/box/tasks?state=failed"), "status, agent, label");
  assertStringIncludes(await refused("/workspaces/box/graph?status=failed"), "none");
  assertStringIncludes(await refused("/workspaces/box/tasks/@last?x=1"), "none");
  assertStringIncludes(await refused("/workspaces/box/tasks?toString=x"), "status");
  for (const name of FILTER_STATUSES) await here.get(`/workspaces/box/tasks?status=${name}`);
});

Deno.test("a plan of any size is shown in part, and a bad one breaks neither task nor log", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const id = await box.start("shell", "echo out");
  await box.ok("run", "--all", "--wait");
  await box.settled(id);
  const plan = box.path(`plans/${id}_plan.md`);
  const shown = async () => {
    const log = await here.ask(`/workspaces/box/tasks/${id}/log`);
    assertEquals([log.status, await log.text()], [200, "out\n"]);
    const detail = await here.get(`/workspaces/box/tasks/${id}`);
    assertEquals(detail.logSize, 4);
    return detail.plan;
  };
  Deno.writeTextFileSync(plan, "x".repeat(MOST_PLAN));
  assertEquals(await shown(), "x".repeat(MOST_PLAN));
  // A letter of three bytes lies across the place where it is cut.
  Deno.writeTextFileSync(plan, "x".repeat(MOST_PLAN - 1) + "€".repeat(2_000_000));
  const cut = await shown();
  assertStringIncludes(cut, "x\n\n[Cut here: the plan has 6262143 bytes");
  assert(cut.length < MOST_PLAN + 200, String(cut.length));
  Deno.removeSync(plan);
  Deno.mkdirSync(plan);
  assertEquals(await shown(), null);
  const task = { ...box.task(id), planFile: "/etc/passwd" };
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), JSON.stringify(task));
  const foreign = await shown();
  assertStringIncludes(foreign, "[The plan cannot be read");
  assert(!foreign.includes("root:"), foreign);
});

Deno.test("a row tells what its phase does not: what is refused of it all the same", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const retried = await box.start("shell", "exit 1", "--max-retries", "1");
  await box.run("run", "--all", "--wait");
  await box.settled(retried);
  const rows = async () => {
    const { tasks } = await here.get("/workspaces/box/tasks") as WireTasks;
    return Object.fromEntries(tasks.map(({ taskId, refuses }) => [taskId, refuses]));
  };
  assertEquals(await rows(), { [retried]: {} });
  await act(here, "retry", { tasks: [retried] });
  const successor = box.task(retried).retriedBy!;
  const already = { retry: { why: `was retried already, by ${successor}` } };
  const unlimited = { extend: { why: "has no limit" } };
  assertEquals(await rows(), { [retried]: already, [successor]: unlimited });
  const { task } = await here.get(`/workspaces/box/tasks/${retried}`);
  assertEquals(task.refuses, already);
  await act(here, "cancel", { tasks: [successor] });
  const usedUp = { retry: { why: "has used up its retries (1 of 1)", unless: "maxRetries" } };
  assertEquals((await rows())[successor], usedUp);
  // What it says is what happens.
  for (const { ok, said } of await act(here, "retry", { tasks: [retried, successor] })) {
    assertEquals(ok, false, said);
  }
  const options = { maxRetries: 2 };
  const [again] = await act(here, "retry", { tasks: [successor], options });
  assert(again!.ok, again!.said);
  const limited = await box.start("shell", "true", "--timeout", "1h");
  assertEquals((await rows())[limited], {});
});

test("a history that somebody blew up keeps nobody waiting", ON_LINUX, async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  Deno.truncateSync(box.path("history.jsonl"), 6 * 1024 ** 3);
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const before = bytesRead();
  const [{ counts }] = await here.get("/workspaces");
  assertEquals(counts.total, 1);
  const since = encodeURIComponent("box=1.0");
  const stream = await here.ask(`/events?since=${since}`);
  await stream.body?.cancel();
  assertEquals((await here.get("/workspaces/box/tasks")).tasks[0].taskId, id);
  const read = bytesRead() - before;
  assert(read < 100e6, `${read} bytes were read`);
});

/** Bytes that this process has read so far. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(Deno.readTextFileSync("/proc/self/io"))![1]);
}

Deno.test("an order that is not clear does nothing", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const orders: [string, unknown][] = [
    ["cancel", {}],
    ["cancel", { tasks: [id], filter: {} }],
    ["cancel", { tasks: id }],
    ["cancel", { tasks: [7] }],
    ["cancel", { filter: { state: ["pending"] } }],
    ["cancel", { filter: { status: "pending" } }],
    ["cancel", { filter: { status: [""] } }],
    ["cancel", { filter: { status: ["bogus"] } }],
    ["cancel", { filter: { status: ["pending", "bogus"] } }],
    ["cancel", { tasks: [id], options: { raeson: "x" } }],
    ["cancel", { tasks: [id], options: { reason: 7 } }],
    ["cancel", { tasks: [id], options: [] }],
    ["cancel", { tasks: [id], all: true }],
    ["extend", { tasks: [id] }],
    ["extend", { tasks: [id], options: { time: "soon" } }],
    ["extend", { tasks: [id], options: { time: null } }],
    ["retry", { tasks: [id], options: { maxRetries: -1 } }],
    ["explode", { tasks: [id] }],
  ];
  for (const [action, order] of orders) {
    const response = await here.ask(`/workspaces/box/actions/${action}`, {
      method: "POST",
      headers: { ...BEARER, ...JSON_TYPE },
      body: JSON.stringify(order),
    });
    const said = await response.text();
    assert([400, 404].includes(response.status), `${action} ${JSON.stringify(order)}: ${said}`);
  }
  assertEquals([box.task(id).status, box.task(id).timeout], ["pending", null]);
});

Deno.test("a run leaves a supervisor, and what is started is done", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const program = new URL("../../main.ts", import.meta.url).href;
  await using here = await serveHere([{ name: "box", root: box.root }], { program });
  const { supervisor } = await here.post("/workspaces/box/run", { parallel: 2 });
  assertStringIncludes(supervisor, "supervisor");
  assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
  for (const body of ['{"parallel":0}', '{"parallel":1001}', '{"parallel":"2"}']) {
    const headers = { ...BEARER, ...JSON_TYPE };
    const response = await here.ask("/workspaces/box/run", { method: "POST", headers, body });
    assertStringIncludes(await response.text(), "a whole number from 1 to 1000");
    assertEquals(response.status, 400);
  }
});

Deno.test("what is wrong with one workspace leaves the others alone", async () => {
  await using box = await makeBox();
  await using here = await serveHere([
    { name: "box", root: box.root },
    { name: "gone", root: `${box.root}/nowhere` },
  ]);
  const [fine, gone] = await here.get("/workspaces");
  assertEquals([fine.problem, fine.counts.total], [null, 0]);
  assertStringIncludes(gone.problem, "No workspace in");
  const response = await here.ask("/workspaces/gone/tasks");
  assertEquals(response.status, 404);
  await response.body?.cancel();
});

Deno.test("a lock that somebody holds for ever keeps nobody from looking, nor from other workspaces", async () => {
  await using stuck = await makeBox();
  await using free = await makeBox();
  const id = await stuck.start("shell", "true");
  await using here = await serveHere([
    { name: "box", root: stuck.root },
    { name: "free", root: free.root },
  ]);
  using lock = Deno.openSync(stuck.path("lock"), { read: true, write: true });
  lock.lockSync(true);
  // What a killed process left there would be settled first.
  lock.writeSync(new TextEncoder().encode("#\n"));
  assertEquals((await here.get("/workspaces/box/tasks")).tasks[0].taskId, id);
  const init = {
    method: "POST",
    headers: { ...BEARER, ...JSON_TYPE },
    body: '{"agent":"shell","prompt":"true"}',
  };
  const refused = await here.ask("/workspaces/box/tasks", init);
  assertStringIncludes(await refused.text(), "does not let go");
  assertEquals(refused.status, 500);
  const made = await here.ask("/workspaces/free/tasks", init);
  await made.body?.cancel();
  assertEquals(made.status, 201);
});
