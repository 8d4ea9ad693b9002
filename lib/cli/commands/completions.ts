// `orchestra completions`: a small script for each shell. It asks the program itself what may come next, so
// that ids of tasks and names of agents complete too.

import { buildCommand } from "@stricli/core";
import { OrchestraError } from "../../task/error.ts";
import type { Context } from "../context.ts";
import { startingWith, text } from "../parameters.ts";

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
  // Before 7.3 PowerShell hands no empty argument to a program, about_Parsing.
  powershell: `# orchestra: completion for PowerShell. Put this into $PROFILE:
#   orchestra completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName orchestra -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { "$_" })
    $last = "$wordToComplete"
    if ($last -eq '' -and $PSVersionTable.PSVersion -lt [version]'7.3') { $last = '""' }
    orchestra _complete @words $last 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
`,
};

export const command = buildCommand({
  func: completions,
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [{
        brief: "bash, zsh, fish or powershell",
        placeholder: "shell",
        parse: text,
        proposeCompletions: startingWith(() => Object.keys(SCRIPTS)),
      }],
    },
  },
  docs: { brief: "Print the completion script of a shell" },
});

function completions(this: Context, _flags: NoFlags, shell: string): void {
  const script = SCRIPTS[shell];
  if (script === undefined) {
    throw new OrchestraError("usage", `No completion for the shell ${JSON.stringify(shell)}`, {
      hint: `There are: ${Object.keys(SCRIPTS).join(", ")}`,
    });
  }
  if (this.globals.json) this.printJson({ shell, script });
  else this.write(script);
}
