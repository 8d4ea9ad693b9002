// What came of a merge, for who asked for it.

import { formatMerge, type MergeReport, nameFiles, shortCommit } from "../format/merge.ts";
import { printable, quote } from "../task/error.ts";
import { sanitizeBlock } from "../text/width.ts";
import { isGood, type Mergeable, type MergeOutcome, type MergePlan } from "../worktree/merge.ts";
import type { Context } from "./context.ts";

/** What was asked for. */
interface Asked {
  /** Whether all that is not merged yet was. */
  readonly all?: boolean;
  /** Whether nothing was to be changed. */
  readonly dryRun?: boolean;
  /** Agent that resolves conflicts. */
  readonly resolve?: string;
  /** Branch that was named to merge into. */
  readonly into?: string;
}

/** What needs nobody to look at it. */
export const GOOD: readonly MergeReport["outcome"][] = ["fast-forward", "clean", "nothing"];

/** How branches are merged without us. */
export function byHand(into: string | undefined, branches: readonly string[]): string {
  const merge = branches.map((branch) => `git merge ${quote([branch])}`).join(" && ");
  return printable(into === undefined ? merge : `git switch ${quote([into])} && ${merge}`);
}

/** What came of one task. */
export function reportOf({ taskId, branch }: Mergeable, outcome: MergeOutcome): MergeReport {
  const { kind } = outcome;
  const basic = { taskId, branch, outcome: kind };
  switch (kind) {
    case "fast-forward":
    case "clean":
      return { ...basic, commit: outcome.commit };
    case "nothing":
      return { ...basic, way: outcome.way };
    case "conflict":
    case "unresolved":
    case "own-files":
    case "in-the-way":
      return { ...basic, files: outcome.files };
    case "unverified":
      return { ...basic, exitCode: outcome.verdict.code };
    case "left-out":
      return { ...basic, because: outcome.because };
  }
}

/** Says what came of all, and what can be done about what did not go. */
export function tell(
  context: Context,
  /** Of the branch that it was to come into. */
  name: string,
  plan: MergePlan,
  reports: readonly MergeReport[],
  moved: boolean,
  { all = false, dryRun = false, resolve, into }: Asked,
): void {
  for (const line of formatMerge(reports, name, moved, context.style())) context.print(line);
  for (const { outcome } of plan.merged) {
    if (outcome.kind === "unverified" && outcome.verdict.output !== "") {
      context.note(sanitizeBlock(outcome.verdict.output));
    }
  }
  if (moved) {
    context.print(`${name} is at ${shortCommit(plan.to)} now, it was at ${shortCommit(plan.from)}`);
    context.note(
      "Take it back with: orchestra merge --undo" + (name === "" ? "" : ` --into ${name}`),
    );
  } else if (reports.length === 0) context.print(`Nothing to merge into ${name}`);
  else if (!dryRun && plan.merged.some(({ outcome }) => !isGood(outcome))) {
    context.print(`${name} stays at ${shortCommit(plan.from)}: nothing was changed`);
  }
  const open: MergeReport[] = [];
  for (const report of reports) {
    const { taskId, branch, outcome, resolvedBy, isResolved, unresolvedBy, resolves } = report;
    if (outcome === "unresolved") {
      context.note(
        `See orchestra diff ${taskId}: take the marks away on ${
          printable(branch)
        } and merge again` +
          (resolves === undefined
            ? ""
            : `, or have another try: orchestra merge ${resolves} --resolve AGENT`),
      );
    }
    if (outcome === "own-files") {
      context.note(
        `What is below .orchestra is no file of the repository. Take it out of ${
          printable(branch)
        }, with git rm --cached and a commit, and merge again`,
      );
    }
    if (outcome !== "conflict") continue;
    if (unresolvedBy !== undefined) {
      context.note(
        `${unresolvedBy} was to resolve the conflict of ${taskId} and has not: orchestra logs ${unresolvedBy}`,
      );
    }
    if (resolvedBy === undefined) open.push(report);
    else {
      context.note(
        isResolved
          ? `${resolvedBy} has resolved the conflict of ${taskId}: orchestra merge ${resolvedBy}`
          : `${resolvedBy} resolves the conflict of ${taskId}: when it is complete, orchestra merge ${resolvedBy}`,
      );
    }
  }
  const [first] = open;
  if (first === undefined) return;
  const agent = resolve ?? "AGENT";
  const files = nameFiles([...new Set(open.flatMap(({ files = [] }) => files))]);
  const which = all ? "--all" : open.map(({ taskId }) => taskId).join(" ");
  context.note(`Let an agent resolve ${files}: orchestra merge ${which} --resolve ${agent}`);
  const hand = open.slice(0, 3).map(({ branch }) => branch);
  context.note(
    `Or do it yourself${open.length > 3 ? ", one after the other, beginning with" : ""}: ` +
      byHand(into, open.length > 3 ? hand.slice(0, 1) : hand),
  );
}
