// Every agent program that can be run here, in every situation that an agent may come into: what comes
// of it. `deno task test:agents` checks the outcomes and compares them with the table of
// docs/agents-run.md; `deno run -A tests/agents/matrix.ts` writes that table anew.

import { format } from "../../docs/generate.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { PATIENCE } from "../support/program.ts";
import { type Program, versionOf } from "./agent_programs.ts";
import { type Lab, openLab, processesOf } from "./lab.ts";
import { USAGE } from "./model_server.ts";

/** A program in the table: which preset runs it, and what else it needs. */
interface Subject {
  readonly agent: Program;
  readonly programs: readonly Program[];
}

/** What is run, in the order of the table's columns. */
export const SUBJECTS: readonly Subject[] = [
  { agent: "codex", programs: ["codex"] },
  { agent: "opencode", programs: ["opencode"] },
  { agent: "gemini", programs: ["gemini", "node"] },
  { agent: "qwen", programs: ["qwen", "node"] },
  { agent: "copilot", programs: ["copilot", "node"] },
];

interface Situation {
  /** What happens, for the table. */
  readonly title: string;
  /** The marker of the model server's scenario, without brackets. */
  readonly model: string;
  /** Further options of `start`. */
  readonly options?: readonly string[];
  /** What is done while the agent works. */
  readonly meanwhile?: (lab: Lab, id: string) => Promise<void>;
  /** Checks how it ended; what it returns is told in the table. */
  readonly outcome: (lab: Lab, task: Task) => string | Promise<string>;
}

/** What a task that succeeded consumed: all that the model answered, or what is missing of it. */
function consumed(lab: Lab, { taskId, usage }: Task): string {
  const answers = lab.asked(taskId).length;
  const told = (usage?.inputTokens ?? 0) / USAGE.input;
  return told === answers ? "all tokens" : `tokens of ${told} of ${answers} answers`;
}

function complete(lab: Lab, task: Task): string {
  assertEquals([task.status, task.errorMessage], ["complete", null]);
  assertEquals(consumed(lab, task), "all tokens");
  return "`complete`, all tokens";
}

/** A failure of a class, with words that its reason has. */
function failed(task: Task, classes: readonly string[], words?: RegExp): string {
  assertEquals(task.status, "failed");
  assert(classes.includes(task.failureClass!), `${task.failureClass}: ${task.errorMessage}`);
  if (words !== undefined) assertMatch(task.errorMessage!, words);
  return `\`${task.failureClass}\``;
}

/** A lane that is paused for as long as the provider told, more or less. */
function paused(task: Task, seconds: number): string {
  const cell = failed(task, ["rate-limit"]);
  const pause = (Date.parse(task.laneUntil!) - Date.parse(task.completedAt!)) / 1000;
  assert(pause <= seconds + 1, `paused for ${pause} s`);
  return cell;
}

function notPaused(task: Task): void {
  assertEquals(task.laneUntil, null);
}

/** Nothing of a task lives any more. */
function gone(lab: Lab, task: Task): void {
  assertEquals(processesOf(lab, task.taskId), [], "processes were left");
}

