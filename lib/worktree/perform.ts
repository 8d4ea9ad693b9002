// Moves the target of a merge, and back. What is going to be done is written down first; killed at any
// point, the next who comes finishes it by what stands there.

import { formatTime } from "../task/fields.ts";
import { OrchestraError, quote } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import { messageOf, removeFile } from "../store/files.ts";
import { keepBackup } from "./backup.ts";
import { ask, GitError, killedGits, lastLine, tryAsk } from "./git.ts";
import { bring, waitForLocks } from "./bring.ts";
import { lockInTheWay } from "./lock.ts";
import {
  carry,
  changesBetween,
  filesInTheWay,
  filesOf,
  isOn,
  lockOfAnother,
  moveRef,
  refusalToCarry,
  SwitchedAway,
} from "./move.ts";
import { type MergeRecord, type Move, readRecord, writeRecord } from "./merge_record.ts";
import { listWorktrees, type Repository, samePath } from "./repository.ts";
import { shown } from "./names.ts";
import { checkoutsOf, nameOf, type Target } from "./target.ts";
import { isOwnFile } from "../decide/merging.ts";

/** Where a branch is moved. */
export interface MovePlace {
  readonly repo: Repository;
  readonly store: Store;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Tells what is to be known beside what became of it. */
  note?(text: string): void;
}

type What = Pick<Move, "kind" | "tasks" | "tips" | "mode">;

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
  const own = await ownFiles(repo, target.commit, to);
  if (own !== undefined) {
    throw new OrchestraError("state", `Moving ${target.name}: ${shown(own)} would change with it`, {
      hint: "What is below .orchestra is Orchestra's own, and no file of the repository: " +
        "take it out, with git rm --cached and a commit.",
    });
  }
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
    const files = await filesInTheWay(checkout, target.commit, to).catch((error) => {
      // A filter of its user's that fails, for example.
      throw error instanceof GitError ? refused(target.name, checkout, error) : error;
    });
    if (files.length > 0) throw new InTheWay(target.name, checkout, files);
    const refusal = await refusalToCarry(repo, checkout, target.commit, to);
    if (refusal !== null) throw refused(target.name, checkout, refusal);
    const lock = await lockOfAnother(checkout);
    if (lock !== null) throw locked(target.name, checkout, `${lock} is there`, lock);
  }
  return checkouts;
}

/** Files that are not committed are in the way of a move. */
export class InTheWay extends OrchestraError {
  constructor(name: string, checkout: string, readonly files: readonly string[]) {
    super(
      "state",
      `Moving ${name}: files in ${checkout} are in the way that are not committed: ${
        nameSome(files)
      }`,
      { hint: "Commit them, put them aside with git stash -u, or move them; nothing was changed." },
    );
  }
}

/** The error where git itself refuses. */
function refused(name: string, checkout: string, error: GitError): OrchestraError {
  const files = filesOf(error);
  if (files.length > 0) return new InTheWay(name, checkout, files);
  const lock = lockInTheWay(error.output);
  const said = lastLine(error.output);
  if (lock !== undefined) return locked(name, checkout, said, lock);
  return new OrchestraError("state", `Moving ${name}: git refuses in ${checkout}: ${said}`, {
    hint: "See what git status says there; nothing was changed.",
    cause: error,
  });
}

/** The error where another git does not let go of something. */
function locked(name: string, checkout: string, what: string, lock: string): OrchestraError {
  return new OrchestraError("state", `Moving ${name}: git refuses in ${checkout}: ${what}`, {
    hint:
      `Another git is at work there, or was killed: where none runs, remove ${lock}; nothing was changed.`,
  });
}

/**
 * Moves a branch, and the working copies that have it with it. What it had is kept as a backup.
 *
 * @param to the commit that it is to have
 * @param what what comes in by it, or goes out again
 * @throws OrchestraError `state` where it cannot be; then nothing is changed
 */
export async function performMove(
  place: MovePlace,
  target: Target,
  to: string,
  what: What,
): Promise<Move> {
  const before = killedGits();
  try {
    return await perform(place, target, to, what);
  } finally {
    if (killedGits() !== before) {
      await waitForRef(place.repo, target.ref).catch((error) => {
        // Somebody else may have it locked: whoever comes next says so.
        if (!(error instanceof OrchestraError)) throw error;
      });
    }
  }
}

