// The torture of limits across workspaces: many workspaces of one user, commands, supervisors, shims and
// agents killed at random moments. In the end what the agents themselves wrote must show that no limit was
// ever broken, every queue has come to its end, and every slot can be had again. Linux only.
//
//   deno task torture --workspaces 5 [--kills 500] [--seed 42] [--seconds 60]

import { isTerminal, parseTask, type Task } from "../../lib/task/fields.ts";
import { findProcesses, gone } from "./processes.ts";

/** What a run is asked to do. It ends with the first of the two limits that is reached. */
export interface RunOptions {
  seed: number;
  /** Processes to kill; no limit where absent. */
  kills?: number;
  /** How long to go on, seconds; no limit where absent. */
  seconds?: number;
  /** Numbers from 0 to 1. */
  random: (seed: number) => () => number;
  /** The program to run. */
  program: string;
  /** Empty; kept where something is wrong. */
  folder: string;
  say: (text: string) => void;
}

/** The same over so many workspaces. */
export interface EverywhereOptions extends RunOptions {
  workspaces: number;
}

/** What a run found. */
export interface EverywhereReport {
  violations: string[];
  /** Processes killed, by kind. */
  kills: Record<string, number>;
  launches: number;
  /** Most that ran at once, by provider and of all. */
  most: Record<string, number>;
  /** Longest time between a claim and the agent's first line, milliseconds. */
  delay: number;
}

const MACHINE = 4;
const CONCURRENT: Readonly<Record<string, number>> = { anthropic: 2, openai: 3 };
const RATE = { provider: "openai", most: 8, within: 4000 } as const;
const SETTINGS = {
  limits: {
    anthropic: { concurrent: CONCURRENT.anthropic },
    openai: { concurrent: CONCURRENT.openai, launches: `${RATE.most}/${RATE.within / 1000}s` },
  },
  machine: { concurrent: MACHINE },
  interval: 1,
  grace_period: 0.2,
  max_retries: 1000,
  auto_retry: true,
  retry: { base: 0.05, factor: 1, cap: 0.1 },
};

/** Writes when it begins and ends. With `together` it ends when so many are there at once. */
const AGENT = `
say() { echo "$1 $ORCHESTRA_TASK_ID $(date +%s%N) $provider $$" >>"$ledger"; }
say begin
case $what in
  together) echo >"$ledger.$ORCHESTRA_TASK_ID"
    while [ "$(ls "$ledger".task_* | wc -l)" -lt ${MACHINE} ]; do sleep 0.05; done ;;
  *) sleep "$what" ;;
esac
say end
`;

/** Milliseconds in which a queue must come to its end that is not disturbed any more. */
const SETTLE_WITHIN = 300_000;

/** A run of one agent, as it wrote it itself; milliseconds since the epoch. */
interface Run {
  task: string;
  provider: string;
  begin: number;
  /** When it ended, or was killed by us; null where nobody knows. */
  end: number | null;
}

