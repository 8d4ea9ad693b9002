// What a task's worktree goes through, outside the workspace lock, which is taken only to write what came of
// it: it is made before the claim, what the agent left is committed, and it is put away. Each step finds
// what an earlier one left that was killed, and goes on with it. Loaded only where a task has a worktree.

import { branchOf } from "../decide/branch.ts";
import { resolversOf } from "../decide/merging.ts";
import type { Outcome } from "../decide/reconcile.ts";
import { awaitsCommit, commitMessage, lacksWorktree } from "../decide/worktree.ts";
import { branchName } from "../settings/worktree_shape.ts";
import { toOrchestraError } from "../task/error.ts";
import { formatTime, type Task, type TaskBranch } from "../task/fields.ts";
import { authorOf } from "../worktree/author.ts";
import { commitNamed, commitOf, isAncestor, mergeTips, type Tip } from "../worktree/base.ts";
import { commitLeft } from "../worktree/commit.ts";
import { makeFolderWithin } from "../worktree/disk.ts";
import { hideFolder, worktreeFolder, worktreePath } from "../worktree/folder.ts";
import { GitError, lastLine } from "../worktree/git.ts";
import { integratedBy } from "../worktree/integrated.ts";
import { limitGit } from "../worktree/limit.ts";
import { makeWorktree } from "../worktree/make.ts";
import { removeWorktree } from "../worktree/remove.ts";
import { findRepository, type Repository } from "../worktree/repository.ts";
import { inTime } from "./in_time.ts";
import { type Queue, readSound, type Rules } from "./queue.ts";
import { noteHandedOver, takeOver } from "./resume.ts";
import { settle } from "./settle.ts";
import { ownWorktree } from "./worktree_own.ts";
import { NotNow, withWorktreeLock } from "./worktree_lock.ts";
import { lockReason } from "./worktree_place.ts";

/** What came of making a worktree. */
export type Made =
  /** The task as it is now: it has its worktree, or has failed for want of one, or is none of ours any more. */
  | { readonly task: Task | undefined }
  /** Something stood in the way that will pass: it is tried again. */
  | { readonly later: string };

/** Why a task cannot have a worktree. */
type Refusal =
  | { readonly conflict: readonly string[]; readonly branches: readonly string[] }
  | { readonly problem: string };

/**
 * Makes the worktree of a pending task, and writes into the task where it is; where none can be made for
 * reasons that are the task's own, the task fails.
 */
export async function makeFor(queue: Queue, id: string, rules: Rules): Promise<Made> {
  try {
    return await withWorktreeLock(queue.store, id, () => makeAlone(queue, id, rules));
  } catch (error) {
    if (error instanceof NotNow) return { later: wordsOf(error) };
    throw error;
  }
}

async function makeAlone(queue: Queue, id: string, rules: Rules): Promise<Made> {
  const task = readSound(queue, id);
  if (task?.status !== "pending" || !lacksWorktree(task, rules)) return { task };
  let made: TaskBranch | Refusal;
  try {
    const done = await inTime(
      queue,
      task,
      rules,
      (signal) =>
        make(queue, task, rules, signal).catch(() => {
          // A git that outlived who had started it may have made it from where the user's working copy was
          // just before: as it is now, it is found.
          return make(queue, task, rules, signal);
        }),
    );
    made = done.value;
  } catch (error) {
    if (isPassing(error)) return { later: wordsOf(error) };
    made = { problem: wordsOf(error).replace(ATTEMPT, "") };
  }
  return { task: keepMade(queue, id, rules, made) };
}

function keepMade(
  queue: Queue,
  id: string,
  rules: Rules,
  made: TaskBranch | Refusal,
): Task | undefined {
  const { store } = queue;
  return store.locked(() => {
    const task = readSound(queue, id);
    if (task === undefined || branchOf(task) !== null) return task;
    // Somebody has said meanwhile that it needs none, and launched it; or it is gone.
    if (task.status !== "pending" && task.status !== "cancelled") return task;
    if ("branch" in made) {
      // One that was cancelled meanwhile has it put away.
      const owed = task.status === "cancelled" ? formatTime(queue.now()) : task.reapAt;
      const known: Task = { ...task, git: made, reapAt: owed };
      if (task.resumes !== null) noteHandedOver(queue, task);
      store.write(known);
      return known;
    }
    if (task.status !== "pending") return task;
    return settle(
      queue,
      failed(task, queue.now()),
      refusedOutcome(task, made),
      { shim: null },
      rules,
      queue.now(),
    );
  });
}

/** It begins now, and ends at once, as one whose agent cannot be started. */
function failed(task: Task, now: number): Task {
  return {
    ...task,
    startedAt: formatTime(now),
    notBefore: null,
    blockedBy: null,
    blockedReason: null,
  };
}

