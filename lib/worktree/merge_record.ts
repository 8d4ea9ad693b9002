// What merges did to which branch: `.orchestra/merge.json`. The one that is under way stands in it before
// anything is changed, so that whoever comes after a kill finishes it; those that are done, so that they
// can be undone. One merge at a time: its lock is beside it.

import { isBranchName } from "../decide/branch.ts";
import type { MergeMode } from "../decide/merging.ts";
import { block } from "../store/files.ts";
import { openLockFile } from "../store/lock.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError } from "../task/error.ts";

/** A branch is moved from one commit to another, and the working copies that have it with it. */
export interface Move {
  readonly kind: "merge" | "undo";
  /** `refs/heads/…` */
  readonly ref: string;
  readonly from: string;
  readonly to: string;
  /** The working copies that had the branch checked out. */
  readonly checkouts: readonly string[];
  /** Ref that keeps `from`. */
  readonly backup: string;
  readonly tasks: readonly string[];
  /** The ends of the branches that the move brought in, by their tasks: what came in as other commits is told by it. */
  readonly tips: Readonly<Record<string, string>>;
  /** How they came in. */
  readonly mode: MergeMode;
  /** When, UTC. */
  readonly at: string;
  /** Whether a git was killed in the middle of it: then files may be missing or cut short. */
  readonly torn?: boolean;
}

/** The record. */
export interface MergeRecord {
  /** What is under way; null where nothing is. */
  readonly pending: Move | null;
  /** What was done and not undone, oldest first. */
  readonly done: readonly Move[];
}

/** So many may be undone, one after the other. */
const MOST = 1000;
/** So long another merge is waited for, milliseconds. */
const PATIENCE = 5000;

type Place = Pick<Store, "dir" | "readFile" | "writeFile" | "make">;

const lockOf = ({ dir }: Pick<Store, "dir">) => `${dir}/merge.lock`;
const pathOf = ({ dir }: Pick<Store, "dir">) => `${dir}/merge.json`;

/**
 * Reads it; what is no move is passed over: its commits are looked up before they are used, and its paths
 * only count where git knows them.
 */
export function readRecord(store: Place): MergeRecord {
  const text = store.readFile(pathOf(store));
  if (text === undefined) return { pending: null, done: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (value === null || typeof value !== "object") {
    throw new OrchestraError("damaged", "Reading .orchestra/merge.json: it is no JSON object", {
      hint: "Move it out of the way; the backups of the branches are in git: " +
        "git for-each-ref refs/orchestra",
    });
  }
  const { pending, done } = value as { pending?: unknown; done?: unknown };
  return {
    pending: isMove(pending) ? pending : null,
    done: Array.isArray(done) ? done.filter(isMove) : [],
  };
}

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

const MODES: ReadonlySet<string> = new Set<MergeMode>(["merge", "no-ff", "squash", "rebase"]);

function isMove(value: unknown): value is Move {
  if (value === null || typeof value !== "object") return false;
  const { kind, ref, from, to, checkouts, backup, tasks, tips, mode, at, torn } = value as Record<
    string,
    unknown
  >;
  const texts = (list: unknown) =>
    Array.isArray(list) && list.every((text) => typeof text === "string");
  return (kind === "merge" || kind === "undo") &&
    typeof ref === "string" && ref.startsWith("refs/heads/") &&
    isBranchName(ref.slice("refs/heads/".length)) &&
    typeof from === "string" && COMMIT.test(from) && typeof to === "string" && COMMIT.test(to) &&
    typeof backup === "string" && typeof at === "string" && texts(checkouts) && texts(tasks) &&
    (torn === undefined || typeof torn === "boolean") &&
    typeof mode === "string" && MODES.has(mode) &&
    tips !== null && typeof tips === "object" && texts(Object.values(tips));
}

/**
 * The move in the middle of which somebody was killed; null where there is none, or somebody is at it.
 *
 * @throws OrchestraError `damaged` where the record makes no sense
 */
export function interruptedMove(store: Place): Move | null {
  const { pending } = readRecord(store);
  if (pending === null) return null;
  using file = openLockFile(lockOf(store));
  return file.tryLockSync(true) ? readRecord(store).pending : null;
}

/** Writes it, durably. */
export function writeRecord(store: Place, { pending, done }: MergeRecord): void {
  const kept = { version: 1, pending, done: done.slice(-MOST) };
  store.writeFile(pathOf(store), `${JSON.stringify(kept, null, 2)}\n`);
}

/**
 * Does something while no other merge of this workspace is under way.
 *
 * @throws OrchestraError `state` where one is
 */
export async function whileMerging<T>(
  store: Place,
  body: () => Promise<T>,
  within: number = PATIENCE,
): Promise<T> {
  store.make();
  using file = openLockFile(lockOf(store));
  const until = performance.now() + within;
  while (!file.tryLockSync(true)) {
    if (performance.now() >= until) {
      throw new OrchestraError("state", "Another merge is under way in this workspace", {
        hint: "Wait for its end, and try again.",
      });
    }
    block(20);
  }
  return await body();
}
