// `deno task bundle [--output file]`: the whole program as one minified file, `dist/orchestra.js`,
// that starts itself with the permissions it needs and no others; and beside it `orchestra-web.js`, the
// server with its page, which only `serve` loads, and `orchestra.cmd`, by which Windows starts the one
// file. They need no network and no cache.

import { minify } from "terser";
import { calledFunctions, compileEagerly } from "./eager.ts";
import { permissionFlags } from "../lib/supervise/permissions.ts";
import { buildPage } from "../lib/web/build.ts";

const USAGE = "usage: deno task bundle [--output file]";

/** Stands in `lib/task/version.ts` where the commit goes. */
const PLACEHOLDER = "@commit@";

/** The commit that is checked out; undefined where git cannot tell. */
function commit(): string | undefined {
  try {
    const { success, stdout } = new Deno.Command("git", {
      args: ["rev-parse", "--short=12", "HEAD"],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * V8 does everything on the one thread. In a process of 20 ms its helpers gain nothing, and where two
 * of its threads first meet at a lock it measures the clock rate, for 3 ms, by sleeping.
 */
export const V8_FLAGS = "--v8-flags=--single-threaded";

/** What the first line of the file tells Deno, in the short forms: Linux reads 255 bytes of it. */
export function startFlags(): string[] {
  const short = permissionFlags().map((flag) =>
    flag.replace(/^--allow-(read|write|env|sys)=/, (_, name) => `-${name[0].toUpperCase()}=`)
  );
  // A settings file that happens to lie beside the program, or above it, is none of its business.
  return ["--no-config", V8_FLAGS, ...short];
}

/**
 * The batch file that starts the one file beside it, with all that was given: what is in quotation marks
 * cmd.exe leaves as it is. As npm's batch files do it leaves the batch first, by a label that is not there:
 * on Ctrl+C cmd.exe would ask whether to terminate the batch, though the program has ended by then. Deno is
 * looked for on PATH alone: a bare name cmd.exe would look for in the current folder first, whoever wrote what
 * is in that. There are no narrow permissions on Windows: to look at processes it calls Windows' own library.
 *
 * @param name of the one file
 */
export function batchFile(name: string): string {
  const program = `"%deno%" run -A --no-config ${V8_FLAGS} "%~dp0${name}" %*`;
  return [
    "@setlocal",
    '@set "deno="',
    '@for %%I in (deno.exe deno.cmd) do @if not defined deno set "deno=%%~$PATH:I"',
    "@if not defined deno echo orchestra: Deno is not on the PATH: install it as https://deno.com says>&2" +
    " & exit /b 9009",
    `@endlocal & goto #_undefined_# 2>nul || title %COMSPEC% & ${program}`,
    "",
  ].join("\r\n");
}

/** Stands in `lib/web/page.ts` where the page goes. */
const PAGE_PLACEHOLDER = '"@page@"';

/** The module of the server as the command imports it. */
const WEB_MODULE = "../../web/serve.ts";

/** The asset that it is in. */
export const WEB_ASSET = "orchestra-web.js";

/**
 * Bundles the program into a file that can be started: by its first line, and where that means nothing, on
 * Windows, by `deno run -A`.
 *
 * @returns false where that failed
 */
export async function bundle(output: string): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", `--external=${WEB_MODULE}`, "-o", output, "main.ts"],
  }).spawn().status;
  if (!success) return false;
  const code = await shrink(withAsset(withCommit(await Deno.readTextFile(output))));
  const text = `#!/usr/bin/env -S deno run ${startFlags().join(" ")}\n${code}`;
  await Deno.writeTextFile(output, text);
  // The commands that are run to see what they call are those of a POSIX shell.
  if (Deno.build.os === "windows") return true;
  await Deno.writeTextFile(output, compileEagerly(text, await calledFunctions(output)));
  await Deno.chmod(output, 0o755);
  return true;
}

/**
 * Less to read at each start. The bundler could do it as well, but forgets to dispose of what is used only
 * once: it writes `using file = open(); file.sync()` as `open().sync()`, and files are open for ever.
 */
async function shrink(text: string): Promise<string> {
  // Modules are named by their paths, which are those of the machine that made it. Each is a method, which
  // cannot stand in parentheses: a function can.
  const nameless = text.replace(
    /(__(?:esm|commonJS)\(\{\s*)(async )?"[^"\n]*"\(/g,
    (_, head, isAsync = "") => `${head}m: ${isAsync}function(`,
  );
  const { code } = await minify(nameless, {
    module: true,
    ecma: 2020,
    // ASCII is taken by V8 as it is; and which functions stand in parentheses is decided later.
    format: { comments: false, ascii_only: true, wrap_func_args: false },
  });
  return code!;
}

function withCommit(text: string): string {
  return text.replaceAll(PLACEHOLDER, commit() ?? PLACEHOLDER);
}

/** What is imported by a path that is made when the program runs is not looked for when it starts. */
function withAsset(text: string): string {
  const imported = `import("${WEB_MODULE}")`;
  if (!text.includes(imported)) throw new Error(`The bundle has no ${imported}`);
  return text.replaceAll(
    imported,
    `import(new URL("./${WEB_ASSET}", import.meta.url).href)`,
  );
}

/**
 * Bundles the server with its page built in.
 *
 * @returns false where that failed
 */
export async function bundleWeb(output: string): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      // It is built now, and not when the server starts.
      "--external=./build.ts",
      "-o",
      output,
      "lib/web/serve.ts",
    ],
  }).spawn().status;
  if (!success) return false;
  const parts = (await shrink(withCommit(await Deno.readTextFile(output)))).split(PAGE_PLACEHOLDER);
  if (parts.length !== 2) throw new Error("The bundle has not one place for the page");
  await Deno.writeTextFile(
    output,
    parts.join(JSON.stringify(JSON.stringify(await buildPage()))),
  );
  return true;
}

async function main(args: readonly string[]): Promise<number> {
  const [flag, path, ...rest] = args;
  if (flag !== undefined && (flag !== "--output" || !path || rest.length > 0)) {
    console.error(USAGE);
    return 2;
  }
  const output = path ?? "dist/orchestra.js";
  const name = output.replace(/^.*[/\\]/, "");
  const folder = output.slice(0, output.length - name.length);
  const web = `${folder}${WEB_ASSET}`;
  if (!await bundle(output) || !await bundleWeb(web)) return 1;
  const batch = `${folder}${name.replace(/\.js$/, "")}.cmd`;
  await Deno.writeTextFile(batch, batchFile(name));
  for (const file of [output, web, batch]) {
    const { size } = await Deno.stat(file);
    console.log(`${file}: ${Math.ceil(size / 1024)} KB`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
