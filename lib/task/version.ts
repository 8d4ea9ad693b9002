// The version of the program; `tests/structure_test.ts` holds it equal to deno.json's.

/** Version of Orchestra, as semver.org has it. */
export const VERSION = "0.1.0";

// `.ci/bundle.ts` writes the commit here.
const STAMP = "@commit@";

/** Commit that the program was built from; undefined where it runs from its sources. */
export const COMMIT: string | undefined = /^[0-9a-f]+$/.test(STAMP) ? STAMP : undefined;
