// What can be done with a log on the page: going to a line, copying, unfolding, wrapping.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { addTask, endedAt, nameOf, serveBox, STREAM_AGENTS } from "./support.ts";

const rows = (tab: Tab) => tab.page.locator(".log-text").allInnerTexts();

webTest("a line is gone to by its number, is marked, and is in the address", async (browser) => {
  await using box = await makeBox();
  const id = addTask(box, endedAt("complete", Date.now() - 60_000));
  const lines = Array.from({ length: 5000 }, (_, at) => `this is line ${at + 1}`);
  Deno.writeTextFileSync(box.path(`logs/${id}.log`), lines.join("\n") + "\n");
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
  await until("its end", async () => (await rows(tab)).includes("this is line 5000"));
  await tab.page.getByLabel("Go to line").fill("1234");
  await tab.page.getByLabel("Go to line").press("Enter");
  await until(
    "line 1234 to be marked",
    async () =>
      (await tab.page.locator(".log-row.marked .log-text").allInnerTexts())[0] === lines[1233],
  );
  assert(tab.page.url().endsWith("#L1234"));
  // Another one that is in sight is marked where it stands.
  const before = await rows(tab);
  await tab.page.locator(".log-number", { hasText: /^1236$/ }).click();
  await until(
    "line 1236 to be marked",
    async () =>
      (await tab.page.locator(".log-row.marked .log-text").allInnerTexts())[0] === lines[1235],
  );
  assertEquals(await rows(tab), before);
  await tab.page.getByLabel("Go to line").fill("9999");
  await tab.page.getByLabel("Go to line").press("Enter");
  await tab.page.getByText("The log has no line 9,999").waitFor();
});

webTest(
  "what is selected is copied as it was written, a broken line in one piece",
  async (browser) => {
    await using box = await makeBox();
    const id = addTask(box, endedAt("complete", Date.now() - 60_000));
    const text = `\x1b[32mfirst\x1b[0m\n${"long ".repeat(100)}end\nlast`;
    Deno.writeTextFileSync(box.path(`logs/${id}.log`), text);
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
    await until("its end", async () => (await rows(tab)).includes("last"));
    assert((await rows(tab)).length > 3, "the long line is not broken");
    const copied = await tab.page.evaluate(() => {
      const [first, last] = [
        document.querySelector(".log-text")!,
        [...document.querySelectorAll(".log-text")].at(-1)!,
      ];
      getSelection()!.setBaseAndExtent(first, 0, last, last.childNodes.length);
      const clipboardData = new DataTransfer();
      const event = new ClipboardEvent("copy", { clipboardData, bubbles: true, cancelable: true });
      document.querySelector(".log-box")!.dispatchEvent(event);
      return clipboardData.getData("text/plain");
    });
    assertEquals(copied, `first\n${"long ".repeat(100)}end\nlast`);
    await tab.page.getByRole("button", { name: "Wrap", exact: true }).click();
    await until("one row a line", async () => (await rows(tab)).length === 3);
  },
);

webTest("a long output is unfolded, and folded again", async (browser) => {
  await using box = await makeBox();
  box.agents(STREAM_AGENTS);
  const id = addTask(box, { agent: "gemini", ...endedAt("complete", Date.now() - 60_000) });
  const output = Array.from({ length: 25 }, (_, at) => `line ${at}`).join("\n");
  const event = JSON.stringify({ type: "tool_result", status: "success", output });
  Deno.writeTextFileSync(box.path(`logs/${id}.log`), event + "\n");
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
  const has = async (text: string) => (await rows(tab)).some((row) => row.trim() === text);
  await tab.page.getByRole("button", { name: "5 more lines" }).click();
  await until("what was hidden", () => has("line 12"));
  await tab.page.getByRole("button", { name: "fold 25 lines" }).click();
  await until("it to be folded", async () => !await has("line 12"));
  assert(await has("line 24"));
});
