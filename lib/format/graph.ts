// Dependencies as a picture: a tree for people, Mermaid and DOT for other programs. Pure.

import { type DependencyProblem, latestAttempt, type TaskIndex } from "../decide/dependencies.ts";
import type { Overlap } from "../decide/overlap_marks.ts";
import { type Names, WHOLE_IDS } from "../decide/names.ts";
import type { TaskView } from "../decide/view.ts";
import type { Task } from "../task/fields.ts";
import { createPalette, type Palette, type Style } from "../text/style.ts";
import { type Column, formatRows } from "../text/table.ts";
import { sanitize, wrap } from "../text/width.ts";
import { formatOverlap } from "./reason.ts";
import { formatEnd, formatId, formatKey } from "./names.ts";

/** Tasks and who waits for whom. */
export interface Graph {
  /** Views by id. */
  nodes: ReadonlyMap<string, TaskView>;
  /** For each id, the ids that it depends on, latest attempts in place of earlier ones. */
  dependsOn: ReadonlyMap<string, readonly string[]>;
  /** Tasks that change the same files; none where absent. */
  overlaps?: readonly Overlap[];
}

/** The dependencies among tasks, over all that have or are one, or that overlap. */
export function buildGraph(
  views: Iterable<TaskView>,
  index: TaskIndex,
  overlaps: readonly Overlap[] = [],
): Graph {
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
  for (const { tasks } of overlaps) for (const id of tasks) wanted.add(id);
  const nodes = new Map([...all].filter(([id]) => wanted.has(id)));
  return { nodes, dependsOn, overlaps };
}

/** Cells by which a branch is indented, and the lines that lead to it. */
const STEP = 3;
const UNICODE_LINES = { next: "↓  ", branch: "├─ ", last: "└─ ", bar: "│  " };
const ASCII_LINES = { next: "v  ", branch: "|- ", last: "`- ", bar: "|  " };
/** Beyond this share of the width, or so many cells, nothing is indented any further. */
const DEEPEST_SHARE = 0.4;
const DEEPEST = 48;

/** A line of the tree that is still to be drawn. */
interface Twig {
  readonly id: string;
  /** What stands before it, painted, and how often three cells that is. */
  readonly lead: string;
  readonly indent: number;
  /** The same for what is drawn below it. */
  readonly below: string;
  readonly depth: number;
}

/**
 * The graph as a tree: what depends on nothing stands at the left, what waits for it below it. A task
 * that waits for several stands below each, its own dependents only once. An only dependent is not
 * indented any further, so that a chain is a list; and what would be indented too far begins anew at
 * the left. So the text grows with the graph and not with its depth, which nothing here recurs into.
 */
export function formatTree(graph: Graph, style: Style, names: Names = WHOLE_IDS): string {
  const palette = createPalette(style);
  const dependents = turnAround(graph);
  const deepest = Math.min(DEEPEST, Math.floor(style.width * DEEPEST_SHARE));
  const lines: string[] = [];
  const shown = new Set<string>();
  const drawAll = (heads: string[]) => {
    // The list grows by what is indented too far.
    for (const head of heads) {
      if (shown.has(head)) continue;
      const twigs: Twig[] = [{ id: head, lead: "", indent: 0, below: "", depth: 0 }];
      for (let twig = twigs.pop(); twig !== undefined; twig = twigs.pop()) {
        const { id, lead, indent, depth } = twig;
        const children = dependents.get(id) ?? [];
        const isDrawn = shown.has(id);
        const isFar = children.length > 1 && depth * STEP > deepest && !isDrawn;
        const rest = children.length > 0 && isDrawn ? "above" : isFar ? "below" : null;
        lines.push(lead + formatNode(graph, id, rest, names, style, indent * STEP));
        if (isFar) heads.push(id);
        else if (!isDrawn) {
          shown.add(id);
          for (const child of twigsOf(twig, children, palette, style)) twigs.push(child);
        }
      }
    }
  };
  drawAll([...dependents.keys()].filter((id) => !graph.dependsOn.has(id)));
  // In a circle nobody depends on nothing: show what is left as well.
  for (const id of graph.dependsOn.keys()) drawAll([id]);
  for (const overlap of graph.overlaps ?? []) {
    lines.push(
      ...wrap(sanitize(formatOverlap(overlap, null, names)), style.width).map(palette.waiting),
    );
  }
  return lines.join("\n");
}

/** For each id, the ids that depend on it. */
function turnAround({ dependsOn }: Graph): Map<string, string[]> {
  const dependents = new Map<string, string[]>();
  for (const [id, edges] of dependsOn) {
    for (const other of new Set(edges)) {
      const list = dependents.get(other);
      if (list === undefined) dependents.set(other, [id]);
      else list.push(id);
    }
  }
  return dependents;
}

