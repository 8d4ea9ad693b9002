// The torture of a repository: tasks with worktrees of their own, a user who edits and commits beside
// them, and merges, undoings and cleanings, with commands, supervisors, agents and git itself killed, or
// stopped for a while, at random moments. In the end every line that an agent or the user ever wrote must
// be found, in a commit that a ref keeps or in a file, and nothing must be half done. Linux only.
//
//   deno task torture --worktrees [--kills 500] [--seed 42] [--seconds 60]

import { isTerminal, parseTask, type Task } from "../../lib/task/fields.ts";
import type { RunOptions } from "./everywhere.ts";
import { findProcesses, gone } from "./processes.ts";

/** What a run found. */
export interface WorktreesReport {
  violations: string[];
  /** Commands run, and how many of them did what was asked. */
  commands: Record<string, { run: number; ok: number }>;
  /** Processes killed, by kind. */
  kills: Record<string, number>;
  /** How often a process was stopped for a while. */
  frozen: number;
  /** Lines that agents wrote, and the user. */
  written: { agents: number; user: number };
  /** Where the lines of agents were found in the end. */
  found: { merged: number; kept: number; inFiles: number };
  /** Tasks by their last status. */
  tasks: Record<string, number>;
  /** What commands that did not do what was asked said of it, and how often. */
  refusals: Record<string, number>;
}

const SETTINGS = {
  interval: 1,
  grace_period: 0.2,
  max_retries: 2,
  auto_retry: true,
  max_concurrent: 4,
  retry: { base: 0.05, factor: 1, cap: 0.1 },
};

/** Files that all agents and the user change. */
const FILES = 60;

/**
 * Changes a file, makes a new one, and sometimes commits; each line is in the ledger once it is in its
 * file. What it writes last mostly stays uncommitted.
 */
const AGENT = `
token="$ORCHESTRA_TASK_ID.$$"
set -- $what
put() { echo "$token.$2" >>"$1" && echo "$token.$2" >>"$ledger"; }
put "f$1" a
mkdir -p made && put "made/$token" b
case $2 in commit) git add -A && git commit -qm "$token" >/dev/null 2>&1 ;; esac
sleep "$3"
put "made/$token" c
case $2 in fail) exit 3 ;; esac
exit 0
`;

/** So long whoever is stopped stands still at most, milliseconds. */
const LONGEST_FREEZE = 4000;
/** Milliseconds in which everything must come to its end that is not disturbed any more. */
const SETTLE_WITHIN = 300_000;

