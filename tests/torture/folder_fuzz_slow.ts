// Five minutes of hostile workspaces, or as many seconds as ORCHESTRA_FUZZ_SECONDS says.

import { assertEquals, assertGreater } from "../support/assert.ts";
import { ON_LINUX, test } from "../support/needs.ts";
import { fuzz } from "./folder_fuzz.ts";

const SECONDS = Number(Deno.env.get("ORCHESTRA_FUZZ_SECONDS") ?? 300);
const SEED = Number(Deno.env.get("ORCHESTRA_FUZZ_SEED") ?? 20261126);

test(`${SECONDS} seconds of hostile folders do no harm (seed ${SEED})`, ON_LINUX, async () => {
  const { violations, exchanges, rounds } = await fuzz({ seed: SEED, seconds: SECONDS });
  assertEquals(violations, []);
  assertGreater(exchanges, rounds);
});
