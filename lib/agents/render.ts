// A log of events as a person reads it: what the model said, what it had run and what came of it, errors,
// tokens. Lines that are no events are shown as they are; nothing is left out without a mark. Pure.

import type { UsageFormat } from "../task/agent.ts";
import type { Usage } from "../task/fields.ts";
import { parseEvent, saysOf } from "./events.ts";
import type { Said } from "./vendor.ts";

/** Some lines that belong together, and what they are: for colours. */
export interface Shown {
  readonly kind: "text" | "call" | "output" | "failed" | "error" | "note" | "plain";
  readonly text: string;
  /** All of it, where the text was cut. */
  readonly whole?: string;
}

/** Reads a log piece by piece. */
export interface Renderer {
  /** Takes the next piece, cut anywhere, and gives what can be shown. */
  add(text: string): Shown[];
  /** What is left at the end. */
  end(): Shown[];
}

/** Of a tool's output so many lines are shown, half from each end. */
const OUTPUT_LINES = 20;
/** A line longer than this is shown as it is, in pieces, characters. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** A renderer that has read nothing yet. */
export function createRenderer(format: UsageFormat): Renderer {
  let rest = "";
  let silent = 0;
  /** Words of a line that may go on. */
  let running = "";

  /** How many events said nothing since something was shown. */
  function mark(): Shown[] {
    if (silent === 0) return [];
    const text = `… ${silent} ${silent === 1 ? "event" : "events"}`;
    silent = 0;
    return [{ kind: "note", text }];
  }

  /** What was said in pieces, as far as it is whole lines. */
  function go(piece: string): Shown[] {
    running += piece;
    const end = running.lastIndexOf("\n");
    if (end < 0 && running.length <= LONGEST_LINE) return [];
    const text = end < 0 ? running : running.slice(0, end);
    running = end < 0 ? "" : running.slice(end + 1);
    return [{ kind: "text", text }];
  }

  function stop(): Shown[] {
    const text = running.trimEnd();
    running = "";
    return text === "" ? [] : [{ kind: "text", text }];
  }

  function line(text: string): Shown[] {
    const event = parseEvent(text);
    if (event === undefined) return [...mark(), ...stop(), { kind: "plain", text }];
    const all = saysOf(format, event);
    const shown = all.flatMap((said) =>
      said.kind === "text" && said.piece ? go(said.text) : [...stop(), ...show(said)]
    );
    if (shown.length > 0) return [...mark(), ...shown];
    if (!all.some(({ kind }) => kind === "text")) silent++;
    return [];
  }

  return {
    add(text) {
      const shown: Shown[] = [];
      let from = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        shown.push(...line(rest + text.slice(from, end)));
        rest = "";
        from = end + 1;
      }
      rest += text.slice(from);
      if (rest.length > LONGEST_LINE) {
        shown.push(...mark(), ...stop(), { kind: "plain", text: rest });
        rest = "";
      }
      return shown;
    },
    end() {
      const shown = rest === "" ? [] : line(rest);
      rest = "";
      return [...shown, ...stop(), ...mark()];
    },
  };
}

/** A whole text, rendered. */
export function render(format: UsageFormat, text: string): Shown[] {
  const renderer = createRenderer(format);
  return [...renderer.add(text), ...renderer.end()];
}

function show(said: Said): Shown[] {
  switch (said.kind) {
    case "text":
      return [{ kind: "text", text: said.text.trimEnd() }];
    case "call":
      return [{ kind: "call", text: `$ ${said.tool}  ${said.input}`.trimEnd() }];
    case "output": {
      const lines = said.text.trimEnd().split("\n");
      const text = indent(lines);
      if (text.trim() === "") return [{ kind: "note", text: "  (no output)" }];
      const kind = said.failed ? "failed" : "output";
      if (lines.length <= OUTPUT_LINES) return [{ kind, text }];
      const cut = [
        ...lines.slice(0, OUTPUT_LINES / 2),
        `… ${lines.length - OUTPUT_LINES} lines`,
        ...lines.slice(-OUTPUT_LINES / 2),
      ];
      return [{ kind, text: indent(cut), whole: text }];
    }
    case "error":
      return [{ kind: "error", text: `error: ${said.message}` }];
    case "usage":
      return said.of === "run" && said.interim !== true ? tokens(said.usage) : [];
    case "session":
    case "model":
      return [];
  }
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`.trimEnd()).join("\n");
}

function tokens({ inputTokens, cachedTokens, outputTokens, costUsd }: Usage): Shown[] {
  if (inputTokens === undefined && outputTokens === undefined) return [];
  const cached = cachedTokens ? ` (${cachedTokens} cached)` : "";
  const cost = costUsd ? `, ${Number(costUsd.toPrecision(3))} USD` : "";
  return [{
    kind: "note",
    text: `tokens: ${inputTokens ?? 0} in${cached}, ${outputTokens ?? 0} out${cost}`,
  }];
}
