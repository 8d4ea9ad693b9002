// Writing to whoever reads us, who may be slow or gone.

const encoder = new TextEncoder();

/** Writes all of it; false where whoever read us has gone. */
export function writeAll(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string | Uint8Array,
): boolean {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  for (let at = 0; at < bytes.length;) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      // As good as written: who wants no more has seen what it wanted.
      if (error instanceof Deno.errors.BrokenPipe) return false;
      // A terminal that takes no more for now.
      if (error instanceof Deno.errors.WouldBlock) continue;
      throw error;
    }
  }
  return true;
}
