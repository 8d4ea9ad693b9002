// What is wrong with a workspace, and how to mend it. Findings are decided from facts; only the
// mending that can lose nothing is done by itself.

import { isOwnMark } from "../task/marks.ts";
import type { Task } from "../task/fields.ts";

/** One thing that is wrong. */
export interface Finding {
  /** Stable name of the kind. */
  code: string;
  /** `error`: something cannot work; `warning`: it may surprise. */
  level: "error" | "warning";
  /** What is wrong, one sentence. */
  message: string;
  /** How to mend it, one sentence. */
  remedy: string;
  /** Whether `--fix` does it. */
  fixable: boolean;
  /** What it is about: a file, a task, an agent. */
  subject: string;
}

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
  agents: readonly {
    name: string;
    problem: string | null;
    command: string | null;
    found: boolean;
  }[];
  watched: boolean;
  /** Why the folder cannot be watched; null where it can. */
  watchProblem: string | null;
  /** Free space, bytes; null where it is not known. */
  freeBytes: number | null;
  /** Files or folders with permissions for others than the owner. */
  open: readonly string[];
  /** Why the settings cannot be read; null where they can. */
  configProblem: string | null;
  /** What the settings file says without effect, a sentence each. */
  unusedSettings: readonly string[];
}

/** Below this much free space a queue may stop at any write, bytes. */
export const LOW_DISK = 200 * 1024 * 1024;

/** Everything that is wrong, worst first. */
export function diagnose(facts: Facts): Finding[] {
  const findings: Finding[] = [];
  const known = new Map(facts.tasks.map((task) => [task.taskId, task]));
  const damagedIds = new Set(
    facts.damaged.map(({ file }) => file.split("/").at(-1)!.split(".")[0]!),
  );
  if (facts.configProblem !== null) {
    findings.push({
      code: "settings",
      level: "error",
      message: facts.configProblem,
      remedy: "Mend the file; no agent can be launched before.",
      fixable: false,
      subject: ".orchestra/config.json",
    });
  }
  for (const message of facts.unusedSettings) {
    findings.push({
      code: "setting-unused",
      level: "warning",
      message,
      remedy: "Take it out of the file, or spell it as: orchestra config show",
      fixable: false,
      subject: ".orchestra/config.json",
    });
  }
  for (const { file, problem } of facts.damaged) {
    findings.push({
      code: "damaged-file",
      level: "error",
      message: `${file} ${problem}`,
      remedy: "Mend it by hand, or move it away; the other tasks are not touched by it.",
      fixable: false,
      subject: file,
    });
  }
  if (facts.freeBytes !== null && facts.freeBytes < LOW_DISK) {
    findings.push({
      code: "low-disk",
      level: "error",
      message: `Only ${Math.floor(facts.freeBytes / 1024 / 1024)} MB are free on the disk`,
      remedy: "Free some space: a full disk stops the queue, though nothing is lost.",
      fixable: false,
      subject: ".orchestra",
    });
  }
  const running = facts.tasks.filter((task) => task.status === "running" || task.reapAt !== null);
  if (running.length > 0 && !facts.watched) {
    findings.push({
      code: "unwatched",
      level: "warning",
      message: `${running.length} running, and nobody watches over them`,
      remedy: "A supervisor takes over with: orchestra status",
      fixable: true,
      subject: running[0]!.taskId,
    });
  }
  for (const task of facts.tasks) {
    const marks = facts.marks.get(task.taskId) ?? [];
    if (task.status === "running" && task.claim > 0 && !marks.includes(`${task.claim}.pid`)) {
      findings.push({
        code: "stale-claim",
        level: "warning",
        message: `${task.taskId} was claimed, but its launch never came`,
        remedy: "The next look takes it back to pending.",
        fixable: true,
        subject: task.taskId,
      });
    }
  }
  for (const [id, pids] of facts.processes) {
    const task = known.get(id);
    const expected = task !== undefined && (task.status === "running" || task.reapAt !== null);
    if (expected) continue;
    findings.push({
      code: "orphan",
      level: "warning",
      message: `${pids.length} ${
        pids.length === 1 ? "process" : "processes"
      } of ${id} still run (pid ${pids.slice(0, 5).join(", ")}), though it is ${
        task?.status ?? "gone"
      }`,
      remedy: "An agent may have left a server behind on purpose; if not, end them.",
      fixable: false,
      subject: id,
    });
  }
  for (const [id, marks] of facts.marks) {
    if (known.has(id) || damagedIds.has(id)) continue;
    const ours = marks.filter((mark) => isOwnMark(mark) && !mark.endsWith(".tmp"));
    if (ours.length === 0) continue;
    findings.push({
      code: "sentinel-without-task",
      level: "warning",
      message: `${ours.map((mark) => `${id}.${mark}`).join(", ")}: there is no such task`,
      remedy: "They are of no use and can be removed.",
      fixable: true,
      subject: id,
    });
  }
  for (const name of facts.strays) {
    findings.push({
      code: "left-over",
      level: "warning",
      message: `${name} was left behind by a process that was killed`,
      remedy: "It can be removed.",
      fixable: true,
      subject: name,
    });
  }
  for (const path of facts.open) {
    findings.push({
      code: "open-to-others",
      level: "warning",
      message: `${path} can be read by others on this machine`,
      remedy: `Close it with: chmod go= ${path}`,
      fixable: true,
      subject: path,
    });
  }
  if (facts.watchProblem !== null) {
    findings.push({
      code: "no-watcher",
      level: "warning",
      message: `The system does not let us watch the folder: ${facts.watchProblem}`,
      remedy: "Changes are seen by rescans alone; on Linux raise fs.inotify.max_user_watches.",
      fixable: false,
      subject: ".orchestra/tasks",
    });
  }
  const used = new Set(
    facts.tasks.filter((task) => task.status === "pending").map((task) => task.agent),
  );
  const names = new Set(facts.agents.map(({ name }) => name));
  for (const { name, problem, command, found } of facts.agents) {
    if (problem === null && found) continue;
    findings.push({
      code: problem === null ? "agent-missing" : "agent-broken",
      level: problem !== null || used.has(name) ? "error" : "warning",
      message: problem === null
        ? `Agent "${name}": there is no ${command} on PATH`
        : `Agent "${name}": ${problem}`,
      remedy: problem === null
        ? "Install it, or take the agent out of .orchestra-cli/agent-config.json."
        : "Mend its entry in .orchestra-cli/agent-config.json.",
      fixable: false,
      subject: name,
    });
  }
  for (const name of used) {
    if (names.has(name)) continue;
    findings.push({
      code: "agent-unknown",
      level: "error",
      message: `Tasks wait for agent "${name}", which is not in .orchestra-cli/agent-config.json`,
      remedy: "Add it, or cancel these tasks.",
      fixable: false,
      subject: name,
    });
  }
  return findings.sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
}
