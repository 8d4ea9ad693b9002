// The command line as its users meet it: a real process in a workspace of its own, its output, its
// exit code, and the files that it leaves. Waiting is done by watching those files. A workspace that
// goes away takes everything along that was started in it, and nothing else: processes are told by
// the root in their environment or on their command line, and each root is a new folder.

import { isTerminal, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch } from "./assert.ts";
import {
  type Live,
  type Outcome,
  PATIENCE,
  type RunOptions,
  runProgram,
  spawnProgram,
} from "./spawn.ts";
import { SHELL } from "./needs.ts";
import { kill, processesWith } from "./processes.ts";

/** An agent of `agent-config.json`, unchecked: tests write bad ones too. */
export type AgentEntry = Record<string, unknown>;

/** A workspace with real processes in it. */
export interface Box extends AsyncDisposable {
  readonly root: string;
  /** Absolute path of a file below `.orchestra/`. */
  path(name: string): string;
  /** Runs the program. */
  run(...args: string[]): Promise<Outcome>;
  runWith(options: RunOptions, ...args: string[]): Promise<Outcome>;
  /** Runs it, checks that the exit code is 0, and returns what it printed. */
  ok(...args: string[]): Promise<string>;
  /** Runs it with `--json`, checks that stdout is one value and stderr is empty, and returns it. */
  // deno-lint-ignore no-explicit-any
  json(...args: string[]): Promise<any>;
  /** Runs it, checks the exit code and the form of the error, as text and as JSON, and returns it. */
  fails(code: number, ...args: string[]): Promise<Failure>;
  /** Starts it without waiting for its end. */
  live(options: RunOptions, ...args: string[]): Live;
  /** Queues a task, and returns its id. */
  start(...args: string[]): Promise<string>;
  /** The task as its file says. */
  task(id: string): Task;
  /** All tasks, as their files say, oldest first. */
  tasks(): Task[];
  /** Writes the agents, beside those that every workspace of a test has. */
  agents(entries: Record<string, AgentEntry>): void;
  /** Writes the settings. */
  config(settings: Record<string, unknown>): void;
  /** Fulfilled with what the check returns as soon as it is something, looking at every change. */
  until<T>(what: string, check: () => T | undefined | false | null): Promise<T>;
  /** Fulfilled when a task has come to its end and nothing of it lives; the task. */
  settled(id: string): Promise<Task>;
  /** Supervisors of this workspace that live. */
  supervisors(): number[];
  /** Fulfilled when nobody watches over the workspace any more. */
  unwatched(): Promise<void>;
}

/** An error as the user sees it. */
export interface Failure {
  code: string;
  message: string;
  hint?: string;
  /** The text without `--json`. */
  text: string;
}

/**
 * An agent that runs a line of shell, or its prompt as one. Where there is no `sh` it is Deno's own shell,
 * which knows `echo`, `exit`, `true`, `&&`, `||`, `;`, variables, redirections, and `deno`, which may do
 * the rest; tests of more need {@linkcode SHELL}.
 */
export function runLine(line = "{userPrompt}"): { command: string; args: string[] } {
  return SHELL === null
    ? { command: "sh", args: ["-c", line] }
    : { command: Deno.execPath(), args: ["task", "--quiet", "--eval", line] };
}

/** An agent that is a script of Deno's, where the system has no program that does it. */
export function runScript(script: string, ...args: string[]): AgentEntry {
  return { command: Deno.execPath(), args: ["eval", "--no-config", script, ...args] };
}

/** Agents of every workspace here; the prompt of each is a shell script, taken as it is. */
const AGENTS: Record<string, AgentEntry> = {
  shell: { ...runLine(), completion: "exit" },
  signal: runLine(),
  auto: { ...runLine(), completion: "auto" },
};

/** An empty folder that is removed at the end. */
export async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra-cli-test-" }));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    },
  };
}

/** A new workspace. */
export async function makeBox(): Promise<Box> {
  const { path: root } = await makeFolder();
  for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
    Deno.mkdirSync(`${root}/.orchestra${name}`, { mode: 0o700 });
  }
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  const box = openBox(root);
  box.agents({});
  return box;
}

