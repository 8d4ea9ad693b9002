/// <reference lib="dom" />
// Which task waits for which: in layers, with their states as they change. It can be moved and zoomed by
// mouse, fingers and keys; a task that is chosen shows what it hangs together with; and all of it is there
// as a list.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PhaseName } from "../../../decide/view.ts";
import { truncate } from "../../../text/width.ts";
import type { WireGraph, WireLink } from "../../wire.ts";
import { at, get } from "../api.ts";
import { begin, type Camera, fit, pan, reveal, type Size, zoom } from "../camera.ts";
import { type Layout, layOut, type PlacedNode, related, type Sizes } from "../layout.ts";
import { useReading } from "../parts/reading.ts";
import { Badge, nameOf, PHASES, Shape, SHAPES, TaskLink, titleOf } from "../parts/task_words.tsx";
import { go, here, href, usePlace } from "../router.ts";
import { useServer } from "../state.ts";

const SIZES: Sizes = { nodeWidth: 228, nodeHeight: 46, layerGap: 56, nodeGap: 14, aspect: 1.8 };
/** Below this scale letters cannot be read, and only states are shown. */
const FAR = 0.5;
/** Of more tasks than this only those that have not succeeded are shown at first. */
const MANY = 800;

export default function Graph(): JSX.Element {
  const { workspace, query } = usePlace();
  const { graph, problem } = useGraph(workspace);
  const search = new URLSearchParams(query);
  const chosen = search.get("task");
  const asList = search.get("as") === "list";
  const only = search.get("only") === "1" && chosen !== null;
  const all = search.get("all") === "1" || (graph?.nodes.length ?? 0) <= MANY;
  const part = useMemo(() => graph && partOf(graph, all, only ? chosen : null), [
    graph,
    all,
    only && chosen,
  ]);
  const choose = (change: Readonly<Record<string, string | null>>) => {
    const next = new URLSearchParams(here().query);
    for (const [name, value] of Object.entries(change)) {
      if (value === null) next.delete(name);
      else next.set(name, value);
    }
    go({ ...here(), query: next.toString() }, { replace: true });
  };
  return (
    <div class="graph-view">
      <header class="graph-head">
        <h1>Graph</h1>
        {part !== null && <Counts nodes={part.nodes} />}
        <span class="grow" />
        {only && (
          <button type="button" onClick={() => choose({ only: null })}>Show all again</button>
        )}
        {graph !== null && graph.nodes.length > MANY && (
          <button
            type="button"
            aria-pressed={all}
            onClick={() => choose({ all: all ? null : "1" })}
          >
            Complete ones too
          </button>
        )}
        <button
          type="button"
          aria-pressed={asList}
          onClick={() => choose({ as: asList ? null : "list" })}
        >
          As a list
        </button>
      </header>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {part === null || workspace === null
        ? problem === null && <p class="muted">Reading…</p>
        : part.nodes.length === 0
        ? <Nothing />
        : asList
        ? <List workspace={workspace} graph={part} />
        : (
          <Drawing
            key={JSON.stringify([workspace, all, only && chosen])}
            {...{ workspace, chosen, only, choose }}
            graph={part}
          />
        )}
    </div>
  );
}

function Nothing(): JSX.Element {
  return (
    <div class="empty">
      <p>No task depends on another.</p>
      <p class="muted">
        <code>orchestra start … --depends-on ID</code>
        {" makes one wait for another."}
      </p>
    </div>
  );
}

/** Answers are asked for no more often than this, milliseconds. */
const PAUSE = 1000;

/** The graph, with states as they are now; read anew when tasks come and go. */
function useGraph(
  workspace: string | null,
): { graph: WireGraph | null; problem: string | null } {
  const { tasks } = useServer();
  const { read: graph, problem } = useReading<WireGraph>(
    workspace,
    async (where, signal, set) => set(await get(at(where, "graph"), signal)),
    PAUSE,
  );
  // The states that came by the stream since are newer. While they are the same, so is the graph.
  const shown = useRef<{ read: WireGraph; live: WireGraph } | null>(null);
  if (graph !== null) {
    const before = shown.current?.read === graph ? shown.current.live : graph;
    shown.current = { read: graph, live: withStates(before, tasks) };
  }
  return { graph: shown.current?.live ?? null, problem };
}

/** A graph with the states that tasks have now; the same one where none has changed. */
function withStates(graph: WireGraph, tasks: ReadonlyMap<string, WireLink>): WireGraph {
  let changed = false;
  const nodes = graph.nodes.map((node) => {
    const row = tasks.get(node.taskId);
    if (row === undefined || row.phase === node.phase) return node;
    changed = true;
    return { ...node, phase: row.phase, status: row.status };
  });
  return changed ? { ...graph, nodes } : graph;
}

