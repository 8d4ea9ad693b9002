// What may come next on a command line: the answer to what the scripts of `completions` ask.

import { proposeCompletions } from "@stricli/core";
import { COMMANDS, createApplication, loadCommands } from "./application.ts";
import type { Context } from "./context.ts";
import { listWorkspaces } from "../workspaces/registry.ts";
import { GLOBAL_OPTIONS } from "./errors.ts";

/** Names of known workspaces; none where nobody may look. */
export function proposeWorkspaces(partial: string): string[] {
  return listWorkspaces().map(({ name }) => name).filter((name) => name.startsWith(partial));
}

/** What may come next, given the words so far, the last one unfinished. */
export async function proposals(words: readonly string[], context: Context): Promise<string[]> {
  const [first = ""] = words;
  const partial = words.at(-1) ?? "";
  const commands = await loadCommands(
    words.length > 1 && Object.hasOwn(COMMANDS, first) ? [first] : undefined,
  );
  const app = createApplication(commands, {
    json: false,
    debug: false,
    program: context.program,
  });
  const found = (await proposeCompletions(app, words, context)).map((item) => item.completion);
  // The framework completes a command that has a default only as that default.
  const route = words.length === 2 ? commands[first] : undefined;
  if (route !== undefined && "getAllEntries" in route) {
    for (const entry of route.getAllEntries()) {
      const name = entry.name["convert-camel-to-kebab"];
      if (!entry.hidden && name !== "now" && name.startsWith(partial)) found.push(name);
    }
  }
  if (partial.startsWith("-")) {
    const options = ["-C", "-w", ...GLOBAL_OPTIONS.map((name) => `--${name}`)];
    found.push(...options.filter((option) => option.startsWith(partial)));
  }
  return [...new Set(found)].filter((text) => text !== "--" && !text.startsWith("_")).sort();
}
