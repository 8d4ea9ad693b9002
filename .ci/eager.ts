// What makes the bundle small and quick to start, beyond what its minifier knows. V8 compiles a
// function when it is first called, in each process anew; but one that stands in parentheses it
// compiles with the file, and what is compiled with the file Deno keeps in its code cache. So the
// functions that the everyday commands call are put in parentheses. Which they are is seen by
// running those commands; one that is missed is compiled when it is called.

import { parse } from "acorn";

/** A node of the syntax tree, as far as it is looked at here. */
interface Node {
  type: string;
  start: number;
  end: number;
  id?: Node | null;
  name?: string;
}

function parseModule(code: string): Node & { body: Node[] } {
  const options = { ecmaVersion: "latest", sourceType: "module", allowHashBang: true } as const;
  return parse(code, options) as unknown as Node & { body: Node[] };
}

/** All nodes below some part of a syntax tree. */
function nodesIn(root: unknown): Node[] {
  const found: Node[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) open.push(...value);
    else if ("type" in value) {
      const node = value as Node;
      found.push(node);
      open.push(...Object.values(node));
    }
  }
  return found;
}

/** Names a range of the text, as it is called in a set of such. */
export function rangeKey(start: number, end: number): string {
  return `${start}-${end}`;
}

/**
 * Puts functions in parentheses. A declaration at the top level cannot stand in any: it becomes a
 * variable at the start of the module, so that it is there for whoever calls it before its place.
 *
 * @param code a module
 * @param called ranges of the functions, as {@linkcode rangeKey} names them
 */
export function compileEagerly(code: string, called: Pick<ReadonlySet<string>, "has">): string {
  const program = parseModule(code);
  const isCalled = ({ start, end }: Node) => called.has(rangeKey(start, end));
  const declared = program.body.filter((node) =>
    node.type === "FunctionDeclaration" && isCalled(node)
  );
  const expressions = nodesIn(program).filter((node) =>
    isCalled(node) &&
    // A method begins with its name, and the function in it with its parameters: it stays.
    (node.type === "ArrowFunctionExpression" ||
      (node.type === "FunctionExpression" && code[node.start] !== "("))
  );
  const parentheses = expressions.flatMap(({ start, end }) => [
    { place: start, text: "(" },
    { place: end, text: ")" },
  ]).sort((a, b) => a.place - b.place || (a.text < b.text ? 1 : -1));
  /** A part of the text, with the parentheses that belong there. */
  const part = (from: number, to: number) => {
    let text = "";
    for (const { place, text: parenthesis } of parentheses) {
      if (place < from || place > to) continue;
      text += code.slice(from, place) + parenthesis;
      from = place;
    }
    return text + code.slice(from, to);
  };
  const variables = declared.map(({ id, start, end }) => `${id!.name}=(${part(start, end)})`);
  let rest = "";
  let from = 0;
  for (const { start, end } of declared) {
    // The statements around a declaration must not become one.
    rest += `${part(from, start)};`;
    from = end;
  }
  rest += part(from, code.length);
  if (variables.length === 0) return rest;
  const first = code.startsWith("#!") ? code.indexOf("\n") + 1 : 0;
  return `${rest.slice(0, first)}var ${variables.join(",")};${rest.slice(first)}`;
}

/** One script in a coverage file of Deno's, which has the form of V8's. */
interface Covered {
  url: string;
  functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
}

/**
 * Runs the everyday commands of a bundled program in a workspace of its own, and sees which of its
 * functions are called.
 *
 * @param program path of the bundle
 * @returns their ranges, as {@linkcode rangeKey} names them
 */
export async function calledFunctions(program: string): Promise<Set<string>> {
  const root = await Deno.makeTempDir({ prefix: "orchestra-bundle-" });
  const seen = `${root}/coverage`;
  const run = async (flags: readonly string[], args: readonly string[]) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", ...flags, program, "-C", root, ...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`orchestra ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout).trim();
  };
  const orchestra = (...args: string[]) => run([`--coverage=${seen}`], args);
  try {
    // What makes a workspace, or waits for something in it, is not among what is called every day.
    await run([], ["init"]);
    // A supervisor in the background would outlive the folder.
    await run([], ["config", "set", "supervise", "false"]);
    const ended = await orchestra("start", "shell", "exit 0", "--quiet");
    await orchestra("run");
    await run([], ["wait", ended]);
    await orchestra("cancel", await orchestra("start", "shell", "exit 0", "--quiet"));
    const running = await orchestra("start", "shell", "sleep 60", "--quiet");
    await orchestra("run");
    await orchestra("status");
    await orchestra("cancel", running);
    const called = new Set<string>();
    for await (const { name } of Deno.readDir(seen)) {
      if (!name.endsWith(".json")) continue;
      const file = JSON.parse(await Deno.readTextFile(`${seen}/${name}`));
      const scripts: Covered[] = file.result ?? [file];
      for (const { url, functions } of scripts) {
        if (!url.endsWith(program.slice(program.lastIndexOf("/")))) continue;
        for (const { ranges: [whole] } of functions) {
          if (whole!.count > 0) called.add(rangeKey(whole!.startOffset, whole!.endOffset));
        }
      }
    }
    return called;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
