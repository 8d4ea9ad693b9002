// What can be done on the page, done to a real queue: each action by pointer and by keyboard, on one task,
// on a selection and on all that match; what destroys asks first; what came of it is said.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import type { WireAction } from "../../lib/web/wire.ts";
import { makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { makeBusy, nameOf, serveBox } from "./support.ts";

/** Presses the button of an action, and means it where it is asked. */
async function act(tab: Tab, action: string, tasks = "1 task"): Promise<void> {
  const { page } = tab;
  await page.getByRole("button", { name: action, exact: true }).first().click();
  const dialog = page.getByRole("dialog");
  const said = page.getByRole("status").getByText(new RegExp(`^${action}`)).first();
  await dialog.or(said).first().waitFor();
  if (await dialog.isVisible()) {
    await dialog.getByRole("button", { name: `${action} ${tasks}` }).click();
    await dialog.waitFor({ state: "hidden" });
  }
  await said.waitFor();
}

webTest("a running task is cancelled from its page once that is confirmed", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const [id] = busy.running;
  const tab = await site.open(browser, `/w/${busy.name}/task/${id}`);
  await tab.page.getByText(/step \d+ of many/).first().waitFor();
  // Who says no changes nothing.
  await tab.page.getByRole("button", { name: "Cancel", exact: true }).click();
  await tab.page.getByRole("dialog").waitFor();
  await tab.shoot("confirm");
  await tab.page.keyboard.press("Escape");
  await tab.page.getByRole("dialog").waitFor({ state: "hidden" });
  assertEquals(busy.box.task(id).status, "running");
  await act(tab, "Cancel");
  const task = await busy.box.settled(id);
  assertEquals(task.status, "cancelled");
  await tab.page.locator(".phase-cancelled").first().waitFor();
});

webTest("a failed task is retried from its page, and the new attempt is shown", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/task/${busy.failed}`);
  await act(tab, "Retry");
  const retry = await until(
    "the retry",
    () => Promise.resolve(busy.box.task(busy.failed).retriedBy),
  );
  const link = tab.page.locator(`a[href$="/task/${retry}"]`).first();
  await link.click();
  await until("its page", () => Promise.resolve(tab.page.url().includes(retry)));
});

webTest("each action that the server offers for a phase has its button there", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const actions = await site.get<WireAction[]>(`/workspaces/${busy.name}/actions`);
  const tab = await site.open(browser);
  for (
    const [phase, id] of [
      ["running", busy.running[0]],
      ["ready", busy.pending],
      ["waiting", busy.waiting],
      ["blocked", busy.blocked],
      ["failed", busy.failed],
      ["complete", busy.complete],
      ["cancelled", busy.cancelled],
    ] as const
  ) {
    await tab.page.goto(`${site.origin}/w/${busy.name}/task/${id}`);
    const bar = tab.page.locator(".actions").first();
    const expected = actions.filter(({ phases }) => phases.includes(phase)).length;
    await until(
      `${expected} actions on what is ${phase}`,
      async () => await bar.getByRole("button").count() === expected,
    );
  }
});

webTest("a task is queued with options of the table", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now`);
  await tab.page.getByRole("button", { name: /new task/i }).first().click();
  const dialog = tab.page.getByRole("dialog");
  await dialog.getByLabel(/agent/i).first().selectOption("shell");
  await dialog.getByLabel(/prompt/i).first().fill("echo from the page");
  const more = dialog.locator("summary");
  if (await more.count() > 0) await more.first().click();
  await dialog.getByLabel("priority", { exact: true }).fill("7");
  await dialog.getByLabel("key", { exact: true }).fill("by-page");
  await tab.shoot("new-task");
  await dialog.getByRole("button", { name: /queue|start|add/i }).last().click();
  const task = await until(
    "the task",
    () => Promise.resolve(busy.box.tasks().find(({ prompt }) => prompt === "echo from the page")),
  );
  assertEquals([task.agent, task.priority, task.key], ["shell", 7, "by-page"]);
  await tab.page.getByText("echo from the page").first().waitFor();
});

webTest("several tasks are selected by keyboard and cancelled at once", async (browser) => {
  await using box = await makeBox();
  const ids = await Promise.all([1, 2, 3].map((n) => box.start("shell", `echo number ${n}`)));
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  await tab.page.getByText("echo number 3").first().waitFor();
  await tab.page.keyboard.press("j");
  await tab.page.keyboard.press("x");
  await tab.page.keyboard.press("j");
  await tab.page.keyboard.press("x");
  await act(tab, "Cancel", "2 tasks");
  await until("two cancelled", () =>
    Promise.resolve(
      ids.filter((id) => box.task(id).status === "cancelled").length === 2,
    ));
});

webTest("a run takes a number of tasks at once, by keyboard", async (browser) => {
  await using box = await makeBox();
  const ids = await Promise.all([1, 2, 3].map(() => box.start("signal", "sleep 600")));
  await using site = await serveBox(box.root);
  const tab = await site.open(browser, `/w/${nameOf(box)}/now`);
  const { page } = tab;
  const most = page.getByRole("banner").getByRole("spinbutton", {
    name: "Run at most so many at once",
  });
  await most.waitFor();
  await page.getByRole("banner").getByRole("button", { name: "Run", exact: true }).focus();
  await page.keyboard.press("Tab");
  // What is wrong is not sent: the browser says what must be.
  await page.keyboard.type("0");
  await page.keyboard.press("Enter");
  assertEquals(await most.evaluate((it: HTMLInputElement) => it.validity.rangeUnderflow), true);
  assertEquals(box.supervisors(), []);
  await most.fill("1");
  await tab.shoot("run-one");
  await page.keyboard.press("Enter");
  await page.getByText("launched now, at most 1 at once").waitFor();
  const running = () => box.tasks().filter(({ status }) => status === "running");
  const [one] = await box.until("one to run", () => running().length > 0 && running());
  // The next one comes when this one has ended, and not before.
  Deno.writeTextFileSync(box.path(`tasks/${one!.taskId}.done`), "");
  await box.until("the next one to run", () => {
    const now = running();
    assert(now.length <= 1, "two run at once");
    return now.length === 1 && now[0]!.taskId !== one!.taskId;
  });
  await box.ok("cancel", ...ids.filter((id) => id !== one!.taskId));
  await box.unwatched();
});

webTest("all that match a filter are archived at once", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root);
  const tab = await site.open(browser, `/w/${busy.name}/now?status=complete&status=cancelled`);
  await tab.page.getByText("all ").first().waitFor();
  await tab.page.getByRole("checkbox", { name: /all/i }).first().check();
  await act(tab, "Archive", "2 tasks");
  await until(
    "the archive",
    () => Promise.resolve(!busy.box.tasks().some(({ taskId }) => taskId === busy.complete)),
  );
});

webTest("a server that only shows offers and does nothing", async (browser) => {
  await using busy = await makeBusy();
  await using site = await serveBox(busy.box.root, { args: ["--read-only"] });
  const [id] = busy.running;
  const tab = await site.open(browser, `/w/${busy.name}/task/${id}`);
  await tab.page.getByText(/step \d+ of many/).first().waitFor();
  assertEquals(await tab.page.getByRole("button", { name: "Cancel" }).count(), 0);
  const status = await tab.page.evaluate(async ({ path, id }) => {
    const answer = await fetch(localStorage.getItem("orchestra-base") + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ tasks: [id] }),
    });
    return answer.status;
  }, { path: `/api/v1/workspaces/${busy.name}/actions/cancel`, id });
  assertEquals(status, 403);
  tab.forgive(/403/);
  assertEquals(busy.box.task(id).status, "running");
});
