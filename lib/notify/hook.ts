// Runs a hook: a program in a session of its own, with the event on its standard input and in variables,
// its output in `hooks.log`, once it has ended. It ends within its time, or is ended with its whole process
// group. Should we be killed meanwhile it goes on, what it printed is lost, and its event is told once more.

import { spawnSession } from "../launch/posix/launcher.ts";
import type { Child } from "../launch/windows/hidden.ts";
import { findOnPath } from "../launch/find.ts";
import { pause } from "../launch/pause.ts";
import { lstat, openNamed, renameFile } from "../store/files.ts";
import { isAbsolute } from "../store/paths.ts";
import { quote } from "../task/error.ts";
import type { HistoryEvent } from "../task/event.ts";
import { formatTime } from "../task/fields.ts";
import { sanitize } from "../text/width.ts";
import { boundEvent } from "./message.ts";

/** What is to be run. */
export interface HookRun {
  readonly name: string;
  readonly run: readonly string[];
  /** Seconds. */
  readonly timeout: number;
  /** Variables besides those of every hook. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What came of it. */
export interface HookOutcome {
  readonly ok: boolean;
  /** In words. */
  readonly problem: string;
  /** Whether somebody else killed it. */
  readonly isKilled?: boolean;
}

/** Of a run's output so much is kept, bytes. */
const MOST_OUTPUT = 1024 * 1024;
/** A log that is larger is begun anew, bytes. */
const MAX_LOG = 1024 * 1024;
/** Between asking a hook to end and ending it, milliseconds. */
const GRACE = 2000;
/** What a program that goes on in the background still prints is not waited for longer, milliseconds. */
const LINGER = 1000;

/** The log of all hooks. */
export function hookLogPath(dir: string): string {
  return `${dir}/hooks.log`;
}

/** The variables of a hook: none of them makes it part of a task. */
export function hookVariables(whole: HistoryEvent, root: string): Record<string, string> {
  // No program starts with more than 128 KiB in one variable, execve(2).
  const event = boundEvent(whole);
  const text = (value: string | undefined) => (value ?? "").replaceAll("\0", "");
  return {
    ORCHESTRA_TASK_ID: "",
    ORCHESTRA_MARK: "",
    ORCHESTRA_TOKEN: "",
    ORCHESTRA_ROOT: root,
    ORCHESTRA_EVENT: event.event,
    ORCHESTRA_EVENT_JSON: text(JSON.stringify(event)),
    ORCHESTRA_EVENT_KEY: text(event.key),
    ORCHESTRA_EVENT_TIME: event.time,
    ORCHESTRA_EVENT_TASK: text(event.task),
    ORCHESTRA_EVENT_AGENT: text(event.agent),
    ORCHESTRA_EVENT_CLASS: text(event.class),
    ORCHESTRA_EVENT_TITLE: text(event.title),
    ORCHESTRA_EVENT_ERROR: text(event.error),
  };
}

/** Why there is no program to run, for a word that names none. */
export function noProgram(program: string, root: string): string {
  const windows = Deno.build.os === "windows";
  const isPath = windows ? /[\\/]/.test(program) : program.includes("/");
  try {
    if (isPath && Deno.statSync(isAbsolute(program) ? program : `${root}/${program}`).isFile) {
      return windows
        ? `Windows cannot run ${
          quote([program])
        }: name what runs it first, ["node", "…"] for example`
        : `${JSON.stringify(program)} is not executable: chmod +x ${quote([program])}`;
    }
  } catch {
    // It is not there, or not for us to see.
  }
  return `there is no program ${JSON.stringify(program)}`;
}

/**
 * Runs a hook until its end.
 *
 * @param place root of the workspace, where it runs, and its `.orchestra`
 * @param signal ends it
 */
export async function runHook(
  hook: HookRun,
  event: HistoryEvent,
  place: { root: string; dir: string },
  signal?: AbortSignal,
): Promise<HookOutcome> {
  const output = createOutput();
  const begin = lineOf(`${hook.name}: ${sanitize(event.key)}: ${JSON.stringify(hook.run)}`);
  const outcome = await runInto(output, hook, event, place.root, signal);
  const end = lineOf(`${hook.name}: ${sanitize(event.key)}: ${outcome.problem || "done"}`);
  // Others run meanwhile: what one has printed stands together.
  appendLog(hookLogPath(place.dir), [begin, ...output.kept(), end]);
  return outcome;
}

async function runInto(
  output: Output,
  { run: [program = "", ...args], timeout, env }: HookRun,
  event: HistoryEvent,
  root: string,
  signal: AbortSignal | undefined,
): Promise<HookOutcome> {
  const failed = (problem: string): HookOutcome => ({ ok: false, problem });
  const path = findOnPath(program, root);
  if (path === null) return failed(noProgram(program, root));
  let child: Child;
  try {
    const options = {
      args,
      cwd: root,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { ...hookVariables(event, root), ...env },
    } as const;
    child = Deno.build.os === "windows"
      ? await (await import("../launch/windows/hidden.ts")).spawnHidden(path, options)
      : spawnSession(path, options);
  } catch (error) {
    return failed(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  child.ref();
  feed(child, JSON.stringify(event) + "\n");
  const reading = gather(child, output);
  const ended = child.status;
  const over = new AbortController();
  const tooLong = await Promise.race([
    ended.then(() => false),
    pause(
      timeout * 1000,
      signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
    )
      .then(() => true),
  ]);
  over.abort();
  if (tooLong) await end(child, ended);
  const { code, signal: died } = await ended;
  await Promise.race([reading.done, pause(LINGER)]);
  reading.stop();
  if (signal?.aborted) return failed("was ended because whoever watched left");
  if (tooLong) return failed(`was ended after ${timeout} s`);
  if (died !== null) return { ...failed(`was ended by ${died}`), isKilled: true };
  return code === 0 ? { ok: true, problem: "" } : failed(`exited with code ${code}`);
}

/** Gives it the event; one that does not read it is none the worse. */
function feed(child: Child, text: string): void {
  const writer = child.stdin.getWriter();
  writer.closed.catch(() => {});
  writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {});
}

/** What a run has printed, up to a bound. */
interface Output {
  add(bytes: Uint8Array): void;
  /** In the order in which it came, and how much more there was. */
  kept(): Uint8Array[];
}

function createOutput(): Output {
  const buffer = new ArrayBuffer(0, { maxByteLength: MOST_OUTPUT });
  let dropped = 0;
  return {
    add(bytes) {
      const at = buffer.byteLength;
      const piece = bytes.subarray(0, MOST_OUTPUT - at);
      buffer.resize(at + piece.length);
      new Uint8Array(buffer).set(piece, at);
      dropped += bytes.length - piece.length;
    },
    kept() {
      const text = new Uint8Array(buffer);
      const isOpen = text.length > 0 && text.at(-1) !== NEWLINE;
      return [
        text,
        ...(isOpen ? [Uint8Array.of(NEWLINE)] : []),
        ...(dropped > 0 ? [lineOf(`${dropped} more bytes of output are not kept`)] : []),
      ];
    },
  };
}

const NEWLINE = 10;

/** Its output as it comes: the first of it is kept, the rest is read and dropped. */
function gather(child: Child, output: Output): { done: Promise<void>; stop(): void } {
  const readers = [child.stdout, child.stderr].map((stream) => stream.getReader());
  const read = async (reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) => {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        output.add(value);
      }
    } catch {
      // It is not read any more.
    }
  };
  const done = Promise.all(readers.map(read)).then(() => {});
  return {
    done,
    stop() {
      for (const reader of readers) reader.cancel().catch(() => {});
    },
  };
}

/** Asks its process group to end, and ends it. */
async function end(child: Child, ended: Promise<unknown>): Promise<void> {
  if (Deno.build.os === "windows") {
    // There are no groups: it is ended with what descends from it.
    const { endFamily } = await import("../launch/windows/launcher.ts");
    return endFamily(child.pid);
  }
  const send = (name: Deno.Signal) => {
    try {
      Deno.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  send("SIGTERM");
  await Promise.race([ended, pause(GRACE)]);
  // What is left of the group, too.
  send("SIGKILL");
}

/** A line of our own in the log, with the time. */
function lineOf(text: string): Uint8Array {
  return new TextEncoder().encode(`--- ${formatTime(Date.now())} ${text}\n`);
}

/** Adds to the log in one write; one that is large is begun anew. Where there can be none it goes without. */
function appendLog(path: string, pieces: readonly Uint8Array[]): void {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const piece of pieces) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  try {
    if ((lstat(path)?.size ?? 0) > MAX_LOG) renameFile(path, `${path}.1`);
    using file = openNamed(path, { append: true });
    for (let at = 0; file !== undefined && at < whole.length;) {
      at += file.writeSync(whole.subarray(at));
    }
  } catch {
    // A full disk: the hook was run all the same.
  }
}
