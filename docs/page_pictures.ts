// `deno task pictures`: the pictures of the page in README, docs/page-now.webp and docs/page-task.webp. A
// project with a day of work behind it and agents at work is served by the real `orchestra serve`, and
// looked at in a real Chromium. Leaves nothing behind but the pictures.

import { formatTask, newTask, type Task } from "../lib/task/fields.ts";
import { openBox } from "../tests/support/program.ts";
import { CHROMIUM, openBrowser, type Tab } from "../tests/web/browser.ts";
import { serveBox, type Site } from "../tests/web/support.ts";

/** Stands in the pictures, and so is not a folder of whoever makes them. */
const ROOT = "/tmp/shop";
/** Larger than this a picture makes a README slow, bytes. */
const LARGEST = 120_000;
const MINUTE = 60_000;

const DONE = [
  ["claude", "Rename Cart to Basket in src/ and in the translations", 3.5, 0.41],
  ["codex", "Why does the checkout test fail one time in ten? Mend it", 11, 0.62],
  ["claude", "Write the release notes of 4.2 from the merged pull requests", 2.2, 0.12],
  ["gemini", "Translate docs/returns.md to German and French", 1.6, 0.05],
  ["codex", "Replace the date library by Intl; keep the formats", 7.4, 0.55],
  ["claude", "Add a test for every branch of src/tax/rates.ts", 5.1, 0.33],
  ["gemini", "Alternative texts for the pictures of the catalogue", 4.3, 0.09],
  ["claude", "Make the search form usable by keyboard", 6.6, 0.47],
] as const;

/** What an agent prints as it works, a line at a time. */
const STORY: readonly unknown[] = [
  { type: "system", subtype: "init", session_id: "s1", model: "claude-opus-5-5" },
  says("I will look at how prices are rounded before I change anything."),
  calls("Grep", { pattern: "Math.round|toFixed", path: "src/price" }),
  gives(
    "src/price/total.ts:41: return Math.round(net * rate) / 100;\n" +
      "src/price/line.ts:17: return Number((count * unit).toFixed(2));",
  ),
  says(
    "Two places round in two ways. Each line is rounded, and then the total again: " +
      "that is where the missing cent comes from.",
  ),
  calls("Edit", {
    file_path: "src/price/line.ts",
    old_string: "toFixed(2)",
    new_string: "cents()",
  }),
  gives("The file src/price/line.ts has been updated."),
  calls("Bash", { command: "deno test src/price" }),
  gives(
    "running 14 tests from ./src/price/total_test.ts\n" +
      "a basket of three lines is the sum of its lines ... ok (2ms)\n" +
      "a discount is taken before tax ... ok (1ms)\n" +
      "a line of a third of a cent is not lost ... ok (1ms)\n\nok | 14 passed | 0 failed (61ms)",
  ),
  says("All tests pass. I also add one for the case that was reported."),
  calls("Write", { file_path: "src/price/reported_test.ts" }),
];

function says(text: string): unknown {
  return message("assistant", [{ type: "text", text }]);
}

function calls(name: string, input: unknown): unknown {
  return message("assistant", [{ type: "tool_use", id: "t", name, input }]);
}

function gives(content: string): unknown {
  return message("user", [{ type: "tool_result", tool_use_id: "t", content, is_error: false }]);
}

function message(role: "assistant" | "user", content: unknown): unknown {
  return { type: role, message: { role, content }, session_id: "s1" };
}

/** Puts a task into the workspace that was queued so many minutes ago and has ended; its id. */
function addEnded(minutesAgo: number, change: Partial<Task> & { agent: string; prompt: string }) {
  const at = Date.now() - minutesAgo * MINUTE;
  // Ids that were made at random moments differ in their ends, by which tasks are called.
  const id = `task_${Math.round(at) * 1000 + 137 * minutesAgo % 1000}`;
  const task = { ...newTask(id, change, at), claim: 1, pid: 4321, ...change };
  Deno.writeTextFileSync(`${ROOT}/.orchestra/tasks/${id}.json`, formatTask(task), { mode: 0o600 });
  return id;
}

