// Has something done just before git is asked for something: what another process does in that moment.

import { execute } from "./execute.ts";
import { makeFolder } from "./program.ts";

/** A folder for PATH with a git in it. */
export interface Between extends AsyncDisposable {
  readonly env: { readonly PATH: string };
  /** Whether it was done. */
  wasDone(): boolean;
}

/**
 * Makes one.
 *
 * @param pattern of a shell, for the arguments with a blank before and after each
 * @param script what is done, the first time only; `$git` is the real one
 */
export async function makeBetween(pattern: string, script: string): Promise<Between> {
  const folder = await makeFolder();
  const git = (await execute("sh", ["-c", "command -v git"])).stdout.trim();
  const path = Deno.env.get("PATH");
  const wrapper = `#!/bin/sh
git='${git}'
case " $* " in
${pattern}) if mkdir '${folder.path}/done' 2>/dev/null; then ( ${script} ) >&2; fi ;;
esac
exec '${git}' "$@"
`;
  Deno.writeTextFileSync(`${folder.path}/git`, wrapper, { mode: 0o755 });
  return {
    env: { PATH: `${folder.path}:${path}` },
    wasDone: () => [...Deno.readDirSync(folder.path)].some(({ name }) => name === "done"),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
