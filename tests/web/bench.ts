// What the page costs, for `deno task bench --only web`: measured in a real Chromium, by the page's own
// clock. Loaded by tests/bench.ts only for this section.

/// <reference lib="dom" />

import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { type Box, makeBox } from "../support/program.ts";
import { CHROMIUM, openBrowser, type Tab, until } from "./browser.ts";
import { addEnded, addTask, nameOf, serveBox, type Site } from "./support.ts";

/** What tests/bench.ts prints with. */
export interface Report {
  quick: boolean;
  heading(text: string): void;
  line(name: string, value: string, ratio?: string, bound?: string): void;
  verdict(value: number, limit: number, unit?: string): string;
  spread(values: readonly number[]): string;
  percentile(values: readonly number[], share: number): number;
  round(value: number): string;
}

const TASKS = 10_000;
/** Bounds, milliseconds and MB. */
const FIRST_VIEW = 1000;
const ON_SCREEN = 200;
const LONG_TASK = 100;
const GROWTH = 5;
const SERVER = 60;
/** What changes in an hour, at 50 a second. */
const HOUR = 180_000;
/** As a daemon starts its server: memory before speed. */
const SPARE = { DENO_V8_FLAGS: "--max-semi-space-size=1,--optimize-for-size" };

/** All of it; `not run` where there is no Chromium. */
export async function benchWeb(report: Report): Promise<void> {
  report.heading(`The page, ${TASKS.toLocaleString("en")} tasks`);
  if (CHROMIUM !== null) {
    report.line("the page", `not run: ${CHROMIUM}`);
    return;
  }
  await using box = await makeBox();
  box.config({ max_concurrent: 100, interval: 0.5 });
  addEnded(box, TASKS);
  await using site = await serveBox(box.root, { env: SPARE });
  await using browser = await openBrowser();
  const tab = await site.open(browser);
  await benchFirstView(report, box, site, tab);
  const { own, all } = await settledMemory(site.pid);
  const said = `${report.round(own)} MB of its own, ${report.round(all)} with Deno's`;
  report.line("memory of a daemon's server", said, "", report.verdict(own, SERVER, " MB"));
  await benchSentinels(report, box, tab);
  await benchChanges(report, box, site, tab);
}

/** From the navigation's start to the first row, milliseconds. */
async function benchFirstView(
  { line, spread, verdict, percentile, quick }: Report,
  box: Box,
  site: Site,
  tab: Tab,
): Promise<void> {
  const millis: number[] = [];
  for (let turn = 0; turn < (quick ? 3 : 10); turn++) {
    await tab.page.goto(`${site.origin}/w/${nameOf(box)}/now`, { waitUntil: "commit" });
    millis.push(
      await until("the first row", () =>
        tab.page.evaluate(() => {
          const row = document.querySelector("main a[href*='/task/']");
          return row === null ? null : performance.now();
        })),
    );
  }
  const worst = percentile(millis, 0.9);
  line("first view", `${spread(millis)} ms`, "", verdict(Math.round(worst), FIRST_VIEW, " ms p90"));
}

/** From a sentinel's being written to the change on the screen, milliseconds. */
async function benchSentinels(
  { line, percentile, round, verdict, quick }: Report,
  box: Box,
  tab: Tab,
): Promise<void> {
  const count = quick ? 10 : 40;
  const ids = Array.from(
    { length: count },
    () => addTask(box, { agent: "signal", prompt: "exec sleep 600" }),
  );
  await box.ok("run", "--all", "--parallel", String(count));
  for (const id of ids) {
    await box.until(`${id} to run`, () => box.task(id).status === "running");
  }
  // What was launched at once has been told of.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const millis: number[] = [];
  for (const id of ids) {
    const seen = tab.page.evaluate(whenComplete, id);
    // Whether it looks already is answered before the sentinel is written.
    await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
    const path = box.path(`tasks/${id}.done`);
    Deno.writeTextFileSync(`${path}.tmp`, "");
    const began = Date.now();
    Deno.renameSync(`${path}.tmp`, path);
    millis.push(await seen - began);
  }
  line(
    `${count} sentinels, each to the screen`,
    `p50 ${round(percentile(millis, 0.5))}, p99 ${round(percentile(millis, 0.99))} ms`,
    "",
    verdict(Math.round(percentile(millis, 0.99)), ON_SCREEN, " ms p99"),
  );
}

