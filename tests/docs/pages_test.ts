// The pages: their generated parts are current, and their links lead somewhere.

import { generate } from "../../docs/generate.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { PAGES, ROOT } from "../support/pages.ts";

Deno.test("the generated parts of the documentation are current", async () => {
  const generated = await generate();
  for (const [name, text] of generated) {
    let found: string | undefined;
    try {
      found = Deno.readTextFileSync(new URL(name, ROOT));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    assert(
      text === found,
      `${name} is not current; bring it up to date with: deno run -A docs/generate.ts`,
    );
  }
  for (const { name } of Deno.readDirSync(new URL("docs/schemas/", ROOT))) {
    assert(generated.has(`docs/schemas/${name}`), `docs/schemas/${name} is made by nothing`);
  }
});

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replace(/[`*_]/g, "").toLowerCase()
    .replace(/[^\p{L}\p{N}\- ]/gu, "").replaceAll(" ", "-");
}

function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutCode(text, false).matchAll(/^#{1,6} +(.+)$/gm)) {
    const anchor = anchorOf(heading!);
    let unique = anchor;
    for (let number = 1; anchors.has(unique); number++) unique = `${anchor}-${number}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(text: string, inline = true): string {
  const outside = text.replace(/^```[^]*?^```$/gm, "");
  return inline ? outside.replace(/`[^`\n]*`/g, "") : outside;
}

Deno.test("every internal link of the documentation leads somewhere", () => {
  const problems: string[] = [];
  for (const [name, text] of PAGES) {
    const links = withoutCode(text).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g);
    for (const [, target] of links) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path = "", anchor] = target!.split("#");
      const file = path === ""
        ? name
        : new URL(path, new URL(name, ROOT)).href.slice(ROOT.href.length);
      const found = PAGES.get(file);
      if (found === undefined) {
        try {
          Deno.statSync(new URL(file, ROOT));
        } catch {
          problems.push(`${name}: ${target}: there is no such file`);
        }
      } else if (anchor !== undefined && !anchorsOf(found).has(anchor)) {
        problems.push(`${name}: ${target}: there is no such heading`);
      }
    }
  }
  assertEquals(problems, []);
});
