// The page without a pointer, and what it keeps and calls for: every place by keys, a focus that is seen,
// boxes that axe finds nothing in, filters in the address, notifications that open the task.

/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { runAxe, type Tab, until, webTest } from "./browser.ts";
import { addTask, makeBusy, nameOf, serveBox } from "./support.ts";

const isAt = (tab: Tab, end: RegExp) =>
  until(`the address ${end}`, () => Promise.resolve(end.test(tab.page.url())));

webTest("every place is reached by keys, which are listed", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now`);
  const { keyboard } = tab.page;
  await tab.page.getByText("echo later").first().waitFor();
  for (const [key, end] of [["g", "graph"], ["t", "timeline"], ["s", "stats"], ["a", "agents"]]) {
    await keyboard.press("g");
    await keyboard.press(key!);
    await isAt(tab, new RegExp(`/${end}$`));
  }
  await keyboard.press("?");
  const help = tab.page.getByRole("dialog");
  await help.waitFor();
  for (const about of ["go to Graph", "new task", "these keys"]) {
    await help.getByText(about).waitFor();
  }
  assertEquals(await runAxe(tab.page), []);
  await tab.shoot("keys");
  await keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await keyboard.press("g");
  await keyboard.press("w");
  await isAt(tab, /\/workspaces$/);
});

webTest("a task is found, opened and cancelled without a pointer", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now`);
  const { keyboard } = tab.page;
  await tab.page.getByText("echo later").first().waitFor();
  await keyboard.press("/");
  await keyboard.type("echo later");
  await isAt(tab, /q=echo/);
  await until("one row", async () => await tab.page.locator("[data-task]").count() === 1);
  // What is typed there is no key of the page.
  assertEquals(await tab.page.getByRole("dialog").count(), 0);
  await keyboard.press("Escape");
  await keyboard.press("j");
  await keyboard.press("Enter");
  await isAt(tab, new RegExp(`/task/${busy.pending}$`));
  const cancel = tab.page.getByRole("button", { name: "Cancel", exact: true });
  await cancel.waitFor();
  for (let presses = 0; !await cancel.evaluate((it) => it === document.activeElement); presses++) {
    assert(presses < 60, "Tab does not come to the button");
    await keyboard.press("Tab");
  }
  await keyboard.press("Enter");
  await tab.page.getByRole("dialog").waitFor();
  const sure = tab.page.getByRole("button", { name: "Cancel 1 task" });
  for (let presses = 0; !await sure.evaluate((it) => it === document.activeElement); presses++) {
    assert(presses < 30, "Tab does not come to the button of the box");
    await keyboard.press("Tab");
  }
  await keyboard.press("Enter");
  await until("the end", () => Promise.resolve(busy.box.task(busy.pending).status === "cancelled"));
});

webTest("whatever has the focus can be seen to have it", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser);
  for (const scheme of ["light", "dark"] as const) {
    await tab.page.emulateMedia({ colorScheme: scheme });
    for (const path of ["now", `task/${busy.failed}`, "stats", "agents", "graph", "timeline"]) {
      await tab.page.goto(`${site.origin}/w/${busy.name}/${path}`);
      await tab.page.locator("main h1, main h2").first().waitFor({ state: "attached" });
      const unseen = new Set<string>();
      for (let presses = 0; presses < 30; presses++) {
        await tab.page.keyboard.press("Tab");
        const found = await tab.page.evaluate(() => {
          const element = document.activeElement!;
          if (element === document.body) return null;
          // Of a task in a list the whole row has it, of one in a drawing its frame.
          const row = element.closest("[data-task]");
          const frame = element.querySelector("rect");
          const seen = [element, row, frame].some((one) => {
            if (one === null) return false;
            const { outlineStyle, outlineWidth, boxShadow, strokeWidth } = getComputedStyle(one);
            return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none" ||
              parseFloat(strokeWidth) >= 2.5;
          });
          return seen
            ? null
            : `<${element.tagName.toLowerCase()} class="${element.getAttribute("class")}">`;
        });
        if (found !== null) unseen.add(`${path}, ${scheme}: ${found}`);
      }
      assertEquals([...unseen], []);
    }
  }
});

