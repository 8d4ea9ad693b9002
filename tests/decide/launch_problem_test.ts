// Why an agent cannot be launched, as data: what somebody wrote is never taken for it.

import {
  MAX_ARGUMENT,
  MAX_CMD_LINE,
  MAX_LINE,
  MAX_VARIABLE,
  prepareLaunch,
} from "../../lib/decide/launch_plan.ts";
import { tryAdd } from "../../lib/queue/add.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { newTask } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

const PLACES = {
  mark: "1.2.3/task_1",
  root: "/w",
  planFile: "/w/plan",
  logFile: "/w/log",
  promptFile: "/w/prompt",
  usageFile: "/w/usage",
  doneFile: "/w/done",
  errorFile: "/w/error",
  workspace: "/w/workspace",
};

Deno.test("an argument that is too long is named by its place, with its size and the most", () => {
  const prompt = "é".repeat(MAX_ARGUMENT);
  const task = newTask("task_1772625600612", { agent: "x", prompt }, 0);
  const agent = { command: "agent", args: ["-p", "{prompt}"] };
  assertEquals(prepareLaunch(task, agent, null, "", PLACES, ""), {
    problem: {
      kind: "too-long",
      agent: "x",
      argument: 2,
      bytes: 2 * MAX_ARGUMENT,
      most: MAX_ARGUMENT,
    },
  });
});

Deno.test("on Windows a command line is measured as a whole, that of cmd.exe by its own limit", () => {
  const agent = { command: "agent.exe", args: ["-p", "{prompt}"] };
  const problemOf = (length: number, command = agent.command) => {
    const task = newTask("task_1772625600612", { agent: "x", prompt: '"'.repeat(length) }, 0);
    const result = prepareLaunch(task, { ...agent, command }, null, "", PLACES, "", true);
    return "problem" in result ? result.problem : undefined;
  };
  assertEquals(problemOf(15_000), undefined);
  assertEquals(problemOf(16_000), {
    kind: "too-long-line",
    agent: "x",
    // Each quotation mark needs another character before it, and what is quoted two around it.
    characters: "agent.exe".length + 5 + 32_003,
    most: MAX_LINE,
  });
  assertEquals(problemOf(1000, "C:\\Windows\\cmd.EXE"), undefined);
  assert(problemOf(4000, "cmd")?.kind === "too-long-line");
});

Deno.test("several lines for cmd.exe may each be as long as one: they become a batch file", () => {
  const agent = { command: "cmd", args: ["/d", "/s", "/c", "{prompt}"] };
  const problemOf = (prompt: string) => {
    const task = newTask("task_1772625600612", { agent: "x", prompt }, 0);
    const result = prepareLaunch(task, agent, null, "", PLACES, "", true);
    return "problem" in result ? result.problem : undefined;
  };
  const line = `echo "${"x".repeat(6000)}"`;
  assertEquals(problemOf(line), undefined);
  assertEquals(problemOf(Array(20).fill(line).join("\n")), undefined);
  assertEquals(problemOf(Array(20).fill(line).join("\r\n")), undefined);
  assertEquals(problemOf("rem\n".repeat(250_000)), undefined);
  for (const long of ["x".repeat(MAX_CMD_LINE), `echo a\n${"x".repeat(MAX_CMD_LINE)}`]) {
    assertEquals(problemOf(long), {
      kind: "too-long-line",
      agent: "x",
      characters: MAX_CMD_LINE + "cmd".length + 5 + 5 + 5 + 3,
      most: MAX_CMD_LINE,
    });
  }
});

Deno.test("on Windows a variable that would arrive cut is named, with its size and the most", () => {
  const agent = { command: "agent.exe", args: [], env: { WANTED: "{prompt}" } };
  const prepare = (length: number, windows: boolean) => {
    const task = newTask("task_1772625600612", { agent: "x", prompt: "x".repeat(length) }, 0);
    return prepareLaunch(task, agent, null, "", PLACES, "", windows);
  };
  const room = MAX_VARIABLE - "WANTED=".length;
  assert(!("problem" in prepare(room, true)));
  assertEquals(prepare(room + 1, true), {
    problem: {
      kind: "too-long-variable",
      agent: "x",
      name: "WANTED",
      characters: MAX_VARIABLE + 1,
      most: MAX_VARIABLE,
    },
  });
  assert(!("problem" in prepare(room + 1, false)));
});

Deno.test("a long prompt is refused for its length alone, not for the name of a template", async () => {
  const root = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${root}/.orchestra-cli`);
    // Once the name of the placeholder was looked for in the message.
    const agents = {
      reader: { command: "cat", args: [], promptTemplateFile: "{promptFile}.md" },
      writer: { command: "echo", args: ["{prompt}"], completion: "exit" },
    };
    Deno.writeTextFileSync(`${root}/.orchestra-cli/agent-config.json`, JSON.stringify({ agents }));
    const queue = openQueue(root);
    const prompt = "x".repeat(MAX_ARGUMENT + 1);
    const added = await tryAdd(queue, [{ agent: "reader", prompt }]);
    assert("tasks" in added, JSON.stringify(added));
    const [bytes, most] = [MAX_ARGUMENT + 1, MAX_ARGUMENT];
    // Windows has one line for all of them, with quotation marks and the program.
    const reason = Deno.build.os === "windows"
      ? {
        kind: "too-long-line",
        agent: "writer",
        characters: bytes + 3 + 4,
        most: MAX_LINE,
      } as const
      : { kind: "too-long", agent: "writer", argument: 1, bytes, most } as const;
    assertEquals(await tryAdd(queue, [{ agent: "writer", prompt }]), {
      refusal: { at: 0, reason },
    });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});