function refusedOutcome(task: Task, refusal: Refusal): Outcome {
  return {
    status: "failed",
    failure: "conflict" in refusal
      ? {
        kind: "conflict",
        files: refusal.conflict,
        branches: refusal.branches,
      }
      : {
        kind: "spawn",
        agent: task.agent,
        problem: { kind: "worktree", message: refusal.problem },
      },
    reason: null,
    exitCode: null,
    result: null,
    timedOutAt: null,
    laneUntil: null,
    reapAt: null,
    endedAt: null,
  };
}

async function make(
  queue: Queue,
  task: Task,
  rules: Rules,
  signal: AbortSignal,
): Promise<TaskBranch | Refusal> {
  const { store } = queue;
  const { worktrees } = rules.config;
  const repo = await findRepository(store.root);
  if (task.resumes !== null) return await takeOver(queue, repo, task, signal);
  const branch = branchName(worktrees.branch, task.taskId);
  const folder = worktreeFolder(repo, worktrees.folder);
  await hideFolder(repo, folder);
  const path = worktreePath(folder, task.taskId);
  const reason = lockReason(task.taskId);
  // Whoever made it was killed before it could be told: nothing has been done there.
  const earlier = await tipOf(repo, branch);
  let base = earlier;
  if (earlier === null) {
    const chosen = await baseOf(queue, repo, task, rules);
    if ("conflict" in chosen) return chosen;
    // By itself, what builds on others' work does not begin with what the user happens to have open.
    const usual = worktrees.dirty === "carry" && !chosen.isOwn ? "ignore" : worktrees.dirty;
    const dirty = task.dirty ?? usual;
    await makeWorktree(repo, {
      branch,
      base: chosen.base,
      path,
      reason,
      dirty,
      include: true,
    }, signal);
    // What was carried over is the beginning, and no work of the agent's.
    base = dirty === "carry" ? await commitOf(repo, `refs/heads/${branch}`) : chosen.base;
  } else {
    await makeWorktree(repo, {
      branch,
      base: earlier,
      path,
      reason,
      dirty: "ignore",
      include: true,
      keepBranch: true,
    }, signal);
  }
  // The commit that it begins from may lack the folder of the workspace, and git keeps no empty ones.
  if (!await makeFolderWithin(path, repo.prefix)) {
    return {
      problem: `the folder ${repo.prefix} of the workspace is a link or a file in its commit`,
    };
  }
  return {
    branch,
    base: base!,
    path,
    folder: repo.prefix,
    tip: null,
    files: null,
    insertions: null,
    deletions: null,
    left: null,
  };
}

/**
 * The commit that a task's branch begins from: what was asked for, else what its dependencies made, else
 * the one that the user's working copy is at.
 *
 * Dependencies that contradict each other have been reconciled where the working copy's commit has them, or
 * a task that was to resolve the conflict: these count in their place.
 *
 * @returns the commit, and whether it is the working copy's; or the files in which dependencies differ
 */
async function baseOf(
  queue: Queue,
  repo: Repository,
  task: Task,
  rules: Rules,
): Promise<{ base: string; isOwn: boolean } | { conflict: string[]; branches: string[] }> {
  const tips = task.base === null ? await tipsOf(queue, repo, task) : [];
  const isOwn = task.base === null && tips.length === 0;
  if (tips.length > 0) {
    const author = await authorOf(repo, rules.config.worktrees.author);
    let merged = await mergeTips(repo, tips, author);
    if ("conflict" in merged) {
      const settled = await reconciled(queue, repo, tips);
      if (settled !== undefined) merged = await mergeTips(repo, settled, author);
    }
    return "conflict" in merged ? merged : { base: merged.commit, isOwn };
  }
  return { base: task.base === null ? repo.head : await commitOf(repo, task.base), isOwn };
}

/** Where a branch is; null where there is none. */
function tipOf(repo: Repository, branch: string): Promise<string | null> {
  return commitNamed(repo, `refs/heads/${branch}`);
}

/**
 * What stands for tips that contradict each other: the working copy's commit for those that it has, a
 * resolution for the one whose conflict it resolved.
 *
 * @returns undefined where nobody has reconciled any
 */
async function reconciled(
  { store }: Queue,
  repo: Repository,
  tips: readonly Tip[],
): Promise<Tip[] | undefined> {
  const head = await commitOf(repo, "HEAD");
  const { tasks } = store.scan();
  const found: Tip[] = [];
  let isNew = false;
  for (const one of tips) {
    const isThere = await integratedBy(repo, one.tip, head, null) !== null;
    const better = isThere
      ? { ...one, branch: "HEAD", tip: head }
      : await resolutionOf(repo, one, tasks);
    isNew ||= better !== undefined;
    found.push(better ?? one);
  }
  return isNew ? found : undefined;
}

/** The branch of a task that has merged another's: one that only says so does not count. */
async function resolutionOf(
  repo: Repository,
  { taskId, tip }: Tip,
  tasks: readonly Task[],
): Promise<Tip | undefined> {
  for (const task of resolversOf(taskId, tasks).reverse()) {
    const own = task.status === "complete" ? branchOf(task) : null;
    const last = own === null ? null : own.tip ?? await tipOf(repo, own.branch);
    if (last === null || !await isAncestor(repo, tip, last)) continue;
    return { taskId: task.taskId, branch: own!.branch, tip: last };
  }
  return undefined;
}

