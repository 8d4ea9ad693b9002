// What is wrong with a workspace. Findings are decided from facts, and carry what was found; the words
// are made in format/. Only the mending that can lose nothing is done by itself.

// @ts-types="../text/std.d.ts"
import { basename } from "@std/path/posix/basename";
import { isOwnMark } from "../task/marks.ts";
import { parseTime, type Status, type Task } from "../task/fields.ts";
import type { SettingsWarning } from "../task/settings.ts";
import { type BranchFacts, type BranchWrong, diagnoseBranches } from "./diagnose_branches.ts";
import type { Unread } from "./room.ts";

/** What may be wrong, by a stable name, with what is known of it. */
export type Wrong =
  /** The settings cannot be read. */
  | { readonly code: "settings"; readonly problem: string }
  /** Limits across workspaces cannot be held, and so nothing that is subject to one is launched. */
  | { readonly code: "no-slots"; readonly problem: string }
  /** What the limits in the user's settings are cannot be told, and so nothing is launched. */
  | { readonly code: "unread-limits"; readonly problem: string }
  /** The user's agents do not count. */
  | { readonly code: "user-agents"; readonly problem: string }
  /** Something in them has no effect. */
  | { readonly code: "setting-unused"; readonly warning: SettingsWarning }
  | { readonly code: "damaged-file"; readonly problem: string }
  /** Free space, bytes. */
  | { readonly code: "low-disk"; readonly free: number }
  /** So many tasks run, and nobody watches. */
  | { readonly code: "unwatched"; readonly running: number }
  /** Whoever watches is stopped, by its process number. */
  | { readonly code: "watcher-stopped"; readonly pid: number }
  /** A claim without a launch. */
  | { readonly code: "stale-claim" }
  /** Processes of a task that does not run. */
  | { readonly code: "orphan"; readonly pids: readonly number[]; readonly status: Status | null }
  | { readonly code: "sentinel-without-task"; readonly marks: readonly string[] }
  /** A temporary file of a writer that is gone. */
  | { readonly code: "left-over" }
  | { readonly code: "open-to-others" }
  /** The folder cannot be watched. */
  | { readonly code: "no-watcher"; readonly problem: string }
  /** Locks of its file system, by name, hold on this machine alone. */
  | { readonly code: "local-locks"; readonly type: string }
  /** So many tasks have a time that is yet to come, by so many seconds at most. */
  | { readonly code: "clock"; readonly tasks: number; readonly ahead: number }
  /** So many things that happened to tasks are not in the history. */
  | { readonly code: "history-gap"; readonly events: number }
  /** So many of its lines are none. */
  | { readonly code: "history-damaged"; readonly lines: number }
  /** A hook or a webhook is not told of what happens, or not for now. */
  | { readonly code: "subscriber"; readonly problem: string }
  /** Hooks and webhooks do not count, or cannot be read. */
  | { readonly code: "subscribers"; readonly problem: string; readonly unapproved: boolean }
  /** A pipe stands where the folder is watched, and the watch waits at it. */
  | { readonly code: "pipe" }
  /** An agent's program is not on PATH. */
  | { readonly code: "agent-missing"; readonly command: string | null }
  /** It is on a server that its definition names, and was not looked for. */
  | { readonly code: "agent-on-server" }
  /** Its definition is malformed. */
  | { readonly code: "agent-broken"; readonly problem: string }
  /** Pending tasks have an agent that is not defined. */
  | { readonly code: "agent-unknown" }
  | BranchWrong;

/** One thing that is wrong. */
export type Finding = Wrong & {
  /** `error`: something cannot work; `warning`: it may surprise. */
  readonly level: "error" | "warning";
  /** Whether `--fix` mends it. */
  readonly fixable: boolean;
  /** What it is about: a file, a task, an agent. */
  readonly subject: string;
};

