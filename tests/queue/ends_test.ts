// When a task ended: as its agent or its shim left it, not when somebody looked.

import { assert, assertEquals } from "../support/assert.ts";
import { exitIn } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";
import { parseTime } from "../../lib/task/fields.ts";

for (
  const [what, agent, prompt, mark] of [
    ["an exit code", "shell", "exit 0", "exitcode"],
    ["a failure", "shell", "exit 7", "exitcode"],
    ["a .done", "signal", ': >"$ORCHESTRA_DONE_FILE"', "done"],
    ["an .error", "signal", 'echo no >"$ORCHESTRA_ERROR_FILE"', "error"],
  ] as const
) {
  Deno.test(`a task ended when ${what} says so, whenever somebody looks`, async () => {
    await using box = await makeBox();
    box.config({ supervise: false });
    const id = await box.start(agent, prompt);
    await box.ok("run");
    await box.until("the end", () => exitIn(box, id));
    const started = parseTime(box.task(id).startedAt)!;
    // As if it had all happened an hour ago.
    const hour = 3_600_000;
    const path = box.path(`tasks/${id}.json`);
    const then = { startedAt: new Date(started - hour).toISOString() };
    Deno.writeTextFileSync(path, JSON.stringify({ ...box.task(id), ...then }));
    const ended = new Date(started - hour + 1500);
    for (const name of new Set([mark, "exitcode"])) {
      Deno.utimeSync(box.path(`tasks/${id}.${name}`), ended, ended);
    }
    await box.ok("status");
    assertEquals(box.task(id).completedAt, ended.toISOString());
    const { tasks } = await box.json("status");
    assertEquals(tasks[0].elapsedSeconds, 1.5);
  });
}

Deno.test("no end lies before the start or after the look", async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  for (const year of ["1999", "2199"]) {
    const id = await box.start("shell", "true");
    await box.ok("run");
    await box.until("the end", () => exitIn(box, id));
    const time = new Date(`${year}-01-01T00:00:00Z`);
    Deno.utimeSync(box.path(`tasks/${id}.exitcode`), time, time);
    await box.ok("status");
    const { startedAt, completedAt } = box.task(id);
    assert(parseTime(completedAt)! >= parseTime(startedAt)!, `${startedAt} ${completedAt}`);
    assert(parseTime(completedAt)! <= Date.now(), `${completedAt}`);
  }
});
