// The torture test: many Orchestra processes at once, each killed with SIGKILL at a random moment,
// with agents, shims and supervisors killed now and then. In the end the ledger that the agents kept
// and the files must tell the same story. On Linux, and on Windows without `--workspaces`.
//
//   deno task torture --kills 2000 --seed 42 [--seconds 120] [--workers 6]
//   deno task torture --workspaces 5   limits across workspaces, see everywhere.ts
//   deno task torture --worktrees      tasks with worktrees, merged and cleaned, see worktrees.ts
//
// The seed decides every command, its victim and the moment of each kill (as a share of the time such
// a command takes). What the kernel makes of it differs from run to run: a seed repeats the load and
// most failures, not the interleaving. A failure keeps its folder, with a journal of all commands.

import { isTerminal, parseTask, type Task } from "../../lib/task/fields.ts";
import { type EverywhereReport, formatEverywhere, tortureEverywhere } from "./everywhere.ts";
import { contradictions, readAll } from "./history_check.ts";
import { disagreements, readLedger } from "./ledger.ts";
import { filePath } from "../support/file_path.ts";
import { AGENT, findBegun, findProcesses, gone, ON_WINDOWS, temporaries } from "./processes.ts";
import { listen } from "./receiver.ts";
import { formatWorktrees, tortureWorktrees, type WorktreesReport } from "./worktrees.ts";

/** What a run is asked to do. It ends with the first of the two limits that is reached. */
export interface TortureOptions {
  seed: number;
  /** Processes to kill; no limit where absent. */
  kills?: number;
  /** How long to go on, seconds; no limit where absent. */
  seconds?: number;
  /** Processes to kill in any case, however long it takes on a slow machine. */
  atLeast?: number;
  /** Commands at once. */
  workers?: number;
  /** Called with what happens, for a person. */
  say?: (text: string) => void;
}

/** What a run found. */
export interface TortureReport {
  seed: number;
  /** Where the workspace was; kept where something is wrong. */
  folder: string;
  violations: string[];
  /** Commands run, by kind. */
  commands: Record<string, number>;
  /** Processes killed, by kind. */
  kills: Record<string, number>;
  /** Tasks by their last status; `blocked` for those that wait for what failed. */
  tasks: Record<string, number>;
  /** Agents that ran. */
  launches: number;
  /** Claims that were taken back because their launch never came. */
  releases: number;
  /** Temporary files that killed writers left. */
  leftOver: number;
  seconds: number;
}

/** A queue that has not settled by then, once nobody is killed any more, never will; milliseconds. */
const SETTLE_WITHIN = 600_000;
/** A command that is let live and does not end within this time hangs, milliseconds. */
const HANGS_AFTER = 300_000;

const MAIN = filePath(new URL("../../main.ts", import.meta.url));

/** Numbers from 0 to 1 that a seed decides: mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** Agents by name; each takes prompts of the kinds given. */
const AGENTS: Record<string, { kinds: string[]; entry: Record<string, unknown> }> = {
  signals: {
    kinds: ["sentinel", "sentinel", "linger", "error", "seven", "hang", "tool"],
    entry: {},
  },
  exits: { kinds: ["exit", "exit", "seven", "hang"], entry: { completion: "exit" } },
  either: {
    kinds: ["sentinel", "exit", "error", "seven", "tool"],
    entry: { completion: "auto", maxConcurrent: 2 },
  },
  verified: {
    kinds: ["verified"],
    entry: { completion: "exit", verify: [...AGENT, "verify", "slow"] },
  },
  limited: {
    kinds: ["quota"],
    entry: { completion: "exit", rateLimit: { patterns: ["quota is used up"], cooldown: 1 } },
  },
};

const CONFIG = {
  max_concurrent: 4,
  interval: 1,
  grace_period: 0.3,
  retry: { base: 0.1, factor: 2, cap: 0.5 },
  // Some seconds, so that finished tasks are archived while the torture goes on.
  archive: { max_completed_age_days: 0.00004, max_failed_age_days: 0.00004 },
};

/** One command line, and what to do with it. */
interface Action {
  name: string;
  args: string[];
  stdin?: string;
  /** Killed after this share of the time that such a command takes; never where absent. */
  killAt?: number;
  /** It goes on until it is ended: the time it gets, milliseconds. */
  lasts?: number;
}

