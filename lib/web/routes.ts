// The one table of what can be asked of the server. From it follow the dispatch, the OpenAPI document, the
// table in docs/api.md, and the tests of who is let in. A handler gets what was checked before: who asks
// may ask, and a name in the path is text.

import { nameTasks } from "../decide/names.ts";
import { askVersion } from "../launch/ask_version.ts";
import { METRICS_TYPE } from "../metrics/openmetrics.ts";
import { countMetrics, countStats, parseWay } from "../metrics/report.ts";
import { add } from "../queue/add.ts";
import { resolveEach, resolveTask } from "../queue/names.ts";
import { noTask, type Queue } from "../queue/queue.ts";
import { loadAgents, loadAllAgents } from "../settings/agents.ts";
import { loadConfig } from "../settings/config.ts";
import { readEvents } from "../store/events.ts";
import { type Cursor, formatCursor, parseCursor } from "../store/history_files.ts";
import { describeWatcher, ensureSupervisor, isWatched } from "../supervise/watcher.ts";
import { pickAgent } from "../task/agent.ts";
import { parseDuration } from "../task/duration.ts";
import { OrchestraError } from "../task/error.ts";
import type { StoredEvent } from "../task/event.ts";
import { formatTime, parseTime, type Task } from "../task/fields.ts";
import { VERSION } from "../task/version.ts";
import { act, wireActions, wireOutcome } from "./actions.ts";
import { HttpError, json, readBody, respond } from "./answer.ts";
import { baseOf, cookieName, type Session } from "./auth.ts";
import { checkFilter, FILTER_STATUSES, isFiltering, parseFilter } from "./filter.ts";
import type { FollowedLog, Hub } from "./live.ts";
import { answerLog, logSize, readPlan } from "./logs.ts";
import { listOf, ref, type Schema } from "./schemas.ts";
import type { Lease, Live, Served } from "./served.ts";
import { createTimeline } from "./timeline.ts";
import {
  API,
  type WireAgent,
  type WireDetail,
  type WireFilter,
  type WireOrder,
  type WirePlace,
  type WireServer,
  type WireTasks,
  type WireWorkspace,
} from "./wire.ts";
import {
  countTasks,
  detailOf,
  graphOf,
  listRows,
  type Moment,
  namesAmong,
  pickTasks,
  wireLanes,
  wireOptions,
  wireRow,
} from "./wire_of.ts";

/** What the handlers work with. */
export interface Site {
  readonly served: Served;
  readonly hub: Hub;
  readonly readOnly: boolean;
  readonly everywhere: boolean;
  readonly port: number;
  /** Module to start for work in the background. */
  readonly program: string;
  /** What a browser is known by that had the token. */
  readonly session: Session;
  /** The OpenAPI document. */
  describe(): Record<string, unknown>;
  /** Whether a token is the server's, or one that was given out for one use. */
  takesToken(token: string): boolean;
}

/** One request. */
export interface Call {
  readonly site: Site;
  readonly request: Request;
  /** Names in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Settled when the answer has been sent, or whoever asked has gone. */
  readonly completed: Promise<void>;
}

/** One thing that can be asked for. */
export interface Route {
  readonly method: "GET" | "POST";
  /** Below the API: `/workspaces/{workspace}/tasks`. */
  readonly path: string;
  readonly brief: string;
  /** Whether it changes something. */
  readonly changes: boolean;
  /** Whether it is for who has the token; unless told not to. */
  readonly token?: false;
  /** What may stand behind `?`, by name. */
  readonly query?: Readonly<Record<string, QueryPart>>;
  /** Schema of the body; none where absent. */
  readonly body?: Schema;
  readonly answer: Answer;
  handle(call: Call): Promise<Response> | Response;
}

/** A parameter behind `?`. */
export interface QueryPart {
  readonly about: string;
  readonly schema: Schema;
  /** Whether it may be given more than once. */
  readonly several?: boolean;
}

/** What comes back where all is well. */
export interface Answer {
  /** 200 where absent. */
  readonly status?: number;
  /** `application/json` where absent. */
  readonly type?: string;
  readonly schema: Schema;
}

const W = "/workspaces/{workspace}";
/** It stands beside the API, where Prometheus looks for it. */
export const METRICS = "/metrics";

/** Rows of a list, where no number is given, and at most. */
const LISTED = 300;
const MOST_LISTED = 10_000;

