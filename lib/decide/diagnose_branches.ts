// What is wrong with the branches and worktrees of tasks: those whose tasks are gone, those that a kill has
// left half done, and locks of git's that nobody has any more. Decided from facts, as all findings are.

import { decideCleaning, type Place, STALE_AFTER } from "./cleaning.ts";

/** What may be wrong with them, by a stable name, with what is known of it. */
export type BranchWrong =
  /** How it stands with them cannot be told. */
  | { readonly code: "worktrees-unseen"; readonly problem: string }
  /** A worktree whose task is gone. */
  | { readonly code: "worktree-orphan"; readonly path: string }
  /** A branch whose task is gone. */
  | { readonly code: "branch-orphan"; readonly branch: string }
  /** Whoever made a worktree was killed. */
  | { readonly code: "worktree-half"; readonly path: string }
  /** The folder of a worktree is gone, and git does not know. */
  | { readonly code: "worktree-gone"; readonly path: string }
  /** Something else is in the place of a worktree. */
  | { readonly code: "worktree-foreign"; readonly path: string; readonly problem: string }
  /** Whoever merged tasks into a branch, or took that back, was killed in the middle of it. */
  | { readonly code: "merge-half"; readonly branch: string; readonly tasks: readonly string[] }
  /** A lock of git's is so many seconds old; `left`: nobody can have it any more. */
  | { readonly code: "git-lock"; readonly age: number; readonly left: boolean };

/** A finding on them, without its level: none of them keeps anything else from working. */
export type BranchFinding = BranchWrong & {
  readonly fixable: boolean;
  /** The task, the branch that others are merged into, or the lock's path. */
  readonly subject: string;
};

/** What was found out about them. */
export interface BranchFacts {
  /** Why nothing of it is known; null where it is. */
  readonly problem: string | null;
  readonly places: readonly {
    readonly taskId: string;
    /** Whether its task is there, archived or not. */
    readonly hasTask: boolean;
    readonly path: string | null;
    readonly place: Place;
  }[];
  /** The merge that was interrupted; absent where none was. */
  readonly merge?: { readonly branch: string; readonly tasks: readonly string[] };
  /** Locks of git's that stand in the repository and its worktrees. */
  readonly locks: readonly {
    readonly path: string;
    /** When it was made, milliseconds since the epoch. */
    readonly since: number;
    /** Whether somebody of us was killed who may have had it. */
    readonly killed: boolean;
    /** Whether nobody can have it any more. */
    readonly left: boolean;
  }[];
}

/** Everything that is wrong with them. */
export function diagnoseBranches(
  { problem, places, merge, locks }: BranchFacts,
  now: number,
): BranchFinding[] {
  if (problem !== null) {
    return [{ code: "worktrees-unseen", problem, fixable: false, subject: "worktrees" }];
  }
  return [
    ...merge === undefined
      ? []
      : [{ ...merge, code: "merge-half" as const, fixable: true, subject: merge.branch }],
    ...places.flatMap((one) => {
      const wrong = wrongWith(one);
      return wrong === undefined ? [] : [{ ...wrong, subject: one.taskId }];
    }),
    ...locks.filter(({ since, killed }) => killed || now - since > STALE_AFTER).map((
      { path, since, left },
    ) => ({
      code: "git-lock" as const,
      age: (now - since) / 1000,
      left,
      fixable: left,
      subject: path,
    })),
  ];
}

type OfOne = BranchWrong & { readonly fixable: boolean };

function wrongWith({ hasTask, path, place }: BranchFacts["places"][number]): OfOne | undefined {
  const { owner, folder, branch } = place;
  if (owner.kind === "other" || owner.kind === "unreadable") return undefined;
  if (folder.kind === "foreign" && path !== null) {
    return { code: "worktree-foreign", path, problem: folder.problem, fixable: false };
  }
  // What is made or removed just now is no finding.
  if (owner.kind === "active") return undefined;
  const mayGo = decideCleaning(place, false).kind === "remove";
  if (owner.kind === "none" || !hasTask) {
    if (folder.kind !== "none" && path !== null) {
      return { code: "worktree-orphan", path, fixable: mayGo };
    }
    return branch === null ? undefined : { code: "branch-orphan", branch, fixable: mayGo };
  }
  if (path === null) return undefined;
  // Its branch stays, whatever it has.
  const isSafe = owner.kind === "rest" && decideCleaning(place, true).kind === "remove";
  if (folder.kind === "half") return { code: "worktree-half", path, fixable: isSafe };
  if (folder.kind === "gone") {
    return { code: "worktree-gone", path, fixable: isSafe && !folder.contents.loose };
  }
  return undefined;
}
