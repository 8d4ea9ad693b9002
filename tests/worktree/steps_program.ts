// Does one thing to worktrees, for tests that kill it: make, commit or remove.

import { commitLeft } from "../../lib/worktree/commit.ts";
import { makeWorktree, type WantedWorktree } from "../../lib/worktree/make.ts";
import { removeWorktree } from "../../lib/worktree/remove.ts";
import { findRepository } from "../../lib/worktree/repository.ts";

const [what, top, json] = Deno.args;
const repo = await findRepository(top!);
const wanted: WantedWorktree[] = JSON.parse(json!);
const author = { name: "Ann Author", email: "ann@example.org" };
await Promise.all(wanted.map(async (it) => {
  if (what === "make") await makeWorktree(repo, it);
  if (what === "commit") {
    await commitLeft(repo, it.path, { ...it, message: "what was left", author });
  }
  if (what === "remove") {
    const removal = await removeWorktree(repo, it.path, { force: false });
    if (!removal.removed) throw new Error(removal.why);
  }
}));