/** What is to be drawn. */
function partOf(graph: WireGraph, all: boolean, around: string | null): WireGraph {
  const near = around === null ? null : related(around, graph.edges);
  const nodes = graph.nodes.filter(({ taskId, phase }) =>
    near === null ? all || phase !== "complete" : near.has(taskId)
  );
  if (nodes.length === graph.nodes.length) return graph;
  const shown = new Set(nodes.map(({ taskId }) => taskId));
  const edges = graph.edges.filter(([from, to]) => shown.has(from) && shown.has(to));
  return { nodes, edges };
}

/** How many are in which state. */
function Counts({ nodes }: { nodes: readonly WireLink[] }): JSX.Element {
  const counts = new Map<PhaseName, number>();
  for (const { phase } of nodes) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return (
    <ul class="graph-counts" aria-label={`${nodes.length} tasks`}>
      {PHASES.filter((phase) => counts.has(phase)).map((phase) => (
        <li key={phase}>
          <Shape phase={phase} /> {phase} <span class="muted number">{counts.get(phase)}</span>
        </li>
      ))}
    </ul>
  );
}

type Choose = (change: Readonly<Record<string, string | null>>) => void;

function Drawing({ workspace, graph, chosen, only, choose }: {
  workspace: string;
  graph: WireGraph;
  chosen: string | null;
  only: boolean;
  choose: Choose;
}): JSX.Element {
  const shape = JSON.stringify([graph.nodes.map(({ taskId }) => taskId), graph.edges]);
  const layout = useMemo(
    () => layOut(graph.nodes.map(({ taskId }) => taskId), graph.edges, SIZES),
    [shape],
  );
  const links = useMemo(() => new Map(graph.nodes.map((node) => [node.taskId, node])), [graph]);
  const near = useMemo(
    () => chosen === null || !links.has(chosen) ? null : related(chosen, graph.edges),
    [shape, chosen],
  );
  const box = useRef<HTMLDivElement>(null);
  const camera = useCamera(box, layout);
  const [current, setCurrent] = useState<string | null>(null);
  const inTab = current !== null && links.has(current) ? current : layout.nodes[0]!.id;
  const focus = (node: PlacedNode | undefined) => {
    if (node === undefined) return;
    setCurrent(node.id);
    camera.show(node);
    box.current?.querySelector<SVGElement>(`[data-id="${node.id}"]`)?.focus();
  };
  const keyed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Not `inTab`: keys may come faster than it is drawn.
    const id = event.target instanceof Element && event.target.closest("[data-id]")
      ?.getAttribute("data-id");
    const node = layout.nodes.find((node) => node.id === id);
    if (node && event.key.startsWith("Arrow")) focus(neighbour(layout, node, event.key));
    else if (node && event.key === " ") choose({ task: chosen === node.id ? null : node.id });
    else if (event.key === "Escape" && chosen !== null) choose({ task: null, only: null });
    else if (!camera.key(event.key, node)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="graph-frame">
      <div
        class="graph-box"
        ref={box}
        tabIndex={0}
        role="group"
        aria-label="Graph of tasks. Arrow keys move it, plus and minus zoom, 0 fits it; on a task, arrow keys lead along dependencies, Enter opens it, Space shows what it hangs together with."
        onKeyDown={keyed}
      >
        <svg width="100%" height="100%">
          <defs>
            <marker
              id="arrow"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto-start-reverse"
            >
              <path d="M0 0.5L7.5 4L0 7.5z" />
            </marker>
            <clipPath id="in-node">
              <rect width={SIZES.nodeWidth - 6} height={SIZES.nodeHeight} />
            </clipPath>
          </defs>
          <g class="graph-all">
            <Edges {...{ layout, links, near }} />
            {layout.nodes.map((node) => (
              <Node
                key={node.id}
                node={node}
                link={links.get(node.id)!}
                workspace={workspace}
                inTab={node.id === inTab}
                chosen={node.id === chosen}
                dim={near !== null && !near.has(node.id)}
                onFocus={setCurrent}
                choose={choose}
              />
            ))}
          </g>
        </svg>
      </div>
      <div class="graph-tools">
        <button type="button" onClick={() => camera.key("+")}>
          <span aria-hidden="true">+</span>
          <span class="hidden">Larger</span>
        </button>
        <button type="button" onClick={() => camera.key("-")}>
          <span aria-hidden="true">−</span>
          <span class="hidden">Smaller</span>
        </button>
        <button type="button" onClick={() => camera.key("0")}>Fit</button>
      </div>
      {chosen !== null && links.has(chosen) && (
        <Chosen
          {...{ workspace, only, choose }}
          link={links.get(chosen)!}
          needs={graph.edges.filter(([, to]) => to === chosen).length}
          neededBy={graph.edges.filter(([from]) => from === chosen).length}
          near={near?.size ?? 1}
        />
      )}
    </div>
  );
}

