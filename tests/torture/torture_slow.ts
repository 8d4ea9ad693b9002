// Two minutes of torture, or as many seconds as ORCHESTRA_TORTURE_SECONDS says, and a kill a second at
// least; the long one is `deno task torture`.

import { assertEquals, assertGreater } from "../support/assert.ts";
import { ON_LINUX, ON_WINDOWS, test } from "../support/needs.ts";
import { formatEverywhere } from "./everywhere.ts";
import { formatReport, torture, tortureRepository, tortureWorkspaces } from "./torture.ts";
import { formatWorktrees } from "./worktrees.ts";

const SECONDS = Number(Deno.env.get("ORCHESTRA_TORTURE_SECONDS") ?? 120);
const SEED = Number(Deno.env.get("ORCHESTRA_TORTURE_SEED") ?? 20261122);

test(
  `${SECONDS} seconds of kills at random moments lose nothing (seed ${SEED})`,
  ON_WINDOWS && ON_LINUX,
  async () => {
    const report = await torture({
      seed: SEED,
      seconds: SECONDS,
      atLeast: SECONDS + 1,
      workers: 6,
    });
    assertEquals(report.violations, [], formatReport(report));
    assertGreater(report.launches, 0);
    assertGreater(Object.values(report.kills).reduce((sum, value) => sum + value, 0), SECONDS);
  },
);

test(
  "limits across five workspaces hold, whoever is killed, and no slot is lost",
  ON_LINUX,
  async () => {
    const report = await tortureWorkspaces({ seed: SEED, seconds: SECONDS / 2, workspaces: 5 });
    assertEquals(report.violations, [], formatEverywhere(report));
    assertGreater(report.launches, 0);
  },
);

test(
  "no line of an agent or the user is lost in a repository, whoever is killed",
  ON_LINUX,
  async () => {
    const report = await tortureRepository({ seed: SEED, seconds: SECONDS / 2 });
    assertEquals(report.violations, [], formatWorktrees(report));
    assertGreater(report.found.merged, 0);
  },
);
