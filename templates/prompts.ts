// Prompt templates: what an agent is told around the user's words, above all how it signals that
// it has ended. They are modules because JSR has no text imports; `init` writes them to
// `.orchestra-cli/prompts/<name>.md`, where a project may change them. Placeholders are in braces,
// doubled braces are literal ones, and substitution is one pass. Paths stand between backticks, so
// that one with spaces is read as a whole.

/** The template of every agent that names no other. */
export const DEFAULT_PROMPT = `{userPrompt}

---

## How to work and how to finish

You work unattended. Nobody can answer a question or grant a permission: where the task leaves
something open, decide it yourself and say so in your summary.

- Work in your current directory; it is the project. Scratch files and output that are not part of
  the project go into \`{workspace}\`.
- Your plan is in \`{planFile}\`. If the task takes several steps, keep that file up to date.
- Nothing that you say is read by the program that started you. It reads one file, and you must
  write that file, with a tool, as the very last thing you do:

**When the task is done and you have checked it**, write \`{doneFile}\` with one JSON object in it:

    {{"summary": "what you did, in one or two sentences", "files": ["path/of/each/file/you/made"]}}

**When you cannot do it**, write \`{errorFile}\` instead, also with one JSON object in it:

    {{"error": "what went wrong, in one line", "details": "what the next attempt should know",
     "timestamp": "2026-01-31T12:00:00Z"}}

Use exactly these absolute paths. Write one of the two, once: as soon as it exists the task is over
and you may be stopped. Ending without either counts as a failure, however good the work is. Leave
all other files of \`.orchestra/\` alone.
`;

/** The template of `coder`, whose sub-agent file has the rest as its system prompt. */
export const CODER_PROMPT = `{userPrompt}

---

- Scratch folder: \`{workspace}\`
- Plan: \`{planFile}\`
- When the task is done, write \`{doneFile}\`:
  {{"summary": "one or two sentences", "files": ["path/of/each/file/you/made"]}}
- When it cannot be done, write \`{errorFile}\`:
  {{"error": "one line", "details": "what the next attempt should know",
  "timestamp": "2026-01-31T12:00:00Z"}}

Write exactly one of these two files, at exactly this path, as the very last thing you do.
`;

/** Appended to the prompt of a retry whose earlier attempt left an error. */
export const RETRY_NOTE = `
---

## An earlier attempt failed

This is attempt {attempt}. The earlier attempt ended with:

    {previousError}

First look at what it left in the project, keep what is right, and put right what made it fail. Only
the paths given above count now, not those that an earlier attempt was given.
`;

/** Added to the prompt of a task with a worktree whose template does not say where it is. */
export const WORKTREE_NOTE = `
---

## Where you work

Your current directory lies in a git worktree of your own, \`{worktree}\`, on the branch
\`{worktreeBranch}\`: change files there and nowhere else in the project. Stay on that branch. You may
commit; what you leave uncommitted is committed for you.
`;

/** All templates by name; `init` writes each but the retry note to `<name>.md`. */
export const PROMPTS: Readonly<Record<"default" | "coder", string>> = {
  default: DEFAULT_PROMPT,
  coder: CODER_PROMPT,
};
