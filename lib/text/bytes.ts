// Bytes as people read them. Loaded by commands that show one thing, not on the way of those that
// start work.

// @ts-types="./std.d.ts"
import { format } from "@std/fmt/bytes";

/** A number of bytes in three digits: `512 B`, `12.3 kB`, `4 MB`. */
export function formatBytes(bytes: number): string {
  // Without options: with them it asks Intl, which takes 11 ms to begin.
  return format(bytes);
}
