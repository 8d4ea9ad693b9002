// Pipes that an agent leaves in one workspace, and the daemon for all: it goes on in the others.

import { assertEquals } from "../support/assert.ts";
import { makeUser } from "../support/everywhere.ts";
import { needs, ON_LINUX, succeeds, test } from "../support/needs.ts";
import { makeBox } from "../support/program.ts";

test(
  "pipes in a workspace that is let go hold up no other",
  ON_LINUX ?? needs("mkfifo"),
  async () => {
    await using user = await makeUser();
    await using one = await makeBox();
    await using two = await makeBox();
    await using three = await makeBox();
    user.add(one, "one");
    user.add(two, "two");
    await user.start();
    for (const box of [one, two]) await user.becomes(box, "watched");
    const pipes = ["tasks/task_1111111111.json", "y.json"].map((path) => one.path(path));
    for (const pipe of pipes) assertEquals(succeeds("mkfifo", pipe), true);
    user.remove(one);
    await user.becomes(one, undefined);
    user.add(three, "three");
    await user.becomes(three, "watched");
    for (const box of [two, three]) {
      assertEquals((await box.settled(await box.start("shell", "true"))).status, "complete");
    }
    await user.stop();
  },
);
