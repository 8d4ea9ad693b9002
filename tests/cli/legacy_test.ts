// A workspace that the ancestor made: shown as it was left, and goes on.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import { SHELL } from "../support/needs.ts";
import { type Box, makeFolder, openBox, runLine } from "../support/program.ts";
import { endOf, lineOf } from "../support/words.ts";

/** A copy of a workspace that the ancestor made. */
async function makeLegacyBox(): Promise<Box> {
  const folder = await makeFolder();
  writeLegacyWorkspace(folder.path);
  return openBox(folder.path);
}

Deno.test("a workspace of the ancestor is shown as it was left, and its files stay as they are", async () => {
  await using box = await makeLegacyBox();
  const status = await box.ok("status", "--no-auto-retry", "--all");
  const phases: Record<string, RegExp> = {
    [LEGACY.complete]: /complete/,
    [LEGACY.completeAfterDependency]: /complete/,
    [LEGACY.failedAndRetried]: /failed.*boom/,
    [LEGACY.failed]: /failed.*code 7/,
    [LEGACY.cancelled]: /cancelled/,
    [LEGACY.pending]: /ready/,
    [LEGACY.pendingRetry]: /ready/,
    [LEGACY.blocked]: new RegExp(
      `waiting.* waits for ${endOf(LEGACY.pendingRetry, Object.keys(LEGACY_TASKS))}$`,
    ),
  };
  for (const [id, phase] of Object.entries(phases)) assertMatch(lineOf(status, id), phase);
  const ids = Object.keys(LEGACY_TASKS);
  const pages = await Promise.all(ids.map((id) => box.ok("show", id)));
  for (const [at, page] of pages.entries()) assertStringIncludes(page, ids[at]!);
  assertStringIncludes(await box.ok("logs", LEGACY.complete), "working on Your Task ID");
  const listed = await box.json("timeout", "list");
  assertEquals(listed.map((item: { taskId: string }) => item.taskId), [LEGACY.cancelled]);
  const installed = SHELL === null ? "✓ installed" : "✗ missing";
  assertMatch(
    await box.ok("agents"),
    new RegExp(`^ok\\s+${installed}\\s+sh\\s+signals \\.done`, "m"),
  );
  await box.fails(4, "retry", LEGACY.failedAndRetried);
  await box.fails(4, "cancel", LEGACY.complete);
  await box.fails(4, "timeout", LEGACY.failed);
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    assertEquals(Deno.readTextFileSync(box.path(`tasks/${id}.json`)), text, id);
  }
});

/** What the agents of that workspace do, where there is no `sh` to do it. */
function portAgents(box: Box): void {
  const prefix = ".orchestra/tasks/{taskId}";
  box.agents({
    ok: runLine(
      "echo 'working on {userPrompt}'; echo result >.orchestra/workspace/{taskId}.txt; " +
        `echo >${prefix}.done`,
    ),
    bad: runLine(`echo '{{"error": "boom"}}' >${prefix}.error; exit 1`),
    crash: runLine("exit 7"),
  });
}

Deno.test("a workspace of the ancestor goes on: run, retry, cancel, clean; what was blocked gets ready", async () => {
  await using box = await makeLegacyBox();
  if (SHELL !== null) portAgents(box);
  // `ok` completes; the retry of `bad` fails again, which blocks what depends on it.
  const run = await box.run("run", "--all", "--wait", "--parallel", "3");
  assertEquals(run.code, 1, run.stderr);
  assertEquals(box.task(LEGACY.pending).status, "complete");
  assertStringIncludes(
    Deno.readTextFileSync(box.path(`logs/${LEGACY.pending}.log`)),
    "fifth waits",
  );
  assert(Deno.statSync(box.path(`workspace/${LEGACY.pending}.txt`)).isFile);
  const last = box.tasks().filter((task) => task.prompt === "second: this fails").at(-1)!;
  assertEquals([last.status, last.retryCount, last.errorMessage], ["failed", 2, "boom"]);
  const lastEnd = endOf(last.taskId, box.tasks().map(({ taskId }) => taskId));
  assertMatch(
    lineOf(await box.ok("status"), LEGACY.blocked),
    new RegExp(`blocked.*Dependency ${lastEnd} failed$`),
  );
  // The agent is mended; the retry of the dependency completes, and the blocked task runs.
  const config = `${box.root}/.orchestra-cli/agent-config.json`;
  const agents = JSON.parse(Deno.readTextFileSync(config));
  agents.agents.bad = agents.agents.ok;
  Deno.writeTextFileSync(config, JSON.stringify(agents));
  await box.ok("retry", last.taskId, "--max-retries", "3");
  assertStringIncludes(lineOf(await box.ok("status"), LEGACY.blocked), "waiting");
  assertEquals((await box.run("run", "--all", "--wait")).code, 0);
  assertEquals(box.task(LEGACY.blocked).status, "complete");
  assertEquals(box.task(LEGACY.failedAndRetried).status, "failed");

  const again = (await box.json("retry", LEGACY.failed)).taskId;
  assertEquals(box.task(LEGACY.failed).retriedBy, again);
  await box.ok("cancel", again);
  await box.ok("clean", LEGACY.cancelled, "--yes");
  await box.ok("clean", "all", "--yes");
  assertEquals(box.tasks(), []);
});
