// Which log a stream follows: by every name that a task has, and none where there is no such task.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox, withPatience } from "../support/program.ts";
import { BEARER, type Here, serveHere } from "./server.ts";

/** What a stream says first of a log. */
async function firstLog(here: Here, name: string): Promise<unknown> {
  const stop = new AbortController();
  const query = `log=${encodeURIComponent(name)}`;
  const response = await here.ask(`/events?${query}`, { headers: BEARER, signal: stop.signal });
  assertEquals(response.status, 200, name);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = async () => {
    for (;;) {
      const found = /^event: log\ndata: (.*)\n\n/m.exec(text);
      if (found !== null) return JSON.parse(found[1]!);
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream has ended: ${text}`);
      text += value;
    }
  };
  try {
    return await withPatience(`the log of ${name}`, read());
  } finally {
    stop.abort();
    await reader.cancel().catch(() => {});
  }
}

Deno.test("a log is followed by every name of its task, archived or not", async () => {
  await using box = await makeBox();
  const taskId = await box.start("shell", "echo out", "--key", "tests");
  await box.ok("run", "--all", "--wait");
  await box.settled(taskId);
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const log = { workspace: "box", taskId, size: 4 };
  for (const name of ["tests", "@last", taskId.slice(-6), taskId]) {
    assertEquals(await firstLog(here, `box/${name}`), log, name);
  }
  await here.post("/workspaces/box/actions/archive", { tasks: [taskId] });
  assertEquals(await firstLog(here, "box/tests"), log);
});

Deno.test("there is no stream for a log that there is not", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const refused = async (name: string) => {
    const response = await here.ask(`/events?log=${encodeURIComponent(name)}`);
    const text = await response.text();
    assertStringIncludes(response.headers.get("content-type")!, "json");
    return `${response.status} ${JSON.parse(text).error.code}`;
  };
  assertEquals(await refused("box/nobody"), "404 no-task");
  assertEquals(await refused("box/task_1000000000"), "404 no-task");
  assertEquals(await refused("nowhere/tests"), "404 no-workspace");
  assertEquals(await refused("box/../../secret"), "400 usage");
  for (const name of ["box", "box/", "/tests"]) assertEquals(await refused(name), "400 usage");
});
