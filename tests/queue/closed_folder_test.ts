// A folder that cannot be written to any more, for a while.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { closing, succeeds, test } from "../support/needs.ts";
import { agentLives, gated, launchesOf, makeSite, openGate } from "../support/site.ts";

test(
  "a folder that cannot be written to for a while stops nothing for good",
  closing(),
  async () => {
    await using site = await makeSite();
    const { box } = site;
    const running = await box.start("shell", gated(site));
    const waiting = await box.start("--depends-on", running, "shell", "true");
    await box.ok("run", "--all");
    await box.until("the agent", () => launchesOf(site).includes(running));
    const tasks = box.path("tasks");
    assert(succeeds("chattr", "+i", tasks));
    try {
      using _opened = openGate(site);
      const { text } = await box.fails(5, "start", "shell", "true");
      assertMatch(text, /os error 1\b|ermission|not permitted/);
      await box.until("the end of the agent", () => !agentLives(site, running));
      // Looking still works, and says what is there.
      const { stdout } = await box.run("status");
      assertStringIncludes(stdout, running);
    } finally {
      assert(succeeds("chattr", "-i", tasks));
    }
    assertEquals((await box.settled(running)).status, "complete");
    assertEquals((await box.settled(waiting)).status, "complete");
    assertEquals(launchesOf(site), [running]);
  },
);
