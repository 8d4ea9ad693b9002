// What Windows tells of a process.

import { pause } from "../../../lib/launch/pause.ts";
import { openWindowsSystem, runBriefly } from "../../../lib/launch/windows/processes.ts";
import { assertEquals } from "../../support/assert.ts";
import { ON_LINUX, ON_WINDOWS, test } from "../../support/needs.ts";
import { processesWith } from "../../support/processes.ts";

/** The mark that is read of a process with some variables. */
async function markOf(env: Record<string, string>): Promise<string | null> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "console.log('here'); setTimeout(() => {}, 1e6)"],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const output = child.stdout.getReader();
    await output.read();
    await output.cancel();
    return openWindowsSystem().marker(child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

test("a mark is read however large the environment is", ON_WINDOWS, async () => {
  const mark = "a.b.c/task_1795338125627";
  const names = Array.from({ length: 5 }, (_, at) => `A_LARGE_${at}`);
  const large = Object.fromEntries(names.map((name) => [name, "x".repeat(30_000)]));
  assertEquals(await markOf({ ...large, ORCHESTRA_MARK: mark }), mark);
  assertEquals(await markOf({ ...large, ORCHESTRA_MARK: "" }), "");
});

test(
  "a program that never ends is waited for no longer than is said, and ended",
  ON_WINDOWS === null ? null : ON_LINUX,
  async () => {
    const word = `never-${crypto.randomUUID()}`;
    const args = ["eval", "--no-config", "setTimeout(() => {}, 1e6)", word];
    await runBriefly(Deno.execPath(), args, 100);
    while (processesWith("cmdline", [word]).length > 0) await pause(20);
    await runBriefly(`/nowhere/${word}`, [], 100);
  },
);
