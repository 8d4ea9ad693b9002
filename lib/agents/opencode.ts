// The events of OpenCode (`opencode run --format json`). Each `step_finish` has the tokens and the cost
// of one answer of the model.

import {
  dollars,
  error,
  type Event,
  inputOf,
  object,
  outputOf,
  type Said,
  session,
  text,
  tokens,
  total,
  type Vendor,
  words,
} from "./vendor.ts";

export const opencode: Vendor = {
  counts: /"(?:step_start|step_finish|error)"/,
  says: (event) => [...session(event.sessionID), ...body(event)],
};

function body(event: Event): Said[] {
  const part = object(event.part);
  switch (event.type) {
    case "text":
      return text(part.text);
    case "tool_use": {
      const state = object(part.state);
      return [
        { kind: "call", tool: words(part.tool) ?? "tool", input: inputOf(state.input) },
        {
          kind: "output",
          text: outputOf(state.output ?? state.error),
          failed: state.status === "error",
        },
      ];
    }
    case "step_finish": {
      const said = object(part.tokens);
      const cache = object(said.cache);
      const read = tokens(cache.read);
      return [{
        kind: "usage",
        of: "answer",
        usage: {
          inputTokens: total(tokens(said.input), read, tokens(cache.write)),
          outputTokens: total(tokens(said.output), tokens(said.reasoning)),
          cachedTokens: read,
          costUsd: dollars(part.cost),
          turns: 1,
        },
      }];
    }
    case "error": {
      const failure = object(event.error);
      return error(object(failure.data).message ?? failure.message ?? failure.name);
    }
    default:
      return [];
  }
}
