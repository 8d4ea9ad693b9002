// Presets of the agents that people run: how each program is started, how it takes its prompt, how
// its end is told, what its output says of a rate limit and how a session is resumed. Each says
// from where it was taken and whether it has been run here against a model server on loopback. A
// preset is data: `init` copies its `agent` part into `.orchestra-cli/agent-config.json`, where a
// project may change it.
//
// The prompt goes by stdin wherever the program reads it there: then it may be longer than one
// argument can be (128 KiB on Linux), it may start with "-", it is not listed by `ps`, and nothing
// on the way quotes it (`opencode run` puts quotation marks around a prompt given as an argument).

import type { AgentDefinition, RateLimit } from "../task/agent.ts";

/** An agent definition and what we know of it. */
export interface Preset {
  /** What goes to the settings. */
  agent: AgentDefinition;
  /** From which run or document it was taken. */
  source: string;
  /** Whether it has been run here, up to the sentinel, against a model server on loopback. */
  ran: boolean;
  /** Arguments that make the program print its version and end. */
  versionArgs: readonly string[];
  /** Added only where it is asked for by name, for its program is on many machines. */
  asked?: true;
  /** What is otherwise on Windows. */
  windows?: Partial<Omit<Preset, "windows">>;
}

/** A preset as it is on a system. */
export function onSystem({ windows, ...preset }: Preset, isWindows: boolean): Preset {
  return isWindows ? { ...preset, ...windows } : preset;
}

const VERSION_ARGS = ["--version"] as const;

/** How providers word a refusal, for the programs that pass their words on. */
const LIMIT_WORDS = [
  "\\b429\\b.{0,40}(?:too many requests|rate.?limit|quota)",
  "rate.?limit(?:_| )?(?:reached|exceeded|error)",
  "(?:usage|session|weekly) limit (?:has been )?reached",
  "hit your (?:\\w+ )?limit",
  "exceed your organization.{0,3}s rate limit",
  "RESOURCE_EXHAUSTED|insufficient_quota|exceeded your current quota|quota exceeded",
] as const;

/** A reset time in the words of most providers. */
const RESET_WORDS = `(?:"?retry-after"?: ?"?|(?:try again|retry) (?:at|in) |resets (?:at )?)` +
  `([^"\\\\\\]\\n]+?)\\.?(?=["\\\\\\]\\n]|$)`;

const LIMITS: RateLimit = {
  patterns: LIMIT_WORDS,
  resetPattern: RESET_WORDS,
  cooldown: 60,
};

/** Claude Code and the programs that print its events and words. */
const CLAUDE_LIMITS: RateLimit = {
  patterns: ["limit reached\\|\\d{10}", '"status": ?"rejected"', ...LIMIT_WORDS],
  resetPattern:
    `(?:limit reached\\||"resetsAt": ?|resets (?:at )?|try again in )(\\d{10,13}|[^"\\\\\\n]+?)` +
    `\\.?(?=[,}"\\\\\\n]|$)`,
  cooldown: 900,
};

// A worktree lies elsewhere than `.orchestra/`, and the sentinels in it, and than git's own folder: the
// sandbox must let them be written from there as well. The last is left out where there is no worktree.
const CODEX_OPTIONS = [
  "--json",
  "--skip-git-repo-check",
  "--sandbox",
  "workspace-write",
  "--add-dir",
  "{workspace}/..",
  "--add-dir={gitFolder}",
] as const;

// Without `--auto` every question is answered with no, and the run ends with 0: above all the
// question whether it may write the sentinel when it runs in a worktree.
const OPENCODE_OPTIONS = ["--auto", "--format", "json", "--title", "{taskId}"] as const;

const OPENCODE_LIMITS: RateLimit = {
  patterns: ['"type":"error".*"statusCode":429', ...LIMIT_WORDS],
  resetPattern: RESET_WORDS,
  cooldown: 60,
};

const CLAUDE_OPTIONS = [
  "--output-format",
  "stream-json",
  "--verbose",
  "--permission-mode",
  "bypassPermissions",
] as const;

// Its folder is the root, which has `.orchestra/`, unless "cwd" says otherwise: the sentinel must be
// writable from there as well.
const GEMINI_OPTIONS = [
  "--approval-mode=yolo",
  "--skip-trust",
  "--output-format",
  "stream-json",
  "--include-directories",
  "{workspace}/..",
] as const;

const QWEN_OPTIONS = [
  "--approval-mode",
  "yolo",
  "--output-format",
  "stream-json",
  "--include-directories",
  "{workspace}/..",
] as const;

const AUGGIE_OPTIONS = ["--print", "--quiet", "--output-format", "json", "--show-cost"] as const;