export async function tortureEverywhere(options: EverywhereOptions): Promise<EverywhereReport> {
  const { folder, seed, say, program } = options;
  const ledger = `${folder}/ledger`;
  const env = {
    XDG_CONFIG_HOME: `${folder}/config`,
    XDG_STATE_HOME: `${folder}/state`,
    NO_COLOR: "1",
  };
  const roots = Array.from({ length: options.workspaces }, (_, at) => `${folder}/w${at}`);
  prepare(folder, roots, ledger);
  const kills: Record<string, number> = {};
  /** When an agent was killed, by its process. */
  const killed = new Map<number, number>();
  const violations: string[] = [];
  const began = performance.now();
  const total = () => Object.values(kills).reduce((sum, value) => sum + value, 0);
  const goesOn = () =>
    total() < (options.kills ?? Infinity) &&
    performance.now() - began < (options.seconds ?? Infinity) * 1000;

  function addKill(kind: string): void {
    kills[kind] = (kills[kind] ?? 0) + 1;
  }

  async function execute(root: string, args: readonly string[], killAfter?: number) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-prompt", program, "-C", root, ...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = killAfter === undefined ? undefined : setTimeout(() => {
      try {
        child.kill("SIGKILL");
        addKill(args[0]!);
      } catch {
        // It had ended.
      }
    }, killAfter);
    const { code, signal, stderr } = await child.output();
    clearTimeout(timer);
    const text = new TextDecoder().decode(stderr).trim();
    if (signal === null && ![0, 1, 4].includes(code)) {
      violations.push(`${args.join(" ")} ended with ${code}: ${text.slice(0, 300)}`);
    }
    return signal === null && code === 0;
  }

  async function work(number: number): Promise<void> {
    const random = options.random(seed * 1000 + number);
    while (goesOn()) {
      const root = roots[Math.floor(random() * roots.length)]!;
      const killAfter = random() < 0.5 ? 60 + random() * 200 : undefined;
      const agent = ["claude", "codex", "codex", "plain"][Math.floor(random() * 4)]!;
      const at = random();
      if (at < 0.5) {
        const seconds = ["0", "0.1", "0.5", "1"][Math.floor(random() * 4)]!;
        await execute(root, ["start", "-q", agent, seconds], killAfter);
      } else if (at < 0.85) await execute(root, ["run", "--all"], killAfter);
      else if (at < 0.92) await execute(root, ["run"], killAfter);
      else await execute(root, ["status"], killAfter);
    }
  }

  async function hunt(): Promise<void> {
    const random = options.random(seed * 1000 + 999);
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, 10 + random() * 150));
      // The agent is a shell: what it writes stands in its arguments.
      const found = roots.flatMap((root) => findProcesses(root)).map((process) =>
        process.kind === "tool" && process.text.includes("say begin")
          ? { ...process, kind: "agent" as const }
          : process
      );
      const kind = ["agent", "shim", "supervisor", "supervisor"][Math.floor(random() * 4)]!;
      const victims = found.filter((process) => process.kind === kind);
      if (victims.length === 0) continue;
      const { pid } = victims[Math.floor(random() * victims.length)]!;
      try {
        const now = Date.now();
        Deno.kill(pid, "SIGKILL");
        if (kind === "agent") killed.set(pid, now);
        addKill(kind);
      } catch {
        // It had ended by itself.
      }
    }
  }

  await Promise.all([hunt(), ...[1, 2, 3, 4].map(work)]);
  say(`${total()} killed; the queues come to their end`);
  await settle(roots);
  // Every slot can be had: as many as the machine takes run at one moment, and end only then.
  const together = ["claude", "claude", "codex", "codex"].map((agent, at) =>
    execute(roots[at % roots.length]!, ["start", "-q", agent, "together"])
  );
  if (!(await Promise.all(together)).every((ok) => ok)) violations.push("start failed in the end");
  await settle(roots);
  for (const { kind, pid, task, text } of roots.flatMap((root) => findProcesses(root))) {
    violations.push(`left over: ${kind} ${pid} of ${task}: ${text.slice(0, 200)}`);
  }

  const tasks = readTasks(roots);
  for (const task of tasks.values()) {
    if (!isTerminal(task.status)) violations.push(`${task.taskId} is ${task.status} in the end`);
  }
  const runs = readRuns(ledger, killed);
  const most = check(runs, violations);
  const delay = checkRate(runs, tasks, violations);
  return { violations, kills, launches: runs.length, most, delay };

  async function settle(roots: readonly string[]): Promise<void> {
    const limit = setTimeout(() => {
      violations.push(`The queues did not settle within ${SETTLE_WITHIN / 1000} s`);
      for (const root of roots) {
        for (const { pid } of findProcesses(root)) Deno.kill(pid, "SIGKILL");
      }
    }, SETTLE_WITHIN);
    await Promise.all(
      roots.map((root) => execute(root, ["run", "--all", "--wait"], SETTLE_WITHIN)),
    );
    clearTimeout(limit);
    await gone(() => roots.every((root) => findProcesses(root).length === 0));
  }
}

/** Folders, settings and agents: all of the user's. */
function prepare(folder: string, roots: readonly string[], ledger: string): void {
  for (const root of roots) {
    Deno.mkdirSync(`${root}/.orchestra`, { recursive: true, mode: 0o700 });
    Deno.mkdirSync(`${root}/.orchestra-cli`);
  }
  const agent = (provider?: string) => ({
    command: "sh",
    args: ["-c", AGENT],
    env: { ledger, provider: provider ?? "none", what: "{userPrompt}" },
    completion: "exit",
    ...(provider === undefined ? {} : { provider }),
  });
  const agents = { claude: agent("anthropic"), codex: agent("openai"), plain: agent() };
  Deno.mkdirSync(`${folder}/config/orchestra`, { recursive: true });
  const write = (name: string, value: unknown) =>
    Deno.writeTextFileSync(`${folder}/config/orchestra/${name}`, JSON.stringify(value));
  write("settings.json", SETTINGS);
  write("agents.json", { agents });
}