const TEXT: Schema = { type: "string" };
const texts = (about: string): QueryPart => ({ about, schema: TEXT, several: true });
const text = (about: string): QueryPart => ({ about, schema: TEXT });
const count = (about: string): QueryPart => ({ about, schema: { type: "integer", minimum: 0 } });

/** Filters, as in an address of the page. */
const FILTERS = {
  status: {
    about:
      "phase; `pending` for ready, waiting and blocked; `needed` for what goes on only if a person acts",
    schema: { enum: [...FILTER_STATUSES] },
    several: true,
  },
  agent: texts("agent"),
  label: texts("`name:value`, or a name alone"),
  q: text("text in prompt, id, key or labels"),
};

/** All of them. */
export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/",
    brief: "About the server",
    changes: false,
    answer: { schema: ref("Server") },
    handle: ({ site }) => json(aboutServer(site)),
  },
  {
    method: "GET",
    path: "/openapi.json",
    brief: "This API, as an OpenAPI document",
    changes: false,
    answer: { schema: { type: "object" } },
    handle: ({ site }) => json(site.describe()),
  },
  {
    method: "POST",
    path: "/session",
    brief: "Exchange the token for a cookie, and the path below which it counts",
    changes: true,
    token: false,
    body: ref("Session"),
    answer: { schema: ref("Place") },
    handle: openSession,
  },
  {
    method: "GET",
    path: "/workspaces",
    brief: "All workspaces at a glance",
    changes: false,
    answer: { schema: listOf("Workspace") },
    handle: async ({ site }) => json(await overview(site.served)),
  },
  {
    method: "GET",
    path: "/events",
    brief: "What happens in all workspaces, as server-sent events",
    changes: false,
    query: {
      log: text("`WORKSPACE/TASK`: also tell how that log grows; 404 where there is no such task"),
      since: text("id of the last event that was read, as in `Last-Event-ID`"),
    },
    answer: { type: "text/event-stream", schema: TEXT },
    handle: listen,
  },
  {
    method: "GET",
    path: `${W}/tasks`,
    brief: "List tasks",
    changes: false,
    query: {
      ...FILTERS,
      limit: count(`at most so many (${LISTED})`),
      ended: count("at most so many of those that have ended"),
    },
    answer: { schema: ref("Tasks") },
    handle: inWorkspace(listTasks),
  },
  {
    method: "POST",
    path: `${W}/tasks`,
    brief: "Queue a task",
    changes: true,
    body: ref("NewTask"),
    answer: { status: 201, schema: ref("Row") },
    handle: inWorkspace(startTask),
  },
  {
    method: "GET",
    path: `${W}/tasks/{task}`,
    brief: "A task with its chain of attempts and its dependencies",
    changes: false,
    answer: { schema: ref("Detail") },
    handle: inWorkspace(showTask),
  },
  {
    method: "GET",
    path: `${W}/tasks/{task}/log`,
    brief: "A task's log, or a `Range` of it: at most 4 MB at once",
    changes: false,
    answer: { type: "text/plain", schema: TEXT },
    handle: inWorkspace(({ queue }, { request, params }) =>
      answerLog(queue.store, findTask(queue, params.task!), request.headers.get("range"))
    ),
  },
  {
    method: "GET",
    path: `${W}/tasks/{task}/diff`,
    brief: "What a task changed on its branch; 409 where it has none",
    changes: false,
    query: {
      path: text("only this file, however large: at most 2 MB of it"),
      against: text(
        "since the branch parted from this ref; since the task's own base where absent",
      ),
    },
    answer: { schema: ref("Diff") },
    handle: inWorkspace(showDiff),
  },
  {
    method: "GET",
    path: `${W}/graph`,
    brief: "Who depends on whom",
    changes: false,
    answer: { schema: ref("Graph") },
    handle: inWorkspace(async (live) => json(graphOf(await live.moment()))),
  },
  {
    method: "GET",
    path: `${W}/timeline`,
    brief: "Who ran when, and when agents were paused",
    changes: false,
    query: { since: text("`24h`, or an ISO 8601 time (24h)") },
    answer: { schema: ref("Timeline") },
    handle: inWorkspace(showTimeline),
  },
  {
    method: "GET",
    path: `${W}/stats`,
    brief: "Statistics, as `stats --json` prints them",
    changes: false,
    query: {
      since: text("`7d`, or an ISO 8601 time; all where absent"),
      by: text("part it by `agent`, `class`, `day`, `hour` or `label:NAME`"),
    },
    answer: { schema: ref("Stats") },
    handle: inWorkspace(showStats),
  },
  {
    method: "GET",
    path: `${W}/agents`,
    brief: "The agents, without the values of their environment",
    changes: false,
    answer: { schema: listOf("Agent") },
    handle: inWorkspace(listAgents),
  },
  {
    method: "POST",
    path: `${W}/agents/{agent}/check`,
    brief: "Launch an agent with the arguments that print its version",
    changes: true,
    body: { type: "object" },
    answer: { schema: ref("Version") },
    handle: inWorkspace(checkAgent),
  },
  {
    method: "GET",
    path: `${W}/options`,
    brief: "What a new task can be given",
    changes: false,
    answer: { schema: listOf("Option") },
    handle: inWorkspace(() => json(wireOptions())),
  },
  {
    method: "GET",
    path: `${W}/actions`,
    brief: "What can be done to tasks",
    changes: false,
    answer: { schema: listOf("Action") },
    handle: inWorkspace(() => json(wireActions())),
  },
  {
    method: "POST",
    path: `${W}/actions/{action}`,
    brief: "Do something to tasks that are named, or to all that pass filters",
    changes: true,
    body: ref("Order"),
    answer: { schema: ref("Outcome") },
    handle: inWorkspace(runAction),
  },
  {
    method: "POST",
    path: `${W}/run`,
    brief: "Launch all that is ready: leaves a supervisor that goes on with it",
    changes: true,
    body: ref("RunOrder"),
    answer: { schema: ref("Run") },
    handle: inWorkspace(runAll),
  },
  {
    method: "GET",
    path: `${W}/history`,
    brief: "What happened, oldest first, at most 10,000 events at once",
    changes: false,
    query: { since: text("cursor of an event, which is left out; all where absent") },
    answer: { schema: listOf("StoredEvent") },
    handle: inWorkspace(tellHistory),
  },
  {
    method: "GET",
    path: METRICS,
    brief: "Metrics, as OpenMetrics 1.0",
    changes: false,
    query: { workspace: text("which; needed where several are served") },
    answer: { type: METRICS_TYPE, schema: TEXT },
    handle: showMetrics,
  },
];

