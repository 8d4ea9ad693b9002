// `run --wait --report …`: writes what a run came to where CI systems look for it. A place that
// cannot be written is refused before anything is launched, and is left as it was until the end.

import { lstat } from "../store/files.ts";
import { parentOf } from "../store/paths.ts";
import { readablePlaces } from "../store/places.ts";
import { indexTasks, type Readiness } from "../decide/dependencies.ts";
import { OrchestraError, quote, toOrchestraError, UNPERMITTED } from "../task/error.ts";
import {
  formatAnnotations,
  formatJunit,
  formatMarkdown,
  type ReportInput,
} from "../format/report.ts";
import type { Queue } from "../queue/queue.ts";
import type { Task } from "../task/fields.ts";
import { viewTask } from "../decide/view.ts";
import { forbiddenFile, retyped } from "./calling.ts";
import type { Context } from "./context.ts";
import type { ReportTarget } from "./flags.ts";
import { stopSignal } from "./look_on.ts";
import type { UsageFormat } from "../task/agent.ts";
import { formats, readableEnd } from "./log_printer.ts";

/** Lines of a log in a report. */
const LOG_LINES = 20;

/**
 * Looks whether the reports can be written, changing nothing.
 *
 * @param json whether standard output is taken by `--json`
 * @throws OrchestraError where one cannot
 */
export function checkReports(targets: readonly ReportTarget[], json: boolean): void {
  const printed = targets.filter(({ path }) => path === "-");
  if (printed.length > 1 || (printed.length === 1 && json)) {
    throw new OrchestraError(
      "usage",
      `run --report ${printed[0]!.kind}=-: standard output is taken by ${
        json ? "--json" : "another report"
      }`,
      { hint: `Give it a file: --report ${printed[0]!.kind}=FILE` },
    );
  }
  for (const { kind, path } of targets) {
    if (path === null || path === "-") continue;
    try {
      tryToWrite(path);
    } catch (error) {
      const report = `${kind}=${path}`;
      const line = retyped((word) => word.replace(report, `${kind}=-`));
      // Standard output takes one report, and none beside --json.
      const forbidden = targets.length > 1 || json ? undefined : forbiddenFile(
        error,
        `run --report ${report}`,
        `Print it: ${line} > ${quote([path])}`,
      );
      throw forbidden ?? notWritable(error, report);
    }
  }
}

function notWritable(error: unknown, report: string): OrchestraError {
  const known = toOrchestraError(error, `run --report ${report}`);
  if (known.hint === UNPERMITTED) return known;
  const { code, message, hint } = known;
  return new OrchestraError(code, message, {
    hint: `${hint === undefined ? "" : `${hint} `}Nothing was launched.`,
    cause: error,
  });
}

/** The last lines of a task's log; null where it has none, or names what is not its own. */
function logEnd(
  { store }: Queue,
  task: Task,
  format: UsageFormat | undefined,
): string | null {
  try {
    return readableEnd(readablePlaces(store, task).logFile, format, LOG_LINES)?.text ?? null;
  } catch {
    return null;
  }
}

/** What a path leads to; undefined for nothing. */
function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Opens a file for writing and closes it again; where there is none, one beside it that goes away. */
function tryToWrite(path: string): void {
  const info = statOf(path);
  refuseFileLink(path, info);
  if (info === undefined) {
    const folder = parentOf(path);
    if (folder !== path && folder !== "" && statOf(folder) === undefined) {
      throw new Deno.errors.NotFound(`there is no folder ${JSON.stringify(folder)}`);
    }
    // Not under its own name: somebody else may just be writing the same report.
    const beside = `${path}.${Deno.pid}.tmp`;
    Deno.openSync(beside, { write: true, create: true }).close();
    Deno.removeSync(beside);
  } else if (info.isDirectory) {
    // Windows would open it.
    throw new Deno.errors.IsADirectory("it is a folder");
  } else if (info.isFile) {
    // Neither emptied nor made; a pipe would wait here for somebody to read it.
    Deno.openSync(path, { append: true }).close();
  }
}

/**
 * A report goes into no file that a link leads to: an agent may have made the link. `/dev/stdout` and its
 * like are links as well, but to none of our files.
 *
 * @param target what the path leads to; undefined where there is nothing
 */
function refuseFileLink(path: string, target: Deno.FileInfo | undefined): void {
  const isFile = target === undefined || target.isFile;
  if (!isFile || path.startsWith("/dev/") || lstat(path)?.isSymlink !== true) return;
  throw new OrchestraError("environment", `The report ${path} is a symbolic link`, {
    hint: "Give the file itself: no link is followed there.",
  });
}

/** Writes the reports; one that cannot be written is an error after the others are. */
export async function writeReports(
  this: Context,
  queue: Queue,
  all: readonly Task[],
  mine: readonly Task[],
  targets: readonly ReportTarget[],
  seconds: number,
): Promise<void> {
  const index = indexTasks(all);
  const format = await formats(queue);
  const memo = new Map<string, Readiness>();
  const input: ReportInput = {
    views: mine.map((task) => viewTask(task, index, queue.now(), memo)),
    index,
    log: (task) => logEnd(queue, task, format(task)),
    seconds,
  };
  const problems: unknown[] = [];
  const stop = stopSignal(() => this.fail(130)).signal;
  const stopped = new Promise<void>((resolve) =>
    stop.addEventListener("abort", () => resolve(), { once: true })
  );
  for (const { kind, path } of targets) {
    try {
      if (path === null) {
        // Runners read commands on both streams; stdout is the result's.
        for (const line of formatAnnotations(input)) this.process.stderr.write(`${line}\n`);
        continue;
      }
      const text = kind === "junit" ? formatJunit(input) : formatMarkdown(input);
      if (path === "-") this.write(text);
      else {
        // It may have become one since it was tried.
        refuseFileLink(path, statOf(path));
        // A pipe waits for who reads it: until then we can be interrupted.
        const writing = Deno.writeTextFile(path, text, { append: kind === "markdown" });
        await Promise.race([writing, stopped]);
      }
    } catch (error) {
      problems.push(toOrchestraError(error, `Writing the report ${path}`));
    }
  }
  if (problems.length > 0) throw problems[0];
}
