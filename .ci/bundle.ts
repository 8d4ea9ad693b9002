// `deno task bundle`: the whole program as one minified file, `dist/orchestra.js`, that starts
// itself with the permissions it needs and no others. It needs no network and no cache.

import { permissionFlags } from "../lib/permissions.ts";

const output = "dist/orchestra.js";

/** Runs the bundler, and gives the file its first line. */
export async function bundle(): Promise<number> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "-o", output, "main.ts"],
  }).spawn().status;
  if (!success) return 1;
  const code = await Deno.readTextFile(output);
  await Deno.writeTextFile(
    output,
    `#!/usr/bin/env -S deno run ${permissionFlags().join(" ")}\n${code}`,
  );
  if (Deno.build.os !== "windows") await Deno.chmod(output, 0o755);
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${Math.round(size / 1024)} KB`);
  return 0;
}

if (import.meta.main) Deno.exit(await bundle());