function readTasks(roots: readonly string[]): Map<string, Task> {
  const tasks = new Map<string, Task>();
  for (const root of roots) {
    for (const { name } of Deno.readDirSync(`${root}/.orchestra/tasks`)) {
      if (!/^task_\d+\.json$/.test(name)) continue;
      const id = name.slice(0, -5);
      const parsed = parseTask(Deno.readTextFileSync(`${root}/.orchestra/tasks/${name}`), id);
      if ("task" in parsed) tasks.set(id, parsed.task);
    }
  }
  return tasks;
}

function readRuns(ledger: string, killed: ReadonlyMap<number, number>): Run[] {
  const runs = new Map<string, Run & { pid: number }>();
  for (const line of Deno.readTextFileSync(ledger).trim().split("\n")) {
    const [verb, task = "", time = "", provider = "", pid = ""] = line.split(" ");
    // What tells the time is a process of its own, which may have been killed in the agent's place.
    if (time === "") continue;
    const key = `${task} ${pid}`;
    const at = Number(time) / 1e6;
    if (verb === "begin") {
      runs.set(key, { task, provider, begin: at, end: null, pid: Number(pid) });
    } else if (runs.has(key)) runs.get(key)!.end = at;
  }
  return [...runs.values()].map(({ pid, ...run }) => ({
    ...run,
    end: run.end ?? killed.get(pid) ?? null,
  }));
}

/** Most that ran at once, by provider and of all; what is over a limit is a violation. */
function check(runs: readonly Run[], violations: string[]): Record<string, number> {
  const most: Record<string, number> = {};
  const bounds: [string, number, (run: Run) => boolean][] = [
    ["machine", MACHINE, () => true],
    ...Object.entries(CONCURRENT).map(([name, limit]) =>
      [name, limit, (run: Run) => run.provider === name] as [string, number, (run: Run) => boolean]
    ),
  ];
  for (const [name, limit, isOf] of bounds) {
    const changes = runs.filter(isOf).flatMap(({ begin, end }) => // Whose end nobody knows is counted for the moment of its beginning alone.
    [{ at: begin, by: 1 }, { at: end ?? begin, by: -1 }]).sort((a, b) =>
      a.at - b.at || a.by - b.by
    );
    let running = 0;
    most[name] = 0;
    for (const { at, by } of changes) {
      running += by;
      most[name] = Math.max(most[name]!, running);
      if (running > limit && by > 0) {
        violations.push(`${running} of ${name} ran at once at ${new Date(at).toISOString()}`);
      }
    }
  }
  return most;
}

/**
 * Whether any stretch of time has more launches than its rate says. An agent writes a little after it was
 * launched, by the longest such delay at most: what is that much shorter holds in any case.
 */
function checkRate(
  runs: readonly Run[],
  tasks: ReadonlyMap<string, Task>,
  violations: string[],
): number {
  const delays = runs.map(({ task, begin }) => {
    const started = tasks.get(task)?.startedAt;
    return started ? begin - Date.parse(started) : 0;
  });
  const delay = Math.max(0, ...delays);
  const times = runs.filter(({ provider }) => provider === RATE.provider)
    .map(({ begin }) => begin).sort((a, b) => a - b);
  for (let at = RATE.most; at < times.length; at++) {
    const took = times[at]! - times[at - RATE.most]!;
    if (took < RATE.within - delay) {
      violations.push(`${RATE.most + 1} launches of ${RATE.provider} within ${took.toFixed(0)} ms`);
    }
  }
  return delay;
}

/** The report, for a person. */
export function formatEverywhere(report: EverywhereReport): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts).map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    `kills     ${list(report.kills)}`,
    `launches  ${report.launches}`,
    `at once   ${list(report.most)} (limits: machine ${MACHINE}, ${list({ ...CONCURRENT })})`,
    `delay     ${report.delay.toFixed(0)} ms at most between claim and agent`,
    report.violations.length === 0 ? "No violation" : `${report.violations.length} VIOLATIONS`,
    ...report.violations.slice(0, 40).map((text) => `  ${text}`),
  ].join("\n");
}
