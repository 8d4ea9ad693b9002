// What is launched for a task: arguments, environment, folder, and the prompt in each of them.

import { formatLaunchProblem } from "../../lib/text/failure.ts";
import type { AgentDefinition } from "../../lib/task/agent.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { ON_LINUX, test } from "../support/needs.ts";
import { RETRY_NOTE, WORKTREE_NOTE } from "../../templates/prompts.ts";
import {
  BASIC_ENV,
  firstPlan,
  MAX_ARGUMENT,
  prepareLaunch,
  type WorktreePlaces,
} from "../../lib/decide/launch_plan.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import { fullTask, ID, NOW, OTHER } from "../support/tasks.ts";
import { PLACES } from "../support/places.ts";

const SESSION = "0cb916db-26aa-40f2-86b5-1ba81b225fd2";

function prepared(
  task: Task,
  agent: Partial<AgentDefinition>,
  template: string | null = null,
  note = RETRY_NOTE,
) {
  const result = prepareLaunch(
    task,
    { command: "agent", args: [], ...agent },
    template,
    note,
    PLACES,
    SESSION,
  );
  assert(!("problem" in result), JSON.stringify(result));
  return result;
}

function taskWith(prompt: string, rest: Partial<Task> = {}): Task {
  return { ...newTask(ID, { agent: "shell", prompt }, NOW), ...rest };
}

Deno.test("prepareLaunch hands a prompt over as one argument, exactly as written", () => {
  for (
    const prompt of [
      "$(rm -rf /) `id` \"quotes\" 'single' ; & | > x",
      "two\nlines\r\nand\ttabs",
      "{taskId} {{x}} {prompt} %s $1",
      "emoji 👩‍👩‍👧 and 日本語",
      "",
      "-rf --help",
      "x".repeat(1000),
    ]
  ) {
    const { args, prompt: whole } = prepared(taskWith(prompt), { args: ["-p", "{prompt}"] });
    assertEquals(args, ["-p", prompt]);
    assertEquals(whole, prompt);
    assertEquals(prepared(taskWith(prompt), { args: ["{prompt}"] }, "<{prompt}>").args, [
      `<${prompt}>`,
    ]);
    assertEquals(prepared(taskWith(prompt), { args: ["{userPrompt}"] }, "<{prompt}>").args, [
      prompt,
    ]);
  }
});

Deno.test("prepareLaunch substitutes every placeholder in args, stdin, env and cwd", () => {
  const all = "{prompt}|{promptFile}|{taskId}|{agent}|{userPrompt}|{planFile}|{logFile}|" +
    "{workspace}|{doneFile}|{errorFile}";
  const wanted = [
    "hi",
    PLACES.promptFile,
    ID,
    "shell",
    "hi",
    PLACES.planFile,
    PLACES.logFile,
    PLACES.workspace,
    PLACES.doneFile,
    PLACES.errorFile,
  ].join("|");
  const launch = prepared(taskWith("hi"), {
    args: [all],
    stdin: all,
    env: { ALL: all },
    cwd: "sub/{taskId}",
  });
  assertEquals(launch.args, [wanted]);
  assertEquals(launch.stdin, wanted);
  assertEquals(launch.env.ALL, wanted);
  assertEquals(launch.cwd, `sub/${ID}`);
  assertEquals(launch.command, "agent");
});

Deno.test("prepareLaunch tells the agent where everything is, and runs it in the root", () => {
  const { env, cwd, stdin, inherit } = prepared(taskWith("hi"), {});
  assertEquals(cwd, "/w");
  assertEquals(stdin, null);
  assertEquals(inherit, null);
  assertEquals(env, {
    ORCHESTRA_TASK_ID: ID,
    ORCHESTRA_MARK: PLACES.mark,
    ORCHESTRA_ROOT: "/w",
    ORCHESTRA_PROMPT_FILE: PLACES.promptFile,
    ORCHESTRA_PLAN_FILE: PLACES.planFile,
    ORCHESTRA_LOG_FILE: PLACES.logFile,
    ORCHESTRA_DONE_FILE: PLACES.doneFile,
    ORCHESTRA_ERROR_FILE: PLACES.errorFile,
    ORCHESTRA_WORKSPACE: PLACES.workspace,
    ORCHESTRA_TOKEN: "",
    ORCHESTRA_WORKTREE: "",
    ORCHESTRA_BRANCH: "",
    ORCHESTRA_BASE: "",
  });
});

