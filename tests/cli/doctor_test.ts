// doctor names what lives of a task that is over, and ends nothing of it.

import { assert, assertEquals } from "../support/assert.ts";
import { ON_LINUX, SHELL, test } from "../support/needs.ts";
import { lives, makeBox } from "../support/program.ts";
import { readNumber } from "../support/shell.ts";

test(
  "doctor names the server that a finished agent has left, and lets it be",
  SHELL ?? ON_LINUX,
  async () => {
    await using box = await makeBox();
    const script = `cd "$ORCHESTRA_WORKSPACE"
    sh -c 'echo $$ >server; exec sleep 1000' >/dev/null 2>&1 &
    until [ -s server ]; do sleep 0.01; done`;
    const id = await box.start("shell", script);
    await box.ok("run", "--all", "--wait");
    const server = readNumber(box.path("workspace/server"))!;
    const { findings } = await box.json("doctor");
    const found = findings.filter(({ code }: { code: string }) => code === "orphan");
    assertEquals(found.map(({ subject }: { subject: string }) => subject), [id]);
    assert(found[0].message.includes(`(pid ${server})`), found[0].message);
    assert(lives(server));
  },
);
