// A workspace that belongs to somebody else: what stands in it would be run as whoever looks. As root, who
// can give files to anybody, and may be the one who looks.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { type Box, makeBox, makeFolder } from "../support/program.ts";

const AS_ROOT = ON_POSIX ??
  (Deno.uid() === 0 ? null : "only root can give a file to somebody else");
const NOBODY = 65534;

/** Everything of a workspace belongs to somebody else now. */
function give(path: string): void {
  Deno.chownSync(path, NOBODY, NOBODY);
  if (!Deno.lstatSync(path).isDirectory) return;
  for (const { name } of Deno.readDirSync(path)) give(`${path}/${name}`);
}

/** A task whose check and whose retry would be run by whoever looks. */
async function plant(box: Box): Promise<string> {
  const id = await box.start("--verify", "touch ran-verify", "--auto-retry", "shell", "touch ran");
  Deno.writeTextFileSync(
    box.path(`tasks/${id}.json`),
    JSON.stringify({
      ...box.task(id),
      status: "running",
      claim: 1,
      startedAt: "2026-01-01T00:00:00.000Z",
    }),
  );
  Deno.writeTextFileSync(box.path(`tasks/${id}.1.pid`), "fenced\n");
  Deno.writeTextFileSync(box.path(`tasks/${id}.exitcode`), "0\n");
  return id;
}

test("nothing in a workspace of another user is read, run or changed", AS_ROOT, async () => {
  await using box = await makeBox();
  await using home = await makeFolder();
  const id = await plant(box);
  give(box.path(""));
  const before = Deno.readTextFileSync(box.path(`tasks/${id}.json`));
  const env = { HOME: home.path, XDG_CONFIG_HOME: "" };
  for (
    const words of [
      ["status"],
      ["show", id],
      ["clean", "all", "-y"],
      ["deps", "graph"],
      ["archive", "--dry-run"],
      ["run", "--all", "--wait"],
      ["wait"],
      ["logs", id],
      ["doctor"],
      ["daemon", "start"],
      ["start", "shell", "true"],
      ["cancel", id],
    ]
  ) {
    const { code, stdout, stderr } = await box.runWith({ env }, ...words);
    assertEquals([code, stdout], [5, ""], `${words}: ${stderr}`);
    assertStringIncludes(stderr, `belongs to somebody else (user ${NOBODY})`);
    assertStringIncludes(stderr, `orchestra trust ${box.root}`);
  }
  assertEquals(Deno.readTextFileSync(box.path(`tasks/${id}.json`)), before);
  assertEquals([...Deno.readDirSync(box.root)].map(({ name }) => name).sort(), [
    ".orchestra",
    ".orchestra-cli",
  ]);
  assertEquals(box.supervisors(), []);
  // Trusted knowingly it is obeyed, and then no more.
  const trusted = await box.runWith({ env }, "trust", box.root);
  assertEquals(trusted.code, 0, trusted.stderr);
  assertStringIncludes((await box.runWith({ env }, "trust", "--list")).stdout, box.root);
  assertStringIncludes((await box.runWith({ env }, "status")).stdout, id);
  await box.runWith({ env }, "trust", "--remove", box.root);
  assertEquals((await box.runWith({ env }, "status")).code, 5);
});

test(
  "agents and settings of another user's are not obeyed in a workspace of one's own",
  AS_ROOT,
  async () => {
    await using box = await makeBox();
    await box.start("shell", "true");
    const agents = `${box.root}/.orchestra-cli/agent-config.json`;
    Deno.chownSync(agents, NOBODY, NOBODY);
    assertStringIncludes((await box.fails(5, "run")).text, "belongs to another user");
    Deno.chownSync(agents, 0, 0);
    box.config({ max_concurrent: 2 });
    Deno.chownSync(box.path("config.json"), NOBODY, NOBODY);
    assertStringIncludes((await box.fails(5, "run")).text, "belongs to another user");
  },
);

test("in a folder that others may write to each task is looked at", AS_ROOT, async () => {
  await using box = await makeBox();
  const mine = await box.start("shell", "true");
  const theirs = await box.start("shell", "touch ran");
  Deno.chownSync(box.path(`tasks/${theirs}.json`), NOBODY, NOBODY);
  Deno.chmodSync(box.path("tasks"), 0o777);
  const { stdout } = await box.run("run", "--all", "--wait");
  assertStringIncludes(stdout, `${theirs}.json belongs to another user`);
  assertEquals((await box.settled(mine)).status, "complete");
  assertEquals([...Deno.readDirSync(box.root)].some(({ name }) => name === "ran"), false);
});
