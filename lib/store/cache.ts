// What checking a person's file found, kept until the file or the program changes: the check takes
// longer than launching an agent. Beside the truth, never in its place: it can be deleted, and
// where it cannot be read or written everything works without.

import type { Store } from "./tasks.ts";
import { VERSION } from "../task/version.ts";

/**
 * The value of a file's text, from the cache where it holds this very text.
 *
 * @param store the workspace
 * @param name what the file is, for the name of the cache: `.orchestra/<name>.cache.json`
 * @param text content of the file
 * @param parse checks the text; its value must survive JSON
 */
export async function parseCached<T>(
  store: Store,
  name: string,
  text: string,
  parse: () => Promise<T>,
): Promise<T> {
  const path = `${store.dir}/${name}.cache.json`;
  const key = `${VERSION} ${text.length} ${hash(text)}`;
  try {
    const cache = JSON.parse(store.readFile(path) ?? "null");
    if (cache?.key === key && cache.value !== undefined) return cache.value;
  } catch {
    // Not ours, or damaged: made anew.
  }
  const value = await parse();
  try {
    store.writeFile(path, JSON.stringify({ key, value }) + "\n");
  } catch {
    // A workspace that cannot be written to works without.
  }
  return value;
}

/** 53 bits that differ where texts do; against mistakes, not against malice (after FNV-1a). */
function hash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b) ^ (b >>> 13);
  }
  return ((a >>> 0) * 0x200000 + (b >>> 11)).toString(36);
}
