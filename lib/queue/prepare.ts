// From a task and its agent to a launch: reads what the decision needs, writes what the agent is to find
// (prompt, standard input, an empty log), and hands it to the place where the agent runs.

import { branchOf } from "../decide/branch.ts";
import {
  type LaunchProblem,
  type Prepared,
  prepareLaunch,
  type WorktreePlaces,
} from "../decide/launch_plan.ts";
import { definitionFor, resumedSession } from "../decide/session.ts";
import { traceVariables } from "../decide/trace_ids.ts";
import type { Launched } from "../launch/launcher.ts";
import { lstat } from "../store/files.ts";
import { folderInside, isAbsolute, parentOf, refuseLink } from "../store/paths.ts";
import { placesOf } from "../store/places.ts";
import type { Store } from "../store/tasks.ts";
import { type AgentDefinition, pickAgent } from "../task/agent.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { DEFAULT_PROMPT, RETRY_NOTE, WORKTREE_NOTE } from "../../templates/prompts.ts";
import type { Queue, Rules } from "./queue.ts";
import { findWorktree } from "./worktree_place.ts";

/** Decides a launch, or says why there can be none. */
export function prepare(
  { store }: Pick<Queue, "store">,
  task: Task,
  own: AgentDefinition,
): Prepared | { problem: LaunchProblem } {
  const agent = definitionFor(task, own);
  if (agent === null) return { problem: { kind: "no-resume", agent: task.agent } };
  const template = readTemplate(store, agent);
  if (typeof template === "object" && template !== null) return template;
  const worktree = worktreeOf(store, task);
  if (worktree !== null && "problem" in worktree) return worktree;
  const decided = prepareLaunch(
    task,
    agent,
    template,
    RETRY_NOTE,
    placesOf(store, task),
    resumedSession(task) ?? sessionOf(task),
    Deno.build.os === "windows",
    worktree,
    WORKTREE_NOTE,
  );
  if ("problem" in decided) return decided;
  if (worktree !== null) {
    const outside = enterWorktree(decided, worktree, agent.cwd !== undefined);
    return outside ?? decided;
  }
  if (agent.cwd !== undefined) {
    const inside = folderInside(store.root, decided.cwd);
    if (inside === undefined) return { problem: { kind: "outside", folder: decided.cwd } };
    decided.cwd = inside;
  }
  return decided;
}

/** The worktree of a task as it is on disk; null where it has none. */
function worktreeOf(store: Store, task: Task): WorktreePlaces | null | { problem: LaunchProblem } {
  const branch = branchOf(task);
  if (branch === null) return null;
  const found = findWorktree(store.root, branch.path, task.taskId);
  if ("problem" in found) return { problem: { kind: "worktree", message: found.problem } };
  const { path } = branch;
  const folder = branch.folder === "" ? path : `${path}/${branch.folder}`;
  return { path, folder, branch: branch.branch, base: branch.base, gitFolder: found.gitFolder };
}

/** Where in its worktree an agent works; nothing that the caller's own git was told reaches it. */
function enterWorktree(
  decided: Prepared,
  { path, folder }: WorktreePlaces,
  named: boolean,
): { problem: LaunchProblem } | undefined {
  const wanted = named && !isAbsolute(decided.cwd) ? `${folder}/${decided.cwd}` : decided.cwd;
  const inside = folderInside(path, wanted);
  if (inside !== undefined) decided.cwd = inside;
  else return { problem: { kind: "outside", folder: decided.cwd, worktree: true } };
  if (decided.inherit === null) withoutGit(decided);
  return undefined;
}

/** What tells git which repository is meant, or who commits. */
const OF_GIT: readonly string[] = [
  ..."ALTERNATE_OBJECT_DIRECTORIES CONFIG CONFIG_PARAMETERS CONFIG_COUNT OBJECT_DIRECTORY".split(
    " ",
  ),
  ..."DIR WORK_TREE IMPLICIT_WORK_TREE GRAFT_FILE INDEX_FILE NO_REPLACE_OBJECTS NAMESPACE".split(
    " ",
  ),
  ..."REPLACE_REF_BASE PREFIX SHALLOW_FILE COMMON_DIR INTERNAL_SUPER_PREFIX QUARANTINE_PATH".split(
    " ",
  ),
  ..."AUTHOR_NAME AUTHOR_EMAIL AUTHOR_DATE COMMITTER_NAME COMMITTER_EMAIL COMMITTER_DATE".split(
    " ",
  ),
].map((name) => `GIT_${name}`);

