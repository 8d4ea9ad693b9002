// "Did you mean": the known name nearest to one that was mistyped. Loaded only when one was.

// @ts-types="./std.d.ts"
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/**
 * The nearest of the known names, or undefined where none is near: at most a third of the letters
 * (and at least two) may differ. Of two that are equally near it is the one with the same letters:
 * `stauts` is `status` and not `start`, for letters are swapped more often than they are mistaken.
 */
export function closest(given: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  // The half that the same letters are worth must not take in what is too far off.
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 0.5;
  const letters = (text: string) => [...text].sort().join("");
  const wanted = given.toLowerCase();
  for (const name of known) {
    if (Math.abs(name.length - given.length) >= bestDistance) continue;
    const lower = name.toLowerCase();
    const distance = levenshteinDistance(wanted, lower) -
      (letters(wanted) === letters(lower) ? 0.5 : 0);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}