/** What the dependencies of a task made, each by the last of its attempts. */
async function tipsOf({ store }: Queue, repo: Repository, task: Task): Promise<Tip[]> {
  const tips: Tip[] = [];
  for (const id of task.dependsOn) {
    let last = store.read(id) ?? store.readArchived(id);
    for (const seen = new Set<string>(); last?.retriedBy && !seen.has(last.taskId);) {
      seen.add(last.taskId);
      last = store.read(last.retriedBy) ?? store.readArchived(last.retriedBy);
    }
    const found = last === undefined ? null : branchOf(last);
    if (found === null) continue;
    // Where it could not be committed, there is what its agent committed itself.
    const tip = found.tip ?? await commitOf(repo, `refs/heads/${found.branch}`);
    tips.push({ taskId: last!.taskId, branch: found.branch, tip: await commitOf(repo, tip) });
  }
  return tips;
}

/**
 * Commits on its branch what a task's agent left in its worktree.
 *
 * @param signal ends the gits that work there
 * @returns the field as it is to be written; `left` says why it could not be done
 */
export async function commitWork(
  { store }: Queue,
  task: Task,
  rules: Rules,
  signal: AbortSignal,
): Promise<TaskBranch> {
  const branch = branchOf(task)!;
  try {
    const repo = await findRepository(store.root);
    return await commit(repo, task, branch, rules, signal);
  } catch (error) {
    return { ...branch, left: `what its agent left could not be committed: ${wordsOf(error)}` };
  }
}

async function commit(
  repo: Repository,
  task: Task,
  branch: TaskBranch,
  rules: Rules,
  signal: AbortSignal,
): Promise<TaskBranch> {
  const found = await ownWorktree(repo, task, branch);
  if (found.kind === "another's") return { ...branch, left: found.why };
  // Where it was moved to is where it is from now on.
  const path = found.kind === "own" ? found.path : branch.path;
  using _limit = limitGit(path, signal);
  const author = await authorOf(repo, rules.config.worktrees.author);
  const { tip, files, insertions, deletions, paths } = await commitLeft(repo, path, {
    base: branch.base,
    branch: branch.branch,
    message: commitMessage(task),
    author,
  });
  const known = paths.slice(0, 1000);
  return { ...branch, path, tip, files, insertions, deletions, paths: known, left: null };
}

/**
 * Puts the worktree of a settled task away, once nothing of it lives: what was left is committed, and the
 * folder of a success in which nothing else is goes. Anything else stays.
 *
 * @param signal ends the gits that work there
 * @returns the field as it is to be written; `left` says why the folder stays
 */
export async function putAway(
  queue: Queue,
  task: Task,
  rules: Rules,
  signal: AbortSignal,
): Promise<TaskBranch> {
  const branch = awaitsCommit(task)
    ? await commitWork(queue, task, rules, signal)
    : branchOf(task)!;
  if (branch.left !== null) return branch;
  // What never ran has left nothing, unless another had worked there.
  const isUnused = task.claim === 0 || (task.failureClass === "spawn" && task.setupClaim === 0);
  const isOver = task.status === "complete" || (isUnused && task.resumes === null);
  if (!isOver) {
    return { ...branch, left: `the task ${task.status === "failed" ? "failed" : "was cancelled"}` };
  }
  try {
    const repo = await findRepository(queue.store.root);
    const found = await ownWorktree(repo, task, branch);
    if (found.kind === "gone") return branch;
    if (found.kind === "another's") return { ...branch, left: found.why };
    using _limit = limitGit(found.path, signal);
    const removed = await removeWorktree(repo, found.path, { force: false });
    return removed.removed ? branch : { ...branch, left: removed.why };
  } catch (error) {
    return { ...branch, left: wordsOf(error) };
  }
}

/** Git's own locks, and a disk that is full: no fault of a task. */
function isPassing(error: unknown): boolean {
  return PASSING.test(error instanceof GitError ? error.output.stderr : wordsOf(error));
}

const PASSING = new RegExp(
  [
    "\\.lock'?: File exists",
    "was ended by SIG",
    "another git",
    "does not let go",
    "cannot lock",
    "no space left",
    "disk quota",
    "disk is full",
    "unable to write file",
    "too many open files",
    "resource temporarily",
    "cannot allocate",
  ].join("|"),
  "i",
);

/** What was attempted, as errors say first: of a task that failed for want of a worktree that is known. */
const ATTEMPT = /^(?:Making the worktree .*?[/\\]task_\d+: |A worktree cannot be made: )/;

/** Why something went wrong, one line. */
function wordsOf(error: unknown): string {
  if (error instanceof GitError) return `git ${error.command}: ${lastLine(error.output)}`;
  const { message, hint } = toOrchestraError(error, "a worktree");
  return hint === undefined ? message : `${message}. ${hint}`;
}
