// Who is let in: each route of the table, asked by who must not ask. The requests are written byte by
// byte, for no client of HTTP lets a web page's headers be forged.

import { METRICS, pathOf, type Route, ROUTES } from "../../lib/web/routes.ts";
import { isSame } from "../../lib/web/auth.ts";
import { startServer } from "../../lib/web/serve.ts";
import { API, type WirePlace } from "../../lib/web/wire.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { BEARER, type Here, JSON_TYPE, requestText, serveHere, statusOf, TOKEN } from "./server.ts";

/** A path of a route that leads somewhere. */
function pathFor(route: Route): string {
  return pathOf(route).replace("{workspace}", "box").replace("{task}", "@last")
    .replace("{agent}", "shell").replace("{action}", "cancel");
}

interface Given {
  [header: string]: string | undefined;
}

/** Sends a request of a route; headers that are undefined are left out. */
function send(here: Here, route: Route, given: Given = {}): Promise<string> {
  const headers: Given = {
    host: `127.0.0.1:${here.port}`,
    ...BEARER,
    ...(route.method === "POST" ? JSON_TYPE : {}),
    ...given,
  };
  const sent = Object.entries(headers).filter(([, value]) => value !== undefined) as [
    string,
    string,
  ][];
  const body = route.method === "POST" ? "{}" : "";
  return here.raw(requestText(route.method, pathFor(route), Object.fromEntries(sent), body));
}

/** Routes that answer and go on; for the others the end of the answer is waited for. */
const ENDING = ROUTES.filter(({ path }) => path !== "/events");
/** What is answered to who may ask: the task here has no branch, and no changes. */
const ANSWERED = [200, 201, 400, 409];
const LOCKED = ROUTES.filter(({ token }) => token !== false);
const CHANGING = ROUTES.filter(({ changes }) => changes);

async function makeHere() {
  const box = await makeBox();
  await box.start("shell", "true");
  const here = await serveHere([{ name: "box", root: box.root }]);
  return {
    box,
    here,
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      await box[Symbol.asyncDispose]();
    },
  };
}

Deno.test("no route is answered without the token, or with a wrong one", async () => {
  await using place = await makeHere();
  const { here } = place;
  const wrong: Given[] = [
    { authorization: undefined },
    { authorization: "Bearer " },
    { authorization: "Bearer wrong" },
    { authorization: `Bearer ${TOKEN}x` },
    { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    { authorization: `Basic ${btoa(`x:${TOKEN}`)}` },
    { authorization: undefined, cookie: `orchestra-${here.port}=${TOKEN}` },
    { authorization: undefined, cookie: "orchestra-1=x; orchestra=y" },
  ];
  for (const route of LOCKED) {
    for (const given of wrong) {
      const answer = await send(here, route, given);
      assertEquals(statusOf(answer), 401, `${route.method} ${route.path} ${JSON.stringify(given)}`);
      assert(!answer.includes("task_"), answer);
    }
  }
  // What there is not tells nothing either.
  const path = `${API}/nothing/here`;
  const headers = { host: `127.0.0.1:${here.port}` };
  assertEquals(statusOf(await here.raw(requestText("GET", path, headers))), 401);
});

Deno.test("each route is answered with the token: the refusals above are for its lack", async () => {
  await using place = await makeHere();
  for (const route of ENDING) {
    if (route.token === false) continue;
    const status = statusOf(await send(place.here, route));
    assert(ANSWERED.includes(status), `${route.method} ${route.path}: ${status}`);
  }
});

Deno.test("a name that leads here by somebody's DNS is refused, whatever is asked for", async () => {
  await using place = await makeHere();
  const { here } = place;
  const hosts = [
    "evil.example",
    `evil.example:${here.port}`,
    `127.0.0.1.evil.example:${here.port}`,
    `localhost.evil.example:${here.port}`,
    `evil.example@127.0.0.1:${here.port}`,
    `127.0.0.1:${here.port + 1}`,
    "127.0.0.1",
    "localhost",
    `[::2]:${here.port}`,
    `0.0.0.0:${here.port}`,
    `127.0.0.1:${here.port}:1`,
    ":",
    "",
  ];
  for (const host of hosts) {
    for (const route of ROUTES) {
      const answer = await send(here, route, { host });
      assertEquals(statusOf(answer), 403, `${host} ${route.path}`);
    }
    for (const path of ["/", "/w/box/now", "/workspaces"]) {
      const answer = await here.raw(requestText("GET", path, { host, ...BEARER }));
      assertEquals(statusOf(answer), 403, `${host} ${path}`);
    }
  }
  // None at all is what HTTP/1.0 may send.
  const bare = await here.raw(`GET ${API} HTTP/1.0\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`);
  assertEquals(bare.includes(" 200 "), false, bare);
  for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]) {
    const answer = await send(here, ROUTES[0]!, { host: `${host}:${here.port}` });
    assertEquals(statusOf(answer), 200, host);
  }
});