/** An agent inherits our variables but those of git's. */
function withoutGit(decided: Prepared): void {
  try {
    const names = Object.keys(Deno.env.toObject());
    // Windows has names that begin with "=", which nobody can ask for.
    decided.inherit = names.filter((name) => !/^GIT_|=/i.test(name));
  } catch (error) {
    // Where Deno's permissions do not tell which there are, they are taken away by name.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    decided.unset = OF_GIT;
  }
}

/** The session that a task begins; its file may have been written by anybody. */
function sessionOf({ usage }: Task): string {
  const known = usage?.sessionId;
  return typeof known === "string" && /^[\da-f-]{36}$/.test(known) ? known : crypto.randomUUID();
}

/** Why a task could not be launched; undefined where it could. */
export function launchProblem(
  queue: Pick<Queue, "store">,
  task: Task,
  rules: Rules,
): LaunchProblem | undefined {
  const found = pickAgent(rules.agents, task.agent);
  if ("problem" in found) return { kind: "no-agent", problem: found.problem };
  const prepared = prepare(queue, task, found);
  return "problem" in prepared ? prepared.problem : undefined;
}

/** Text of an agent's prompt template; null for the bare prompt. */
function readTemplate(
  store: Store,
  agent: AgentDefinition,
): string | null | { problem: LaunchProblem } {
  if (agent.promptTemplateFile !== undefined) {
    const path = `${store.root}/${agent.promptTemplateFile}`;
    const outside = /(?:^|[\\/])\.\.(?:[\\/]|$)|\0/.test(agent.promptTemplateFile) ||
      folderInside(store.root, parentOf(path)) === undefined;
    const text = outside ? undefined : store.readFile(path);
    return text ?? { problem: { kind: "no-template", file: agent.promptTemplateFile } };
  }
  if (agent.promptTemplate !== undefined) return agent.promptTemplate;
  if (agent.completion === "exit") return null;
  const prompts = `${store.root}/.orchestra-cli/prompts`;
  refuseLink(prompts, ".orchestra-cli/prompts");
  return store.readFile(`${prompts}/default.md`) ?? store.readFile(`${prompts}/default.txt`) ??
    DEFAULT_PROMPT;
}

/** Which files beside the task a launch has. */
export interface LaunchMarks {
  readonly pid: string;
  readonly exit: "exitcode" | "verifycode" | "setupcode";
  /** Absolute path of its log; the task's own where absent. */
  readonly log?: string;
}

/** Starts what was prepared, at the place of its agent. */
export function launchPrepared(
  { store, launchers }: Queue,
  task: Task,
  agent: AgentDefinition,
  prepared: Prepared,
  marks: LaunchMarks,
): Launched {
  const places = placesOf(store, task);
  const { promptFile } = places;
  const logFile = marks.log ?? places.logFile;
  const info = lstat(logFile);
  if (info === undefined) {
    Deno.openSync(logFile, { write: true, createNew: true, mode: 0o600 }).close();
  } else if (!info.isFile) {
    throw new OrchestraError(
      "damaged",
      `Launching ${task.taskId}: its log is not a regular file`,
      { hint: `Remove ${store.relative(logFile)}.` },
    );
  }
  // A verify command gets no prompt: the file keeps what the agent was given.
  if (marks.exit === "exitcode") writePrivate(promptFile, prepared.prompt);
  let stdinFile: string | null = null;
  if (prepared.stdin !== null) {
    stdinFile = promptFile;
    if (prepared.stdin !== prepared.prompt) {
      stdinFile = `${store.dir}/plans/${task.taskId}_stdin`;
      writePrivate(stdinFile, prepared.stdin);
    }
  }
  return launchers.of(agent).launch({
    pidFile: store.markPath(task.taskId, marks.pid),
    exitFile: store.markPath(task.taskId, marks.exit),
    logFile,
    stdinFile,
    cwd: prepared.cwd,
    command: prepared.command,
    args: prepared.args,
    prompted: prepared.prompted,
    // What the agent's own settings say of them counts.
    env: { ...traceVariables(store.identity, task), ...prepared.env },
    inherit: prepared.inherit,
    unset: prepared.unset,
  });
}

/** Writes a file that only its owner may read, replacing what is there; a link is not followed. */
function writePrivate(path: string, text: string): void {
  if (lstat(path) !== undefined) Deno.removeSync(path);
  Deno.writeTextFileSync(path, text, { createNew: true, mode: 0o600 });
}
