// Where the nodes of a directed graph stand when it is drawn in layers from left to right (Sugiyama):
// cycles are broken, layers by the longest path, the order within them by barycentres in a bounded number
// of sweeps, places by least squares. What is not connected is laid out by itself, and packed side by side.
// The same graph is drawn the same each time. Pure.

/** How large things are, pixels. */
export interface Sizes {
  readonly nodeWidth: number;
  readonly nodeHeight: number;
  /** Between layers. */
  readonly layerGap: number;
  /** Between nodes of a layer. */
  readonly nodeGap: number;
  /** Width by height that the whole is to have, roughly. */
  readonly aspect: number;
}

export interface PlacedNode {
  readonly id: string;
  /** Steps from the left, among those that it is connected with. */
  readonly layer: number;
  /** Place within its layer, from 0. */
  readonly order: number;
  /** Upper left corner, pixels. */
  readonly x: number;
  readonly y: number;
}

export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  /** Points that it goes through, from the right side of the one to the left side of the other. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether it closes a cycle, and so goes back. */
  readonly back: boolean;
}

export interface Layout {
  /** Those that are connected one after another; layer by layer, from top to bottom. */
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

/** Sweeps over the layers, there and back again. */
const SWEEPS = 8;
/** With more points than this on long edges they are drawn straight, and the layout stays quick. */
const MOST_BENDS = 6000;

/** A node, or a place that a long edge goes through. */
interface Point {
  readonly height: number;
  layer: number;
  /** Place within its layer. */
  order: number;
  /** Centre, pixels. */
  y: number;
  readonly before: Point[];
  readonly after: Point[];
}

/**
 * Lays out a graph.
 *
 * @param ids of the nodes; in a layer with nothing to go by they stand in this order
 * @param pairs edges; what names no node, itself or is told twice is left out
 */
export function layOut(
  ids: readonly string[],
  pairs: readonly (readonly [from: string, to: string])[],
  sizes: Sizes,
): Layout {
  const edges = distinct(ids, pairs);
  const parts = components(ids, edges).map((part) => layOutConnected(part.ids, part.edges, sizes));
  return pack(parts, sizes);
}

/**
 * Puts layouts into rows, the tallest first; where there is room below the last, those that are no wider
 * stand there.
 */
function pack(parts: readonly Layout[], { layerGap, nodeGap, aspect }: Sizes): Layout {
  const gap = 2 * nodeGap;
  const area = parts.reduce((sum, part) => sum + (part.width + layerGap) * (part.height + gap), 0);
  const widest = parts.reduce((most, part) => Math.max(most, part.width), 0);
  const room = Math.max(widest, Math.sqrt(area * aspect));
  const nodes: PlacedNode[] = [];
  const edges: PlacedEdge[] = [];
  let [left, top, width, height] = [0, 0, 0, 0];
  /** Width of what stands above each other in a row, and where it ends. */
  let [column, bottom] = [0, 0];
  for (const part of parts.toSorted((a, b) => b.height - a.height || b.width - a.width)) {
    if (part.width > column || bottom + gap + part.height > height) {
      if (column > 0) left += column + layerGap;
      if (left + part.width > room) [left, top] = [0, height + gap];
      [column, bottom] = [part.width, top];
    } else bottom += gap;
    for (const node of part.nodes) nodes.push({ ...node, x: node.x + left, y: node.y + bottom });
    for (const edge of part.edges) {
      edges.push({ ...edge, points: edge.points.map(([x, y]) => [x + left, y + bottom]) });
    }
    bottom += part.height;
    width = Math.max(width, left + part.width);
    height = Math.max(height, bottom);
  }
  return { nodes, edges, width, height };
}

/** The parts of a graph that are connected, in the order of their first nodes. */
function components(
  ids: readonly string[],
  edges: readonly Edge[],
): { ids: string[]; edges: Edge[] }[] {
  const near = successors(ids, edges.flatMap(([from, to]): Edge[] => [[from, to], [to, from]]));
  const partOf = new Map<string, number>();
  let count = 0;
  for (const root of ids) {
    if (partOf.has(root)) continue;
    const queue = [root];
    partOf.set(root, count);
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const other of near.get(id)!) {
        if (partOf.has(other)) continue;
        partOf.set(other, count);
        queue.push(other);
      }
    }
    count++;
  }
  const parts = Array.from({ length: count }, () => ({ ids: [] as string[], edges: [] as Edge[] }));
  for (const id of ids) parts[partOf.get(id)!]!.ids.push(id);
  for (const edge of edges) parts[partOf.get(edge[0])!]!.edges.push(edge);
  return parts;
}