Deno.test("another site's page neither reads nor changes anything, not even one on this machine", async () => {
  await using place = await makeHere();
  const { here } = place;
  for (const site of ["cross-site", "same-site", "nonsense"]) {
    for (const route of ROUTES) {
      const answer = await send(here, route, { "sec-fetch-site": site });
      assertEquals(statusOf(answer), 403, `${site} ${route.path}`);
    }
  }
  for (const route of CHANGING) {
    for (const origin of ["https://evil.example", "null", `http://127.0.0.1:${here.port + 1}`]) {
      const answer = await send(here, route, { origin });
      assertEquals(statusOf(answer), 403, `${origin} ${route.path}`);
    }
    // What a form can send.
    for (const type of ["text/plain", "application/x-www-form-urlencoded", undefined]) {
      const answer = await send(here, route, { "content-type": type });
      assertEquals(statusOf(answer), 415, `${type} ${route.path}`);
    }
  }
  const own = { "sec-fetch-site": "same-origin", origin: `http://127.0.0.1:${here.port}` };
  assertEquals(statusOf(await send(here, ROUTES[0]!, own)), 200);
});

Deno.test("nothing is told to other origins, and no answer is taken for something else", async () => {
  await using place = await makeHere();
  const { here } = place;
  const asked = { origin: "https://evil.example", "sec-fetch-site": undefined };
  const answers = await Promise.all([
    ...ENDING.map((route) => send(here, route, asked)),
    ...ENDING.map((route) => send(here, route)),
    here.raw(requestText("GET", "/", { host: `127.0.0.1:${here.port}` })),
    here.raw(requestText("GET", "/nothing", { host: `127.0.0.1:${here.port}` })),
    here.raw(requestText("OPTIONS", `${API}/workspaces`, { host: `127.0.0.1:${here.port}` })),
  ]);
  for (const answer of answers) {
    const [head = ""] = answer.split("\r\n\r\n");
    assert(!/^access-control-/im.test(head), head);
    for (
      const line of [
        /^x-content-type-options: nosniff/im,
        /^referrer-policy: no-referrer/im,
        /^cross-origin-opener-policy: same-origin/im,
        /^cross-origin-resource-policy: same-origin/im,
        /^content-security-policy: default-src 'none'/im,
      ]
    ) assertMatch(head, line);
  }
});

Deno.test("a change is made by its own method alone", async () => {
  await using place = await makeHere();
  const { here } = place;
  for (const route of CHANGING) {
    if (ROUTES.some(({ path, method }) => path === route.path && method === "GET")) continue;
    for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
      const headers = { host: `127.0.0.1:${here.port}`, ...BEARER, ...JSON_TYPE };
      const answer = await here.raw(requestText(method, pathFor(route), headers));
      assertEquals(statusOf(answer), 405, `${method} ${route.path}`);
    }
  }
  assertEquals(place.box.tasks().map(({ status }) => status), ["pending"]);
});

Deno.test("--read-only refuses every change, and gives out cookies all the same", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using here = await serveHere([{ name: "box", root: box.root }], { readOnly: true });
  for (const route of CHANGING) {
    if (route.token === false) continue;
    assertEquals(statusOf(await send(here, route)), 403, route.path);
  }
  const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ token: TOKEN }) };
  const response = await here.ask("/session", init);
  await response.body?.cancel();
  assertEquals(response.status, 200);
  assertEquals(box.task(id).status, "pending");
});

Deno.test("the token is exchanged for a cookie that scripts and other sites do not get", async () => {
  await using place = await makeHere();
  const { here } = place;
  const exchange = (token: unknown) =>
    here.ask("/session", { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ token }) });
  for (const wrong of ["", "wrong", null, 7, { length: TOKEN.length }, `${TOKEN} `]) {
    const refused = await exchange(wrong);
    assertEquals(refused.status, 401, JSON.stringify(wrong));
    assertEquals(refused.headers.get("set-cookie"), null);
    await refused.body?.cancel();
  }
  const response = await exchange(TOKEN);
  const { base } = await response.json() as WirePlace;
  const set = response.headers.get("set-cookie")!;
  assertMatch(base, /^\/s\/[0-9a-f]{64}$/);
  const form = new RegExp(
    `^orchestra-${here.port}=[0-9a-f]{64}; Path=${base}/; HttpOnly; SameSite=Strict$`,
  );
  assertMatch(set, form);
  assert(!set.includes(TOKEN) && !base.includes(TOKEN), set);
  const cookie = set.split(";")[0]!;
  // The place is no secret's other half: who has been told one of the two does not know the other.
  assert(!cookie.includes(base.slice(3)), set);
  const asked = async (path: string, given = cookie) => {
    const response = await fetch(`${here.origin}${path}`, { headers: { cookie: given } });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await asked(base + API), 200);
  // A program on another port may have set one of the same name: ours counts beside it.
  assertEquals(await asked(base + API, `orchestra-${here.port}=x; ${cookie}`), 200);
});

