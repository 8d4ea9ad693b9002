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

if (import.meta.main) Deno.exit(await main(Deno.args, import.meta.url));
