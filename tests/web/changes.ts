// Tasks with branches of their own, for the tests of what the page and the API tell of their changes.

import type { Task } from "../../lib/task/fields.ts";
import { type Box, makeBox } from "../support/program.ts";
import { addTask, endedAt } from "./support.ts";

/** A workspace that is a repository, too. */
export interface ChangedBox extends AsyncDisposable {
  readonly box: Box;
  /** Runs git in the workspace, or in a worktree; what it printed, without the last line end. */
  git(...args: string[]): Promise<string>;
  gitIn(folder: string, ...args: string[]): Promise<string>;
  /** Writes files into a folder: null removes one. */
  write(folder: string, files: Readonly<Record<string, string | null>>): void;
  /** A task whose worktree holds these changes; committed and ended, or running as it stands. */
  task(
    files: Readonly<Record<string, string | null>>,
    how?: { running?: boolean; change?: Partial<Task> },
  ): Promise<{ id: string; path: string; base: string; tip: string | null }>;
}

/** A workspace in a new repository whose first commit has these files. */
export async function makeChanged(
  files: Readonly<Record<string, string>>,
): Promise<ChangedBox> {
  const box = await makeBox();
  const beside = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra-changes-" }));
  const run = async (folder: string, args: readonly string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("git", {
      args: ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", ...args],
      cwd: folder,
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (code !== 0) throw new Error(`git ${args.join(" ")}: ${text(stderr)}`);
    return text(stdout).replace(/\n$/, "");
  };
  const write: ChangedBox["write"] = (folder, changes) => {
    for (const [name, content] of Object.entries(changes)) {
      const path = `${folder}/${name}`;
      if (content === null) {
        Deno.removeSync(path);
        continue;
      }
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, content);
    }
  };
  await run(box.root, ["init", "--quiet", "-b", "main"]);
  write(box.root, { ".gitignore": ".orchestra/\n.orchestra-cli/\nignored\n", ...files });
  await run(box.root, ["add", "--all"]);
  await run(box.root, ["commit", "--quiet", "-m", "first"]);
  let last = 0;
  return {
    box,
    git: (...args) => run(box.root, args),
    gitIn: (folder, ...args) => run(folder, args),
    write,
    async task(changes, { running = false, change = {} } = {}) {
      const number = ++last;
      const path = `${beside}/t${number}`;
      const branch = `orchestra/t${number}`;
      const base = await run(box.root, ["rev-parse", "HEAD"]);
      await run(box.root, ["worktree", "add", "--quiet", "-b", branch, path, base]);
      write(path, changes);
      let tip: string | null = null;
      let counted = {};
      if (!running) {
        await run(path, ["add", "--all"]);
        await run(path, ["commit", "--quiet", "--allow-empty", "-m", "work"]);
        tip = await run(path, ["rev-parse", "HEAD"]);
        const lines = (await run(path, ["diff", "--numstat", base, tip])).split("\n")
          .filter((line) => line !== "").map((line) => line.split("\t"));
        const sum = (at: number) => lines.reduce((total, it) => total + (Number(it[at]) || 0), 0);
        const paths = lines.map((line) => line[2]!);
        counted = { files: lines.length, insertions: sum(0), deletions: sum(1), paths };
      }
      const at = Date.now() - 3_600_000;
      const id = addTask(box, {
        ...(running ? {} : endedAt("complete", at)),
        git: {
          ...{ branch, base, path, folder: "", tip, left: null },
          ...{ files: null, insertions: null, deletions: null, ...counted },
        },
        ...change,
      }, at);
      return { id, path, base, tip };
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await Deno.remove(beside, { recursive: true }).catch(() => {});
    },
  };
}
