// The one table of what can be asked of the server. From it follow the dispatch, the OpenAPI document, the
// table in docs/api.md, and the tests of who is let in. A handler gets what was checked before: who asks
// may ask, and a name in the path is text.

import { add } from "../queue/add.ts";
import { resolveTask } from "../queue/names.ts";
import { noTask, type Queue } from "../queue/queue.ts";
import { readEvents } from "../store/events.ts";
import { type Cursor, formatCursor, parseCursor } from "../store/history_files.ts";
import { describeWatcher } from "../supervise/watcher.ts";
import { OrchestraError } from "../task/error.ts";
import type { StoredEvent } from "../task/event.ts";
import type { Task } from "../task/fields.ts";
import { loadAgents } from "../settings/agents.ts";
import { pickAgent } from "../task/agent.ts";
import { VERSION } from "../task/version.ts";
import { act, wireActions, wireOutcome } from "./actions.ts";
import { HttpError, json, readBody } from "./answer.ts";
import { cookieName, isSame } from "./auth.ts";
import { isFiltering, parseFilter } from "./filter.ts";
import type { Hub } from "./live.ts";
import { answerLog, logSize, readPlan } from "./logs.ts";
import type { Lease, Live, Served } from "./served.ts";
import {
  API,
  type WireDetail,
  type WireFilter,
  type WireOrder,
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
  /** What the cookie holds. */
  readonly session: string;
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
  handle(call: Call): Promise<Response> | Response;
}

const W = "/workspaces/{workspace}";

/** All of them. */
export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/",
    brief: "About the server",
    changes: false,
    handle: ({ site }) => json(aboutServer(site)),
  },
  {
    method: "POST",
    path: "/session",
    brief: "Exchange the token for a cookie",
    changes: true,
    token: false,
    handle: openSession,
  },
  {
    method: "GET",
    path: "/workspaces",
    brief: "All workspaces at a glance",
    changes: false,
    handle: async ({ site }) => json(await overview(site.served)),
  },
  {
    method: "GET",
    path: "/events",
    brief: "What happens, as server-sent events",
    changes: false,
    handle: listen,
  },
  {
    method: "GET",
    path: `${W}/tasks`,
    brief: "List tasks",
    changes: false,
    handle: inWorkspace(listTasks),
  },
  {
    method: "POST",
    path: `${W}/tasks`,
    brief: "Queue a task",
    changes: true,
    handle: inWorkspace(startTask),
  },
  {
    method: "GET",
    path: `${W}/tasks/{task}`,
    brief: "A task and its neighbours",
    changes: false,
    handle: inWorkspace(showTask),
  },
  {
    method: "GET",
    path: `${W}/tasks/{task}/log`,
    brief: "A task's log, or a range of it",
    changes: false,
    handle: inWorkspace(({ queue }, { request, params }) =>
      answerLog(queue.store, findTask(queue, params.task!), request.headers.get("range"))
    ),
  },
  {
    method: "GET",
    path: `${W}/graph`,
    brief: "Who depends on whom",
    changes: false,
    handle: inWorkspace(async (live) => json(graphOf(await live.moment()))),
  },
  {
    method: "GET",
    path: `${W}/options`,
    brief: "What a new task can be given",
    changes: false,
    handle: inWorkspace(() => json(wireOptions())),
  },
  {
    method: "GET",
    path: `${W}/actions`,
    brief: "What can be done to tasks",
    changes: false,
    handle: inWorkspace(() => json(wireActions())),
  },
  {
    method: "POST",
    path: `${W}/actions/{action}`,
    brief: "Do something to tasks",
    changes: true,
    handle: inWorkspace(runAction),
  },
  {
    method: "GET",
    path: `${W}/history`,
    brief: "What happened",
    changes: false,
    handle: inWorkspace(tellHistory),
  },
];

// ---------------------------------------------------------------------------------------------
// Dispatch

/** A route and the names in the path, or the methods that a path has; undefined for no such path. */
export type Found =
  | { readonly route: Route; readonly params: Record<string, string> }
  | { readonly allow: string[] };

const PATTERNS = ROUTES.map((route) => ({ route, parts: route.path.split("/").slice(1) }));

/**
 * The route of a path.
 *
 * @param path below the API, as it was asked for
 */
export function findRoute(method: string, path: string): Found | undefined {
  const parts = (path === "" ? "/" : path).split("/").slice(1);
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
  const { token } = await readBody(request);
  if (typeof token !== "string" || !site.takesToken(token)) {
    throw new HttpError(401, "unauthorized", "That is not the token of this server");
  }
  const cookie = `${cookieName(site.port)}=${site.session}; HttpOnly; SameSite=Strict; Path=${API}`;
  return json({}, 200, { "set-cookie": cookie });
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

function listen({ site, request, query }: Call): Promise<Response> {
  const log = query.get("log");
  const at = log?.indexOf("/") ?? -1;
  return site.hub.listen({
    since: request.headers.get("last-event-id") ?? query.get("since") ?? undefined,
    log: log === null || at <= 0
      ? undefined
      : { workspace: log.slice(0, at), task: log.slice(at + 1) },
    signal: request.signal,
  });
}

// ---------------------------------------------------------------------------------------------
// Tasks

/** Rows of a list, where no number is given, and at most. */
const LISTED = 300;
const MOST_LISTED = 10_000;

async function listTasks(live: Live, { query }: Call): Promise<Response> {
  const limit = readCount(query, "limit", LISTED, MOST_LISTED);
  const ended = readCount(query, "ended", MOST_LISTED, MOST_LISTED);
  const moment = await live.moment();
  const answer: WireTasks = {
    ...listRows(parseFilter(query), moment, { limit, ended }),
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
      tasks?.map((name) => resolveTask(live.queue.store, name, "anywhere")) ??
        pickTasks(filter!, moment)
          .filter((task) => phases.includes(moment.phase(task).kind))
          .map(({ taskId }) => taskId),
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
  const { tasks, filter, options, ...rest } = body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new OrchestraError("usage", `An order has no ${JSON.stringify(unknown)}`, {
      hint: "There are: tasks, filter, options",
    });
  }
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
  const filter = parseFilter(query);
  // What was meant as a filter and says nothing must not mean everything.
  if (Object.keys(value).length > 0 && !isFiltering(filter)) throw wrong;
  return filter;
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
