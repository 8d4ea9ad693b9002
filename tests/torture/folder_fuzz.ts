// Hostile workspaces: whole task folders of bad fields and bad kinds of files, exchanged for each other
// while commands run on them. Nothing outside may change, no command may hang or print what it must not,
// no message may lie, and what is sound reaches its end. Linux only, for processes are found in /proc.
//
//   deno task fuzz --seed 7 [--seconds 300]
//
// The seed decides folders, exchanges and commands; not how they interleave. A failure keeps its folder.

import { isTerminal } from "../../lib/task/fields.ts";
import { type Box, openBox, type Outcome } from "../support/program.ts";
import { EVIL, hostileValue, id, valid } from "../support/hostile.ts";
import { createRandom } from "./torture.ts";
import fc from "fast-check";

/** What is asked for. */
export interface FuzzOptions {
  seed: number;
  /** How long to go on, seconds. */
  seconds: number;
  say?: (text: string) => void;
}

/** What was found. */
export interface FuzzReport {
  rounds: number;
  /** Commands run, by name. */
  commands: Record<string, number>;
  exchanges: number;
  violations: string[];
}

/** A command that does not end within this hangs, milliseconds. */
const HANGS_AFTER = 10_000;
/** Commands of one round, and how many of them run at once. */
const COMMANDS = 24;
const AT_ONCE = 3;
/** Hostile tasks of one round. */
const TASKS = 30;
const SECRET = "the secret of the victim";
const FIELDS = Object.keys(valid(0)).filter((name) => name !== "taskId");
const MARKS = ["done", "error", "exitcode", "cancelled", "timeout", "1.pid", "verifycode"] as const;
/** Files that we keep ourselves; what stands in their place may not be obeyed, nor stop anything. */
const OWN = ["daemon.json", "debug.log", "daemon.log", "history.jsonl"] as const;

type Random = () => number;
const pick = <T>(random: Random, items: readonly T[]): T =>
  items[Math.floor(random() * items.length)]!;