/** Path of a route from the root of the server. */
export function pathOf({ path }: Pick<Route, "path">): string {
  return path === METRICS ? path : path === "/" ? API : API + path;
}

// ---------------------------------------------------------------------------------------------
// Dispatch

/** A route and the names in the path, or the methods that a path has; undefined for no such path. */
export type Found =
  | { readonly route: Route; readonly params: Record<string, string> }
  | { readonly allow: string[] };

const PATTERNS = ROUTES.map((route) => ({ route, parts: pathOf(route).split("/") }));

/** Whether a path is one of the API; others are of the page. */
export function isOfApi(path: string): boolean {
  return path === API || path.startsWith(`${API}/`) || path === METRICS;
}

/**
 * Refuses what is asked for behind `?` and means nothing: a filter that is misspelt must not show everything.
 *
 * @throws OrchestraError `usage`
 */
export function checkQuery({ query = {} }: Route, given: URLSearchParams): void {
  const unknown = [...given.keys()].find((name) => !Object.hasOwn(query, name));
  if (unknown === undefined) return;
  throw new OrchestraError("usage", `${JSON.stringify(unknown)} behind "?" means nothing here`, {
    hint: `There are: ${Object.keys(query).join(", ") || "none"}`,
  });
}

/** The route of a path as it was asked for. */
export function findRoute(method: string, path: string): Found | undefined {
  const parts = (path === `${API}/` ? API : path).split("/");
  const allow: string[] = [];
  for (const { route, parts: pattern } of PATTERNS) {
    const params = matchParts(pattern, parts);
    if (params === undefined) continue;
    if (route.method === method) return { route, params };
    allow.push(route.method);
  }
  return allow.length > 0 ? { allow } : undefined;
}

function matchParts(
  pattern: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, wanted] of pattern.entries()) {
    const given = parts[at]!;
    if (!wanted.startsWith("{")) {
      if (wanted !== given) return undefined;
      continue;
    }
    try {
      params[wanted.slice(1, -1)] = decodeURIComponent(given);
    } catch {
      return undefined;
    }
  }
  return params;
}

/** A handler that needs the workspace of the path, which is in memory meanwhile. */
function inWorkspace(
  handle: (live: Live, call: Call) => Promise<Response> | Response,
): Route["handle"] {
  return async (call) => {
    using lease = await call.site.served.lease(call.params.workspace!);
    return await handle(lease.live, call);
  };
}

