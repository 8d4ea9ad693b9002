// Types of the functions in use from the Deno standard library, whose npm republication (deno-std)
// ships none. The modules that import them name this file with @ts-types.

/** The name of the last part of a path, without a suffix that it has. */
export function basename(path: string, suffix?: string): string;

/** A number of bytes with its unit. */
export function format(bytes: number): string;

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
