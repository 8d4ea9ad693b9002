// Logs as they are read on the page: colours, vendors' streams as what they mean, following only from the
// end, links to lines, search; of a gigabyte nothing but what is looked at is fetched.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import {
  addStream,
  addTask,
  endedAt,
  makeBusy,
  nameOf,
  serveBox,
  STREAM_AGENTS,
  STREAMS,
  writeLargeLog,
} from "./support.ts";

const LINE = (number: number) => `line ${number} of a long log, word`;

/** Numbers and texts of the lines that are in the window. */
function linesOf(tab: Tab): Promise<string[]> {
  return tab.page.locator(".log-row").allInnerTexts();
}

const shows = (tab: Tab, text: string | RegExp) =>
  until(`${text} in the log`, async () => {
    const all = (await linesOf(tab)).join("\n");
    return typeof text === "string" ? all.includes(text) : text.test(all);
  });

/** Distance of what is scrolled from its end, pixels. */
const fromEnd = (tab: Tab) =>
  tab.page.evaluate(() => {
    const box = document.querySelector(".log-row")!.closest<HTMLElement>("[tabindex]")!;
    return Math.round(box.scrollHeight - box.clientHeight - box.scrollTop);
  });

webTest("a log of a gigabyte is open at its end, and goes to any line", async (browser) => {
  await using box = await makeBox();
  const id = addTask(box, endedAt("complete", Date.now() - 60_000));
  const count = writeLargeLog(box.path(`logs/${id}.log`), 1024 ** 3);
  await using site = await serveBox(box.root);
  const tab = await site.open(browser);
  let bytes = 0;
  tab.page.on("response", (response) => {
    if (response.url().endsWith("/log")) bytes += Number(response.headers()["content-length"] ?? 0);
  });
  await tab.page.goto(`${site.origin}/w/${nameOf(box)}/task/${id}`);
  await shows(tab, LINE(count));
  assert(bytes < 20_000_000, `${bytes} bytes for the end`);
  assert(await tab.heap() < 100_000_000);
  await tab.shoot("log-gigabyte");
  // To its beginning.
  const lines = tab.page.getByRole("region", { name: "Lines of the log" });
  await lines.press("Home");
  await shows(tab, LINE(1));
  await lines.press("End");
  await shows(tab, LINE(count));
  // A link to a line.
  await tab.page.goto(`${site.origin}/w/${nameOf(box)}/task/${id}#L150000`);
  await shows(tab, LINE(150_000));
  await until(
    "its line to be marked",
    async () =>
      (await tab.page.locator(".log-row.marked").allInnerTexts()).join().includes(LINE(150_000)),
  );
});

webTest("what is searched in a long log is found with the lines around it", async (browser) => {
  await using box = await makeBox();
  const id = addTask(box, endedAt("complete", Date.now() - 60_000));
  const path = box.path(`logs/${id}.log`);
  writeLargeLog(path, 30_000_000);
  Deno.writeTextFileSync(path, "before the needle\nthe NEEDLE itself\nafter it\n", {
    append: true,
  });
  writeLargeLog(`${path}.more`, 8_000_000);
  Deno.writeFileSync(path, Deno.readFileSync(`${path}.more`), { append: true });
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
  await shows(tab, /line \d+/);
  await tab.page.keyboard.press("/");
  await tab.page.keyboard.type("needle");
  await tab.page.keyboard.press("Enter");
  await shows(tab, "the NEEDLE itself");
  await until(
    "both to be counted",
    async () => /1 of 2/.test(await tab.page.locator(".log-found").innerText()),
  );
  await shows(tab, "after it");
  assert(await tab.page.locator(".log-row mark").count() >= 1);
  await tab.shoot("log-search");
});

webTest(
  "a log is followed as long as it is scrolled to its end, and not otherwise",
  async (browser) => {
    await using box = await makeBox();
    const talk = `n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done`;
    const id = await box.start("signal", talk);
    await box.ok("run");
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
    await shows(tab, /line 100\b/);
    assert(await fromEnd(tab) <= 2);
    // Who scrolls up stays where he is.
    await tab.page.locator(".log-row").last().hover();
    await tab.page.mouse.wheel(0, -600);
    await until("it to be away from its end", async () => await fromEnd(tab) > 100);
    const before = await linesOf(tab);
    const size = Deno.statSync(box.path(`logs/${id}.log`)).size;
    await until(
      "the log to grow",
      () => Promise.resolve(Deno.statSync(box.path(`logs/${id}.log`)).size > size + 1000),
    );
    const after = await linesOf(tab);
    assert(
      before.slice(5, 15).every((line) => after.includes(line)),
      "it has moved",
    );
    // And goes on from the end.
    await tab.page.keyboard.press("End");
    const last = Deno.readTextFileSync(box.path(`logs/${id}.log`)).trim().split("\n").length + 20;
    await until(
      `line ${last} and what comes after it`,
      async () => Number(/line (\d+)$/.exec((await linesOf(tab)).at(-1) ?? "")?.[1]) >= last,
    );
    assert(await fromEnd(tab) <= 2);
  },
);

webTest(
  "colours are colours, and nothing else of a terminal's language is obeyed",
  async (browser) => {
    await using busy = await makeBusy();
    await using site = await serveBox(busy.box.root);
    const tab = await site.open(browser, `/w/${busy.name}/task/${busy.running[0]}`);
    await shows(tab, /step 1 of many/);
    const green = tab.page.locator(".log-row span", { hasText: /^step 1$/ }).first();
    const [color, plain] = await Promise.all([green, tab.page.locator(".log-row").first()].map(
      (place) => place.evaluate((element) => getComputedStyle(element).color),
    ));
    assert(color !== plain, `${color} is the color of all`);
    assert(!(await linesOf(tab)).join().includes("\x1b"));
  },
);

webTest("each vendor's stream is shown as what it means, and raw where wished", async (browser) => {
  await using box = await makeBox();
  box.agents(STREAM_AGENTS);
  const ids = Object.keys(STREAMS).map((name) =>
    [name, addStream(box, name as keyof typeof STREAMS)] as const
  );
  await using site = await serveBox(box.root);
  const tab = await site.open(browser);
  for (const [vendor, id] of ids) {
    await tab.page.goto(`${site.origin}/w/${nameOf(box)}/task/${id}`);
    await tab.page.locator(".log-row").first().waitFor();
    const shown = (await linesOf(tab)).join("\n");
    assert(!/^\s*\d*\s*\{"/m.test(shown), `${vendor} shows events as they are:\n${shown}`);
    assert(shown.trim().length > 10, vendor);
    await tab.shoot(`stream-${vendor}`);
    await tab.page.getByRole("button", { name: "Raw", exact: true }).click();
    await shows(tab, /\{ ?"(?:type|event)"/);
    await tab.page.getByRole("button", { name: "Raw", exact: true }).click();
    await until(
      `${vendor} as what it means again`,
      async () => !/\{ ?"(?:type|event)"/.test((await linesOf(tab)).join("\n")),
    );
  }
  assertEquals(tab.takeTrouble(), []);
});