/** Kills the program itself, as the system does where memory is short; its tool lives on. */
async function killProgram(lab: Lab, id: string): Promise<void> {
  const pidFile = Deno.readTextFileSync(`${lab.root}/.orchestra/tasks/${id}.1.pid`);
  const shim = Number(pidFile.split(" ")[0]);
  const programs = processesOf(lab, id).filter((pid) => parentOf(pid) === shim);
  assert(programs.length > 0, "the program is not there");
  for (const pid of programs) Deno.kill(pid, "SIGKILL");
  await lab.server.waitFor(
    ({ request: { scenario, prompt } }) =>
      scenario === "slow-tool-first" && /earlier attempt/i.test(prompt),
    AbortSignal.timeout(PATIENCE),
  );
  // The retry is at work.
  assertEquals(processesOf(lab, id), [], "the tool runs beside the retry");
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** What may become of an agent. The names are those of its tasks' agents as well. */
export const SITUATIONS: Readonly<Record<string, Situation>> = {
  done: {
    title: "makes a file, writes `.done`, says so",
    model: "success file=done.txt",
    outcome(lab, task) {
      assertEquals(task.result?.summary, "Wrote done.txt.");
      return complete(lab, task);
    },
  },
  late: {
    title: "its last answer comes five seconds after `.done`",
    model: "late file=late.txt",
    outcome: complete,
  },
  talk: {
    title: "talks, and does nothing",
    model: "idle",
    outcome: (_lab, task) => failed(task, ["no-signal"]),
  },
  cut: {
    title: "every answer is cut off; a timeout of a minute",
    model: "cut",
    // opencode asks again, without end; qwen for twenty seconds.
    options: ["--timeout", "60"],
    outcome: (_lab, task) => failed(task, ["exit", "no-signal", "timeout"]),
  },
  "http-401": {
    title: "HTTP 401",
    model: "401",
    outcome: (_lab, task) => failed(task, ["exit", "no-signal"], /401|Incorrect API key/i),
  },
  refused: {
    title: "HTTP 429, in its provider's words: 20 s",
    model: "refuse",
    outcome: (_lab, task) => paused(task, 60),
  },
  anthropic: {
    title: "HTTP 429, in Anthropic's words",
    model: "refuse by=anthropic",
    outcome: (_lab, task) => paused(task, 60),
  },
  unpaid: {
    title: "HTTP 429: there is no money left",
    model: "refuse by=unpaid",
    outcome(_lab, task) {
      notPaused(task);
      return failed(task, ["billing"]);
    },
  },
  "http-500": {
    title: "HTTP 500",
    model: "500",
    outcome: (_lab, task) => failed(task, ["exit", "no-signal"], /500|server|high demand/i),
  },
  hang: {
    title: "no answer comes; a timeout of 20 s",
    model: "hang",
    options: ["--timeout", "20"],
    outcome(lab, task) {
      gone(lab, task);
      return failed(task, ["timeout"]);
    },
  },
  words: {
    title: "a tool prints what a refusal looks like; nothing is signalled",
    model: "words",
    outcome(_lab, task) {
      notPaused(task);
      return failed(task, ["no-signal"]);
    },
  },
  killed: {
    title: "SIGKILL during a tool, retried",
    model: "slow-tool-first pid=PID",
    options: ["--auto-retry"],
    meanwhile: killProgram,
    async outcome(lab, task) {
      const cell = failed(task, ["exit", "lost"], /137|killed/);
      const { retriedBy } = lab.box.task(task.taskId);
      assertEquals((await lab.box.settled(retriedBy!)).status, "complete");
      return `${cell}, no tool left; its retry \`complete\``;
    },
  },
  cancelled: {
    title: "cancelled during a tool in a session of its own",
    model: "hang-detached pid=PID",
    async meanwhile(lab, id) {
      await lab.ok("cancel", id);
    },
    outcome(lab, task) {
      assertEquals(task.status, "cancelled");
      gone(lab, task);
      return "`cancelled`, no tool left";
    },
  },
};

/** What came of one situation; `problem` where it is not what it must be. */
export interface Cell {
  readonly text: string;
  readonly task: Task;
  readonly problem?: unknown;
}

/** Takes one program through situations; what is left of it afterwards is a problem of its own. */
export async function runSubject(
  { agent, programs }: Subject,
  names: readonly string[] = Object.keys(SITUATIONS),
): Promise<{ cells: Map<string, Cell>; left: string[] }> {
  const lab = await openLab({ programs, agents: [agent], atOnce: 4 });
  const cells = new Map<string, Cell>();
  let left: string[] = [];
  try {
    addAliases(lab, agent, names);
    await Promise.all(names.map(async (name) => {
      const { task, problem } = await runSituation(lab, name);
      let text = "";
      try {
        if (problem !== undefined) throw problem;
        text = await SITUATIONS[name]!.outcome(lab, task);
        cells.set(name, { text, task });
      } catch (error) {
        cells.set(name, { text: `**${task.failureClass ?? task.status}**`, task, problem: error });
      }
    }));
    // Who waits for a quota would be tried again right now.
    await lab.run(["cancel", "--all"]);
  } finally {
    left = await lab.close();
  }
  return { cells, left };
}

async function runSituation(lab: Lab, name: string): Promise<{ task: Task; problem?: unknown }> {
  const { model, options = [], meanwhile } = SITUATIONS[name]!;
  const pid = `${name}.pid`;
  const id = await lab.start(name, `Do it. [[model: ${model.replace("PID", pid)}]]`, ...options);
  let problem: unknown;
  if (meanwhile !== undefined) {
    try {
      await lab.toolBegan(pid);
      await meanwhile(lab, id);
    } catch (error) {
      problem = error;
    }
  }
  if (problem !== undefined) return { task: lab.box.task(id), problem };
  // Not its retries: who waits for a quota is tried again and again.
  return { task: await lab.box.settled(id) };
}

/** An agent for each situation: a pause of one must not hold up the others. */
function addAliases({ root }: Lab, agent: string, names: readonly string[]): void {
  const path = `${root}/.orchestra-cli/agent-config.json`;
  const settings = JSON.parse(Deno.readTextFileSync(path));
  for (const name of names) settings.agents[name] = settings.agents[agent];
  Deno.writeTextFileSync(path, JSON.stringify(settings));
}

/** The table of the outcomes, in Markdown. */
export function formatMatrix(columns: ReadonlyMap<Subject, ReadonlyMap<string, Cell>>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const subjects = [...columns.keys()];
  return [
    line(["", ...subjects.map(({ agent }) => `${agent} ${versionOf(agent)}`)]),
    line(["---", ...subjects.map(() => "---")]),
    ...Object.entries(SITUATIONS).map(([name, { title }]) =>
      line([title, ...subjects.map((subject) => columns.get(subject)!.get(name)?.text ?? "")])
    ),
  ].join("\n");
}

const PAGE = new URL("../../docs/agents-run.md", import.meta.url);
const OUTCOMES = /(<!-- outcomes -->\n)[^]*?(<!-- end of outcomes -->)/;

/** The page with that table, as it should be; and as it is. */
export async function pageWith(table: string): Promise<{ wanted: string; found: string }> {
  const found = await Deno.readTextFile(PAGE);
  return { wanted: await format(found.replace(OUTCOMES, `$1\n${table}\n\n$2`)), found };
}

if (import.meta.main) {
  // By hand: `deno run -A tests/agents/matrix.ts [programs [situations]]`, lists with commas.
  const [agents, names] = Deno.args.map((list) => list.split(","));
  const columns = new Map<Subject, ReadonlyMap<string, Cell>>();
  for (const subject of SUBJECTS) {
    if (agents !== undefined && !agents.includes(subject.agent)) continue;
    const began = performance.now();
    const { cells, left } = await runSubject(subject, names);
    columns.set(subject, cells);
    console.log(`== ${subject.agent} ${Math.round(performance.now() - began)} ms`, left);
    for (const [name, { text, task, problem }] of cells) {
      console.log(name, "|", text, "|", task.errorMessage, "|", problem ?? "");
    }
  }
  if (columns.size === SUBJECTS.length && names === undefined) {
    Deno.writeTextFileSync(PAGE, (await pageWith(formatMatrix(columns))).wanted);
  }
}
