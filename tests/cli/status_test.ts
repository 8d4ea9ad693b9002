// status: what is shown of the queue, and at which width.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { ON_LINUX } from "../support/needs.ts";
import { assertPrintable, makeBox } from "../support/program.ts";
import { forge } from "../support/gated.ts";
import { endOf, lineOf } from "../support/words.ts";

Deno.test("status shows what is active and the last 20 finished, filters, and counts the rest", async () => {
  await using box = await makeBox();
  box.config({ max_concurrent: 30 });
  const lines = Array.from(
    { length: 23 },
    (_, at) => JSON.stringify({ agent: "shell", prompt: `exit ${at % 2}` }),
  );
  const done = await box.runWith({ stdin: lines.join("\n") }, "start", "--from", "-", "-q");
  assertEquals(done.code, 0, done.stderr);
  await box.run("run", "--all", "--wait");
  const labelled = await box.start("auto", "true", "-l", "team=x", "-l", "n=1");
  const ready = await box.start("shell", "true", "-l", "team=y");
  const waiting = await box.start("shell", "true", "--depends-on", ready);
  const failed = box.tasks().find((task) => task.status === "failed")!.taskId;
  const blocked = await box.start("shell", "true", "--depends-on", failed);
  const rows = (text: string) => text.match(/^task_\d+/gm)?.length ?? 0;

  const [plain, all, json] = await Promise.all([
    box.ok("status"),
    box.ok("status", "--all"),
    box.json("status"),
  ]);
  assertEquals([rows(plain), rows(all), json.tasks.length], [24, 27, 27]);
  assertStringIncludes(plain, "3 more");
  assertMatch(plain, /2 ready · 1 waiting · 1 blocked · 12 complete · 11 failed/);
  const end = (id: string) => endOf(id, box.tasks().map(({ taskId }) => taskId));
  assert(lineOf(plain, waiting).endsWith(` waits for ${end(ready)}`), plain);
  assert(lineOf(plain, blocked).endsWith(` Dependency ${end(failed)} failed`), plain);
  assertEquals(json.damaged, []);
  const viewed = json.tasks.find((task: { taskId: string }) => task.taskId === blocked);
  assertEquals(
    [viewed.phase, viewed.blockedBy, viewed.blockedReason],
    ["blocked", failed, `Dependency ${failed} failed`],
  );
  const ids = async (...args: string[]) =>
    (await box.json("status", ...args)).tasks.map((task: { taskId: string }) => task.taskId);
  const [byLabel, byBoth, byAgent, byStatus, byPhase, complete, none] = await Promise.all([
    ids("--label", "team=x"),
    ids("-l", "team=x", "-l", "n=2"),
    ids("--agent", "auto,other"),
    ids("--status", "pending"),
    ids("--status", "blocked,waiting"),
    ids("--status", "completed"),
    ids("--status", "running"),
  ]);
  assertEquals([byLabel, byBoth, byAgent], [[labelled], [], [labelled]]);
  assertEquals([byStatus.length, byPhase.sort(), complete.length], [
    4,
    [waiting, blocked].sort(),
    12,
  ]);
  assertEquals(none, []);
});

Deno.test("status fits 80 columns as it fits 200, and is plain text when it is piped", async () => {
  await using box = await makeBox();
  const ids = await Promise.all([
    box.start("shell", `echo ${"日本語 and a long story ".repeat(20)}`, "-p", "9", "-l", "a=b"),
    box.start(
      "shell",
      "echo 👩‍👩‍👧 \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202e two\nlines",
      "--timeout",
      "5",
    ),
  ]);
  await box.run("run", "--all", "--wait");
  // As many days old that no two looks see another age.
  const createdAt = formatTime(Date.now() - 5.5 * 86_400_000);
  for (const id of ids) forge(box, id, { createdAt });
  const [plain, narrow, colored, ascii, notColored] = await Promise.all([
    box.ok("status"),
    box.runWith({ env: { COLUMNS: "80" } }, "status"),
    box.ok("status", "--color"),
    box.runWith({ env: { LC_ALL: "C" } }, "status"),
    box.ok("status", "--no-color"),
  ]);
  assertPrintable(plain);
  assertEquals(notColored, plain);
  for (const line of narrow.stdout.split("\n")) assert([...line].length <= 80, line);
  // deno-lint-ignore no-control-regex
  assertNotEquals(colored.replaceAll(/\x1b\[[\d;]*m/g, ""), colored);
  // deno-lint-ignore no-control-regex
  assertPrintable(colored.replaceAll(/\x1b\[[\d;]*m/g, ""));
  // Elsewhere no locale keeps a terminal from what is not ASCII.
  if (ON_LINUX !== null) return;
  assertMatch(ascii.stdout.replaceAll(/^(task_\d+)(.*?)(echo .*)$/gm, "$1$2"), /^[\x20-\x7e\n]*$/);
});
