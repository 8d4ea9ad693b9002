// A program in a console of its own that nobody sees. Whoever has no console, as a supervisor, would
// otherwise open a window with each program; from whoever has one, Ctrl+C would reach the program too.
// It ends with its parent, as all do that are not detached.

type Pipes = import("node:child_process").ChildProcessWithoutNullStreams;

/** What of a child process is used; a `Deno.ChildProcess` has that, too. */
export interface Child {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly status: Promise<{ readonly code: number; readonly signal: string | null }>;
  ref(): void;
}

/**
 * Starts a program with pipes to it.
 *
 * @param env what is set over our own variables
 */
export async function spawnHidden(
  path: string,
  { args, cwd, env }: {
    args: readonly string[];
    cwd: string;
    env: Readonly<Record<string, string>>;
  },
): Promise<Child> {
  // Not at the top, for a bundle would load it whatever it is asked to do.
  const { spawn } = await import("node:child_process");
  const child = spawn(path, args, {
    cwd,
    env: { ...Deno.env.toObject(), ...env },
    windowsHide: true,
    stdio: "pipe",
  });
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<{ code: number; signal: null }>();
  child.on("spawn", begun.resolve);
  child.on("error", begun.reject);
  // Windows says 1 of what was ended, and Node.js which signal it would have been.
  child.on("exit", (code) => ended.resolve({ code: code ?? 1, signal: null }));
  await begun.promise;
  return {
    pid: child.pid!,
    stdin: sinkOf(child.stdin),
    stdout: streamOf(child.stdout),
    stderr: streamOf(child.stderr),
    status: ended.promise,
    ref: () => child.ref(),
  };
}

/** What goes into a pipe. */
function sinkOf(pipe: Pipes["stdin"]): Child["stdin"] {
  return new WritableStream({
    start: (controller) => void pipe.on("error", (error) => controller.error(error)),
    write: (bytes) => new Promise((resolve) => void pipe.write(bytes, () => resolve())),
    close: () => void pipe.end(),
    abort: () => void pipe.destroy(),
  });
}

/** What comes from a pipe. */
function streamOf(pipe: Pipes["stdout"]): Child["stdout"] {
  return new ReadableStream({
    start(controller) {
      pipe.on("data", (bytes) => {
        controller.enqueue(bytes);
        if (controller.desiredSize! <= 0) pipe.pause();
      });
      pipe.on("end", () => controller.close());
      pipe.on("error", (error) => controller.error(error));
    },
    pull: () => void pipe.resume(),
    cancel: () => void pipe.destroy(),
  });
}
