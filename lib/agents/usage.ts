// What a run consumed, from the events in its agent's log. Pure. A log is JSON lines among other
// lines; it may begin and end in the middle of a line.

import type { UsageFormat } from "../task/agent.ts";
import type { Usage } from "../task/fields.ts";
import { parseEvent, saysOf, VENDORS } from "./events.ts";
import { type Said, total } from "./vendor.ts";

/** Adds up what a log says while it grows. */
export interface UsageReader {
  /** Takes the next piece of the log, cut anywhere. */
  add(text: string): void;
  /** Takes what the file says that the program was told to write its usage to. */
  addFile(content: string): void;
  /** What the whole lines so far say; null where they say nothing. */
  usage(): Usage | null;
}

/** A line longer than this is not kept until its end comes, characters. */
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * What a log says of the tokens, cost, turns, model and session of its run.
 *
 * @param format whose events it has
 * @param log the log, or its end, or what there is of it so far
 * @returns null where it says nothing
 */
export function parseUsage(format: UsageFormat, log: string): Usage | null {
  const reader = createUsageReader(format);
  reader.add(log);
  reader.add("\n");
  return reader.usage();
}

/**
 * Reads a log piece by piece: for the budget of an agent that runs, and for logs that are too long
 * to be held at once.
 *
 * @param format whose events it has
 */
export function createUsageReader(format: UsageFormat): UsageReader {
  const { counts, usageFile } = VENDORS[format];
  const sum = createSum();
  let rest = "";
  let skipping = false;
  const take = (line: string) => {
    // Whole logs are read, and parsing all of it would take long.
    const event = counts.test(line) ? parseEvent(line) : undefined;
    if (event !== undefined) saysOf(format, event).forEach(sum.add);
  };
  return {
    add(text) {
      let from = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        if (!skipping) take(rest + text.slice(from, end));
        rest = "";
        skipping = false;
        from = end + 1;
      }
      if (!skipping) rest += text.slice(from);
      if (rest.length > LONGEST_LINE) {
        rest = "";
        skipping = true;
      }
    },
    addFile(content) {
      const value = parseEvent(content);
      if (value === undefined || usageFile === undefined) return;
      for (const said of usageFile(value)) sum.add(said);
    },
    usage() {
      const said = Object.entries(sum.usage()).filter(([, value]) => value !== undefined);
      return said.length === 0 ? null : Object.fromEntries(said);
    },
  };
}

/** Nothing was said yet. */
function createSum(): { add(said: Said): void; usage(): Usage } {
  let sessionId: string | undefined;
  let model: string | undefined;
  let run: Usage | undefined;
  const answers = new Map<unknown, Usage>();
  return {
    add(said) {
      if (said.kind === "session") sessionId = said.id;
      else if (said.kind === "model") model ??= said.name;
      else if (said.kind === "usage" && said.of === "run") run = said.usage;
      else if (said.kind === "usage") answers.set(said.id ?? {}, said.usage);
    },
    // The totals of a run say more than its answers.
    usage: () => ({ ...(run ?? [...answers.values()].reduce(addUsage, {})), model, sessionId }),
  };
}

/** Both together; what only one of them says is taken from it. */
function addUsage(one: Usage, other: Usage): Usage {
  return {
    inputTokens: total(one.inputTokens, other.inputTokens),
    outputTokens: total(one.outputTokens, other.outputTokens),
    cachedTokens: total(one.cachedTokens, other.cachedTokens),
    costUsd: total(one.costUsd, other.costUsd),
    turns: total(one.turns, other.turns),
  };
}
