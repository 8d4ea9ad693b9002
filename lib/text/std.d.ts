// Types of the functions in use from the Deno standard library, whose npm republication (deno-std)
// ships none. The modules that import them name this file with @ts-types.

/** A parsed version. */
export interface SemVer {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** A version; undefined where the text is none. */
export function tryParse(text: string): SemVer | undefined;

/** Whether the first version comes after the second. */
export function greaterThan(first: SemVer, second: SemVer): boolean;

/** Number of edits that turn one text into the other. */
export function levenshteinDistance(a: string, b: string): number;
