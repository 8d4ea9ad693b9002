// Puts a branch back where it was before its last merge, as long as it is still what that merge made.

import { OrchestraError } from "../task/error.ts";
import { readRecord } from "./merge_record.ts";
import type { Move } from "./merge_record.ts";
import { type MovePlace, performMove } from "./perform.ts";
import type { Target } from "./target.ts";

/**
 * Undoes the last merge into a branch. What it made is kept as a backup.
 *
 * @throws OrchestraError `state` where there is none, the branch has moved on, or files are in the way
 */
export async function undoMerge(place: MovePlace, target: Target): Promise<Move> {
  const { name, ref, commit } = target;
  const { done } = readRecord(place.store);
  const last = done.findLast((move) => move.ref === ref && move.to === commit);
  if (last === undefined) {
    const other = done.findLast((move) => move.ref === ref);
    const attempted = `Undoing the last merge into ${name}`;
    if (other === undefined) {
      throw new OrchestraError("state", `${attempted}: there is none`, {
        hint: "What branches had before is kept in git: git for-each-ref refs/orchestra/backup",
      });
    }
    const [now, made] = [commit, other.to].map((it) => it.slice(0, 12));
    throw new OrchestraError(
      "state",
      `${attempted}: it has gone on to ${now} since, from ${made} that the merge made`,
      { hint: `Take it back with git revert; what was before is kept: git log ${other.backup}` },
    );
  }
  const { tasks, tips, mode } = last;
  return await performMove(place, target, last.from, { kind: "undo", tasks, tips, mode });
}
