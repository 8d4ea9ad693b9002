// The events of the GitHub Copilot CLI (`--output-format json`). They tell no tokens; the file that it
// writes at its end does (`--usage-output-file`).

import {
  error,
  firstModel,
  inputOf,
  model,
  object,
  outputOf,
  session,
  text,
  tokens,
  total,
  type Vendor,
  words,
} from "./vendor.ts";

export const copilot: Vendor = {
  counts: /"type": ?"(?:result|assistant\.message)"/,
  says(event) {
    const data = object(event.data);
    switch (event.type) {
      case "assistant.message":
        return [...model(data.model), ...text(data.content)];
      case "tool.execution_start":
        return [{
          kind: "call",
          tool: words(data.toolName) ?? "tool",
          input: inputOf(data.arguments),
        }];
      case "tool.execution_complete":
        return [{
          kind: "output",
          text: outputOf(object(data.result).content ?? object(data.error).message),
          failed: data.success === false,
        }];
      case "session.error":
        return error(data.message);
      case "result":
        return session(event.sessionId);
      default:
        return [];
    }
  },
  usageFile({ modelMetrics }) {
    const models = Object.values(object(modelMetrics)).map(object);
    const sum = (name: string, of = "usage") =>
      models.map((metrics) => tokens(object(metrics[of])[name]))
        .reduce((one, other) => total(one, other), undefined);
    return [{
      kind: "usage",
      of: "run",
      usage: {
        inputTokens: sum("inputTokens"),
        outputTokens: sum("outputTokens"),
        cachedTokens: sum("cacheReadTokens"),
        turns: sum("count", "requests"),
      },
    }, ...firstModel(modelMetrics)];
  },
};
