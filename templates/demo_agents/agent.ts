// What the demo's agents have in common: an agent is any program that reads its prompt, works in
// the current folder, and says in one small file how it ended. There is nothing more to it.

/** What an agent is told by its environment; Orchestra sets these variables for every agent. */
export interface Assignment {
  /** The prompt, as text: the user's words, and what Orchestra put around them. */
  prompt: string;
  /** Folder for what is made. */
  workspace: string;
}

/** Reads what is to be done. */
export function readAssignment(): Assignment {
  return {
    prompt: Deno.readTextFileSync(Deno.env.get("ORCHESTRA_PROMPT_FILE")!),
    workspace: Deno.env.get("ORCHESTRA_WORKSPACE")!,
  };
}

/** The first folder or file of a prompt: `notes/` in "Check the links in notes/". */
export function wantedPath(prompt: string): string {
  return /[\w.-]+\/[\w./-]*/.exec(prompt)?.[0].replace(/\/$/, "") ?? ".";
}

/** Says that it is done; whoever reads the file finds all of it, for it is renamed into place. */
export function reportDone(summary: string, files: string[]): void {
  writeWhole("ORCHESTRA_DONE_FILE", { summary, files });
  console.log(`done: ${summary}`);
}

/** Says that it cannot be done. */
export function reportError(error: string, details: string): void {
  writeWhole("ORCHESTRA_ERROR_FILE", { error, details, timestamp: new Date().toISOString() });
  console.log(`error: ${error}`);
}

function writeWhole(variable: string, value: unknown): void {
  const path = Deno.env.get(variable)!;
  Deno.writeTextFileSync(`${path}.tmp`, JSON.stringify(value, null, 2) + "\n");
  Deno.renameSync(`${path}.tmp`, path);
}

/** Names of the files in a folder that end with `ending`, sorted. */
export function listFiles(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(folder)]
    .filter((entry) => entry.isFile && entry.name.endsWith(ending))
    .map((entry) => entry.name).sort();
}

/** A moment's rest between two steps, so that a person can follow the table. */
export function rest(millis = 300): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
