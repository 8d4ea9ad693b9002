// Pushes a task's branch to where others see it. It is done for the user, as the user does it: with the
// hooks and the way to the server that are set up for a push.

import { OrchestraError } from "../task/error.ts";
import { git, lastLine, tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** Variables by which the user says how git comes to a server. */
const WAYS = ["GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO"];

function ownWays(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of WAYS) {
    try {
      const value = Deno.env.get(name);
      if (value !== undefined) env[name] = value;
    } catch {
      // Not shown to us: git has it then, if anything.
    }
  }
  return env;
}

/**
 * The remote of a branch: its own, else `origin`, else the only one.
 *
 * @throws OrchestraError `state` where there is none, or it is not clear which
 */
export async function remoteOf({ top }: Repository, branch: string): Promise<string> {
  const names = (await tryAsk(top, ["remote"]) ?? "").split("\n").filter((name) => name !== "");
  const own = await tryAsk(top, ["config", "--get", `branch.${branch}.remote`]);
  const found = own !== null && names.includes(own)
    ? own
    : names.includes("origin")
    ? "origin"
    : names.length === 1
    ? names[0]
    : undefined;
  if (found !== undefined) return found;
  throw new OrchestraError(
    "state",
    names.length === 0
      ? `Pushing from ${top}: it has no remote`
      : `Pushing from ${top}: which of its remotes is meant (${names.join(", ")})?`,
    {
      hint: names.length === 0
        ? "Add one: git remote add origin URL"
        : `Say it with: git config branch.${branch}.remote NAME`,
    },
  );
}

/**
 * Pushes a branch, never by force.
 *
 * @throws OrchestraError `environment` where the other side refuses or is not reached
 */
export async function pushBranch(
  { top, gitDir }: Repository,
  remote: string,
  branch: string,
  tip: string,
): Promise<void> {
  // The last is ours, which turns hooks off.
  const hooks = (await tryAsk(top, ["config", "--get-all", "core.hooksPath"]) ?? "").split("\n");
  const args = [
    ...["-c", `core.hooksPath=${hooks.slice(0, -1).at(-1) || `${gitDir}/hooks`}`],
    ...["push", "--porcelain", "--end-of-options", remote, `${tip}:refs/heads/${branch}`],
  ];
  const output = await git(top, args, { env: ownWays() });
  if (output.code === 0) return;
  const refused = /^!\t.*$/m.exec(output.stdout)?.[0].split("\t").at(-1);
  throw new OrchestraError(
    "environment",
    `Pushing ${branch} to ${remote}: ${refused ?? lastLine(output)}`,
    {
      hint: refused?.includes("rejected")
        ? `It has commits there that are not here: git fetch ${remote} ${branch}`
        : `See that this works: git -C ${top} push ${remote} ${branch}`,
    },
  );
}