function between(minutesAgo: number, ran: number): Partial<Task> {
  const started = Date.now() - minutesAgo * MINUTE + 4000;
  return {
    startedAt: new Date(started).toISOString(),
    completedAt: new Date(started + ran * MINUTE).toISOString(),
  };
}

/** A day of work. */
function addPast(): void {
  let ago = 96;
  for (const [agent, prompt, ran, costUsd] of DONE) {
    addEnded(ago, {
      agent,
      prompt,
      status: "complete",
      exitCode: 0,
      result: { summary: "Done, and the tests pass" },
      usage: { inputTokens: Math.round(costUsd * 190_000), outputTokens: 9000, costUsd },
      ...between(ago, ran),
    });
    ago -= 11;
  }
  addEnded(9, {
    agent: "codex",
    prompt: "Upgrade the payment client to version 9, and read its notes of migration",
    key: "payment",
    labels: { area: "checkout" },
    status: "failed",
    exitCode: 1,
    failureClass: "verify",
    errorMessage: "`deno test src/payment` failed: 2 of 31 tests",
    ...between(9, 7.2),
  });
}

/** Queues what is at work and what waits; the id of the task that is looked at. */
async function addPresent(run: (...args: string[]) => Promise<string>): Promise<string> {
  const start = async (...args: string[]) => (await run("start", "--quiet", ...args)).trim();
  const looked = await start(
    ...["claude", "A basket of three lines is sometimes a cent short: find out why, and mend it"],
    ...["--key", "cents", "--label", "area=checkout", "--priority", "9", "--timeout", "30m"],
  );
  await start("gemini", "Shorten the texts of the catalogue to 160 characters", "--priority", "8");
  await start("codex", "Measure the start page on a slow phone, and halve it", "--priority", "8");
  await start(
    "codex",
    "Release 4.3 once all is green",
    "--depends-on",
    "cents",
    "--key",
    "release",
  );
  await start("claude", "Announce 4.3 in docs/news.md", "--depends-on", "release");
  await start("codex", "Show the payment's new states at checkout", "--depends-on", "payment");
  await start("gemini", "Translate what is new to German and French", "--priority", "3");
  await run("run", "--all");
  return looked;
}

/** Takes a picture; of this kind a page of text is a third of what it is as PNG. */
async function take(tab: Tab, name: string): Promise<void> {
  const session = await tab.context.newCDPSession(tab.page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  if (bytes.length > LARGEST) throw new Error(`${name} has ${bytes.length} bytes`);
  Deno.writeFileSync(new URL(name, import.meta.url), bytes);
  console.log(`docs/${name}: ${Math.round(bytes.length / 1024)} KB`);
}

async function picture(site: Site, looked: string): Promise<void> {
  await using browser = await openBrowser();
  const [{ name }] = await site.get<[{ name: string }]>("/workspaces");
  const now = await site.open(browser, `/w/${name}/now`, { size: "laptop", scheme: "light" });
  await now.page.getByText("Announce 4.3").first().waitFor();
  await take(now, "page-now.webp");
  const path = `/w/${name}/task/${looked}`;
  const task = await site.open(browser, path, { size: "laptop", scheme: "dark" });
  await task.page.getByText("All tests pass").first().waitFor();
  await take(task, "page-task.webp");
}

if (import.meta.main) {
  if (CHROMIUM !== null) {
    console.error(CHROMIUM);
    Deno.exit(1);
  }
  Deno.mkdirSync(ROOT, { mode: 0o700 });
  await using box = openBox(ROOT);
  await box.ok("init");
  const story = STORY.map((event) => JSON.stringify(event)).join("\n");
  Deno.writeTextFileSync(`${ROOT}/.orchestra/story.jsonl`, `${story}\n`);
  const works = { command: "sh", args: ["-c", "cat .orchestra/story.jsonl; exec sleep 600"] };
  box.agents({
    claude: { ...works, usage: "claude", description: "Claude Code", timeout: 3600 },
    codex: { ...works, usage: "codex", description: "Codex", maxConcurrent: 2 },
    gemini: { ...works, usage: "gemini", description: "Gemini" },
  });
  box.config({ max_concurrent: 3 });
  addPast();
  const looked = await addPresent((...args) => box.ok(...args));
  await using site = await serveBox(ROOT);
  await picture(site, looked);
}