const WORKTREE: WorktreePlaces = {
  path: "/trees/t",
  folder: "/trees/t/sub",
  branch: "orchestra/t",
  base: "b".repeat(40),
  gitFolder: "/w/.git",
};

function inWorktree(agent: Partial<AgentDefinition>, template: string | null = null) {
  const result = prepareLaunch(
    taskWith("hi"),
    { command: "agent", args: [], ...agent },
    template,
    RETRY_NOTE,
    PLACES,
    SESSION,
    false,
    WORKTREE,
    WORKTREE_NOTE,
  );
  assert(!("problem" in result), JSON.stringify(result));
  return result;
}

Deno.test("prepareLaunch runs an agent in its worktree, and tells it which that is", () => {
  const { env, cwd, prompt } = inWorktree({}, "{userPrompt}");
  assertEquals(cwd, "/trees/t/sub");
  const { ORCHESTRA_WORKTREE, ORCHESTRA_BRANCH, ORCHESTRA_BASE, ORCHESTRA_ROOT } = env;
  assertEquals([ORCHESTRA_WORKTREE, ORCHESTRA_BRANCH, ORCHESTRA_BASE, ORCHESTRA_ROOT], [
    "/trees/t",
    "orchestra/t",
    "b".repeat(40),
    "/w",
  ]);
  assertStringIncludes(prompt, "`/trees/t`, on the branch\n`orchestra/t`");
});

Deno.test("a template that names the worktree itself gets no note, and a bare prompt stays as written", () => {
  assertEquals(inWorktree({}, "In {worktree}: {userPrompt}").prompt, "In /trees/t: hi");
  assertEquals(inWorktree({}, null).prompt, "hi");
});

Deno.test("what is said of a worktree is left out for a task that has none", () => {
  const agent = {
    args: ["a", "--add-dir={gitFolder}", "--at={worktree}", "{worktreeBranch}", "z"],
    env: { KEEP: "{taskId}", GIT: "{gitFolder}" },
  };
  const within = inWorktree(agent);
  assertEquals(within.args, ["a", "--add-dir=/w/.git", "--at=/trees/t", "orchestra/t", "z"]);
  assertEquals(within.env.GIT, "/w/.git");
  const without = prepared(taskWith("hi"), agent);
  assertEquals(without.args, ["a", "z"]);
  assertEquals([without.env.KEEP, "GIT" in without.env], [ID, false]);
});

Deno.test("with passEnv an agent inherits the named variables and the basic ones, no others", () => {
  const { inherit } = prepared(taskWith("hi"), { passEnv: ["MY_KEY"] });
  assertEquals(inherit, [...BASIC_ENV, "MY_KEY"]);
  assertEquals(prepared(taskWith("hi"), { passEnv: [] }).inherit, [...BASIC_ENV]);
  assert(!BASIC_ENV.some((name) => /KEY|TOKEN|SECRET/.test(name)));
});

Deno.test("an argument over the system's limit is refused with the ways around it", () => {
  for (
    const [prompt, bytes] of [
      ["x".repeat(MAX_ARGUMENT + 1), MAX_ARGUMENT + 1],
      ["é".repeat(MAX_ARGUMENT / 2 + 1), null],
      ["日".repeat(MAX_ARGUMENT / 3 + 1), null],
      ["👍".repeat(MAX_ARGUMENT / 4 + 1), null],
      ["x".repeat(1 << 20), 1 << 20],
    ] as const
  ) {
    const result = prepareLaunch(
      taskWith(prompt),
      { command: "agent", args: ["-p", "{prompt}"] },
      null,
      "",
      PLACES,
      SESSION,
    );
    assert("problem" in result);
    const message = formatLaunchProblem(result.problem);
    assertStringIncludes(message, "argument 2");
    assertStringIncludes(message, "{promptFile}");
    assertStringIncludes(message, '"stdin"');
    if (bytes !== null) assertStringIncludes(message, String(bytes));
    assertLess(message.length, 400);
  }
});

