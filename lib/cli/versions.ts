// Versions by the rules of semver.org. Loaded only where two are compared.

// @ts-types="../text/std.d.ts"
import { greaterThan } from "@std/semver/greater-than";
// @ts-types="../text/std.d.ts"
import { tryParse } from "@std/semver/try-parse";

/**
 * Whether a version comes after another one.
 *
 * @param text what should be a version
 * @param current a version
 * @returns undefined where the first is none
 */
export function isNewer(text: string, current: string): boolean | undefined {
  const [found, known] = [tryParse(text), tryParse(current)];
  return found === undefined || known === undefined ? undefined : greaterThan(found, known);
}
