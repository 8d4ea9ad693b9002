// A graph of five hundred tasks, as it is drawn: nothing lies over anything else, every edge leads on, names
// can be read, keys lead to every task, and states change while one looks; in windows of any size.

/// <reference lib="dom" />

import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";
import { type Browser, type Size, type Tab, until, webTest } from "./browser.ts";
import { addTask, endedAt, nameOf, serveBox, type Site } from "./support.ts";

const COUNT = 500;

/** Five hundred tasks that hang together in all the ways that people make them; their ids and edges. */
function addBigGraph(box: Box): { ids: string[]; edges: [string, string][] } {
  const at = Date.now() - 3_600_000;
  const ids: string[] = [];
  const edges: [string, string][] = [];
  const add = (prompt: string, dependsOn: string[], change: Partial<Task> = {}) => {
    const id = addTask(box, { prompt, dependsOn, ...change }, at);
    ids.push(id);
    for (const needed of dependsOn) edges.push([needed, id]);
    return id;
  };
  const done = endedAt("complete", at);
  // A plan of wide layers, each task of which needs two of the layer before.
  let before: string[] = [];
  [1, 40, 40, 20, 40, 10, 1].forEach((width, layer) => {
    before = Array.from({ length: width }, (_, number) => {
      const needed = [before[number % before.length], before[(number * 7 + 3) % before.length]];
      const dependsOn = [...new Set(needed)].filter((id) => id !== undefined);
      const key = number % 3 === 0 ? `layer-${layer}.part-${number}` : null;
      return add(
        `Part ${number} of layer ${layer}: move the callers to the new interface`,
        dependsOn,
        {
          key,
          ...layer < 2 ? done : {},
        },
      );
    });
  });
  // Diamonds one after another.
  for (let row = 0; row < 10; row++) {
    let end: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const first = end[0] ?? add(`解析器を書き直す ${row}`, [], turn === 0 ? done : {});
      const sides = ["left", "right"].map((side) =>
        add(`${side} ${row}`, [first], {
          key: `diamond-${row}.${turn}.${side}.with-a-very-long-key`,
        })
      );
      end = [add(`Bring both of diamond ${row} together`, sides)];
    }
  }
  // Long chains, one of them broken.
  for (let chain = 0; chain < 8; chain++) {
    let last: string[] = [];
    for (let link = 0; link < 20; link++) {
      const change = link > 0 ? {} : chain === 0 ? endedAt("failed", at) : done;
      last = [
        add(`Link ${link}`, last, {
          key: link % 5 === 0 ? `chain${chain}.${link}` : null,
          ...change,
        }),
      ];
    }
  }
  // One that needs many, and one that many need.
  const many = Array.from({ length: 60 }, (_, number) => add(`Review file ${number}`, []));
  add("Sum up all of the reviews", many, { key: "summary" });
  const one = add("Agree on the interface", [], { key: "interface", ...done });
  while (ids.length < COUNT) add(`Use it in module ${ids.length}`, [one]);
  return { ids, edges };
}

