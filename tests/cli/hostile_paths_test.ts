// Ids that are none, links and fifos: refused before they are a path, read or written.

import fc from "fast-check";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { isIdEnd, isKey, isTaskId } from "../../lib/task/id.ts";
import { assertRefused, makeBox, makeFolder } from "../support/program.ts";
import { assertRestWorks, contents, id } from "../support/hostile.ts";
import { linking, needs, test } from "../support/needs.ts";

Deno.test("what is no id is refused before it becomes a path", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  const made = [
    "..",
    "../../etc/passwd",
    "task_1234567890/../../x",
    "task_1234567890.json",
    "task_123",
    "task_123456789012345678901",
    "TASK_1234567890",
    "task_12345678９0",
    "task_1234567890\n",
    " task_1234567890",
    "",
    "*",
  ];
  const generated = fc.sample(fc.string({ unit: "grapheme", maxLength: 20 }), {
    numRuns: 25,
    seed: 20261122,
  }).map((text) => text.replaceAll("\0", ""));
  const texts = [...made, ...generated].filter((text) => !isTaskId(text));
  const commands = [["show"], ["logs"], ["cancel"], ["retry"], ["wait"], ["timeout", "now"]];
  const outcomes = await Promise.all(
    texts.map((text, at) => box.run(...commands[at % commands.length]!, "--", text)),
  );
  for (const [at, outcome] of outcomes.entries()) {
    // Some could be the key of a task, or the end of an id; nobody is called so.
    const named = isKey(texts[at]!) || isIdEnd(texts[at]!);
    const text = assertRefused(outcome, named ? 3 : 2, texts[at]);
    assertStringIncludes(text, named ? "No task " : "is not a task id");
  }
  assertEquals(contents(box.path("tasks")), before);
  await assertRestWorks(box, good);
});

test(
  "links planted in .orchestra are refused, and what they lead to is neither read nor written",
  linking(),
  async () => {
    await using outside = await makeFolder();
    const victim = `${outside.path}/victim`;
    const reset = () => Deno.writeTextFileSync(victim, "the secret of the victim\n");
    /** What to replace by a link, which commands then, and with which exit codes. */
    const cases: [string, (id: string) => string, "file" | "folder", [number, ...string[]][]][] = [
      ["the folder itself", () => "", "folder", [[5, "status"], [5, "start", "shell", "x"], [
        5,
        "run",
      ]]],
      ["tasks", () => "tasks", "folder", [[5, "status"], [5, "start", "shell", "x"], [5, "init"]]],
      ["logs", () => "logs", "folder", [[5, "run"]]],
      ["plans", () => "plans", "folder", [[5, "start", "shell", "x"]]],
      ["the lock", () => "lock", "file", [[5, "run"], [5, "cancel", "ID"]]],
      ["the daemon's lock", () => "daemon.lock", "file", [[5, "status"]]],
      ["settings", () => "config.json", "file", [[5, "start", "shell", "x"], [
        5,
        "config",
        "set",
        "priority",
        "3",
      ]]],
      ["a task", (task) => `tasks/${task}.json`, "file", [[5, "show", "ID"], [5, "cancel", "ID"]]],
    ];
    for (const [name, target, kind, calls] of cases) {
      await using box = await makeBox();
      const task = await box.start("shell", "true");
      const path = box.path(target(task)).replace(/\/$/, "");
      reset();
      const real = `${outside.path}/real`;
      if (kind === "folder") Deno.renameSync(path, real);
      else await Deno.remove(path).catch(() => {});
      const before = kind === "folder" ? [...Deno.readDirSync(real)].length : 0;
      Deno.symlinkSync(kind === "folder" ? real : victim, path);
      for (const [code, ...args] of calls) {
        const text = await box.run(...args.map((arg) => arg === "ID" ? task : arg));
        const said = assertRefused(text, code, `${name}: ${args.join(" ")}`);
        assert(/symbolic link|regular file/.test(said), `${name}: ${said}`);
        assert(!said.includes("the secret"));
      }
      if (kind === "folder") {
        assertEquals([...Deno.readDirSync(real)].length, before, name);
        Deno.removeSync(real, { recursive: true });
      }
      assertEquals(Deno.readTextFileSync(victim), "the secret of the victim\n", name);
    }
  },
);

test(
  "a log, plan or prompt that is a link fails its own task, and only that",
  linking(),
  async () => {
    await using outside = await makeFolder();
    const victim = `${outside.path}/victim`;
    Deno.writeTextFileSync(victim, "the secret of the victim\n");
    await using box = await makeBox();
    const [log, plan, prompt, good] = await Promise.all([
      box.start("shell", "echo written"),
      box.start("shell", "true"),
      box.start("shell", "true"),
      box.start("shell", "true"),
    ]);
    await Deno.remove(box.path(`logs/${log}.log`)).catch(() => {});
    Deno.symlinkSync(victim, box.path(`logs/${log}.log`));
    Deno.removeSync(box.path(`plans/${plan}_plan.md`));
    Deno.symlinkSync(victim, box.path(`plans/${plan}_plan.md`));
    Deno.symlinkSync(victim, box.path(`plans/${prompt}_prompt.md`));
    // Where a process with that number would write beside its target.
    Deno.symlinkSync(victim, box.path(`tasks/${good}.json.${Deno.pid}.tmp`));
    const run = await box.run("run", "--all", "--wait", "--parallel", "4");
    assertEquals(box.task(good!).status, "complete", run.stdout + run.stderr);
    assertEquals(box.task(log!).status, "failed");
    for (const each of [log, plan, prompt]) {
      const page = await box.run("show", each!);
      assert(!page.stdout.includes("the secret"), page.stdout);
      assert(box.task(each!).status !== "running");
    }
    const logs = await box.run("logs", log!);
    assert(!logs.stdout.includes("the secret"));
    await box.ok("clean", "all", "--yes");
    assertEquals(Deno.readTextFileSync(victim), "the secret of the victim\n");
  },
);

test(
  "a fifo or a device in the tasks folder is reported, and holds nobody up",
  needs("mkfifo"),
  async () => {
    await using box = await makeBox();
    const good = await box.start("shell", "true");
    for (const name of [`${id(1)}.json`, `${id(2)}.done`, `${good}.cancelled.tmp`]) {
      new Deno.Command("mkfifo", { args: [box.path(`tasks/${name}`)] }).outputSync();
    }
    assertStringIncludes(await box.ok("status"), id(1));
    assertRefused(await box.run("show", id(1)), 5);
    await assertRestWorks(box, good);
  },
);

test(
  "an agent that makes a fifo among the tasks while they are watched holds nobody up",
  needs("mkfifo"),
  async () => {
    await using box = await makeBox();
    const made = await box.start(
      "shell",
      'mkfifo "$ORCHESTRA_ROOT/.orchestra/tasks/trap"',
      "-p",
      "9",
    );
    const next = await box.start("shell", "true");
    const outcome = await box.run("run", "--all", "--wait", "--parallel", "1");
    assertEquals(outcome.code, 0, JSON.stringify(outcome));
    assertEquals([box.task(made).status, box.task(next).status], ["complete", "complete"]);
  },
);
