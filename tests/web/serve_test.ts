// `orchestra serve` as its users meet it: a real process, what it prints, and how it ends.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox, runProgram, withPatience } from "../support/program.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { lstat } from "../../lib/store/files.ts";
import { WINDOWS } from "../support/execute.ts";
import { MAIN } from "../support/spawn.ts";

const ADDRESS = /^http:\/\/127\.0\.0\.1:(\d+)\/#token=(\S+)\n$/;

/** A token of the user's own. */
const MINE = "mine".repeat(4);

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

Deno.test("serve prints one address, serves the page and the API there, and ends with Ctrl+C", async () => {
  await using box = await makeBox();
  const port = freePort();
  await using live = box.live({}, "serve", "--port", String(port));
  const printed = await live.printed((text) => text.endsWith("\n"));
  const [, at, token] = ADDRESS.exec(printed)!;
  assertEquals(at, String(port));
  assert(token!.length >= 32, token);
  const page = await fetch(`http://127.0.0.1:${port}/w/x/now`);
  const csp = page.headers.get("content-security-policy")!;
  assertMatch(csp, /script-src 'sha256-[\w+/]+=*'/);
  assertMatch(csp, /frame-ancestors 'none'/);
  assertStringIncludes(await page.text(), '<div id="app">');
  const headers = { authorization: `Bearer ${token}` };
  const about = await (await fetch(`http://127.0.0.1:${port}/api/v1`, { headers })).json();
  assertEquals(about.workspaces.length, 1);
  // Somebody listens, and a request has no end: it goes all the same.
  const stream = await fetch(`http://127.0.0.1:${port}/api/v1/events`, { headers });
  using idle = await Deno.connect({ hostname: "127.0.0.1", port });
  await idle.write(new TextEncoder().encode("POST /api/v1/session HTTP/1.1\r\n"));
  live.kill("SIGINT");
  const { code, stderr } = await withPatience("its end", live.ended());
  assertEquals([code, stderr], [130, ""]);
  await stream.body?.cancel().catch(() => {});
});

Deno.test("serve takes a free port where ours is taken, and says so where one was asked for", async () => {
  await using box = await makeBox();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const failure = await box.fails(5, "serve", "--port", String(port));
  assertEquals(failure.message, `Port ${port} is taken by another program`);
  // Whichever of the two is first has the port that is ours.
  await using one = box.live({ env: { ORCHESTRA_TOKEN: MINE } }, "--json", "serve");
  await using two = box.live({ env: { ORCHESTRA_TOKEN: MINE } }, "--json", "serve");
  const whole = (text: string) => text.endsWith("}\n");
  const said = await Promise.all(
    [one, two].map(async (live) => JSON.parse(await live.printed(whole))),
  );
  assert(said[0].port !== said[1].port);
  for (const { url, address, port, token } of said) {
    assertEquals([url, address], [`${address}#token=${MINE}`, `http://127.0.0.1:${port}/`]);
    assertEquals(token, MINE);
    const { message } = await box.fails(5, "serve", "--port", String(port));
    assertEquals(message, `Port ${port} is taken by another orchestra serve`);
  }
  for (const live of [one, two]) live.kill("SIGTERM");
  for (const live of [one, two]) await live.ended();
});

Deno.test("serve says what it means to be reached by others, and then is", async () => {
  await using box = await makeBox();
  const env = { ORCHESTRA_TOKEN: MINE };
  await using live = box.live({ env }, "serve", "--host", "0.0.0.0", "--port", "0");
  const printed = await live.printed((text) => text.endsWith("\n"));
  assertStringIncludes(live.stderr(), "is not encrypted");
  const port = Number(/:(\d+)\//.exec(printed)![1]);
  const headers = { authorization: `Bearer ${MINE}` };
  // An address of this machine is not somebody's name; a name may be.
  const answer = await fetch(`http://127.0.0.2:${port}/api/v1`, { headers });
  assertEquals(answer.status, 200);
  await answer.body?.cancel();
  live.kill("SIGINT");
  await live.ended();
});

Deno.test("serve says what it needs where it may not listen, or there is nothing to serve", async () => {
  await using box = await makeBox();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...permissionFlags(), MAIN, "serve"],
    cwd: box.root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 5, text);
  assertStringIncludes(text, "permissions forbid listening");
  assertStringIncludes(text, "deno run -A");
  const nowhere = await Deno.makeTempDir();
  const outcome = await runProgram(nowhere, ["serve"]);
  assertEquals(outcome.code, 3);
  assertStringIncludes(outcome.stderr, "orchestra init");
  await Deno.remove(nowhere);
});

Deno.test("while somebody looks and nobody watches, a supervisor is left for what runs", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "sleep 600", "--timeout", "10m");
  await box.ok("run");
  for (const pid of box.supervisors()) Deno.kill(pid, "SIGKILL");
  await box.unwatched();
  await using live = box.live({ env: { ORCHESTRA_TOKEN: MINE } }, "serve", "--port", "0");
  const printed = await live.printed((text) => text.endsWith("\n"));
  const headers = { authorization: `Bearer ${MINE}` };
  const url = new URL(printed);
  await (await fetch(`${url.origin}/api/v1/workspaces`, { headers })).text();
  await box.until("a supervisor", () => box.supervisors().length > 0);
  // And one that is cancelled from here ends with all its processes, though nobody watches again.
  for (const pid of box.supervisors()) Deno.kill(pid, "SIGKILL");
  await box.unwatched();
  const [{ name }] = await (await fetch(`${url.origin}/api/v1/workspaces`, { headers })).json();
  const order = `${url.origin}/api/v1/workspaces/${encodeURIComponent(name)}/actions/cancel`;
  const init = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ tasks: [id] }),
  };
  assertEquals((await (await fetch(order, init)).json()).results[0].ok, true);
  assertEquals((await box.settled(id)).status, "cancelled");
  live.kill("SIGINT");
  await live.ended();
  await box.unwatched();
});