// ---------------------------------------------------------------------------------------------
// The server

function aboutServer({ readOnly, everywhere, served }: Site): WireServer {
  const workspaces = served.list().map(({ name }) => name);
  return { version: VERSION, readOnly, everywhere, workspaces };
}

async function openSession({ site, request }: Call): Promise<Response> {
  // Who asks may be anybody.
  const { token } = await readBody(request, { bytes: 4096 });
  if (typeof token !== "string" || !site.takesToken(token)) {
    throw new HttpError(401, "unauthorized", "That is not the token of this server");
  }
  const { secret, place } = site.session;
  const answer: WirePlace = { base: baseOf(place) };
  const name = cookieName(site.port);
  const cookie = `${name}=${secret}; Path=${answer.base}/; HttpOnly; SameSite=Strict`;
  return json(answer, 200, { "set-cookie": cookie });
}

/** All workspaces at a glance; what is wrong with one leaves the others alone. */
export async function overview(served: Served): Promise<WireWorkspace[]> {
  const found: WireWorkspace[] = [];
  for (const { name, root } of served.list()) {
    let lease: Lease | undefined;
    try {
      lease = await served.lease(name);
      found.push(glance(lease.live, root, await lease.live.moment()));
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const nothing = { counts: { total: 0 }, lanes: [], supervisor: null, damaged: [] };
      found.push({ name, root, ...nothing, problem });
    } finally {
      lease?.[Symbol.dispose]();
    }
  }
  return found;
}

function glance({ name, queue, mirror }: Live, root: string, moment: Moment): WireWorkspace {
  const tasks = moment.index.byId;
  return {
    name,
    root,
    counts: countTasks(tasks.values(), moment),
    lanes: wireLanes(moment),
    supervisor: describeWatcher(queue.store, tasks.values()),
    damaged: [...mirror.damaged.values()].map(({ file, problem }) => ({
      name: file,
      reason: problem,
    })),
    problem: null,
  };
}

async function listen({ site, request, query, completed }: Call): Promise<Response> {
  const log = query.get("log");
  return await site.hub.listen({
    since: request.headers.get("last-event-id") ?? query.get("since") ?? undefined,
    log: log === null || log === "" ? undefined : await findLog(site.served, log),
    gone: completed,
  });
}

/** The log that `WORKSPACE/TASK` names. */
async function findLog(served: Served, name: string): Promise<FollowedLog> {
  const at = name.indexOf("/");
  if (at <= 0 || at === name.length - 1) {
    throw new OrchestraError("usage", `log=${JSON.stringify(name)} names no log`, {
      hint: "Write it as WORKSPACE/TASK.",
    });
  }
  const workspace = name.slice(0, at);
  using lease = await served.lease(workspace);
  return { workspace, task: findTask(lease.live.queue, name.slice(at + 1)).taskId };
}

// ---------------------------------------------------------------------------------------------
// Tasks

async function listTasks(live: Live, { query }: Call): Promise<Response> {
  const limit = readCount(query, "limit", LISTED, MOST_LISTED);
  const ended = readCount(query, "ended", MOST_LISTED, MOST_LISTED);
  const moment = await live.moment();
  const answer: WireTasks = {
    ...listRows(checkFilter(parseFilter(query)), moment, { limit, ended }),
    lanes: wireLanes(moment),
    supervisor: describeWatcher(live.queue.store, moment.index.byId.values()),
    cursor: formatCursor(live.cursor),
  };
  return json(answer);
}

function readCount(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), most);
  throw new OrchestraError("usage", `${name}=${JSON.stringify(text)} is no number`, {
    hint: `Give a whole number from 0 to ${most}.`,
  });
}

async function startTask(live: Live, { request }: Call): Promise<Response> {
  const [task] = await add(live.queue, [await readBody(request)]);
  live.look([task!.taskId]);
  return json(await rowOf(live, task!), 201);
}

async function rowOf(live: Live, task: Task) {
  const moment = await live.moment();
  return wireRow(task, moment, namesAmong(moment.index, [task.taskId]));
}

/** The task that a name means, archived or not. */
function findTask({ store }: Queue, name: string): Task {
  const id = resolveTask(store, name, "anywhere");
  const task = store.read(id) ?? store.readArchived(id);
  if (task === undefined) throw noTask(store, id);
  return task;
}

