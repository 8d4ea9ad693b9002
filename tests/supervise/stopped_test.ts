// A supervisor that was stopped.

import { formatTime } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { forge, stopOutsideLock } from "../support/gated.ts";
import { STOPPED, test } from "../support/needs.ts";
import { kill, lives } from "../support/program.ts";
import { agentLives, gated, launchesOf, makeSite, noted, openGate } from "../support/site.ts";

test(
  "a supervisor that was stopped catches up with all that happened meanwhile",
  STOPPED,
  async () => {
    await using site = await makeSite();
    const { box } = site;
    const ends = await box.start("shell", gated(site));
    const hangs = await box.start("--timeout=1h", "shell", `${noted(site)}; exec sleep 1000`);
    const next = await box.start("--depends-on", ends, "shell", "true");
    await box.ok("run", "--all");
    await box.until("both agents", () => launchesOf(site).length === 2);
    const [supervisor] = await box.until("the supervisor", () => {
      const found = box.supervisors();
      return found.length > 0 && found;
    });
    stopOutsideLock(box, supervisor!);
    const opened = openGate(site);
    await box.until("the end of the agent", () => !agentLives(site, ends));
    forge(box, hangs, { startedAt: formatTime(Date.now() - 7_200_000) });
    opened[Symbol.dispose]();
    kill(supervisor!, "SIGCONT");
    assertEquals((await box.settled(ends)).status, "complete");
    assertEquals((await box.settled(hangs)).failureClass, "timeout");
    assertEquals((await box.settled(next)).status, "complete");
    await box.unwatched();
    assert(!lives(supervisor!));
  },
);
