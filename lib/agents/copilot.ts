// The events of the GitHub Copilot CLI (`--output-format json`). It tells no tokens.

import {
  error,
  inputOf,
  model,
  object,
  outputOf,
  session,
  text,
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
};
