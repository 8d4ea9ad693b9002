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

import { main } from "./lib/cli.ts";

if (import.meta.main) {
  const code = await main(Deno.args, import.meta.url);
  // Deno stores what V8 compiled for the next run when a program ends by itself, not on
  // `Deno.exit`; that is worth a third of the start-up time. The timer ends us all the same where a
  // read of the terminal or a listener is left open, and keeps nobody alive.
  Deno.exitCode = code;
  Deno.unrefTimer(setTimeout(() => Deno.exit(code), 20));
}
