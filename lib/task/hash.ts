// A short name for a text: quick, and at hand without WebCrypto, whose first answer takes a millisecond.
// Not for anything that somebody could gain by forging.

/**
 * 128 bits of a text, in hex: four times 32 that are mixed with each other, as FNV-1a and MurmurHash3 do.
 */
export function hash(text: string): string {
  let [a, b, c, d] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193) ^ d >>> 15;
    b = Math.imul(b ^ unit, 0x5bd1e995) + a | 0;
    c = Math.imul(c ^ unit, 0xcc9e2d51) ^ b >>> 13;
    d = Math.imul(d ^ unit, 0x1b873593) + c | 0;
  }
  const mix = (half: number) => {
    half = Math.imul(half ^ half >>> 16, 0x85ebca6b);
    half = Math.imul(half ^ half >>> 13, 0xc2b2ae35);
    return half ^ half >>> 16;
  };
  const sum = a + b + c + d;
  return [a, b, c, d].map((part) => (mix(part + sum | 0) >>> 0).toString(16).padStart(8, "0"))
    .join("");
}
