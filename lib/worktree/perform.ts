// Moves the target of a merge, and back. What is going to be done is written down first; killed at any
// point, the next who comes finishes it by what stands there.

import { formatTime } from "../task/fields.ts";
import { OrchestraError, quote } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import { removeFile } from "../store/files.ts";
import { keepBackup } from "./backup.ts";
import { GitError, lastLine, tryAsk } from "./git.ts";
import { bring, carry, filesInTheWay, filesOf, moveRef, refusalToCarry } from "./move.ts";
import { type MergeRecord, type Move, readRecord, writeRecord } from "./merge_record.ts";
import type { Repository } from "./repository.ts";
import { checkoutsOf, nameOf, type Target } from "./target.ts";

/** Where a branch is moved. */
export interface MovePlace {
  readonly repo: Repository;
  readonly store: Store;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** So many files are named in a message. */
const NAMED = 10;

/** Some names for a message. */
export function nameSome(files: readonly string[]): string {
  return files.slice(0, NAMED).join(", ") +
    (files.length > NAMED ? `, and ${files.length - NAMED} more` : "");
}

/** What a working copy is in the middle of, by the ref that git keeps for it. */
const OPERATIONS = { MERGE_HEAD: "merge", CHERRY_PICK_HEAD: "cherry-pick", REVERT_HEAD: "revert" };

/**
 * Checks that all working copies that have a branch checked out can go along with it.
 *
 * @returns those working copies
 * @throws OrchestraError `state` where a change that is not committed is in the way, or a merge under way
 */
export async function checkCheckouts(
  repo: Repository,
  target: Target,
  to: string,
): Promise<string[]> {
  const checkouts = await checkoutsOf(repo, target);
  for (const checkout of checkouts) {
    for (const [ref, operation] of Object.entries(OPERATIONS)) {
      if (await tryAsk(checkout, ["rev-parse", "--verify", "--quiet", ref]) === null) continue;
      throw new OrchestraError(
        "state",
        `Moving ${target.name}: a ${operation} is under way in ${checkout}`,
        { hint: `Finish it first, with git commit or git ${operation} --abort.` },
      );
    }
    const files = await filesInTheWay(checkout, target.commit, to);
    if (files.length > 0) throw inTheWay(target.name, checkout, files);
    const refusal = await refusalToCarry(checkout, target.commit, to);
    if (refusal !== null) throw refused(target.name, checkout, refusal);
  }
  return checkouts;
}

function inTheWay(name: string, checkout: string, files: readonly string[]): OrchestraError {
  return new OrchestraError(
    "state",
    `Moving ${name}: files in ${checkout} are in the way that are not committed: ${
      nameSome(files)
    }`,
    { hint: "Commit them, put them aside with git stash -u, or move them; nothing was changed." },
  );
}

/** The error where git itself refuses. */
function refused(name: string, checkout: string, error: GitError): OrchestraError {
  const files = filesOf(error);
  if (files.length > 0) return inTheWay(name, checkout, files);
  return new OrchestraError(
    "state",
    `Moving ${name}: git refuses in ${checkout}: ${lastLine(error.output)}`,
    { hint: "See what git status says there; nothing was changed.", cause: error },
  );
}

/**
 * Moves a branch, and the working copies that have it with it. What it had is kept as a backup.
 *
 * @param to the commit that it is to have
 * @param what what comes in by it, or goes out again
 * @throws OrchestraError `state` where it cannot be; then nothing is changed
 */
export async function performMove(
  { repo, store, now }: MovePlace,
  target: Target,
  to: string,
  what: Pick<Move, "kind" | "tasks" | "tips" | "mode">,
): Promise<Move> {
  const { ref, name, commit: from } = target;
  const checkouts = await checkCheckouts(repo, target, to);
  const backup = await keepBackup(repo, `merge/${name}`, from);
  const at = formatTime(now());
  const move: Move = { ...what, ref, from, to, checkouts, backup, at };
  const record = readRecord(store);
  writeRecord(store, { ...record, pending: move });
  const carried: string[] = [];
  const back = async () => {
    for (const checkout of carried.reverse()) await carry(checkout, to, from);
    writeRecord(store, record);
  };
  for (const checkout of checkouts) {
    try {
      await carry(checkout, from, to);
      carried.push(checkout);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      // Where the disk was full, git may have written some of them.
      await bring(checkout, to, from, indexOf(store)).catch(() => {});
      await back();
      throw refused(name, checkout, error);
    } finally {
      forgetIndex(store);
    }
  }
  if (!await moveRef(repo.top, ref, from, to, reasonOf(move))) {
    await back();
    throw new OrchestraError("state", `Moving ${name}: somebody else has moved it meanwhile`, {
      hint: "Try again; nothing was changed.",
    });
  }
  writeRecord(store, doneWith(record, move));
  return move;
}

/** For the reflog. */
function reasonOf({ kind, tasks }: Move): string {
  return `orchestra merge${kind === "undo" ? " --undo" : ""}: ${tasks.join(" ").slice(0, 500)}`;
}

/** The record after a move: an undo takes away what it undid. */
function doneWith({ done }: MergeRecord, move: Move): MergeRecord {
  if (move.kind === "merge") return { pending: null, done: [...done, move] };
  const at = done.findLastIndex(({ ref, from, to }) =>
    ref === move.ref && from === move.to && to === move.from
  );
  return { pending: null, done: done.filter((_, place) => place !== at) };
}

/** An index of our own, for a look at what a kill has left. */
const indexOf = ({ dir }: Pick<Store, "dir">) => `${dir}/merge.index`;

function forgetIndex(store: Pick<Store, "dir">): void {
  removeFile(indexOf(store));
  removeFile(`${indexOf(store)}.lock`);
}

/** What became of a move that was killed. */
export interface Settled {
  readonly move: Move;
  /** Why it was not finished, as the end of a sentence; null where it was. */
  readonly abandoned: string | null;
}

/**
 * Finishes a move in the middle of which somebody was killed.
 *
 * @returns null where there is none
 * @throws OrchestraError `state` where somebody has changed since what was half done
 */
export async function settleMove({ repo, store }: MovePlace): Promise<Settled | null> {
  const record = readRecord(store);
  const move = record.pending;
  if (move === null) return null;
  const { ref, from, to } = move;
  const commit = (name: string) =>
    tryAsk(repo.top, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`]);
  const abandon = (abandoned: string): Settled => {
    writeRecord(store, { ...record, pending: null });
    return { move, abandoned };
  };
  // Anybody may have written that file; a backup has git alone.
  const known = move.backup.startsWith("refs/orchestra/backup/") &&
    await commit(move.backup) === from && await commit(to) === to;
  if (!known) return abandon("what it was to make is not in the repository");
  const now = await commit(ref);
  if (now === from) {
    const target: Target = { ref, name: nameOf(ref), commit: from };
    forgetIndex(store);
    try {
      for (const checkout of await checkoutsOf(repo, target)) {
        await bring(checkout, from, to, indexOf(store));
      }
    } finally {
      forgetIndex(store);
    }
  }
  if (now === to || now === from && await moveRef(repo.top, ref, from, to, reasonOf(move))) {
    writeRecord(store, doneWith(record, move));
    return { move, abandoned: null };
  }
  const kept = await keepBackup(repo, `merge/${nameOf(ref)}`, to);
  return abandon(
    `somebody else has moved ${nameOf(ref)} since; what it made is kept: ${quote([kept])}`,
  );
}
