// The graph and the timeline by mouse and keys, and their states as they change.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { addGraph, addTask, makeBusy, nameOf, serveBox } from "./support.ts";

/** Id of the node that has the focus; null where none has. */
const focused = (tab: Tab) =>
  tab.page.evaluate(() => document.activeElement?.getAttribute("data-id") ?? null);
const transform = (tab: Tab) => tab.page.locator(".graph-all").getAttribute("transform");

webTest(
  "the graph is gone through by keys along its dependencies, and opens a task",
  async (browser) => {
    await using box = await makeBox();
    const first = addTask(box, { prompt: "the first" });
    const second = addTask(box, { prompt: "the second", dependsOn: [first] });
    const beside = addTask(box, { prompt: "beside it", dependsOn: [first] });
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/graph`);
    const graph = tab.page.locator(".graph-box");
    await graph.waitFor();
    await graph.focus();
    await tab.page.keyboard.press("Tab");
    assertEquals(await focused(tab), first);
    await tab.page.keyboard.press("ArrowRight");
    const there = await focused(tab);
    assert(there === second || there === beside, String(there));
    await tab.page.keyboard.press(there === second ? "ArrowDown" : "ArrowUp");
    assertEquals(new Set([there, await focused(tab)]), new Set([second, beside]));
    await tab.page.keyboard.press("ArrowLeft");
    assertEquals(await focused(tab), first);
    const before = await transform(tab);
    await tab.page.keyboard.press("+");
    assert(await transform(tab) !== before, "it has not become larger");
    await tab.page.keyboard.press("Enter");
    await until(
      "the task's page",
      () => Promise.resolve(tab.page.url().includes(`/task/${first}`)),
    );
  },
);

webTest(
  "a task that is chosen shows what it hangs together with, alone where wished",
  async (browser) => {
    await using box = await makeBox();
    const ids = addGraph(box, 12, 4);
    const apart = addTask(box, { prompt: "apart" });
    addTask(box, { prompt: "with it", dependsOn: [apart] });
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/graph`);
    await tab.page.locator(`[data-id="${apart}"]`).click();
    await until(
      "the others to step back",
      async () => await tab.page.locator(".node.dim").count() === 12,
    );
    assert(tab.page.url().includes(`task=${apart}`));
    await tab.page.getByRole("button", { name: "Show only these" }).click();
    await until("two to be left", async () => await tab.page.locator(".node").count() === 2);
    await tab.page.getByRole("button", { name: "Show all again" }).click();
    await until("all to be there", async () => await tab.page.locator(".node").count() === 14);
    // Who drags it does not click.
    const before = await transform(tab);
    await tab.page.locator(`[data-id="${ids[5]}"]`).hover();
    await tab.page.mouse.down();
    await tab.page.mouse.move(400, 300, { steps: 4 });
    await tab.page.mouse.up();
    assert(await transform(tab) !== before);
    assert(tab.page.url().includes(`task=${apart}`));
    await tab.page.getByRole("button", { name: "As a list" }).click();
    await until("a row a task", async () => await tab.page.locator("tbody tr").count() === 14);
  },
);

webTest("graph, timeline and task show a change as it happens", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const [id] = busy.running;
  const graph = await site.open(browser, `/w/${busy.name}/graph`);
  // Near enough that no two runs are drawn as one.
  const range = `from=${Date.now() - 60_000}&to=${Date.now() + 60_000}`;
  const timeline = await site.open(browser, `/w/${busy.name}/timeline?${range}`);
  const task = await site.open(browser, `/w/${busy.name}/task/${id}`);
  await graph.page.locator(`[data-id="${id}"].phase-running`).waitFor();
  await timeline.page.locator(`[data-id="${id}"].phase-running`).waitFor();
  await task.page.locator(".task-sub .phase-running").waitFor();
  busy.finish(id);
  await graph.page.locator(`[data-id="${id}"].phase-complete`).waitFor();
  await timeline.page.locator(`[data-id="${id}"].phase-complete`).waitFor();
  await task.page.locator(".task-sub .phase-complete").waitFor();
  await until(
    "its result",
    async () => /as wished/.test(await task.page.locator("main").innerText()),
  );
});

webTest(
  "a range of the timeline is drawn, moved and left again, and all is in its table",
  async (browser) => {
    await using busy = await makeBusy();
    await using site = await serveBox(busy.box.root);
    const tab = await site.open(browser, `/w/${busy.name}/timeline?since=1h`);
    const chart = tab.page.locator(".timeline-box");
    await chart.locator(".run").first().waitFor();
    const range = () => {
      const { searchParams } = new URL(tab.page.url());
      return ["from", "to"].map((name) => Number(searchParams.get(name)));
    };
    // It is there a moment before it listens.
    const [from, to] = await until("a range", async () => {
      const { x, y, width } = (await chart.boundingBox())!;
      await tab.page.mouse.move(x + width * 0.8, y + 60);
      await tab.page.mouse.down();
      await tab.page.mouse.move(x + width * 0.98, y + 60, { steps: 3 });
      await tab.page.mouse.up();
      await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
      const drawn = range() as [number, number];
      return drawn[0] > 0 && drawn;
    });
    assert(from > 0 && to - from > 5 * 60_000 && to - from < 20 * 60_000, `${from} ${to}`);
    await chart.focus();
    await tab.page.keyboard.press("ArrowLeft");
    await until("an earlier range", () => Promise.resolve(range()[0]! < from));
    await tab.page.keyboard.press("0");
    await until("the whole", () => Promise.resolve(range().every((end) => end === 0)));
    await tab.page.getByRole("button", { name: "As a table" }).click();
    await until("a row a run", async () => await tab.page.locator("tbody tr").count() >= 4);
  },
);
