// Sends messages, in the process that may: started for one receiver, with the network open to that host
// and port alone and no file or variable but the secrets. A request a line on stdin, an outcome a line on
// stdout. It writes nothing; killed in the middle, what it was sending is sent again, with the same id.

import { VERSION } from "../task/version.ts";
import { sanitize } from "../text/width.ts";
import type { Outcome } from "./plan.ts";
import { isSecret, sign } from "./signature.ts";

/** What is to be sent. */
export interface Request {
  readonly url: string;
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether it tells its id and time though nothing is signed. */
  readonly standard: boolean;
  readonly secretEnv: readonly string[];
  readonly secretFile: readonly string[];
  /** Variable with more headers, as OpenTelemetry has it: `name=value,name=value`. */
  readonly headersEnv?: string;
  /** For all of it, milliseconds. */
  readonly timeout: number;
}

/** Of an answer no more is read, bytes. */
const READ = 4096;
/** Of what a receiver said so much is told, characters. */
const SAID = 160;
/** Largest file of a secret, bytes. */
const LARGEST_SECRET = 64 * 1024;

const UNSENT = (problem: string): Outcome => ({ kind: "unsent", problem });

/** Sends one message. */
export async function deliver(request: Request): Promise<Outcome> {
  const secrets: string[] = [];
  for (const name of request.secretEnv) {
    const secret = readVariable(name);
    if (secret === undefined) return UNSENT(`the secret is missing: ${name} is not set`);
    if (!isSecret(secret)) return UNSENT(`the secret in ${name} is none: whsec_ wants Base64`);
    secrets.push(secret);
  }
  for (const path of request.secretFile) {
    const secret = readSecretFile(path);
    if (secret === undefined) return UNSENT(`the secret is missing: ${path} cannot be read`);
    if (!isSecret(secret)) return UNSENT(`the secret in ${path} is none: it is empty or no Base64`);
    secrets.push(secret);
  }
  const url = new URL(request.url);
  const headers: Record<string, string> = {
    "user-agent": `orchestra/${VERSION}`,
    ...headersIn(request.headersEnv),
    ...request.headers,
  };
  if (url.username !== "" || url.password !== "") {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${new TextEncoder().encode(pair).toBase64()}`;
    url.username = url.password = "";
  }
  const { id, body } = request;
  if (request.standard || secrets.length > 0) {
    const timestamp = Math.floor(Date.now() / 1000);
    headers["webhook-id"] = id;
    headers["webhook-timestamp"] = String(timestamp);
    if (secrets.length > 0) {
      headers["webhook-signature"] = await sign(secrets, id, timestamp, body);
    }
  }
  return await send(url, headers, body, request.timeout);
}

/** Headers of a variable; what is none among them is passed over. */
function headersIn(name: string | undefined): Record<string, string> {
  const given = name === undefined ? "" : readVariable(name) ?? "";
  return Object.fromEntries(
    given.split(",").flatMap((pair) => {
      const at = pair.indexOf("=");
      try {
        const value = decodeURIComponent(pair.slice(at + 1).trim());
        // Throws where a header cannot be so.
        return at > 0 ? [...new Headers([[pair.slice(0, at).trim(), value]])] : [];
      } catch {
        return [];
      }
    }),
  );
}

function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch {
    return undefined;
  }
}

function readSecretFile(path: string): string | undefined {
  try {
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(LARGEST_SECRET);
    const count = file.readSync(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, count)).trim() || undefined;
  } catch {
    return undefined;
  }
}

async function send(
  url: URL,
  headers: Record<string, string>,
  body: string,
  timeout: number,
): Promise<Outcome> {
  // A connection that is kept may be closed by the receiver just when the next message goes out.
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: abort.signal,
      client,
    });
    const { status } = response;
    const retryAfter = response.headers.get("retry-after")?.slice(0, 100);
    const isMade = status >= 200 && status < 300;
    // A receiver that has accepted it and then dawdles has accepted it.
    const said = isMade ? (await response.body?.cancel(), "") : await beginningOf(response);
    return {
      kind: "answer",
      status,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(said === "" ? {} : { said }),
    };
  } catch (error) {
    const problem = abort.signal.aborted
      ? `did not answer within ${timeout / 1000} s`
      : problemOf(error, url);
    return { kind: "unreachable", problem };
  } finally {
    clearTimeout(timer);
  }
}

async function beginningOf(response: Response): Promise<string> {
  const bytes: number[] = [];
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  try {
    while (bytes.length < READ) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes.push(...value.subarray(0, READ - bytes.length));
    }
    await reader.cancel();
  } catch {
    // What came so far is enough.
  }
  const text = new TextDecoder().decode(new Uint8Array(bytes));
  return sanitize(text.replace(/\s+/g, " ").trim()).slice(0, SAID);
}

/** What went wrong, in words that give no address away. */
function problemOf(error: unknown, { href, host }: URL): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "this program may not use the network: it was compiled without";
  }
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) texts.push(at.message);
  const text = texts.join(": ").replaceAll(href, host)
    .replace(/error sending request (?:from \S+ )?for (?:url )?\S+(?: \(\S+\))?: /, "");
  const known: readonly [RegExp, string][] = [
    [/dns error|failed to lookup/i, "its name cannot be resolved"],
    [/connection refused/i, "refuses the connection"],
    [
      /certificate|tls|handshake|InvalidContentType|unknown ?issuer/i,
      "its certificate or TLS fails",
    ],
    [/message head is too large|too many headers/i, "sends headers without end"],
    [/connection closed|reset by peer|broken pipe|unexpected eof|incomplete/i, "hung up"],
  ];
  const words = known.find(([pattern]) => pattern.test(text))?.[1];
  const detail = sanitize(text).slice(0, SAID);
  return words === undefined ? `cannot be told: ${detail}` : `${words} (${detail})`;
}

/** Sends what comes on stdin, until its end. */
export async function deliverAll(): Promise<void> {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  const encoder = new TextEncoder();
  let rest = "";
  for await (const text of lines) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      const outcome = await deliver(JSON.parse(line)).catch((error): Outcome =>
        UNSENT(error instanceof Error ? sanitize(error.message).slice(0, SAID) : "failed")
      );
      const bytes = encoder.encode(JSON.stringify(outcome) + "\n");
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    }
  }
}
