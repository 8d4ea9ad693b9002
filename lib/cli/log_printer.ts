// How a log is printed: into a pipe its bytes as they are; onto a terminal its text, with its colours and
// without what else a terminal obeys, and events as a person reads them. A character may come in two
// pieces, so that one decoder sees them all.

import { createRenderer, render, type Shown } from "../agents/render.ts";
import { loadAgents } from "../settings/agents.ts";
import type { Queue } from "../queue/queue.ts";
import { pickAgent, type UsageFormat } from "../task/agent.ts";
import type { Task } from "../task/fields.ts";
import { createSgrSplitter } from "../text/sgr.ts";
import { createPalette, type Paint } from "../text/style.ts";
import { sanitizeBlock } from "../text/width.ts";
import type { Context } from "./context.ts";
import { tailFile } from "./tail.ts";

/** Prints one log, in as many pieces as it comes. */
export interface LogPrinter {
  write(bytes: Uint8Array): void;
  /** Prints the last lines of what was written so far, where it was told to wait for that. */
  release?(): void;
  /** Prints what is left of a character or a line that was never finished. */
  end(): void;
}

/** Whose events the log of a task has; undefined where nobody says. */
export async function formatOf(queue: Queue, task: Task): Promise<UsageFormat | undefined> {
  return (await formats(queue))(task);
}

/** The same for many tasks. */
export async function formats(
  { store }: Queue,
): Promise<(task: Pick<Task, "agent">) => UsageFormat | undefined> {
  try {
    const agents = await loadAgents(store);
    return ({ agent }) => {
      const found = pickAgent(agents, agent);
      return "problem" in found ? undefined : found.usage;
    };
  } catch {
    // Definitions that cannot be read say nothing; the log is shown all the same.
    return () => undefined;
  }
}

/** Of a log no more than this is read for its end, bytes. */
const END_BYTES = 256 * 1024;

/**
 * The last lines of a log as a person reads them, and how long it is; undefined where there is none.
 *
 * @param format whose events it is; undefined for text
 */
export function readableEnd(
  path: string,
  format: UsageFormat | undefined,
  count: number,
): { text: string; size: number } | undefined {
  // Many events may be one line, or none.
  const tail = tailFile(path, format === undefined ? count : Infinity, END_BYTES);
  if (tail === undefined) return undefined;
  const { size } = tail;
  if (format === undefined) return { text: tail.lines.join("\n"), size };
  // The first line may have begun before.
  const whole = tail.lines.slice(size > END_BYTES ? 1 : 0).join("\n");
  const lines = render(format, whole).map(({ text }) => text).join("\n").split("\n");
  return { text: lines.slice(-count).join("\n"), size };
}

/**
 * A printer for what an agent printed.
 *
 * @param format whose events it is; undefined for text
 * @param raw its bytes as they are, or never; as it is best for where they go where absent
 * @param last of events, only so many of the lines that they become until {@linkcode LogPrinter.release}
 */
export function createLogPrinter(
  context: Context,
  format?: UsageFormat,
  raw = !context.interactive,
  last?: number,
): LogPrinter {
  if (raw) return { write: (bytes) => context.write(bytes), end() {} };
  return format === undefined
    ? createTextPrinter(context, context.style().color)
    : createEventPrinter(context, format, last);
}

/**
 * A printer for what is text, without control characters in any case.
 *
 * @param colours whether its own colours are kept
 */
export function createTextPrinter(context: Context, colours = false): LogPrinter {
  const decoder = new TextDecoder();
  const splitter = createSgrSplitter();
  let painted = false;
  const print = (parts: readonly string[]) => {
    // Every second one is a colour.
    painted ||= colours && parts.length > 1;
    const clean = (colours ? parts : parts.filter((_, at) => at % 2 === 0)).join("");
    if (clean !== "") context.write(clean);
  };
  return {
    write: (bytes) => print(splitter.add(decoder.decode(bytes, { stream: true }))),
    end() {
      print(splitter.add(decoder.decode()));
      print(splitter.end());
      if (painted) context.write("\x1b[0m");
    },
  };
}

/** A printer for a log of events. */
function createEventPrinter(
  context: Context,
  format: UsageFormat,
  last: number | undefined,
): LogPrinter {
  /** The last lines, while more may come. */
  let held: string[] | undefined = last === undefined ? undefined : [];
  const decoder = new TextDecoder();
  const renderer = createRenderer(format);
  const { accent, bad, dim, plain } = createPalette(context.style());
  const paints: Readonly<Record<Shown["kind"], Paint>> = {
    text: plain,
    call: accent,
    output: dim,
    failed: bad,
    error: bad,
    note: dim,
    plain,
  };
  const print = (shown: readonly Shown[]) => {
    const lines = shown.flatMap(({ kind, text }) =>
      sanitizeBlock(text).split("\n").map((line) => `${paints[kind](line)}\n`)
    );
    if (held !== undefined) held = last === 0 ? [] : [...held, ...lines].slice(-last!);
    else if (lines.length > 0) context.write(lines.join(""));
  };
  return {
    release() {
      const lines = held ?? [];
      held = undefined;
      if (lines.length > 0) context.write(lines.join(""));
    },
    write: (bytes) => print(renderer.add(decoder.decode(bytes, { stream: true }))),
    end: () => print([...renderer.add(decoder.decode()), ...renderer.end()]),
  };
}
