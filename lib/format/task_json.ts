// A task as scripts and the page get it: the fields of its file, and what is derived beside them. Pure.

import type { TaskView } from "../decide/view.ts";
import { formatReason } from "./reason.ts";

/** A task as `--json` prints it: its file's fields, and what is derived beside them. */
export function viewJson(view: TaskView): Record<string, unknown> {
  const { phase } = view;
  const reason = formatReason(view);
  return {
    ...view.task,
    blockedBy: phase.kind === "blocked" ? phase.by : null,
    blockedReason: phase.kind === "blocked" ? reason : null,
    phase: phase.kind,
    waitsFor: phase.kind === "waiting" ? reason : null,
    elapsedSeconds: view.elapsed,
    remainingSeconds: view.remaining,
  };
}