async function showTask(live: Live, { params }: Call): Promise<Response> {
  const { store } = live.queue;
  const task = findTask(live.queue, params.task!);
  live.look([task.taskId]);
  const moment = await live.moment();
  const found = moment.index.byId.get(task.taskId);
  const detail: WireDetail = {
    ...detailOf(found ?? task, moment),
    plan: readPlan(store, task),
    logSize: logSize(store, task),
    logFormat: await formatOf(live.queue, task),
    archived: found === undefined,
  };
  return json(detail);
}

/** Whose events a task's log has; null for text, and where nobody says. */
async function formatOf({ store }: Queue, { agent }: Task): Promise<string | null> {
  try {
    const found = pickAgent(await loadAgents(store), agent);
    return "problem" in found ? null : found.usage ?? null;
  } catch {
    // Definitions that cannot be read say nothing; the task is shown all the same.
    return null;
  }
}

async function runAction(live: Live, { params, request }: Call): Promise<Response> {
  const { tasks, filter, options } = readOrder(await readBody(request));
  const moment = await live.moment();
  const done = await act(
    live,
    params.action!,
    options,
    (phases) =>
      tasks !== undefined ? resolveEach(live.queue.store, tasks, "anywhere") : {
        ids: pickTasks(filter!, moment)
          .filter((task) => phases.includes(moment.phase(task).kind))
          .map(({ taskId }) => taskId),
        refused: [],
      },
  );
  live.look(
    done.flatMap(({ taskId, becomes }) => becomes === undefined ? taskId : [taskId, becomes]),
  );
  const after = await live.moment();
  const { byId } = after.index;
  const shown = done.map(({ taskId, becomes }) => becomes ?? taskId);
  const names = namesAmong(after.index, shown);
  return json(wireOutcome(done, (id) => {
    const task = byId.get(id);
    return task === undefined ? null : wireRow(task, after, names);
  }));
}

/** Which tasks are meant: those that are named, or all that pass; not all because nothing was said. */
function readOrder(body: Record<string, unknown>): WireOrder {
  checkKeys(body, ["tasks", "filter", "options"]);
  const { tasks, filter, options } = body;
  if ((tasks === undefined) === (filter === undefined)) {
    throw new OrchestraError("usage", 'An order names "tasks", or has a "filter"');
  }
  if (tasks !== undefined) {
    if (!Array.isArray(tasks) || !tasks.every((name) => typeof name === "string")) {
      throw new OrchestraError("usage", '"tasks" must be a list of texts');
    }
    return { tasks, options: options as WireOrder["options"] };
  }
  return { filter: readFilter(filter), options: options as WireOrder["options"] };
}

function readFilter(value: unknown): WireFilter {
  const wrong = new OrchestraError(
    "usage",
    '"filter" must be an object: status, agent and label are lists of texts, q is a text',
  );
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong;
  const query = new URLSearchParams();
  for (const [name, given] of Object.entries(value)) {
    if (!["status", "agent", "label", "q"].includes(name)) throw wrong;
    const texts = name === "q" ? [given] : given;
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === "string")) throw wrong;
    for (const text of texts) query.append(name, text);
  }
  const filter = checkFilter(parseFilter(query));
  // What was meant as a filter and says nothing must not mean everything.
  if (Object.keys(value).length > 0 && !isFiltering(filter)) throw wrong;
  return filter;
}

async function showDiff({ queue }: Live, { params, query }: Call): Promise<Response> {
  const { diffOf } = await import("./diff.ts");
  const path = query.get("path") || undefined;
  const against = query.get("against") || undefined;
  return json(await diffOf(queue.store, findTask(queue, params.task!), { path, against }));
}

/** A time, or how long ago it was; milliseconds since the epoch. */
function readSince(query: URLSearchParams, now: number): number | undefined {
  const text = query.get("since");
  if (text === null || text === "") return undefined;
  const ago = parseDuration(text);
  const time = ago === undefined || /^\d{4}$/.test(text) ? parseTime(text) : now - ago * 1000;
  if (time !== null) return time;
  throw new OrchestraError(
    "usage",
    `since=${JSON.stringify(text)} is neither a duration nor a time`,
    { hint: "Write it as 30m, 2h or 7d, or as 2026-01-31T12:00." },
  );
}

const DAY = 86_400_000;

