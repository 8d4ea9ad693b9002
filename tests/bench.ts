// `deno task bench`: what Orchestra costs, measured on whole processes and printed as ratios to the
// bare runtime (`deno run` of an empty file) in the same run. The commands that are compared take
// turns, so that a slow moment of the machine hits all of them; a line is the median and, in
// parentheses, the 10th and 90th percentile.
//
//   deno task bench [--quick] [--only <section>]… [--dir <folder for the workspaces>] [--keep]

import { SHIM } from "../lib/launch/posix/shim.ts";
import { eventsBetween } from "../lib/decide/history.ts";
import { beginSection } from "../lib/store/history.ts";
import { takeLock } from "../lib/store/lock.ts";
import { createFolders } from "../lib/store/paths.ts";
import { openStore } from "../lib/store/tasks.ts";
import { formatEvent } from "../lib/task/event.ts";
import { formatTask, newTask, type Task } from "../lib/task/fields.ts";
import { addWorkspace } from "../lib/workspaces/registry.ts";
import { writeLargeHistory } from "./metrics/large_history.ts";

const REPO = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const BUNDLE = `${REPO}/dist/orchestra.js`;
const quick = Deno.args.includes("--quick");
const valuesOf = (name: string) =>
  Deno.args.flatMap((arg, at) => arg === name ? [Deno.args[at + 1] ?? ""] : []);
const only = valuesOf("--only");
const base = Deno.makeTempDirSync({ prefix: "orchestra-bench-", dir: valuesOf("--dir")[0] });
/** The file as it is installed: in a folder of its own, with no settings of Deno's beside it. */
const INSTALLED = `${base}/bin/orchestra.js`;
/** Another, for starting it by its first line: that has flags of its own, and so has its code cache. */
const STARTED = `${base}/bin/started/orchestra.js`;
const decoder = new TextDecoder();
// The user's own settings and records are neither read nor added to.
Deno.env.set("XDG_CONFIG_HOME", `${base}/user/config`);
Deno.env.set("XDG_STATE_HOME", `${base}/user/state`);

// ---------------------------------------------------------------- numbers and lines

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

const median = (values: readonly number[]) => percentile(values, 0.5);

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function spread(values: readonly number[]): string {
  return `${round(median(values))} (${round(percentile(values, 0.1))}–${
    round(percentile(values, 0.9))
  })`;
}

let missed = 0;

/** A bound of the issue: met where the value is at most (or, with `least`, at least) the limit. */
function verdict(value: number, limit: number, unit = "", least = false): string {
  const met = least ? value >= limit : value <= limit;
  if (!met) missed++;
  return `${least ? "≥" : "≤"} ${limit}${unit}: ${met ? "met" : "MISSED"}`;
}

function heading(text: string): void {
  console.log(`\n${text}\n${"-".repeat(text.length)}`);
}

function line(name: string, value: string, ratio = "", bound = ""): void {
  console.log(`${name.padEnd(40)} ${value.padEnd(30)} ${ratio.padEnd(9)} ${bound}`.trimEnd());
}

// ---------------------------------------------------------------- processes

interface Program {
  name: string;
  /** What is executed, in the workspace; Deno, from elsewhere, where absent. */
  command?: string;
  /** Arguments of Deno before those of Orchestra. */
  args: readonly string[];
}

const itself: Program = { name: "by its first line", command: STARTED, args: [] };
const bundled: Program = { name: "bundle", args: ["run", "-A", INSTALLED] };
const source: Program = { name: "source", args: ["run", "-A", `${REPO}/main.ts`] };

function runSync(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = base,
) {
  const { success, stdout, stderr } = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    cwd,
    env: { NO_COLOR: "1", ...env },
  }).outputSync();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")} failed:\n${decoder.decode(stderr)}`);
  }
  return decoder.decode(stdout);
}

function orchestra(program: Program, workspace: string, ...args: string[]): string {
  return runSync(Deno.execPath(), [...program.args, "-C", workspace, ...args]);
}

/** Milliseconds that a command takes from being started to its end having been noticed. */
function timed(
  command: string,
  args: readonly string[],
  env?: Record<string, string>,
  cwd?: string,
): number {
  const began = performance.now();
  runSync(command, args, env, cwd);
  return performance.now() - began;
}

/** The same for a command of ours over a workspace. */
function timedIn(root: string, program: Program, ...args: string[]): number {
  if (program.command === undefined) {
    return timed(Deno.execPath(), [...program.args, "-C", root, ...args]);
  }
  // Its first line looks for Deno on PATH.
  const folder = Deno.execPath().slice(0, Deno.execPath().lastIndexOf("/"));
  const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
  return timed(program.command, [...program.args, ...args], env, root);
}

