// A graph in layers.

import fc from "fast-check";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { growth } from "../support/growth.ts";
import { type Layout, layOut, related, type Sizes } from "../../lib/web/page/layout.ts";

const SIZES: Sizes = { nodeWidth: 100, nodeHeight: 40, layerGap: 60, nodeGap: 10, aspect: 1.6 };
const lay = (ids: string[], edges: [string, string][]) => layOut(ids, edges, SIZES);
const layers = ({ nodes }: Layout) => Object.fromEntries(nodes.map(({ id, layer }) => [id, layer]));

/** Graphs with cycles, edges to nowhere, to themselves and told twice. */
const graphs = fc.integer({ min: 0, max: 30 }).chain((count) =>
  fc.record({
    ids: fc.constant(Array.from({ length: count }, (_, at) => `n${at}`)),
    edges: fc.array(fc.tuple(fc.nat(count + 1), fc.nat(count + 1)), { maxLength: 60 }).map((
      pairs,
    ) => pairs.map(([from, to]): [string, string] => [`n${from}`, `n${to}`])),
  })
);

Deno.test("what is needed stands before what needs it, as near as it may", () => {
  const layout = lay(["a", "b", "c", "d", "late"], [
    ["a", "b"],
    ["b", "c"],
    ["a", "c"],
    ["c", "d"],
    ["late", "d"],
  ]);
  assertEquals(layers(layout), { a: 0, b: 1, c: 2, late: 2, d: 3 });
  assertEquals([layout.width, layout.height > 0], [4 * 100 + 3 * 60, true]);
  const long = layout.edges.find(({ from, to }) => from === "a" && to === "c")!;
  assertEquals(long.points.map(([x]) => x), [100, 160, 260, 320]);
});

Deno.test("edges that need not cross do not", () => {
  const edges: [string, string][] = [["a", "z"], ["b", "y"], ["c", "x"]];
  const ids = ["a", "b", "c", "x", "y", "z"];
  const layout = lay(["o", ...ids], [
    ...edges,
    ...["a", "b", "c"].map((id): [string, string] => ["o", id]),
  ]);
  const order = (layer: number) =>
    layout.nodes.filter((node) => node.layer === layer).map(({ id }) => id);
  const partner: Record<string, string> = { a: "z", b: "y", c: "x" };
  assertEquals(order(1).map((id) => partner[id]), order(2));
  for (const { from, points } of layout.edges) {
    if (from !== "o") assertEquals(points[0]![1], points.at(-1)![1]);
  }
});

Deno.test("a cycle is drawn, with an edge that goes back", () => {
  const layout = lay(["a", "b", "c"], [["a", "b"], ["b", "c"], ["c", "a"]]);
  assertEquals(layers(layout), { a: 0, b: 1, c: 2 });
  assertEquals(layout.edges.map(({ back }) => back), [false, false, true]);
});

Deno.test("no two nodes overlap, every edge points on, and all is within bounds, in any graph", () => {
  fc.assert(fc.property(graphs, ({ ids, edges }) => {
    const layout = lay(ids, edges);
    assertEquals(layout.nodes.map(({ id }) => id).sort(), [...ids].sort());
    layout.nodes.forEach((node, at) => {
      assert(node.x >= 0 && node.x + 100 <= layout.width + 1e-6);
      assert(node.y >= -1e-6 && node.y + 40 <= layout.height + 1e-6);
      for (const other of layout.nodes.slice(at + 1)) {
        const apart = Math.abs(node.x - other.x) >= 100 || Math.abs(node.y - other.y) >= 50 - 1e-6;
        assert(apart, `${node.id} ${other.id}`);
      }
    });
    const by = new Map(layout.nodes.map((node) => [node.id, node]));
    for (const { from, to, back, points } of layout.edges) {
      assert(back === (by.get(from)!.layer > by.get(to)!.layer), `${from} ${to}`);
      assert(points.every((pair) => pair.every(Number.isFinite)));
      if (!back) points.slice(1).forEach(([x], at) => assert(x >= points[at]![0]));
    }
    const known = new Set(ids);
    const told = new Set(
      edges.filter(([from, to]) => from !== to && known.has(from) && known.has(to)).map(String),
    );
    assertEquals(layout.edges.length, told.size);
  }));
});

Deno.test("what is not connected is put side by side, as wide as was asked for", () => {
  const ids = Array.from({ length: 200 }, (_, at) => `n${at}`);
  const pairs = ids.flatMap((id, at): [string, string][] =>
    at % 2 === 1 ? [[ids[at - 1]!, id]] : []
  );
  const { width, height } = lay(ids, pairs);
  assert(width / height > 1 && width / height < 2.2, `${width} x ${height}`);
});

Deno.test("short parts stand below each other in the room that a tall one leaves", () => {
  const fan = Array.from({ length: 8 }, (_, at): [string, string] => ["root", `leaf${at}`]);
  const pairs = Array.from({ length: 6 }, (_, at): [string, string] => [`a${at}`, `b${at}`]);
  const all = [...fan, ...pairs];
  const { nodes, height } = lay([...new Set(all.flat())], all);
  assertEquals(height, 8 * 40 + 7 * 10);
  const left = nodes.filter(({ id }) => id.startsWith("a")).map(({ x }) => x);
  assertEquals(left, left.map(() => 260 + 60));
});

Deno.test("what a node depends on and what depends on it are found, and not their other relations", () => {
  const edges: [string, string][] = [["a", "b"], ["b", "c"], ["x", "c"], ["b", "d"], ["d", "b"], [
    "a",
    "z",
  ]];
  assertEquals([...related("b", edges)].sort(), ["a", "b", "c", "d"]);
});

/** A queue as people make them: groups of chains that come together. */
function queue(count: number): { ids: string[]; edges: [string, string][] } {
  const ids = Array.from({ length: count }, (_, at) => `n${at}`);
  const edges = ids.flatMap((id, at): [string, string][] =>
    [7, 31, 13].flatMap((step, which): [string, string][] =>
      at >= step && at % (which + 2) === 0 ? [[ids[at - step]!, id]] : []
    )
  );
  return { ids, edges };
}

Deno.test("a layout costs no more than in proportion to the nodes and their layers, and a long chain is no matter", () => {
  const run = (count: number) => {
    const { ids, edges } = queue(count);
    return () => lay(ids, edges);
  };
  assertLess(growth(run(250), run(1000)), 40);
  const ids = Array.from({ length: 20_000 }, (_, at) => `n${at}`);
  const chain = lay(ids, ids.slice(1).map((id, at) => [ids[at]!, id]));
  assertEquals(chain.nodes.at(-1)!.layer, 19_999);
});