function layOutConnected(ids: readonly string[], edges: readonly Edge[], sizes: Sizes): Layout {
  const forward = breakCycles(ids, edges);
  const layerOf = assignLayers(ids, forward);
  const points = new Map(ids.map((id) => [id, point(layerOf.get(id)!, sizes.nodeHeight)]));
  const chains = connect(forward, points, layerOf);
  const layers = layersOf([...points.values(), ...chains.flat()]);
  orderLayers(layers);
  placeLayers(layers, sizes.nodeGap);
  const all = layers.flat();
  const top = all.reduce((least, { y, height }) => Math.min(least, y - height / 2), Infinity);
  for (const one of all) one.y -= top;
  const x = (layer: number) => layer * (sizes.nodeWidth + sizes.layerGap);
  const nodes = [...points].map(([id, { layer, order, y, height }]) => ({
    id,
    layer,
    order,
    x: x(layer),
    y: y - height / 2,
  })).sort((a, b) => a.layer - b.layer || a.y - b.y);
  return {
    nodes,
    edges: edges.map(([from, to], at) => {
      const back = forward[at]![0] !== from;
      const start = points.get(from)!;
      const end = points.get(to)!;
      // Of an edge that goes back the bends were made the other way round.
      const bends = back ? chains[at]!.toReversed() : chains[at]!;
      const through = bends.flatMap(({ layer, y }): [number, number][] => {
        const ends: [number, number][] = [[x(layer), y], [x(layer) + sizes.nodeWidth, y]];
        return back ? ends.reverse() : ends;
      });
      return {
        from,
        to,
        back,
        points: [[x(start.layer) + sizes.nodeWidth, start.y], ...through, [x(end.layer), end.y]],
      };
    }),
    width: x(layers.length - 1) + sizes.nodeWidth,
    height: all.reduce((most, { y, height }) => Math.max(most, y + height / 2), 0),
  };
}

type Edge = readonly [from: string, to: string];

function point(layer: number, height: number): Point {
  return { layer, height, order: 0, y: 0, before: [], after: [] };
}

function distinct(ids: readonly string[], pairs: readonly Edge[]): Edge[] {
  const known = new Set(ids);
  const seen = new Set<string>();
  return pairs.filter(([from, to]) => {
    const key = `${from}\n${to}`;
    if (from === to || seen.has(key) || !known.has(from) || !known.has(to)) return false;
    seen.add(key);
    return true;
  });
}

function successors(ids: readonly string[], edges: readonly Edge[]): Map<string, string[]> {
  const after = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const [from, to] of edges) after.get(from)!.push(to);
  return after;
}

/** The edges, those turned round that lead back to where a walk came from. */
function breakCycles(ids: readonly string[], edges: readonly Edge[]): Edge[] {
  const after = successors(ids, edges);
  const state = new Map<string, "open" | "closed">();
  const back = new Set<string>();
  for (const root of ids) {
    if (state.has(root)) continue;
    // Not by calls: a chain may be longer than the stack.
    const stack = [{ id: root, next: 0 }];
    state.set(root, "open");
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const to = after.get(top.id)![top.next++];
      if (to === undefined) {
        state.set(top.id, "closed");
        stack.pop();
      } else if (state.get(to) === "open") back.add(`${top.id}\n${to}`);
      else if (!state.has(to)) {
        state.set(to, "open");
        stack.push({ id: to, next: 0 });
      }
    }
  }
  return edges.map(([from, to]) => back.has(`${from}\n${to}`) ? [to, from] : [from, to]);
}

/** The longest way to each node; what needs nothing stands right before what needs it first. */
function assignLayers(ids: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const after = successors(ids, edges);
  const waits = new Map(ids.map((id) => [id, 0]));
  for (const [, to] of edges) waits.set(to, waits.get(to)! + 1);
  const sources = ids.filter((id) => waits.get(id) === 0);
  const layers = new Map(ids.map((id) => [id, 0]));
  const ready = [...sources];
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    for (const to of after.get(id)!) {
      layers.set(to, Math.max(layers.get(to)!, layers.get(id)! + 1));
      waits.set(to, waits.get(to)! - 1);
      if (waits.get(to) === 0) ready.push(to);
    }
  }
  for (const id of sources) {
    const first = after.get(id)!.reduce((least, to) => Math.min(least, layers.get(to)!), Infinity);
    if (first !== Infinity) layers.set(id, first - 1);
  }
  return layers;
}

