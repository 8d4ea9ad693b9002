// What the API answers: each answer fits the schema that the OpenAPI document has for it, and does what the
// verbs of the queue do.

import { openApi } from "../../lib/web/openapi.ts";
import { ROUTES } from "../../lib/web/routes.ts";
import { SCHEMAS } from "../../lib/web/schemas.ts";
import type { WireOutcome, WireTasks } from "../../lib/web/wire.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
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
    // Streams, and what would start a program in the background, have tests of their own.
    if (type !== "application/json" || path.endsWith("/run")) continue;
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
  assertEquals((await here.get(`/workspaces/box/tasks/${waits}`)).needs.length, 1);
  const graph = await here.get("/workspaces/box/graph");
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

  const [extended] = await act(here, "extend", { tasks: [one], options: { time: "5m" } });
  assertEquals([extended!.ok, extended!.task!.timeout], [true, 300]);
  assertEquals(box.task(one).timeout, 300);

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
  const response = await here.ask("/workspaces/box/run", {
    method: "POST",
    headers: { ...BEARER, ...JSON_TYPE },
    body: '{"parallel":0}',
  });
  await response.body?.cancel();
  assertEquals(response.status, 400);
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