export async function tortureWorktrees(options: RunOptions): Promise<WorktreesReport> {
  const { folder, seed, say, program } = options;
  const root = `${folder}/repo`;
  const ledger = `${folder}/ledger`;
  const env = {
    XDG_CONFIG_HOME: `${folder}/config`,
    XDG_STATE_HOME: `${folder}/state`,
    HOME: folder,
    NO_COLOR: "1",
  };
  const kills: Record<string, number> = {};
  const commands: WorktreesReport["commands"] = {};
  const refusals: Record<string, number> = {};
  const violations: string[] = [];
  const mine: string[] = [];
  let frozen = 0;
  const began = performance.now();
  const total = () => Object.values(kills).reduce((sum, value) => sum + value, 0);
  const goesOn = () =>
    total() < (options.kills ?? Infinity) &&
    performance.now() - began < (options.seconds ?? Infinity) * 1000;
  const addKill = (kind: string) => kills[kind] = (kills[kind] ?? 0) + 1;

  async function git(...args: string[]): Promise<{ ok: boolean; text: string }> {
    const { success, stdout, stderr } = await new Deno.Command("git", {
      args: ["-c", "user.name=User", "-c", "user.email=user@example.org", ...args],
      cwd: root,
      env,
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { ok: success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  async function execute(args: readonly string[], killAfter?: number) {
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
    const { code, signal, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const text = new TextDecoder().decode(stderr).trim();
    const counted = commands[args[0]!] ??= { run: 0, ok: 0 };
    counted.run++;
    if (code === 0) counted.ok++;
    if (args[0] === "clean" || args[0] === "doctor") {
      // Should a line be lost, this tells who removed its branch, and why.
      const said = `${new Date().toISOString()} ${args.join(" ")}\n`;
      const all = said + new TextDecoder().decode(stdout);
      Deno.writeTextFileSync(`${folder}/cleaned`, all, { append: true });
    }
    if (signal === null && code !== 0) {
      const line = `${args.join(" ")} ended with ${code}: ${text.slice(0, 500)}`;
      Deno.writeTextFileSync(`${folder}/refusals`, `${line}\n`, { append: true });
      const words = (text.split("\n")[0] || new TextDecoder().decode(stdout).split("\n")[0]!)
        .replace(/task_\d+/g, "TASK").replace(/\b[0-9a-f]{10,40}\b/g, "COMMIT")
        .replaceAll(folder, "").replace(/\bf\d\b.*/, "FILES").slice(0, 120);
      refusals[`${args[0]}: ${words}`] = (refusals[`${args[0]}: ${words}`] ?? 0) + 1;
      // A program with a mistake of its own.
      if (code > 5 || /^\s+at .*:\d+:\d+/m.test(text)) violations.push(line);
    }
    return { code: signal === null ? code : -1, out: new TextDecoder().decode(stdout), text };
  }

  /** Ids of tasks, as files tell. */
  const ids = () =>
    [...Deno.readDirSync(`${root}/.orchestra/tasks`)]
      .flatMap(({ name }) => /^task_\d+(?=\.json$)/.exec(name)?.[0] ?? []).sort();

  async function work(number: number): Promise<void> {
    const random = options.random(seed * 1000 + number);
    const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)];
    while (goesOn()) {
      const killAfter = random() < 0.5 ? 60 + random() * 500 : undefined;
      const at = random();
      const id = pick(ids());
      if (at < 0.35 || id === undefined) {
        const how = pick(["edit", "edit", "edit", "commit", "commit", "commit", "fail"]);
        const file = Math.floor(random() * FILES);
        const prompt = `${file} ${how} ${pick(["0", "0.1", "0.5"])}`;
        const after = id !== undefined && random() < 0.3 ? ["--depends-on", id] : [];
        await execute(["start", "-q", "writer", prompt, ...after], killAfter);
      } else if (at < 0.6) await execute(["run", "--all"], killAfter);
      else if (at < 0.65) await execute(["status"], killAfter);
      else if (at < 0.67) await execute(["cancel", id], killAfter);
      else if (at < 0.85) {
        const way = pick([[], ["--squash"], ["--rebase"], ["--no-ff"]])!;
        // Mostly one that can be merged.
        const whole = readTasks(root).filter((it) => it.status === "complete" && it.git !== null);
        const which = random() < 0.8 ? pick(whole)?.taskId ?? id : id;
        await execute(["merge", which, ...way], killAfter);
      } else if (at < 0.88) await execute(["merge", "--all"], killAfter);
      else if (at < 0.92) await execute(["merge", "--undo"], killAfter);
      else if (at < 0.97) await execute(["clean", "--worktrees"], killAfter);
      else await execute(["worktrees"], killAfter);
    }
  }

  /** Whoever sits before the working copy: edits, and commits now and then. */
  async function sit(): Promise<void> {
    const random = options.random(seed * 1000 + 998);
    for (let turn = 0; goesOn(); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 100 + random() * 400));
      const token = `user.${seed}.${turn}`;
      const file = random() < 0.8 ? `notes-${turn % 3}` : `f${Math.floor(random() * FILES)}`;
      Deno.writeTextFileSync(`${root}/${file}`, `${token}\n`, { append: true });
      mine.push(token);
      if (random() < 0.7) {
        // A merge may have the index just now: the next time.
        const { ok } = await git("add", "-A", "--", ":!.orchestra");
        if (ok) await git("commit", "-qm", token);
      }
    }
  }

  async function hunt(): Promise<void> {
    const random = options.random(seed * 1000 + 999);
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, 10 + random() * 200));
      const kind = ["agent", "supervisor", "supervisor", "git"][Math.floor(random() * 4)]!;
      const victims = kind === "git" ? gitsOfOurs(folder) : findProcesses(root)
        .filter(({ kind: found, text }) =>
          kind === found || kind === "agent" && found === "tool" && text.includes("put()")
        ).map(({ pid }) => pid);
      if (victims.length === 0) continue;
      if (signal(victims[Math.floor(random() * victims.length)]!, "SIGKILL")) addKill(kind);
    }
  }

  /** Whoever stands still for a while, with what he has seen and holds, and goes on as if nothing had been. */
  async function freeze(): Promise<void> {
    const random = options.random(seed * 1000 + 997);
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, 10 + random() * 300));
      const victims = random() < 0.3 ? gitsOfOurs(folder) : ofOurs(root);
      const pid = victims[Math.floor(random() * victims.length)];
      if (pid === undefined || !signal(pid, "SIGSTOP")) continue;
      frozen++;
      await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_FREEZE));
      signal(pid, "SIGCONT");
    }
  }

  await prepare(folder, root, ledger, git);
  await Promise.all([hunt(), freeze(), freeze(), sit(), ...[1, 2, 3, 4].map(work)]);
  say(`${total()} killed; everything comes to its end`);
  await settle();
  check();
  const fsck = await git("fsck", "--full", "--no-dangling", "--no-progress");
  if (!fsck.ok || /error|missing|broken/.test(fsck.text)) violations.push(`git fsck: ${fsck.text}`);
  for (const name of halfDone(`${root}/.git`)) violations.push(`.git has ${name} in the end`);
  const { written, found } = await search();
  const tasks: Record<string, number> = {};
  for (const { status } of readTasks(root)) tasks[status] = (tasks[status] ?? 0) + 1;
  return { violations, commands, kills, frozen, written, found, tasks, refusals };

  async function settle(): Promise<void> {
    const limit = setTimeout(() => {
      violations.push(`The queue did not settle within ${SETTLE_WITHIN / 1000} s`);
      for (const { pid } of findProcesses(root)) Deno.kill(pid, "SIGKILL");
    }, SETTLE_WITHIN);
    await execute(["run", "--all", "--wait"], SETTLE_WITHIN);
    await gone(() => findProcesses(root).length === 0);
    clearTimeout(limit);
    // What was half done is finished or undone by the next who asks for the like.
    await execute(["doctor", "--fix"]);
    await git("add", "-A");
    await git("commit", "-qm", "what the user left");
    await execute(["merge", "--all"]);
    await execute(["clean", "--worktrees"]);
  }

  function check(): void {
    const tasks = readTasks(root);
    const complete = new Set(tasks.flatMap((it) => it.status === "complete" ? it.taskId : []));
    for (const task of tasks) {
      const isBlocked = task.status === "pending" &&
        !task.dependsOn.every((id) => complete.has(id));
      if (isBlocked) continue;
      if (!isTerminal(task.status)) violations.push(`${task.taskId} is ${task.status} in the end`);
      else if (task.reapAt !== null) violations.push(`${task.taskId} is still being ended`);
    }
  }

  /** Looks for every line that was ever written. */
  async function search(): Promise<Pick<WorktreesReport, "written" | "found">> {
    const log = async (...refs: string[]) =>
      linesOf((await git("log", "-p", "-m", "--text", "--no-renames", "--format=", ...refs)).text);
    const [merged, kept] = [await log("HEAD"), await log("--all")];
    const inFiles = new Set<string>();
    for (const place of [root, `${folder}/state`]) readAll(place, inFiles);
    const theirs = readLines(ledger);
    const found = { merged: 0, kept: 0, inFiles: 0 };
    for (const token of theirs) {
      if (merged.has(token)) found.merged++;
      else if (kept.has(token)) found.kept++;
      else if (inFiles.has(token)) found.inFiles++;
      else violations.push(`what an agent wrote is lost: ${token}`);
    }
    for (const token of mine) {
      if (!kept.has(token) && !inFiles.has(token)) {
        violations.push(`what the user wrote is lost: ${token}`);
      }
    }
    return { written: { agents: theirs.length, user: mine.length }, found };
  }
}

