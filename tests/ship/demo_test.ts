// The demo as a user runs it, not on a terminal; judged by the files that it leaves.

import { assert, assertEquals } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import type { Task } from "../../lib/task/fields.ts";

const DEMO = filePath(new URL("../../templates/demo.ts", import.meta.url));

Deno.test("the demo runs its pipeline to the expected end", async () => {
  const folder = await Deno.makeTempDir({ prefix: "orchestra-demo-test-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", DEMO],
      cwd: folder,
      stdin: "null",
      env: { TMPDIR: folder, TMP: folder, TEMP: folder, NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, text + new TextDecoder().decode(stderr));

    const root = [...Deno.readDirSync(folder)]
      .filter(({ name }) => name.startsWith("orchestra-demo-"))
      .map(({ name }) => `${folder}/${name}`)[0]!;
    const tasks = readTasks(root);
    assertEquals(tasks.length, 8);
    assertEquals(new Set(tasks.map((task) => task.agent)).size, 5);
    assertEquals(count(tasks, "complete"), 6);
    assertEquals(tasks.filter((task) => task.failureClass === "timeout").length, 1);
    const retry = tasks.find((task) => task.retryCount === 1)!;
    const first = tasks.find((task) => task.retriedBy === retry.taskId)!;
    assertEquals([first.status, first.failureClass], ["failed", "agent-error"]);
    assertEquals(retry.status, "complete");
    const pages = tasks.find((task) => task.dependsOn.includes(first.taskId))!;
    assert(
      pages.startedAt! >= retry.completedAt!,
      "a page was made before the links were mended",
    );

    const made = `${root}/.orchestra/workspace`;
    const index = Deno.readTextFileSync(`${made}/site/index.html`);
    assert(index.includes('<a href="usage.html">usage</a>'));
    assert(Deno.readTextFileSync(`${root}/notes/usage.md`).includes("(install.md)"));
    const { total } = JSON.parse(Deno.readTextFileSync(`${made}/words.json`));
    assert(total > 50 && text.includes(`${total} words in 3 files`));
    const said = text.replaceAll("\\", "/");
    const place = made.replaceAll("\\", "/");
    for (const word of ["Three commands to try next", `show ${retry.taskId}`, place]) {
      assert(said.includes(word), `${JSON.stringify(word)} is not in:\n${text}`);
    }
    assert(!text.includes("\x1b"), "escape sequences though not on a terminal");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function readTasks(root: string): Task[] {
  const folder = `${root}/.orchestra/tasks`;
  return [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json"))
    .map(({ name }) => JSON.parse(Deno.readTextFileSync(`${folder}/${name}`)));
}

function count(tasks: readonly Task[], status: Task["status"]): number {
  return tasks.filter((task) => task.status === status).length;
}
