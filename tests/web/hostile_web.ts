// Texts that want to be more than text, in every field that a page shows: nothing of them runs, nothing of
// them becomes an element, and all of them can be read as they are.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import { type Box, makeFolder, openBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { addTask, endedAt, nameOf, serveBox } from "./support.ts";

/** A text of an attacker; the word says which field it is in. */
const evil = (field: string) =>
  `${field}"'><img src=x onerror="globalThis.pwned='${field}'">` +
  `<script>globalThis.pwned='${field}'</script><b class=evil>\${7*7}{{7*7}}</b>`;

/** What must be seen of it. */
const seenOf = (field: string) => `${field}"'><img src=x onerror=`;

/** The same for a terminal: a link to a script, a title, colours. */
const TERMINAL = "\x1b]8;;javascript:globalThis.pwned='link'\x1b\\press me\x1b]8;;\x1b\\" +
  "\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b]52;c;aGVsbG8=\x07";

/** A workspace of somebody hostile, in a folder whose name is a script. */
async function makeHostile(): Promise<
  Box & { hostile: string; waiting: string; complete: string }
> {
  const folder = await makeFolder();
  const root = `${folder.path}/<img src=x onerror=globalThis.pwned='name'>`;
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    Deno.mkdirSync(`${root}/.orchestra/${name}`, { recursive: true });
  }
  Deno.chmodSync(`${root}/.orchestra`, 0o700);
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  const box = openBox(root);
  const agent = evil("agent");
  box.agents({
    [agent]: {
      command: evil("command"),
      args: [evil("argument")],
      description: evil("description"),
      env: { EVIL: evil("environment") },
    },
    broken: { command: 7, description: evil("broken") },
    claude: { command: "true", usage: "claude" },
  });
  box.config({ [evil("setting")]: evil("value") });
  const at = Date.now() - 60_000;
  const hostile = addTask(box, {
    agent,
    prompt: evil("prompt"),
    key: evil("key"),
    labels: { [evil("label")]: evil("labelled") },
    ...endedAt("failed", at),
    errorMessage: evil("error"),
    errorDetails: evil("details"),
    verify: [evil("verify")],
    retryHistory: [{
      attempt: 1,
      timestamp: new Date(at).toISOString(),
      error: evil("history"),
      retriedFrom: "task_1763000000000",
    }],
    usage: { inputTokens: 1, model: evil("model"), sessionId: evil("session") },
  }, at);
  const waiting = addTask(box, { agent: "claude", prompt: evil("child"), dependsOn: [hostile] });
  const complete = addTask(box, {
    agent,
    prompt: evil("done"),
    ...endedAt("complete", at),
    result: { summary: evil("summary"), files: [evil("file")] },
  }, at);
  Deno.writeTextFileSync(box.path(`plans/${hostile}_plan.md`), `# ${evil("plan")}\n`);
  Deno.writeTextFileSync(
    box.path(`logs/${hostile}.log`),
    `${evil("log")}\n${TERMINAL}\n<!-- --><svg onload="globalThis.pwned='svg'">\n`,
  );
  const says = (text: string) =>
    JSON.stringify({ type: "assistant", message: { content: [{ type: "text", text }] } });
  Deno.writeTextFileSync(box.path(`logs/${waiting}.log`), `${says(evil("said"))}\n`);
  Deno.writeTextFileSync(box.path("tasks/task_1763000000001.json"), evil("damaged"));
  return Object.assign(box, {
    hostile,
    waiting,
    complete,
    [Symbol.asyncDispose]: async () => {
      await Deno.remove(folder.path, { recursive: true });
    },
  });
}

/** All text of a page, that of its fields, titles and labels too. */
function textOf(tab: Tab): Promise<string> {
  return tab.page.evaluate(() => {
    const all = [document.title, document.body.innerText];
    for (const element of document.body.querySelectorAll<HTMLInputElement>("*")) {
      for (const name of ["title", "aria-label", "value", "placeholder"]) {
        all.push(element.getAttribute(name) ?? "");
      }
      all.push(typeof element.value === "string" ? element.value : "");
      if (element.closest("svg")) all.push(element.textContent ?? "");
    }
    return all.join("\n");
  });
}

/** Checks that nothing of an attacker's text has become more than text. */
async function assertHarmless(tab: Tab, where: string): Promise<void> {
  const found = await tab.page.evaluate(() => ({
    pwned: (globalThis as unknown as { pwned?: string }).pwned,
    elements: [...document.querySelectorAll("img[src=x], .evil, [onerror], [onload]")].length,
    links: [...document.querySelectorAll("a[href]")]
      .map((link) => new URL(link.getAttribute("href")!, location.href).href).filter((href) =>
        !/^(?:https?|blob|data):/.test(href)
      ),
  }));
  assertEquals(found.pwned, undefined, where);
  assertEquals(found.elements, 0, where);
  assertEquals(found.links, [], where);
  assertEquals(tab.takeTrouble(), [], where);
}

/** Which of the fields each view must show. */
const VIEWS: Readonly<Record<string, readonly string[]>> = {
  "now": ["prompt", "agent"],
  "graph": ["prompt", "child"],
  "timeline": [],
  "stats": [],
  "agents": ["agent", "description"],
};

webTest("script in any field that a page shows is text", async (browser) => {
  await using box = await makeHostile();
  await using site = await serveBox(box.root);
  const [{ name }] = await site.get<{ name: string }[]>("/workspaces") as [{ name: string }];
  assert(nameOf(box).includes("<img"));
  const workspace = `/w/${encodeURIComponent(name)}`;
  const tab = await site.open(browser);
  const missing: string[] = [];
  const shows = async (where: string, text: string) => {
    await until(text, async () => (await textOf(tab)).includes(text))
      .catch(() => missing.push(`${where} does not show ${text}`));
  };
  const look = async (where: string, path: string, fields: readonly string[]) => {
    await tab.page.goto(`${site.origin}${path}`);
    await tab.page.locator("main h1, main h2, main table, main svg").first().waitFor();
    for (const field of fields) await shows(where, seenOf(field));
    await tab.shoot(`hostile-${where}`);
    await assertHarmless(tab, where);
  };
  for (const [view, fields] of Object.entries(VIEWS)) {
    await look(view, `${workspace}/${view}`, fields);
  }
  const said = ["prompt", "error", "details", "plan", "log", "label"];
  await look("task", `${workspace}/task/${box.hostile}`, said);
  await look("result", `${workspace}/task/${box.complete}`, ["done", "summary", "file"]);
  await look("stream", `${workspace}/task/${box.waiting}`, ["child", "said"]);
  await look("workspaces", "/workspaces", []);
  await shows("workspaces", "<img src=x onerror=");
  assertEquals(missing, []);
});

webTest("script in an address is text", async (browser) => {
  await using box = await makeHostile();
  await using site = await serveBox(box.root);
  const [{ name }] = await site.get<{ name: string }[]>("/workspaces") as [{ name: string }];
  const tab = await site.open(browser);
  const script = encodeURIComponent(evil("address"));
  for (
    const path of [
      `/w/${script}/now`,
      `/w/${
        encodeURIComponent(name)
      }/now?q=${script}&label=${script}&agent=${script}&status=${script}`,
      `/w/${encodeURIComponent(name)}/task/${script}`,
      `/w/${encodeURIComponent(name)}/${script}`,
      `/${script}`,
    ]
  ) {
    await tab.page.goto(`${site.origin}${path}`).catch(() => {});
    await tab.page.locator("body").waitFor();
    await tab.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    // What is not there may be told as such.
    tab.forgive(/40[04]/);
    await assertHarmless(tab, path);
  }
});
