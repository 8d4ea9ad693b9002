// `orchestra diff <id>`: what a task has changed on its branch, as git shows it.

import { buildCommand } from "@stricli/core";
import { branchOf } from "../../decide/branch.ts";
import { OrchestraError } from "../../task/error.ts";
import type { Task } from "../../task/fields.ts";
import { resolveTask } from "../../queue/names.ts";
import { noTask } from "../../queue/queue.ts";
import type { Store } from "../../store/tasks.ts";
import { compareTask, listChanges, readWhole, showDiff } from "../../worktree/diff.ts";
import { tryAsk } from "../../worktree/git.ts";
import { findRepository } from "../../worktree/repository.ts";
import { env } from "../calling.ts";
import type { Context } from "../context.ts";
import { anyIdArgument, optional, parsed, text } from "../parameters.ts";

interface DiffFlags {
  stat?: boolean;
  nameOnly?: boolean;
  against?: string;
}

/** Most of a patch that goes into one JSON value, bytes. */
const MOST_JSON = 64 * 1024 * 1024;
/** What a shell says of a program whose reader has gone: 128 and the signal's number. */
const PIPE = 141;

export const command = buildCommand({
  func: diff,
  parameters: {
    flags: {
      stat: optional("only how many lines of which files"),
      nameOnly: optional("only the names of the files"),
      against: parsed(text, "since the branch parted from this one, or from that of a task", "ref"),
    },
    positional: { kind: "tuple", parameters: [anyIdArgument] },
  },
  docs: { brief: "Show what a task changed on its branch" },
});

/** A ref, or what a task is called by: then its branch, or the commit that it left where that is gone. */
async function refOf(store: Store, against: string): Promise<string> {
  const { top } = await findRepository(store.root, `diff --against ${against}`);
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
  const isCommit = async (name: string) =>
    await tryAsk(top, [...args, `${name}^{commit}`]) !== null;
  if (against.startsWith("-") || await isCommit(against)) return against;
  let task: Task | undefined;
  try {
    const id = resolveTask(store, against, "anywhere");
    task = store.read(id) ?? store.readArchived(id);
  } catch (error) {
    // It is no task either: that no commit is called so is said then.
    if (!(error instanceof OrchestraError)) throw error;
  }
  const git = task === undefined ? null : branchOf(task);
  if (git === null) return against;
  const ref = `refs/heads/${git.branch}`;
  return git.tip === null || await isCommit(ref) ? ref : git.tip;
}

async function diff(this: Context, flags: DiffFlags, id: string): Promise<void> {
  const { store } = await this.openQueue();
  const task = store.read(id) ?? store.readArchived(id);
  if (task === undefined) throw noTask(store, id);
  const against = flags.against === undefined ? undefined : await refOf(store, flags.against);
  await using comparison = await compareTask(store.root, task, { against, scratch: store.dir });
  if (this.globals.json) {
    const files = await listChanges(comparison);
    const sum = (of: "insertions" | "deletions") =>
      files.reduce((total, file) => total + (file[of] ?? 0), 0);
    const { base, tip } = comparison;
    const whole = flags.stat || flags.nameOnly ? null : await readWhole(comparison, MOST_JSON);
    return this.printJson({
      taskId: id,
      base,
      tip,
      insertions: sum("insertions"),
      deletions: sum("deletions"),
      files,
      ...(whole === null ? {} : { patch: whole.text, cut: whole.cut }),
    });
  }
  const color = this.globals.color ?? (env("NO_COLOR") === undefined ? undefined : false);
  // Ctrl+C is for the pager, and what is left of us is to be cleared away.
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  let code: number;
  try {
    code = await showDiff(comparison, { ...flags, color });
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
  }
  if (code !== 0 && code !== PIPE && !this.readerGone.aborted) {
    throw new OrchestraError("environment", `git diff of ${id} ended with exit code ${code}`);
  }
}
