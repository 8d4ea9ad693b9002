// The demo's second part: three agents in one repository, each in a worktree of its own. Two of them
// write at the same place; the conflict is resolved by one more task, and all is merged.

import type { Task } from "../lib/task/fields.ts";

/** What the demo lends. */
export interface Stage {
  /** A folder for the repository. */
  readonly folder: string;
  /** What an agent of the demo is in `agent-config.json`. */
  agent(name: string, ...permissions: string[]): unknown;
  /** Runs a command line of ours in a folder, and shows it as a user would type it. */
  orchestra(root: string, ...args: string[]): Promise<void>;
  /** What a command line of ours prints. */
  read(root: string, ...args: string[]): Promise<string>;
  bold(text: string): string;
}

const MENU = `# Menu

## Starters

- tomato soup

## Mains

- mushroom risotto

## Desserts

- apple crumble
`;

const PROMPTS = [
  "In menu.md, under Starters: beetroot salad",
  "In menu.md, under Mains: lentil pie",
  "In menu.md, under Mains: aubergine curry",
];

/** Whether git is here. */
export function hasGit(): boolean {
  try {
    return new Deno.Command("git", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** @returns what did not turn out as it is meant to; nothing where all is well */
export async function showRepository(stage: Stage): Promise<string[]> {
  const { orchestra, read, bold } = stage;
  const root = `${stage.folder}/restaurant`;
  makeRepository(root);
  console.log(`\n${bold("Three agents in one repository")}: ${root}`);
  console.log(
    "  menu.md      to be written by three agents at once, two of them at the same place",
  );
  console.log(`\n${bold(`$ cd ${root}`)}`);
  await orchestra(root, "init");
  const path = `${root}/.orchestra-cli/agent-config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  config.agents.writer = stage.agent("writer", "--allow-run=git");
  Deno.writeTextFileSync(path, JSON.stringify(config, null, 2) + "\n");
  git(root, "add", "-A");
  git(root, "commit", "--quiet", "-m", "Use Orchestra");
  await orchestra(root, "config", "set", "worktree", "true");
  for (const prompt of PROMPTS) await orchestra(root, "start", "writer", prompt);
  await orchestra(root, "run", "--all", "--wait");
  await orchestra(root, "status", "--all", "--changes");
  await orchestra(root, "merge", "--all", "--resolve", "writer");
  await orchestra(root, "run", "--all", "--wait");
  await orchestra(root, "merge", "--all");
  await orchestra(root, "clean", "--worktrees");
  console.log(`\n${bold("$ git log --graph --oneline")}`);
  console.log(git(root, "log", "--graph", "--oneline").trimEnd());
  console.log(`\n${bold("$ cat menu.md")}`);
  const menu = Deno.readTextFileSync(`${root}/menu.md`);
  console.log(menu.trimEnd());
  const { tasks } = JSON.parse(await read(root, "status", "--all", "--json")) as { tasks: Task[] };
  return surprises(menu, tasks, git(root, "status", "--porcelain"));
}

function surprises(menu: string, tasks: readonly Task[], status: string): string[] {
  const found = PROMPTS.map((prompt) => prompt.split(": ")[1]!)
    .filter((line) => !menu.includes(`- ${line}\n`)).map((line) => `no "${line}" in menu.md`);
  const failed = tasks.filter((task) => task.status !== "complete").length;
  if (tasks.length !== 4) found.push(`${tasks.length} tasks instead of 4`);
  if (failed > 0) found.push(`${failed} tasks did not complete`);
  if (/^[<=>]{7}/m.test(menu)) found.push("a conflict in menu.md");
  if (status !== "") found.push(`git status says ${status}`);
  return found;
}

function makeRepository(root: string): void {
  Deno.mkdirSync(root);
  Deno.writeTextFileSync(`${root}/menu.md`, MENU);
  Deno.writeTextFileSync(`${root}/.gitignore`, ".orchestra/\n");
  git(root, "init", "--quiet", "--initial-branch=main");
  git(root, "config", "user.name", "Demo");
  git(root, "config", "user.email", "demo@example.org");
}

function git(root: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command("git", { args, cwd: root }).outputSync();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`git ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
