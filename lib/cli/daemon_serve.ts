// The page beside a daemon, and where it is: `orchestra serve` as a child that ends with it, however it ends, and is started
// again where it ends by itself. Its token stays the same, so that a page that is open goes on.

import { lstat, messageOf, openRegular, readExactly } from "../store/files.ts";
import type { FolderWatch } from "../store/watch.ts";
import { pause } from "../launch/pause.ts";
import { parseObject, readUserSettingsText } from "../settings/user.ts";
import { retryDelay } from "../supervise/everywhere.ts";
import { commandOf } from "../supervise/spawn.ts";
import { sanitize } from "../text/width.ts";
import type { Context } from "./context.ts";
import type { ServePort } from "./daemon_flags.ts";
import { takeToken } from "./token.ts";

/** How the page is served. */
export interface Serving {
  readonly port: ServePort;
  /** What is served: the workspace in a folder, or all that are known. */
  readonly of: { readonly root: string } | "everywhere";
  readonly signal: AbortSignal;
  /** Told the address, and what goes wrong, a line each. */
  readonly say: (text: string) => void;
}

/** How long the page is waited for, milliseconds: from source it is made first. */
const PAGE_COMES = 20_000;

/** A daemon that was just started, as whoever started it sees it. */
export interface Started {
  /** Its log, and where that ended before, bytes. */
  readonly log: string;
  readonly from: number;
  /** Told of what changes in the folder of the log. */
  readonly watch: Pick<FolderWatch, "changed" | "take">;
  lives(): boolean;
}

/** Where a log ends now, bytes. */
export function endOfLog(log: string): number {
  return lstat(log)?.size ?? 0;
}

/**
 * Waits until a daemon that was just started says in its log where its page is, or why it is not.
 *
 * @returns a line of it, as {@linkcode keepServing} says it; undefined where nothing came in time
 */
export async function pageOf(
  started: Started,
): Promise<{ url: string } | { problem: string } | undefined> {
  const { log, from, watch, lives } = started;
  const deadline = performance.now() + PAGE_COMES;
  for (;;) {
    watch.take();
    const isLast = !lives() || performance.now() > deadline;
    const text = textFrom(log, from);
    // Other lines of the log may hold whatever users wrote, but not so near to the time.
    const [, url] = /^\S+ The page: (http\S+)$/m.exec(text) ?? [];
    if (url !== undefined) return { url };
    const [, problem] = /^\S+ The page is not served: (.+)$/m.exec(text) ?? [];
    if (problem !== undefined) return { problem };
    if (isLast) return undefined;
    await pause(500, undefined, [watch.changed()]);
  }
}

/** What was added to a log; all of it where it was begun anew. */
function textFrom(log: string, from: number): string {
  const size = lstat(log)?.size ?? 0;
  const at = size < from ? 0 : from;
  using file = openRegular(log);
  return file === undefined ? "" : new TextDecoder().decode(readExactly(file, at, size - at));
}

/**
 * Prints where the page of a daemon is as soon as that is known.
 *
 * @param logs the command that tells it later
 * @returns null where it is not known
 */
export async function tellPage(
  context: Context,
  started: Started,
  logs: string,
): Promise<string | null> {
  const page = await pageOf(started);
  if (page !== undefined && "url" in page) {
    if (!context.globals.json) context.print(`The page: ${page.url}`);
    return page.url;
  }
  const why = page === undefined ? "The page is not there yet" : `No page yet: ${page.problem}`;
  context.note(sanitize(`${why}. See what comes of it with: ${logs}`));
  return null;
}

/** Ends the server when whoever holds the other end of descriptor 3 is gone, a kill included. */
const GUARD = [
  "/bin/sh",
  "-c",
  'exec 3<&0; { read -r _ <&3 || kill $$; } & exec "$@" 3<&- </dev/null',
  "orchestra",
] as const;

/** What the user's settings say of it; undefined for nothing. */
export function servePortOfUser(say: (text: string) => void): ServePort | undefined {
  const read = readUserSettingsText();
  const settings = read !== undefined && "text" in read ? parseObject(read.text) : {};
  const { serve } = settings as { serve?: unknown };
  if (serve === undefined || serve === false || "problem" in settings) return undefined;
  if (serve === true) return "usual";
  if (Number.isInteger(serve) && (serve as number) >= 0 && (serve as number) <= 65535) {
    return serve as number;
  }
  say('"serve" in your settings must be true, false or a port');
  return undefined;
}

/** Serves the page until the signal is aborted. */
export async function keepServing(
  { program }: Pick<Context, "program">,
  { port, of, signal, say }: Serving,
): Promise<void> {
  const args = [
    ...(of === "everywhere" ? [] : ["-C", of.root]),
    "serve",
    ...(of === "everywhere" ? ["--everywhere"] : []),
    ...(port === "usual" ? [] : [`--port=${port}`]),
  ];
  let token: string;
  try {
    token = takeToken() ?? randomToken();
  } catch (error) {
    // The tasks are watched over all the same.
    return say(`The page is not served: ${messageOf(error)}`);
  }
  let told = "";
  for (let failures = 0; !signal.aborted;) {
    const began = performance.now();
    const reason = await serveOnce(commandOf(program, args, true), token, signal, say)
      .catch((error) => messageOf(error));
    if (signal.aborted) break;
    if (reason !== told) say(`The page is not served: ${reason}`);
    told = reason;
    if (performance.now() - began > 60_000) failures = 0;
    await pause(retryDelay(failures++), signal);
  }
}

function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(24)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/** Runs the server once; why it ended. */
async function serveOnce(
  command: readonly string[],
  token: string,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<string> {
  const guard = Deno.build.os === "windows" ? [] : GUARD;
  const [first, ...others] = [...guard, ...command];
  const child = new Deno.Command(first!, {
    args: others,
    env: { ORCHESTRA_TOKEN: token, ORCHESTRA_TASK_ID: "", ORCHESTRA_MARK: "" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = () => endChild(child);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  let last = "";
  const said = forEachLine(child.stdout, (line) => say(`The page: ${line}`));
  const complained = forEachLine(child.stderr, (line) => last ||= line);
  const { code } = await child.status;
  signal.removeEventListener("abort", end);
  // The guard reads a line, and ends without ending anybody.
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("over\n")).then(() => writer.close()).catch(() => {});
  await Promise.all([said, complained]);
  return last || `it ended with exit code ${code}`;
}

/** Asks a child to end, and ends it where it does not. */
function endChild(child: Deno.ChildProcess): void {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), 3000);
  child.status.then(() => clearTimeout(timer));
}

async function forEachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  action: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) action(line.slice(0, 1000));
  }
  if (rest !== "") action(rest.slice(0, 1000));
}
