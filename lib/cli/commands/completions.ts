// Shell completion: a small script for each shell asks the program itself what may come next, so
// that ids of tasks and names of agents complete too.

import { proposeCompletions } from "@stricli/core";
import type { Application } from "@stricli/core";
import { OrchestraError } from "../../task/error.ts";
import type { Context } from "../context.ts";
import { GLOBAL_OPTIONS, ROUTES } from "../application.ts";

type NoFlags = Record<never, never>;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# orchestra: completion for bash. Put this into ~/.bashrc:
#   source <(orchestra completions bash)
_orchestra() {
  local IFS=$'\\n'
  COMPREPLY=($(orchestra _complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _orchestra orchestra
`,
  zsh: `#compdef orchestra
# orchestra: completion for zsh. Put this into ~/.zshrc, after compinit:
#   source <(orchestra completions zsh)
_orchestra() {
  local -a found
  found=("\${(@f)$(orchestra _complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- "\${found[@]}"
}
compdef _orchestra orchestra
`,
  fish: `# orchestra: completion for fish. Put this into ~/.config/fish/config.fish:
#   orchestra completions fish | source
function __orchestra_complete
    set -l words (commandline -opc) (commandline -ct)
    orchestra _complete $words[2..-1] 2>/dev/null
end
complete -c orchestra -f -a '(__orchestra_complete)'
`,
};

/** Runs `orchestra completions`. */
export function completions(this: Context, _flags: NoFlags, shell: string): void {
  const script = SCRIPTS[shell];
  if (script === undefined) {
    throw new OrchestraError("usage", `No completion for the shell ${JSON.stringify(shell)}`, {
      hint: `There are: ${Object.keys(SCRIPTS).join(", ")}`,
    });
  }
  if (this.globals.json) this.printJson({ shell, script });
  else this.write(script);
}

/** What may come next, given the words so far, the last one unfinished. */
export async function proposals(
  app: Application<Context>,
  words: readonly string[],
  context: Context,
): Promise<string[]> {
  const found = (await proposeCompletions(app, words, context)).map((item) => item.completion);
  const partial = words.at(-1) ?? "";
  // The framework completes a command that has a default only as that default.
  const route = words.length === 2 ? ROUTES[words[0] as keyof typeof ROUTES] : undefined;
  if (route !== undefined && "getAllEntries" in route) {
    for (const entry of route.getAllEntries()) {
      const name = entry.name["convert-camel-to-kebab"];
      if (!entry.hidden && name !== "now" && name.startsWith(partial)) found.push(name);
    }
  }
  if (partial.startsWith("-")) {
    const options = ["-C", ...GLOBAL_OPTIONS.map((name) => `--${name}`)];
    found.push(...options.filter((option) => option.startsWith(partial)));
  }
  return [...new Set(found)].filter((text) => text !== "--" && !text.startsWith("_")).sort();
}
