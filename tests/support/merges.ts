// A workspace in a real repository, with tasks that have branches: what tests of merging begin with.

import { formatTask, newTask, type Task } from "../../lib/task/fields.ts";
import { type Box, openBox } from "./program.ts";
import { makeRepository, type TestRepository } from "./repository.ts";

const BEGAN = 1_772_625_600_000;

/** A repository whose top is a workspace. */
export interface MergeBox extends AsyncDisposable {
  readonly repo: TestRepository;
  readonly box: Box;
  /** The task with a number, by its id. */
  id(number: number): string;
  /**
   * A complete task with a branch `orchestra/<number>`, on which some files are as given.
   *
   * @param rest `from`: what the branch begins from, `main` unless told; the others: fields of the task
   * @returns the tip of the branch
   */
  task(
    number: number,
    files: Readonly<Record<string, string | null>>,
    rest?: Partial<Task> & { from?: string },
  ): Promise<string>;
  /** The commit of a ref. */
  at(ref: string): Promise<string>;
  /** Text of a file of the working copy; undefined where there is none. */
  read(name: string, folder?: string): string | undefined;
}

/** The lines of the file that every repository of a test has, some of them changed. */
export function lines(changed: Readonly<Record<number, string>> = {}): string {
  return "one two three four five six seven eight".split(" ")
    .map((line, at) => `${changed[at + 1] ?? line}\n`).join("");
}

export async function makeMergeBox(): Promise<MergeBox> {
  const repo = await makeRepository();
  const root = repo.top;
  for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
    Deno.mkdirSync(`${root}/.orchestra${name}`, { mode: 0o700 });
  }
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  Deno.writeTextFileSync(`${root}/.git/info/exclude`, ".orchestra\n.orchestra-cli\n");
  const box = openBox(root);
  box.agents({});
  box.config({ worktrees: { folder: repo.beside } });
  const id = (number: number) => `task_${BEGAN + number}`;
  return {
    repo,
    box,
    id,
    async task(number, files, { from = "main", ...rest } = {}) {
      const folder = `${repo.beside}/make-${number}`;
      const branch = `orchestra/${number}`;
      const base = await repo.git("rev-parse", from);
      await repo.git("worktree", "add", "--quiet", "--no-track", "-b", branch, folder, base);
      for (const [name, text] of Object.entries(files)) {
        if (text === null) Deno.removeSync(`${folder}/${name}`);
        else repo.write(name, text, folder);
      }
      const tip = await repo.commit({}, `work of ${number}`, folder);
      await repo.git("worktree", "remove", folder);
      const git = {
        branch,
        base,
        path: folder,
        folder: "",
        tip,
        files: null,
        insertions: null,
        deletions: null,
        left: null,
      };
      const task: Task = {
        ...newTask(
          id(number),
          { agent: "shell", prompt: `Change no. ${number}\nand more` },
          BEGAN + number,
        ),
        status: "complete",
        git,
        ...rest,
      };
      Deno.writeTextFileSync(box.path(`tasks/${id(number)}.json`), formatTask(task));
      return tip;
    },
    at: (ref) => repo.git("rev-parse", "--verify", ref),
    read(name, folder = root) {
      try {
        return Deno.readTextFileSync(`${folder}/${name}`);
      } catch {
        return undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await repo[Symbol.asyncDispose]();
    },
  };
}
