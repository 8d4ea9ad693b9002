// What `doctor` found, in words: what is wrong, and how to mend it, a sentence each. Pure.

import type { BranchFinding } from "../decide/diagnose_branches.ts";
import type { Finding } from "../decide/diagnose.ts";
import { formatDuration } from "../task/duration.ts";
import { formatSettingsWarning } from "./settings.ts";

/** A finding as `--json` prints it. */
export interface FindingJson extends Pick<Finding, "code" | "level" | "fixable" | "subject"> {
  /** What is wrong, one sentence. */
  message: string;
  /** How to mend it, one sentence. */
  remedy: string;
}

/**
 * A finding with its words.
 *
 * @param settings names of all settings, for what was probably meant
 */
export function formatFinding(finding: Finding, settings: readonly string[]): FindingJson {
  const { code, level, fixable, subject } = finding;
  return { code, level, ...wordsOf(finding, settings), fixable, subject };
}

function wordsOf(
  finding: Finding,
  settings: readonly string[],
): { message: string; remedy: string } {
  const { subject } = finding;
  switch (finding.code) {
    case "settings":
      return {
        message: finding.problem,
        remedy: "Mend the file; no agent can be launched before.",
      };
    case "no-slots":
      return {
        message: `Limits across workspaces cannot be held: ${finding.problem}`,
        remedy:
          "Nothing that is subject to one is launched before: let the folder be written to, " +
          "or take the limits out of your settings.",
      };
    case "unread-limits":
      return {
        message: `The limits in ${subject} cannot be read: ${finding.problem}`,
        remedy: "Mend the file; no agent that they may be for is launched before.",
      };
    case "user-agents":
      return { message: finding.problem, remedy: "Mend the file; see orchestra agents." };
    case "setting-unused":
      return {
        message: formatSettingsWarning(finding.warning, settings),
        remedy: "Take it out of the file, or spell it right: orchestra config show",
      };
    case "damaged-file":
      return {
        message: `${subject} ${finding.problem}`,
        remedy: "Mend it by hand, or move it away; the other tasks are not touched by it.",
      };
    case "low-disk":
      return {
        message: `Only ${Math.floor(finding.free / 1024 / 1024)} MB are free on the disk`,
        remedy: "Free some space: a full disk stops the queue, though nothing is lost.",
      };
    case "watcher-stopped":
      return {
        message: `Process ${finding.pid}, which watches over the workspace, is stopped`,
        remedy: `Nothing goes on until it does: kill -CONT ${finding.pid}`,
      };
    case "unwatched":
      return {
        message: `${finding.running} running, and nobody watches over them`,
        remedy: "A supervisor takes over with: orchestra status",
      };
    case "stale-claim":
      return {
        message: `${subject} was claimed, but its launch never came`,
        remedy: "The next look takes it back to pending.",
      };
    case "orphan": {
      const { pids, status } = finding;
      return {
        message: `${pids.length} ${pids.length === 1 ? "process" : "processes"} of ${subject} ` +
          `still run (pid ${pids.slice(0, 5).join(", ")}), ${
            status === null ? "and there is no such task" : `though it is ${status}`
          }`,
        remedy: "An agent may have left a server behind on purpose; if not, end " +
          (finding.fixable ? "them with: orchestra doctor --fix" : "them."),
      };
    }
    case "sentinel-without-task":
      return {
        message: `${
          finding.marks.map((mark) => `${subject}.${mark}`).join(", ")
        }: there is no such task`,
        remedy: "They are of no use and can be removed.",
      };
    case "left-over":
      return {
        message: `${subject} was left behind by a process that was killed`,
        remedy: "It can be removed.",
      };
    case "open-to-others":
      return {
        message: `${subject} can be read by others on this machine`,
        remedy: `Close it with: chmod go= ${subject}`,
      };
    case "no-watcher":
      return {
        message: `The system does not let us watch the folder: ${finding.problem}`,
        remedy: "Changes are seen by rescans alone; on Linux raise fs.inotify.max_user_watches.",
      };
    case "local-locks":
      return {
        message:
          `Locks on the file system of ${subject} (${finding.type}) hold on one machine only`,
        remedy: "Use the workspace from one machine, or mount it so that locks are common.",
      };
    case "clock": {
      const { tasks, ahead } = finding;
      const what = tasks === 1 ? `${subject} has a time` : `${tasks} tasks have times`;
      return {
        message: `${what} ahead of the clock, by ${formatDuration(ahead)} at most (${subject})`,
        remedy: "Was the clock set back? A wait that is to last more than 31 days is not believed.",
      };
    }
    case "subscriber":
      return {
        message: `${subject} is not told of what happens: ${finding.problem}`,
        remedy: `See what came of it with: orchestra webhooks log ${subject}`,
      };
    case "subscribers":
      return {
        message: finding.problem,
        remedy: finding.unapproved
          ? "See and approve them with: orchestra trust --commands"
          : "See who is told of what happens with: orchestra webhooks list",
      };
    case "history-gap":
      return {
        message:
          `${finding.events} ${finding.events === 1 ? "thing" : "things"} that happened to ` +
          "tasks are not in the history",
        remedy: "A power cut, or an older program. Their files still tell: orchestra doctor --fix",
      };
    case "history-damaged":
      return {
        message: `${finding.lines} ${finding.lines === 1 ? "line" : "lines"} of the history ` +
          `${finding.lines === 1 ? "is" : "are"} damaged`,
        remedy: "They are passed over; what is wrong with them can be seen in the file alone.",
      };
    case "pipe":
      return {
        message: `${subject} is a pipe: who watches the folder may be told of changes late`,
        remedy: `Remove it: rm ${subject}`,
      };
    case "agent-missing":
      return {
        message: `Agent "${subject}": there is no ${finding.command}${
          finding.command?.includes("/") ? "" : " on PATH"
        }`,
        remedy: "Install it, or take the agent out of .orchestra-cli/agent-config.json.",
      };
    case "agent-on-server":
      return {
        message: `Agent "${subject}": its program is on a server, and was not looked at: ` +
          "that server would be told who you are",
        remedy: "Where you do not know that server, take the agent out of " +
          ".orchestra-cli/agent-config.json: a task for it calls the server.",
      };
    case "agent-broken":
      return {
        message: `Agent "${subject}": ${finding.problem}`,
        remedy: "Mend its entry in .orchestra-cli/agent-config.json.",
      };
    case "agent-unknown":
      return {
        message:
          `Tasks wait for agent "${subject}", which is not in .orchestra-cli/agent-config.json`,
        remedy: "Add it, or cancel these tasks.",
      };
    default:
      return branchWords(finding);
  }
}

