// `start --from`: many tasks at once, one JSON object a line; all are queued, or none.

import { tryAdd } from "../queue/add.ts";
import type { Queue } from "../queue/queue.ts";
import { refusalError } from "../queue/refusal.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { encodingOf } from "../text/encoding.ts";
import { forbiddenFile, retyped } from "./calling.ts";
import type { Context } from "./context.ts";

/**
 * Queues the tasks of a file, or of standard input for `-`.
 *
 * @param defaults options of the tasks that do not say otherwise
 * @param worktree whether a task that does not say it has a worktree of its own
 */
export async function startFrom(
  this: Context,
  queue: Queue,
  source: string,
  quiet: boolean,
  defaults: Readonly<Record<string, unknown>>,
  worktree: boolean,
): Promise<void> {
  const name = source === "-" ? "standard input" : source;
  const text = source === "-"
    ? decode(await new Response(Deno.stdin.readable).bytes())
    : await readSource(source);
  const lines = parseLines(text, name);
  if (lines.size === 0) {
    throw new OrchestraError("usage", `${name} has no task`, {
      hint: 'One a line: {"agent": "shell", "prompt": "echo hello"}',
    });
  }
  const added = await tryAdd(queue, [...lines.values()].map((line) => fillIn(line, defaults)));
  if ("refusal" in added) {
    const { at, reason } = added.refusal;
    throw wrongLine([...lines.keys()][at]!, await refusalError(reason));
  }
  const { tasks } = added;
  if (this.globals.json) {
    this.printJson(tasks.map(({ key, taskId }) => key === null ? { taskId } : { key, taskId }));
  } else if (quiet) { for (const task of tasks) this.print(task.taskId); }
  else {
    this.print(`Queued ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"} from ${name}`);
    const apart = tasks.filter((task) => task.worktree ?? worktree);
    if (apart.length > 0) {
      const { worktreeNotes } = await import("./worktree_notes.ts");
      for (const line of await worktreeNotes(queue, apart)) this.note(line);
    }
    this.note("Run them with: orchestra run --all");
  }
}

/** A line with the defaults for what it does not say; what is no object is refused as it is. */
function fillIn(line: unknown, defaults: Readonly<Record<string, unknown>>): unknown {
  const isObject = typeof line === "object" && line !== null && !Array.isArray(line);
  return isObject ? { ...defaults, ...line } : line;
}

/** The text in some bytes. What is no UTF-8 would be queued as something else than what was written. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new OrchestraError("usage", "start --from: it is not UTF-8, nor UTF-16 with its mark", {
      hint: "Nothing was queued. Convert it, for example with: iconv -f latin1 -t utf-8",
    });
  }
}

async function readSource(path: string): Promise<string> {
  try {
    return decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof OrchestraError) throw error;
    const attempted = `start --from ${JSON.stringify(path)}`;
    const line = retyped((word) =>
      word === path ? "-" : word.replace(`--from=${path}`, "--from=-")
    );
    const piped = `Pipe it in: ${line} < ${quote([path])}`;
    throw forbiddenFile(error, attempted, piped) ??
      new OrchestraError("usage", `${attempted}: it cannot be read`, {
        hint: error instanceof Error ? `${error.message}.` : undefined,
      });
  }
}

/** An error of one line; the checks know of no lines. */
function wrongLine(place: string, { code, message, hint }: OrchestraError): OrchestraError {
  return new OrchestraError(code, place + message, {
    hint: `${hint === undefined ? "" : `${hint.replace(/(?<![.?!])$/, ".")} `}Nothing was queued.`,
  });
}

/** The values of the lines by what names their line. */
function parseLines(text: string, name: string): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [at, line] of text.split("\n").entries()) {
    // Programs of Windows begin a file with a byte order mark, which trim() takes for a space.
    const json = line.trim();
    if (json === "") continue;
    const place = `${name}, line ${at + 1}: `;
    try {
      values.set(place, JSON.parse(json));
    } catch {
      throw wrongLine(place, new OrchestraError("usage", "it is not valid JSON"));
    }
  }
  return values;
}
