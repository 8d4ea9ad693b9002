// The token of the page where the environment names one: read once and taken out, so that no program that
// is started from here has it.

import { OrchestraError } from "../task/error.ts";
import { env } from "./calling.ts";

/** The variable that names it. */
export const TOKEN_VARIABLE = "ORCHESTRA_TOKEN";
/** Fewer characters can be guessed. */
const SHORTEST = 16;

/**
 * Takes the token out of the environment; undefined where there is none.
 *
 * @throws OrchestraError `environment` where it can be guessed
 */
export function takeToken(): string | undefined {
  const token = env(TOKEN_VARIABLE);
  if (token === undefined) return undefined;
  Deno.env.delete(TOKEN_VARIABLE);
  if (token.length >= SHORTEST) return token;
  throw new OrchestraError(
    "environment",
    `${TOKEN_VARIABLE} has ${token.length} characters, and ${SHORTEST} are the fewest`,
    { hint: "Make one with: head -c 24 /dev/urandom | base64" },
  );
}
