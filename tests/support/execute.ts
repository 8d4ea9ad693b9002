// Any program, run to its end, and what it leaves in a folder.

import { assertEquals } from "./assert.ts";
import { type Outcome, type RunOptions, spawn } from "./program.ts";

export const ROOT = Deno.realPathSync(new URL("../..", import.meta.url));
export const WINDOWS = Deno.build.os === "windows";
export const DENO = Deno.execPath();

/** Runs any program to its end. */
export async function execute(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  await using live = spawn(command, [...args], options);
  if (options.stdin === undefined) await live.type("");
  return await live.ended();
}

export function succeeded(outcome: Outcome, what: string): Outcome {
  assertEquals(outcome.code, 0, `${what}: ${JSON.stringify(outcome)}`);
  return outcome;
}

/** Names of everything below a folder, sorted. */
export function namesBelow(folder: string): string[] {
  const names: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    names.push(name);
    if (isDirectory) names.push(...namesBelow(`${folder}/${name}`).map((it) => `${name}/${it}`));
  }
  return names.sort();
}
