// Adds a workspace to a registry, for tests of several that do so at once.

import { addWorkspace } from "../../lib/workspaces/registry.ts";

const [folder = "", ...roots] = Deno.args;
console.error("ready");
// All begin when they are told to.
await Deno.stdin.read(new Uint8Array(1));
for (const root of roots) console.log(JSON.stringify(addWorkspace(root, undefined, folder)));