/** A workspace that is there already; it goes away with the box. */
export function openBox(root: string): Box {
  const dir = `${root}/.orchestra`;
  const runWith = (options: RunOptions, ...args: string[]) => runProgram(root, args, options);
  const run = (...args: string[]) => runWith({}, ...args);
  const task = (id: string): Task => JSON.parse(Deno.readTextFileSync(`${dir}/tasks/${id}.json`));

  async function ok(...args: string[]): Promise<string> {
    const outcome = await run(...args);
    assertEquals(outcome.code, 0, `${args.join(" ")}: ${JSON.stringify(outcome)}`);
    return outcome.stdout;
  }

  async function until<T>(
    what: string,
    check: () => T | undefined | false | null,
  ): Promise<T> {
    using watcher = Deno.watchFs([dir, `${dir}/tasks`, `${dir}/logs`, `${dir}/workspace`], {
      recursive: false,
    });
    const events = watcher[Symbol.asyncIterator]();
    let event = events.next();
    const started = performance.now();
    for (;;) {
      const found = check();
      if (found !== undefined && found !== false && found !== null) return found;
      if (performance.now() - started > PATIENCE) {
        const states = tasks().map((item) => `${item.taskId} ${item.status} ${item.errorMessage}`);
        throw new Error(`Waited in vain for ${what}; tasks: ${states.join(", ")}`);
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      // The end of a process that is not our child is no event in any folder.
      const tick = new Promise<void>((resolve) => timer = setTimeout(resolve, 50));
      const next = await Promise.race([event.then(() => "event"), tick]);
      clearTimeout(timer);
      if (next === "event") event = events.next();
    }
  }

  function tasks(): Task[] {
    const found: Task[] = [];
    try {
      for (const { name } of Deno.readDirSync(`${dir}/tasks`)) {
        if (/^task_\d+\.json$/.test(name)) found.push(task(name.slice(0, -5)));
      }
    } catch {
      // Not made yet, or one went away or is damaged: for messages only what can be read counts.
    }
    return found.sort((a, b) => a.taskId < b.taskId ? -1 : 1);
  }

  const box: Box = {
    root,
    path: (name) => `${dir}/${name}`,
    run,
    runWith,
    ok,
    async json(...args) {
      const outcome = await run("--json", ...args);
      assertEquals(outcome.code, 0, `${args.join(" ")}: ${JSON.stringify(outcome)}`);
      assertEquals(outcome.stderr, "");
      return JSON.parse(outcome.stdout);
    },
    async fails(code, ...args) {
      const [plain, json] = await Promise.all([run(...args), run("--json", ...args)]);
      const text = assertRefused(plain, code, args.join(" "));
      assertEquals(json.code, code, `--json ${args.join(" ")}: ${JSON.stringify(json)}`);
      assertEquals(json.stdout, "", args.join(" "));
      const { error, ...rest } = JSON.parse(json.stderr);
      assertEquals(rest, {});
      return { ...error, text };
    },
    live: (options, ...args) => spawnProgram(root, args, options),
    async start(...args) {
      const id = (await ok("start", "--quiet", ...args)).trim();
      assertMatch(id, /^task_\d{10,20}$/);
      return id;
    },
    task,
    tasks,
    agents(entries) {
      Deno.writeTextFileSync(
        `${root}/.orchestra-cli/agent-config.json`,
        JSON.stringify({ agents: { ...AGENTS, ...entries } }),
      );
    },
    config(settings) {
      Deno.writeTextFileSync(`${dir}/config.json`, JSON.stringify(settings));
    },
    until,
    settled: (id) =>
      until(`the end of ${id}`, () => {
        const found = task(id);
        return isTerminal(found.status) && found.reapAt === null && found;
      }),
    supervisors: () => processesWith("cmdline", ["-C", root, "_supervise"]),
    async unwatched() {
      await until("the supervisor's leaving", () => box.supervisors().length === 0);
    },
    async [Symbol.asyncDispose]() {
      // Whoever could start more goes first.
      for (let turn = 0; turn < 50; turn++) {
        const left = [
          ...box.supervisors(),
          ...processesWith("environ", [`ORCHESTRA_ROOT=${root}`]),
        ];
        if (left.length === 0) break;
        for (const pid of left) kill(pid, "SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Deno.remove(root, { recursive: true }).catch(() => {});
    },
  };
  return box;
}

/** Checks that an outcome is an error in the form that users are promised; its text. */
export function assertRefused(outcome: Outcome, code: number, what = ""): string {
  assertEquals(outcome.code, code, `${what}: ${JSON.stringify(outcome)}`);
  assertEquals(outcome.stdout, "", what);
  const lines = outcome.stderr.trimEnd().split("\n");
  assert(lines.length <= 2, `${what}: more than two lines: ${outcome.stderr}`);
  assertMatch(lines[0]!, /^orchestra: ./);
  assert(!/^\s+at |deno-fs|file:\/\//m.test(outcome.stderr), `a stack trace: ${outcome.stderr}`);
  assertPrintable(outcome.stderr);
  return outcome.stderr;
}

/** Checks that a text has no control character but line breaks, and nothing that is not seen. */
export function assertPrintable(text: string): void {
  const found =
    // deno-lint-ignore no-control-regex
    /[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufe0f\ufeff]|[\u{e0000}-\u{e0fff}]/u
      .exec(text);
  assert(
    found === null,
    `control character ${JSON.stringify(found?.[0])} in ${JSON.stringify(text)}`,
  );
}