/** What a command said, where it was let say it. */
interface Ended {
  killed: boolean;
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the torture. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const { seed, say = () => {} } = options;
  const workers = options.workers ?? 6;
  const began = performance.now();
  const folder = await makeFolder();
  const root = `${folder}/workspace`;
  const ledgerFolder = `${folder}/ledger`;
  Deno.mkdirSync(ledgerFolder);
  const program = await bundle(folder);
  Deno.mkdirSync(`${root}/.orchestra`, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  await using listeners = listen(folder);
  Deno.writeTextFileSync(
    `${root}/.orchestra/config.json`,
    JSON.stringify({ ...CONFIG, ...listeners.settings }),
  );
  Deno.writeTextFileSync(
    `${root}/.orchestra-cli/agent-config.json`,
    JSON.stringify({
      agents: Object.fromEntries(
        Object.entries(AGENTS).map(([name, { entry }]) => [name, {
          command: AGENT[0],
          args: [...AGENT.slice(1), "{userPrompt}"],
          env: { TORTURE_LEDGER: ledgerFolder },
          ...entry,
        }]),
      ),
    }),
  );
  const journal = await Deno.open(`${folder}/journal.jsonl`, { create: true, append: true });

  const violations: string[] = [];
  const commands: Record<string, number> = {};
  const kills: Record<string, number> = {};
  /** Ids that `start` printed, in that order. */
  const printed: string[] = [];
  /** Tasks of which a process was killed by us. */
  const hurt = new Set<string>();
  /** Settled tasks of which `doctor --fix` has found and ended something: how many processes. */
  const outlived = new Map<string, number>();
  /** How long each kind of command takes when it is let live, milliseconds. */
  const usual: Record<string, number> = {};
  let killed = 0;
  let token = 0;

  function note(entry: Record<string, unknown>): void {
    const at = Math.round(performance.now() - began);
    journal.writeSync(new TextEncoder().encode(JSON.stringify({ at, ...entry }) + "\n"));
  }

  function violated(text: string): void {
    violations.push(text);
    note({ violation: text });
  }

  function goesOn(): boolean {
    return (options.kills === undefined || killed < options.kills) &&
      (options.seconds === undefined || performance.now() - began < options.seconds * 1000 ||
        killed < (options.atLeast ?? 0));
  }

  function addKill(kind: string): void {
    killed++;
    count(kills, kind);
  }

  async function execute(action: Action): Promise<Ended> {
    const started = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-prompt", program, "-C", root, ...action.args],
      cwd: folder,
      env: { NO_COLOR: "1", COLUMNS: "120" },
      stdin: action.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let ours = false;
    const end = () => {
      try {
        child.kill("SIGKILL");
        ours = true;
      } catch {
        // It had ended by itself.
      }
    };
    const limit = action.lasts ??
      (action.killAt === undefined ? HANGS_AFTER : action.killAt * (usual[action.name] ?? 100));
    const timer = setTimeout(end, limit);
    if (action.stdin !== undefined) {
      const writer = child.stdin.getWriter();
      writer.write(new TextEncoder().encode(action.stdin)).then(() => writer.close())
        .catch(() => {});
    }
    const { code, signal, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const took = performance.now() - started;
    const ended: Ended = {
      // Windows has no signals: who is ended there has ended with 1.
      killed: signal === "SIGKILL" || (ON_WINDOWS && ours && code === 1),
      code,
      stdout: new TextDecoder().decode(stdout),
      stderr: new TextDecoder().decode(stderr),
    };
    count(commands, action.name);
    note({
      pid: child.pid,
      args: action.args,
      took: Math.round(took),
      ...ended.killed ? { killed: true } : { code },
      stdout: ended.stdout.slice(0, 200),
      stderr: ended.stderr.slice(0, 400),
    });
    if (ended.killed) {
      if (ours && action.lasts === undefined && action.killAt === undefined) {
        violated(`${action.args.join(" ")} hung: no end after ${HANGS_AFTER / 1000} s`);
      }
      // The hunt counts its own.
      if (ours) addKill(action.name);
    } else {
      if (action.lasts === undefined) {
        usual[action.name] = 0.8 * (usual[action.name] ?? took) + 0.2 * took;
      }
      // What depends on the moment is 3 (archived by now) and 4; nothing may fail with 2 or 5, but
      // a daemon that does not start because it was killed.
      const expected = action.name === "daemon start" ? [0, 4, 5] : [0, 1, 3, 4];
      if (!expected.includes(ended.code)) {
        violated(
          `${action.args.join(" ")} ended with ${ended.code}: ${ended.stderr.trim().slice(0, 300)}`,
        );
      }
    }
    return ended;
  }

  function makeTask(random: Random): { agent: string; prompt: string; flags: string[] } {
    const agent = pick(random, Object.keys(AGENTS));
    const kind = pick(random, AGENTS[agent]!.kinds);
    const prompt = `${kind} ${++token} ${pick(random, ["0", "0", "0.05", "0.2"])}`;
    const flags = [`--max-retries=${pick(random, [0, 1, 2])}`];
    if (random() < 0.4) flags.push("--auto-retry");
    if (random() < 0.2) flags.push(`--priority=${1 + Math.floor(random() * 10)}`);
    if (kind === "hang" || kind === "tool" || random() < 0.05) flags.push("--timeout=1");
    return { agent, prompt, flags };
  }

  function recent(random: Random): string | undefined {
    return printed.length === 0 ? undefined : pick(random, printed.slice(-40));
  }

  /** The next command of a worker. */
  function choose(random: Random): Action {
    const at = random();
    const id = recent(random);
    // Before a third of the time it has not even begun to look at the workspace.
    const killAt = random() < 0.85 ? 0.35 + 0.75 * random() : undefined;
    if (id === undefined || at < 0.36) {
      const { agent, prompt, flags } = makeTask(random);
      if (id !== undefined && random() < 0.2) flags.push(`--depends-on=${id}`);
      return { name: "start", args: ["start", "-q", ...flags, agent, prompt], killAt };
    }
    if (at < 0.40) {
      let before: string | undefined;
      const lines = [0, 1, 2].map(() => {
        const { agent, prompt, flags } = makeTask(random);
        // A key is that of one task in the whole workspace, and the token is too.
        const key = `k${token}`;
        const dependsOn = before === undefined ? [] : [before];
        before = key;
        return JSON.stringify({
          key,
          agent,
          prompt,
          ...(flags.includes("--timeout=1") ? { timeout: 1 } : {}),
          autoRetry: flags.includes("--auto-retry"),
          maxRetries: 1,
          dependsOn,
        });
      });
      return {
        name: "start --from",
        args: ["start", "-q", "--from", "-"],
        stdin: lines.join("\n") + "\n",
        killAt,
      };
    }
    if (at < 0.48) return { name: "run", args: ["run"], killAt };
    if (at < 0.52) return { name: "run", args: ["run", "--parallel=4"], killAt };
    if (at < 0.60) return { name: "run --all", args: ["run", "--all"], killAt };
    if (at < 0.63) {
      return {
        name: "run --all --wait",
        args: ["run", "--all", "--wait"],
        lasts: 100 + random() * 1500,
      };
    }
    if (at < 0.66) {
      return { name: "daemon run", args: ["daemon", "run"], lasts: 100 + random() * 2500 };
    }
    if (at < 0.67) return { name: "daemon start", args: ["daemon", "start"], killAt };
    if (at < 0.68) return { name: "daemon stop", args: ["daemon", "stop"], killAt };
    if (at < 0.75) {
      const flags = random() < 0.2 ? ["--with-dependents"] : [];
      return { name: "cancel", args: ["cancel", ...flags, id], killAt };
    }
    if (at < 0.83) {
      const flags = random() < 0.5 ? ["--max-retries=5"] : [];
      return { name: "retry", args: ["retry", ...flags, id], killAt };
    }
    if (at < 0.90) return { name: "status", args: ["--json", "status"], killAt };
    if (at < 0.93) return { name: "timeout extend", args: ["timeout", "extend", id, "1"], killAt };
    if (at < 0.95) return { name: "timeout", args: ["timeout", id], killAt };
    if (at < 0.98) return { name: "archive", args: ["archive"], killAt };
    if (at < 0.99) return { name: "archive restore", args: ["archive", "restore", id], killAt };
    return { name: "doctor --fix", args: ["doctor", "--fix"], killAt };
  }

  async function work(number: number): Promise<void> {
    const random = createRandom(seed * 1000 + number);
    while (goesOn()) {
      const action = choose(random);
      const { killed, stdout, code } = await execute(action);
      for (const [, id, ended] of stdout.matchAll(/ended what still ran of (task_\d+): (\d+)/g)) {
        outlived.set(id!, (outlived.get(id!) ?? 0) + Number(ended));
      }
      if (action.name.startsWith("start")) {
        // A line counts once its end is there: a kill may cut the text in the middle.
        for (const line of stdout.split("\n").slice(0, -1)) {
          if (/^task_\d{10,20}$/.test(line)) printed.push(line);
          else violated(`${action.args.join(" ")} printed ${JSON.stringify(line)}`);
        }
        if (!killed && code !== 0) {
          // A dependency that was archived or cleaned in the meantime is all that may be wrong.
          if (code !== 3) violated(`${action.args.join(" ")} ended with ${code}`);
        }
      }
      if (action.name === "status" && !killed) {
        const { damaged } = JSON.parse(stdout);
        if (damaged.length > 0) violated(`status reports damage: ${JSON.stringify(damaged)}`);
      }
    }
  }

  /** Kills agents, shims and supervisors now and then. */
  async function hunt(): Promise<void> {
    const random = createRandom(seed * 1000 + 999);
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, 10 + random() * 150));
      const kind = pick(random, ["agent", "agent", "shim", "supervisor"]);
      const victims = findProcesses(root).filter((process) => process.kind === kind);
      if (victims.length === 0) continue;
      const { pid, task } = pick(random, victims);
      if (task !== null) hurt.add(task);
      try {
        Deno.kill(pid, "SIGKILL");
        addKill(kind);
        note({ kill: kind, pid, task });
      } catch {
        // It had ended by itself.
      }
    }
  }

  for (const args of [["status"], ["run"], ["archive"]]) {
    await execute({ name: args[0]!, args });
  }
  const tick = setInterval(() => say(`${killed} killed, ${printed.length} started`), 10_000);
  await Promise.all([hunt(), ...Array.from({ length: workers }, (_, number) => work(number))]);
  clearInterval(tick);
  for (const { pid, kind } of findProcesses(root)) {
    if (kind === "supervisor") Deno.kill(pid, "SIGKILL");
  }
  say("Nobody is killed any more; the queue settles");
  const settle = performance.now();
  const last = await execute({
    name: "settle",
    args: ["run", "--all", "--wait"],
    lasts: SETTLE_WITHIN,
  });
  if (last.killed) violated(`The queue did not settle within ${SETTLE_WITHIN / 1000} s`);
  say(`Settled after ${((performance.now() - settle) / 1000).toFixed(1)} s`);

  // Deliveries may be owed by somebody who was killed: a look leaves somebody who makes them.
  await execute({ name: "look", args: ["status"] });
  await gone(() => findBegun(root).every(({ kind }) => kind !== "supervisor"));
  const found = await check();
  journal.close();
  const report: TortureReport = {
    seed,
    folder,
    violations,
    commands,
    kills,
    ...found,
    seconds: (performance.now() - began) / 1000,
  };
  for (const { pid } of findProcesses(root)) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // Ended just now.
    }
  }
  if (violations.length === 0) await Deno.remove(folder, { recursive: true });
  return report;

  /** The ledger and the files, compared. */
  async function check(): Promise<
    Pick<TortureReport, "tasks" | "launches" | "releases" | "leftOver">
  > {
    const tasks = new Map<string, Task>();
    // Its own file is moved last: what else of it is there may be of an archiving that was killed.
    const archived = new Set<string>();
    for (const place of ["tasks", "archive"]) {
      for (const { name } of Deno.readDirSync(`${root}/.orchestra/${place}`)) {
        if (!/^task_\d+\.json$/.test(name)) continue;
        const id = name.slice(0, -5);
        const path = `${place}/${name}`;
        if (place === "archive") archived.add(id);
        const parsed = parseTask(Deno.readTextFileSync(`${root}/.orchestra/${path}`), id);
        if ("problem" in parsed) violated(`torn file: ${path} ${parsed.problem}`);
        else if (tasks.has(id)) violated(`${id} is in tasks/ and in archive/`);
        else tasks.set(id, parsed.task);
      }
    }
    for (const id of printed) {
      if (!tasks.has(id)) violated(`lost: ${id} was printed by start and is in no folder`);
    }

    const events = await readAll(`${root}/.orchestra`);
    for (const text of contradictions(events, tasks, archived)) violated(`history: ${text}`);
    for (const text of listeners.problems(events)) violated(`told: ${text}`);

    const ledger = readLedger(ledgerFolder, violated);
    const launched = new Set(
      events.filter(({ event }) => event === "launched").map(({ task }) => task),
    );
    for (const [id, shims] of ledger.starts) {
      if (shims.length > 1) violated(`${id} was launched ${shims.length} times`);
      if (!tasks.has(id)) violated(`${id} was launched and is in no folder`);
      if (!launched.has(id)) violated(`history: ${id} was launched, and that is not told`);
    }
    for (const [id, times] of ledger.verified) {
      if (times > 1) violated(`${id} was verified ${times} times`);
    }

    const seen = await execute({ name: "check", args: ["--json", "status", "--all"] });
    const status = JSON.parse(seen.stdout);
    if (status.damaged.length > 0) violated(`damaged: ${JSON.stringify(status.damaged)}`);
    const phases = new Map<string, string>(
      status.tasks.map((view: { taskId: string; phase: string }) => [view.taskId, view.phase]),
    );
    const stats = await execute({ name: "check", args: ["--json", "stats"] });
    const { total: { attempts } } = JSON.parse(stats.stdout);
    for (const end of ["complete", "failed", "cancelled"]) {
      const count = [...tasks.values()].filter((task) => task.status === end).length;
      if (attempts[end] !== count) {
        violated(`stats counts ${attempts[end]} ${end}, the files of the tasks ${count}`);
      }
    }

    const states: Record<string, number> = {};
    let releases = 0;
    const successors = new Map<string, string[]>();
    for (const task of tasks.values()) {
      releases += Math.max(0, task.claim - 1);
      const earlier = task.retryHistory.at(-1)?.retriedFrom;
      if (earlier) successors.set(earlier, [...successors.get(earlier) ?? [], task.taskId]);
      const blocked = task.status === "pending" && phases.get(task.taskId) === "blocked";
      count(states, blocked ? "blocked" : task.status);
      if (!isTerminal(task.status) && !blocked) {
        violated(`${task.taskId} is ${task.status} (${phases.get(task.taskId)}) in the end`);
      }
      for (const text of disagreements(task, ledger, hurt)) violated(`${task.taskId} ${text}`);
    }
    for (const [id, list] of successors) {
      const task = tasks.get(id);
      if (list.length > 1) violated(`${id} was retried ${list.length} times: ${list.join(", ")}`);
      else if (task !== undefined && task.retriedBy !== list[0]) {
        violated(`${id} does not name its retry ${list[0]}, but ${task.retriedBy}`);
      }
    }

    const ownerOf = (task: string | null) => task === null ? undefined : tasks.get(task);
    /** How many claims of a task launched nothing. */
    const idleClaims = (id: string) =>
      (tasks.get(id)?.claim ?? 0) - (ledger.starts.get(id)?.length ?? 0);
    const leftOver = () =>
      findBegun(root).filter(({ kind, task }) => kind !== "tool" || !mayLeave(ownerOf(task)));
    // What ends with somebody else, as the sender of a supervisor does, ends a moment after that one.
    await gone(() => leftOver().length === 0);
    for (const { pid, kind, task, text } of leftOver()) {
      const { status } = ownerOf(task) ?? {};
      violated(`left over: ${kind} ${pid} of ${task} (${status}): ${text.slice(0, 200)}`);
    }
    for (const [id, ended] of outlived) {
      const owner = tasks.get(id);
      // A shim whose task was over before it came is there for a moment, and runs nothing.
      if (ended > idleClaims(id) && !mayLeave(owner)) {
        violated(`something of ${id} (${owner?.status}) had outlived it: ${ended} processes`);
      }
    }
    for (const name of ["lock", "daemon.lock"]) {
      using file = Deno.openSync(`${root}/.orchestra/${name}`, { read: true, write: true });
      if (!file.tryLockSync(true)) violated(`${name} is held by nobody that we know`);
    }

    const files = temporaries(root).length;
    // Who cannot be seen may be writing; after a while nobody is.
    const earlier = new Date(Date.now() - 3_600_000);
    for (const name of temporaries(root)) Deno.utimeSync(`${root}/${name}`, earlier, earlier);
    await execute({ name: "check", args: ["doctor", "--fix"] });
    const after = temporaries(root);
    if (after.length > 0) violated(`doctor --fix leaves ${after.slice(0, 5).join(", ")}`);
    // Also a shim that is half made.
    await gone(() => findProcesses(root).every(({ kind }) => kind !== "shim"));
    for (const { pid, task } of findProcesses(root).filter(({ kind }) => kind === "shim")) {
      violated(`doctor --fix leaves the shim ${pid} of ${task}`);
    }
    return { tasks: states, launches: ledger.starts.size, releases, leftOver: files };
  }
}

