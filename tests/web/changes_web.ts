// What a task changed, as the page shows it: at each size, light and dark, by keys alone, and with names and
// contents that want to be more than text.

/// <reference lib="dom" />

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { runAxe, type Scheme, type Size, SIZES, type Tab, until, webTest } from "./browser.ts";
import { overflow } from "./overflow.ts";
import { type ChangedBox, makeChanged } from "./changes.ts";
import { nameOf, serveBox } from "./support.ts";

const lines = (from: number, to: number, text = (n: number) => `line ${n}`) =>
  Array.from({ length: to - from + 1 }, (_, at) => `${text(from + at)}\n`).join("");

const CODE = `import { parse } from "./parse.ts";

/** How many words a text has. */
export function countWords(text: string): number {
  const words = parse(text).filter((token) => token.kind === "word");
  return words.length;
}

export const LIMIT = 100;
`;

/** A repository in which a task changed something of everything. */
async function makeReviewed(): Promise<ChangedBox & { id: string }> {
  const changed = await makeChanged({
    "src/count.ts": CODE,
    "src/old_name.ts": lines(1, 30),
    "src/gone.ts": lines(1, 5),
    "docs/long.md": lines(1, 600),
    "run.sh": "#!/bin/sh\necho one\n",
  });
  const { id } = await changed.task({
    "src/count.ts": CODE.replace('kind === "word"', 'kind === "word" && !token.hidden')
      .replace("LIMIT = 100;", "LIMIT = 250;\nexport const LEAST = 1;"),
    "src/old_name.ts": null,
    "src/new_name.ts": lines(1, 30).replace("line 12\n", "line twelve\n"),
    "src/gone.ts": null,
    "docs/long.md": lines(
      1,
      600,
      (n) => `row ${n} ${"of a text that is long enough to wrap ".repeat(3)}`,
    ),
    "image.bin": "PNG\0\x01\x02",
    "no_end.txt": "the last line has no end",
  });
  return { ...changed, id };
}

const shownText = (tab: Tab) => tab.page.locator(".diff").innerText();

for (const size of Object.keys(SIZES) as Size[]) {
  for (const scheme of ["light", "dark"] as Scheme[]) {
    webTest(`what a task changed is in order, ${size}, ${scheme}`, async (browser) => {
      await using changed = await makeReviewed();
      await using site = await serveBox(changed.box.root);
      const path = `/w/${nameOf(changed.box)}/task/${changed.id}?show=changes`;
      const tab = await site.open(browser, path, { size, scheme });
      await until("the changes", async () => /LEAST/.test(await shownText(tab)));
      await tab.shoot(`changes-${size}-${scheme}`);
      const findings = [...await overflow(tab), ...await runAxe(tab.page)];
      if (size !== "phone") {
        await tab.page.getByRole("button", { name: "Side by side" }).click();
        await until("two columns", async () => await tab.page.locator(".split").count() > 0);
        await tab.shoot(`changes-split-${size}-${scheme}`);
        findings.push(...await overflow(tab), ...await runAxe(tab.page));
      }
      assertEquals(findings, []);
    });
  }
}

webTest("changes are gone to and read by keys alone", async (browser) => {
  await using changed = await makeReviewed();
  await using site = await serveBox(changed.box.root);
  const tab = await site.open(browser, `/w/${nameOf(changed.box)}/task/${changed.id}`);
  const focused = () => tab.page.evaluate(() => document.activeElement?.textContent ?? "");
  await until("the log", async () => await tab.page.locator(".log").count() > 0);
  assertStringIncludes(await tab.page.locator(".tabs").innerText(), "Changes (");
  await tab.page.keyboard.press("c");
  await until("the changes", async () => /LEAST/.test(await shownText(tab)));
  assertStringIncludes(tab.page.url(), "?show=changes");
  await tab.page.keyboard.press("ArrowLeft");
  await until("the log", async () => await tab.page.locator(".log").count() > 0);
  await tab.page.keyboard.press("ArrowRight");
  await until("the changes", async () => /LEAST/.test(await shownText(tab)));
  // The first file is the long one, which is folded and read when it is unfolded.
  await tab.page.keyboard.press("]");
  assertStringIncludes(await focused(), "docs/long.md");
  assert(!/row 77 /.test(await shownText(tab)));
  await tab.page.keyboard.press("Enter");
  await until("the long file", async () => /row 77 /.test(await shownText(tab)));
  await tab.page.keyboard.press("]");
  assertStringIncludes(await focused(), "image.bin");
  await tab.page.keyboard.press("[");
  assertStringIncludes(await focused(), "docs/long.md");
  await tab.page.keyboard.press("Enter");
  await until("it to be folded", async () => !/row 77 /.test(await shownText(tab)));
  await tab.page.keyboard.press("s");
  await until("two columns", async () => await tab.page.locator(".split").count() > 0);
  // It stays so, and what was the address shows the same again.
  await tab.page.reload();
  await until("two columns again", async () => await tab.page.locator(".split").count() > 0);
});

