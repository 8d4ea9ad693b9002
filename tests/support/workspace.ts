// The program in a workspace as `init` makes it.

import { assertEquals } from "./assert.ts";
import { ROOT_PATH } from "./pages.ts";

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export async function deno(cwd: string, ...args: string[]): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

export function orchestra(cwd: string, ...args: string[]): Promise<Ran> {
  return deno(cwd, "run", "-A", "--quiet", `${ROOT_PATH}main.ts`, ...args);
}

/** A workspace in a folder that goes away with it. */
export async function withWorkspace(body: (root: string) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "orchestra-docs-" });
  try {
    const made = await orchestra(root, "init");
    assertEquals(made.code, 0, made.stderr);
    await body(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}