Deno.test("an agent on Windows is told of its files as programs there take them", () => {
  const root = "C:\\work";
  const places = { ...PLACES, root, doneFile: `${root}/.orchestra/tasks/${ID}.done` };
  const agent = { command: "agent", args: ["{doneFile}"] };
  const task = taskWith("say a/b");
  const result = prepareLaunch(task, agent, "{prompt}: {doneFile}", "", places, SESSION, true);
  assert(!("problem" in result));
  const told = `C:\\work\\.orchestra\\tasks\\${ID}.done`;
  assertEquals(result.args, [told]);
  assertEquals(result.prompt, `say a/b: ${told}`);
  assertEquals(result.env.ORCHESTRA_DONE_FILE, told);
  assertEquals([result.env.ORCHESTRA_ROOT, result.env.ORCHESTRA_MARK], [root, PLACES.mark]);
});

Deno.test("a session's id goes to the programs that ask for it, and is known of no other", () => {
  const asked = prepared(taskWith("x"), { args: ["--session-id={sessionId}", "{prompt}"] });
  assertEquals([asked.args[0], asked.sessionId], [`--session-id=${SESSION}`, SESSION]);
  assertEquals(prepared(taskWith("{sessionId}"), { args: ["{prompt}"] }).sessionId, null);
  assertEquals(prepared(taskWith("x"), { args: ["{{sessionId}}"] }).sessionId, null);
});

Deno.test("an argument of exactly the system's limit is taken, in any script", () => {
  for (
    const prompt of [
      "x".repeat(MAX_ARGUMENT),
      "x".repeat(MAX_ARGUMENT % 2) + "é".repeat(Math.floor(MAX_ARGUMENT / 2)),
      "x".repeat(MAX_ARGUMENT % 3) + "日".repeat(Math.floor(MAX_ARGUMENT / 3)),
    ]
  ) {
    assertEquals(new TextEncoder().encode(prompt).length, MAX_ARGUMENT);
    assertEquals(prepared(taskWith(prompt), { args: ["{prompt}"] }).args, [prompt]);
  }
});

test("the system takes an argument of MAX_ARGUMENT bytes and none that is longer", ON_LINUX, () => {
  const echo = (bytes: number) =>
    new Deno.Command("/bin/true", { args: ["x".repeat(bytes)], env: {} }).outputSync().success;
  assert(echo(MAX_ARGUMENT));
  assertThrows(() => echo(MAX_ARGUMENT + 1));
});

Deno.test("a prompt of 1 MB goes through {promptFile} and stdin", () => {
  const prompt = "日".repeat(350_000);
  const launch = prepared(taskWith(prompt), { args: ["{promptFile}"], stdin: "{prompt}" });
  assertEquals(launch.args, [PLACES.promptFile]);
  assertEquals(launch.stdin, prompt);
  assertEquals(launch.prompt, prompt);
});

Deno.test("the retry note stands once, in the template or behind it, and only for a retry", () => {
  const history = [{ attempt: 1, timestamp: "", error: "boom {taskId}", retriedFrom: OTHER }];
  const retry = taskWith("hi", { retryHistory: history, retryCount: 1 });
  const note = " [attempt {attempt}: {previousError}]";
  const said = " [attempt 2: boom {taskId}]";
  assertEquals(prepared(retry, {}, "{prompt}", note).prompt, `hi${said}`);
  assertEquals(
    prepared(retry, {}, "{prompt} after {previousError}", note).prompt,
    "hi after boom {taskId}",
  );
  assertEquals(prepared(taskWith("hi"), {}, "{prompt}", note).prompt, "hi");
  assertEquals(prepared(taskWith("hi"), {}, "{prompt}{previousError}", note).prompt, "hi");
  // A bare prompt is somebody's command line: nothing is added to it.
  assertEquals(prepared(retry, {}, null, note).prompt, "hi");
  const silent = [{ ...history[0]!, error: null }];
  assertEquals(
    prepared(taskWith("hi", { retryHistory: silent }), {}, "{prompt}", note).prompt,
    "hi",
  );
});

Deno.test("firstPlan holds the prompt, and for a retry what went before", () => {
  assertStringIncludes(firstPlan(taskWith("do {this} $&")), "do {this} $&");
  const plan = firstPlan(fullTask());
  for (const part of ["attempt 2/7", OTHER, "bang", fullTask().prompt]) {
    assertStringIncludes(plan, part);
  }
});
