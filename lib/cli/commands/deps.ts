// `orchestra deps`: who waits for whom.

import { buildCommand, buildRouteMap } from "@stricli/core";
import {
  dependentsOf,
  indexTasks,
  latestAttempt,
  lookUp,
  type Readiness,
  readinessOf,
  type TaskIndex,
  validateDependencies,
} from "../../decide/dependencies.ts";
import {
  buildGraph,
  formatDependencyProblem,
  formatDot,
  formatMermaid,
  formatTree,
  type Graph,
} from "../../format/graph.ts";
import { noTask, type Queue } from "../../queue/queue.ts";
import type { Snapshot } from "../../queue/refresh.ts";
import { findArchived } from "../../store/archive.ts";
import { formatBlocked, formatReason, formatWaits, readinessJson } from "../../format/reason.ts";
import { findOverlaps } from "../../decide/overlap_marks.ts";
import { nameTasks } from "../../decide/names.ts";
import type { Task } from "../../task/fields.ts";
import { type TaskView, viewTask } from "../../decide/view.ts";
import type { Context } from "../context.ts";
import { idArgument } from "../parameters.ts";
import { allLanes } from "../status_input.ts";
import { look } from "../supervision.ts";

const FORMATS = ["tree", "mermaid", "dot", "json"] as const;

interface GraphFlags {
  format?: typeof FORMATS[number];
}

export const command = buildRouteMap({
  routes: {
    show: buildCommand({
      func: showDependencies,
      parameters: { positional: { kind: "tuple", parameters: [idArgument] } },
      docs: { brief: "Show what a task waits for, and what waits for it" },
    }),
    graph: buildCommand({
      func: drawGraph,
      parameters: {
        flags: {
          format: {
            kind: "enum",
            values: FORMATS,
            optional: true,
            brief: "how to draw it (tree)",
          },
        },
      },
      docs: { brief: "Draw all dependencies" },
    }),
    validate: buildCommand({
      func: validate,
      parameters: {},
      docs: { brief: "Look for cycles and missing tasks; exit code 1 if there are any" },
    }),
  },
  defaultCommand: "graph",
  docs: { brief: "See dependencies" },
});

/** The tasks by id, with what is archived of all that they depend on, settled or not. */
function indexWhole({ store }: Queue, { tasks, index }: Snapshot): TaskIndex {
  const archived = new Map(index.archived);
  for (const { dependsOn } of tasks) {
    for (const task of findArchived(store, dependsOn, index.byId, archived)) {
      archived.set(task.taskId, task);
    }
  }
  return indexTasks(tasks, archived);
}

function viewAll(queue: Queue, snapshot: Snapshot, index: TaskIndex): TaskView[] {
  const memo = new Map<string, Readiness>();
  const now = queue.now();
  const lanes = allLanes(snapshot, now);
  return [...snapshot.tasks, ...index.archived?.values() ?? []]
    .map((task) => viewTask(task, index, now, memo, lanes, snapshot.shared?.room));
}

async function showDependencies(
  this: Context,
  _flags: Record<never, never>,
  id: string,
): Promise<void> {
  const queue = await this.openQueue();
  const snapshot = await look(queue);
  const index = indexWhole(queue, snapshot);
  const task = index.byId.get(id);
  if (task === undefined) throw noTask(queue.store, id);
  const upstream = collectUpstream(task, index);
  const downstream = dependentsOf([id], index);
  const ready = readinessOf(task, index, new Map());
  if (this.globals.json) {
    this.printJson({
      taskId: id,
      status: task.status,
      readiness: task.status === "pending" ? readinessJson(ready) : null,
      dependsOn: task.dependsOn,
      dependencies: upstream.map((item) => ({ taskId: item.taskId, status: item.status })),
      dependents: downstream.map((item) => ({ taskId: item.taskId, status: item.status })),
    });
    return;
  }
  const related = new Set([task, ...upstream, ...downstream].map(({ taskId }) => taskId));
  const whole = buildGraph(viewAll(queue, snapshot, index), index);
  // What else waits is left out; what else is waited for stays, for it keeps one of these back.
  const graph = {
    nodes: whole.nodes,
    dependsOn: new Map([...whole.dependsOn].filter(([waiting]) => related.has(waiting))),
  };
  if (graph.dependsOn.size === 0) {
    this.print(`${id} depends on nothing, and nothing depends on it`);
    return;
  }
  const names = nameTasks(snapshot.tasks);
  this.print(formatTree(graph, this.style(), names));
  if (task.status === "pending") {
    this.note(
      ready.kind === "ready"
        ? `${id} is ready`
        : ready.kind === "blocked"
        ? `${id} is blocked: ${formatBlocked(ready, names)}`
        : `${id} ${formatWaits(ready.on, names)}`,
    );
  }
}

/** Everything that a task depends on, directly or through others, latest attempts. */
function collectUpstream(task: Task, index: TaskIndex): Task[] {
  const found = new Map<string, Task>();
  const queue = [...task.dependsOn];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const first = lookUp(id, index);
    if (first === undefined) continue;
    const latest = latestAttempt(first, index);
    if (found.has(latest.taskId)) continue;
    found.set(latest.taskId, latest);
    queue.push(...latest.dependsOn);
  }
  return [...found.values()];
}

async function drawGraph(this: Context, flags: GraphFlags): Promise<void> {
  const queue = await this.openQueue();
  const snapshot = await look(queue);
  const index = indexWhole(queue, snapshot);
  const overlaps = findOverlaps(snapshot.tasks, () => index).all;
  const graph = buildGraph(viewAll(queue, snapshot, index), index, overlaps);
  const format = this.globals.json ? "json" : flags.format ?? "tree";
  if (format === "json") return this.printJson(graphJson(graph));
  if (format === "mermaid") return this.print(formatMermaid(graph));
  if (format === "dot") return this.print(formatDot(graph));
  this.print(
    graph.dependsOn.size === 0 && overlaps.length === 0
      ? "No task depends on another"
      : formatTree(graph, this.style(), nameTasks(snapshot.tasks)),
  );
}

function graphJson(graph: Graph) {
  return {
    nodes: [...graph.nodes.values()].map((view) => ({
      taskId: view.task.taskId,
      agent: view.task.agent,
      status: view.task.status,
      phase: view.phase.kind,
      reason: formatReason(view),
    })),
    edges: [...graph.dependsOn].flatMap(([to, from]) => from.map((id) => ({ from: id, to }))),
    overlaps: graph.overlaps ?? [],
  };
}

async function validate(this: Context): Promise<void> {
  const queue = await this.openQueue();
  const { tasks, index } = await look(queue);
  const problems = validateDependencies(tasks, index)
    .map((problem) => ({ taskId: problem.taskId, problem: formatDependencyProblem(problem) }));
  if (this.globals.json) this.printJson({ valid: problems.length === 0, problems });
  else if (problems.length === 0) this.print("All dependencies are sound");
  else for (const { taskId, problem } of problems) this.print(`${taskId} ${problem}`);
  if (problems.length > 0) this.fail(1);
}
