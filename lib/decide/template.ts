// Placeholders in an agent's arguments and in prompt templates. One pass: what a value brings in
// is never looked at again, so a prompt that contains `{taskId}` stays as written.

/** What `{name}` may name. */
export interface Variables {
  prompt: string;
  promptFile: string;
  taskId: string;
  agent: string;
  userPrompt: string;
  planFile: string;
  logFile: string;
  workspace: string;
  doneFile: string;
  errorFile: string;
  previousError: string;
  attempt: string;
  sessionId: string;
  usageFile: string;
  worktree: string;
  worktreeBranch: string;
  gitFolder: string;
}

const TOKEN = /\{\{|\}\}|\{([a-zA-Z]+)\}/g;

/**
 * Replaces `{name}` by its value, `{{` and `}}` by single braces. A name that is none of ours
 * stays as it is.
 */
export function substitute(template: string, variables: Partial<Variables>): string {
  return template.replace(TOKEN, (token, name: string | undefined) => {
    if (token === "{{") return "{";
    if (token === "}}") return "}";
    return Object.hasOwn(variables, name!) ? variables[name as keyof Variables] ?? token : token;
  });
}

/**
 * The same for a text that is not a template before it names one of ours: an argument that holds
 * JSON or a program of its own keeps its braces.
 */
export function substituteNamed(text: string, variables: Partial<Variables>): string {
  for (const [, name] of text.matchAll(/\{([a-zA-Z]+)\}/g)) {
    if (Object.hasOwn(variables, name!)) return substitute(text, variables);
  }
  return text;
}

/** Placeholders that have a value only where a task has a worktree. */
const OF_WORKTREE = ["worktree", "worktreeBranch", "gitFolder"] as const;

/** Whether a text is for tasks with a worktree alone: it names one of those. */
export function isForWorktree(text: string): boolean {
  return OF_WORKTREE.some((name) => mentions(text, name));
}

/** Whether a template mentions a placeholder. */
export function mentions(template: string, name: keyof Variables): boolean {
  for (const match of template.matchAll(TOKEN)) {
    if (match[1] === name) return true;
  }
  return false;
}
