// Many processes at once.

import { assertEquals } from "./assert.ts";
import { makeBox } from "./program.ts";

/** Starts a task in each of so many processes at once, and checks that there are as many tasks. */
export async function startAtOnce(count: number): Promise<void> {
  await using box = await makeBox();
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, at) => box.run("start", "-q", "shell", `echo ${at}`)),
  );
  const ids = outcomes.map(({ code, stdout, stderr }) => {
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  });
  assertEquals(new Set(ids).size, count);
  for (const [at, id] of ids.entries()) assertEquals(box.task(id).prompt, `echo ${at}`);
  const names = [...Deno.readDirSync(box.path("tasks"))].map((item) => item.name);
  assertEquals(names.sort(), ids.map((id) => `${id}.json`).sort());
}
