// `deno run -A .ci/jsr_page.ts`: what is published to JSR has its page built in, for who runs it from there
// has neither the page's sources nor anything to build them with. In the repository the page is built when
// the server starts.

import { buildPage } from "../lib/web/build.ts";

/** The module that gives the page, and what stands in it where the page goes. */
const MODULE = new URL("../lib/web/page.ts", import.meta.url);
const PLACE = '"@page@"';

/** The module with the page in it. */
export function withPage(module: string, page: unknown): string {
  const parts = module.split(PLACE);
  if (parts.length !== 2) throw new Error(`lib/web/page.ts has not one ${PLACE}`);
  return parts.join(JSON.stringify(JSON.stringify(page)));
}

if (import.meta.main) {
  const module = await Deno.readTextFile(MODULE);
  await Deno.writeTextFile(MODULE, withPage(module, await buildPage()));
}