webTest(
  "axe finds nothing in boxes, menus, messages, an empty queue and a locked door",
  async (browser) => {
    await using busy = await makeBusy();
    await using site = await serveBox(busy.box.root);
    const findings: string[] = [];
    for (const scheme of ["light", "dark"] as const) {
      const tab = await site.open(browser, `/w/${busy.name}/now`, { scheme, size: "phone" });
      const look = async (name: string) => {
        await tab.shoot(`${name}-${scheme}`);
        findings.push(...(await runAxe(tab.page)).map((found) => `${name}, ${scheme}: ${found}`));
      };
      await tab.page.getByText("echo later").first().waitFor();
      await tab.page.keyboard.press("n");
      await tab.page.getByRole("dialog").waitFor();
      await look("new-task-phone");
      const more = tab.page.getByRole("dialog").locator("summary");
      if (await more.count() > 0) await more.first().click();
      await look("new-task-more-phone");
      await tab.page.keyboard.press("Escape");
      for (const summary of await tab.page.locator("details.menu > summary").all()) {
        await summary.click();
        await look(`menu-${(await summary.innerText()).replace(/\W/g, "")}`);
        await tab.page.keyboard.press("Escape");
      }
      await tab.page.keyboard.press("j");
      await tab.page.keyboard.press("x");
      await tab.page.locator(".selection").waitFor();
      await look("selection-phone");
      await tab.page.goto(`${site.origin}/w/${busy.name}/now?q=nothing-of-this-kind`);
      await tab.page.getByText(/No task passes/).waitFor();
      await look("nothing-found-phone");
      await tab.close();
      const stranger = await browser.open({ url: `${site.origin}/w/${busy.name}/now`, scheme });
      await stranger.page.getByRole("heading", { name: /not known/ }).waitFor();
      findings.push(...(await runAxe(stranger.page)).map((found) => `door, ${scheme}: ${found}`));
      await stranger.shoot(`door-${scheme}`);
      stranger.forgive(/401/);
      await stranger.close();
    }
    assertEquals(findings, []);
  },
);

webTest("filters stand in the address, and Back leads to them", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now?status=failed`);
  const rows = tab.page.locator("[data-task]");
  await until("what has failed alone", async () => await rows.count() === 1);
  await rows.first().locator("a.title").click();
  await isAt(tab, new RegExp(busy.failed));
  await tab.page.goBack();
  await isAt(tab, /status=failed/);
  await until("what has failed alone again", async () => await rows.count() === 1);
  await tab.page.reload();
  await until("the same after a reload", async () => await rows.count() === 1);
});

webTest("colours that were chosen are kept", async (browser) => {
  await using box = await makeBox();
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`, { scheme: "light" });
  const ground = () =>
    tab.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  await tab.page.locator("summary[aria-label=Settings]").click();
  await tab.page.getByLabel("Colours").selectOption("dark");
  await until("it to be dark", async () => await ground() === "dark");
  await tab.page.reload();
  await tab.page.locator("main h1").first().waitFor({ state: "attached" });
  assertEquals(await ground(), "dark");
});

webTest("a failure is told while nobody looks, and leads to the task", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, undefined, { permissions: ["notifications"] });
  await tab.page.addInitScript(noteNotifications);
  await tab.page.goto(`${site.origin}/w/${busy.name}/agents`);
  await tab.page.locator("summary[aria-label=Settings]").click();
  await tab.page.getByLabel("Notifications").check();
  const told = () =>
    tab.page.evaluate(() => (globalThis as unknown as Noted).noted.map(({ title }) => title));
  // Who looks is not called.
  busy.finish(busy.running[0], "error");
  // What has its slot then says nothing of its end, which is a failure too.
  await busy.box.settled(busy.pending);
  await until("the change", async () => /✕ 3/.test(await tab.page.title()));
  assertEquals(await told(), []);
  await tab.page.evaluate(() => (globalThis as unknown as Noted).away = true);
  busy.finish(busy.running[1], "error");
  const [title] = await until("a call", async () => {
    const titles = await told();
    return titles.length > 0 && titles;
  });
  assertMatch(title!, /^Failed: /);
  await tab.page.evaluate(() => (globalThis as unknown as Noted).noted[0]!.onclick?.());
  await isAt(tab, new RegExp(busy.running[1]));
});

interface Noted {
  noted: { title: string; onclick?: () => void }[];
  away: boolean;
}

/** Keeps notifications for the test to look at; runs in the page before its own scripts. */
function noteNotifications(): void {
  const here = globalThis as unknown as Noted;
  here.noted = [];
  here.away = false;
  Object.defineProperty(document, "hidden", { get: () => here.away });
  document.hasFocus = () => !here.away;
  class Told {
    static permission = "granted";
    static requestPermission = () => Promise.resolve("granted");
    onclick?: () => void;
    constructor(readonly title: string) {
      here.noted.push(this);
    }
    close() {}
  }
  Object.defineProperty(globalThis, "Notification", { value: Told });
}

webTest(
  "what is typed while the address takes up what was typed before is kept",
  async (browser) => {
    await using box = await makeBox();
    addTask(box, { prompt: "echo later" });
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
    const search = tab.page.getByRole("searchbox");
    await search.waitFor();
    await tab.page.evaluate(() => {
      for (const name of ["pushState", "replaceState"] as const) {
        const own = history[name].bind(history);
        let isFirst = true;
        history[name] = (...args: Parameters<History["pushState"]>) => {
          own(...args);
          if (!isFirst) return;
          isFirst = false;
          // Somebody types on, before anything is drawn.
          const input = document.querySelector<HTMLInputElement>("#search")!;
          input.value += " later";
          input.dispatchEvent(new Event("input", { bubbles: true }));
        };
      }
    });
    await search.pressSequentially("echo");
    await isAt(tab, /q=echo(?:%20|\+)later/);
    assertEquals(await search.inputValue(), "echo later");
  },
);