/** What was found out about a workspace. */
export interface Facts {
  tasks: readonly Task[];
  damaged: readonly { file: string; problem: string }[];
  /** Marks of ids, with or without a task. */
  marks: ReadonlyMap<string, readonly string[]>;
  /** Temporary files of writers that are gone, relative to the root. */
  strays: readonly string[];
  /** Processes that carry the mark of a task, by task. */
  processes: ReadonlyMap<string, readonly number[]>;
  /** Null where they cannot be read. */
  agents:
    | readonly {
      name: string;
      problem: string | null;
      command: string | null;
      /** Whether its program is there; null where it is on a server, and was not looked for. */
      found: boolean | null;
    }[]
    | null;
  watched: boolean;
  /** Process of who watches and is stopped; null where nobody is. */
  stoppedWatcher: number | null;
  /** Why the folder cannot be watched; null where it can. */
  watchProblem: string | null;
  /** The file system, where its locks hold on this machine alone; null where they hold for all. */
  localLocks: string | null;
  /** What the history lacks, and its lines that are none. */
  history: { readonly missing: readonly unknown[]; readonly damaged: number };
  /** Pipes and the like among the tasks, relative to the root. */
  pipes: readonly string[];
  /** The present time, milliseconds since the epoch. */
  now: number;
  /** Free space, bytes; null where it is not known. */
  freeBytes: number | null;
  /** Files or folders with permissions for others than the owner. */
  open: readonly string[];
  /** Why settings or agents cannot be read; nothing where they can. */
  configProblems: readonly string[];
  /** Why limits across workspaces cannot be held; null where they can, or where there are none. */
  slotsProblem?: string | null;
  /** What is wrong with the limits in the user's settings, and where those stand. */
  unreadLimits?: Unread;
  /** Why the user's agents do not count; null where they do. */
  userAgentsProblem?: string | null;
  /** What the settings file says without effect. */
  unusedSettings: readonly SettingsWarning[];
  /** Hooks and webhooks that are not told, by name. */
  untold: readonly { name: string; problem: string }[];
  /** What is wrong with the files that name them. */
  subscriberProblems: readonly { problem: string; unapproved: boolean }[];
  /** Branches and worktrees of tasks; absent where there are none. */
  branches?: BranchFacts;
}

/** Below this much free space a queue may stop at any write, bytes. */
export const LOW_DISK = 200 * 1024 * 1024;

/** Everything that is wrong, worst first. */
export function diagnose(facts: Facts): Finding[] {
  const findings = [
    ...diagnoseFiles(facts),
    ...diagnoseTasks(facts),
    ...diagnoseLeftovers(facts),
    ...diagnoseAgents(facts),
    ...diagnoseSubscribers(facts),
    ...facts.branches === undefined
      ? []
      : diagnoseBranches(facts.branches, facts.now).map((found): Finding => ({
        ...found,
        level: "warning",
      })),
  ];
  return findings.sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
}

const SETTINGS = ".orchestra/config.json";
const HISTORY = ".orchestra/history.jsonl";

function error(subject: string, wrong: Wrong): Finding {
  return { ...wrong, level: "error", fixable: false, subject };
}

function warning(subject: string, wrong: Wrong, fixable: boolean): Finding {
  return { ...wrong, level: "warning", fixable, subject };
}

/** What cannot be read, or written before long. */
function diagnoseFiles(
  {
    configProblems,
    slotsProblem,
    unreadLimits,
    userAgentsProblem,
    unusedSettings,
    damaged,
    freeBytes,
  }: Facts,
): Finding[] {
  return [
    ...configProblems.map((problem) => error(SETTINGS, { code: "settings", problem })),
    ...(slotsProblem ? [error("slots", { code: "no-slots", problem: slotsProblem })] : []),
    ...(unreadLimits === undefined
      ? []
      : [error(unreadLimits.path, { code: "unread-limits", problem: unreadLimits.problem })]),
    ...(userAgentsProblem
      ? [warning("agents.json", { code: "user-agents", problem: userAgentsProblem }, false)]
      : []),
    ...unusedSettings.map((unused) =>
      warning(SETTINGS, { code: "setting-unused", warning: unused }, false)
    ),
    ...damaged.map(({ file, problem }) => error(file, { code: "damaged-file", problem })),
    ...(freeBytes === null || freeBytes >= LOW_DISK
      ? []
      : [error(".orchestra", { code: "low-disk", free: freeBytes })]),
  ];
}

/** Whether processes of a task may live, by what its file says. */
export function isActive(task: Task): boolean {
  return task.status === "running" || task.reapAt !== null;
}

/** Machines may differ by so much without anybody's minding, seconds. */
const SLACK = 300;

/** How far what has happened to a task is yet to come, seconds. */
function aheadBy({ createdAt, startedAt, completedAt }: Task, now: number): number {
  const times = [createdAt, startedAt, completedAt].map((time) => parseTime(time) ?? 0);
  return Math.max(0, ...times.map((time) => (time - now) / 1000));
}

