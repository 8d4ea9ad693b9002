// `start --from`: many tasks at once, one JSON object a line; all are queued, or none.

import { readAgentNames, unknownAgent } from "../settings/agents.ts";
import { loadConfig } from "../settings/config.ts";
import { findCycle } from "../decide/dependencies.ts";
import { type ErrorCode, OrchestraError } from "../task/error.ts";
import type { Queue } from "../queue/queue.ts";
import { type ImportedTask, parseImport } from "../settings/schemas.ts";
import { isTaskId, type NewTask, type Task } from "../task/fields.ts";
import { checkAgent } from "./commands/start.ts";
import type { Context } from "./context.ts";

/** Queues the tasks of a file, or of standard input for `-`. */
export async function startFrom(
  this: Context,
  queue: Queue,
  source: string,
  quiet: boolean,
): Promise<void> {
  const name = source === "-" ? "standard input" : source;
  const text = source === "-"
    ? await new Response(Deno.stdin.readable).text()
    : await readSource(source);
  const lines = parseLines(text, name);
  if (lines.size === 0) {
    throw new OrchestraError("usage", `${name} has no task`, {
      hint: 'One a line: {"agent": "shell", "prompt": "echo hello"}',
    });
  }
  await checkAll(queue, lines, name);
  const items = [...lines.values()];
  const tasks = await addInOrder(queue, items);
  if (this.globals.json) {
    this.printJson(items.map((item, at) => ({
      ...(item.key === undefined ? {} : { key: item.key }),
      taskId: tasks[at]!.taskId,
    })));
  } else if (quiet) { for (const task of tasks) this.print(task.taskId); }
  else {
    this.print(`Queued ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"} from ${name}`);
    this.note("Run them with: orchestra run --all");
  }
}

async function readSource(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new OrchestraError("usage", `start --from ${JSON.stringify(path)}: it cannot be read`, {
      hint: error instanceof Error ? `${error.message}.` : undefined,
    });
  }
}

function wrongLine(place: string, problem: string, code: ErrorCode = "usage"): OrchestraError {
  return new OrchestraError(code, place + problem, {
    hint: "Nothing was queued. Mend the line and try again.",
  });
}

/** The tasks of an import file by what names their line; a line that is none is an error. */
function parseLines(text: string, name: string): Map<string, ImportedTask> {
  const items = new Map<string, ImportedTask>();
  for (const [at, line] of text.split("\n").entries()) {
    // Programs of Windows begin a file with a byte order mark, which trim() takes for a space.
    const json = line.trim();
    if (json === "") continue;
    const place = `${name}, line ${at + 1}: `;
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      throw wrongLine(place, "it is not valid JSON");
    }
    const item = parseImport(value);
    if ("problem" in item) throw wrongLine(place, item.problem);
    items.set(place, item);
  }
  return items;
}

async function checkAll(
  queue: Queue,
  items: ReadonlyMap<string, ImportedTask>,
  name: string,
): Promise<void> {
  const agents = new Set(readAgentNames(queue.store));
  const keys = new Set<string>();
  for (const [place, item] of items) {
    try {
      if (!agents.has(item.agent)) throw await unknownAgent(item.agent, [...agents]);
      if (item.prompt.length > 16 * 1024) await checkAgent(queue, item.agent, item.prompt);
    } catch (error) {
      // These are checks of every `start`, which know of no lines.
      if (error instanceof OrchestraError) error.message = place + error.message;
      throw error;
    }
    if (item.key === undefined) continue;
    if (keys.has(item.key)) {
      throw wrongLine(place, `the key ${JSON.stringify(item.key)} stands twice`);
    }
    keys.add(item.key);
  }
  const edges = new Map<string, string[]>();
  for (const [place, item] of items) {
    const own: string[] = [];
    for (const reference of item.dependsOn ?? []) {
      if (keys.has(reference)) own.push(reference);
      else if (!isTaskId(reference) || !queue.store.has(reference)) {
        throw wrongLine(
          place,
          `it depends on ${JSON.stringify(reference)}, ` +
            "which is neither a key in the file nor a task",
          "no-task",
        );
      }
    }
    edges.set(item.key ?? place, own);
  }
  const cycle = findCycle(edges);
  if (cycle !== undefined) {
    throw new OrchestraError("usage", `${name}: tasks wait for each other: ${cycle.join(" -> ")}`, {
      hint: "Take one of these dependencies out. Nothing was queued.",
    });
  }
}

/**
 * Queues the tasks in the file's order. Ids are known only once a file has been created, so a task
 * is created after those it names; inside one locked section, so that nobody sees half a graph.
 */
async function addInOrder(queue: Queue, items: ImportedTask[]): Promise<Task[]> {
  const config = await loadConfig(queue.store);
  const wanted = items.map((item): NewTask => ({
    ...item,
    priority: item.priority ?? config.priority,
    maxRetries: item.maxRetries ?? config.max_retries,
    autoRetry: item.autoRetry ?? config.auto_retry,
    timeout: item.timeout ?? config.timeout,
    timeoutWarning: item.timeoutWarning ?? config.timeout_warning,
    idleTimeout: item.idleTimeout ?? config.idle_timeout,
  }));
  const keyed = new Map(
    items.flatMap((item, at) => item.key === undefined ? [] : [[item.key, at]]),
  );
  return queue.addGraph(wanted, keyed as Map<string, number>);
}