async function showTimeline(live: Live, { query }: Call): Promise<Response> {
  const { store, now: clock } = live.queue;
  const now = clock();
  const from = readSince(query, now) ?? now - DAY;
  const timeline = createTimeline(from, now);
  // A pause that began before may go on.
  for await (const event of readEvents(store, { since: from - DAY })) timeline.add(event);
  const { byId } = (await live.moment()).index;
  const names = nameTasks([...byId.values()]);
  return json(timeline.result([...live.mirror.running.values()], byId, names));
}

async function showStats(live: Live, { query }: Call): Promise<Response> {
  const { queue } = live;
  const way = query.get("by");
  const by = way === null || way === "" ? undefined : parseWay(way);
  const since = readSince(query, queue.now());
  const { index } = await live.moment();
  const { config } = await loadConfig(queue.store);
  return json((await countStats(queue, [...index.byId.values()], config, { since, by })).stats);
}

async function showMetrics({ site, query }: Call): Promise<Response> {
  const names = site.served.list().map(({ name }) => name);
  const name = query.get("workspace") ?? (names.length === 1 ? names[0]! : undefined);
  if (name === undefined) {
    throw new OrchestraError(
      "usage",
      `Metrics are of one workspace, and ${names.length} are served`,
      {
        hint: "Name one: /metrics?workspace=NAME",
      },
    );
  }
  using lease = await site.served.lease(name);
  const { queue } = lease.live;
  const { index } = await lease.live.moment();
  const { config } = await loadConfig(queue.store);
  const tasks = [...index.byId.values()];
  return respond(await countMetrics(queue, tasks, index, config, "openmetrics"), METRICS_TYPE);
}

async function listAgents(live: Live): Promise<Response> {
  const { agents, origins } = await loadAllAgents(live.queue.store);
  const { lanes } = await live.moment();
  const running = [...live.mirror.running.values()];
  return json([...agents].map(([name, found]): WireAgent => {
    const isBroken = "problem" in found;
    const until = lanes.get(name)?.until;
    return {
      name,
      problem: isBroken ? found.problem : null,
      // Values of variables may be secrets.
      definition: isBroken ? {} : { ...found, env: Object.keys(found.env ?? {}) },
      running: running.filter(({ agent }) => agent === name).length,
      maxConcurrent: isBroken ? null : found.maxConcurrent ?? null,
      pausedUntil: until === undefined ? null : formatTime(until),
      source: origins.get(name) ?? "workspace",
    };
  }));
}

async function checkAgent({ queue }: Live, { params, request }: Call): Promise<Response> {
  checkKeys(await readBody(request), []);
  const { agent: _, ...version } = await askVersion(queue.store, params.agent!);
  return json(version);
}

/** As of the command line. */
const MOST_PARALLEL = 1000;

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

async function runAll({ queue }: Live, { site, request }: Call): Promise<Response> {
  const body = await readBody(request);
  checkKeys(body, ["parallel"]);
  const { parallel } = body;
  if (parallel !== undefined && !isCount(parallel, MOST_PARALLEL)) {
    throw new OrchestraError(
      "usage",
      `"parallel" must be a whole number from 1 to ${MOST_PARALLEL}`,
    );
  }
  const { store } = queue;
  const { config } = await loadConfig(store);
  if (!config.supervise && !isWatched(store)) {
    throw new OrchestraError(
      "state",
      'Nobody may be left to watch: the setting "supervise" is off',
      {
        hint: "Watch it yourself with: orchestra run --all --wait",
      },
    );
  }
  ensureSupervisor(store, site.program, {
    launch: "all",
    parallel: parallel as number | undefined,
  });
  return json({ supervisor: describeWatcher(store, []) });
}

function checkKeys(body: Record<string, unknown>, known: readonly string[]): void {
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new OrchestraError(
    "usage",
    `The body has ${JSON.stringify(unknown)}, which means nothing`,
    {
      hint: `There are: ${known.join(", ") || "none"}`,
    },
  );
}

/** Events of one answer. */
const MOST_EVENTS = 10_000;

async function tellHistory({ queue: { store } }: Live, { query }: Call): Promise<Response> {
  const since = query.get("since");
  let from: Cursor | undefined;
  if (since !== null && since !== "") {
    from = parseCursor(since);
    if (from === undefined) {
      throw new OrchestraError("usage", `since=${JSON.stringify(since)} is no cursor`, {
        hint: "Give the cursor of an event, or leave it out for all that there is.",
      });
    }
  }
  const events: StoredEvent[] = [];
  for await (const event of readEvents(store, { from })) {
    events.push(event);
    if (events.length === MOST_EVENTS) break;
  }
  return json(events);
}
