// Adds a workspace to a registry, for tests of several that do so at once.

import { addWorkspace } from "../../lib/workspaces/registry.ts";

const [folder = "", ...roots] = Deno.args;
for (const root of roots) console.log(JSON.stringify(addWorkspace(root, undefined, folder)));