/** What an agent that ended by itself leaves running is its own affair. */
function mayLeave(task: Task | undefined): boolean {
  return task?.failureClass === "exit";
}

/** An empty folder; its path has `/`. */
async function makeFolder(): Promise<string> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra-torture-" }));
  return ON_WINDOWS ? path.replaceAll("\\", "/") : path;
}

/** One file of the whole program, for a quick start; the module itself where it cannot be made. */
async function bundle(folder: string): Promise<string> {
  const path = `${folder}/orchestra.js`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "-o", path, MAIN],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success ? path : MAIN;
}

/** The report, for a person. */
export function formatReport(report: TortureReport): string {
  const list = (counts: Record<string, number>) => {
    const total = Object.values(counts).reduce((sum, value) => sum + value, 0);
    const parts = Object.entries(counts).sort(([, a], [, b]) => b - a)
      .map(([name, value]) => `${name} ${value}`);
    return `${total} (${parts.join(", ")})`;
  };
  const lines = [
    `seed      ${report.seed}`,
    `commands  ${list(report.commands)}`,
    `kills     ${list(report.kills)}`,
    `tasks     ${list(report.tasks)}`,
    `launches  ${report.launches}, claims taken back ${report.releases}`,
    `left over ${report.leftOver} temporary files, removed by doctor --fix`,
    `took      ${report.seconds.toFixed(1)} s`,
  ];
  if (report.violations.length === 0) lines.push("No violation");
  else {
    lines.push(
      `${report.violations.length} VIOLATIONS; kept in ${report.folder} (journal.jsonl, ledger)`,
      ...report.violations.slice(0, 40).map((text) => `  ${text}`),
      `Again with: deno task torture --seed ${report.seed} (same commands and moments; the ` +
        "interleaving is the kernel's)",
    );
  }
  return lines.join("\n");
}