/** Connects the points; for each edge the points that it goes through between its ends. */
function connect(
  edges: readonly Edge[],
  points: ReadonlyMap<string, Point>,
  layerOf: ReadonlyMap<string, number>,
): Point[][] {
  const length = ([from, to]: Edge) => layerOf.get(to)! - layerOf.get(from)!;
  const bends = edges.reduce((sum, edge) => sum + length(edge) - 1, 0);
  return edges.map((edge) => {
    const [from, to] = edge;
    const chain: Point[] = [];
    if (bends <= MOST_BENDS) {
      for (let at = 1; at < length(edge); at++) chain.push(point(layerOf.get(from)! + at, 0));
    }
    const all = [points.get(from)!, ...chain, points.get(to)!];
    for (let at = 1; at < all.length; at++) {
      all[at - 1]!.after.push(all[at]!);
      all[at]!.before.push(all[at - 1]!);
    }
    return chain;
  });
}

function layersOf(points: readonly Point[]): Point[][] {
  const layers: Point[][] = [];
  for (const one of points) (layers[one.layer] ??= []).push(one);
  const filled = Array.from(layers, (layer) => layer ?? []);
  for (const layer of filled) number(layer);
  return filled;
}

function number(layer: readonly Point[]): void {
  layer.forEach((one, at) => one.order = at);
}

function mean(points: readonly Point[], value: (point: Point) => number): number | undefined {
  if (points.length === 0) return undefined;
  return points.reduce((sum, one) => sum + value(one), 0) / points.length;
}

/** Puts each node near the middle of those that it is connected with; keeps the best order seen. */
function orderLayers(layers: Point[][]): void {
  let fewest = crossings(layers);
  let best = layers.map((layer) => [...layer]);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : layers.toReversed()) {
      const place = new Map(layer.map((one) => {
        const middle = mean(down ? one.before : one.after, ({ order }) => order);
        return [one, middle ?? one.order];
      }));
      layer.sort((a, b) => place.get(a)! - place.get(b)! || a.order - b.order);
      number(layer);
    }
    const count = crossings(layers);
    if (count < fewest) {
      fewest = count;
      best = layers.map((layer) => [...layer]);
    }
  }
  layers.forEach((_, at) => {
    layers[at] = best[at]!;
    number(best[at]!);
  });
}

/** How often edges between neighbouring layers cross: inversions, counted by a Fenwick tree. */
function crossings(layers: readonly (readonly Point[])[]): number {
  let count = 0;
  layers.forEach((layer, at) => {
    const size = layers[at + 1]?.length ?? 0;
    const tree = new Int32Array(size + 1);
    let seen = 0;
    for (const one of layer) {
      const ends = one.after.filter((end) => end.layer === at + 1).map(({ order }) => order);
      for (const end of ends) {
        let notAfter = 0;
        for (let i = end + 1; i > 0; i -= i & -i) notAfter += tree[i]!;
        count += seen - notAfter;
      }
      for (const end of ends) for (let i = end + 1; i <= size; i += i & -i) tree[i]!++;
      seen += ends.length;
    }
  });
  return count;
}

/** Gives the points their height: near those that they are connected with, and none over another. */
function placeLayers(layers: readonly (readonly Point[])[], gap: number): void {
  for (const layer of layers) spread(layer, layer.map(() => 0), gap);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : layers.toReversed()) {
      const wished = layer.map((one) =>
        mean(down ? one.before : one.after, ({ y }) => y) ??
          mean(down ? one.after : one.before, ({ y }) => y) ?? one.y
      );
      spread(layer, wished, gap);
    }
  }
}

/** The places nearest to those wished for that keep order and distance: pools of adjacent violators. */
function spread(layer: readonly Point[], wished: readonly number[], gap: number): void {
  const pools: { sum: number; count: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  layer.forEach(({ height }, at) => {
    const last = layer[at - 1];
    // Edges may run close to each other.
    const near = last !== undefined && (last.height === 0 || height === 0) ? gap / 2 : gap;
    if (last !== undefined) offset += (last.height + height) / 2 + near;
    offsets.push(offset);
    let pool = { sum: wished[at]! - offset, count: 1 };
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.sum / last.count <= pool.sum / pool.count) break;
      pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  });
  let at = 0;
  for (const { sum, count } of pools) {
    for (let i = 0; i < count; i++, at++) layer[at]!.y = sum / count + offsets[at]!;
  }
}

/** Everything that leads to a node or comes from it, itself among it. */
export function related(id: string, edges: readonly Edge[]): Set<string> {
  const found = new Set([id]);
  for (const side of [0, 1] as const) {
    const next = new Map<string, string[]>();
    for (const edge of edges) {
      const those = next.get(edge[side]);
      if (those === undefined) next.set(edge[side], [edge[1 - side]!]);
      else those.push(edge[1 - side]!);
    }
    const seen = new Set([id]);
    const queue = [id];
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      for (const other of next.get(one) ?? []) {
        if (seen.has(other)) continue;
        seen.add(other);
        found.add(other);
        queue.push(other);
      }
    }
  }
  return found;
}
