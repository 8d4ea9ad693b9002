// `deno task demo`: the whole product in a few seconds, in a new folder. Everything is done through
// the command line that a user has, by programs that need neither a model nor a key; the only files
// written by hand are those that a user would write: the notes, the agents and the list of tasks.

import type { Task } from "../lib/task/fields.ts";
import { hasGit, showRepository } from "./demo_repository.ts";

const WINDOWS = Deno.build.os === "windows";

/** What the agent `shell` is given, in the language that it has on this system. */
const [COUNT_WORDS, WAIT] = WINDOWS
  ? [
    'find /c /v "" notes\\*.md > .orchestra\\workspace\\wc.txt & type .orchestra\\workspace\\wc.txt',
    "ping -n 4 127.0.0.1 & date /t",
  ]
  : ["wc -w notes/*.md | tee .orchestra/workspace/wc.txt", "sleep 3; date"];
const MAIN = pathOf("../main.ts");
const AGENTS = ["counter", "checker", "builder", "waiter"] as const;

const NOTES: Readonly<Record<string, string>> = {
  "install.md": `# Installing

You need **Deno** and nothing else. See [how to use it](usage.md) next.

- clone the repository
- run \`deno task demo\`
`,
  // The first link is misspelt: an agent finds it, and its retry mends it.
  "usage.md": `# Using the queue

After [installing](instal.md), queue a task and run the queue:

- \`orchestra start shell 'echo hello'\`
- \`orchestra run --wait\`

Tasks with a higher priority run first. Questions are answered in the [FAQ](faq.md).
`,
  "faq.md": `# Questions

## Where is everything?

In plain files in \`.orchestra/\`. See [using the queue](usage.md).

## What if a task hangs?

Give the task a timeout. When the time is up, the task is ended with everything that it started.
`,
};

const TASKS = [
  { key: "words", agent: "counter", prompt: "Count the words in notes/" },
  {
    key: "links",
    agent: "checker",
    prompt: "Check the links in notes/",
    priority: 9,
    autoRetry: true,
    maxRetries: 2,
  },
  {
    key: "pages",
    agent: "builder",
    prompt: "Make a page of each note in notes/",
    dependsOn: "links",
  },
  {
    key: "index",
    agent: "builder",
    prompt: "Make the index of site/ with the word counts",
    dependsOn: ["pages", "words"],
  },
  { key: "check", agent: "checker", prompt: "Check the links in site/", dependsOn: "index" },
];

/** Path of a module beside this one, or its URL where it does not lie on this machine. */
function pathOf(name: string): string {
  const url = new URL(name, import.meta.url);
  if (url.protocol !== "file:") return url.href;
  const path = decodeURIComponent(url.pathname);
  return WINDOWS ? path.slice(1).replaceAll("/", "\\") : path;
}

function quote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return WINDOWS ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`;
}

/** How the user calls Deno. What npx puts on PATH for us is not on the user's own. */
function denoCommand(): string {
  const separator = WINDOWS ? ";" : ":";
  const folders = (Deno.env.get("PATH") ?? "").split(separator)
    .filter((folder) => !/[/\\](?:_npx|node-gyp-bin)[/\\]/.test(`${folder}/`));
  for (const folder of folders) {
    try {
      if (Deno.statSync(`${folder}/deno${WINDOWS ? ".exe" : ""}`).isFile) return "deno";
    } catch {
      // Not in this folder.
    }
  }
  return /[/\\]_npx[/\\]/.test(Deno.execPath())
    ? `npx --yes deno@${Deno.version.deno}`
    : quote(Deno.execPath());
}

const root = Deno.makeTempDirSync({ prefix: "orchestra-demo-" });
const isTerminal = Deno.stdout.isTerminal();
const bold = isTerminal && !Deno.noColor
  ? (text: string) => `\x1b[1m${text}\x1b[0m`
  : (text: string) => text;

function command(
  args: readonly string[],
  stdout: "inherit" | "piped",
  cwd: string = root,
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, ...args],
    cwd,
    stdin: "inherit",
    stdout,
    stderr: "inherit",
  });
}

/** Prints a command as a user would type it, and runs it on our own terminal. */
function orchestra(...args: string[]): Promise<void> {
  return orchestraIn(root, ...args);
}

async function orchestraIn(folder: string, ...args: string[]): Promise<void> {
  console.log(`\n${bold(`$ orchestra ${args.map(quote).join(" ")}`)}`);
  const { code } = await command(args, "inherit", folder).spawn().status;
  // 1 says that a task did not complete, which one is meant to do.
  if (code > 1) Deno.exit(code);
}

/** An agent of the demo, as `agent-config.json` defines it. */
function agent(name: string, ...permissions: string[]) {
  const flags = ["--no-config", "--no-prompt", "--quiet", "--allow-env", "--allow-read"];
  return {
    command: Deno.execPath(),
    args: ["run", ...flags, ...permissions, pathOf(`demo_agents/${name}.ts`)],
  };
}

/** What a user adds to `agent-config.json` to have agents of their own. */
function addAgents(): void {
  const path = `${root}/.orchestra-cli/agent-config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  for (const name of AGENTS) config.agents[name] = agent(name, "--allow-write=.");
  Deno.writeTextFileSync(path, JSON.stringify(config, null, 2) + "\n");
}

function listMade(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) =>
    entry.isDirectory
      ? listMade(`${folder}/${entry.name}`, `${prefix}${entry.name}/`)
      : [prefix + entry.name]
  );
}

