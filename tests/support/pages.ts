// The pages of the documentation, and the blocks in them.

import { assert, assertEquals } from "./assert.ts";
import { filePath } from "./file_path.ts";

export const ROOT = new URL("../../", import.meta.url);
export const ROOT_PATH = filePath(ROOT);

/** All pages, by their path from the root. */
function listPages(): Map<string, string> {
  const names = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
  for (const { name } of Deno.readDirSync(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) names.push(`docs/${name}`);
  }
  return new Map(names.sort().map((name) => [name, Deno.readTextFileSync(new URL(name, ROOT))]));
}

export const PAGES = listPages();

export function page(name: string): string {
  const text = PAGES.get(name);
  assert(text !== undefined, `there is no page ${name}`);
  return text;
}

interface Block {
  page: string;
  line: number;
  language: string;
  text: string;
}

export function listBlocks(...languages: string[]): Block[] {
  const blocks: Block[] = [];
  for (const [name, text] of PAGES) {
    let open: Block | undefined;
    for (const [at, line] of text.split("\n").entries()) {
      const fence = /^```(\S*)/.exec(line);
      if (open === undefined) {
        if (fence !== null) open = { page: name, line: at + 1, language: fence[1]!, text: "" };
      } else if (fence !== null) {
        if (languages.includes(open.language)) blocks.push(open);
        open = undefined;
      } else open.text += `${line}\n`;
    }
    assertEquals(open, undefined, `${name}: a block is not closed`);
  }
  return blocks;
}

export function place({ page, line }: Block): string {
  return `${page}, block at line ${line}`;
}

export const SOME_ID = "task_1795331564659";
