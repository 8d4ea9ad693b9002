// Where addresses lead that name no id or nothing at all, what becomes of a draft and of old attempts, and
// what is said of a task when it is done something to.

/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { addTask, endedAt, makeBusy, nameOf, serveBox } from "./support.ts";

const isAt = (tab: Tab, end: RegExp) =>
  until(`the address ${end}`, () => Promise.resolve(end.test(tab.page.url())));

webTest("a key and @last lead to their task, whose id the address has then", async (browser) => {
  await using box = await makeBox();
  const site_ = addTask(box, { prompt: "build the site", key: "site" });
  const last = addTask(box, { prompt: "the last one" });
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/site`);
  await tab.page.getByRole("heading", { name: "build the site" }).waitFor();
  await isAt(tab, new RegExp(`/task/${site_}$`));
  await tab.page.goto(`${site.origin}/w/${nameOf(box)}/task/@last#L1`);
  await tab.page.getByRole("heading", { name: "the last one" }).waitFor();
  await isAt(tab, new RegExp(`/task/${last}#L1$`));
});

webTest("an address that names no page or no workspace says so", async (browser) => {
  await using box = await makeBox();
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/statistics`);
  await tab.page.getByRole("heading", { name: "There is no such page" }).waitFor();
  await tab.shoot("no-page");
  // It is not asked for what it has said not to have.
  const asked: string[] = [];
  tab.page.on("request", (request) => asked.push(request.url()));
  for (const view of ["graph", "timeline", "stats", "agents", "task/@last#L1", "now"]) {
    await tab.page.goto(`${site.origin}/w/nope/${view}`);
    await tab.page.getByRole("heading", { name: "This server has no workspace nope" }).waitFor();
  }
  await tab.shoot("no-workspace");
  assertEquals(await tab.page.getByRole("button", { name: "New task" }).count(), 0);
  assertEquals(await tab.page.getByRole("button", { name: "Run" }).count(), 0);
  await tab.page.getByRole("link", { name: "See those that it has" }).click();
  await isAt(tab, /\/workspaces$/);
  await tab.page.getByRole("heading", { name: nameOf(box) }).waitFor();
  assert(asked.some((url) => url.includes("/api/v1/workspaces")), String(asked));
  assertEquals(asked.filter((url) => /api.*nope/.test(url)), []);
  // From one that there is to one that there is not, and back.
  await tab.page.goto(`${site.origin}/w/${nameOf(box)}/now`);
  await tab.page.getByText("There are no tasks yet").waitFor();
  await tab.page.evaluate(() => {
    history.pushState(null, "", "/w/nope/graph");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await tab.page.getByRole("heading", { name: "This server has no workspace nope" }).waitFor();
  await tab.page.goBack();
  await tab.page.getByText("There are no tasks yet").waitFor();
  assertEquals(asked.filter((url) => /api.*nope/.test(url)), []);
});

webTest("what is typed for a new task outlives the server", async (browser) => {
  await using box = await makeBox();
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  await tab.page.getByRole("button", { name: "New task" }).click();
  await tab.page.getByRole("textbox", { name: "prompt" }).fill("a long thought");
  await site.stop();
  await site.start();
  await tab.page.getByLabel(/paste the token/).fill(site.token);
  await tab.page.getByRole("button", { name: "Get in" }).click();
  const prompt = tab.page.getByRole("textbox", { name: "prompt" });
  await prompt.waitFor();
  assertEquals(await prompt.inputValue(), "a long thought");
  tab.forgive(/401|ERR_|Failed to load/);
  await tab.page.getByRole("button", { name: /Queue it/ }).click();
  await prompt.waitFor({ state: "hidden" });
  assertEquals(box.tasks().length, 1);
  // What was queued does not come back.
  await tab.page.reload();
  await tab.page.getByText("a long thought").first().waitFor();
  assertEquals(await tab.page.getByRole("dialog").count(), 0);
});

webTest(
  "an attempt that was retried leads to the next one and calls for nobody",
  async (browser) => {
    await using busy = await makeBusy();
    await using site = await serveBox(busy.box.root);
    const tab = await site.open(browser, `/w/${busy.name}/task/${busy.failed}`);
    const { page } = tab;
    const name = await page.locator(".task-sub .name").innerText();
    await page.getByRole("button", { name: "Retry", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry 1 task" }).click();
    const toast = page.locator(".toast");
    await toast.getByText(/queued again as/).waitFor();
    const links = await toast.getByRole("link").allInnerTexts();
    assertEquals(links.length, 2);
    assertEquals(links[0], name);
    assert(links[1] !== name, String(links));
    const next = await until(
      "the retry",
      () => Promise.resolve(busy.box.task(busy.failed).retriedBy),
    );
    await page.locator(".notice").getByText("Retried as").waitFor();
    await tab.shoot("retried");
    // What would be refused is there, does nothing, and says why.
    const again = page.getByRole("button", { name: "Retry", exact: true, disabled: true });
    await again.waitFor();
    assertMatch(await again.getAttribute("title") ?? "", /^It was retried already, by \d+$/);
    await again.focus();
    await page.keyboard.press("Enter");
    await toast.getByText(/^Retry: It was retried already/).waitFor();
    assertEquals(await page.getByRole("dialog").count(), 0);
    await page.goto(`${site.origin}/w/${busy.name}/now`);
    const row = page.locator(`.part-done [data-task="${busy.failed}"]`);
    await row.waitFor();
    assertMatch(await row.innerText(), /retried[\s\S]*attempt 1/);
    await page.locator(`[data-task="${next}"]`).waitFor();
  },
);

webTest("a refusal names its task once, beside what was done", async (browser) => {
  await using box = await makeBox();
  const failed = (change = {}) =>
    addTask(box, { ...endedAt("failed", Date.now() - 60_000), ...change });
  const spent = failed({ prompt: "mend the one", key: "spent", retryCount: 1, maxRetries: 1 });
  failed({ prompt: "mend the other", maxRetries: 3 });
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  const { page } = tab;
  await page.getByRole("checkbox", { name: /Select all/ }).check();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("spent has used up its retries (1 of 1): set max retries").waitFor();
  await tab.shoot("will-be-refused");
  await dialog.getByRole("button", { name: "Retry 2 tasks" }).click();
  const toast = page.locator(".toast.failed");
  await toast.getByText("Retry: 1 of 2 tasks done, 1 refused").waitFor();
  await tab.shoot("partly-refused");
  assertEquals(await toast.getByRole("link").allInnerTexts(), ["spent"]);
  assertEquals(box.task(spent).retriedBy, null);
});

webTest(
  "a chip has as many tasks as it says, and tells which of them were retried",
  async (browser) => {
    await using box = await makeBox();
    const failed = (change = {}) =>
      addTask(box, { ...endedAt("failed", Date.now() - 60_000), ...change });
    const third = failed({ retryCount: 2 });
    const second = failed({ retryCount: 1, retriedBy: third });
    failed({ retriedBy: second });
    failed({ retryAt: new Date(Date.now() + 3_600_000).toISOString() });
    addTask(box, { dependsOn: [third] });
    await using site = await serveBox(box.root);
    const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
    const { page } = tab;
    const chips = page.getByRole("group", { name: "State" }).getByRole("button");
    await page.locator("[data-task]").first().waitFor();
    assertEquals((await chips.allInnerTexts()).map((text) => text.replace(/\s+/g, " ").trim()), [
      "all 5",
      "! needs you 2",
      "↻ retrying 1",
      "⊘ blocked 1",
      "✕ failed 3 (2 retried)",
    ]);
    await tab.shoot("chips");
    for (const [at, count] of [5, 2, 1, 1, 3].entries()) {
      await chips.nth(at).click();
      await until(`${count} rows`, async () => await page.locator("[data-task]").count() === count);
      if (at > 0) await chips.nth(at).click();
    }
    // Two chips have what either has, once.
    await page.goto(`${site.origin}/w/${nameOf(box)}/now?status=needed&status=failed`);
    await page.getByText("Select all 4 tasks that match").waitFor();
    assertEquals(await page.locator("[data-task]").count(), 4);
  },
);

webTest("an archive is asked about, and a task comes back from it", async (browser) => {
  await using box = await makeBox();
  const id = addTask(box, { ...endedAt("complete", Date.now() - 60_000), prompt: "done" });
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/task/${id}`);
  const { page } = tab;
  await page.getByRole("button", { name: "Archive", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Archive 1 task" }).click();
  const restore = page.getByRole("button", { name: "Restore", exact: true });
  await restore.waitFor();
  assertEquals(box.tasks().length, 0);
  await tab.shoot("archived");
  await restore.click();
  await page.getByRole("button", { name: "Archive", exact: true }).waitFor();
  assertEquals(box.tasks().map(({ taskId }) => taskId), [id]);
});

webTest("a wrong option says what it must be, beside the button", async (browser) => {
  await using box = await makeBox();
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  const { page } = tab;
  await page.getByRole("button", { name: "New task" }).click();
  await page.getByRole("textbox", { name: "prompt" }).fill("with a limit");
  await page.getByText("Options", { exact: true }).click();
  await page.getByLabel("timeout", { exact: true }).fill("soon");
  const queue = page.getByRole("button", { name: /Queue it/ });
  const box_ = (await queue.boundingBox())!;
  assert(box_.y + box_.height <= 800, `the button is at ${box_.y}`);
  await queue.click();
  await page.getByText("It must be a duration above zero. Write it as 90, 90s, 5m").waitFor();
  await page.getByText("Not right: timeout").waitFor();
  await tab.shoot("wrong-option");
});

webTest("tasks with keys are called by them wherever they are spoken of", async (browser) => {
  await using box = await makeBox();
  const ended = endedAt("complete", Date.now() - 20_000);
  const first = addTask(box, { ...ended, prompt: "build it", key: "build-everything" });
  const second = addTask(box, {
    prompt: "deploy it",
    key: "deploy-to-staging",
    dependsOn: [first],
  });
  addTask(box, { prompt: "wait for it", key: "wait", dependsOn: [second] });
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/graph`, { size: "wide" });
  const { page } = tab;
  // Each answer tells the keys: no list of tasks is read for them.
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.reload();
  await page.locator(".node-name").getByText("deploy-to-staging").waitFor();
  await tab.shoot("graph-keys");
  // No letter stands beyond the border of its node.
  assertEquals(
    await page.evaluate(() =>
      [...document.querySelectorAll(".node")].filter((node) => {
        const card = node.querySelector(".card")!.getBoundingClientRect();
        return [...node.querySelectorAll("text")].some((text) =>
          text.getBoundingClientRect().right > card.right
        );
      }).length
    ),
    0,
  );
  await page.getByRole("button", { name: "As a list" }).click();
  await page.getByRole("cell", { name: "deploy-to-staging" }).first().waitFor();
  await page.goto(`${site.origin}/w/${nameOf(box)}/task/wait`);
  await page.locator(".links").getByRole("link", { name: "deploy-to-staging" }).waitFor();
  const why = page.locator(".notice", { hasText: "Waits" });
  await why.getByRole("link", { name: "deploy-to-staging" }).waitFor();
  await page.goto(`${site.origin}/w/${nameOf(box)}/timeline?as=table`);
  await page.getByRole("region", { name: "Runs" }).waitFor();
  assertEquals(asked.filter((url) => url.includes("/tasks?")), []);
  await page.goto(`${site.origin}/w/${nameOf(box)}/now`);
  const key = page.locator(".task > .name", { hasText: "deploy-to-staging" });
  await key.waitFor();
  assert(await key.evaluate((it) => it.scrollWidth <= it.clientWidth), "the key is cut");
  await page.locator(".why").getByRole("link", { name: "deploy-to-staging" }).waitFor();
  await tab.shoot("now-keys");
});