/** A repository with a workspace in it, its settings and its one agent. */
async function prepare(
  folder: string,
  root: string,
  ledger: string,
  git: (...args: string[]) => Promise<{ ok: boolean; text: string }>,
): Promise<void> {
  Deno.mkdirSync(`${root}/.orchestra/tasks`, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  for (let at = 0; at < FILES; at++) Deno.writeTextFileSync(`${root}/f${at}`, "begin\n");
  Deno.writeTextFileSync(`${root}/.gitignore`, ".orchestra/\n");
  Deno.writeTextFileSync(ledger, "");
  const agents = {
    writer: {
      command: "sh",
      args: ["-c", AGENT],
      env: {
        ledger,
        what: "{userPrompt}",
        GIT_AUTHOR_NAME: "A",
        GIT_AUTHOR_EMAIL: "a@example.org",
        GIT_COMMITTER_NAME: "A",
        GIT_COMMITTER_EMAIL: "a@example.org",
      },
      completion: "exit",
      worktree: true,
    },
  };
  Deno.mkdirSync(`${folder}/config/orchestra`, { recursive: true });
  const write = (name: string, value: unknown) =>
    Deno.writeTextFileSync(`${folder}/config/orchestra/${name}`, JSON.stringify(value));
  write("settings.json", SETTINGS);
  write("agents.json", { agents });
  for (const args of [["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "begin"]]) {
    const { ok, text } = await git(...args);
    if (!ok) throw new Error(`git ${args.join(" ")}: ${text}`);
  }
}

/** Sends a signal; false where there is nobody any more. */
function signal(pid: number, name: Deno.Signal): boolean {
  try {
    Deno.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Processes of Orchestra that are at work in a workspace. */
function ofOurs(root: string): number[] {
  return processes((words) => words[words.indexOf("-C") + 1] === root);
}

/** Processes of git that Orchestra started, and neither an agent nor the user. */
function gitsOfOurs(folder: string): number[] {
  return processes((words, pid) =>
    words[0]?.endsWith("git") === true &&
    words.some((it) => it.startsWith("core.hooksPath")) &&
    Deno.readLinkSync(`/proc/${pid}/cwd`).startsWith(folder)
  );
}

/** Those whose command lines are such. */
function processes(isSuch: (words: readonly string[], pid: number) => boolean): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return pid > 0 && isSuch(Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0"), pid);
    } catch {
      // It has ended.
      return false;
    }
  });
}

/** Files in a `.git` that only stand there while something is being done, but for locks of ours. */
function halfDone(dir: string): string[] {
  const operations = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"];
  const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
  // Locks of what only we write are in nobody's way, and whoever of us meets one releases it.
  const refs = filesBelow(`${dir}/refs`).map((path) => path.slice(dir.length + 1))
    .filter((name) => !/^refs\/(?:heads\/)?orchestra\//.test(name));
  return [
    ...names.filter((name) => operations.includes(name)),
    ...[...names, ...refs].filter((name) => name.endsWith(".lock") && name !== "orchestra.lock"),
  ];
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

function readTasks(root: string): Task[] {
  const tasks: Task[] = [];
  for (const { name } of Deno.readDirSync(`${root}/.orchestra/tasks`)) {
    if (!/^task_\d+\.json$/.test(name)) continue;
    const parsed = parseTask(
      Deno.readTextFileSync(`${root}/.orchestra/tasks/${name}`),
      name.slice(0, -5),
    );
    if ("task" in parsed) tasks.push(parsed.task);
  }
  return tasks;
}

const readLines = (path: string) =>
  Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");

/** Lines that a diff has or had, without what it marks them with. */
const linesOf = (diff: string) =>
  new Set(diff.split("\n").map((line) => line.replace(/^[-+ ]/, "")));

/** All lines of all files below a folder, but for git's own. */
function readAll(folder: string, lines: Set<string>): void {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    if (name === ".git" || name === ".orchestra") continue;
    const path = `${folder}/${name}`;
    if (isDirectory) readAll(path, lines);
    else if (isFile) { for (const line of readLines(path)) lines.add(line); }
  }
}

/** The report, for a person. */
export function formatWorktrees(report: WorktreesReport): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts).map(([name, value]) => `${name} ${value}`).join(", ");
  const commands = Object.entries(report.commands)
    .map(([name, { run, ok }]) => `${name} ${ok}/${run}`).join(", ");
  const { merged, kept, inFiles } = report.found;
  return [
    `commands  ${commands} (done/run)`,
    `kills     ${list(report.kills)}; ${report.frozen} stopped for a while`,
    `tasks     ${list(report.tasks)}`,
    `lines     ${report.written.agents} of agents: ${merged} merged, ${kept} in commits, ` +
    `${inFiles} in files; ${report.written.user} of the user`,
    ...Object.entries(report.refusals).sort(([, a], [, b]) => b - a).slice(0, 12)
      .map(([words, count], at) => `${at === 0 ? "refused   " : "          "}${count} ${words}`),
    report.violations.length === 0 ? "No violation" : `${report.violations.length} VIOLATIONS`,
    ...report.violations.slice(0, 40).map((text) => `  ${text}`),
  ].join("\n");
}