webTest("what is not committed is read again when that is asked for", async (browser) => {
  await using changed = await makeChanged({ "a.txt": "one\n" });
  const { id, path } = await changed.task({ "a.txt": "two\n" }, {
    running: true,
    change: { notBefore: new Date(Date.now() + 3_600_000).toISOString() },
  });
  await using site = await serveBox(changed.box.root);
  const tab = await site.open(browser, `/w/${nameOf(changed.box)}/task/${id}?show=changes`);
  await until("the changes", async () => /two/.test(await shownText(tab)));
  assertStringIncludes(await shownText(tab), "its worktree");
  changed.write(path, { "b.txt": "three\n" });
  await tab.page.getByRole("button", { name: "Read again" }).click();
  await until("the new file", async () => /three/.test(await shownText(tab)));
});

webTest("names and contents of changed files are text, whatever they are", async (browser) => {
  const evil = (word: string) => `${word}"'><img src=x onerror="globalThis.pwned='${word}'">`;
  await using changed = await makeChanged({ "a.txt": "one\n" });
  const name = evil("name").replaceAll("/", "");
  const { id } = await changed.task({
    [name]: `${evil("content")}\n<script>globalThis.pwned='script'</script>\n`,
    "turned.c": "if (admin\u202e ) \u2066begin\u2069\x1b[2J\rgone\n",
    "line\nbreak": "\u2028diff --git a/fake b/fake\n@@ -1 +1 @@\n",
  });
  await using site = await serveBox(changed.box.root);
  const tab = await site.open(browser, `/w/${nameOf(changed.box)}/task/${id}?show=changes`);
  await until("the changes", async () => /script>/.test(await shownText(tab)));
  const text = await shownText(tab);
  for (const seen of [name, evil("content"), "U+202E", "U+2066", "\\e[2J\\rgone", "line\\nbreak"]) {
    assertStringIncludes(text.replace(/\s+/g, " "), seen);
  }
  assertStringIncludes(text, "3 files");
  assertEquals(await tab.page.locator(".diff img, .diff script").count(), 0);
  assertEquals(await tab.page.evaluate(() => (globalThis as { pwned?: string }).pwned), undefined);
  await tab.shoot("changes-hostile");
});

webTest("many changes and large ones are listed, folded and drawn in portions", async (browser) => {
  await using changed = await makeChanged({ "a.txt": "one\n" });
  const { id } = await changed.task({
    ...Object.fromEntries(
      Array.from({ length: 1100 }, (_, at) => [`many/${1000 + at}.txt`, lines(1, 30)]),
    ),
    "a large file.txt": lines(1, 30_000),
    "a long line.txt": `${"word ".repeat(300_000)}\n`,
  });
  await using site = await serveBox(changed.box.root);
  const tab = await site.open(browser, `/w/${nameOf(changed.box)}/task/${id}?show=changes`);
  await until("the changes", async () => /1,102 files/.test(await shownText(tab)));
  const heads = tab.page.locator(".diff-head");
  assertEquals(await heads.count(), 1000);
  assertStringIncludes(
    await tab.page.locator(".diff-box > .diff-none").innerText(),
    "And 102 more",
  );
  // Some are unfolded, and by far not all.
  assert(await tab.page.locator(".diff-lines").count() < 60);
  await heads.nth(999).click();
  const last = tab.page.locator(".diff-file").nth(999);
  await until("the last one", async () => /line 30\b/.test(await last.innerText()));
  // A line of any length is cut, and a file of any length is drawn in portions.
  const line = tab.page.locator(".diff-file", { hasText: "a long line.txt" });
  await until(
    "the long line",
    async () => /1,498,000 more characters/.test(await line.textContent() ?? ""),
  );
  const large = tab.page.locator(".diff-file", { hasText: "a large file.txt" });
  await large.locator(".diff-head").click();
  await until("the large file", async () => /line 1000$/m.test(await large.innerText()));
  assert(!/line 1001\b/.test(await large.innerText()));
  await large.getByRole("button", { name: "1,000 of 29,000 more lines" }).click();
  await until("more of it", async () => /line 2000\b/.test(await large.innerText()));
  assertEquals(await overflow(tab), []);
});
