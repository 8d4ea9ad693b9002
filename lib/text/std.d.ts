// Types of the functions in use from the Deno standard library, whose npm republication (deno-std)
// ships none. The modules that import them name this file with @ts-types.

/** Number of edits that turn one text into the other. */
export function levenshteinDistance(a: string, b: string): number;
