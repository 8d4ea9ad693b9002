// Names of files as git has them: bytes, which need be no text. Here each is a string with a character for
// each byte, so that none is mistaken for another; `shown` is what people read.

import { ask, type GitOptions } from "./git.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The bytes of a name that git prints without `-z`, in quotes where it would not be plain ASCII. */
export function unquoted(printed: string): string {
  if (!printed.startsWith('"')) return printed;
  return printed.slice(1, -1).replace(
    /\\([0-7]{3}|.)/g,
    (_, what: string) =>
      what.length === 3 ? String.fromCharCode(parseInt(what, 8)) : ESCAPES[what] ?? what,
  );
}

/** What git takes for a name, or for several with NULs between them. */
export function bytesOf(names: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(names, (character) => character.charCodeAt(0));
}

/** A name as text; what is no text in it is replaced. */
export function shown(name: string): string {
  return new TextDecoder().decode(bytesOf(name));
}

/** A name as a program can ask for it; undefined where it is no text. */
export function asText(name: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesOf(name));
  } catch {
    return undefined;
  }
}

/**
 * The lines that git prints with names at their ends, in quotes where they would not be plain.
 *
 * @throws GitError where it failed
 */
export async function askNames(
  folder: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<string[]> {
  const text = await ask(folder, ["-c", "core.quotePath=true", ...args], options);
  return text.split("\n").filter((line) => line !== "");
}