/** Everything below a folder: names, kinds, modes and bytes. */
function picture(folder: string): string {
  const lines: string[] = [];
  for (const { name, isFile, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    const { mode, mtime } = Deno.lstatSync(path);
    lines.push(`${path} ${mode} ${mtime?.getTime()} ${isFile ? Deno.readTextFileSync(path) : ""}`);
    if (isDirectory) lines.push(picture(path));
  }
  return lines.sort().join("\n");
}

/** The regular files below a folder that hold the secret; whoever watches goes on with them. */
function tellingFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isFile, isDirectory }) => {
    const path = `${folder}/${name}`;
    try {
      if (isDirectory) return tellingFiles(path);
      return isFile && Deno.readTextFileSync(path).includes(SECRET) ? [path] : [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

/** One hostile workspace beside a victim. */
class Site {
  readonly box: Box;
  readonly victim: string;
  /** Places that are exchanged. */
  readonly places: string[] = [];
  readonly ids: readonly string[];
  exchanges = 0;

  constructor(readonly folder: string, readonly random: Random) {
    const root = `${folder}/root`;
    this.victim = `${folder}/victim`;
    for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
      Deno.mkdirSync(`${root}/.orchestra${name}`, { recursive: true, mode: 0o700 });
    }
    Deno.mkdirSync(`${root}/.orchestra-cli`);
    Deno.mkdirSync(`${this.victim}/inner`, { recursive: true });
    Deno.writeTextFileSync(`${this.victim}/private`, SECRET, { mode: 0o600 });
    Deno.writeTextFileSync(
      `${this.victim}/${id(1)}.json`,
      JSON.stringify(valid(1, { prompt: SECRET })),
    );
    this.box = openBox(root);
    this.box.agents({ hostile: { command: "true", completion: "exit" } });
    this.box.config({ interval: 0.5, grace_period: 0.2, retry: { base: 0.01, cap: 0.02 } });
    this.ids = Array.from({ length: TASKS }, (_, at) => id(at));
    const values = fc.sample(hostileValue, { numRuns: 4 * TASKS, seed: random() * 2 ** 31 | 0 });
    for (const [at, name] of this.ids.entries()) {
      const fields = Object.fromEntries(
        values.slice(4 * at, 4 * at + Math.floor(random() * 4)).map((value) => [
          pick(random, FIELDS),
          value,
        ]),
      );
      const status = pick(random, ["pending", "pending", "running", "failed", "complete"]);
      const claim = status === "pending" ? 0 : 1;
      const task = valid(at, { status, claim, startedAt: "2026-01-01T00:00:00Z", ...fields });
      this.place(`tasks/${name}.json`, JSON.stringify(task));
      for (const mark of MARKS) if (random() < 0.4) this.place(`tasks/${name}.${mark}`, "0\n");
      if (random() < 0.6) this.place(`logs/${name}.log`, "words\n");
      if (random() < 0.6) this.place(`plans/${name}_plan.md`, "words\n");
    }
    for (const name of OWN) if (random() < 0.5) this.place(name, "{}");
    // Most are what they seem to be; some are not from the beginning.
    for (const place of this.places) if (random() < 0.2) this.exchange(place, true);
  }

  place(name: string, text: string): void {
    const path = this.box.path(name);
    Deno.writeTextFileSync(path, text, { mode: 0o600 });
    this.places.push(path);
  }

  /**
   * Puts something else where a file is, in one step.
   *
   * @param still nobody looks just now: pipes are among it. Deno cannot open a file without waiting where
   * it is a pipe, so one that is exchanged in the microseconds between look and opening is waited at
   */
  exchange(path: string, still: boolean): void {
    const { random, victim } = this;
    const beside = `${this.folder}/beside`;
    const kind = pick(random, [
      "link",
      "link",
      "folder",
      "text",
      "evil",
      "gone",
      "secret",
      "nowhere",
    ]);
    const command = still && random() < 0.2 ? "mkfifo" : undefined;
    try {
      if (command !== undefined) new Deno.Command(command, { args: [beside] }).outputSync();
      else if (kind === "link") Deno.symlinkSync(`${victim}/private`, beside);
      else if (kind === "nowhere") Deno.symlinkSync(`${victim}/nowhere`, beside);
      else if (kind === "secret") Deno.symlinkSync(`${victim}/${id(1)}.json`, beside);
      else if (kind === "folder") Deno.mkdirSync(`${beside}/x`, { recursive: true });
      else if (kind === "text") {
        Deno.writeTextFileSync(
          beside,
          pick(random, ["", "0\n", "{", "143", `{"error": "x"}`, "\n\n"]),
        );
      } else if (kind === "evil") {
        Deno.writeTextFileSync(beside, `{"error": ${JSON.stringify(EVIL)}}`);
      }
      if (Deno.lstatSync(path).isDirectory) Deno.removeSync(path, { recursive: true });
      if (kind === "gone" && command === undefined) Deno.removeSync(path);
      else if (kind === "folder" && command === undefined) {
        Deno.removeSync(path);
        Deno.renameSync(beside, path);
      } else Deno.renameSync(beside, path);
    } catch {
      // A command has taken it away, or put its own there.
    }
    try {
      Deno.removeSync(beside, { recursive: true });
    } catch {
      // It has its place.
    }
    this.exchanges++;
  }
}

function commandsOf({ random, ids }: Site): string[][] {
  const one = () => pick(random, ids);
  const all = [
    ["status"],
    ["status", "--json"],
    ["status", "--all"],
    ["show", one()],
    ["logs", one()],
    ["logs", "--readable", one()],
    ["run"],
    ["run", "--all"],
    ["cancel", one()],
    ["cancel", "--all"],
    ["retry", one()],
    ["clean", "failed", "-y"],
    ["clean", one()],
    ["archive", "--dry-run"],
    ["archive", "--force"],
    ["archive", "list"],
    ["deps", "graph"],
    ["deps", "validate"],
    ["deps", "show", one()],
    ["doctor"],
    ["doctor", "--fix"],
    ["timeout", "list"],
    ["timeout", one()],
    ["timeout", "extend", one(), "5"],
    ["wait", "--timeout", "1", one()],
    ["daemon", "status"],
    ["agents"],
    ["events"],
    ["events", "--json", "--task", one()],
  ];
  return Array.from({ length: COMMANDS }, () => pick(random, all));
}

/** What is wrong with how a command ended; undefined for nothing. */
function judge(args: readonly string[], { code, stdout, stderr }: Outcome): string | undefined {
  const text = stdout + stderr;
  if (![0, 1, 2, 3, 4, 5].includes(code)) return `it ended with ${code}: ${stderr}`;
  if (text.includes(SECRET)) return "it told the secret";
  if (/^\s+at |file:\/\/|TypeError|RangeError|ReferenceError/m.test(stderr)) return stderr;
  // Into a pipe a log goes byte for byte.
  const printed = args[0] === "logs" && args[1] !== "--readable" ? stderr : text;
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b]/.test(printed)) {
    return "it is not printable";
  }
  return undefined;
}

