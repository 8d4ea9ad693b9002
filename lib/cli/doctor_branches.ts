// What `doctor` finds out about branches and worktrees of tasks, and how it mends what can lose nothing.

import type { BranchFacts } from "../decide/diagnose_branches.ts";
import type { Finding } from "../decide/diagnose.ts";
import type { Queue } from "../queue/queue.ts";
import { noteCleaned } from "../queue/cleaned.ts";
import { loadConfig } from "../settings/config.ts";
import { lstat } from "../store/files.ts";
import { parentOf } from "../store/paths.ts";
import { OrchestraError, printable } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { type Branches, openBranches } from "./branches.ts";

/** Opens them with the settings of the workspace. */
async function open(queue: Queue): Promise<Branches> {
  const { config } = await loadConfig(queue.store);
  return await openBranches(queue, config, null);
}

/** Whether the workspace is in a repository, as far as can be seen without git. */
function isInRepository(root: string): boolean {
  try {
    for (let folder = root;; folder = parentOf(folder)) {
      if (lstat(`${folder}/.git`) !== undefined) return true;
      if (parentOf(folder) === folder) return false;
    }
  } catch {
    return false;
  }
}

/**
 * What is found out about them.
 *
 * @param tasks those of the workspace
 * @returns undefined where there are none
 */
export async function branchFacts(
  queue: Queue,
  tasks: readonly Task[],
): Promise<BranchFacts | undefined> {
  const { store, now } = queue;
  const isUsed = tasks.some(({ git }) => git !== null) ||
    lstat(`${store.dir}/merge.json`) !== undefined;
  if (!isUsed && !isInRepository(store.root)) return undefined;
  try {
    const { repo, look } = await open(queue);
    const seen = await look();
    if (!isUsed && seen.length === 0) return undefined;
    const { adminFolder } = await import("../worktree/record.ts");
    const { isLeft, isOf, locksOfRepository, locksOfWorktree } = await import(
      "../worktree/stale_locks.ts"
    );
    const { killedSince } = await import("../worktree/lock.ts");
    const { interruptedMove } = await import("../worktree/merge_record.ts");
    const { nameOf } = await import("../worktree/target.ts");
    const locks = await locksOfRepository(repo);
    for (const { found: { entry } } of seen) {
      const admin = entry === undefined ? undefined : await adminFolder(repo, entry.path);
      if (admin !== undefined) locks.push(...await locksOfWorktree(admin));
    }
    const move = store.isMade() ? interruptedMove(store) : null;
    const killed = Math.min(
      killedSince(repo) ?? Infinity,
      move === null ? Infinity : Date.parse(move.at),
    );
    return {
      problem: null,
      ...move === null ? {} : { merge: { branch: nameOf(move.ref), tasks: move.tasks } },
      places: seen.map(({ found, place }) => ({
        taskId: found.taskId,
        hasTask: found.tasks.length > 0,
        path: found.entry?.path ?? found.path,
        place,
      })),
      locks: locks.map((lock) => {
        const isKilled = isOf(lock, killed);
        const left = isLeft(lock, isKilled ? Infinity : now());
        return { path: lock.path, since: lock.since, killed: isKilled, left };
      }),
    };
  } catch (error) {
    // Without a branch nobody needs to know what git says of the folder.
    if (!isUsed) return undefined;
    const problem = error instanceof OrchestraError || error instanceof Error
      ? error.message
      : String(error);
    return { problem, places: [], locks: [] };
  }
}

/** Finishes a merge that was interrupted, or takes it back. */
async function mendMerge(queue: Queue): Promise<string | undefined> {
  const { store } = queue;
  const { findRepository } = await import("../worktree/repository.ts");
  const { whileMerging } = await import("../worktree/merge_record.ts");
  const { settleMove } = await import("../worktree/perform.ts");
  const { removeScratches } = await import("../worktree/scratch.ts");
  const repo = await findRepository(store.root);
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  return await whileMerging(store, async () => {
    const settled = await settleMove({ repo, store, now: () => queue.now(), note });
    await removeScratches({ repo, root: store.root });
    if (settled === null) return undefined;
    const { move: { tasks }, abandoned } = settled;
    const what = `merge of ${tasks.join(", ")} that was interrupted`;
    const done = abandoned === null ? `finished the ${what}` : `gave up the ${what}: ${abandoned}`;
    return [done, ...notes].join("; ");
  });
}

/** Mends one finding; says what it did, and notes why it could not. */
export async function mendBranch(
  queue: Queue,
  finding: Finding,
  note: (text: string) => void,
): Promise<string | undefined> {
  const { subject } = finding;
  const { cleanBranch, mendWorktree } = await import("../worktree/clean.ts");
  const { NotNow, withWorktreeLock } = await import("../queue/worktree_lock.ts");
  /** Undefined where somebody else is at it. */
  const inTurn = <T>(act: () => Promise<T>) =>
    withWorktreeLock(queue.store, subject, act).catch((error) => {
      if (!(error instanceof NotNow)) throw error;
      note(`${subject}: ${error.message}\n  ${error.hint}`);
      return undefined;
    });
  switch (finding.code) {
    case "worktree-orphan":
    case "branch-orphan": {
      const { repo, request } = await open(queue);
      const cleaned = await inTurn(() => cleanBranch(repo, subject, false, request));
      return cleaned?.kind === "removed" ? `removed what was left of ${subject} in git` : undefined;
    }
    case "worktree-half":
    case "worktree-gone": {
      const { repo, request } = await open(queue);
      const mended = await inTurn(() => mendWorktree(repo, subject, request)) ?? null;
      if (mended === "forgotten") noteCleaned(queue, [subject]);
      return mended === null
        ? undefined
        : mended === "completed"
        ? `brought back the files of the worktree of ${subject}`
        : `told git that the worktree of ${subject} is gone; its branch stays`;
    }
    case "merge-half":
      try {
        return await mendMerge(queue);
      } catch (error) {
        // Somebody has changed a file since, for example: the others are mended all the same.
        if (!(error instanceof OrchestraError)) throw error;
        note(printable(`${error.message}\n  ${error.hint ?? ""}`));
        return undefined;
      }
    case "git-lock": {
      const { killedSince } = await import("../worktree/lock.ts");
      const { releaseKilled, releaseOld } = await import("../worktree/stale_locks.ts");
      const { repo } = await open(queue);
      const killed = killedSince(repo);
      // Those of whoever was killed go however new they are.
      if (killed !== undefined) await releaseKilled(repo, killed);
      return releaseOld(subject, queue.now()) ? `released ${subject}` : undefined;
    }
    default:
      return undefined;
  }
}
