// show.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { assertPrintable, makeBox, runLine } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

Deno.test("show has everything about one task on a page, and the same as JSON", async () => {
  await using box = await makeBox();
  const script = "echo line 1; echo line 2; echo line 3; " +
    `echo '{"error": "no luck", "details": "a stack"}' >"$ORCHESTRA_ERROR_FILE"; exit 1`;
  const id = await box.start("signal", script, "-l", "team=x", "--timeout", "10m", "-p", "8");
  const dependent = await box.start("shell", "true", "--depends-on", id);
  await box.run("run", "--all", "--wait");
  const again = (await box.json("retry", id)).taskId;
  const [page, json] = await Promise.all([box.ok("show", id), box.json("show", id)]);
  for (
    const part of [
      id,
      "failed",
      "no luck",
      "agent-error",
      "a stack",
      "team=x",
      "10m",
      again,
      dependent,
      "line 3",
      `.orchestra/logs/${id}.log`,
      `.orchestra/plans/${id}_plan.md`,
    ]
  ) assertStringIncludes(page, part);
  assertPrintable(page);
  assertEquals(json.task.errorMessage, "no luck");
  assertEquals(json.chain, [id, again]);
  assertEquals(json.dependents, [dependent]);
  assertEquals(json.log, "line 1\nline 2\nline 3");
  const { dependencies } = await box.json("show", dependent);
  assertEquals(dependencies, [{ taskId: id, status: "pending", latest: again }]);
  await box.fails(3, "show", MISSING);
});

Deno.test(
  "the end of a log of events is shown as a person reads it, on the page and in reports",
  async () => {
    await using box = await makeBox();
    const prints = (name: string, code: number) => {
      const path = filePath(new URL(`../fixtures/${name}.jsonl`, import.meta.url));
      return runLine(`cat '${path}'; exit ${code}`);
    };
    box.agents({
      // Its last fifteen events say nothing that is shown.
      done: { ...prints("copilot_success", 0), usage: "copilot", completion: "exit" },
      refused: { ...prints("codex_http_401", 1), usage: "codex", completion: "exit" },
    });
    const done = await box.start("done", "x");
    await box.start("refused", "x");
    const junit = await box.run("run", "--all", "--wait", "--report", "junit=-");
    assertStringIncludes(await box.ok("show", done), "Done: the file is written");
    assertStringIncludes(junit.stdout, "error: unexpected status 401 Unauthorized");
    assertEquals(junit.stdout.includes("thread.started"), false);
  },
);

Deno.test("why a task was cancelled stands on its page", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await box.ok("cancel", id, "--reason", "the wrong branch");
  assertMatch(await box.ok("show", id), /^Reason +the wrong branch$/m);
});
