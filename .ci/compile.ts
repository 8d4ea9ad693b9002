// `deno task compile [target…]`: one executable for each system, with its checksum beside it. Deno
// appends the program to a base runtime that it fetches from its own download host; where that host
// cannot be reached, DENORT_BIN may name a base runtime, for the target it is made for.

import { permissionFlags } from "../lib/permissions.ts";

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

/** Name of the file for a target. */
export function fileFor(target: string): string {
  return `dist/orchestra-${target}${target.includes("windows") ? ".exe" : ""}`;
}

/** The line that `sha256sum -c` checks a file by. */
export async function checksumLine(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  return `${hex}  ${path.slice(path.lastIndexOf("/") + 1)}\n`;
}

async function compile(target: string): Promise<boolean> {
  const path = fileFor(target);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--bundle",
      "--minify",
      ...permissionFlags(),
      "--target",
      target,
      "--output",
      path,
      "main.ts",
    ],
    stderr: "piped",
  }).output();
  if (success) {
    await Deno.writeTextFile(`${path}.sha256`, await checksumLine(path));
    console.log(`${path}: compiled`);
    return true;
  }
  const text = new TextDecoder().decode(stderr).trim();
  const unreachable = /dl\.deno\.land|dns error|error sending request|connect/i.test(text);
  console.error(
    unreachable
      ? `${target}: the base runtime could not be fetched from Deno's download host. ` +
        "Give one in DENORT_BIN, or run this where the host can be reached."
      : `${target}: ${text}`,
  );
  return false;
}

if (import.meta.main) {
  const wanted = Deno.args.length > 0 ? Deno.args : TARGETS;
  await Deno.mkdir("dist", { recursive: true });
  const done: boolean[] = [];
  for (const target of wanted) done.push(await compile(target));
  Deno.exit(done.every(Boolean) ? 0 : 1);
}