/** When the row of a task says that it is complete, milliseconds since the epoch. Runs in the page. */
function whenComplete(id: string): Promise<number> {
  return new Promise((resolve) => {
    const look = () => {
      const row = document.querySelector(`main a[href$="/task/${id}"]`)
        ?.closest("tr, li, article, [role=row]");
      if (!/complete|done/i.test(row?.textContent ?? "")) return false;
      observer.disconnect();
      // The frame that shows it.
      requestAnimationFrame(() => resolve(Date.now()));
      return true;
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
    look();
  });
}

/** Long tasks and memory while tasks change. */
async function benchChanges(
  { line, round, verdict, quick }: Report,
  box: Box,
  site: Site,
  tab: Tab,
): Promise<void> {
  const churn = createChurn(box, 200);
  await tab.page.evaluate(() => {
    (globalThis as unknown as { longTasks: number[] }).longTasks.length = 0;
  });
  await churn(50, quick ? 10 : 60);
  const longest = Math.max(0, ...await tab.longTasks());
  line(
    "longest task, 50 changes a second",
    `${round(longest)} ms`,
    "",
    verdict(Math.round(longest), LONG_TASK, " ms"),
  );
  const look = async () => ({
    server: (await settledMemory(site.pid)).own,
    tab: await tab.heap() / 2 ** 20,
  });
  const before = await look();
  const changes = await churn(250, quick ? 20 : HOUR / 250);
  const after = await look();
  const what = `${changes.toLocaleString("en")} changes`;
  for (const who of ["tab", "server"] as const) {
    const [from, to] = [before[who], after[who]];
    line(
      `memory of the ${who}, ${what}`,
      `${round(from)} → ${round(to)} MB`,
      "",
      verdict(Number(Math.max(0, to - from).toFixed(1)), GROWTH, " MB more"),
    );
  }
}

/**
 * The least memory of a process within some seconds of rest, MB: what it keeps for itself, and with the
 * pages of Deno's executable, which it may share with others.
 */
async function settledMemory(pid: number): Promise<{ own: number; all: number }> {
  let least = { own: Infinity, all: Infinity };
  for (let turn = 0; turn < 30; turn++) {
    const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
    const of = (name: string) =>
      Number(new RegExp(`^${name}: *(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
    if (of("Pss_Anon") < least.own) least = { own: of("Pss_Anon"), all: of("Pss") };
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return { own: Math.round(least.own), all: Math.round(least.all) };
}

/**
 * Changes some tasks over and over, each change told to the history: so many a second for so many seconds;
 * resolves to how many it were. They wait for a time that is far away, and are cancelled: nobody has anything
 * to do for them meanwhile.
 */
export function createChurn(
  box: Box,
  count: number,
): (rate: number, seconds: number) => Promise<number> {
  const store = openStore(box.root);
  const notBefore = formatTime(Date.now() + 30 * 86_400_000);
  const tasks: Task[] = Array.from({ length: count }, () => {
    const id = addTask(box, { agent: "shell", notBefore });
    const wish = { agent: "shell", prompt: `Churn ${id}`, notBefore };
    return { ...newTask(id, wish, Date.now()), taskId: id };
  });
  let at = 0;
  const change = () => {
    const task = tasks[at++ % count]!;
    const isOpen = task.status === "pending";
    task.status = isOpen ? "cancelled" : "pending";
    task.completedAt = isOpen ? formatTime(Date.now()) : null;
    store.write(task);
  };
  return async (rate, seconds) => {
    const began = performance.now();
    let done = 0;
    for (let now = 0; now < seconds * 1000; now = performance.now() - began) {
      for (; done < now * rate / 1000; done++) change();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return done;
  };
}
