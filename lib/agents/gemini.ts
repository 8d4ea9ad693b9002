// The events of the Gemini CLI (`--output-format stream-json`). `init` names session and model, `result`
// has the totals; thoughts are only in the total of the tokens. Words come in pieces as they are made.

import {
  error,
  type Event,
  firstModel,
  inputOf,
  model,
  object,
  outputOf,
  type Said,
  session,
  text,
  tokens,
  type Vendor,
  words,
} from "./vendor.ts";

export const gemini: Vendor = {
  counts: /"type": ?"(?:init|result)"/,
  says(event) {
    switch (event.type) {
      case "init":
        return [...session(event.session_id), ...model(event.model)];
      case "message":
        if (event.role !== "assistant") return [];
        return event.delta === true && typeof event.content === "string"
          ? [{ kind: "text", text: event.content, piece: true }]
          : text(event.content);
      case "tool_use":
        return [{
          kind: "call",
          tool: words(event.tool_name) ?? "tool",
          input: inputOf(event.parameters),
        }];
      case "tool_result":
        return [{
          kind: "output",
          text: outputOf(event.output ?? object(event.error).message),
          failed: event.status === "error",
        }];
      case "error":
        return error(event.message);
      case "result":
        return result(event);
      default:
        return [];
    }
  },
};

function result(event: Event): Said[] {
  const stats = object(event.stats);
  const input = tokens(stats.input_tokens);
  const output = tokens(stats.output_tokens);
  const all = tokens(stats.total_tokens) ?? 0;
  return [
    {
      kind: "usage",
      of: "run",
      usage: {
        inputTokens: input,
        outputTokens: output === undefined ? undefined : Math.max(output, all - (input ?? 0)),
        cachedTokens: tokens(stats.cached),
      },
    },
    ...firstModel(stats.models),
    ...(event.status === "error" ? error(object(event.error).message) : []),
  ];
}
