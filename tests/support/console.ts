// Ctrl+C on Windows: no signal, but an event of a console, which all processes of that console get. So
// a program that is to get it has a console of its own, without a window, and whoever presses it is of
// that console for a moment, and deaf. Loaded on Windows alone.

import { type ChildProcess, spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";

/** What of a `Deno.ChildProcess` the tests use. */
export interface Child {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly status: Promise<{ code: number }>;
  kill(signal: Deno.Signal): void;
}

/** Starts a program in a console of its own, where `SIGINT` is Ctrl+C. */
export function spawnInConsole(
  command: string,
  args: readonly string[],
  { cwd, env }: { cwd: string | undefined; env: Record<string, string> },
): Child {
  const child = spawn(command, args, { cwd, env, windowsHide: true, stdio: "pipe" });
  const { stdin, stdout, stderr } = child;
  return {
    pid: child.pid!,
    stdin: Writable.toWeb(stdin),
    stdout: Readable.toWeb(stdout) as Child["stdout"],
    stderr: Readable.toWeb(stderr) as Child["stderr"],
    status: endOf(child),
    // Whatever other one it is, Windows ends the process.
    kill: (signal) => signal === "SIGINT" ? pressCtrlC(child.pid!) : void child.kill(),
  };
}

function endOf(child: ChildProcess): Promise<{ code: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number }>();
  child.on("error", reject);
  // Windows says 1 of what was ended, and Node.js which signal it would have been.
  child.on("exit", (code) => resolve({ code: code ?? 1 }));
  return promise;
}

/** In a process of its own, for the console is left for another one. */
function pressCtrlC(pid: number): void {
  const script = `
    const { symbols: kernel } = Deno.dlopen("kernel32.dll", {
      FreeConsole: { parameters: [], result: "i32" },
      AttachConsole: { parameters: ["u32"], result: "i32" },
      SetConsoleCtrlHandler: { parameters: ["pointer", "i32"], result: "i32" },
      GenerateConsoleCtrlEvent: { parameters: ["u32", "u32"], result: "i32" },
    });
    kernel.FreeConsole();
    const pressed = kernel.AttachConsole(${pid}) && kernel.SetConsoleCtrlHandler(null, 1) &&
      kernel.GenerateConsoleCtrlEvent(0, 0);
    Deno.exit(pressed ? 0 : 1);`;
  const { success } = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", script],
    stdin: "null",
  }).outputSync();
  if (!success) throw new Error(`Ctrl+C could not be pressed for process ${pid}`);
}