/** What runs and should not, or does not and should. */
function diagnoseTasks(
  { tasks, damaged, watched, stoppedWatcher, marks, processes, now }: Facts,
): Finding[] {
  const findings: Finding[] = [];
  const known = new Map(tasks.map((task) => [task.taskId, task]));
  const active = tasks.filter(isActive);
  if (active.length > 0 && !watched) {
    const wrong = { code: "unwatched", running: active.length } as const;
    findings.push(warning(active[0]!.taskId, wrong, true));
  }
  if (stoppedWatcher !== null) {
    const wrong = { code: "watcher-stopped", pid: stoppedWatcher } as const;
    findings.push(error(".orchestra/daemon.lock", wrong));
  }
  for (const { taskId, status, claim } of tasks) {
    if (status !== "running" || claim === 0 || marks.get(taskId)?.includes(`${claim}.pid`)) {
      continue;
    }
    findings.push(warning(taskId, { code: "stale-claim" }, true));
  }
  const ahead = tasks.map((task) => ({ id: task.taskId, by: aheadBy(task, now) }))
    .filter(({ by }) => by > SLACK).sort((a, b) => b.by - a.by);
  if (ahead.length > 0) {
    const { id, by } = ahead[0]!;
    const wrong = { code: "clock", tasks: ahead.length, ahead: by } as const;
    findings.push(warning(id, wrong, false));
  }
  for (const [id, pids] of processes) {
    const task = known.get(id);
    if (task !== undefined && isActive(task)) continue;
    const status = task?.status ?? null;
    // One whose file cannot be read may be at work, and one that is pending may begin right now.
    const over = status !== "pending" &&
      !damaged.some(({ file }) => basename(file, ".json") === id);
    findings.push(warning(id, { code: "orphan", pids, status }, over));
  }
  return findings;
}

/** What is of no more use, or should not be as it is. */
function diagnoseLeftovers(
  { tasks, damaged, marks, strays, open, pipes, localLocks, watchProblem, history }: Facts,
): Finding[] {
  const findings: Finding[] = [];
  if (history.missing.length > 0) {
    const wrong = { code: "history-gap", events: history.missing.length } as const;
    findings.push(warning(HISTORY, wrong, true));
  }
  if (history.damaged > 0) {
    const wrong = { code: "history-damaged", lines: history.damaged } as const;
    findings.push(warning(HISTORY, wrong, false));
  }
  // A task whose file is damaged is one all the same.
  const known = new Set([
    ...tasks.map((task) => task.taskId),
    ...damaged.map(({ file }) => basename(file, ".json")),
  ]);
  for (const [id, list] of marks) {
    const ours = list.filter((mark) => isOwnMark(mark) && !mark.endsWith(".tmp"));
    if (known.has(id) || ours.length === 0) continue;
    findings.push(warning(id, { code: "sentinel-without-task", marks: ours }, true));
  }
  for (const name of strays) findings.push(warning(name, { code: "left-over" }, true));
  for (const path of open) findings.push(warning(path, { code: "open-to-others" }, true));
  for (const path of pipes) findings.push(warning(path, { code: "pipe" }, false));
  if (localLocks !== null) {
    findings.push(warning(".orchestra", { code: "local-locks", type: localLocks }, false));
  }
  if (watchProblem !== null) {
    const wrong = { code: "no-watcher", problem: watchProblem } as const;
    findings.push(warning(".orchestra/tasks", wrong, false));
  }
  return findings;
}

/** Who is not told of what happens. */
function diagnoseSubscribers({ untold, subscriberProblems }: Facts): Finding[] {
  return [
    ...subscriberProblems.map(({ problem, unapproved }) =>
      warning("webhooks", { code: "subscribers", problem, unapproved }, false)
    ),
    ...untold.map(({ name, problem }) => warning(name, { code: "subscriber", problem }, false)),
  ];
}

/** Agents that cannot be launched; one that nothing waits for is no error. */
function diagnoseAgents({ tasks, agents }: Facts): Finding[] {
  const findings: Finding[] = [];
  if (agents === null) return findings;
  const used = new Set(
    tasks.filter((task) => task.status === "pending").map((task) => task.agent),
  );
  for (const { name, problem, command, found } of agents) {
    if (problem !== null) findings.push(error(name, { code: "agent-broken", problem }));
    else if (found === null) {
      findings.push(warning(name, { code: "agent-on-server" }, false));
    } else if (!found) {
      const wrong = { code: "agent-missing", command } as const;
      findings.push(used.has(name) ? error(name, wrong) : warning(name, wrong, false));
    }
    used.delete(name);
  }
  for (const name of used) findings.push(error(name, { code: "agent-unknown" }));
  return findings;
}
