// Pipes that an agent leaves in a workspace: whoever serves it goes on.

import { assertEquals } from "../support/assert.ts";
import { DENO, execute } from "../support/execute.ts";
import { needs, test } from "../support/needs.ts";
import { makeBox, withPatience } from "../support/program.ts";

const PROGRAM = new URL("./pipe_program.ts", import.meta.url).pathname;

for (const [kind, env] of [["that stays", {}], ["that is gone", { UNNAMED: "1" }]] as const) {
  test(`a pipe ${kind} holds up no workspace that is served`, needs("mkfifo"), async () => {
    await using one = await makeBox();
    await using two = await makeBox();
    const args = ["run", "-A", "--quiet", PROGRAM, one.root, two.root];
    const { code, stdout } = await withPatience("the server", execute(DENO, args, { env }));
    assertEquals([code, stdout.split("\n").length - 1], [0, 9], stdout);
  });
}
