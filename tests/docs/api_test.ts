// The lines with `curl` in docs/api.md: a shell runs them as they stand, against a server of a workspace
// that is called as it is there.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { ROOT } from "../support/pages.ts";
import { makeBox } from "../support/program.ts";
import { serveHere, TOKEN } from "../web/server.ts";

const PAGE = await Deno.readTextFile(new URL("docs/api.md", ROOT));
const PROGRAM = new URL("main.ts", ROOT).href;

/** The shell's blocks of the page that ask the server. */
function blocks(): string[] {
  return [...PAGE.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text]) => text!)
    .filter((text) => /\b(?:ask|tell)\b/.test(text));
}

test("the lines with curl of the API's page do what they say", needs("curl", "sh"), async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "shop", root: box.root }], { program: PROGRAM });
  const found = blocks();
  const lines = found.join("\n").split("\n").filter((line) => /^(?:ask|tell) /.test(line));
  assert(lines.length >= 18, String(lines.length));
  // A stream has no end, a log is there when its task has begun, and changes where it has a branch.
  const script = found.join("\n").replaceAll("7450", String(here.port))
    .replace(/^(ask --no-buffer .*)$/gm, "$1 --max-time 1 || [ $? = 28 ]")
    .replace(/^(ask .*\/diff.*)$/gm, "$1 || [ $? = 22 ]")
    .replace("make test", "echo tested")
    .replace(
      /^tell .*\/run$/m,
      "$&\nuntil ask $shop/tasks/tests/log | grep -q tested; do sleep 0.1; done",
    );
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-e", "-c", script],
    env: { ORCHESTRA_TOKEN: TOKEN },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 0, `${said}\n${new TextDecoder().decode(stderr)}`);
  for (
    const part of ['"workspaces":["shop"]', '"key":"tests"', "orchestra_tasks{", "retry: 1000"]
  ) {
    assertStringIncludes(said, part);
  }
});