/** Some of many tasks. */
function firstOf(tasks: readonly string[]): string {
  return tasks.slice(0, 5).join(", ") + (tasks.length > 5 ? ", …" : "");
}

/** What is wrong with branches and worktrees. */
function branchWords(finding: BranchFinding): { message: string; remedy: string } {
  const { subject, fixable } = finding;
  const mends = "It is mended by: orchestra doctor --fix";
  const byName = `What it has is kept as a backup: orchestra clean --worktrees --force ${subject}`;
  switch (finding.code) {
    case "worktrees-unseen":
      return {
        message: `How it stands with the branches and worktrees of tasks: ${finding.problem}`,
        remedy: "See what git says in the workspace: git worktree list",
      };
    case "worktree-orphan":
      return {
        message: `The worktree ${finding.path} is left of ${subject}, and there is no such task`,
        remedy: fixable ? mends : byName,
      };
    case "branch-orphan":
      return {
        message: `The branch ${finding.branch} is left of ${subject}, and there is no such task`,
        remedy: fixable ? mends : byName,
      };
    case "worktree-half":
      return {
        message: `The worktree ${finding.path} lacks files: who made or removed it was killed`,
        remedy: fixable ? mends : "See why it stays with: orchestra worktrees",
      };
    case "merge-half":
      return {
        message: `A merge of ${firstOf(finding.tasks)} into ${finding.branch} was interrupted: ` +
          "files that it brought may be there, and others not",
        remedy: `${mends}, or by the next orchestra merge`,
      };
    case "worktree-gone":
      return {
        message: `The worktree ${finding.path} of ${subject} is gone, and git does not know`,
        remedy: fixable ? mends : "See why it stays with: orchestra worktrees",
      };
    case "worktree-foreign":
      return {
        message: `${finding.path} is not the worktree of ${subject}: ${finding.problem}`,
        remedy: "Orchestra does not touch it; mend it, or move it out of the way.",
      };
    case "git-lock":
      return {
        message: `${subject} is a lock of git's, ${formatDuration(finding.age)} old`,
        remedy: finding.left
          ? "Nobody can have it any more: orchestra doctor --fix"
          : "Who has it cannot be seen from here. Where you know that no git runs there, remove it.",
      };
  }
}
