// Runs the command that must confirm a merge before its target moves: in a scratch at the merged commit.

import { folderInside } from "../store/paths.ts";
import { OrchestraError } from "../task/error.ts";
import { type ScratchPlace, withScratch } from "./scratch.ts";

/** A command that confirms a merge. */
export interface Verifier {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables that it gets beside those it inherits. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of those that it inherits; null for all. */
  readonly inherit: readonly string[] | null;
  /** Folder in the working copy that it runs in, with `/`; empty for the top. */
  readonly folder: string;
}

/** What it came to: its exit code, and the end of what it printed. */
export interface Verdict {
  readonly code: number;
  readonly output: string;
}

/** So much of what it prints is kept, bytes. */
const KEPT = 8 * 1024;
/** So long after its end somebody may still print who got its output, milliseconds. */
const AFTERWARDS = 300;

/**
 * Runs it on a commit.
 *
 * @param base commit that the merge was made on
 * @throws GitError where the scratch cannot be made
 */
export async function verifyCommit(
  place: ScratchPlace,
  commit: string,
  base: string,
  verifier: Verifier,
): Promise<Verdict> {
  return await withScratch(place, commit, async (path) => {
    const folder = folderIn(path, verifier.folder);
    const child = start(verifier, folder, {
      ...verifier.env,
      ORCHESTRA_ROOT: place.root,
      ORCHESTRA_WORKTREE: path,
      ORCHESTRA_BRANCH: "",
      ORCHESTRA_BASE: base,
      // It is no part of the task: nobody who ends that may end this.
      ORCHESTRA_TASK_ID: "",
      ORCHESTRA_MARK: "",
    });
    if (child === undefined) return { code: 127, output: `${verifier.command}: not found` };
    const out = tail(child.stdout);
    const err = tail(child.stderr);
    const { code, signal } = await child.status;
    const output = (await Promise.all([out.text(), err.text()])).join("").trimEnd();
    return { code: signal === null ? code : -1, output };
  });
}

/** A folder of the scratch; its top where the commit has no such folder, or a link in its place. */
function folderIn(top: string, folder: string): string {
  if (folder === "" || /(?:^|\/)\.\.(?:\/|$)/.test(folder)) return top;
  const real = folderInside(top, folder);
  try {
    return real !== undefined && Deno.statSync(real).isDirectory ? real : top;
  } catch (error) {
    // We may not look: the command fails where it is no folder.
    return real !== undefined && error instanceof Deno.errors.NotCapable ? real : top;
  }
}

function start(
  { command, args, inherit }: Verifier,
  cwd: string,
  env: Record<string, string>,
): Deno.ChildProcess | undefined {
  const options: Deno.CommandOptions = {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  };
  try {
    let own: Record<string, string> | undefined;
    try {
      own = Deno.env.toObject();
    } catch (error) {
      // Deno shows us a few variables only: it inherits all.
      if (!(error instanceof Deno.errors.NotCapable) || inherit !== null) throw error;
    }
    if (own === undefined) return new Deno.Command(command, { ...options, env }).spawn();
    const kept = Object.entries(own).filter(([name]) =>
      !name.startsWith("GIT_") && name !== "ORCHESTRA_TOKEN" &&
      (inherit === null || inherit.includes(name))
    );
    const whole = { ...Object.fromEntries(kept), ...env };
    return new Deno.Command(command, { ...options, clearEnv: true, env: whole }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new OrchestraError(
      "environment",
      `Starting the verify command ${command}: it is refused`,
      {
        hint: "See that it may be run.",
        cause: error,
      },
    );
  }
}

/** Reads to the end, and keeps the last of it. */
function tail(stream: ReadableStream<Uint8Array>): { text(): Promise<string> } {
  let kept = new Uint8Array();
  const reader = stream.getReader();
  const done = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const whole = new Uint8Array(kept.length + value.length);
      whole.set(kept);
      whole.set(value, kept.length);
      kept = whole.slice(-KEPT);
    }
  })();
  return {
    async text() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      // What it left running may have its output, and never end.
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, AFTERWARDS));
      await Promise.race([done, late]);
      clearTimeout(timer);
      await reader.cancel().catch(() => {});
      return new TextDecoder().decode(kept);
    },
  };
}
