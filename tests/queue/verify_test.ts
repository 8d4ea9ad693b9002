// A verify command runs once for a claim, whoever looks at the same time.

import { assertEquals } from "../support/assert.ts";
import { exitIn, textIn } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";
import { SHELL, test } from "../support/needs.ts";

test("verify runs once for each claim, with six who look and two who watch", SHELL, async () => {
  await using box = await makeBox();
  const verify = 'echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/verified"';
  const wishes = Array.from({ length: 24 }, () => ({
    agent: "shell",
    prompt: "true",
    verify: ["sh", "-c", verify],
  }));
  const ids = (await box.runWith(
    { stdin: wishes.map((wish) => JSON.stringify(wish)).join("\n") },
    "start",
    "--quiet",
    "--from",
    "-",
  )).stdout.trim().split("\n");
  let over = false;
  const looks = Array.from({ length: 6 }, async (_, at) => {
    while (!over) await box.run(...(at % 2 === 0 ? ["status"] : ["run", "--parallel", "4"]));
  });
  const watches = [1, 2].map(() => box.run("run", "--all", "--wait", "--parallel", "4"));
  await Promise.all(watches);
  over = true;
  await Promise.all(looks);
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  const ran = (textIn(box.path("workspace/verified")) ?? "").trim().split("\n");
  assertEquals(ran.sort(), [...ids].sort());
});

test("a verify command whose launch never came is ordered again, once", SHELL, async () => {
  await using box = await makeBox();
  // No rescan helps: all that happens is told of.
  box.config({ supervise: false, interval: 3600 });
  const verify = 'echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/verified"';
  const id = await box.start("--verify", verify, "shell", "true");
  await box.ok("run");
  await box.until("the end", () => exitIn(box, id));
  const path = box.path(`tasks/${id}.json`);
  const verifyAt = new Date(Date.now() - 60_000).toISOString();
  Deno.writeTextFileSync(path, JSON.stringify({ ...box.task(id), verifyClaim: 1, verifyAt }));
  await box.run("run", "--wait");
  const { status, verifyClaim } = box.task(id);
  assertEquals([status, verifyClaim], ["complete", 2]);
  assertEquals(textIn(box.path("workspace/verified")), `${id}\n`);
});

test("a verify command that cannot be started fails its task, once", SHELL, async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const log = '"$ORCHESTRA_ROOT/.orchestra/logs/$ORCHESTRA_TASK_ID.log"';
  const script = `rm ${log}; ln -s /dev/null ${log}`;
  const id = await box.start("--verify", "true", "shell", script);
  await box.ok("run");
  await box.until("the end", () => exitIn(box, id));
  await box.run("run", "--wait");
  const { status, failureClass, verifyClaim } = box.task(id);
  assertEquals([status, failureClass, verifyClaim], ["failed", "verify", 1]);
});

Deno.test("a folder where the code of a check belongs fails the task, and holds nobody up", async () => {
  await using box = await makeBox();
  const script = 'mkdir -p ".orchestra/tasks/$ORCHESTRA_TASK_ID.verifycode/x"';
  const id = await box.start("--verify", "true", "--timeout", "1h", "shell", script);
  assertEquals((await box.run("run", "--wait")).code, 1);
  const { status, failureClass } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "verify"]);
});
