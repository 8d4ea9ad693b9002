// show.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable, makeBox } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

Deno.test("show has everything about one task on a page, and the same as JSON", async () => {
  await using box = await makeBox();
  const script = `printf 'line %s\\n' 1 2 3; echo '{"error": "no luck", "details": "a stack"}' ` +
    `>"$ORCHESTRA_ERROR_FILE"; exit 1`;
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
