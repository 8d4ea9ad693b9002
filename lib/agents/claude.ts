// The events of Claude Code (`--output-format stream-json`), and of those that print the same: Qwen Code
// and Amp. `result`, at the end, has everything. Until it comes, the messages of the model are added up:
// each is printed once for every block of its content.

import {
  dollars,
  error,
  type Event,
  firstModel,
  inputOf,
  list,
  model,
  object,
  outputOf,
  type Said,
  session,
  text,
  tokens,
  total,
  turns,
  type Vendor,
  words,
} from "./vendor.ts";
import type { Usage } from "../task/fields.ts";

export const claude: Vendor = {
  counts: /"type": ?"(?:result|assistant|system)"/,
  says(event) {
    switch (event.type) {
      case "system":
        return event.subtype === "init"
          ? [...session(event.session_id), ...model(event.model)]
          : session(event.session_id);
      case "assistant":
        return assistant(event);
      case "user":
        return list(object(event.message).content).flatMap(toolResult);
      case "rate_limit_event":
        return object(event.rate_limit_info).status === "rejected"
          ? error("the provider's limit is reached")
          : [];
      case "result":
        return result(event);
      default:
        return [];
    }
  },
};

function assistant(event: Event): Said[] {
  const message = object(event.message);
  const said: Said[] = [
    ...session(event.session_id),
    ...model(message.model),
    { kind: "usage", of: "answer", usage: usageOf(object(message.usage)), id: message.id },
  ];
  // The program speaks of its own errors as if the model did.
  const synthetic = message.model === "<synthetic>";
  for (const part of list(message.content).map(object)) {
    if (part.type === "text") said.push(...(synthetic ? error(part.text) : text(part.text)));
    if (part.type !== "tool_use") continue;
    said.push({ kind: "call", tool: words(part.name) ?? "tool", input: inputOf(part.input) });
  }
  return said;
}

function toolResult(value: unknown): Said[] {
  const part = object(value);
  if (part.type !== "tool_result") return [];
  return [{ kind: "output", text: outputOf(part.content), failed: part.is_error === true }];
}

function result(event: Event): Said[] {
  const failed = event.is_error === true || object(event.error).message !== undefined;
  const why = words(event.result) ?? words(object(event.error).message) ??
    words(list(event.errors)[0]) ?? event.subtype;
  return [
    ...session(event.session_id),
    ...firstModel(event.modelUsage),
    {
      kind: "usage",
      of: "run",
      usage: {
        ...usageOf(object(event.usage)),
        costUsd: dollars(event.total_cost_usd),
        turns: turns(event.num_turns),
      },
    },
    ...(failed ? error(why) : []),
  ];
}

/** Claude counts cached tokens apart; qwen, which prints the same events, does not. */
function usageOf(said: Event): Usage {
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
