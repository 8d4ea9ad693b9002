// A copy of an index sees every change that the index itself lets git see.

import { findRepository } from "../../lib/worktree/repository.ts";
import { snapshotTree } from "../../lib/worktree/snapshot.ts";
import { assertEquals } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { makeRepository } from "../support/repository.ts";

test(
  "a change that git sees only by looking into the file is in a snapshot",
  needs("git"),
  async () => {
    await using repo = await makeRepository();
    await repo.git("config", "core.trustctime", "false");
    const path = `${repo.top}/a.txt`;
    const then = new Date(1000 * Math.floor(Date.now() / 1000 - 60));
    Deno.utimeSync(path, then, then);
    await repo.git("update-index", "--refresh");
    // Of the same length, and at the time at which the index was written.
    const text = Deno.readTextFileSync(path).replace("one", "ONE");
    repo.write("a.txt", text);
    Deno.utimeSync(path, then, then);
    Deno.utimeSync(`${repo.top}/.git/index`, then, then);
    const tree = await snapshotTree(await findRepository(repo.top), repo.top);
    assertEquals(`${await repo.git("show", `${tree}:a.txt`)}\n`, text);
  },
);
