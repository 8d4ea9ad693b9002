// `deno task compile [--output folder] [target…]`: one executable for each system, with its checksum
// beside it. Deno appends the program to a base runtime that it fetches from its own download host;
// where that host cannot be reached, DENORT_BIN may name a base runtime, for the one target it is
// made for. What cannot be made is said, and the exit code is 1.

// @ts-types="../lib/text/std.d.ts"
import { basename } from "@std/path/posix/basename";
import { permissionFlags } from "../lib/supervise/permissions.ts";
import { TOKEN_VARIABLE } from "../lib/cli/token.ts";
import { bundle, bundleWeb, V8_FLAGS, WEB_ASSET } from "./bundle.ts";

/** What is compiled when no target is named. */
export const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const USAGE = `usage: deno task compile [--output folder] [target…]\ntargets: ${TARGETS.join(" ")}`;

/** Name of the file for a target. */
export function fileFor(target: string): string {
  return `orchestra-${target}${target.includes("windows") ? ".exe" : ""}`;
}

/** The line that `sha256sum -c` checks a file by. */
export async function checksumLine(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  return `${hex}  ${basename(path)}\n`;
}

/** Why Deno could not compile, in a sentence. */
function reason(stderr: string): string {
  // Deno says this step's name only when it fetches the base runtime or unpacks it.
  const url = /Setting up base binary[\s\S]*?url \((\S+?)\)/.exec(stderr)?.[1];
  if (url !== undefined) {
    return `the base runtime could not be fetched from ${url}. ` +
      "Give one in DENORT_BIN, or run this where the host can be reached.";
  }
  const missing = /Could not find denort at '(.*)'/.exec(stderr)?.[1];
  if (missing !== undefined) return `DENORT_BIN names no file: ${missing}`;
  return stderr.replace(/\n\s*Stack backtrace:[\s\S]*$/, "").trim();
}

/** The server and its page, which the program imports from beside it. */
const besideOf = (program: string) => program.replace(/[^/]*$/, WEB_ASSET);

async function compile(program: string, target: string, folder: string): Promise<boolean> {
  const path = `${folder}/${fileFor(target)}`;
  // To Deno, an empty DENORT_BIN is a file too.
  const { DENORT_BIN, ...env } = Deno.env.toObject();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    // Of the network only the processes that deliver and that serve make use; all others drop it when they
    // begin. The page's token is not in the first line of the one file, which is at its full length.
    args: ["compile", "--no-config", V8_FLAGS, ...permissionFlags([TOKEN_VARIABLE]), "--allow-net"]
      .concat(["--include", besideOf(program), "--target", target, "--output", path, program]),
    env: { ...env, ...(DENORT_BIN ? { DENORT_BIN } : {}), NO_COLOR: "1" },
    clearEnv: true,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    console.error(`${target}: ${reason(new TextDecoder().decode(stderr))}`);
    return false;
  }
  await Deno.writeTextFile(`${path}.sha256`, await checksumLine(path));
  console.log(`${path}: compiled`);
  return true;
}

async function main(args: string[]): Promise<number> {
  const folder = args[0] === "--output" ? args.splice(0, 2)[1] : "dist";
  if (!folder || args.some((target) => !TARGETS.includes(target))) {
    console.error(USAGE);
    return 2;
  }
  if (Deno.env.get("DENORT_BIN") && args.length !== 1) {
    console.error("DENORT_BIN is the base runtime of one system: name that target, and no other.");
    return 2;
  }
  await Deno.mkdir(folder, { recursive: true });
  // All are made of the file that `deno task bundle` makes.
  const work = await Deno.makeTempDir({ prefix: "orchestra-compile-" });
  try {
    const program = `${work}/orchestra.js`;
    if (!await bundle(program)) return 1;
    if (!await bundleWeb(besideOf(program))) return 1;
    const made: boolean[] = [];
    for (const target of args.length > 0 ? args : TARGETS) {
      made.push(await compile(program, target, folder));
    }
    return made.every(Boolean) ? 0 : 1;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main([...Deno.args]));
