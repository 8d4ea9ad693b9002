// `orchestra diff <id>`: what a task has changed on its branch, as git shows it.

import { buildCommand } from "@stricli/core";
import { OrchestraError } from "../../task/error.ts";
import { noTask } from "../../queue/queue.ts";
import { compareTask, listChanges, readWhole, showDiff } from "../../worktree/diff.ts";
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
      against: parsed(text, "since the branch parted from this one", "ref"),
    },
    positional: { kind: "tuple", parameters: [anyIdArgument] },
  },
  docs: { brief: "Show what a task changed on its branch" },
});

async function diff(this: Context, flags: DiffFlags, id: string): Promise<void> {
  const { store } = await this.openQueue();
  const task = store.read(id) ?? store.readArchived(id);
  if (task === undefined) throw noTask(store, id);
  const { against } = flags;
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
