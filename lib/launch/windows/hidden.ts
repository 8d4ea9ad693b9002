// A program in a console of its own that nobody sees. Whoever has no console, as a supervisor, would
// otherwise open a window with each program; from whoever has one, Ctrl+C would reach the program too.
// It ends with its parent, as all do that are not detached.

type NodeChild = import("node:child_process").ChildProcess;
type Pipes = import("node:child_process").ChildProcessWithoutNullStreams;

/** A program that runs; a `Deno.ChildProcess` has that, too. */
export interface Running {
  readonly pid: number;
  readonly status: Promise<{ readonly code: number; readonly signal: string | null }>;
  ref(): void;
  /** Nobody waits for its end. */
  unref(): void;
  /** Ends it, where it has not ended. */
  kill(): void;
}

/** The same, with pipes to it. */
export interface Child extends Running {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** How a program is started. */
interface Start {
  readonly args: readonly string[];
  readonly cwd?: string;
  /** What is set over our own variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program with pipes to it. */
export async function spawnHidden(path: string, start: Start): Promise<Child> {
  const { child, running } = await begin(path, start, "pipe");
  const { stdin, stdout, stderr } = child as Pipes;
  return {
    ...running,
    stdin: sinkOf(stdin),
    stdout: streamOf(stdout),
    stderr: streamOf(stderr),
  };
}

/** Starts a program that reads nothing and whose output nobody wants. */
export async function runHidden(path: string, args: readonly string[]): Promise<Running> {
  return (await begin(path, { args }, "ignore")).running;
}

async function begin(
  path: string,
  { args, cwd, env }: Start,
  stdio: "pipe" | "ignore",
): Promise<{ child: NodeChild; running: Running }> {
  // Not at the top, for a bundle would load it whatever it is asked to do.
  const { spawn } = await import("node:child_process");
  const all = { ...Deno.env.toObject(), ...env };
  const child = spawn(path, args, { cwd, env: all, windowsHide: true, stdio });
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<{ code: number; signal: null }>();
  child.on("spawn", begun.resolve);
  child.on("error", begun.reject);
  // Windows says 1 of what was ended, and Node.js which signal it would have been.
  child.on("exit", (code) => ended.resolve({ code: code ?? 1, signal: null }));
  await begun.promise;
  const running: Running = {
    pid: child.pid!,
    status: ended.promise,
    ref: () => child.ref(),
    unref: () => child.unref(),
    kill: () => void child.kill("SIGKILL"),
  };
  return { child, running };
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
