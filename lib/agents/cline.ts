// The events of Cline (`cline --json`). `run_result`, at the end, has the totals; until it comes, each
// `usage` has those so far. Its error events tell of failed tools as well: what ends the run is `error`.

import {
  dollars,
  error,
  type Event,
  inputOf,
  model,
  object,
  outputOf,
  type Said,
  text,
  tokens,
  turns,
  type Vendor,
  words,
} from "./vendor.ts";

export const cline: Vendor = {
  counts: /"type": ?"(?:usage|run_result)"/,
  says(event) {
    switch (event.type) {
      case "agent_event":
        return inner(object(event.event));
      case "run_result":
        return [
          {
            kind: "usage",
            of: "run",
            usage: usageOf(object(event.aggregateUsage ?? event.usage), event.iterations),
          },
          ...model(object(event.model).id),
        ];
      case "error":
        return error(event.message);
      default:
        return [];
    }
  },
};

function inner(event: Event): Said[] {
  switch (event.type) {
    case "usage":
      return [{
        kind: "usage",
        of: "run",
        usage: {
          inputTokens: tokens(event.totalInputTokens),
          outputTokens: tokens(event.totalOutputTokens),
          cachedTokens: tokens(event.totalCacheReadTokens),
          costUsd: dollars(event.totalCost),
        },
        interim: true,
      }];
    case "content_start":
      if (event.contentType !== "tool") return [];
      return [{ kind: "call", tool: words(event.toolName) ?? "tool", input: inputOf(event.input) }];
    case "content_end":
      if (event.contentType === "text") return text(event.text);
      if (event.contentType !== "tool") return [];
      return [{
        kind: "output",
        text: outputOf(object(event.output).error ?? event.output),
        failed: object(event.output).error !== undefined,
      }];
    default:
      return [];
  }
}

function usageOf(said: Event, iterations: unknown) {
  return {
    inputTokens: tokens(said.inputTokens),
    outputTokens: tokens(said.outputTokens),
    cachedTokens: tokens(said.cacheReadTokens),
    costUsd: dollars(said.totalCost),
    turns: turns(iterations),
  };
}
