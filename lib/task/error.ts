// The one error class of the program. Every code is stable and maps to one exit code, so that
// scripts may rely on both. Messages say what was attempted, the value that was wrong, and (in
// `hint`) what to do; they are for people and may change.

/** Stable names of what can go wrong; the value is the process's exit code. */
export const EXIT_CODES = {
  /** The command line is not one that Orchestra understands. */
  usage: 2,
  /** No such task. */
  "no-task": 3,
  /** No such agent. */
  "no-agent": 3,
  /** No workspace here or above. */
  "no-workspace": 3,
  /** The present state does not allow it (cancelling a finished task, say). */
  state: 4,
  /** A settings or agents file that does not hold what it should. */
  config: 5,
  /** A file in `.orchestra/` that is not what it should be: malformed, or a link. */
  damaged: 5,
  /** The system refused: permission, disk full, no such program. */
  environment: 5,
  /** A defect of Orchestra. */
  internal: 5,
  /** Ended by the user. */
  interrupted: 130,
} as const;

/** One of the stable error codes, as `--json` prints it. */
export type ErrorCode = keyof typeof EXIT_CODES;

/** An outcome the caller could not foresee, with a stable code and a hint for a person. */
export class OrchestraError extends Error {
  /** Stable code; see {@linkcode EXIT_CODES}. */
  readonly code: ErrorCode;
  /** What to do about it, one sentence; absent where there is nothing to say. */
  readonly hint?: string;
  /** Always `OrchestraError`. */
  override readonly name = "OrchestraError";

  /**
   * An error of ours.
   *
   * @param code stable code
   * @param message what was attempted and which value was wrong
   * @param options `hint`: what to do; `cause`: the underlying error
   */
  constructor(code: ErrorCode, message: string, options?: { hint?: string; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options?.hint !== undefined) this.hint = options.hint;
  }

  /** The process's exit code for this error. */
  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** What to do where Deno forbids something; who knows how the program was started says it better. */
export const UNPERMITTED = "Start it with the permissions that README lists, or with -A.";

const FULL = "The disk is full: free some space and try again; nothing was lost.";
/** What to do about what the system refuses, by its name for it: its numbers differ by system. */
function systemHint(name: unknown): string | undefined {
  // Not asked when this is loaded: the page of a browser has this module too.
  const windows = Deno.build.os === "windows";
  if (name === "ENOSPC" || name === "EDQUOT") return FULL;
  const isForbidden = ["EACCES", "EPERM", "EROFS"].includes(name as string) ||
    // As Windows tells of a file that somebody has open.
    (windows && name === "EBUSY");
  if (!isForbidden) return undefined;
  return windows
    ? "Close the program that has the file open, or see who may change it, and try again."
    : "Check who owns the file and its folder, and whether the disk is mounted read-only.";
}

/**
 * Any thrown value as an {@linkcode OrchestraError}: what the system refused (permission, disk,
 * missing file) becomes `environment`, anything else `internal`.
 *
 * @param error what was thrown
 * @param attempted what was being done, as the start of a sentence: "writing the task file"
 */
export function toOrchestraError(error: unknown, attempted: string): OrchestraError {
  if (error instanceof OrchestraError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof Deno.errors.NotCapable) {
    // The flag that Deno advises may be one that cannot be given, or too narrow for the next step.
    const reason = text.replace(/, (?:specify|run again with) .*$/s, "");
    return new OrchestraError(
      "environment",
      `${attempted}: Deno's permissions forbid it: ${reason}`,
      { hint: UNPERMITTED, cause: error },
    );
  }
  const system = error instanceof Error &&
    ("code" in error || Object.values(Deno.errors).some((type) => error instanceof type));
  if (system) {
    return new OrchestraError("environment", `${attempted}: ${text}`, {
      hint: "code" in error ? systemHint(error.code) : undefined,
      cause: error,
    });
  }
  return new OrchestraError("internal", `${attempted}: ${text}`, {
    hint: "This is a defect of Orchestra: run it again with --debug and report what it prints.",
    cause: error,
  });
}

/** Words as a shell takes them, for a hint that tells what to type: on Windows cmd.exe and PowerShell. */
export function quote(
  words: readonly string[],
  windows: boolean = Deno.build.os === "windows",
): string {
  const [plain, quoted] = windows
    ? [/^[\w+=:./\\-]+$/, (word: string) => `"${word.replaceAll('"', '\\"')}"`]
    : [/^[\w@%+=:,./-]+$/, (word: string) => `'${word.replaceAll("'", "'\\''")}'`];
  return words.map((word) => plain.test(word) ? word : quoted(word)).join(" ");
}

/** A message may name what a hostile file holds: what a terminal would obey is spelled out. */
export function printable(text: string): string {
  return text.replace(
    UNSEEN,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/**
 * What a terminal obeys and what is not seen: controls other than line breaks, direction marks,
 * zero-width characters, variation selectors, tags. The non-joiner stays: Persian is misspelt without it.
 */
export const UNSEEN =
  /(?![\n\u200c])(?:[\p{Cc}\p{Cf}\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]|[\u{e0100}-\u{e01ef}])/gu;

/** A value as JSON, with what is not seen spelled out: within its texts that changes no meaning. */
export function asJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    UNSEEN,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}