/** The same over many workspaces of one user, for what holds across them. */
export async function tortureWorkspaces(
  options: TortureOptions & { workspaces: number },
): Promise<EverywhereReport> {
  const folder = await makeFolder();
  const program = await bundle(folder);
  const { say = () => {} } = options;
  const random = createRandom;
  const report = await tortureEverywhere({ ...options, folder, program, random, say });
  if (report.violations.length === 0) await Deno.remove(folder, { recursive: true });
  else say(`Kept in ${folder}`);
  return report;
}

/** The same in a git repository, with a worktree for each task. */
export async function tortureRepository(options: TortureOptions): Promise<WorktreesReport> {
  const folder = await makeFolder();
  const program = await bundle(folder);
  const { say = () => {} } = options;
  const report = await tortureWorktrees({
    ...options,
    folder,
    program,
    random: createRandom,
    say,
  });
  if (report.violations.length === 0) await Deno.remove(folder, { recursive: true });
  else say(`Kept in ${folder}`);
  return report;
}

type Parsed = TortureOptions & { workspaces?: number; worktrees?: number };

function parseArgs(args: readonly string[]): Parsed {
  const values: Record<string, number> = {};
  for (let at = 0; at < args.length; at++) {
    if (args[at] === "--worktrees") {
      values.worktrees = 1;
      continue;
    }
    const match = /^--(kills|seed|seconds|workers|workspaces)(?:=(\d+))?$/.exec(args[at]!);
    const value = Number(match?.[2] ?? args[++at]);
    if (match === null || !Number.isInteger(value)) {
      console.error(
        "Usage: torture [--kills N] [--seed N] [--seconds S] [--workers W] [--workspaces N] [--worktrees]",
      );
      Deno.exit(2);
    }
    values[match[1]!] = value;
  }
  if (ON_WINDOWS && (values.workspaces ?? values.worktrees) !== undefined) {
    console.error("--workspaces and --worktrees take agents that need sh: leave them out");
    Deno.exit(2);
  }
  if (values.kills === undefined && values.seconds === undefined) values.kills = 2000;
  return { seed: Date.now() % 1_000_000, ...values };
}

if (import.meta.main) {
  const options = parseArgs(Deno.args);
  console.log(`seed ${options.seed}`);
  const { workspaces } = options;
  if (workspaces !== undefined) {
    const say = (text: string) => console.log(text);
    const report = await tortureWorkspaces({ ...options, workspaces, say });
    console.log(formatEverywhere(report));
    Deno.exit(report.violations.length === 0 ? 0 : 1);
  }
  if (options.worktrees !== undefined) {
    const report = await tortureRepository({ ...options, say: (text) => console.log(text) });
    console.log(formatWorktrees(report));
    Deno.exit(report.violations.length === 0 ? 0 : 1);
  }
  const report = await torture({ ...options, say: (text) => console.log(text) });
  console.log(formatReport(report));
  Deno.exit(report.violations.length === 0 ? 0 : 1);
}
