// Short options with their value attached, as other programs take them: `-p3`, `-fn5`. The framework
// knows `-p 3` and `-p=3` alone, and takes the rest for arguments.

import type { Command } from "@stricli/core";
import type { Target } from "./application.ts";
import type { Context } from "./context.ts";

/** What a letter stands for. */
type LetterKind = "switch" | "value" | "unknown";

/** The command that a command line calls, and how many words name it. */
function calledBy(
  words: readonly string[],
  target: Target,
): [Command<Context> | undefined, number] {
  if (!("getAllEntries" in target)) return [target, 1];
  const next = target.getRoutingTargetForInput(words[1] ?? "");
  return next === undefined ? [target.getDefaultCommand(), 1] : [next as Command<Context>, 2];
}

/**
 * The same command line in the forms that the framework knows. What stands behind `--`, and what an
 * option before it takes as its value, stays as it is.
 *
 * @param target the command that the first word names
 */
export function detachValues(words: readonly string[], target: Target | undefined): string[] {
  const [command, named] = target === undefined ? [undefined, 0] : calledBy(words, target);
  if (command === undefined) return [...words];
  const { flags = {} } = command.parameters;
  const aliases = new Map(Object.entries(command.parameters.aliases ?? {}));
  const takesValue = (name: string) =>
    Object.hasOwn(flags, name) && flags[name]!.kind !== "boolean";
  const kindOf = (letter: string): LetterKind => {
    const name = aliases.get(letter);
    return name === undefined ? "unknown" : takesValue(name) ? "value" : "switch";
  };
  const awaitsValue = (word: string) =>
    word.startsWith("--")
      ? takesValue(nameOf(word))
      : word.length === 2 && word.startsWith("-") && kindOf(word[1]!) === "value";

  const found = words.slice(0, named);
  for (let at = named; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") return [...found, ...words.slice(at)];
    const value = /^(--[^=\n]+)=([^]*\n[^]*)$/.exec(word);
    if (at > named && awaitsValue(found.at(-1)!)) found.push(word);
    // The framework reads no further than the first line.
    else if (value !== null && takesValue(nameOf(value[1]!))) found.push(value[1]!, value[2]!);
    else found.push(...detach(word, kindOf));
  }
  return found;
}

/** The name of an option in the table, of how it is typed. */
function nameOf(word: string): string {
  return word.slice(2).replace(/-./g, ([, letter]) => letter!.toUpperCase());
}

/** One word: the switches at its start, then the option with its value. */
function detach(word: string, kindOf: (letter: string) => LetterKind): string[] {
  if (!/^-[a-z]/i.test(word)) return [word];
  for (let at = 1; at < word.length; at++) {
    const kind = kindOf(word[at]!);
    if (kind === "unknown") break;
    if (kind === "switch") continue;
    const switches = at === 1 ? [] : [word.slice(0, at)];
    return [...switches, ...option(word[at]!, word.slice(at + 1))];
  }
  return [word];
}

/** An option and what follows its letter. */
function option(letter: string, rest: string): string[] {
  const value = rest.startsWith("=") ? rest.slice(1) : rest;
  if (rest === "" || value === "") return [`-${letter}${rest}`];
  // Behind `=` a value may begin with a dash, but the framework reads no further than its first line.
  return value.includes("\n") ? [`-${letter}`, value] : [`-${letter}=${value}`];
}