/** What stands below a line, the lowest first: an only one straight below, several as branches. */
function twigsOf(
  { below, depth }: Twig,
  children: readonly string[],
  palette: Palette,
  { unicode }: Style,
): Twig[] {
  const { next, branch, last, bar } = unicode ? UNICODE_LINES : ASCII_LINES;
  const indent = depth + 1;
  if (children.length === 1) {
    return [{ id: children[0]!, lead: below + palette.dim(next), indent, below, depth }];
  }
  return children.map((id, at) =>
    at === children.length - 1
      ? { id, lead: below + palette.dim(last), indent, below: `${below}   `, depth: indent }
      : {
        ...{ id, lead: below + palette.dim(branch), indent },
        ...{ below: below + palette.dim(bar), depth: indent },
      }
  ).reverse();
}

/** One task of the tree. Where its dependents stand elsewhere, that is said instead of its prompt. */
function formatNode(
  { nodes }: Graph,
  id: string,
  dependents: "above" | "below" | null,
  names: Names,
  style: Style,
  indent: number,
): string {
  const palette = createPalette(style);
  const view = nodes.get(id);
  if (view === undefined) return `${id} ${palette.bad("does not exist")}`;
  const { task, phase: { kind } } = view;
  const end = formatEnd(id, names, style);
  const key = formatKey(task);
  const paint = palette.phase[kind];
  const rest = dependents === null
    ? { dropOrder: 4, text: `${task.agent}: ${sanitize(task.prompt.slice(0, 500))}` }
    : { dropOrder: 1, text: `${palette.ellipsis} see ${dependents}` };
  const columns: (Column<TaskView> | false)[] = [
    { header: "", gap: 1, cell: () => ({ text: palette.icon[kind], paint }) },
    { header: "", gap: 1, cell: () => formatId(id, names, palette) },
    end !== "" && { header: "", gap: 1, dropOrder: 2, cell: () => `[${end}]` },
    key !== "" &&
    { header: "", gap: 1, dropOrder: 2, cell: () => ({ text: key, paint: palette.bold }) },
    { header: "", dropOrder: 3, cell: () => ({ text: kind, paint }) },
    {
      header: "",
      dropOrder: rest.dropOrder,
      flex: 1,
      min: 8,
      cell: () => ({ text: rest.text, paint: palette.dim }),
    },
  ];
  return formatRows(columns.filter((column) => column !== false), [view], {
    ...style,
    width: style.width - indent,
  })[1]!;
}

/** What Mermaid would take for its own syntax or for HTML, in its codes: `&lt;` is `#lt;`. */
const MERMAID: Readonly<Record<string, string>> = {
  "#": "#35;",
  '"': "#quot;",
  "&": "#amp;",
  "<": "#lt;",
  ">": "#gt;",
};

/** What a picture says of a task: `build (shell): Make all`, or without a key `shell: Make all`. */
function labelOf(task: Task): string {
  const agent = sanitize(task.agent);
  const who = task.key === null ? agent : `${formatKey(task)} (${agent})`;
  return `${who}: ${sanitize(task.prompt).slice(0, 60)}`;
}

function forMermaid(text: string): string {
  return text.replace(/[#"&<>]/g, (character) => MERMAID[character]!);
}

/** What a picture says of the files in which two tasks overlap. */
function filesOf(files: readonly string[]): string {
  const rest = files.length - FILES_DRAWN;
  return sanitize(files.slice(0, FILES_DRAWN).join(", ")) + (rest > 0 ? ` and ${rest} more` : "");
}

const FILES_DRAWN = 3;

/** The graph in Mermaid's language: https://mermaid.js.org/syntax/flowchart.html */
export function formatMermaid(graph: Graph): string {
  const lines = ["flowchart LR"];
  for (const { task, phase: { kind } } of graph.nodes.values()) {
    const text = forMermaid(labelOf(task));
    lines.push(`  ${task.taskId}["${text}<br/>${kind}"]:::${kind}`);
  }
  for (const [id, edges] of graph.dependsOn) {
    for (const other of edges) lines.push(`  ${other} --> ${id}`);
  }
  for (const { tasks: [one, other], files } of graph.overlaps ?? []) {
    lines.push(`  ${one} -. "${forMermaid(filesOf(files))}" .- ${other}`);
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
    const text = `${labelOf(task)} (${kind})`;
    lines.push(`  ${quote(task.taskId)} [label=${quote(text)}];`);
  }
  for (const [id, edges] of graph.dependsOn) {
    for (const other of edges) lines.push(`  ${quote(other)} -> ${quote(id)};`);
  }
  for (const { tasks: [one, other], files } of graph.overlaps ?? []) {
    const label = quote(filesOf(files));
    lines.push(
      `  ${quote(one)} -> ${
        quote(other)
      } [dir=none, style=dashed, constraint=false, label=${label}];`,
    );
  }
  return [...lines, "}"].join("\n");
}

/** What is wrong with a task's dependencies, to be read after its name. */
export function formatDependencyProblem(
  problem: DependencyProblem,
  { call }: Names = WHOLE_IDS,
): string {
  return problem.kind === "missing"
    ? `depends on ${call(problem.id)}, which does not exist`
    : `waits for itself: ${problem.path.map(call).join(" -> ")}`;
}
