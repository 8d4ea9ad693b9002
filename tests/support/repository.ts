// A real git repository in a folder of its own, whose git asks nobody who he is.

import { assertEquals } from "./assert.ts";
import { makeFolder } from "./program.ts";

/** A repository with one commit on `main`. */
export interface TestRepository extends AsyncDisposable {
  /** Absolute real path of its working copy. */
  readonly top: string;
  /** Absolute real path of a folder beside it, for worktrees. */
  readonly beside: string;
  /** Runs git in it, or in another folder; what it printed, without the last line end. */
  git(...args: string[]): Promise<string>;
  gitIn(folder: string, ...args: string[]): Promise<string>;
  /** Whether git does something. */
  succeeds(...args: string[]): Promise<boolean>;
  /** Writes a file, of the working copy or of another folder. */
  write(name: string, text: string, folder?: string): void;
  /** Writes files, and commits all that is there; the commit's name. */
  commit(
    files: Readonly<Record<string, string>>,
    message?: string,
    folder?: string,
  ): Promise<string>;
}

/** Nothing of the user's or of the system's settings counts. */
export const GIT_ENV: Readonly<Record<string, string>> = {
  GIT_CONFIG_GLOBAL: Deno.build.os === "windows" ? "NUL" : "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Ann Author",
  GIT_AUTHOR_EMAIL: "ann@example.org",
  GIT_COMMITTER_NAME: "Ann Author",
  GIT_COMMITTER_EMAIL: "ann@example.org",
  GIT_TERMINAL_PROMPT: "0",
  LC_ALL: "C",
};

async function run(folder: string, args: readonly string[]): Promise<[number, string, string]> {
  const { code, stdout, stderr } = await new Deno.Command("git", {
    args: [...args],
    cwd: folder,
    env: GIT_ENV,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return [code, text(stdout), text(stderr)];
}

/** A new repository, with the file `a.txt`. */
export async function makeRepository(): Promise<TestRepository> {
  const folder = await makeFolder();
  const top = `${folder.path}/repo`;
  const beside = `${folder.path}/beside`;
  Deno.mkdirSync(top);
  Deno.mkdirSync(beside);
  const gitIn = async (where: string, ...args: string[]) => {
    const [code, stdout, stderr] = await run(where, args);
    assertEquals(code, 0, `git ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout.replace(/\r?\n$/, "");
  };
  const repository: TestRepository = {
    top,
    beside,
    gitIn,
    git: (...args) => gitIn(top, ...args),
    succeeds: async (...args) => (await run(top, args))[0] === 0,
    write(name, text, where = top) {
      const path = `${where}/${name}`;
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, text);
    },
    async commit(files, message = "work", where = top) {
      for (const [name, text] of Object.entries(files)) repository.write(name, text, where);
      await gitIn(where, "add", "--all");
      await gitIn(where, "commit", "--quiet", "--allow-empty", "-m", message);
      return await gitIn(where, "rev-parse", "HEAD");
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
  await repository.git("init", "--quiet", "-b", "main");
  await repository.commit({ "a.txt": "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n" }, "first");
  return repository;
}