interface Rect {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A node as it is in the window. */
interface Drawn {
  id: string;
  card: Rect;
  /** State, name and agent; what it is about. */
  texts: { text: string; rect: Rect }[];
  /** What it is called. */
  name: { text: string; rect: Rect };
}

/** All nodes, and from where to where each edge leads in the window. */
function look(tab: Tab): Promise<{ nodes: Drawn[]; edges: [number, number][][] }> {
  return tab.page.evaluate(() => {
    const rect = (element: Element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return { left, top, right, bottom };
    };
    const said = (element: Element) => ({ text: element.textContent!, rect: rect(element) });
    const nodes = [...document.querySelectorAll(".node")].map((node) => ({
      id: node.getAttribute("data-id")!,
      card: rect(node.querySelector(".card")!),
      texts: [...node.querySelectorAll("text")].map(said),
      name: said(node.querySelector(".node-name")!),
    }));
    const edges = [...document.querySelectorAll<SVGPathElement>(".edge")].map((path) =>
      [0, path.getTotalLength()].map((at): [number, number] => {
        const { x, y } = path.getPointAtLength(at).matrixTransform(path.getScreenCTM()!);
        return [x, y];
      })
    );
    return { nodes, edges };
  });
}

/** Opens the graph, and waits until all of it is there. */
async function openGraph(site: Site, box: Box, browser: Browser, size: Size): Promise<Tab> {
  const tab = await site.open(browser, `/w/${nameOf(box)}/graph`, { size });
  await until("all tasks", async () => await tab.page.locator(".node").count() === COUNT);
  return tab;
}

const isFar = async (tab: Tab) => await tab.page.locator(".graph-box.far").count() > 0;

/** Goes to the first task by keys, and so near that it can be read. */
async function comeNear(tab: Tab): Promise<void> {
  await tab.page.locator(".graph-box").focus();
  await tab.page.keyboard.press("Tab");
  while (await isFar(tab)) await tab.page.keyboard.press("+");
}

for (const size of ["phone", "laptop", "wide"] as const) {
  webTest(`a graph of ${COUNT} tasks can be read in a window as of a ${size}`, async (browser) => {
    await using box = await makeBox();
    const { ids, edges } = addBigGraph(box);
    await using site = await serveBox(box.root);
    const tab = await openGraph(site, box, browser, size);
    await tab.shoot(`big-graph-${size}`);
    const { x, y, width, height } = (await tab.page.locator(".graph-box").boundingBox())!;
    await tab.page.locator(".graph-box").press("0");
    const whole = await look(tab);
    assertEquals(whole.nodes.map(({ id }) => id).sort(), ids.toSorted());
    for (const { id, card } of whole.nodes) {
      const seen = card.left >= x && card.right <= x + width && card.top >= y &&
        card.bottom <= y + height;
      assert(seen, `${id} is not seen in the whole`);
    }
    await comeNear(tab);
    await tab.shoot(`big-graph-${size}-near`);
    const near = await look(tab);
    assertApart(near.nodes);
    assertLegible(near.nodes);
    assertEquals(edgesOf(near).sort(), edges.map(String).sort());
    const cards = new Map(near.nodes.map(({ id, card }) => [id, card]));
    for (const [from, to] of edges) {
      assert(cards.get(from)!.right < cards.get(to)!.left, `${from} is not before ${to}`);
    }
  });
}

/** No two nodes have anything in common. */
function assertApart(nodes: readonly Drawn[]): void {
  nodes.forEach(({ id, card }, at) => {
    for (const other of nodes.slice(at + 1)) {
      const apart = card.right < other.card.left || other.card.right < card.left ||
        card.bottom < other.card.top || other.card.bottom < card.top;
      assert(apart, `${id} lies over ${other.id}`);
    }
  });
}

/** What nodes say is on them, and enough of it to tell one from another. */
function assertLegible(nodes: readonly Drawn[]): void {
  for (const { id, card, texts, name } of nodes) {
    assertEquals(texts.length, 2);
    for (const { text, rect } of [...texts, name]) {
      const inside = rect.left >= card.left && rect.right <= card.right && rect.top >= card.top &&
        rect.bottom <= card.bottom;
      assert(inside, `${id}: “${text}” leaves its card: ${JSON.stringify({ rect, card })}`);
      assert(text.length >= 3 && rect.right > rect.left, `${id}: “${text}”`);
    }
  }
  const keys = nodes.map(({ name }) => name.text).filter((text) => text.startsWith("layer-"));
  assert(keys.includes("layer-2.part-39"), keys.join());
}

/** Which edges are drawn, by the cards that they begin and end at. */
function edgesOf({ nodes, edges }: Awaited<ReturnType<typeof look>>): string[] {
  const at = (x: number, y: number, side: "left" | "right") =>
    nodes.find(({ card }) => Math.hypot(card[side] - x, (card.top + card.bottom) / 2 - y) < 2)?.id;
  return edges.map(([start, end]) => `${at(...start!, "right")},${at(...end!, "left")}`);
}

webTest(`keys lead to each of ${COUNT} tasks, which can be read there`, async (browser) => {
  await using box = await makeBox();
  const { ids } = addBigGraph(box);
  await using site = await serveBox(box.root);
  const tab = await openGraph(site, box, browser, "phone");
  await comeNear(tab);
  const { seen, problems } = await tab.page.evaluate(walkDown, COUNT);
  assertEquals(problems, []);
  assertEquals(seen.toSorted(), ids.toSorted());
  // And back to where it came from, from the last of all.
  await tab.page.keyboard.press("ArrowUp");
  const focused = () => document.activeElement?.getAttribute("data-id");
  assertEquals(await tab.page.evaluate(focused), seen.at(-2));
  await tab.page.keyboard.press("ArrowDown");
  await tab.page.keyboard.press("Enter");
  await until("its page", () => Promise.resolve(tab.page.url().endsWith(`/task/${seen.at(-1)}`)));
});

/** Presses the down key so often, without a pause; which tasks had the focus. Runs in the page. */
function walkDown(count: number): { seen: string[]; problems: string[] } {
  const box = document.querySelector(".graph-box")!.getBoundingClientRect();
  const seen: string[] = [];
  const problems: string[] = [];
  for (let turn = 0; turn < count; turn++) {
    const node = document.activeElement!;
    const id = node.getAttribute("data-id")!;
    const card = node.querySelector(".card")!.getBoundingClientRect();
    const isSeen = card.left >= box.left && card.right <= box.right && card.top >= box.top &&
      card.bottom <= box.bottom;
    if (!isSeen) problems.push(`${id} is not in sight`);
    if (node.querySelector("text")!.getBoundingClientRect().width === 0) {
      problems.push(`${id} has no letters`);
    }
    seen.push(id);
    const key = { key: "ArrowDown", bubbles: true, cancelable: true };
    node.dispatchEvent(new KeyboardEvent("keydown", key));
  }
  return { seen, problems };
}

webTest(`a graph of ${COUNT} tasks shows what changes, and stays where it is`, async (browser) => {
  await using box = await makeBox();
  const { ids, edges } = addBigGraph(box);
  await using site = await serveBox(box.root);
  const tab = await openGraph(site, box, browser, "laptop");
  const node = (id: string, phase = "") => tab.page.locator(`.node${phase}[data-id="${id}"]`);
  const place = async (id: string) => (await node(id).locator(".card").boundingBox())!;
  await comeNear(tab);
  const needed = new Map(edges.map(([from, to]) => [to, from]));
  const second = ids.find((id) => box.task(id).key === "chain3.5")!;
  const first = needed.get(second)!;
  await node(second).focus();
  await tab.page.keyboard.press("ArrowLeft");
  await tab.page.keyboard.press("+");
  const before = await place(first);
  // A state of its own, and one that follows from it.
  await node(second, ".phase-waiting").waitFor();
  await box.ok("cancel", first);
  await node(first, ".phase-cancelled").waitFor();
  await node(second, ".phase-blocked").waitFor();
  assertEquals(await place(first), before);
  // One more, which makes room for itself and moves nothing that is looked at.
  const added = await box.start("shell", "true", "--depends-on", first, "--key", "one-more");
  await node(added, ".phase-blocked").waitFor();
  const after = await place(first);
  for (const side of ["x", "y", "width"] as const) {
    assert(Math.abs(after[side] - before[side]) < 1, JSON.stringify({ before, after }));
  }
  // A click tells what hangs together, from which it is opened; two clicks open it at once.
  await node(first).click();
  await until("the others to step back", async () => await tab.page.locator(".dim").count() > 400);
  await tab.shoot("big-graph-chosen");
  await tab.page.getByRole("link", { name: "Open it" }).click();
  const opened = (id: string) =>
    until(`the page of ${id}`, () => Promise.resolve(tab.page.url().endsWith(`/task/${id}`)));
  await opened(first);
  await tab.page.goBack();
  await node(second).waitFor();
  await node(second).dispatchEvent("click", { detail: 2 });
  await opened(second);
});