async function perform(
  place: MovePlace,
  target: Target,
  to: string,
  what: What,
): Promise<Move> {
  const { repo, store, now } = place;
  const { ref, name, commit: from } = target;
  const checkouts = await checkCheckouts(repo, target, to);
  const backup = await keepBackup(repo, `merge/${name}`, from);
  const at = formatTime(now());
  const move: Move = { ...what, ref, from, to, checkouts, backup, at };
  const record = readRecord(store);
  writeRecord(store, { ...record, pending: move });
  const touched: string[] = [];
  /** Why it is not done, when all is as it was before. */
  const takenBack = async (why: OrchestraError, cutAt?: string): Promise<OrchestraError> => {
    const left: string[] = [];
    for (const checkout of touched.reverse()) {
      try {
        left.push(...await putBack(place, move, checkout, checkout === cutAt));
      } catch (error) {
        return halfDone(why, checkout, error);
      }
    }
    writeRecord(store, record);
    if (left.length === 0) return why;
    const hint = `Changed meanwhile, and left as they are: ${nameSome(left)}. See: git status`;
    return new OrchestraError("state", why.message, { hint, cause: why });
  };
  for (const checkout of checkouts) {
    touched.push(checkout);
    try {
      await carry(checkout, ref, from, to);
    } catch (error) {
      if (error instanceof SwitchedAway) throw await takenBack(error);
      if (!(error instanceof GitError)) throw error;
      // Where the disk was full, git may have written some of them.
      throw await takenBack(refused(name, checkout, error), checkout);
    }
  }
  for (const checkout of checkouts) {
    if (!await isOn(checkout, ref)) throw await takenBack(new SwitchedAway(checkout, ref));
  }
  const newOnes = async () =>
    (await checkoutsOf(repo, target)).filter((path) => !checkouts.some((it) => samePath(it, path)));
  const [since] = await newOnes().catch(async (error) => {
    if (error instanceof OrchestraError) throw await takenBack(error);
    throw error instanceof GitError ? await takenBack(refused(name, repo.top, error)) : error;
  });
  if (since !== undefined) {
    throw await takenBack(
      new OrchestraError("state", `Moving ${name}: ${since} has it checked out since`, {
        hint: "Try again; nothing was changed.",
      }),
    );
  }
  const isMoved = await moveRef(repo.top, ref, from, to, reasonOf(move)).catch(async (error) => {
    throw error instanceof GitError ? await takenBack(refused(name, repo.top, error)) : error;
  });
  if (!isMoved) {
    throw await takenBack(
      new OrchestraError("state", `Moving ${name}: somebody else has moved it meanwhile`, {
        hint: "Try again; nothing was changed.",
      }),
    );
  }
  // Who went to another branch in the last moment has taken what was brought along.
  for (const checkout of checkouts) {
    if (await isOn(checkout, ref)) continue;
    const left = await putBack(place, move, checkout, false);
    if (left.length > 0) {
      place.note?.(`${checkout} has another branch checked out, and ${nameSome(left)} of ${name}`);
    }
  }
  await bringNew(place, move, await newOnes().catch(() => []));
  writeRecord(store, doneWith(record, move));
  return move;
}

/** Brings along the working copies that have come to the branch in the very moment in which it was moved. */
async function bringNew(
  place: MovePlace,
  { ref, from, to }: Move,
  checkouts: readonly string[],
): Promise<void> {
  for (const checkout of checkouts) {
    await carry(checkout, ref, from, to).catch((error) => {
      if (!(error instanceof GitError || error instanceof OrchestraError)) throw error;
      place.note?.(
        `${checkout} has ${
          nameOf(ref)
        } checked out since, with files from before it was moved: see ` +
          `git -C ${quote([checkout])} status before anything is committed there`,
      );
    });
  }
}

/**
 * Waits until no git has what one locks that moves a branch; what a killed one left is released.
 *
 * @throws OrchestraError `state` where something stays locked
 */
async function waitForRef({ top, gitDir }: Repository, ref: string): Promise<void> {
  const head = await ask(top, ["rev-parse", "--path-format=absolute", "--git-path", "HEAD.lock"]);
  await waitForLocks([head, `${gitDir}/${ref}.lock`]);
}