/**
 * Where an arrow key leads: along the dependencies, or up and down among those beside each other and, at
 * their end, to the next of them, so that each task is reached.
 */
function neighbour(
  { nodes, edges }: Layout,
  from: PlacedNode,
  key: string,
): PlacedNode | undefined {
  const { id } = from;
  const nearest = (ids: readonly string[]) =>
    nodes.filter((node) => ids.includes(node.id)).sort((a, b) =>
      Math.abs(a.y - from.y) - Math.abs(b.y - from.y)
    )[0];
  if (key === "ArrowRight") {
    return nearest(edges.filter((edge) => edge.from === id).map(({ to }) => to));
  }
  if (key === "ArrowLeft") {
    return nearest(edges.filter((edge) => edge.to === id).map(({ from }) => from));
  }
  const columns = nodes.toSorted((a, b) => a.x - b.x || a.y - b.y);
  return columns[columns.indexOf(from) + (key === "ArrowDown" ? 1 : -1)];
}

/** How edges are drawn: a curve from layer to layer. */
function Edges({ layout, links, near }: {
  layout: Layout;
  links: ReadonlyMap<string, WireLink>;
  near: ReadonlySet<string> | null;
}): JSX.Element {
  const paths = useMemo(() => layout.edges.map(({ points }) => pathOf(points)), [layout]);
  return (
    <g class="graph-edges" aria-hidden="true">
      {layout.edges.map(({ from, to, back }, at) => {
        const phase = links.get(from)?.phase;
        const dim = near !== null && !(near.has(from) && near.has(to));
        return (
          <path
            key={`${from} ${to}`}
            class={`edge from-${phase}${dim ? " dim" : ""}${back ? " back" : ""}`}
            d={paths[at]}
            marker-end="url(#arrow)"
          />
        );
      })}
    </g>
  );
}

function pathOf(points: readonly (readonly [number, number])[]): string {
  const round = (value: number) => Math.round(value * 10) / 10;
  return points.map(([x, y], at) => {
    if (at === 0) return `M${round(x)} ${round(y)}`;
    const [fromX, fromY] = points[at - 1]!;
    if (fromY === y) return `L${round(x)} ${round(y)}`;
    const middle = round((fromX + x) / 2);
    return `C${middle} ${round(fromY)} ${middle} ${round(y)} ${round(x)} ${round(y)}`;
  }).join("");
}

