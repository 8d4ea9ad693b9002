// `orchestra pr <id>`: pushes a task's branch and opens a pull request for it, by GitHub's `gh`.

import { buildCommand } from "@stricli/core";
import { pullBody, titleOf } from "../../decide/merging.ts";
import { findOnPath } from "../../launch/find.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import { ask, tryAsk } from "../../worktree/git.ts";
import { pushBranch, remoteOf } from "../../worktree/push.ts";
import { findRepository, type Repository } from "../../worktree/repository.ts";
import { findTarget } from "../../worktree/target.ts";
import type { Context } from "../context.ts";
import { branched, remedyFor, uncommittedIn } from "../merging.ts";
import { anyIdArgument, optional, parsed, text } from "../parameters.ts";

interface PullFlags {
  draft?: boolean;
  base?: string;
}

export const command = buildCommand({
  func: pull,
  parameters: {
    flags: {
      draft: optional("as a draft"),
      base: parsed(text, "branch that it is for (the one that is checked out)", "branch"),
    },
    positional: { kind: "tuple", parameters: [anyIdArgument] },
  },
  docs: {
    brief: "Open a pull request for a task's branch",
    fullDescription: "Pushes the branch of a task and opens a pull request for it with gh, " +
      "GitHub's own program: the first line of the prompt is its title; the prompt, what the agent " +
      "said of its work, and what changed are its body.",
  },
});

/** Longest title that GitHub takes, and no more than that many characters of a body. */
const LONGEST = { title: 120, body: 60_000 };

async function pull(this: Context, { draft, base }: PullFlags, id: string): Promise<void> {
  const queue = await this.openQueue();
  const repo = await findRepository(queue.store.root, `pr ${id}`);
  const gh = findOnPath("gh", repo.top);
  if (gh === null) {
    throw new OrchestraError("environment", `pr ${id}: there is no gh on PATH`, {
      hint: "Install it from https://cli.github.com and log in with gh auth login, or push the " +
        "branch yourself: git push origin BRANCH",
    });
  }
  const { task, git, tip } = await branched(queue, repo, id, "Opening a pull request for");
  const into = base ?? (await findTarget(repo, null, "--base")).name;
  if (into.startsWith("-") || into === "") {
    throw new OrchestraError("usage", `pr --base ${JSON.stringify(into)}: that is no branch`, {
      hint: "For example: --base main",
    });
  }
  if (into === git.branch) {
    throw new OrchestraError("usage", `pr ${id}: its branch ${into} is checked out here itself`, {
      hint: "Say which branch it is for: --base main",
    });
  }
  const left = await uncommittedIn(repo, git);
  if (left !== null) {
    this.note(
      printable(
        `What is not committed in ${left.path} is not in it\n  ${remedyFor(git.branch, left)}`,
      ),
    );
  }
  if (await changesNothing(repo, git.base, tip)) {
    throw new OrchestraError("state", `pr ${id}: its branch ${git.branch} changes nothing`, {
      hint: "There is nothing to be pulled, and nothing was pushed.",
    });
  }
  const stat = await ask(repo.top, ["diff", "--stat=100", `${git.base}...${tip}`]).catch(() => "");
  const remote = await remoteOf(repo, into);
  await pushBranch(repo, remote, git.branch, tip);
  this.note(`Pushed ${git.branch} to ${remote}`);
  const args = [
    ...["pr", "create", "--head", git.branch, "--base", into],
    ...["--title", titleOf(task.prompt, LONGEST.title) || id, "--body-file", "-"],
    ...(draft ? ["--draft"] : []),
  ];
  const body = pullBody(task, git, stat);
  const { code, stdout, stderr } = await run(gh, args, repo.top, body.slice(0, LONGEST.body));
  const url = /https?:\/\/\S+/.exec(code === 0 ? stdout : stderr)?.[0];
  const existed = code !== 0 && /already exists/.test(stderr) && url !== undefined;
  if (code !== 0 && !existed) {
    const said = stderr.trim().split("\n").at(-1) || `exit code ${code}`;
    throw new OrchestraError("environment", `pr ${id}: gh pr create: ${printable(said)}`, {
      hint: `The branch is pushed; see what gh says: gh pr create --head ${git.branch}`,
    });
  }
  if (this.globals.json) {
    this.printJson({
      taskId: id,
      branch: git.branch,
      base: into,
      remote,
      url: url ?? null,
      created: !existed,
    });
    return;
  }
  if (existed) this.note("There was one already: it has the new commits now");
  this.print(printable(url ?? stdout.trim()));
}

/** Whether a branch has the files that it began with. */
async function changesNothing({ top }: Repository, base: string, tip: string): Promise<boolean> {
  const trees = await tryAsk(top, ["rev-parse", `${base}^{tree}`, `${tip}^{tree}`]);
  const [first, second] = trees?.split("\n") ?? [];
  return first !== undefined && first === second;
}

/** Runs gh, which asks nobody anything. */
async function run(
  command: string,
  args: string[],
  cwd: string,
  input: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(command, {
    args,
    cwd,
    env: { GH_PROMPT_DISABLED: "1", NO_COLOR: "1", GH_NO_UPDATE_NOTIFIER: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close())
    // It may have failed before it read.
    .catch(() => writer.abort().catch(() => {}));
  const { code, stdout, stderr } = await child.output();
  await written;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
