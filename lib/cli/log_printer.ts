// How a log is printed: into a pipe its bytes as they are; onto a terminal its text, without what a
// terminal obeys. A character may come in two pieces, so that one decoder sees them all.

import { sanitizeBlock } from "../text/width.ts";
import type { Context } from "./context.ts";

/** Prints one log, in as many pieces as it comes. */
export interface LogPrinter {
  write(bytes: Uint8Array): void;
  /** Prints what is left of a character that was never finished. */
  end(): void;
}

/** A printer for what an agent printed. */
export function createLogPrinter(context: Context): LogPrinter {
  if (!context.interactive) return { write: (bytes) => context.write(bytes), end() {} };
  return createTextPrinter(context);
}

/** A printer for what is text, without control characters in any case. */
export function createTextPrinter(context: Context): LogPrinter {
  const decoder = new TextDecoder();
  const print = (text: string) => {
    if (text !== "") context.write(sanitizeBlock(text));
  };
  return {
    write: (bytes) => print(decoder.decode(bytes, { stream: true })),
    end: () => print(decoder.decode()),
  };
}
