// A reader of Markdown, as far as reports are concerned.

import { assert, assertEquals } from "./assert.ts";

/** The cells of a row of a table by GitHub's rules: a bar ends a cell unless a backslash escapes it. */
export function cellsOf(line: string): string[] {
  const cells = [""];
  for (const [piece] of line.matchAll(/\\?[\s\S]/g)) {
    if (piece === "|") cells.push("");
    else cells.push(cells.pop()! + piece);
  }
  assertEquals([cells[0], cells.at(-1)], ["", ""], line);
  return cells.slice(1, -1).map((cell) => cell.trim());
}

/** The text that is shown for inline Markdown in which every mark is escaped. */
export function shownText(inline: string): string {
  const bare = inline.replace(/\\[!-/:-@[-`{-~]/g, "");
  assert(!/[\\`*_[\]<>|~]/.test(bare), `a mark that is not escaped in ${JSON.stringify(inline)}`);
  return inline.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}

/** Lines outside of fenced blocks, and the blocks: the rules of CommonMark for fences. */
export function splitFences(page: string): { lines: string[]; blocks: string[] } {
  const lines: string[] = [];
  const blocks: string[] = [];
  let fence: string | undefined;
  let block: string[] = [];
  for (const line of page.split("\n")) {
    if (fence === undefined) {
      const opened = /^ {0,3}(`{3,})[^`]*$/.exec(line);
      if (opened === null) lines.push(line);
      else fence = opened[1];
    } else if (
      /^ {0,3}`{3,}[ \t]*$/.test(line) && line.trim().length >= fence.length
    ) {
      blocks.push(block.join("\n"));
      block = [];
      fence = undefined;
    } else block.push(line);
  }
  assertEquals(fence, undefined, "a fence that is never closed");
  return { lines, blocks };
}