Deno.test("--open hands on a file that only the user can read, whose token opens one session", async () => {
  await using box = await makeBox();
  const file = `${box.root}/opened`;
  Deno.mkdirSync(`${box.root}/bin`);
  const [opener, script] = WINDOWS
    ? [
      "rundll32.cmd",
      `@echo %~2>"${file}.tmp"\r\n@move /y "${file}.tmp" "${file}" >nul\r\n@ping -n 600 127.0.0.1 >nul\r\n`
        .replaceAll("/opened", "\\opened"),
    ]
    : [
      Deno.build.os === "darwin" ? "open" : "xdg-open",
      `#!/bin/sh\nprintf %s "$*" >'${file}.tmp' && mv '${file}.tmp' '${file}'\nsleep 600\n`,
    ];
  Deno.writeTextFileSync(`${box.root}/bin/${opener}`, script, { mode: 0o755 });
  const state = `${box.root}/state`;
  // Somebody made it before, for all to read.
  Deno.mkdirSync(`${state}/orchestra/open`, { recursive: true, mode: 0o755 });
  const env = {
    PATH: `${box.root}/bin${WINDOWS ? ";" : ":"}${Deno.env.get("PATH")}`,
    ORCHESTRA_ROOT: box.root,
    XDG_STATE_HOME: state,
  };
  await using live = box.live({ env }, "serve", "--open", "--port", "0");
  const printed = await live.printed((text) => text.endsWith("\n"));
  const path = await box.until("the browser", () => {
    try {
      const opened = Deno.readTextFileSync(file).trimEnd();
      return WINDOWS ? opened.replaceAll("\\", "/") : opened;
    } catch {
      return undefined;
    }
  });
  const folder = `${WINDOWS ? state.replaceAll("\\", "/") : state}/orchestra/open/`;
  assert(path.startsWith(folder) && path.endsWith(".html"), path);
  // What only the user may read says the folder's access control list on Windows.
  if (!WINDOWS) {
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals(Deno.statSync(folder).mode! & 0o777, 0o700);
  }
  const address = /url=(http:[^"]+)"/.exec(Deno.readTextFileSync(path))![1]!;
  const [own, lent] = [printed.trim(), address].map((address) => new URL(address));
  assertEquals(own!.origin, lent!.origin);
  assert(own!.hash !== lent!.hash, "the server's own token is lent");
  const token = lent!.hash.slice("#token=".length);
  assert(token.length > 20 && !path.includes(token), "a token is on a command line");
  const exchange = async () => {
    const response = await fetch(`${lent!.origin}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await exchange(), await exchange()], [200, 401]);
  await box.until("the file to be gone", () => lstat(path) === undefined);
  live.kill("SIGINT");
  assertEquals((await withPatience("its end", live.ended())).code, 130);
});

Deno.test("what --open wrote is gone with the server", async () => {
  await using box = await makeBox();
  const state = `${box.root}/state`;
  const env = { PATH: box.root, ORCHESTRA_ROOT: box.root, XDG_STATE_HOME: state };
  await using live = box.live({ env }, "serve", "--open", "--port", "0");
  const printed = await live.printed((text) => text.endsWith("\n"));
  const path = `${state}/orchestra/open/${new URL(printed.trim()).port}.html`;
  await box.until("the file", () => lstat(path) !== undefined);
  live.kill("SIGINT");
  assertEquals((await withPatience("its end", live.ended())).code, 130);
  assertEquals(lstat(path), undefined);
});

Deno.test("a token of the user's own that can be guessed is refused", async () => {
  await using box = await makeBox();
  const env = { ORCHESTRA_TOKEN: "x".repeat(15) };
  const { code, stderr } = await box.runWith({ env }, "serve", "--port", "0");
  assertEquals(code, 5);
  assertStringIncludes(stderr, "ORCHESTRA_TOKEN has 15 characters, and 16 are the fewest");
});

Deno.test("no agent has the token, whoever launches it", async () => {
  await using box = await makeBox();
  const options = { env: { ORCHESTRA_TOKEN: MINE } };
  const prints = 'echo "token <$ORCHESTRA_TOKEN>"';
  const logOf = async (id: string) => {
    await box.settled(id);
    return await box.ok("logs", id);
  };
  const here = await box.start("shell", prints);
  assertEquals((await box.runWith(options, "run", "--all", "--wait")).code, 0);
  assertStringIncludes(await logOf(here), "token <>");
  await using live = box.live(options, "--json", "serve", "--port", "0");
  const { address } = JSON.parse(await live.printed((text) => text.endsWith("}\n")));
  const name = box.root.split(/[/\\]/).at(-1);
  const there = await box.start("shell", prints);
  const answer = await fetch(`${address}api/v1/workspaces/${name}/run`, {
    method: "POST",
    headers: { authorization: `Bearer ${MINE}`, "content-type": "application/json" },
    body: "{}",
  });
  assertEquals(answer.ok, true, await answer.text());
  assertStringIncludes(await logOf(there), "token <>");
  live.kill("SIGINT");
  await live.ended();
});