async function runCommand({ box }: Site, args: string[]): Promise<Outcome | undefined> {
  await using live = box.live({}, ...args);
  await live.type("");
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) =>
    timer = setTimeout(() => resolve(undefined), HANGS_AFTER)
  );
  const outcome = await Promise.race([live.ended(), late]);
  clearTimeout(timer);
  return outcome;
}

async function round(site: Site, report: FuzzReport): Promise<void> {
  const { box, random, victim } = site;
  const before = picture(victim);
  const say = (args: readonly string[], problem: string) =>
    report.violations.push(`${site.folder}: ${args.join(" ")}: ${problem}`);
  const sound = [await box.start("shell", "true", "-p", "10")];
  sound.push(await box.start("signal", ': >"$ORCHESTRA_DONE_FILE"', "--depends-on", sound[0]!));
  const sleeper = await box.start("shell", "exec sleep 1000", "-p", "10");
  const commands = commandsOf(site);
  let busy = true;
  const exchanging = (async () => {
    while (busy) {
      for (let turn = 0; turn < 5; turn++) site.exchange(pick(random, site.places), false);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const work = async () => {
    for (let args = commands.pop(); args !== undefined; args = commands.pop()) {
      report.commands[args[0]!] = (report.commands[args[0]!] ?? 0) + 1;
      const outcome = await runCommand(site, args);
      const problem = outcome === undefined ? "it hangs" : judge(args, outcome);
      if (problem !== undefined) say(args, problem);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  busy = false;
  await exchanging;
  report.exchanges += site.exchanges;
  // What is sound goes on beside all of it.
  const all = ["run", "--all", "--parallel", "40"];
  const run = await runCommand(site, all);
  if (run === undefined || judge(all, run) !== undefined) say(all, JSON.stringify(run));
  const wait = await runCommand(site, ["wait", "--timeout", "9", ...sound]);
  for (const name of sound) {
    const { status } = box.task(name);
    // A command of the round may have cancelled it; nothing else may have ended it.
    if (status !== "complete" && status !== "cancelled") {
      say(["wait"], `${status} ${JSON.stringify([run, wait])}`);
    }
  }
  const { status } = box.task(sleeper);
  if (!isTerminal(status)) {
    const cancelled = await runCommand(site, ["cancel", sleeper]);
    const told = cancelled?.stdout.includes(`Cancelled ${sleeper}`) === true;
    if (told !== (box.task(sleeper).status === "cancelled")) {
      say(["cancel"], `${box.task(sleeper).status}, and it said ${JSON.stringify(cancelled)}`);
    }
  }
  if (picture(victim) !== before) say([], "the victim was changed");
  for (const path of tellingFiles(box.path(""))) say([], `the secret is in ${path}`);
  const outside = [...Deno.readDirSync(box.root)].map(({ name }) => name).sort();
  if (outside.join() !== ".orchestra,.orchestra-cli") say([], `outside: ${outside.join()}`);
}

/** Makes hostile workspaces, one after the other, and runs commands on them. */
export async function fuzz({ seed, seconds, say = () => {} }: FuzzOptions): Promise<FuzzReport> {
  const random = createRandom(seed);
  const report: FuzzReport = { rounds: 0, commands: {}, exchanges: 0, violations: [] };
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra-fuzz-" }));
    const site = new Site(folder, random);
    const found = report.violations.length;
    await round(site, report);
    report.rounds++;
    if (report.violations.length > found) {
      // The workspace itself goes away with what runs in it.
      new Deno.Command("cp", { args: ["-a", site.box.root, `${folder}/kept`] }).outputSync();
    }
    await site.box[Symbol.asyncDispose]();
    if (report.violations.length === found) Deno.removeSync(folder, { recursive: true });
    else report.violations.slice(found).forEach((violation) => say(violation));
    say(`round ${report.rounds}: ${report.exchanges} exchanges`);
  }
  return report;
}

if (import.meta.main) {
  const option = (name: string, fallback: number) => {
    const at = Deno.args.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(Deno.args[at + 1]);
  };
  const report = await fuzz({
    seed: option("seed", 7),
    seconds: option("seconds", 300),
    say: (text) => console.error(text),
  });
  console.log(JSON.stringify(report, null, 2));
  Deno.exit(report.violations.length > 0 ? 1 : 0);
}
