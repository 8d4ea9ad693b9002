// What is wrong with a command line, in our words instead of the framework's, and how an error is
// printed: one or two lines, or one JSON value.

import { FlagNotFoundError, text_en, UnexpectedPositionalError } from "@stricli/core";
import { asJson, OrchestraError, printable, quote } from "../task/error.ts";
import { explain, OTHER_W, spell } from "./calling.ts";

/** Options of every command that have a long name. */
export const GLOBAL_OPTIONS = ["workspace", "json", "no-color", "debug", "help", "version"];

/**
 * How an error is printed: one or two lines, or one JSON value.
 *
 * @param program module that was started, for what a hint tells to type
 * @param workspace name of the one that it is about, where that is another than the command line's
 */
export function formatError(
  error: OrchestraError,
  json: boolean,
  program: string,
  workspace?: string,
): string {
  const { code, message, hint: told } = explain(error, program);
  const hint = told === undefined ? undefined : spell(told, program, workspace);
  if (json) {
    return asJson({ error: { code, message, ...(hint === undefined ? {} : { hint }) } });
  }
  return `orchestra: ${printable(message)}${hint === undefined ? "" : `\n  ${printable(hint)}`}`;
}

/** What is not there, and what is: thrown through the framework to who may load what compares them. */
export class Misspelt extends Error {
  /**
   * @param kind what was meant
   * @param given how it was spelled
   * @param known what there is
   * @param prefix what belongs before each: `--`, or the command that the others are below
   */
  constructor(
    readonly kind: "command" | "option",
    readonly given: string,
    readonly known: readonly string[],
    readonly prefix: string,
  ) {
    super(`There is no ${kind} ${prefix}${given}`);
  }
}

/** An option that is not there, as the framework found it, with what it takes for near. */
export function noOption(given: string, near: readonly string[]): Misspelt {
  const kebab = near.map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  const long = given.length > 1;
  return new Misspelt("option", given, [...kebab, ...GLOBAL_OPTIONS, "color"], long ? "--" : "-");
}

/** A group of commands, as far as it is looked at here. */
interface Group {
  getAllEntries(): readonly { name: { original: string } }[];
}

/**
 * The error for arguments that the framework could not parse.
 *
 * @param words the command line
 * @param target the command or the group that its first word names
 * @throws where it has an exit code of its own, or something was misspelt
 */
export function usageError(
  error: unknown,
  words: readonly string[],
  target: object | undefined,
): OrchestraError {
  // The framework wraps what our parsers throw, and names the option or argument itself.
  const inner = error instanceof Error && "exception" in error ? error.exception : error;
  if (inner instanceof OrchestraError) {
    // What a parser looked up and did not find has an exit code of its own.
    if (inner.code !== "usage") throw inner;
    return named(inner, error);
  }
  if (error instanceof FlagNotFoundError) throw noOption(error.input, error.corrections);
  const [command = ""] = words;
  const meant = Object.hasOwn(OTHER_W, command) ? meantByW(words, error) : undefined;
  if (meant !== undefined) return otherW(command, meant);
  // The command that is meant where none is named takes no arguments: another one, mistyped.
  if (
    error instanceof UnexpectedPositionalError && error.input === words[1] &&
    target !== undefined && "getAllEntries" in target
  ) {
    const names = (target as Group).getAllEntries().map(({ name }) => name.original);
    throw new Misspelt("command", error.input, names, `${words[0]} `);
  }
  return new OrchestraError("usage", text_en.exceptionWhileParsingArguments(error, false), {
    hint: "See the options with --help.",
  });
}

/** What was to be named by a `-w` that names nothing here; `-wshop` is several options, as ever. */
function meantByW(words: readonly string[], error: unknown): string | undefined {
  if (error instanceof UnexpectedPositionalError) {
    return words[words.indexOf(error.input) - 1] === "-w" ? error.input : undefined;
  }
  return words.find((word) => /^-w=./.test(word))?.slice("-w=".length);
}

/** The error where `-w` was to name a workspace, and does not stand where it does. */
function otherW(command: string, name: string): OrchestraError {
  const start = `orchestra -w ${quote([name])} ${command}`;
  return new OrchestraError("usage", `-w is ${OTHER_W[command]} behind ${command}`, {
    hint: `To name a workspace: ${start}   or: orchestra ${command} --workspace ${quote([name])}`,
  });
}

/** What arguments are called. */
const ARGUMENTS = new Set("id agent prompt time key value shell filter".split(" "));

/** An error of one of our parsers, with the option that it is about; an argument needs no name. */
function named(inner: OrchestraError, error: unknown): OrchestraError {
  const where = (error as { externalFlagNameOrPlaceholder?: string }).externalFlagNameOrPlaceholder;
  if (where === undefined || ARGUMENTS.has(where)) return inner;
  return new OrchestraError(inner.code, `--${where} ${inner.message}`, { hint: inner.hint });
}
