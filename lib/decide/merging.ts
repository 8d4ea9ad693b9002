// In which order branches are merged, what is left out where one cannot be, and the texts that go with it:
// messages of commits, the prompt of who resolves a conflict, title and body of a pull request. Pure.

import type { Task, TaskBranch } from "../task/fields.ts";
import { latestAttempt, lookUp, type TaskIndex } from "./dependencies.ts";
import { compareIds } from "./schedule.ts";

/**
 * How a branch comes into its target:
 * - `merge`: as git does it, by moving the target along where nothing happened on it, else by a commit;
 * - `no-ff`: by a commit in any case;
 * - `squash`: all that the branch has as one commit;
 * - `rebase`: each of its commits, made anew on top of the target.
 */
export type MergeMode = "merge" | "no-ff" | "squash" | "rebase";

/** Whether a path of a repository leads into the folder of a workspace: whatever comes there, it obeys. */
export function isOwnFile(path: string): boolean {
  return /(?:^|[\\/])\.orchestra(?:[\\/]|$)/i.test(path);
}

/** A task on the way, and the tasks that it builds on, by their latest attempts. */
export interface MergeStep {
  readonly taskId: string;
  readonly after: readonly string[];
  /** Whether it is to be merged itself, and is not only between two that are. */
  readonly chosen: boolean;
}

/** The attempt of a dependency that counts: it itself where it is complete, else the latest. */
function attemptOf(id: string, index: TaskIndex): Task | undefined {
  const task = lookUp(id, index);
  return task === undefined || task.status === "complete" ? task : latestAttempt(task, index);
}

/** Label of a task that resolves a conflict: the id of the one whose branch it merges. */
export const RESOLVES = "resolves";

/** The tasks that resolve a task's conflict. */
export function resolversOf(taskId: string, tasks: readonly Task[]): Task[] {
  return tasks.filter(({ labels }) => labels[RESOLVES] === taskId);
}

/**
 * The tasks in an order in which each comes after those that it builds on, and after who has resolved its
 * conflict; the oldest first where that leaves a choice. With them those in between.
 *
 * @param failed ids of those that were to resolve a conflict, and have not: nobody waits for them
 */
export function mergeOrder(
  chosen: readonly Task[],
  index: TaskIndex,
  failed: ReadonlySet<string> = new Set(),
): MergeStep[] {
  const wanted = new Set(chosen.map(({ taskId }) => taskId));
  const steps: MergeStep[] = [];
  const seen = new Set<string>();
  const age = (a: Task, b: Task) => compareIds(a.taskId, b.taskId);
  for (const first of [...chosen].sort(age)) {
    const stack: { task: Task; after: Task[]; next: number }[] = [];
    const enter = (task: Task) => {
      if (seen.has(task.taskId)) return;
      seen.add(task.taskId);
      const after = task.dependsOn.flatMap((id) => attemptOf(id, index) ?? []);
      after.push(
        ...resolversOf(task.taskId, chosen).filter(({ taskId }) => !failed.has(taskId)),
      );
      stack.push({ task, after: after.sort(age), next: 0 });
    };
    enter(first);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = top.after[top.next++];
      if (next !== undefined) {
        enter(next);
        continue;
      }
      const { taskId } = top.task;
      const after = top.after.map((task) => task.taskId);
      steps.push({ taskId, after, chosen: wanted.has(taskId) });
      stack.pop();
    }
  }
  return steps;
}

/** So many characters of a prompt stand in the first line of a commit's message. */
const LONGEST_TITLE = 72;

/** The first line of a prompt that says something, cut where it is long. */
export function titleOf(prompt: string, most: number = LONGEST_TITLE): string {
  const lines = prompt.split(/\r?\n/).map((line) =>
    // deno-lint-ignore no-control-regex
    line.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").replace(/^[\s#>*-]+/, "").trim()
  );
  const line = lines.find((line) => line !== "") ?? "";
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("").trimEnd()}…`;
}

/** The message of the commit by which a branch is merged. */
export function mergeMessage(
  { taskId, agent, prompt }: Pick<Task, "taskId" | "agent" | "prompt">,
  branch: string,
  mode: MergeMode,
): string {
  const title = titleOf(prompt) || taskId;
  const subject = mode === "squash" ? title : `Merge ${taskId}: ${title}`;
  return `${subject}\n\nTask: ${taskId}\nAgent: ${titleOf(agent)}\nBranch: ${branch}\n`;
}

/** So many files are named to who resolves a conflict. */
const NAMED_FILES = 50;

/** The prompt of a task that resolves a conflict: it works on a branch that begins at the target. */
export function resolvePrompt(
  { taskId, prompt }: Pick<Task, "taskId" | "prompt">,
  branch: string,
  target: string,
  files: readonly string[],
): string {
  const named = files.slice(0, NAMED_FILES).map((file) => `- ${file}`);
  if (files.length > NAMED_FILES) named.push(`- and ${files.length - NAMED_FILES} more`);
  return `Merge the branch ${branch} into the branch that is checked out here, which begins at ` +
    `${target}, and resolve the conflicts:\n\n    git merge ${branch}\n\n` +
    `Both sides changed these files:\n\n${named.join("\n")}\n\n` +
    "Keep what both sides meant; where only one of them can hold, keep what was asked for below and " +
    "make the rest fit it. Leave no conflict marker, see that the project still builds and its tests " +
    "pass, and commit the merge. Do not rebase, and change nothing that the merge does not need.\n\n" +
    `What ${branch} was made for (${taskId}):\n\n${
      prompt.split("\n").map((line) => `> ${line}`).join("\n")
    }\n`;
}

/** The body of a pull request: what was asked for, what the agent says it did, and what changed. */
export function pullBody(task: Task, { branch }: TaskBranch, stat: string): string {
  const result: unknown = task.result;
  const summary = result !== null && typeof result === "object" && "summary" in result &&
      typeof result.summary === "string"
    ? result.summary.trim()
    : "";
  const fence = (text: string, kind = "") => {
    const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
    const ticks = "`".repeat(longest + 1);
    return `${ticks}${kind}\n${text.trimEnd()}\n${ticks}`;
  };
  const parts = [
    summary,
    `### Prompt\n\n${fence(task.prompt, "text")}`,
    stat.trim() === "" ? "" : `### Changes\n\n${fence(stat)}`,
    `Made by \`${titleOf(task.agent)}\` as \`${task.taskId}\` on \`${branch}\`.`,
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}