/** The last words of a task. */
function reportOf(task: Task): string {
  if (task.status !== "complete") return `${task.failureClass}: ${task.errorMessage}`;
  return task.result?.summary ?? `exit code ${task.exitCode}`;
}

/** What did not turn out as the pipeline is meant to; nothing where all is well. */
function surprises(tasks: readonly Task[]): string[] {
  const found: string[] = [];
  const expect = (fact: boolean, text: string) => {
    if (!fact) found.push(text);
  };
  const failed = tasks.filter((task) => task.status !== "complete");
  expect(tasks.length === TASKS.length + 3, `${tasks.length} tasks instead of ${TASKS.length + 3}`);
  expect(
    failed.some((task) => task.failureClass === "timeout"),
    "no task was ended by its timeout",
  );
  expect(
    tasks.some((task) => task.retryCount === 1 && task.status === "complete"),
    "no task was retried to success",
  );
  expect(failed.length === 2, `${failed.length} tasks did not complete, instead of 2`);
  return found;
}

const began = performance.now();
Deno.mkdirSync(`${root}/notes`);
for (const [name, text] of Object.entries(NOTES)) {
  Deno.writeTextFileSync(`${root}/notes/${name}`, text);
}
Deno.writeTextFileSync(
  `${root}/tasks.jsonl`,
  TASKS.map((task) => JSON.stringify(task) + "\n").join(""),
);
const program = `${denoCommand()} run -A ${quote(MAIN)} -C ${quote(root)}`;
console.log(`A project in a new folder: ${root}`);
console.log("  notes/       three notes, in one of them a link that leads nowhere");
console.log("  tasks.jsonl  five tasks that wait for each other");

console.log(`\n${bold(`$ cd ${quote(root)}`)}`);
await orchestra("init");
addAgents();
console.log(`  added to agent-config.json: ${AGENTS.join(", ")}`);
await orchestra("config", "set", "retry.base", "0.5");
await orchestra("start", "--from", "tasks.jsonl");
await orchestra(
  ...["start", "waiter", "Wait for notes/reply.md, which never comes"],
  ...["--priority", "8", "--timeout", "3s"],
);
await orchestra(
  ...["start", "shell", COUNT_WORDS],
  ...["--priority", "2"],
);
await orchestra("run", "--all", "--wait", "--parallel", "3");

const listed = await command(["status", "--all", "--json"], "piped").output();
const tasks: Task[] = JSON.parse(new TextDecoder().decode(listed.stdout)).tasks;
tasks.sort((a, b) => (a.completedAt ?? "") < (b.completedAt ?? "") ? -1 : 1);

console.log(`\n${bold("What each agent reported, in the order in which they ended")}`);
for (const task of tasks) console.log(`  ${task.agent.padEnd(8)} ${reportOf(task)}`);

const made = `${root}/.orchestra/workspace`;
console.log(`\n${bold("Files that they made")}\n  ${made}/`);
for (const name of listMade(made)) console.log(`    ${name}`);

const retried = tasks.find((task) => task.retryCount > 0);
const late = tasks.find((task) => task.failureClass === "timeout");
console.log(`\n${bold("Three commands to try next")}`);
console.log(`  ${program} show ${retried?.taskId}`);
console.log(`  ${program} logs ${late?.taskId}`);
console.log(`  ${program} start shell ${quote(WAIT)} && ${program} run --wait`);

const wrong = surprises(tasks);
if (hasGit()) {
  wrong.push(
    ...await showRepository({
      folder: root,
      // What it writes lies in its worktree, and what it says of its end with the workspace.
      agent: (name, ...permissions) => agent(name, "--allow-write", ...permissions),
      orchestra: orchestraIn,
      async read(folder, ...args) {
        return new TextDecoder().decode((await command(args, "piped", folder).output()).stdout);
      },
      bold,
    }),
  );
} else console.log("\nThree agents in one repository: not run, for there is no git");
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  `\n${
    wrong.length === 0 ? "All as expected" : `Not as expected: ${wrong.join("; ")}`
  }, after ${seconds} s`,
);
if (wrong.length > 0) Deno.exitCode = 1;
