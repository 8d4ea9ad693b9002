// What the page shows is what is so: changes come by themselves, in each tab, after the server stood
// still and after it was started anew; and the title tells the state.

/// <reference lib="dom" />

import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { addEnded, makeBusy, nameOf, serveBox } from "./support.ts";

/** The row of a task in a list. */
const rowOf = (tab: Tab, id: string) =>
  tab.page.locator("tr, li, article, [role=row]")
    .filter({ has: tab.page.locator(`a[href$="/task/${id}"]`) }).first();

const shows = (tab: Tab, id: string, phase: string) =>
  rowOf(tab, id).locator(`.phase-${phase}`).first().waitFor();

webTest("what an agent's sentinel says is on the screen of two tabs by itself", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const first = await site.open(browser, `/w/${busy.name}/now`);
  const second = await browser.open({ beside: first, url: `${site.origin}/w/${busy.name}/now` });
  const [id, other] = busy.running;
  await Promise.all([first, second].map((tab) => shows(tab, id, "running")));
  busy.finish(id);
  await Promise.all([first, second].map((tab) => shows(tab, id, "complete")));
  // One that is closed takes nothing from the other.
  await second.close();
  busy.finish(other, "error");
  await shows(first, other, "failed");
});

webTest("a task that fails is told by title and icon", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now`);
  const state = () =>
    tab.page.evaluate(() => ({
      title: document.title,
      icon: document.querySelector<HTMLLinkElement>("link[rel~=icon]")?.href,
    }));
  const before = await until("the title to tell what runs", async () => {
    const seen = await state();
    return /2/.test(seen.title) && seen;
  });
  busy.finish(busy.running[1], "error");
  await until("another title", async () => {
    const seen = await state();
    return seen.title !== before.title && /✕ [2-9]/.test(seen.title) && seen;
  });
  assertNotEquals(before.icon, undefined);
});

webTest("what happened while the server stood still is not missed", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now`);
  const [id] = busy.running;
  await shows(tab, id, "running");
  await site.freeze(async () => {
    busy.finish(id);
    await busy.box.settled(id);
  });
  await shows(tab, id, "complete");
});

webTest(
  "a server that was started anew is found again, and nothing is missing",
  async (browser) => {
    await using busy = await makeBusy();
    await using site = await serveBox(busy.box.root);
    const tab = await site.open(browser, `/w/${busy.name}/now`);
    const [id] = busy.running;
    await shows(tab, id, "running");
    await site.stop();
    busy.finish(id);
    await busy.box.settled(id);
    const added = await busy.box.start("shell", "echo while it was down");
    await site.start();
    const asked = tab.page.getByRole("heading", { name: /not known/ });
    await asked.or(rowOf(tab, added)).first().waitFor();
    if (await asked.isVisible()) {
      await tab.page.getByLabel(/token/i).fill(site.address);
      await tab.page.getByRole("button", { name: "Get in" }).click();
    }
    await shows(tab, id, "complete");
    await rowOf(tab, added).waitFor();
    // It was away for a while, and says so.
    tab.forgive(/ERR_|401|Failed to load/);
    assertEquals(tab.takeTrouble(), []);
  },
);

webTest("a task that is gone takes no page its stream", async (browser) => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const env = { ORCHESTRA_TOKEN: crypto.randomUUID() };
  await using site = await serveBox(box.root, { env });
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
  const connection = tab.page.locator(".connection");
  await connection.getByText("live").waitFor();
  await site.stop();
  await connection.getByText("not connected").waitFor();
  // The page comes back for its log.
  await box.ok("cancel", id);
  await box.ok("clean", id);
  await site.start();
  await connection.getByText("live").waitFor();
  await tab.meets(/404/);
  tab.forgive(/ERR_|401|Failed to load/);
});

webTest("ten thousand tasks are shown, filtered and kept up", async (browser) => {
  await using box = await makeBox();
  const ids = addEnded(box, 10_000);
  const id = await box.start("signal", "exec sleep 600");
  await box.ok("run");
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  await shows(tab, id, "running");
  await tab.page.getByText(/9,?500/).first().waitFor();
  const rows = await tab.page.locator(`main a[href*="/task/"]`).count();
  assert(rows < 1500, `${rows} rows at once`);
  await tab.shoot("ten-thousand");
  Deno.writeTextFileSync(box.path(`tasks/${id}.done`), "");
  await shows(tab, id, "complete");
  // The oldest of them is not among those that were read at first.
  await tab.page.keyboard.press("/");
  await tab.page.keyboard.type(ids[1]!);
  await rowOf(tab, ids[1]!).waitFor();
  assertEquals(new URL(tab.page.url()).searchParams.get("q"), ids[1]);
});
