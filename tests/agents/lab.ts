// A workspace with real agent programs, a home and a model of their own, through the whole product:
// `init`, `daemon`, `start`, `wait`. Closing it looks for processes that know that home: there must be
// none. Nothing here sleeps; waiting is done by `orchestra wait` or by watching files.

import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { namespaces, needs, ON_LINUX } from "../support/needs.ts";
import {
  type Box,
  kill,
  MAIN,
  openBox,
  type Outcome,
  PATIENCE,
  processesWith,
} from "../support/program.ts";
import {
  API_KEY,
  installAgents,
  layOutAgentHome,
  type Program,
  satisfyOpencodePlugin,
  waitForFile,
} from "./agent_programs.ts";
import { type ModelRequest, type ModelServer, startModelServer } from "./model_server.ts";

/** A workspace with real agents and a model of its own. */
export interface Lab {
  readonly root: string;
  readonly server: ModelServer;
  readonly box: Box;
  /** Runs the program. */
  run(args: readonly string[], stdin?: string): Promise<Outcome>;
  /** Runs it, checks that the exit code is 0, and returns what it printed. */
  ok(...args: string[]): Promise<string>;
  /** Starts the daemon of a lab that has none yet. */
  startDaemon(): Promise<string>;
  /** Queues a task with that prompt, and returns its id. */
  start(agent: string, prompt: string, ...options: string[]): Promise<string>;
  /** Waits with `orchestra wait` until tasks and their retries are over, then until all is tidied. */
  settle(...ids: string[]): Promise<Task[]>;
  /** The attempts of a task, oldest first. */
  attempts(id: string): Task[];
  /** Fulfilled when the tool of a scenario has begun. */
  toolBegan(file: string): Promise<void>;
  /** Changes an agent's entry in the settings that `init` wrote. */
  edit(agent: string, change: (entry: Record<string, unknown>) => void): void;
  /** What the model was asked about a task, side calls left out. */
  asked(id: string): ModelRequest[];
  /** Stops the daemon and removes everything; what should not be there by then, in words. */
  close(): Promise<string[]>;
}

/** Tools of agents are looked for in /proc; codex runs them in a namespace of their own. */
export const MISSING = ON_LINUX ?? needs("npm") ?? namespaces();

/** What a lab is made of. */
export interface LabOptions {
  /** Programs that it has. */
  programs: readonly Program[];
  /** Presets that `init` writes. */
  agents: readonly string[];
  /** Whether a daemon runs what is queued; true where absent. */
  daemon?: boolean;
  /** What the model does where a prompt does not say it; "success" where absent. */
  scenario?: string;
  /** How many tasks run at once; 8 where absent. */
  atOnce?: number;
}

/** Processes of a task. Ids are times: another workspace may have the same. */
export function processesOf({ root }: Lab, taskId: string): number[] {
  return processesWith("environ", [`ORCHESTRA_ROOT=${root}`, `ORCHESTRA_TASK_ID=${taskId}`]);
}

/** Makes a workspace with the presets, and a daemon that runs what is queued. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const programs = await installAgents(options.programs);
  const top = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra-agents-" }));
  const root = `${top}/project with a space`;
  const home = `${top}/home`;
  await Deno.mkdir(root);
  const server = startModelServer({ scenario: options.scenario });
  const env = {
    ...await layOutAgentHome({ home, url: server.url, programs }),
    DENO_DIR: await denoDir(),
    NO_COLOR: "1",
  };
  const box = openBox(root);

  async function run(args: readonly string[], stdin?: string): Promise<Outcome> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-prompt", MAIN, ...args],
      cwd: root,
      env,
      clearEnv: true,
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(PATIENCE),
    }).spawn();
    if (stdin !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(stdin));
      await writer.close();
    }
    const { code, stdout, stderr } = await child.output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, stdout: out!, stderr: err! };
  }

  async function ok(...args: string[]): Promise<string> {
    const outcome = await run(args);
    assertEquals(outcome.code, 0, `${args.join(" ")}: ${JSON.stringify(outcome)}`);
    return outcome.stdout;
  }

  function attempts(id: string): Task[] {
    const found = [box.task(id)];
    for (let next = found[0]!.retriedBy; next !== null; next = found.at(-1)!.retriedBy) {
      found.push(box.task(next));
    }
    return found;
  }

  const startDaemon = () =>
    ok("daemon", "start", `--max-concurrent=${options.atOnce ?? 8}`, "--interval=1");
  await ok("init", ...options.agents.flatMap((agent) => ["--agent", agent]));
  await ok("config", "set", "retry.base", "0");
  // An agent that has signalled says its last words also where the machine is slow.
  await ok("config", "set", "grace_period", "20");
  await satisfyOpencodePlugin(`${root}/.orchestra-cli`);
  if (options.daemon ?? true) await startDaemon();

  return {
    root,
    server,
    box,
    run,
    ok,
    startDaemon,
    async start(agent, prompt, ...rest) {
      const outcome = await run(["start", "--quiet", agent, "-", ...rest], prompt);
      assertEquals(outcome.code, 0, JSON.stringify(outcome));
      return outcome.stdout.trim();
    },
    async settle(...ids) {
      const { code, stderr } = await run(["wait", "--timeout", String(PATIENCE / 1000), ...ids]);
      assert(code <= 1, `wait: ${code} ${stderr}`);
      return await Promise.all(
        ids.map((id) => box.settled(attempts(id).at(-1)!.taskId).then(() => box.settled(id))),
      );
    },
    attempts,
    async toolBegan(file) {
      await waitForFile(`${root}/${file}`, AbortSignal.timeout(PATIENCE));
    },
    edit(agent, change) {
      const path = `${root}/.orchestra-cli/agent-config.json`;
      const settings = JSON.parse(Deno.readTextFileSync(path));
      change(settings.agents[agent]);
      Deno.writeTextFileSync(path, JSON.stringify(settings));
    },
    // Gemini puts the folder's files into its prompts, the sentinels of other tasks among them.
    asked: (id) =>
      server.log.map((entry) => entry.request)
        .filter(({ tools, doneFile }) => tools.length > 0 && doneFile.endsWith(`/${id}.done`)),
    async close() {
      const wrong: string[] = [];
      await run(["daemon", "stop"]);
      await box.unwatched().catch((error: Error) => wrong.push(error.message));
      for (const pid of processesWith("environ", [`HOME=${home}`])) {
        wrong.push(`process ${pid} was left: ${commandLineOf(pid)}`);
        kill(pid, "SIGKILL");
      }
      await server.close();
      wrong.push(...server.unexpected.map((request) => `the model server was asked ${request}`));
      for (const { request } of server.log) {
        if (request.token !== API_KEY) wrong.push(`request ${request.index} had another key`);
      }
      await box[Symbol.asyncDispose]();
      await Deno.remove(top, { recursive: true });
      return wrong;
    },
  };
}

function commandLineOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 200);
  } catch {
    return "ended just now";
  }
}

/** The program runs with the home of a lab, but need not be compiled anew in each. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
