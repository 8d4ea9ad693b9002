// Writes a line into a file of its worktree: `In menu.md, under Mains: lentil pie`. Asked to merge a
// branch, it does, and keeps the lines of both sides where they conflict.

import { readAssignment, reportDone, reportError, rest } from "./agent.ts";

async function git(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("git", { args, stdin: "null" }).output();
  return success;
}

/** Puts a line below a heading. */
async function write(file: string, heading: string, line: string): Promise<void> {
  const lines = Deno.readTextFileSync(file).split("\n");
  const at = lines.indexOf(`## ${heading}`);
  lines.splice(at + 2, 0, `- ${line}`);
  await rest();
  Deno.writeTextFileSync(file, lines.join("\n"));
  reportDone(`wrote "${line}" under ${heading}`, [file]);
}

/** Merges a branch, and takes the markers of each conflict away. */
async function merge(branch: string, files: string[]): Promise<void> {
  if (!await git("merge", "--no-edit", branch)) {
    for (const file of files) {
      const text = Deno.readTextFileSync(file);
      Deno.writeTextFileSync(file, text.replace(/^(?:<{7}|={7}|>{7}).*\n/gm, ""));
      await git("add", "--", file);
    }
    if (!await git("commit", "--quiet", "--no-edit")) {
      return reportError(`${branch} could not be merged`, "git commit failed");
    }
  }
  reportDone(`merged ${branch}, with the lines of both sides`, files);
}

const { prompt } = readAssignment();
const wanted = /^In (\S+), under (\w+): (.*)$/m.exec(prompt);
const branch = /^ {4}git merge (\S+)$/m.exec(prompt)?.[1];
const files = [...prompt.matchAll(/^- (\S+)$/gm)].map(([, file]) => file!);
if (branch !== undefined) await merge(branch, files);
else if (wanted !== null) await write(wanted[1]!, wanted[2]!, wanted[3]!);
else reportError("nothing is asked for that this agent can do", prompt.split("\n")[0]!);