function isInstalled(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

async function until(what: string, test: () => boolean, step = 2, limit = 60_000): Promise<void> {
  const deadline = performance.now() + limit;
  while (!test()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await sleep(step);
  }
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

interface Usage {
  rss: number;
  pss: number;
  /** Not shared with any other process. */
  own: number;
}

/** Memory of a process in MB. */
function memoryOf(pid: number): Usage {
  const text = readText(`/proc/${pid}/smaps_rollup`) ?? "";
  const field = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}: *(\\d+) kB`, "gm"))]
      .reduce((sum, match) => sum + Number(match[1]), 0) / 1024;
  return { rss: field("Rss"), pss: field("Pss"), own: field("Private_(?:Clean|Dirty)") };
}

function describeMemory({ rss, pss, own }: Usage): string {
  return `RSS ${round(rss)}, PSS ${round(pss)}, own ${round(own)} MB`;
}

/** CPU time of a process so far, in ticks of 10 ms. */
function cpuTicks(pid: number): number {
  const text = readText(`/proc/${pid}/stat`) ?? "";
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** CPU time of a process so far in milliseconds, finer than ticks. */
function cpuMillis(pid: number): number {
  let nanos = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    nanos += Number(readText(`/proc/${pid}/task/${name}/schedstat`)?.split(" ")[0] ?? 0);
  }
  return nanos / 1e6;
}

// ---------------------------------------------------------------- workspaces

const AGENTS = {
  nothing: { command: "true", args: [], completion: "exit" },
  sleeper: { command: "sleep", args: ["600"], completion: "sentinel" },
};

/** A new workspace with `finished` tasks that have ended, of which a few failed. */
function makeWorkspace(name: string, finished: number): string {
  const root = `${base}/${name}`;
  Deno.mkdirSync(root);
  orchestra(bundled, root, "init");
  const path = `${root}/.orchestra-cli/agent-config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  Object.assign(config.agents, AGENTS);
  Deno.writeTextFileSync(path, JSON.stringify(config, null, 2));
  const now = Date.now() - 86_400_000;
  for (let number = 0; number < finished; number++) {
    const failed = number % 20 === 0;
    const at = now + number * 1000;
    addTask(root, {
      status: failed ? "failed" : "complete",
      startedAt: new Date(at).toISOString(),
      completedAt: new Date(at + 65_000).toISOString(),
      exitCode: failed ? 1 : 0,
      failureClass: failed ? "exit" : null,
      errorMessage: failed ? "The agent ended with exit code 1" : null,
      claim: 1,
      pid: 4321,
      result: failed ? null : { summary: `Did step ${number}`, files: [`src/part_${number}.ts`] },
    }, at);
  }
  return root;
}

let lastId = 0;

/** Puts a task into a workspace, as `start` would. */
function addTask(root: string, change: Partial<Task>, at = Date.now()): string {
  lastId = Math.max(lastId + 1, at);
  const id = `task_${lastId}`;
  const prompt = `Step ${lastId}: refactor the parser, keep the tests green and say what changed`;
  const task = { ...newTask(id, { agent: "nothing", prompt }, at), ...change };
  Deno.writeTextFileSync(`${root}/.orchestra/tasks/${id}.json`, formatTask(task), { mode: 0o600 });
  return id;
}

function readTask(root: string, id: string): Task {
  return JSON.parse(Deno.readTextFileSync(`${root}/.orchestra/tasks/${id}.json`));
}

function readTasks(root: string): Task[] {
  return [...Deno.readDirSync(`${root}/.orchestra/tasks`)]
    .filter(({ name }) => name.endsWith(".json"))
    .map(({ name }) => readTask(root, name.slice(0, -5)));
}

/** Pid of whoever watches over a workspace. */
function watcherOf(root: string): number | undefined {
  const text = readText(`${root}/.orchestra/daemon.json`);
  try {
    return text === undefined ? undefined : JSON.parse(text).pid;
  } catch {
    return undefined;
  }
}

function lives(pid: number): boolean {
  const stat = readText(`/proc/${pid}/stat`);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

/** Waits until the workspace is at rest: nothing running, nobody watching. */
async function atRest(root: string): Promise<void> {
  await until("the supervisor has gone", () => {
    const pid = watcherOf(root);
    return (pid === undefined || !lives(pid)) && lockIsFree(root);
  });
}

function lockIsFree(root: string): boolean {
  using file = openLock(root);
  return file?.tryLockSync(true) ?? true;
}

function openLock(root: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(`${root}/.orchestra/daemon.lock`, { read: true, write: true });
  } catch {
    return undefined;
  }
}

async function started(root: string, id: string): Promise<void> {
  await until(
    `${id} runs`,
    () => (readText(`${root}/.orchestra/tasks/${id}.1.pid`) ?? "").endsWith("\n"),
  );
}

/** Identity of the shim of a task's first launch. */
function shimPid(root: string, id: string): number {
  return Number.parseInt(Deno.readTextFileSync(`${root}/.orchestra/tasks/${id}.1.pid`), 10);
}

function childrenOf(pid: number): number[] {
  const text = readText(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text.split(" ").filter((part) => part !== "").map(Number);
}

// ---------------------------------------------------------------- sections

interface Case {
  name: string;
  /** Before the clock starts. */
  prepare?: () => unknown;
  run: () => number;
  /** After it has stopped. */
  settle?: () => unknown;
  bound?: number;
}

/** Runs the cases in turns; the first is what the others are compared with. */
async function compare(cases: readonly Case[], rounds: number): Promise<void> {
  const samples = new Map<Case, number[]>(cases.map((item) => [item, []]));
  for (let turn = -2; turn < rounds; turn++) {
    for (const item of cases) {
      await item.prepare?.();
      const millis = item.run();
      await item.settle?.();
      // The first turns fill the caches.
      if (turn >= 0) samples.get(item)!.push(millis);
    }
  }
  const bare = median(samples.get(cases[0]!)!);
  for (const [item, values] of samples) {
    const ratio = median(values) / bare;
    line(
      item.name,
      `${spread(values)} ms`,
      `${ratio.toFixed(2)}×`,
      item.bound === undefined ? "" : verdict(Number(ratio.toFixed(2)), item.bound, "×"),
    );
  }
}

const empty = `${base}/empty.js`;
const bare: Case = {
  name: "bare runtime",
  run: () => timed(Deno.execPath(), ["run", "-A", empty]),
};

function notRun(name: string): void {
  line(name, "not run: not installed");
}

/** Settings with somebody who is told of each end, and a receiver. */
function withHooks(port: number): string {
  return JSON.stringify({
    hooks: [{ on: ["complete", "failed", "drained"], run: ["true"] }],
    webhooks: [{ url: `http://127.0.0.1:${port}/`, on: ["complete", "failed"] }],
  });
}

async function benchCommands(): Promise<void> {
  heading("Commands, 100 tasks in the folder (ms, ratio to the bare runtime)");
  const cases: Case[] = [bare];
  const receiver = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(),
  );
  const told = { ...bundled, name: "bundle, with hooks" };
  for (const program of [bundled, told, itself, source]) {
    // From source at most twice what the bundle may take.
    const bound = (ratio: number) =>
      program === itself ? undefined : program === source ? 2 * ratio : ratio;
    const root = makeWorkspace(`commands-${program.name}`, 100);
    if (program === told) {
      const path = `${root}/.orchestra/config.json`;
      Deno.writeTextFileSync(path, withHooks(receiver.addr.port));
    }
    const call = (...args: string[]) => timedIn(root, program, ...args);
    let id = "";
    const drop = () => {
      for (const { name } of Deno.readDirSync(`${root}/.orchestra/tasks`)) {
        if (name.startsWith(id)) Deno.removeSync(`${root}/.orchestra/tasks/${name}`);
      }
    };
    cases.push(
      { name: `--version (${program.name})`, run: () => call("--version") },
      {
        name: `start (${program.name})`,
        run: () => call("start", "nothing", "do nothing"),
        settle: () => {
          id = readTasks(root).find((task) => task.status === "pending")!.taskId;
          drop();
        },
        bound: bound(1.8),
      },
      { name: `status (${program.name})`, run: () => call("status"), bound: bound(2.2) },
      {
        name: `run, one task (${program.name})`,
        prepare: () => id = addTask(root, {}),
        run: () => call("run"),
        settle: async () => {
          await until("the task is settled", () => readTask(root, id).status === "complete");
          await atRest(root);
          drop();
        },
        bound: bound(2.5),
      },
      {
        name: `cancel, pending (${program.name})`,
        prepare: () => id = addTask(root, {}),
        run: () => call("cancel", id),
        settle: () => drop(),
        bound: bound(2.2),
      },
      {
        name: `cancel, running (${program.name})`,
        prepare: async () => {
          id = addTask(root, { agent: "sleeper" });
          orchestra(bundled, root, "run");
          await started(root, id);
          await until("somebody watches", () => !lockIsFree(root));
          await sleep(30);
        },
        run: () => call("cancel", id),
        settle: async () => {
          await atRest(root);
          drop();
        },
        bound: bound(2.5),
      },
    );
  }
  if (isInstalled("nq")) {
    Deno.mkdirSync(`${base}/nq-one`);
    cases.push({ name: "nq true", run: () => timed("nq", ["true"], { NQDIR: `${base}/nq-one` }) });
  }
  if (isInstalled("tsp")) {
    cases.push({ name: "tsp true", run: () => timed("tsp", ["true"], tspEnv("one")) });
  }
  await compare(cases, quick ? 7 : 25);
  await receiver.shutdown();
  if (!isInstalled("nq")) notRun("nq true");
  if (isInstalled("tsp")) runSync("tsp", ["-K"], tspEnv("one"));
  else notRun("tsp true");
}

function tspEnv(name: string): Record<string, string> {
  Deno.mkdirSync(`${base}/tsp-${name}`, { recursive: true });
  return { TS_SOCKET: `${base}/tsp-${name}/socket`, TMPDIR: `${base}/tsp-${name}` };
}

async function benchMany(): Promise<void> {
  heading("Ten thousand tasks in the folder");
  const root = makeWorkspace("many", 10_000);
  const cases: Case[] = [bare];
  for (const program of [bundled, itself, source]) {
    const run = (...args: string[]) => timedIn(root, program, ...args);
    cases.push(
      {
        name: `status (${program.name})`,
        run: () => run("status"),
        bound: program === itself ? undefined : program === source ? 24 : 12,
      },
    );
  }
  cases.push({
    name: "status --json (bundle)",
    run: () => timed(Deno.execPath(), [...bundled.args, "-C", root, "status", "--json"]),
  });
  await compare(cases, quick ? 3 : 9);
}

async function benchArchive(): Promise<void> {
  heading("Status with 100 tasks in the folder, over an archive (ratio to an empty one)");
  const empty = makeWorkspace("archive-empty", 100);
  const full = makeWorkspace("archive-full", 100);
  const archive = `${full}/.orchestra/archive`;
  for (let number = 0; number < 100_000; number++) {
    const id = `task_${1_600_000_000_000 + number}`;
    const task = newTask(id, { agent: "nothing", prompt: `Step ${number}` }, 1_600_000_000_000);
    Deno.writeTextFileSync(`${archive}/${id}.json`, formatTask({ ...task, status: "complete" }));
  }
  // One task depends on an archived one: it is found by its name.
  for (const root of [empty, full]) {
    const dependsOn = root === full ? ["task_1600000050000"] : [];
    addTask(root, { dependsOn });
  }
  const status = (root: string) => () =>
    timed(Deno.execPath(), [...bundled.args, "-C", root, "status"]);
  await compare([
    { name: "status, nothing archived", run: status(empty) },
    { name: "status, 100,000 archived", run: status(full), bound: 1.1 },
  ], quick ? 7 : 25);
}

async function benchImport(): Promise<void> {
  heading("start --from, 1,000 tasks (ms a task)");
  const file = `${base}/thousand.jsonl`;
  const items = Array.from({ length: 1000 }, (_, at) => ({
    agent: "nothing",
    prompt: `Step ${at}: port the module, keep its tests green and say what changed`,
    ...(at % 10 === 0 ? { key: `k${at}` } : { dependsOn: [`k${at - at % 10}`] }),
  }));
  Deno.writeTextFileSync(file, items.map((item) => JSON.stringify(item)).join("\n"));
  for (const program of [bundled, source]) {
    const values: number[] = [];
    for (let turn = 0; turn < (quick ? 3 : 7); turn++) {
      const root = makeWorkspace(`import-${program.name}-${turn}`, 0);
      values.push(
        timed(Deno.execPath(), [...program.args, "-C", root, "start", "--from", file]) / 1000,
      );
      await Deno.remove(root, { recursive: true });
    }
    line(
      `start --from (${program.name})`,
      `${spread(values)} ms`,
      "",
      verdict(Number(median(values).toFixed(2)), program === source ? 2 : 1, " ms"),
    );
  }
}

/** Cancels everything and waits until nothing of it is left. */
async function endAll(root: string): Promise<void> {
  orchestra(bundled, root, "config", "set", "grace_period", "1");
  orchestra(bundled, root, "cancel", "--all");
  await atRest(root);
}

async function benchMemory(): Promise<void> {
  heading("Memory and idle CPU, one running agent");
  const root = makeWorkspace("memory", 100);
  const id = addTask(root, { agent: "sleeper" });
  orchestra(bundled, root, "run");
  await started(root, id);
  await until("somebody watches", () => watcherOf(root) !== undefined);
  await sleep(1500);
  const shim = memoryOf(shimPid(root, id));
  line("shim of one agent", describeMemory(shim), "", verdict(+shim.rss.toFixed(1), 2, " MB"));
  await reportWatcher(root, quick ? 4 : 12, 100);
  await endAll(root);
}

/** CPU of a supervisor while nothing happens, and its memory. */
async function reportWatcher(root: string, seconds: number, share: number): Promise<void> {
  const pid = watcherOf(root)!;
  const before = cpuMillis(pid);
  const ticks = cpuTicks(pid);
  await sleep(seconds * 1000);
  const spent = cpuMillis(pid) - before;
  const counted = cpuTicks(pid) - ticks;
  const memory = memoryOf(pid);
  const percent = spent / seconds / 10;
  line(
    "supervisor, memory",
    describeMemory(memory),
    "",
    verdict(+memory.rss.toFixed(1), 80, " MB RSS"),
  );
  line(
    `supervisor, CPU in ${seconds} s of nothing`,
    `${round(spent)} ms, ${counted} ticks`,
    `${percent.toFixed(2)} %`,
    share === 100 ? verdict(counted, 1, " tick") : verdict(+percent.toFixed(3), share, " %"),
  );
}

async function benchHundred(): Promise<void> {
  heading("A hundred running agents and nothing happening");
  const root = makeWorkspace("hundred", 0);
  for (let number = 0; number < 100; number++) addTask(root, { agent: "sleeper" });
  orchestra(bundled, root, "run", "--parallel", "100");
  await until("all run", () => readTasks(root).every((task) => task.status === "running"), 50);
  await until("somebody watches", () => watcherOf(root) !== undefined);
  await sleep(2500);
  const shims = readTasks(root).map((task) => memoryOf(shimPid(root, task.taskId)));
  const total = shims.reduce((sum, { pss }) => sum + pss, 0) / shims.length;
  line("one shim of a hundred", `PSS ${round(total)} MB`, "", verdict(+total.toFixed(2), 2, " MB"));
  await reportWatcher(root, quick ? 5 : 20, 0.5);
  await endAll(root);
}

/** Most that the daemon for all may take: memory in MB, and share of a core while nothing happens. */
const EVERYWHERE_MB = 120;
const EVERYWHERE_SHARE = 0.5;

async function benchEverywhere(): Promise<void> {
  for (const [count, tasks] of quick ? [[20, 1000]] : [[20, 1000], [200, 100]]) {
    heading(`A daemon for all of ${count} workspaces with ${tasks} finished tasks each`);
    await benchDaemonFor(count!, tasks!);
  }
}

async function benchDaemonFor(count: number, tasks: number): Promise<void> {
  const state = `${base}/user/state/orchestra`;
  Deno.mkdirSync(state, { recursive: true });
  const roots = Array.from(
    { length: count },
    (_, at) => makeWorkspace(`everywhere-${count}-${at}`, tasks),
  );
  for (const root of roots) addWorkspace(root, undefined, `${state}/workspaces`);
  const began = performance.now();
  const { pid } = JSON.parse(orchestra(bundled, base, "--json", "daemon", "start", "--everywhere"));
  const isWatched = (root: string) => watcherOf(root) === pid;
  await until("all are watched", () => roots.every(isWatched), 10);
  line("until all are watched", `${round(performance.now() - began)} ms`);
  await sleep(5000);
  const seconds = quick ? 10 : 30;
  const before = cpuMillis(pid);
  await sleep(seconds * 1000);
  const percent = (cpuMillis(pid) - before) / seconds / 10;
  const memory = memoryOf(pid);
  const { rss } = memory;
  const most = Number(rss.toFixed(1));
  line("memory", describeMemory(memory), "", verdict(most, EVERYWHERE_MB, " MB RSS"));
  const share = Number(percent.toFixed(2));
  line(`CPU in ${seconds} s of nothing`, `${share} %`, "", verdict(share, EVERYWHERE_SHARE, " %"));
  line("open files, folders watched", `${openFiles(pid)}, ${watchesOf(pid)}`);
  const id = addTask(roots.at(-1)!, {});
  const added = performance.now();
  await until("a task is complete", () => readTask(roots.at(-1)!, id).status === "complete");
  line("a task in the last one, queued to settled", `${round(performance.now() - added)} ms`);
  orchestra(bundled, base, "daemon", "stop", "--everywhere");
  for (const root of roots) Deno.removeSync(root, { recursive: true });
}

function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Folders that a process watches, by inotify. */
function watchesOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fdinfo`)]
    .map(({ name }) => readText(`/proc/${pid}/fdinfo/${name}`) ?? "")
    .reduce((sum, text) => sum + text.split("inotify wd:").length - 1, 0);
}

/** Runs a loop of a shell, enqueueing all jobs and waiting for the last; jobs a second. */
function shellRate(script: string, jobs: number, env: Record<string, string>): number {
  const millis = timed("sh", ["-c", script], env);
  return jobs / millis * 1000;
}

/** Shims a second, two at a time, started by a shell as fast as it can. */
function shimRate(jobs: number, parallel: number): number {
  const folder = Deno.makeTempDirSync({ dir: base, prefix: "shims-" });
  for (let number = 0; number < jobs; number++) {
    Deno.writeTextFileSync(`${folder}/${number}.json`, "");
  }
  const script =
    `seq 0 ${jobs - 1} | xargs -P ${parallel} -I {} setsid -w /bin/sh -c "$SHIM" shim ` +
    `${folder}/{}.1.pid ${folder}/{}.exitcode ${folder}/log /dev/null / true >/dev/null`;
  const rate = shellRate(script, jobs, { SHIM });
  const ended = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".exitcode"));
  if (ended.length !== jobs) throw new Error(`${ended.length} of ${jobs} shims ended`);
  return rate;
}

/** Tasks a second whose file is written, synced and renamed twice, and nothing else. */
function writeRate(jobs: number): number {
  const root = makeWorkspace("writes", 0);
  const store = openStore(root);
  const id = addTask(root, {});
  const task = readTask(root, id);
  const began = performance.now();
  for (let number = 0; number < 2 * jobs; number++) store.write(task);
  return jobs / (performance.now() - began) * 1000;
}

async function benchThroughput(): Promise<void> {
  const jobs = quick ? 100 : 500;
  heading(`${jobs} tasks that do nothing, from queued to settled (tasks a second)`);
  const atOnce = new Map(
    [2, 4].map((parallel) => [
      parallel,
      { ours: [] as number[], whole: [] as number[], alone: [] as number[] },
    ]),
  );
  const rates: Record<"tsp -S 2" | "nq", number[]> = { "tsp -S 2": [], nq: [] };
  const file = `${base}/nothing.jsonl`;
  const item = JSON.stringify({ agent: "nothing", prompt: "do nothing" });
  Deno.writeTextFileSync(file, `${item}\n`.repeat(jobs));
  for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
    for (const [parallel, { ours, whole, alone }] of atOnce) {
      const root = makeWorkspace(`throughput-${parallel}-${turn}`, 0);
      const call = (...args: string[]) =>
        timed(Deno.execPath(), [...bundled.args, "-C", root, ...args]);
      const queued = call("start", "--from", file);
      const ran = call("run", "--all", "--wait", "--parallel", String(parallel));
      const done = readTasks(root).filter((task) => task.status === "complete").length;
      if (done !== jobs) throw new Error(`${done} of ${jobs} tasks are complete`);
      ours.push(jobs / ran * 1000);
      whole.push(jobs / (queued + ran) * 1000);
      alone.push(shimRate(jobs, parallel));
      await atRest(root);
    }
    if (isInstalled("tsp")) {
      const env = tspEnv(`many-${turn}`);
      // With two slots the last job to be queued is not always the last to end.
      const script =
        `tsp -S 2; i=0; while [ $i -lt ${jobs} ]; do tsp true >/dev/null; i=$((i+1)); ` +
        `done; tsp -w; while tsp -l | grep -Eq 'running|queued'; do :; done`;
      rates["tsp -S 2"].push(shellRate(script, jobs, env));
      runSync("tsp", ["-K"], env);
    }
    if (isInstalled("nq")) {
      const folder = `${base}/nq-many-${turn}`;
      Deno.mkdirSync(folder);
      const script =
        `i=0; while [ $i -lt ${jobs} ]; do nq true >/dev/null; i=$((i+1)); done; nq -w`;
      rates.nq.push(shellRate(script, jobs, { NQDIR: folder }));
    }
  }
  for (const [name, values] of Object.entries(rates)) {
    if (values.length === 0) notRun(name);
    else line(`${name}, enqueue to end`, `${spread(values)} /s`);
  }
  // What the contract asks for, and the others do without: a parent of its own for each agent, which
  // outlives us and records its end, and two writes that survive a power cut.
  line("its synced writes alone, two a task", `${round(writeRate(jobs))} /s`);
  for (const [parallel, { ours, alone }] of atOnce) {
    const share = median(ours) / median(alone);
    line(`its shims alone, ${parallel} at once`, `${spread(alone)} /s`);
    line(
      `run --all --wait --parallel ${parallel}`,
      `${spread(ours)} /s`,
      `${share.toFixed(2)}×`,
      `of its shims alone ${verdict(Number(share.toFixed(2)), 0.6, "×", true)}`,
    );
  }
  const { whole } = atOnce.get(2)!;
  line(
    "start --from, then two at once",
    `${spread(whole)} /s`,
    "",
    verdict(median(whole), 100, " /s", true),
  );
}

/** Milliseconds from a sentinel being written to the task file saying so, one after another. */
async function latencies(root: string, ids: readonly string[]): Promise<number[]> {
  const values: number[] = [];
  for (const id of ids) {
    const shim = shimPid(root, id);
    const path = `${root}/.orchestra/tasks/${id}.json`;
    const before = Deno.lstatSync(path).ino;
    Deno.writeTextFileSync(`${root}/.orchestra/tasks/${id}.done.tmp`, '{"summary": "done"}\n');
    const began = performance.now();
    Deno.renameSync(
      `${root}/.orchestra/tasks/${id}.done.tmp`,
      `${root}/.orchestra/tasks/${id}.done`,
    );
    const deadline = began + 10_000;
    while (Deno.lstatSync(path).ino === before && performance.now() < deadline) pauseShort();
    values.push(performance.now() - began);
    if (readTask(root, id).status !== "complete") throw new Error(`${id} was not settled`);
    // The agent ends just after it has written its sentinel.
    for (const pid of childrenOf(shim)) Deno.kill(pid, "SIGKILL");
    await until(`${id} is gone`, () => !lives(shim), 1);
    await sleep(30 + Math.random() * 30);
  }
  return values;
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps 0.1 ms without giving the turn to anything else of ours. */
function pauseShort(): void {
  Atomics.wait(cell, 0, 0, 0.1);
}

async function runSleepers(root: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => addTask(root, { agent: "sleeper" }));
  orchestra(bundled, root, "run", "--parallel", String(count));
  for (const id of ids) await started(root, id);
  await until("somebody watches", () => watcherOf(root) !== undefined);
  await sleep(1500);
  return ids;
}

async function benchLatency(): Promise<void> {
  const count = quick ? 30 : 150;
  heading("From a sentinel being written to its task being settled (ms)");
  const root = makeWorkspace("latency", 100);
  const values = await latencies(root, await runSleepers(root, count));
  await atRest(root);
  line(
    `${count} sentinels, a supervisor running`,
    `p50 ${round(median(values))}, p99 ${round(percentile(values, 0.99))} ms`,
    "",
    verdict(Number(percentile(values, 0.99).toFixed(1)), 20, " ms p99"),
  );
}

async function benchGrowth(): Promise<void> {
  heading("Settling one task with 100 and with 10,000 tasks in the folder");
  const count = quick ? 20 : 60;
  const [small, large] = [makeWorkspace("growth-100", 100), makeWorkspace("growth-10000", 10_000)];
  const results: { latency: number; cpu: number; rate: number }[] = [];
  for (const root of [small, large]) {
    const ids = await runSleepers(root, count);
    const pid = watcherOf(root)!;
    await until("the supervisor has loaded all", () => cpuIdle(pid), 200);
    const { rss } = memoryOf(pid);
    line(
      `supervisor, memory, ${root === small ? 100 : 10_000} tasks`,
      `RSS ${round(rss)} MB`,
      "",
      verdict(Number(rss.toFixed(1)), 80, " MB RSS"),
    );
    const before = cpuMillis(pid);
    const values = await latencies(root, ids.slice(0, -1));
    const cpu = (cpuMillis(pid) - before) / (count - 1);
    await endAll(root);
    const tasks = Array.from({ length: count }, () => addTask(root, {}));
    orchestra(bundled, root, "run", "--all", "--wait", "--parallel", "1");
    const ends = tasks.map((id) => Date.parse(readTask(root, id).completedAt!)).sort();
    results.push({
      latency: median(values),
      cpu,
      rate: (ends.at(-1)! - ends[0]!) / (count - 1),
    });
    await atRest(root);
  }
  const [few, many] = results as [typeof results[0], typeof results[0]];
  line(
    "CPU of the supervisor a settled task",
    `${round(few.cpu)} ms`,
    "",
    verdict(Number(few.cpu.toFixed(2)), 4, " ms"),
  );
  for (
    const [name, key] of [
      ["sentinel to settled", "latency"],
      ["the same, growth", "cpu"],
      ["launch and settle, one after another", "rate"],
    ] as const
  ) {
    const ratio = many[key] / few[key];
    line(
      name,
      `${round(few[key])} → ${round(many[key])} ms`,
      `${ratio.toFixed(2)}×`,
      verdict(Number(ratio.toFixed(2)), 2, "×"),
    );
  }
}

const seenCpu = new Map<number, number>();

/** Whether a process used no CPU since the last call. */
function cpuIdle(pid: number): boolean {
  const now = cpuMillis(pid);
  const idle = now - (seenCpu.get(pid) ?? -100) < 2;
  seenCpu.set(pid, now);
  return idle;
}

/** What it costs to tell the history, beside the write of the task: in one process, milliseconds. */
function benchTelling(): void {
  const dir = `${base}/telling`;
  Deno.mkdirSync(dir);
  const now = Date.now();
  const usage = { inputTokens: 12_345, outputTokens: 2345, costUsd: 0.123, model: "some-model" };
  const pending = newTask(
    "task_1795675095571170",
    { agent: "codex", prompt: "x".repeat(300) },
    now,
  );
  const running: Task = { ...pending, status: "running", claim: 1, startedAt: pending.createdAt };
  const complete: Task = { ...running, status: "complete", completedAt: pending.createdAt, usage };
  const witness = { hasHappened: () => true, past: () => [], problem() {} };
  const tell = (before: Task | undefined, after: Task) => {
    const { file, size } = takeLock(`${dir}/lock`);
    const began = performance.now();
    const section = beginSection(dir, file, size, witness);
    section.intend(eventsBetween(before, after, now).map(formatEvent));
    section.end();
    const took = performance.now() - began;
    file.close();
    return took;
  };
  for (
    const [name, before, after] of [
      ["told at start", undefined, pending],
      ["told at a launch", pending, running],
      ["told at a settle", running, complete],
    ] as const
  ) {
    const values = Array.from({ length: quick ? 200 : 1000 }, () => tell(before, after)).slice(100);
    line(name, `${spread(values)} ms`, "", verdict(Number(median(values).toFixed(3)), 0.2, " ms"));
  }
}

/** Longest time and most memory of `stats` over so many lines. */
const STATS_SECONDS = 2;
const STATS_MB = 200;

async function benchStats(lines: number): Promise<void> {
  const root = `${base}/stats`;
  createFolders(root);
  const { bytes } = await writeLargeHistory(`${root}/.orchestra`, lines, Date.now() - lines * 2700);
  const seconds: number[] = [];
  let most = 0;
  for (let turn = 0; turn < 3; turn++) {
    const began = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: [...bundled.args, "-C", root, "stats"],
      stdout: "null",
      stderr: "null",
    }).spawn();
    let over = false;
    const ended = child.status.then(() => over = true);
    while (!over) {
      const peak = /^VmHWM:\s*(\d+)/m.exec(readText(`/proc/${child.pid}/status`) ?? "")?.[1];
      most = Math.max(most, Number(peak ?? 0) / 1024);
      await Promise.race([ended, sleep(20)]);
    }
    seconds.push((performance.now() - began) / 1000);
  }
  const what = `${lines.toLocaleString("en")} lines, ${round(bytes / 1024 / 1024)} MB`;
  line(`stats, ${what}`, `${spread(seconds)} s`, "", verdict(median(seconds), STATS_SECONDS, " s"));
  line("its memory at most", `${round(most)} MB`, "", verdict(most, STATS_MB, " MB"));
}

async function benchHistory(): Promise<void> {
  heading("History");
  benchTelling();
  await benchStats(quick ? 200_000 : 1_000_000);
}

/** What README says of the demo; half of it is that its agents take their time, for people to see. */
function benchDemo(): void {
  heading("Demo");
  const millis = timed(Deno.execPath(), ["run", "-A", `${REPO}/templates/demo.ts`], {
    TMPDIR: base,
  });
  const seconds = millis / 1000;
  line("deno task demo", `${round(seconds)} s`, "", verdict(seconds, 15, " s"));
}

/** The page, in a browser. */
async function benchPage(): Promise<void> {
  const { benchWeb } = await import("./web/bench.ts");
  await benchWeb({ quick, heading, line, verdict, spread, percentile, round });
}

/** A worktree for each task. */
async function benchGit(): Promise<void> {
  const { benchWorktrees } = await import("./worktree/bench.ts");
  await benchWorktrees({
    quick,
    base,
    run: runSync,
    orchestra: (root, ...args) => orchestra(bundled, root, ...args),
    atRest,
    heading,
    line,
    verdict,
    spread,
    median,
    round,
  });
}

function benchSize(): void {
  heading("Size");
  line("dist/orchestra.js", `${round(Deno.statSync(BUNDLE).size / 1024)} KB`);
}

// ---------------------------------------------------------------- the run

const SECTIONS: Readonly<Record<string, () => Promise<void> | void>> = {
  size: benchSize,
  commands: benchCommands,
  many: benchMany,
  import: benchImport,
  memory: benchMemory,
  hundred: benchHundred,
  everywhere: benchEverywhere,
  throughput: benchThroughput,
  latency: benchLatency,
  growth: benchGrowth,
  history: benchHistory,
  demo: benchDemo,
  worktrees: benchGit,
  web: benchPage,
  // Last, for the disk is busy for a while with what it writes.
  archive: benchArchive,
};

function describeMachine(): string {
  const model = /^model name\s*: (.*)$/m.exec(readText("/proc/cpuinfo") ?? "")?.[1] ?? "?";
  const memory = Number(/^MemTotal: *(\d+)/m.exec(readText("/proc/meminfo") ?? "")?.[1] ?? 0);
  return `${model}, ${navigator.hardwareConcurrency} cores, ${round(memory / 1024 / 1024)} GB; ` +
    `${Deno.build.os} ${Deno.osRelease()}; Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`;
}

for (const name of only) {
  if (!Object.hasOwn(SECTIONS, name)) {
    console.error(`There is no section "${name}". There are: ${Object.keys(SECTIONS).join(", ")}`);
    Deno.exit(2);
  }
}
try {
  Deno.writeTextFileSync(empty, "");
  const bundling = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "bundle"],
    cwd: REPO,
  }).outputSync();
  if (!bundling.success) throw new Error(`deno task bundle: ${decoder.decode(bundling.stderr)}`);
  for (const path of [INSTALLED, STARTED]) {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(BUNDLE, path);
  }
  console.log(describeMachine());
  console.log(`Load before the run: ${Deno.loadavg().map(round).join(", ")} (should be near 0)`);
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (only.length === 0 || only.includes(name)) await section();
  }
  console.log(`\n${missed === 0 ? "All bounds are met" : `${missed} bounds are missed`}`);
} finally {
  if (Deno.args.includes("--keep")) console.log(`Kept ${base}`);
  else Deno.removeSync(base, { recursive: true });
}
