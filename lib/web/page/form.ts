// Forms that follow from JSON Schemas: which control a value has, and the value of what was typed. The
// server checks all of it again; here only what can be told at once is. Pure.

/** A schema as far as it is read here. */
export type Schema = Readonly<Record<string, unknown>>;

/** How a value is typed in. */
export type Control =
  | { kind: "choice"; of: readonly string[] }
  /** Yes, no, or what is usual. */
  | { kind: "switch" }
  | { kind: "number"; whole: boolean; minimum?: number; maximum?: number }
  | { kind: "text"; pattern?: string; none: boolean }
  /** Names, with commas or spaces between. */
  | { kind: "list" }
  /** Lines of `name=value`. */
  | { kind: "pairs" };

/** What a field gives. */
export type Typed =
  /** Nothing was typed: what is usual holds. */
  | { kind: "absent" }
  | { kind: "value"; value: unknown }
  | { kind: "wrong"; problem: string };

/** What a value may be, one by one. */
function alternatives(schema: Schema): Schema[] {
  const all = Array.isArray(schema.anyOf) ? schema.anyOf as Schema[] : [schema];
  return all.flatMap((one) =>
    Array.isArray(one.type) ? one.type.map((type): Schema => ({ ...one, type })) : [one]
  );
}

/** The control for values of a schema. */
export function controlOf(schema: Schema): Control {
  const all = alternatives(schema);
  const ofType = (...types: string[]) => all.find(({ type }) => types.includes(type as string));
  const choices = all.flatMap((one) =>
    Array.isArray(one.enum) ? one.enum : "const" in one ? [one.const] : []
  );
  if (choices.length > 0) return { kind: "choice", of: choices.map(String) };
  if (ofType("boolean")) return { kind: "switch" };
  if (ofType("object")) return { kind: "pairs" };
  const none = ofType("null") !== undefined;
  const list = ofType("array")?.items as Schema | undefined;
  // Words that may be empty, as those of a command, cannot be told apart by commas.
  if (list !== undefined && (typeof list.minLength === "number" || !ofType("string"))) {
    return { kind: "list" };
  }
  const text = ofType("string");
  if (text !== undefined) {
    const pattern = typeof text.pattern === "string" ? text.pattern : undefined;
    return { kind: "text", pattern, none };
  }
  const number = ofType("integer", "number");
  if (number === undefined) return { kind: "text", none };
  return {
    kind: "number",
    whole: number.type === "integer",
    minimum: boundOf(number.minimum ?? number.exclusiveMinimum),
    maximum: boundOf(number.maximum),
  };
}

/** A bound worth telling: not that of what a number can hold. */
function boundOf(bound: unknown): number | undefined {
  return typeof bound === "number" && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? bound : undefined;
}

/** The value of what was typed. */
export function readTyped(schema: Schema, text: string): Typed {
  const said = text.trim();
  if (said === "") return { kind: "absent" };
  const control = controlOf(schema);
  switch (control.kind) {
    case "choice":
      return { kind: "value", value: said };
    case "switch":
      return { kind: "value", value: said === "yes" };
    case "list":
      return { kind: "value", value: said.split(/[\s,]+/).filter((word) => word !== "") };
    case "pairs":
      return readPairs(said);
    case "number":
      return readNumber(control, said);
    case "text":
      if (control.none && said === "none") return { kind: "value", value: null };
      return control.pattern === undefined || matches(control.pattern, said)
        ? { kind: "value", value: said }
        : { kind: "wrong", problem: "is not of the form that is asked for" };
  }
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    // The server knows better.
    return true;
  }
}

function readNumber(
  { whole, minimum, maximum }: Control & { kind: "number" },
  text: string,
): Typed {
  const value = Number(text);
  if (!Number.isFinite(value)) return { kind: "wrong", problem: "is no number" };
  if (whole && !Number.isInteger(value)) return { kind: "wrong", problem: "is no whole number" };
  if (minimum !== undefined && value < minimum) {
    return { kind: "wrong", problem: `is less than ${minimum}` };
  }
  if (maximum !== undefined && value > maximum) {
    return { kind: "wrong", problem: `is more than ${maximum}` };
  }
  return { kind: "value", value };
}

function readPairs(text: string): Typed {
  const pairs: [string, string][] = [];
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line === "") continue;
    const at = line.indexOf("=");
    if (at < 1) return { kind: "wrong", problem: `has a line without name=value: ${line}` };
    pairs.push([line.slice(0, at).trim(), line.slice(at + 1).trim()]);
  }
  return { kind: "value", value: Object.fromEntries(pairs) };
}

/** All values of a form, or what is wrong with which field. */
export function readForm(
  fields: readonly { name: string; schema: Schema }[],
  typed: Readonly<Record<string, string>>,
): { values: Record<string, unknown>; problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const { name, schema } of fields) {
    const read = readTyped(schema, typed[name] ?? "");
    if (read.kind === "value") values[name] = read.value;
    if (read.kind === "wrong") problems[name] = read.problem;
  }
  return { values, problems };
}
