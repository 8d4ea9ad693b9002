// Dependencies as a picture: a tree for people, Mermaid and DOT for other programs. Pure.

import { type DependencyProblem, latestAttempt, type TaskIndex } from "../decide/dependencies.ts";
import type { TaskView } from "../decide/view.ts";
import { createPalette, type Style } from "../text/style.ts";
import { displayWidth, sanitize, truncate } from "../text/width.ts";

/** Tasks and who waits for whom. */
export interface Graph {
  /** Views by id. */
  nodes: ReadonlyMap<string, TaskView>;
  /** For each id, the ids that it depends on, latest attempts in place of earlier ones. */
  dependsOn: ReadonlyMap<string, readonly string[]>;
}

/** The dependencies among tasks, over all that have or are one. */
export function buildGraph(views: Iterable<TaskView>, index: TaskIndex): Graph {
  const all = new Map<string, TaskView>();
  for (const view of views) all.set(view.task.taskId, view);
  const dependsOn = new Map<string, string[]>();
  const wanted = new Set<string>();
  for (const { task } of all.values()) {
    // An earlier attempt is shown as its latest one.
    if (task.dependsOn.length === 0 || latestAttempt(task, index) !== task) continue;
    const edges = task.dependsOn.map((id) => {
      const found = index.byId.get(id);
      return found === undefined ? id : latestAttempt(found, index).taskId;
    });
    dependsOn.set(task.taskId, edges);
    wanted.add(task.taskId);
    for (const id of edges) wanted.add(id);
  }
  const nodes = new Map([...all].filter(([id]) => wanted.has(id)));
  return { nodes, dependsOn };
}

/**
 * The graph as a tree: what depends on nothing stands at the left, what waits for it below it. A
 * task that waits for several stands below each, its own dependents only once.
 */
export function formatTree(graph: Graph, style: Style): string {
  const palette = createPalette(style);
  const dependents = new Map<string, string[]>();
  const heads = new Set<string>();
  for (const [id, edges] of graph.dependsOn) {
    for (const other of edges) {
      const list = dependents.get(other);
      if (list === undefined) dependents.set(other, [id]);
      else list.push(id);
      if (!graph.dependsOn.has(other)) heads.add(other);
    }
  }
  const [branch, last, bar] = style.unicode ? ["├─ ", "└─ ", "│  "] : ["|- ", "`- ", "|  "];
  const lines: string[] = [];
  const shown = new Set<string>();
  const draw = (id: string, lead: string, below: string) => {
    const again = shown.has(id) && (dependents.get(id)?.length ?? 0) > 0;
    lines.push(lead + label(id, style.width - displayWidth(lead), again));
    if (shown.has(id)) return;
    shown.add(id);
    const children = dependents.get(id) ?? [];
    for (const [at, child] of children.entries()) {
      const final = at === children.length - 1;
      draw(
        child,
        below + palette.dim(final ? last! : branch!),
        below + (final ? "   " : palette.dim(bar!)),
      );
    }
  };
  const label = (id: string, width: number, again: boolean): string => {
    const view = graph.nodes.get(id);
    if (view === undefined) return `${id} ${palette.bad("does not exist")}`;
    const { task } = view;
    const phase = view.phase.kind;
    const head = `${palette.phase[phase](palette.icon[phase])} ${id} ${
      palette.phase[phase](phase)
    }`;
    const plain = `x ${id} ${phase}`;
    const rest = again ? palette.ellipsis : `${task.agent}: ${sanitize(task.prompt.slice(0, 500))}`;
    const room = width - displayWidth(plain) - 2;
    return room < 8 ? head : `${head}  ${palette.dim(truncate(rest, room, palette.ellipsis))}`;
  };
  for (const id of heads) draw(id, "", "");
  // In a cycle nobody depends on nothing: show what is left as well.
  for (const id of graph.dependsOn.keys()) if (!shown.has(id)) draw(id, "", "");
  return lines.join("\n");
}

/** What Mermaid would take for its own syntax or for HTML, in its codes: `&lt;` is `#lt;`. */
const MERMAID: Readonly<Record<string, string>> = {
  "#": "#35;",
  '"': "#quot;",
  "&": "#amp;",
  "<": "#lt;",
  ">": "#gt;",
};

/** The graph in Mermaid's language: https://mermaid.js.org/syntax/flowchart.html */
export function formatMermaid(graph: Graph): string {
  const lines = ["flowchart LR"];
  for (const { task, phase: { kind } } of graph.nodes.values()) {
    const text = `${task.agent}: ${sanitize(task.prompt).slice(0, 60)}`
      .replace(/[#"&<>]/g, (character) => MERMAID[character]!);
    lines.push(`  ${task.taskId}["${text}<br/>${kind}"]:::${kind}`);
  }
  for (const [id, edges] of graph.dependsOn) {
    for (const other of edges) lines.push(`  ${other} --> ${id}`);
  }
  lines.push(
    "  classDef complete fill:#d4edda,stroke:#28a745",
    "  classDef failed fill:#f8d7da,stroke:#dc3545",
    "  classDef running fill:#cce5ff,stroke:#007bff",
    "  classDef blocked fill:#fff3cd,stroke:#ffc107",
  );
  return lines.join("\n");
}

/** The graph in Graphviz' language: https://graphviz.org/doc/info/lang.html */
export function formatDot(graph: Graph): string {
  const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const lines = ["digraph tasks {", "  rankdir=LR;", "  node [shape=box];"];
  for (const { task, phase: { kind } } of graph.nodes.values()) {
    const text = `${task.agent}: ${sanitize(task.prompt).slice(0, 60)} (${kind})`;
    lines.push(`  ${quote(task.taskId)} [label=${quote(text)}];`);
  }
  for (const [id, edges] of graph.dependsOn) {
    for (const other of edges) lines.push(`  ${quote(other)} -> ${quote(id)};`);
  }
  return [...lines, "}"].join("\n");
}

/** What is wrong with a task's dependencies, to be read after its name. */
export function formatDependencyProblem(problem: DependencyProblem): string {
  return problem.kind === "missing"
    ? `depends on ${problem.id}, which does not exist`
    : `waits for itself: ${problem.path.join(" -> ")}`;
}
