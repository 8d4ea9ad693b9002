// The events of Codex (`codex exec --json`). `turn.completed` has the totals of the whole thread.

import {
  error,
  type Event,
  object,
  outputOf,
  type Said,
  session,
  text,
  tokens,
  type Vendor,
  words,
} from "./vendor.ts";

export const codex: Vendor = {
  counts: /"(?:thread\.started|turn\.completed)"/,
  says(event) {
    switch (event.type) {
      case "thread.started":
        return session(event.thread_id);
      case "turn.completed": {
        const said = object(event.usage);
        return [{
          kind: "usage",
          of: "run",
          usage: {
            inputTokens: tokens(said.input_tokens),
            outputTokens: tokens(said.output_tokens),
            cachedTokens: tokens(said.cached_input_tokens),
          },
        }];
      }
      case "error":
        return error(event.message);
      case "turn.failed":
        return error(object(event.error).message);
      case "item.started":
      case "item.completed":
        return item(object(event.item), event.type === "item.completed");
      default:
        return [];
    }
  },
};

/** A command is told when it begins and when it ends; an item that is an error is only a warning. */
function item(item: Event, ended: boolean): Said[] {
  switch (item.type) {
    case "agent_message":
      return ended ? text(item.text) : [];
    case "command_execution":
      return ended
        ? [{
          kind: "output",
          text: outputOf(item.aggregated_output),
          failed: typeof item.exit_code === "number" && item.exit_code !== 0,
        }]
        : [{ kind: "call", tool: "shell", input: words(item.command) ?? "" }];
    default:
      return [];
  }
}
