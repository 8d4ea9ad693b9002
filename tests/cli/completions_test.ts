// completions, in the shells that are installed.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { commandLine, makeBox, makeFolder, spawn } from "../support/program.ts";

/** A folder with an `orchestra` that runs the program, for shells. */
async function makeProgramFolder(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await makeFolder();
  const quoted = (mark: string) => commandLine().map((part) => mark + part + mark).join(" ");
  Deno.writeTextFileSync(`${folder.path}/orchestra`, `#!/bin/sh\nexec ${quoted("'")} "$@"\n`, {
    mode: 0o755,
  });
  // PowerShell takes this one on Windows, and a bash there the other.
  Deno.writeTextFileSync(`${folder.path}/orchestra.cmd`, `@${quoted('"')} %*\r\n`);
  return folder;
}

/** A program for each shell that reads lines, and prints what each is completed to. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  bash: [
    "-c",
    `source <(orchestra completions bash); while IFS= read -r line; do
        IFS=' ' read -ra COMP_WORDS <<<"orchestra $line"
        [[ $line == *' ' ]] && COMP_WORDS+=("")
        COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); COMPREPLY=(); _orchestra
        IFS=' '; echo "\${COMPREPLY[*]}"
      done`,
  ],
  zsh: [
    "-fc",
    `compdef() { :; }; compadd() { shift; echo "$*"; }; source <(orchestra completions zsh)
      while IFS= read -r line; do
        words=("\${(@s/ /)line}"); words=(orchestra "\${words[@]}"); CURRENT=\${#words}; _orchestra
      done`,
  ],
  fish: [
    "--no-config",
    "-c",
    `orchestra completions fish | source
      while read -l line; string join -- ' ' (complete -C "orchestra $line"); end`,
  ],
  pwsh: [
    "-NoProfile",
    "-Command",
    `orchestra completions powershell | Out-String | Invoke-Expression
      while ($null -ne ($line = [Console]::In.ReadLine())) {
        $typed = "orchestra $line"
        (TabExpansion2 $typed $typed.Length).CompletionMatches.CompletionText -join ' '
      }`,
  ],
};

for (const [shell, args] of Object.entries(SHELLS)) {
  test(`${shell} completes commands, options, task ids and agents`, needs(shell), async () => {
    await using box = await makeBox();
    box.agents({ coder: { command: "true" } });
    const id = await box.start("shell", "true");
    await using bin = await makeProgramFolder();
    const between = Deno.build.os === "windows" ? ";" : ":";
    const env = { PATH: `${bin.path}${between}${Deno.env.get("PATH")}` };
    const lines: [string, string[]][] = [
      ["st", ["start", "stats", "status"]],
      ["start c", ["coder"]],
      ["start --max", ["--max-retries"]],
      ["show task_", [id]],
      ["timeout extend task_", [id]],
      ["start --depends-on ", [id]],
      ["status --agent sh", ["shell"]],
      ["config s", ["set", "show"]],
      ["timeout l", ["list"]],
      ["completions z", ["zsh"]],
      ["clean f", ["failed"]],
      [`-C ${box.root} show task_`, [id]],
      ["status --js", ["--json"]],
      ["status --status r", ["ready", "retrying", "running"]],
      ["config set archive.max_f", ["archive.max_failed_age_days"]],
      ["init --agent cop", ["copilot"]],
    ];
    await using live = spawn(shell, [...args], {
      cwd: box.root,
      env,
      stdin: lines.map(([line]) => `${line}\n`).join(""),
    });
    const { stdout, stderr } = await live.ended();
    const found = stdout.trimEnd().split("\n").map((line) => line.split(" ").sort());
    // fish takes the space at the end of a line away when it reads it.
    for (const [at, [line, wanted]] of lines.entries()) {
      if (shell === "fish" && line.endsWith(" ")) continue;
      assertEquals(found[at], wanted, `${shell}: ${line}: ${stdout} ${stderr}`);
    }
  });
}

Deno.test("completions for a shell that it does not know names those that it does", async () => {
  await using box = await makeBox();
  const near = await box.fails(2, "completions", "ksh");
  assertStringIncludes(near.hint!, "bash");
});
