// The browser of the tests itself: that it sees what it is there to see.

/// <reference lib="dom" />

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { processesWith } from "../support/processes.ts";
import { CHROMIUM, openBrowser, runAxe, SIZES, until, webTest } from "./browser.ts";
import { test } from "../support/needs.ts";

const POLICY = "default-src 'none'; script-src 'nonce-a'; style-src 'nonce-a'; connect-src *";

/** A server of one document, with a policy as strict as the page's. */
function serve(html: string): { url: string } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response(html, {
        headers: { "content-type": "text/html", "content-security-policy": POLICY },
      }),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

webTest("a page is opened at each size, in each scheme", async (browser) => {
  await using server = serve("<!doctype html><title>Hello</title><p>text");
  for (const size of ["phone", "laptop", "wide"] as const) {
    for (const scheme of ["light", "dark"] as const) {
      const tab = await browser.open({ url: server.url, size, scheme });
      assertEquals(await tab.page.title(), "Hello");
      const seen = await tab.page.evaluate(() => ({
        width: innerWidth,
        height: innerHeight,
        dark: matchMedia("(prefers-color-scheme: dark)").matches,
      }));
      assertEquals(seen, { ...SIZES[size], dark: scheme === "dark" });
      assert(await tab.heap() > 0);
      await tab.close();
    }
  }
});

webTest("complaints, errors and requests to elsewhere are trouble", async (browser) => {
  await using other = serve("");
  await using server = serve(`<!doctype html><title>x</title><script nonce=a>
    console.error("oh"); fetch("${other.url}?leak").catch(() => {});
    setTimeout(() => { throw new Error("no") })</script>`);
  const tab = await browser.open({ url: server.url });
  const [longest] = await until("a long task", async () => {
    // One that comes while the page is being read is not always told of.
    await tab.page.evaluate(() =>
      new Promise<void>((resolve) =>
        setTimeout(() => {
          for (const end = performance.now() + 120; performance.now() < end;);
          resolve();
        })
      )
    );
    const tasks = await tab.longTasks();
    return tasks.length > 0 && tasks;
  });
  await tab.meets(/console: oh/);
  await tab.meets(/elsewhere: .*\?leak/);
  await tab.meets(/error: no/);
  tab.forgive(/ERR_FAILED|CORS policy/);
  assert(longest! >= 100);
});

webTest("axe finds what is wrong, whatever the policy", async (browser) => {
  await using server = serve(
    "<!doctype html><html lang=en><title>x</title><main><h1>x</h1><input>",
  );
  const tab = await browser.open({ url: server.url });
  assertMatch((await runAxe(tab.page)).join("\n"), /^label: /m);
});

test("the browser ends with the test, even if it fails", CHROMIUM, async () => {
  const mark = `--mark=${crypto.randomUUID()}`;
  try {
    await using browser = await openBrowser([mark]);
    await browser.open();
    assert(processesWith("cmdline", [mark]).length > 0);
    throw new Error("on purpose");
  } catch (error) {
    assertMatch(String(error), /on purpose/);
  }
  assertEquals(processesWith("cmdline", [mark]), []);
});