function Node({ node, link, workspace, inTab, chosen, dim, onFocus, choose }: {
  node: PlacedNode;
  link: WireLink;
  workspace: string;
  inTab: boolean;
  chosen: boolean;
  dim: boolean;
  onFocus: (id: string) => void;
  choose: Choose;
}): JSX.Element {
  const title = titleOf(link);
  const name = truncate(nameOf(link), LETTERS - 6);
  const room = LETTERS - link.phase.length - name.length;
  const agent = room < 4 ? "" : truncate(link.agent, room);
  // Of hundreds only those that have changed are drawn anew.
  return useMemo(() => (
    <g transform={`translate(${Math.round(node.x)} ${Math.round(node.y)})`}>
      <a
        href={href({ view: "task", workspace, task: link.taskId })}
        class={`node phase-${link.phase}${chosen ? " chosen" : ""}${dim ? " dim" : ""}`}
        data-id={node.id}
        tabIndex={inTab ? 0 : -1}
        onFocus={() => onFocus(node.id)}
        draggable={false}
        onClick={(event: MouseEvent) => {
          // Enter opens it; so does a click that asks for another tab.
          if (event.detail === 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          if (event.detail === 2) go({ view: "task", workspace, task: link.taskId });
          else choose({ task: chosen ? null : node.id });
        }}
      >
        <rect class="card" width={SIZES.nodeWidth} height={SIZES.nodeHeight} rx="5">
          <title>{`${link.phase} ${nameOf(link)}: ${title}`}</title>
        </rect>
        <rect class="stripe" width="5" height={SIZES.nodeHeight} rx="2" />
        <text x="14" y="19" clip-path="url(#in-node)">
          <Mark phase={link.phase} />
          <tspan class="node-name" dx="5">{name}</tspan>
          <tspan class="node-agent" dx="7">{agent}</tspan>
        </text>
        <text class="node-title" x="14" y="36" clip-path="url(#in-node)">
          {truncate(title, 31)}
        </text>
      </a>
    </g>
  ), [node, link.phase, name, agent, title, workspace, inTab, chosen, dim]);
}

/** So many letters of name, state and agent have room beside each other. */
const LETTERS = 24;

/** The shape of a state, for a drawing. */
function Mark({ phase }: { phase: PhaseName }): JSX.Element {
  return <tspan class="node-mark">{`${SHAPES[phase]} ${phase}`}</tspan>;
}

/** What is known of the task that was chosen. */
function Chosen({ workspace, link, needs, neededBy, near, only, choose }: {
  workspace: string;
  link: WireLink;
  needs: number;
  neededBy: number;
  near: number;
  only: boolean;
  choose: Choose;
}): JSX.Element {
  return (
    <aside class="graph-chosen" aria-label="The task that was chosen">
      <p class="row">
        <Badge phase={link.phase} />
        <span class="name">{nameOf(link)}</span>
        <span class="muted">{link.agent}</span>
        <span class="grow" />
        <button
          type="button"
          class="quiet"
          aria-label="Choose none"
          onClick={() => choose({ task: null, only: null })}
        >
          ✕
        </button>
      </p>
      <p class="said">{titleOf(link)}</p>
      <p class="muted">
        Needs {needs}, needed by {neededBy}; {near - 1} hang together with it
      </p>
      <p class="row">
        <a href={href({ view: "task", workspace, task: link.taskId })}>Open it</a>
        {!only && near > 1 && (
          <button type="button" onClick={() => choose({ only: "1" })}>Show only these</button>
        )}
      </p>
    </aside>
  );
}

/** All of it in words. */
function List({ workspace, graph }: { workspace: string; graph: WireGraph }): JSX.Element {
  const links = new Map(graph.nodes.map((node) => [node.taskId, node]));
  const ends = (id: string, side: 0 | 1) =>
    graph.edges.filter((edge) => edge[1 - side] === id).flatMap((edge) =>
      links.get(edge[side]) ?? []
    );
  const order = layOut([...links.keys()], graph.edges, SIZES).nodes;
  return (
    <div class="graph-list" tabIndex={0} role="region" aria-label="Tasks and what they need">
      <table>
        <thead>
          <tr>
            {["Task", "State", "Agent", "What", "Needs", "Needed by"].map((name) => (
              <th key={name} scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map(({ id }) => {
            const link = links.get(id)!;
            return (
              <tr key={id}>
                <th scope="row">
                  <TaskLink workspace={workspace} task={link} />
                </th>
                <td>
                  <Badge phase={link.phase} />
                </td>
                <td>{link.agent}</td>
                <td class="what">{titleOf(link)}</td>
                {([0, 1] as const).map((side) => (
                  <td key={side}>
                    {ends(id, side).map((one) => (
                      <span key={one.taskId}>
                        <TaskLink workspace={workspace} task={one} />
                        {" "}
                      </span>
                    ))}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** What is seen of the drawing, and the ways to move it. */
interface Moving {
  /** Brings a node into sight. */
  show(node: PlacedNode): void;
  /** Does what a key says, where it is about a node there; false where that is nothing. */
  key(key: string, node?: PlacedNode): boolean;
}

/** Moves the drawing by what mouse, fingers and keys do, without drawing it anew. */
function useCamera(box: { current: HTMLDivElement | null }, layout: Layout): Moving {
  const camera = useRef<Camera>({ x: 0, y: 0, scale: 1 });
  /** Whether nobody has moved it so far: then it is fitted whenever its size changes. */
  const untouched = useRef(true);
  const view = (): Size => ({
    width: box.current?.clientWidth ?? 0,
    height: box.current?.clientHeight ?? 0,
  });
  const apply = (next: Camera) => {
    camera.current = next;
    const all = box.current?.querySelector<SVGGElement>(".graph-all");
    all?.setAttribute("transform", `translate(${next.x} ${next.y}) scale(${next.scale})`);
    box.current?.classList.toggle("far", next.scale < FAR);
  };
  const move = (next: Camera) => {
    untouched.current = false;
    apply(next);
  };
  const drawn = useRef(layout);
  useLayoutEffect(() => {
    if (!untouched.current) {
      const focused = box.current!.querySelector("[data-id]:focus")?.getAttribute("data-id");
      apply(stay(camera.current, drawn.current, layout, view(), focused));
    }
    drawn.current = layout;
    const fitted = () => untouched.current && apply(begin(layout, view()));
    const observer = new ResizeObserver(fitted);
    observer.observe(box.current!);
    fitted();
    return () => observer.disconnect();
  }, [layout]);
  useLayoutEffect(() => handlePointers(box.current!, () => camera.current, move), []);
  const show = (node: PlacedNode) =>
    move(reveal(
      camera.current,
      { x: node.x, y: node.y, width: SIZES.nodeWidth, height: SIZES.nodeHeight },
      view(),
    ));
  /** What stands in the middle stays there, or a node where it is. */
  const zoomBy = (factor: number, node: PlacedNode | undefined) => {
    const { width, height } = view();
    const { x, y, scale } = camera.current;
    if (node === undefined) return move(zoom(camera.current, factor, width / 2, height / 2));
    const [nodeX, nodeY] = [node.x + SIZES.nodeWidth / 2, node.y + SIZES.nodeHeight / 2];
    move(zoom(camera.current, factor, nodeX * scale + x, nodeY * scale + y));
    show(node);
  };
  return {
    show,
    key(key, node) {
      const by = STEPS[key];
      if (by !== undefined) move(pan(camera.current, by[0], by[1]));
      else if (key === "+" || key === "=") zoomBy(1.25, node);
      else if (key === "-") zoomBy(0.8, node);
      else if (key === "0") move(fit(layout, view()));
      else return false;
      return true;
    },
  };
}

/**
 * What is seen of a drawing after another one: a task stays where it is, that with the focus or else the one
 * nearest to the middle.
 */
function stay(
  camera: Camera,
  before: Layout,
  after: Layout,
  { width, height }: Size,
  focused: string | null | undefined,
): Camera {
  const { x, y, scale } = camera;
  const fromMiddle = (node: PlacedNode) =>
    Math.hypot(
      (node.x + SIZES.nodeWidth / 2) * scale + x - width / 2,
      (node.y + SIZES.nodeHeight / 2) * scale + y - height / 2,
    );
  const next = new Map(after.nodes.map((node) => [node.id, node]));
  const left = before.nodes.filter(({ id }) => next.has(id));
  const from = left.find(({ id }) => id === focused) ??
    left.sort((a, b) => fromMiddle(a) - fromMiddle(b))[0];
  if (from === undefined) return begin(after, { width, height });
  const to = next.get(from.id)!;
  return pan(camera, (from.x - to.x) * scale, (from.y - to.y) * scale);
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [60, 0],
  ArrowRight: [-60, 0],
  ArrowUp: [0, 60],
  ArrowDown: [0, -60],
};

/** So far a pointer may go between press and release for a click, pixels. */
const STILL = 4;

/** Moves by dragging, zooms by wheel and by two fingers; returns how to stop that. */
function handlePointers(
  box: HTMLElement,
  camera: () => Camera,
  move: (camera: Camera) => void,
): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  const place = (event: MouseEvent) => {
    const { left, top } = box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    if (pointers.size === 0) travelled = 0;
    pointers.set(event.pointerId, place(event));
  };
  const moved = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const now = place(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    pointers.set(event.pointerId, now);
    if (travelled <= STILL) return;
    // Only now, for what is captured gets no click.
    if (!box.hasPointerCapture(event.pointerId)) box.setPointerCapture(event.pointerId);
    if (other === undefined) return move(pan(camera(), now.x - before.x, now.y - before.y));
    const far = (point: { x: number; y: number }) =>
      Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
    const [x, y] = [(now.x + other.x) / 2, (now.y + other.y) / 2];
    move(zoom(
      pan(camera(), (now.x - before.x) / 2, (now.y - before.y) / 2),
      far(now) / far(before),
      x,
      y,
    ));
  };
  const up = (event: PointerEvent) => void pointers.delete(event.pointerId);
  const click = (event: MouseEvent) => {
    if (travelled <= STILL || event.detail === 0) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    if (event.shiftKey) return move(pan(camera(), -(event.deltaX || event.deltaY), 0));
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const by = Math.max(-200, Math.min(200, event.deltaY * lines));
    const { x, y } = place(event);
    // Two fingers on a pad come as a wheel with Ctrl, in smaller steps.
    move(zoom(camera(), Math.exp(-by * (event.ctrlKey ? 0.01 : 0.0022)), x, y));
  };
  const stop = new AbortController();
  const { signal } = stop;
  box.addEventListener("pointerdown", down, { signal });
  box.addEventListener("pointermove", moved, { signal });
  box.addEventListener("pointerup", up, { signal });
  box.addEventListener("pointercancel", up, { signal });
  box.addEventListener("click", click, { capture: true, signal });
  box.addEventListener("wheel", wheel, { passive: false, signal });
  return () => stop.abort();
}
