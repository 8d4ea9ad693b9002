// What is printed into a pipe: a log byte for byte, and the end of what follows something when the
// reader has gone.

import { assertEquals } from "../support/assert.ts";
import { cleanEnv, commandLine, makeBox } from "../support/program.ts";
import { printing } from "../support/shell.ts";
import type { Context } from "../../lib/cli/context.ts";
import { createLogPrinter } from "../../lib/cli/log_printer.ts";

/** Bytes that are no UTF-8, a character of four bytes, a NUL, and no line break at the end. */
const BYTES = new Uint8Array([
  ...[255, 254, 32, 240, 159, 145, 169, 10],
  ...[0, 27, 91, 51, 49, 109, 114, 101, 100, 13, 10],
  ...[108, 97, 115, 116, 32, 195],
]);

async function bytesOf(cwd: string, ...args: string[]): Promise<Uint8Array> {
  const [command, ...rest] = commandLine(...args);
  const { stdout, code } = await new Deno.Command(command!, {
    args: rest,
    cwd,
    env: cleanEnv(),
    clearEnv: true,
  }).output();
  assertEquals(code, 0);
  return stdout;
}

Deno.test("logs into a pipe are the log's bytes", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", printing(BYTES));
  await box.ok("run", "--wait");
  assertEquals(await bytesOf(box.root, "logs", id), BYTES);
  assertEquals(await bytesOf(box.root, "logs", "-f", id), BYTES);
  assertEquals(await bytesOf(box.root, "logs", "-n", "2", id), BYTES.subarray(8));
  assertEquals(await bytesOf(box.root, "logs", "-n", "1", id), BYTES.subarray(19));
  assertEquals(await bytesOf(box.root, "logs", "-n", "0", id), new Uint8Array());
  assertEquals(await bytesOf(box.root, "logs", "-n", "9", id), BYTES);
});

Deno.test("on a terminal a character that comes in two pieces is one, and nothing is obeyed", () => {
  let printed = "";
  const write = (text: string | Uint8Array) => void (printed += text);
  const printer = createLogPrinter(
    { interactive: true, write, style: () => ({ color: false }) } as unknown as Context,
  );
  for (const byte of new TextEncoder().encode("a👩é\x07b")) printer.write(new Uint8Array([byte]));
  assertEquals(printed, "a👩éb");
  printer.write(new Uint8Array([0xe2, 0x82]));
  printer.end();
  assertEquals(printed, "a👩éb\ufffd");
});

/**
 * Runs the program for who reads two lines and goes, with changes for as long as it lives.
 *
 * @returns its exit code, and what it said on standard error
 */
async function intoHead(
  cwd: string,
  args: readonly string[],
  change: () => Promise<unknown>,
): Promise<[code: number, stderr: string]> {
  const [command, ...rest] = commandLine(...args);
  const options = { args: rest, cwd, env: cleanEnv(), clearEnv: true, stdin: "null" } as const;
  await using child = new Deno.Command(command!, { ...options, stdout: "piped", stderr: "piped" })
    .spawn();
  let over = false;
  const ended = child.status.finally(() => over = true);
  const stderr = new Response(child.stderr).text();
  const reading = (async () => {
    const decoder = new TextDecoder();
    let text = "";
    // Leaving the loop closes the pipe.
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes, { stream: true });
      if (text.split("\n").length > 2) break;
    }
  })();
  while (!over) await change();
  await reading;
  return [(await ended).code, await stderr];
}

Deno.test("what follows something ends when the reader has gone", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "sleep 600");
  await box.ok("run");
  const append = (name: string) => async () => {
    Deno.writeTextFileSync(box.path(name), "one\ntwo\n", { append: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const queueOne = () => box.start("shell", "true");
  for (
    const [args, change] of [
      [["logs", "-f", id], append(`logs/${id}.log`)],
      [["status", "--watch", "-i", "1"], queueOne],
      [["daemon", "logs", "-f"], append("daemon.log")],
    ] as const
  ) {
    assertEquals(await intoHead(box.root, args, change), [0, ""], args.join(" "));
  }
  await box.ok("cancel", "--all");
});
