// The version of the program; `tests/structure_test.ts` holds it equal to deno.json's.

/** Version of Orchestra, as semver.org has it. */
export const VERSION = "0.1.0";
