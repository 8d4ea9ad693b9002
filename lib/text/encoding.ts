// In which encoding a text is that somebody else wrote. Pure.

/** UTF-8, unless it begins with the mark of UTF-16, as what PowerShell 5 writes with `>` does. */
export function encodingOf(bytes: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
}
