// A server of the API inside the test's own process, over real workspaces, and raw connections to it: what
// no client of HTTP would send.

import type { KnownWorkspace } from "../../lib/workspaces/registry.ts";
import { type ServeOptions, startServer } from "../../lib/web/serve.ts";
import { API } from "../../lib/web/wire.ts";

/** A running server. */
export interface Here extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
  /** Asks the API, with the token unless headers are given. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** The JSON of an answer that is none of trouble. */
  // deno-lint-ignore no-explicit-any
  get(path: string): Promise<any>;
  // deno-lint-ignore no-explicit-any
  post(path: string, body: unknown): Promise<any>;
  /** Sends bytes as they are; all that comes back until the other side closes. */
  raw(text: string): Promise<string>;
}

/** Its token. */
export const TOKEN = "the-token-of-the-tests";
export const JSON_TYPE = { "content-type": "application/json" };
export const BEARER = { authorization: `Bearer ${TOKEN}` };

/** A page that is none, for who tests everything else. */
export const PAGE = { html: "<!doctype html><title>page</title>", csp: "default-src 'none'" };

/** Serves workspaces. */
export async function serveHere(
  workspaces: readonly KnownWorkspace[],
  options: Partial<ServeOptions> = {},
): Promise<Here> {
  const server = await startServer({
    list: () => [...workspaces],
    everywhere: false,
    readOnly: false,
    host: "127.0.0.1",
    port: 0,
    token: TOKEN,
    // Somebody else does what is to be done, or nobody.
    keeper: () => Promise.resolve(() => true),
    program: "",
    page: PAGE,
    linger: 100,
    ...options,
  });
  const { port } = server;
  const origin = `http://127.0.0.1:${port}`;
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(origin + (path.startsWith("/metrics") ? path : API + path), { headers: BEARER, ...init });
  const body = async (response: Response) => {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text);
  };
  return {
    port,
    origin,
    ask,
    get: async (path) => await body(await ask(path)),
    async post(path, value) {
      const headers = { ...BEARER, ...JSON_TYPE };
      return await body(await ask(path, { method: "POST", headers, body: JSON.stringify(value) }));
    },
    async raw(text) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await writeAll(connection, text);
      return await readToEnd(connection);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function writeAll(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** All that comes until the other side closes. */
export async function readToEnd(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

/** A request as it is sent; the connection is closed after it. */
export function requestText(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): string {
  const length = body === "" && method === "GET" ? {} : {
    "content-length": String(new TextEncoder().encode(body).length),
  };
  const lines = Object.entries({ ...headers, ...length, connection: "close" })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Status of a raw answer. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}
