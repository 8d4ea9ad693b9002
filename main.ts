/**
 * The command line of Orchestra, a task queue for command-line AI coding agents.
 *
 * ```sh
 * deno run -A jsr:@orchestra/cli init
 * deno run -A jsr:@orchestra/cli start shell 'echo hello'
 * deno run -A jsr:@orchestra/cli run --wait
 * ```
 *
 * @module
 */

import { main } from "./lib/cli/main.ts";

if (import.meta.main) {
  const { code, force } = await main(Deno.args, import.meta.url);
  // Deno stores what V8 compiled for the next run when a program ends by itself, not on
  // `Deno.exit`: worth a third of the start-up time.
  if (force) Deno.exit(code);
  Deno.exitCode = code;
}