/** The error where a working copy can be brought neither to the one nor back to the other. */
function halfDone(why: OrchestraError, checkout: string, error: unknown): OrchestraError {
  const said = error instanceof GitError ? lastLine(error.output) : messageOf(error);
  return new OrchestraError(
    "state",
    `${why.message}; its files are half merged now, and cannot be put back: ${said}`,
    {
      hint: `See what is wrong in ${checkout} (is the disk full?): the next orchestra merge, or ` +
        "orchestra doctor --fix, finishes it.",
      cause: error,
    },
  );
}

/**
 * Puts the files of a working copy back that a move had brought, as far as they are as it left them and
 * nobody has committed something else of that name since.
 *
 * @param torn whether a git has ended just now while it wrote files there
 * @returns the files that stay
 */
async function putBack(
  { repo, store }: MovePlace,
  { from, to }: Move,
  checkout: string,
  torn: boolean,
): Promise<readonly string[]> {
  const scratch = indexOf(store);
  forgetIndex(store);
  try {
    const options = { repo, scratch, torn, partly: true, name: null };
    return (await bring(checkout, to, from, options)).foreign;
  } finally {
    forgetIndex(store);
  }
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
export async function settleMove(place: MovePlace): Promise<Settled | null> {
  const { repo, store } = place;
  const record = readRecord(store);
  const move = record.pending;
  if (move === null) return null;
  const { ref, from, to } = move;
  const name = nameOf(ref);
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
  if (await ownFiles(repo, from, to) !== undefined) return abandon("it changes .orchestra itself");
  const now = await commit(ref);
  if (now !== to) {
    const target: Target = { ref, name, commit: from };
    const onIt = now === from ? await checkoutsOf(repo, target) : [];
    for (const checkout of onIt) await finish(place, record, move, checkout);
    // Its user has gone on to another branch with it, or has committed there.
    for (const checkout of await stillThere(repo, move)) {
      if (onIt.some((it) => samePath(it, checkout))) continue;
      const left = await putBack(place, move, checkout, move.torn ?? false);
      if (left.length > 0) {
        place.note?.(`In ${checkout} these files stay as they are, half merged: ${nameSome(left)}`);
      }
    }
  }
  // Whoever moved it may have been killed before he had let go of it.
  await waitForRef(repo, ref);
  const moved = async () => now === from && await moveRef(repo.top, ref, from, to, reasonOf(move));
  const isMoved = now === to || await moved().catch((error) => {
    if (!(error instanceof GitError)) throw error;
    throw new OrchestraError(
      "state",
      `Finishing a merge that was interrupted: git does not move ${name}: ${
        lastLine(error.output)
      }`,
      { hint: "Its files are there already; the next orchestra merge goes on.", cause: error },
    );
  });
  if (isMoved) {
    writeRecord(store, doneWith(record, move));
    return { move, abandoned: null };
  }
  const kept = await keepBackup(repo, `merge/${name}`, to);
  return abandon(
    `somebody else has moved ${name} since; what it made is kept: ${quote([kept])}`,
  );
}

/** Finishes a working copy that still has the branch. */
async function finish(
  place: MovePlace,
  record: MergeRecord,
  move: Move,
  checkout: string,
): Promise<void> {
  const { repo, store } = place;
  const { from, to, ref, torn = false } = move;
  forgetIndex(store);
  try {
    const { rewritten, kept } = await bring(checkout, from, to, {
      ...{ repo, torn, partly: false, scratch: indexOf(store), name: `merge/${nameOf(ref)}-cut` },
      onTorn: () => writeRecord(store, { ...record, pending: { ...move, torn: true } }),
    });
    if (rewritten.length > 0) {
      const what = kept === null ? "" : `; what those that were cut short had is kept: ${kept}`;
      place.note?.(
        `In ${checkout} files were missing or cut short, and are whole again: ` +
          `${nameSome(rewritten)}${what}`,
      );
    }
  } finally {
    forgetIndex(store);
  }
}

/** The working copies of a move that git still knows. */
async function stillThere(repo: Repository, { checkouts }: Move): Promise<string[]> {
  const entries = await listWorktrees(repo);
  return entries.filter(({ bare, prunable }) => !bare && prunable === null)
    .map(({ path }) => path)
    .filter((path) => checkouts.some((it) => samePath(it, path)));
}

/** The first file below a folder of Orchestra's own that differs between two commits. */
async function ownFiles(
  { top }: Repository,
  from: string,
  to: string,
): Promise<string | undefined> {
  return (await changesBetween(top, from, to)).map(({ path }) => path).find(isOwnFile);
}
