// Runs a hook: a program in a session of its own, with the event on its standard input and in variables,
// its output in `hooks.log`. It ends within its time, or is ended with its whole process group. Should we
// be killed meanwhile it goes on, and its event is told once more.

import { spawnSession } from "../launch/posix/launcher.ts";
import { findOnPath } from "../launch/find.ts";
import { pause } from "../launch/pause.ts";
import { lstat, openNamed } from "../store/files.ts";
import type { HistoryEvent } from "../task/event.ts";
import { formatTime } from "../task/fields.ts";
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
export function hookVariables(event: HistoryEvent, root: string): Record<string, string> {
  const text = (value: string | undefined) => (value ?? "").replaceAll("\0", "");
  return {
    ORCHESTRA_TASK_ID: "",
    ORCHESTRA_MARK: "",
    ORCHESTRA_ROOT: root,
    ORCHESTRA_EVENT: event.event,
    ORCHESTRA_EVENT_JSON: text(JSON.stringify(boundEvent(event))),
    ORCHESTRA_EVENT_KEY: text(event.key),
    ORCHESTRA_EVENT_TIME: event.time,
    ORCHESTRA_EVENT_TASK: text(event.task),
    ORCHESTRA_EVENT_AGENT: text(event.agent),
    ORCHESTRA_EVENT_CLASS: text(event.class),
    ORCHESTRA_EVENT_TITLE: text(event.title),
    ORCHESTRA_EVENT_ERROR: text(event.error),
  };
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
  using log = openLog(hookLogPath(place.dir));
  log.line(`${hook.name}: ${event.key}: ${JSON.stringify(hook.run)}`);
  const outcome = await runLogged(hook, event, place.root, log, signal);
  log.line(`${hook.name}: ${event.key}: ${outcome.problem || "done"}`);
  return outcome;
}

async function runLogged(
  { run: [program = "", ...args], timeout, env }: HookRun,
  event: HistoryEvent,
  root: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<HookOutcome> {
  const failed = (problem: string): HookOutcome => ({ ok: false, problem });
  const path = findOnPath(program, root);
  if (path === null) return failed(`there is no program ${JSON.stringify(program)}`);
  let child: Deno.ChildProcess;
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
      ? new Deno.Command(path, options).spawn()
      : spawnSession(path, options);
  } catch (error) {
    return failed(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  child.ref();
  feed(child, JSON.stringify(event) + "\n");
  const output = gather(child, log);
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
  await Promise.race([output.done, pause(LINGER)]);
  output.stop();
  if (signal?.aborted) return failed("was ended because whoever watched left");
  if (tooLong) return failed(`was ended after ${timeout} s`);
  if (died !== null) return { ...failed(`was ended by ${died}`), isKilled: true };
  return code === 0 ? { ok: true, problem: "" } : failed(`exited with code ${code}`);
}

/** Gives it the event; one that does not read it is none the worse. */
function feed(child: Deno.ChildProcess, text: string): void {
  const writer = child.stdin.getWriter();
  writer.closed.catch(() => {});
  writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {});
}

/** Its output as it comes: the first of it goes into the log, the rest is read and dropped. */
function gather(child: Deno.ChildProcess, log: Log): { done: Promise<void>; stop(): void } {
  let left = MOST_OUTPUT;
  let dropped = 0;
  const readers = [child.stdout, child.stderr].map((stream) => stream.getReader());
  const read = async (reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) => {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const kept = value.subarray(0, left);
        left -= kept.length;
        dropped += value.length - kept.length;
        log.write(kept);
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
      if (dropped > 0) log.line(`${dropped} more bytes of output are not kept`);
    },
  };
}

/** Asks its process group to end, and ends it. */
async function end(child: Deno.ChildProcess, ended: Promise<unknown>): Promise<void> {
  const send = (name: Deno.Signal) => {
    try {
      if (Deno.build.os === "windows") child.kill();
      else Deno.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  send("SIGTERM");
  await Promise.race([ended, pause(GRACE)]);
  // What is left of the group, too.
  send("SIGKILL");
}

interface Log extends Disposable {
  write(bytes: Uint8Array): void;
  line(text: string): void;
}

/** The log; one that is large is begun anew. Where there can be none it goes on without. */
function openLog(path: string): Log {
  let file: Deno.FsFile | undefined;
  const attempt = (action: () => void) => {
    try {
      action();
    } catch {
      // A full disk: the hook is run all the same.
    }
  };
  attempt(() => {
    if ((lstat(path)?.size ?? 0) > MAX_LOG) Deno.renameSync(path, `${path}.1`);
    file = openNamed(path, { append: true });
  });
  const write = (bytes: Uint8Array) =>
    attempt(() => {
      for (let at = 0; file !== undefined && at < bytes.length;) {
        at += file.writeSync(bytes.subarray(at));
      }
    });
  return {
    write,
    line: (text) => write(new TextEncoder().encode(`--- ${formatTime(Date.now())} ${text}\n`)),
    [Symbol.dispose]: () => file?.close(),
  };
}
