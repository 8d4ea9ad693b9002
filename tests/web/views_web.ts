// Each view of the page at each size, light and dark, against a real queue with running agents: it is
// there, nothing sticks out, nothing complains, and axe finds nothing.

/// <reference lib="dom" />

import { assertEquals } from "../support/assert.ts";
import { runAxe, type Scheme, type Size, SIZES, type Tab, until, webTest } from "./browser.ts";
import { overflow } from "./overflow.ts";
import { addGraph, addStream, type Busy, makeBusy, serveBox } from "./support.ts";

/** Each view: its address below the workspace, and a text that is there as soon as it is drawn. */
const VIEWS: readonly { name: string; path: (busy: Busy) => string; shows: RegExp }[] = [
  { name: "now", path: () => "now", shows: /echo to be mended/ },
  { name: "now-filtered", path: () => "now?status=failed&label=area:docs", shows: /to be mended/ },
  { name: "task-running", path: ({ running }) => `task/${running[0]}`, shows: /step \d+ of many/ },
  { name: "task-failed", path: ({ failed }) => `task/${failed}`, shows: /exited with code 7/ },
  { name: "graph", path: () => "graph", shows: /echo after|build/ },
  { name: "timeline", path: () => "timeline", shows: /Slot 1/ },
  { name: "stats", path: () => "stats", shows: /shell/ },
  { name: "agents", path: () => "agents", shows: /signal/ },
];

/** What is wrong with a view; nothing where all is well. */
async function look(tab: Tab, name: string, shows: RegExp): Promise<string[]> {
  const shown = await until(
    `${shows} to be shown`,
    async () =>
      shows.test(await tab.page.locator("body").innerText()) ||
      shows.test((await tab.page.locator("svg, canvas").allTextContents()).join("\n")),
  )
    .then(() => [], (error: Error) => [error.message]);
  await tab.shoot(name);
  return [
    ...shown,
    ...(await overflow(tab)).map((found) => `sticks out: ${found}`),
    ...await runAxe(tab.page),
    ...tab.takeTrouble(),
  ].map((found) => `${name}: ${found}`);
}

for (const size of Object.keys(SIZES) as Size[]) {
  for (const scheme of ["light", "dark"] as Scheme[]) {
    webTest(`every view is in order, ${size}, ${scheme}`, async (browser) => {
      await using busy = await makeBusy();
      addGraph(busy.box, 12, 4);
      addStream(busy.box, "claude");
      await using site = await serveBox(busy.box.root);
      const [{ name }] = await site.get<[{ name: string }]>("/workspaces");
      const tab = await site.open(browser, undefined, { size, scheme });
      const findings: string[] = [];
      for (const view of VIEWS) {
        await tab.page.goto(`${site.origin}/w/${name}/${view.path(busy)}`);
        findings.push(...await look(tab, `${view.name}-${size}-${scheme}`, view.shows));
      }
      await tab.page.goto(`${site.origin}/workspaces`);
      findings.push(...await look(tab, `workspaces-${size}-${scheme}`, new RegExp(name)));
      assertEquals(findings, []);
    });
  }
}
