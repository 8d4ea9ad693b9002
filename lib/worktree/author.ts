// Who commits: whom the settings name, else git's own user, else Orchestra.

import { OrchestraError } from "../task/error.ts";
import { tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** Who a commit is said to be made by. */
export interface Author {
  readonly name: string;
  readonly email: string;
}

/** Where nobody is named: a commit needs a name, and git refuses to make one up. */
const NOBODY: Author = { name: "Orchestra", email: "orchestra@localhost" };

/** Of what git itself would take out, nothing is left. */
const clean = (text: string) => text.replace(/[\p{Cc}<>]/gu, "").trim();

/**
 * Who commits.
 *
 * @param setting `worktrees.author`, `Name <mail>`; null where it is not set
 * @throws OrchestraError `config` where that has another form
 */
export async function authorOf(repo: Repository, setting: string | null): Promise<Author> {
  if (setting !== null) {
    const [, name = "", email = ""] = /^([^<>]+?)\s*<([^<>\s]+)>$/.exec(setting.trim()) ?? [];
    if (clean(name) !== "" && clean(email) !== "") {
      return { name: clean(name), email: clean(email) };
    }
    throw new OrchestraError("config", `worktrees.author is "${setting}", which names no author`, {
      hint: 'Write it as git does: "Name <name@example.org>".',
    });
  }
  const said = await tryAsk(repo.top, ["config", "-z", "--get-regexp", "^user\\.(name|email)$"]);
  let { name, email } = NOBODY;
  // The last that is said of each counts.
  for (const entry of (said ?? "").split("\0")) {
    const at = entry.indexOf("\n");
    const value = clean(entry.slice(at + 1));
    if (at < 0 || value === "") continue;
    if (entry.slice(0, at) === "user.name") name = value;
    else email = value;
  }
  return { name, email };
}

/** Tells git who commits. */
export function authorEnv({ name, email }: Author): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
}