Deno.test("the cookie counts below its own path alone: elsewhere every port is sent it", async () => {
  await using place = await makeHere();
  const { here } = place;
  const body = JSON.stringify({ token: TOKEN });
  const response = await here.ask("/session", { method: "POST", headers: JSON_TYPE, body });
  const { base } = await response.json() as WirePlace;
  const cookie = response.headers.get("set-cookie")!.split(";")[0]!;
  const other = base.slice(0, -1) + (base.endsWith("0") ? "1" : "0");
  const given: Given = { host: `127.0.0.1:${here.port}`, cookie };
  const sent = async (method: string, path: string, headers: Given) => {
    const json = method === "POST" ? JSON_TYPE : {};
    const text = requestText(method, path, { ...headers, ...json } as Record<string, string>, "{}");
    return statusOf(await here.raw(text));
  };
  for (const route of LOCKED) {
    const path = pathFor(route);
    for (const before of ["", other, "/s/x", `${base}x`]) {
      assertEquals(await sent(route.method, before + path, given), 401, before + path);
    }
    // Nor does the place alone let in.
    assertEquals(await sent(route.method, base + path, { host: given.host }), 401, path);
    const secret = { ...given, cookie: cookie.slice(0, -1) };
    assertEquals(await sent(route.method, base + path, secret), 401, path);
    if (!ENDING.includes(route)) continue;
    const status = await sent(route.method, base + path, given);
    assert(ANSWERED.includes(status), `${base + path}: ${status}`);
    // Another site's page does not come in by it either.
    const forged = { ...given, "sec-fetch-site": "same-site" };
    assertEquals(await sent(route.method, base + path, forged), 403, path);
  }
});

Deno.test("a lent token opens one session, and no more", async () => {
  await using server = await startServer({
    list: () => [],
    everywhere: true,
    readOnly: false,
    host: "127.0.0.1",
    port: 0,
    token: TOKEN,
    keeper: () => Promise.resolve(() => true),
    program: "",
    page: { html: "", csp: "" },
  });
  const exchange = async (token: string) => {
    const url = `${server.address}api/v1/session`;
    const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ token }) };
    const response = await fetch(url, init);
    await response.body?.cancel();
    return response.status;
  };
  const { token, over } = server.lendToken();
  assertEquals(await exchange(token), 200);
  await over;
  assertEquals(await exchange(token), 401);
});

Deno.test("isSame says of any two texts whether they are the same", () => {
  for (const a of ["", "a", "b", "ab", "ba", "aa", "é", TOKEN]) {
    for (const b of ["", "a", "b", "ab", "ba", "aa", "é", TOKEN]) {
      assertEquals(isSame(a, b), a === b, `${a} ${b}`);
    }
  }
});

Deno.test("names in a path that lead elsewhere lead nowhere", async () => {
  await using place = await makeHere();
  const { here, box } = place;
  Deno.writeTextFileSync(`${box.root}/secret.log`, "secret");
  const names = [
    "..",
    "%2e%2e",
    "..%2f..%2fsecret",
    "%2e%2e%2fsecret.log",
    "task_1795331564659%00",
    "..%5csecret.log",
    "%ff",
    "%",
    "box%2ftasks",
    "__proto__",
    "constructor",
    "a".repeat(5000),
    encodeURIComponent("日本語"),
    encodeURIComponent("\u202e\x1b[31m"),
  ];
  const headers = { host: `127.0.0.1:${here.port}`, ...BEARER };
  for (const name of names) {
    for (
      const path of [
        `/workspaces/${name}/tasks`,
        `/workspaces/box/tasks/${name}`,
        `/workspaces/box/tasks/${name}/log`,
      ]
    ) {
      const answer = await here.raw(requestText("GET", API + path, headers));
      assert([400, 404].includes(statusOf(answer)), `${path}: ${answer.slice(0, 300)}`);
      assert(!answer.includes("secret\n") && !/\bat .*\.ts:\d/.test(answer), answer);
      assertStringIncludes(answer, "content-type: application/json");
    }
    for (
      const path of [`/workspaces/box/actions/${name}`, `/workspaces/box/agents/${name}/check`]
    ) {
      const answer = await here.raw(
        requestText("POST", API + path, { ...headers, ...JSON_TYPE }, '{"tasks":["@last"]}'),
      );
      assert([400, 404].includes(statusOf(answer)), `${path}: ${answer.slice(0, 300)}`);
    }
  }
  assertEquals(box.tasks().map(({ status }) => status), ["pending"]);
});

Deno.test("the metrics stand at the root, for who has the token", async () => {
  await using place = await makeHere();
  const response = await place.here.ask(METRICS);
  assertEquals(response.headers.get("content-type")?.split(";")[0], "application/openmetrics-text");
  assertStringIncludes(await response.text(), "orchestra_tasks{");
});
