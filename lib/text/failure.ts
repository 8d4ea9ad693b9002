// Why a task failed, in the words that its file keeps. They are here and not in format/, for the queue
// writes them; scripts may look for them, and so they stay as they are. Pure.

import type { LaunchProblem } from "../decide/launch_plan.ts";
import type { Failure, Outcome } from "../decide/reconcile.ts";
import { formatDuration } from "../task/duration.ts";
import type { Task } from "../task/fields.ts";

/** What a settled task's file says of why it ended so. */
export function failureFields(
  { failure, reason }: Outcome,
): Pick<Task, "failureClass" | "errorMessage" | "errorDetails"> {
  if (failure === null) return { failureClass: null, errorMessage: reason, errorDetails: null };
  return {
    failureClass: failure.kind,
    errorMessage: formatFailure(failure),
    errorDetails: "details" in failure ? failure.details : null,
  };
}

/** Why a task failed, one line. */
export function formatFailure(failure: Failure): string {
  switch (failure.kind) {
    case "agent-error":
    case "rate-limit":
    case "billing":
      return failure.message;
    case "spawn":
      // First what was wrong, for tables have little room.
      if (failure.problem?.kind === "worktree") return `No worktree: ${failure.problem.message}`;
      return failure.problem === null
        ? `The command of agent "${failure.agent}" could not be started: ` +
          "there is no such program, or it is not executable"
        : `Agent "${failure.agent}" could not be launched: ${formatLaunchProblem(failure.problem)}`;
    case "exit":
      return withWords(`Process exited with code ${failure.code}`, failure.said);
    case "no-signal":
      // Who exits with 0 after an error would be no better off with its exit code.
      return withWords(
        "The agent ended with exit code 0 but wrote neither .done nor .error",
        failure.said,
        ' (set "completion": "exit" for a program that cannot write them)',
      );
    case "conflict":
      // The words at the end of a line that is too long for a table are the ones that it can lose.
      return `Conflicts in ${formatFiles(failure.files)} between ${
        failure.branches.join(" and ")
      }: what its dependencies made cannot be merged. Have both in the branch that you work on, with ` +
        "orchestra merge, where --resolve AGENT has an agent resolve them, or with git merge; then " +
        "retry this task";
    case "timeout":
      return failure.limit === null
        ? "Task was ended by hand as timed out"
        : `Task timed out after ${formatDuration(failure.limit)}`;
    case "idle":
      return `No output for ${formatDuration(failure.limit)}`;
    case "budget":
      return `Cost ${formatDollars(failure.cost)}, over its budget of ` +
        formatDollars(failure.budget);
    case "verify":
      return failure.code === null
        ? "The verify command ended without leaving an exit code"
        : `The verify command exited with code ${failure.code}`;
    case "lost":
      return "The agent's process ended without leaving an exit code " +
        "(killed, or the machine went down)";
  }
}

/** Why a process ended, with what its agent said of it; where it said nothing, a word of ours. */
function withWords(why: string, said: string | null | undefined, otherwise = ""): string {
  return said ? `${why}: ${said}` : why + otherwise;
}

/** An amount as people write it, small ones in two digits that say something. */
function formatDollars(amount: number): string {
  return `${amount < 0.1 ? Number(amount.toPrecision(2)) : amount.toFixed(2)} USD`;
}

/** Names of files, no more than fit a line. */
function formatFiles(files: readonly string[]): string {
  const most = 10;
  const more = files.length - most;
  return files.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Why an agent cannot be launched, to be read after its name. */
export function formatLaunchProblem(problem: LaunchProblem): string {
  switch (problem.kind) {
    case "no-agent":
      return problem.problem;
    case "too-long":
    case "too-long-line":
    case "too-long-variable":
      return `${formatTooLong(problem)}: let agent "${problem.agent}" read the prompt from ` +
        'a file ("{promptFile}" in "args") or from its standard input ("stdin": "{prompt}")';
    case "no-template":
      return `its prompt template ${JSON.stringify(problem.file)} is not there`;
    case "no-resume":
      return `agent "${problem.agent}" does not say how it goes on in a session ("resume")`;
    case "setup":
      return (problem.code === null
        ? "the set-up command of its worktree ended without leaving an exit code"
        : `the set-up command of its worktree exited with code ${problem.code}`) +
        `, see ${problem.log}`;
    case "setup-timeout":
      return `the set-up command of its worktree took longer than ` +
        `${formatDuration(problem.limit)}, see ${problem.log}`;
    case "outside":
      return `its folder ${JSON.stringify(problem.folder)} is no folder inside ` +
        (problem.worktree ? "its worktree" : "the workspace");
    case "worktree":
    case "refused":
      return problem.message;
  }
}

/** By how much an argument, a command line or a variable is too long. */
export function formatTooLong(
  problem: Extract<LaunchProblem, { kind: "too-long" | "too-long-line" | "too-long-variable" }>,
): string {
  const { most } = problem;
  if (problem.kind === "too-long-line") {
    return `its command line would have ${problem.characters} characters, and Windows takes at most ${most}`;
  }
  if (problem.kind === "too-long-variable") {
    const { name, characters } = problem;
    return `its variable ${name} would have ${characters} characters, and Windows takes at most ${most}`;
  }
  const { argument, bytes } = problem;
  return `its argument ${argument} would have ${bytes} bytes, and the system takes at most ${most}`;
}
