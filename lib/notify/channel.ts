// The process that sends to one receiver, seen from who watches: this program once more, with the network
// open to one host and port, and the secrets of this receiver readable. It is started when something is to
// be sent and goes when nothing is. One that says nothing in time is killed, and another one is started.

import type { Webhook } from "../settings/subscribers.ts";
import type { Request } from "./deliver.ts";
import type { Outcome } from "./plan.ts";

/** How long a request may take, milliseconds. */
export const TIMEOUT = 15_000;
/** Variable with the headers that a receiver of traces wants. */
export const OTLP_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS";
/** Within this the process must have said what came of it, milliseconds. */
const PATIENCE = 20_000;
/** A longer line is none of ours, characters. */
const LONGEST_LINE = 64 * 1024;

/** Something that sends to one receiver, one message after the other. */
export interface Channel {
  send(request: Request): Promise<Outcome>;
  /** Ends it; what it is sending may or may not arrive. */
  close(): void;
}

/** What sends needs to know of a receiver. */
export type Receiver = Pick<Webhook, "url" | "format" | "secretEnv" | "secretFile">;

/**
 * The process is started with the first message.
 *
 * @param program module of the command line, or the path of the compiled program
 * @param root of the workspace: secrets' files are named from there
 */
export function openChannel(receiver: Receiver, program: string, root: string): Channel {
  let running: Promise<Running> | undefined;
  const close = () => {
    running?.then((it) => it.close(), () => {});
    running = undefined;
  };
  return {
    async send(request) {
      let begun: Running;
      try {
        begun = await (running ??= start(receiver, program, root));
      } catch (error) {
        running = undefined;
        const why = error instanceof Error ? error.message : String(error);
        return { kind: "unsent", problem: `what sends it cannot be started: ${why}` };
      }
      const outcome = await begun.ask(request);
      if (outcome !== undefined) return outcome;
      close();
      return { kind: "unreachable", problem: "what sends it ended without a word, or hung" };
    },
    close,
  };
}

interface Running {
  /** Undefined where it ended, or said nothing that can be understood in time. */
  ask(request: Request): Promise<Outcome | undefined>;
  close(): void;
}

async function start(receiver: Receiver, program: string, root: string): Promise<Running> {
  const command = Deno.build.standalone
    ? ["_deliver"]
    : ["run", ...flagsFor(receiver, program), program, "_deliver"];
  const own = { ORCHESTRA_TASK_ID: "", ORCHESTRA_MARK: "", ORCHESTRA_TOKEN: "" };
  const options = { args: command, cwd: root, env: { ...own, ORCHESTRA_ROOT: root } };
  const pipes = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
  const child = Deno.build.os === "windows"
    ? await (await import("../launch/windows/hidden.ts")).spawnHidden(Deno.execPath(), options)
    : new Deno.Command(Deno.execPath(), { ...options, ...pipes }).spawn();
  // What it says there nobody reads.
  if (Deno.build.os === "windows") child.stderr.cancel();
  child.unref();
  child.status.catch(() => {});
  const input = child.stdin.getWriter();
  input.closed.catch(() => {});
  const lines = linesOf(child.stdout);
  const encoder = new TextEncoder();
  return {
    async ask(request) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), PATIENCE);
      });
      try {
        const answer = async () => {
          await input.write(encoder.encode(JSON.stringify(request) + "\n"));
          return (await lines.next()).value;
        };
        const line = await Promise.race([answer().catch(() => undefined), late]);
        return line === undefined ? undefined : parseOutcome(line);
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    },
  };
}

/** The permissions of the process that sends, and nothing beyond them. */
export function flagsFor(receiver: Receiver, program: string): string[] {
  const { url, format, secretEnv, secretFile } = receiver;
  const { protocol, hostname, port } = new URL(url);
  const variables = format === "otlp" ? [...secretEnv, OTLP_HEADERS] : secretEnv;
  // The sources need their own deno.json; see lib/supervise/watcher.ts.
  const fromSources = program.startsWith("file:") && program.endsWith("/main.ts");
  return [
    "--quiet",
    ...(fromSources ? [] : ["--no-config", "--no-lock"]),
    "--no-prompt",
    `--allow-net=${hostname}:${port || (protocol === "https:" ? "443" : "80")}`,
    ...(variables.length === 0 ? [] : [`--allow-env=${variables.join(",")}`]),
    ...(secretFile.length === 0 ? [] : [`--allow-read=${secretFile.join(",")}`]),
  ];
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    if (rest.length > LONGEST_LINE) return;
    yield* parts;
  }
}

/** What the process said came of it; it is not believed to be anything else. */
function parseOutcome(line: string): Outcome | undefined {
  try {
    const { kind, status, retryAfter, said, problem } = JSON.parse(line);
    const isText = (value: unknown) => value === undefined || typeof value === "string";
    if (kind === "answer" && Number.isInteger(status) && isText(retryAfter) && isText(said)) {
      return {
        kind,
        status,
        ...(retryAfter === undefined ? {} : { retryAfter }),
        ...(said === undefined ? {} : { said }),
      };
    }
    const isFailure = kind === "unreachable" || kind === "unsent";
    return isFailure && typeof problem === "string" ? { kind, problem } : undefined;
  } catch {
    return undefined;
  }
}
