// The flags of `start` that follow from the table of options, and back: what was asked for by them.

import { OrchestraError } from "../task/error.ts";
import { type Option, OPTION_LIST } from "../task/options.ts";

/** A flag, as the framework takes it; of what kind its value is, is known to the table alone. */
export type OptionFlag =
  | { kind: "boolean"; optional: true; withNegated: boolean; brief: string }
  | {
    kind: "parsed";
    optional: true;
    variadic?: true | ",";
    // deno-lint-ignore no-explicit-any
    parse(text: string): any;
    // deno-lint-ignore no-explicit-any
    proposeCompletions?(this: any, partial: string): readonly string[] | Promise<readonly string[]>;
    brief: string;
    placeholder: string;
  };

/** What the command line gave, by the names of flags. */
export type OptionValues = Readonly<Record<string, unknown>>;

/** For completion: the tasks whose names begin with what is there. */
export type ProposeTasks<This> = (
  this: This,
  partial: string,
) => readonly string[] | Promise<readonly string[]>;

function flagOf<This>(
  option: Option<unknown>,
  proposeTasks: ProposeTasks<This>,
): OptionFlag {
  const { kind, about, placeholder, fallback } = option;
  if (kind.field === "boolean" || kind.field === "boolean?") {
    // What others may have said can be taken back.
    const withNegated = kind.field === "boolean?";
    return { kind: "boolean", optional: true, withNegated, brief: about };
  }
  return {
    kind: "parsed",
    optional: true,
    parse(text) {
      const value = kind.parse(text);
      if (value !== undefined) return value;
      throw new OrchestraError(
        "usage",
        `${JSON.stringify(text)} is not ${kind.several?.one ?? kind.must}`,
        { hint: kind.hint },
      );
    },
    brief: about + (kind.forms === undefined ? "" : `: ${kind.forms}`) +
      (typeof fallback === "number" ? ` (${fallback})` : ""),
    placeholder,
    ...(kind.several === undefined ? {} : { variadic: kind.several.separator ?? true }),
    ...(kind.field === "ids" ? { proposeCompletions: proposeTasks } : {}),
  };
}

/** A flag for each option, by its name, and their letters. */
export function optionFlags<This>(
  proposeTasks: ProposeTasks<This>,
): { flags: Record<string, OptionFlag>; aliases: Record<string, string> } {
  const flags: Record<string, OptionFlag> = {};
  const aliases: Record<string, string> = {};
  for (const [name, option] of OPTION_LIST) {
    const flag = option.flag ?? name;
    flags[flag] = flagOf(option, proposeTasks);
    if (option.letter !== undefined) aliases[option.letter] = flag;
  }
  return { flags, aliases };
}

/** What was asked for, by the names of options. */
export function askedFor(values: OptionValues): Record<string, unknown> {
  const asked: Record<string, unknown> = {};
  for (const [name, { flag, kind: { several } }] of OPTION_LIST) {
    const value = values[flag ?? name];
    if (value === undefined) continue;
    asked[name] = several === undefined ? value : several.join(value as readonly unknown[]);
  }
  return asked;
}
