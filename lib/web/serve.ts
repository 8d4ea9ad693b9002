// The server of the page and of the API: options in, a running server out. It changes nothing by itself
// and holds nothing that is not on disk; killed, the queue goes on, and a page finds the next one by the
// same address and token where both were given.

import type { KnownWorkspace } from "../workspaces/registry.ts";
import { failure, HttpError, refusal, respond } from "./answer.ts";
import {
  isEvery,
  isLoopback,
  isSame,
  type Policy,
  refuse,
  type Session,
  splitPlace,
} from "./auth.ts";
import { createHub } from "./live.ts";
import { openApi } from "./openapi.ts";
import { loadPage, type Page } from "./page.ts";
import { checkQuery, findRoute, isOfApi, overview, ROUTES, type Site } from "./routes.ts";
import { type Keeper, serveWorkspaces } from "./served.ts";

export { isLoopback } from "./auth.ts";
export type { Keeper } from "./served.ts";

/** How a server is started. */
export interface ServeOptions {
  /** Workspaces that there are now; asked again and again. */
  readonly list: () => KnownWorkspace[];
  readonly everywhere: boolean;
  /** Folder that changes when workspaces come and go; undefined where none do. */
  readonly registry?: string;
  readonly readOnly: boolean;
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; a free one where it is 0. */
  readonly port: number;
  /** What who asks must know. */
  readonly token: string;
  readonly keeper: Keeper;
  /** Module to start for work in the background. */
  readonly program: string;
  /** The page; built, or built in, where absent. */
  readonly page?: Page;
  /** Milliseconds for which a workspace stays in memory after it was last asked for. */
  readonly linger?: number;
  /** Told of what makes serving difficult, a sentence each. */
  readonly onProblem?: (problem: string) => void;
}

/** A running server. */
export interface WebServer extends AsyncDisposable {
  readonly port: number;
  /** Address of the page, without the token. */
  readonly address: string;
  /** A token that opens one session, within a minute. */
  lendToken(): Lent;
  /** Fulfilled when it has ended. */
  readonly finished: Promise<void>;
}

/** A token that opens one session. */
export interface Lent {
  readonly token: string;
  /** Fulfilled when it has, or does not any more. */
  readonly over: Promise<void>;
}

const LINGER = 30_000;
/** Milliseconds in which a lent token must be used. */
const LENT = 60_000;

/** A token that nobody guesses. */
export function randomToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** Starts a server. */
export async function startServer(options: ServeOptions): Promise<WebServer> {
  const { onProblem = () => {}, token } = options;
  const page = options.page ?? await loadPage();
  const served = serveWorkspaces({
    list: options.list,
    keeper: options.keeper,
    linger: options.linger ?? LINGER,
    onProblem,
  });
  const hub = createHub(served, () => overview(served), options.registry);
  const lent = new Map<string, () => void>();
  const session = await sessionOf(token);
  const host = isLoopback(options.host) ? null : options.host;
  let site!: Site;
  let policy!: Policy;
  const stop = new AbortController();
  const server = Deno.serve({
    signal: stop.signal,
    hostname: options.host,
    port: options.port,
    onListen({ port }) {
      policy = { port, host, token, session };
      site = {
        served,
        hub,
        readOnly: options.readOnly,
        everywhere: options.everywhere,
        port,
        program: options.program,
        session,
        describe: () => openApi(ROUTES),
        takesToken: (given) => isSame(given, token) || takeLent(lent, given),
      };
    },
    onError: (error) => failure(error),
  }, (request, { completed }) => answer(request, completed, site, policy, page));
  const { port } = server.addr as Deno.NetAddr;
  const name = isEvery(options.host)
    ? "127.0.0.1"
    : options.host.includes(":")
    ? `[${options.host}]`
    : options.host;
  return {
    port,
    address: `http://${name}:${port}/`,
    lendToken: () => lend(lent),
    finished: server.finished,
    async [Symbol.asyncDispose]() {
      for (const end of [...lent.values()]) end();
      hub[Symbol.dispose]();
      served[Symbol.dispose]();
      // Connections that are open go too: streams have no end of their own.
      stop.abort();
      await server.finished;
    },
  };
}

/** Lends a token: it is in the map, with what ends it, for as long as it is worth something. */
function lend(lent: Map<string, () => void>): Lent {
  const token = randomToken();
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(end, LENT);
  function end(): void {
    clearTimeout(timer);
    lent.delete(token);
    resolve();
  }
  lent.set(token, end);
  return { token, over };
}

function takeLent(lent: ReadonlyMap<string, () => void>, given: string): boolean {
  for (const [token, end] of lent) {
    if (!isSame(given, token)) continue;
    end();
    return true;
  }
  return false;
}

/** What a browser is known by: made of the token, so that it outlives the server where the token does. */
async function sessionOf(token: string): Promise<Session> {
  const [secret, place] = await Promise.all([
    digest(`orchestra session ${token}`),
    digest(`orchestra place ${token}`),
  ]);
  return { secret, place };
}

async function digest(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const hashed = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hashed].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function answer(
  request: Request,
  completed: Promise<void>,
  site: Site,
  policy: Policy,
  page: Page,
): Promise<Response> {
  try {
    const { method } = request;
    const header = (name: string) => request.headers.get(name);
    // First of all: an address is made of a host that may be none.
    const nowhere = { method, header, place: null };
    const stranger = refuse(nowhere, policy, { token: false, changes: false });
    if (stranger !== undefined) return refusal(stranger);
    const { pathname: whole, searchParams } = new URL(request.url);
    const { place, path: pathname } = splitPlace(whole);
    const asked = { method, header, place };
    if (place !== null && !isOfApi(pathname)) {
      throw new HttpError(404, "not-found", "Nothing is there");
    }
    if (!isOfApi(pathname)) return answerPage(method, pathname, page);
    const found = findRoute(method, pathname);
    // Who has no token learns nothing, not even what there is.
    const demand = found !== undefined && "route" in found
      ? { token: found.route.token ?? true, changes: found.route.changes }
      : { token: true, changes: false };
    const refused = refuse(asked, policy, demand);
    if (refused !== undefined) return refusal(refused);
    if (found === undefined) throw new HttpError(404, "not-found", `There is no ${pathname}`);
    if ("allow" in found) {
      const allow = found.allow.join(", ");
      throw new HttpError(405, "usage", `${pathname} does not take ${method}, but ${allow}`);
    }
    const { route, params } = found;
    if (site.readOnly && route.changes && route.token !== false) {
      throw new HttpError(
        403,
        "forbidden",
        "This server changes nothing: it was started with --read-only",
      );
    }
    checkQuery(route, searchParams);
    return await route.handle({ site, request, params, query: searchParams, completed });
  } catch (error) {
    return failure(error);
  }
}

/** Addresses of the page: all of them get the same document. */
const PAGES = /^\/(?:workspaces)?$|^\/w\//;

function answerPage(method: string, pathname: string, { html, csp }: Page): Response {
  if (!PAGES.test(pathname)) throw new HttpError(404, "not-found", `There is no ${pathname}`);
  if (method !== "GET" && method !== "HEAD") {
    throw new HttpError(405, "usage", `The page does not take ${method}`);
  }
  return respond(html, "text/html; charset=utf-8", {
    headers: { "content-security-policy": csp, "cache-control": "no-cache" },
  });
}
