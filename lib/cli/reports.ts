// `run --wait --report …`: writes what a run came to where CI systems look for it.

import { readablePlaces } from "../store/archive.ts";
import { indexTasks, type Readiness } from "../decide/dependencies.ts";
import { toOrchestraError } from "../task/error.ts";
import {
  formatAnnotations,
  formatJunit,
  formatMarkdown,
  type ReportInput,
} from "../format/report.ts";
import type { Queue } from "../queue/queue.ts";
import type { Task } from "../task/fields.ts";
import { viewTask } from "../decide/view.ts";
import type { Context } from "./context.ts";
import type { ReportTarget } from "./flags.ts";
import { tailFile } from "./tail.ts";

/** Lines of a log in a report. */
const LOG_LINES = 20;

/** Writes the reports; one that cannot be written is an error after the others are. */
export function writeReports(
  this: Context,
  queue: Queue,
  all: readonly Task[],
  mine: readonly Task[],
  targets: readonly ReportTarget[],
  seconds: number,
): void {
  const index = indexTasks(all);
  const memo = new Map<string, Readiness>();
  const input: ReportInput = {
    views: mine.map((task) => viewTask(task, index, queue.now(), memo)),
    index,
    log: (task) =>
      tailFile(readablePlaces(queue, task).logFile, LOG_LINES)?.lines.join("\n") ?? null,
    seconds,
  };
  const problems: unknown[] = [];
  for (const { kind, path } of targets) {
    try {
      if (kind === "github") {
        // Runners read commands on both streams; stdout is the result's.
        for (const line of formatAnnotations(input)) this.process.stderr.write(`${line}\n`);
      } else {
        Deno.writeTextFileSync(
          path,
          kind === "junit" ? formatJunit(input) : formatMarkdown(input),
          {
            append: kind === "markdown",
          },
        );
      }
    } catch (error) {
      problems.push(toOrchestraError(error, `Writing the report ${path}`));
    }
  }
  if (problems.length > 0) throw problems[0];
}
