// Marks of a conflict that nobody has resolved, in what came to a branch.

import { ask, git, GitError } from "./git.ts";

/** So many files are looked at: a command line has an end. */
const MOST = 200;

/**
 * The files to which lines came that git writes where it finds a conflict. A line of `=` alone may be a
 * heading: both ends must be there.
 *
 * @throws GitError where git fails
 */
export async function conflictMarkers(top: string, from: string, to: string): Promise<string[]> {
  const names = ["diff", "--name-only", "--no-renames", "--diff-filter=d", "-z", "-G^<<<<<<< "];
  const changed = (await ask(top, [...names, from, to])).split("\0").filter((name) => name !== "");
  if (changed.length === 0) return [];
  const args = [
    ...[
      "grep",
      "-l",
      "-z",
      "-I",
      "--full-name",
      "--all-match",
      "-e",
      "^<<<<<<< ",
      "-e",
      "^>>>>>>> ",
    ],
    ...[to, "--", ...changed.slice(0, MOST).map((name) => `:(top,literal)${name}`)],
  ];
  const output = await git(top, args);
  if (output.code > 1) throw new GitError(args, output);
  const found = output.stdout.split("\0").filter((name) => name !== "");
  // Git writes the commit before each name.
  return found.map((name) => name.slice(to.length + 1)).sort();
}
