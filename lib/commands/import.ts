// `start --from`: many tasks at once, one JSON object a line; all are queued, or none.

import { readAgentNames, unknownAgent } from "../agents.ts";
import { loadConfig } from "../config.ts";
import { findCycle } from "../dependencies.ts";
import { OrchestraError } from "../error.ts";
import type { Queue } from "../queue.ts";
import { type ImportedTask, parseImport } from "../schemas.ts";
import { lstat } from "../store.ts";
import { isTaskId, type NewTask, type Task } from "../task.ts";
import { checkAgent } from "./start.ts";
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
  const items = parseLines(text, name);
  if (items.length === 0) {
    throw new OrchestraError("usage", `${name} has no task`, {
      hint: 'One a line: {"agent": "shell", "prompt": "echo hello"}',
    });
  }
  await checkAll(queue, items, name);
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

/** The tasks of an import file; a line that is none is named by its number. */
export function parseLines(text: string, name: string): ImportedTask[] {
  const items: ImportedTask[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const fail = (problem: string) =>
      new OrchestraError("usage", `${name}, line ${at + 1}: ${problem}`, {
        hint: "Nothing was queued. Mend the line and try again.",
      });
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw fail("it is not valid JSON");
    }
    const item = parseImport(value);
    if ("problem" in item) throw fail(item.problem);
    items.push(item);
  }
  return items;
}

async function checkAll(queue: Queue, items: ImportedTask[], name: string): Promise<void> {
  const agents = new Set(readAgentNames(queue.store));
  const keys = new Map<string, number>();
  for (const [at, item] of items.entries()) {
    if (!agents.has(item.agent)) throw await unknownAgent(item.agent, [...agents]);
    if (item.prompt.length > 16 * 1024) await checkAgent(queue, item.agent, item.prompt);
    if (item.key === undefined) continue;
    if (keys.has(item.key)) {
      throw new OrchestraError(
        "usage",
        `${name}: the key ${JSON.stringify(item.key)} stands twice`,
        {
          hint: "Give each task a key of its own. Nothing was queued.",
        },
      );
    }
    keys.set(item.key, at);
  }
  const edges = new Map<string, string[]>();
  for (const [at, item] of items.entries()) {
    const own: string[] = [];
    for (const reference of item.dependsOn ?? []) {
      if (keys.has(reference)) own.push(reference);
      else if (
        !isTaskId(reference) ||
        (lstat(`${queue.store.tasksDir}/${reference}.json`) === undefined &&
          lstat(`${queue.store.dir}/archive/${reference}.json`) === undefined)
      ) {
        throw new OrchestraError(
          "no-task",
          `${name}: a task depends on ${JSON.stringify(reference)}, ` +
            "which is neither a key in the file nor a task",
          { hint: "Nothing was queued." },
        );
      }
    }
    edges.set(item.key ?? `line ${at + 1}`, own);
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
