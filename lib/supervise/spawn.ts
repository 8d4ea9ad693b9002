// Starting this program again: in a session of its own for what goes on without us, with the permissions
// that we have ourselves.

import { spawnSession } from "../launch/posix/launcher.ts";
import { permissionFlags } from "./permissions.ts";

/** How this program is started again. */
interface Detached {
  /** What becomes the program. */
  readonly leading?: readonly string[];
  readonly stdin?: "null" | "piped";
  /** It watches over many workspaces: memory before speed. */
  readonly spare?: boolean;
}

/** Starts this program again for a workspace, in a session of its own, with nothing to read. */
export function spawnDetached(
  program: string,
  root: string,
  rest: readonly string[],
  { leading = [], stdin = "null", spare = false }: Detached = {},
): Deno.ChildProcess {
  const [first, ...others] = [...leading, ...commandOf(program, ["-C", root, ...rest], spare)];
  return spawnSession(first!, {
    args: others,
    // What it may use is told by names that begin there: a comma in a path would part it in two, and
    // let it use more than the workspace.
    cwd: root,
    stdin,
    stdout: "null",
    stderr: "null",
    // An agent may have started us: its mark must not make the supervisor part of its tree.
    env: {
      ORCHESTRA_TASK_ID: "",
      ORCHESTRA_MARK: "",
      // A daemon may serve the page; a supervisor never does.
      ...(rest[0] === "daemon" ? {} : { ORCHESTRA_TOKEN: "" }),
    },
  });
}

/**
 * The command line that starts this program again, with the permissions that we have ourselves.
 *
 * @param program module of the command line, or the path of the compiled program
 * @param spare memory before speed, for V8 lets less garbage lie around: of 20 workspaces with 1,000 tasks
 * each 124 MB become 82, and of a page's server with 10,000 tasks, 50 of which change a second, 150 become 61
 */
export function commandOf(program: string, args: readonly string[], spare = false): string[] {
  return Deno.build.standalone
    ? [Deno.execPath(), ...args]
    : [Deno.execPath(), "run", ...runFlags(program, spare), program, ...args];
}

/** The permissions that we have ourselves, for a process that goes on in our place. */
function runFlags(program: string, spare: boolean): string[] {
  const everything = Deno.permissions.querySync({ name: "write" }).state === "granted";
  // The sources need their own deno.json. Any other that Deno finds is somebody else's, and one with
  // a mistake in it would keep the supervisor from starting, with nobody there to be told.
  const fromSources = program.startsWith("file:") && program.endsWith("/main.ts");
  return [
    "--quiet",
    ...(fromSources ? [] : ["--no-config", "--no-lock"]),
    // It lives long and may watch over many tasks: half the memory for a start that nobody waits
    // for. With flags of its own V8's code cache would be of no use to it, and be spoiled for others.
    "--no-code-cache",
    `--v8-flags=--max-semi-space-size=1${spare ? ",--optimize-for-size" : ""}`,
    ...(everything ? ["-A", "--no-prompt"] : permissionFlags()),
  ];
}
