// What a run consumed, from the events in its agent's log. Pure. A log is JSON lines among other
// lines; it may begin and end in the middle of a line, and what it says is only what the agent says
// of itself: a value that cannot be (negative, no number, beyond all bounds) counts as not said.
// The forms of the events are told in tests/fixtures/README.md.

import type { UsageFormat } from "../task/agent.ts";
import type { Usage } from "../task/fields.ts";

/** Adds up what a log says while it grows. */
export interface UsageReader {
  /** Takes the next piece of the log, cut anywhere. */
  add(text: string): void;
  /** What the whole lines so far say; null where they say nothing. */
  usage(): Usage | null;
}

/** A line longer than this is not kept until its end comes, characters. */
const LONGEST_LINE = 16 * 1024 * 1024;
const MOST_TOKENS = 1e12;
const MOST_DOLLARS = 1e6;
const MOST_TURNS = 1e6;
/** A session id goes into a command line: it must not look like an option there. */
const SESSION = /^[A-Za-z0-9_][\w.:-]{0,199}$/;
/** Names of models as providers write them; `<synthetic>` is claude's own, for its errors. */
const MODEL = /^[\w@][\w@.:/+() [\]-]{0,199}$/;

type Json = Record<string, unknown>;

/** Reads one event at a time. */
interface EventReader {
  /** Whether a line may matter; whole logs are read, and parsing all of it would take long. */
  wants(line: string): boolean;
  read(event: Json): void;
  usage(): Usage;
}

const FORMATS: Readonly<Record<UsageFormat, () => EventReader>> = {
  claude: readClaude,
  codex: readCodex,
  gemini: readGemini,
  opencode: readOpencode,
};

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
  const events = FORMATS[format]();
  let rest = "";
  let skipping = false;
  const take = (line: string) => {
    const event = events.wants(line) ? parseEvent(line) : null;
    if (event !== null) events.read(event);
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
    usage() {
      const said = Object.entries(events.usage()).filter(([, value]) => value !== undefined);
      return said.length === 0 ? null : Object.fromEntries(said);
    },
  };
}

/** `thread.started` names the session; `turn.completed` has the totals of the whole thread. */
function readCodex(): EventReader {
  let sessionId: string | undefined;
  let usage: Usage = {};
  return {
    wants: (line) => /"(?:thread\.started|turn\.completed)"/.test(line),
    read(event) {
      if (event.type === "thread.started") sessionId = session(event.thread_id) ?? sessionId;
      if (event.type !== "turn.completed") return;
      const said = object(event.usage);
      usage = {
        inputTokens: tokens(said.input_tokens),
        outputTokens: tokens(said.output_tokens),
        cachedTokens: tokens(said.cached_input_tokens),
      };
    },
    usage: () => ({ ...usage, sessionId }),
  };
}

/** Each `step_finish` has the tokens and the cost of one answer of the model: their sum counts. */
function readOpencode(): EventReader {
  let sessionId: string | undefined;
  let sum: Usage = {};
  return {
    wants: (line) => line.includes('"step_finish"') || sessionId === undefined,
    read(event) {
      sessionId ??= session(event.sessionID);
      if (event.type !== "step_finish") return;
      const part = object(event.part);
      const said = object(part.tokens);
      const cache = object(said.cache);
      const read = tokens(cache.read);
      sum = addUsage(sum, {
        inputTokens: total(tokens(said.input), read, tokens(cache.write)),
        outputTokens: total(tokens(said.output), tokens(said.reasoning)),
        cachedTokens: read,
        costUsd: dollars(part.cost),
        turns: 1,
      });
    },
    usage: () => ({ ...sum, sessionId }),
  };
}

/**
 * `result`, at the end, has everything. Until it comes, the messages of the model are added up; each
 * is printed once for every block of its content, and its number of output tokens is that of its
 * beginning.
 */
function readClaude(): EventReader {
  let sessionId: string | undefined;
  let model: string | undefined;
  let result: Usage | undefined;
  const messages = new Map<unknown, Usage>();
  return {
    wants: (line) => /"type": ?"(?:result|assistant|system)"/.test(line),
    read(event) {
      sessionId = session(event.session_id) ?? sessionId;
      if (event.type === "system" && event.subtype === "init") {
        model = modelName(event.model) ?? model;
      } else if (event.type === "assistant") {
        const message = object(event.message);
        model ??= modelName(message.model);
        messages.set(message.id, claudeTokens(object(message.usage)));
      } else if (event.type === "result") {
        model ??= modelName(Object.keys(object(event.modelUsage))[0]);
        result = {
          ...claudeTokens(object(event.usage)),
          costUsd: dollars(event.total_cost_usd),
          turns: number(event.num_turns, MOST_TURNS),
        };
      }
    },
    usage() {
      const sum = () => [...messages.values()].reduce(addUsage, {});
      return { ...(result ?? sum()), model, sessionId };
    },
  };
}

/** Claude counts cached tokens apart; qwen, which prints the same events, does not. */
function claudeTokens(said: Json): Usage {
  const input = tokens(said.input_tokens);
  const output = tokens(said.output_tokens);
  const read = tokens(said.cache_read_input_tokens);
  const written = tokens(said.cache_creation_input_tokens);
  const included = said.total_tokens !== undefined && said.total_tokens === total(input, output);
  return {
    inputTokens: included ? input : total(input, read, written),
    outputTokens: output,
    cachedTokens: read,
  };
}

/** `init` names session and model, `result` has the totals; thoughts are only in the total. */
function readGemini(): EventReader {
  let sessionId: string | undefined;
  let model: string | undefined;
  let usage: Usage = {};
  return {
    wants: (line) => /"type": ?"(?:init|result)"/.test(line),
    read(event) {
      if (event.type === "init") {
        sessionId = session(event.session_id) ?? sessionId;
        model = modelName(event.model) ?? model;
      }
      if (event.type !== "result") return;
      const stats = object(event.stats);
      const input = tokens(stats.input_tokens);
      const output = tokens(stats.output_tokens);
      const all = tokens(stats.total_tokens) ?? 0;
      usage = {
        inputTokens: input,
        outputTokens: output === undefined ? undefined : Math.max(output, all - (input ?? 0)),
        cachedTokens: tokens(stats.cached),
      };
      model ??= modelName(Object.keys(object(stats.models))[0]);
    },
    usage: () => ({ ...usage, model, sessionId }),
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

function total(...numbers: (number | undefined)[]): number | undefined {
  const said = numbers.filter((value) => value !== undefined);
  return said.length === 0 ? undefined : said.reduce((sum, value) => sum + value, 0);
}

function parseEvent(line: string): Json | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function number(value: unknown, most: number): number | undefined {
  return Number.isInteger(value) && value as number >= 0 && value as number <= most
    ? value as number
    : undefined;
}

function tokens(value: unknown): number | undefined {
  return number(value, MOST_TOKENS);
}

function dollars(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= MOST_DOLLARS ? value : undefined;
}

function session(value: unknown): string | undefined {
  return typeof value === "string" && SESSION.test(value) ? value : undefined;
}

function modelName(value: unknown): string | undefined {
  return typeof value === "string" && MODEL.test(value) ? value : undefined;
}