const COPILOT_OPTIONS = [
  "--allow-all",
  "--no-ask-user",
  "--no-auto-update",
  "--no-color",
  "--output-format",
  "json",
  "--usage-output-file",
  "{usageFile}",
] as const;

const CLINE_PROMPT = "Your task is in the file {promptFile}. Read it first, then do what it says.";

/** The presets by name, in the order in which `init` offers them. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  opencode: {
    agent: {
      description: "OpenCode, with its default agent",
      command: "opencode",
      args: ["run", ...OPENCODE_OPTIONS],
      stdin: "{prompt}",
      rateLimit: OPENCODE_LIMITS,
      usage: "opencode",
      resume: ["run", ...OPENCODE_OPTIONS, "--session", "{sessionId}"],
    },
    source: "run with opencode-ai 1.18.33 (all scenarios, session resumed)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  coder: {
    agent: {
      description: "OpenCode, with the agent of .orchestra-cli/agent/coder.md",
      command: "opencode",
      args: ["run", "--agent", "coder", ...OPENCODE_OPTIONS],
      stdin: "{prompt}",
      env: { OPENCODE_CONFIG_DIR: "{workspace}/../../.orchestra-cli" },
      promptTemplateFile: ".orchestra-cli/prompts/coder.md",
      rateLimit: OPENCODE_LIMITS,
      usage: "opencode",
      resume: ["run", "--agent", "coder", ...OPENCODE_OPTIONS, "--session", "{sessionId}"],
    },
    source: "run with opencode-ai 1.18.33 (success)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  claude: {
    agent: {
      description: "Claude Code",
      command: "claude",
      provider: "anthropic",
      args: ["-p", ...CLAUDE_OPTIONS, "--session-id", "{sessionId}"],
      stdin: "{prompt}",
      rateLimit: CLAUDE_LIMITS,
      usage: "claude",
      resume: ["-p", ...CLAUDE_OPTIONS, "--resume", "{sessionId}"],
    },
    source:
      "run with @anthropic-ai/claude-code 2.1.330 (success, nothing, 429) and 2.1.332 (a session begun " +
      "with our id, and resumed); " +
      "as root it wants IS_SANDBOX=1; the words of a spent subscription from its issue tracker",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  codex: {
    agent: {
      description: "OpenAI Codex, in its own sandbox",
      command: "codex",
      provider: "openai",
      args: ["exec", ...CODEX_OPTIONS, "-"],
      stdin: "{prompt}",
      rateLimit: {
        patterns: [
          "hit your usage limit",
          "last status: 429",
          "rate limit exceeded:",
        ],
        resetPattern: `try again (?:at|in) ([^"\\n]+?)\\.?(?=["\\n]|$)`,
        cooldown: 60,
      },
      usage: "codex",
      resume: ["exec", ...CODEX_OPTIONS, "resume", "{sessionId}", "-"],
    },
    source: "run with @openai/codex 0.169.0 (all scenarios, session resumed)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  gemini: {
    agent: {
      description: "Gemini CLI",
      command: "gemini",
      provider: "google",
      args: [...GEMINI_OPTIONS, "--session-id", "{sessionId}"],
      stdin: "{prompt}",
      // Otherwise it starts itself again, and ending the leader leaves the real process.
      env: { GEMINI_CLI_NO_RELAUNCH: "true" },
      rateLimit: {
        patterns: ["exhausted your (?:capacity|daily quota)", ...LIMIT_WORDS],
        resetPattern: `(?:retry in|reset after) ((?:[\\d.]+[hms])+)`,
        cooldown: 60,
      },
      usage: "gemini",
      resume: [...GEMINI_OPTIONS, "--resume", "{sessionId}"],
    },
    source: "run with @google/gemini-cli 0.61.0 (all scenarios, session resumed)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  qwen: {
    agent: {
      description: "Qwen Code",
      command: "qwen",
      provider: "qwen",
      args: [...QWEN_OPTIONS, "--session-id", "{sessionId}"],
      // A prompt that begins with "/" would be one of its own commands, and nothing be asked.
      stdin: "\n{prompt}",
      // Without the first it starts itself again, and ending the leader leaves the real process.
      env: { QWEN_CODE_NO_RELAUNCH: "true", QWEN_CODE_SUPPRESS_YOLO_WARNING: "1" },
      rateLimit: LIMITS,
      usage: "claude",
      resume: [...QWEN_OPTIONS, "--resume", "{sessionId}"],
    },
    source: "run with @qwen-code/qwen-code 0.24.4 (all scenarios, session resumed)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  cursor: {
    agent: {
      description: "Cursor's command-line agent",
      command: "cursor-agent",
      provider: "cursor",
      args: ["-p", "--force", "--output-format", "stream-json", "--", "{prompt}"],
      rateLimit: LIMITS,
      resume: [
        "-p",
        "--force",
        "--output-format",
        "stream-json",
        "--resume={sessionId}",
        "--",
        "{prompt}",
      ],
    },
    source: "cursor.com/docs/cli (headless, parameters and output format), read in 2026",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  auggie: {
    agent: {
      description: "Auggie, Augment's command-line agent",
      command: "auggie",
      provider: "augment",
      args: [...AUGGIE_OPTIONS, "--instruction-file", "{promptFile}"],
      rateLimit: LIMITS,
      usage: "auggie",
      resume: [
        ...AUGGIE_OPTIONS,
        "--resume",
        "{sessionId}",
        "--instruction-file",
        "{promptFile}",
      ],
    },
    source: "`auggie --help` and the source of @augmentcode/auggie 0.36.0",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  copilot: {
    agent: {
      description: "GitHub Copilot CLI",
      command: "copilot",
      provider: "github",
      args: [...COPILOT_OPTIONS, "--session-id", "{sessionId}"],
      stdin: "{prompt}",
      rateLimit: LIMITS,
      usage: "copilot",
      resume: [...COPILOT_OPTIONS, "--resume={sessionId}"],
    },
    source:
      "run with @github/copilot 1.0.102 and a key of one's own (all scenarios, session resumed)",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  amp: {
    agent: {
      description: "Amp",
      command: "amp",
      provider: "amp",
      args: ["--execute", "--stream-json"],
      stdin: "{prompt}",
      rateLimit: LIMITS,
      usage: "claude",
      resume: ["threads", "continue", "{sessionId}", "--execute", "--stream-json"],
    },
    source: "`amp --help` of @sourcegraph/amp 0.0.1790142911; to let it run every command, set " +
      "amp.dangerouslyAllowAll in its settings (the option of that name is gone)",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  goose: {
    agent: {
      description: "goose",
      command: "goose",
      args: ["run", "--no-session", "--instructions", "{promptFile}"],
      env: { GOOSE_MODE: "auto" },
      rateLimit: LIMITS,
    },
    source: "goose CLI commands documentation of version 1.50",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  aider: {
    agent: {
      description: "aider; it cannot write the sentinel itself, so its exit code tells its end",
      command: "aider",
      args: [
        "--message-file",
        "{promptFile}",
        "--yes-always",
        "--no-stream",
        "--no-pretty",
        "--no-check-update",
      ],
      completion: "auto",
      rateLimit: LIMITS,
    },
    source: "aider.chat documentation (scripting, options)",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  crush: {
    agent: {
      description: "Crush",
      command: "crush",
      args: ["run", "--quiet"],
      stdin: "{prompt}",
      rateLimit: LIMITS,
      resume: ["run", "--quiet", "--session", "{sessionId}"],
    },
    source: "the help of `crush run` in its source (the prompt may be piped), read in 2026",
    ran: false,
    versionArgs: VERSION_ARGS,
  },
  cline: {
    agent: {
      description: "Cline",
      command: "cline",
      // It takes its prompt as an argument only, which every user of the machine sees.
      args: ["--json", "--auto-approve", "true", "--", CLINE_PROMPT],
      // Otherwise one process for all runs everybody's tools, and ending one task's ends the others'.
      env: { CLINE_SESSION_BACKEND_MODE: "local" },
      rateLimit: LIMITS,
      usage: "cline",
    },
    source:
      "run with cline 3.0.65 (success, 401, 429); a session cannot be resumed without a terminal",
    ran: true,
    versionArgs: VERSION_ARGS,
  },
  shell: {
    agent: {
      description: "the prompt itself, as a shell script; success is exit code 0",
      command: "sh",
      args: ["-c", "{userPrompt}"],
      completion: "exit",
    },
    source: "POSIX; cmd.exe, run under Wine 10",
    ran: true,
    versionArgs: ["-c", "echo POSIX"],
    windows: {
      agent: {
        description: "the prompt itself, for cmd.exe; success is exit code 0",
        command: "cmd",
        args: ["/d", "/s", "/c", "{userPrompt}"],
        completion: "exit",
      },
      versionArgs: ["/d", "/c", "ver"],
    },
  },
  powershell: {
    agent: {
      description: "the prompt itself, as a PowerShell script; success is exit code 0",
      command: "pwsh",
      args: ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "{userPrompt}"],
      completion: "exit",
    },
    source: "documents (about_Pwsh, about_PowerShell_exe)",
    ran: false,
    asked: true,
    versionArgs: ["-NoLogo", "-NoProfile", "-Command", "$PSVersionTable.PSVersion.ToString()"],
    windows: {
      agent: {
        description: "the prompt itself, as a PowerShell script; success is exit code 0",
        command: "powershell",
        args: ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "{userPrompt}"],
        completion: "exit",
      },
    },
  },
};
