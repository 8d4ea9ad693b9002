// Start-up of the bundle: V8 compiles a function when it is first called, each time anew, but one
// that stands in parentheses with the file, and what is compiled with the file Deno keeps in its
// code cache. So the functions that the everyday commands call are put in parentheses. Which they
// are is seen by running those commands; a function that is missed is compiled when it is called.

import { parse } from "acorn";

/** A node of the syntax tree, as far as it is looked at here. */
interface Node {
  type: string;
  start: number;
  end: number;
  id?: Node | null;
  name?: string;
  async?: boolean;
  generator?: boolean;
  params?: Node[];
  body?: unknown;
  callee?: Node;
  right?: Node;
  object?: Node;
  superClass?: Node | null;
}

/** Names a range of the text, as it is called in a set of such. */
export function rangeKey(start: number, end: number): string {
  return `${start}-${end}`;
}

/**
 * Puts functions in parentheses. A declaration at the top level becomes a variable at the start of
 * the file: it is there for whoever calls it before its place, as declarations are.
 *
 * @param code a module
 * @param called ranges of the functions, as {@linkcode rangeKey} names them
 */
export function compileEagerly(code: string, called: Pick<ReadonlySet<string>, "has">): string {
  const program = parse(code, {
    ecmaVersion: "latest",
    sourceType: "module",
    allowHashBang: true,
  }) as unknown as Node & { body: Node[] };
  const isCalled = ({ start, end }: Node) => called.has(rangeKey(start, end));
  const declared = program.body.filter((node) =>
    node.type === "FunctionDeclaration" && node.id != null && isCalled(node)
  );
  // A method begins with its name, and the function in it with its parameters: it stays.
  const wrapped = functionsIn(program)
    .filter((node) =>
      isCalled(node) && !(node.type === "FunctionExpression" && code[node.start] === "(")
    );
  const opened = countBy(wrapped.map(({ start }) => start));
  const closed = countBy(wrapped.map(({ end }) => end));
  const places = [...new Set([...opened.keys(), ...closed.keys()])].sort((a, b) => a - b);
  const slice = (start: number, end: number) => {
    let text = "";
    let from = start;
    for (const place of places) {
      if (place < start || place > end) continue;
      text += code.slice(from, place);
      if (place > start) text += ")".repeat(closed.get(place) ?? 0);
      if (place < end) text += "(".repeat(opened.get(place) ?? 0);
      from = place;
    }
    return text + code.slice(from, end);
  };
  const constructed = constructorsIn(program, code);
  const variables = declared.map((node) => {
    const { id, params, body, async, generator, end } = node;
    const name = code.slice(id!.start, id!.end);
    const before = async ? "async " : "";
    if (generator || constructed.has(name) || usesOwnThis(node)) {
      return `${name}=(${before}function${generator ? "*" : ""}${slice(id!.end, end)})`;
    }
    // An arrow is shorter, and the same to all who only call it.
    const { start } = body as Node;
    const only = params?.length === 1 && params[0]!.type === "Identifier" ? params[0] : undefined;
    const head = only === undefined
      ? slice(id!.end, start).trimEnd()
      : code.slice(only.start, only.end);
    return `${name}=(${before}${head}=>${slice(start, end)})`;
  });
  let rest = "";
  // After the line that starts the program, if there is one.
  let from = code.startsWith("#!") ? code.indexOf("\n") + 1 : 0;
  const shebang = code.slice(0, from);
  for (const node of declared) {
    rest += slice(from, node.start);
    // Where a line's end separated two statements, the two around the declaration must not become one.
    if (!";}".includes(code[node.start - 1] ?? ";")) rest += ";";
    from = node.end;
  }
  rest += slice(from, code.length);
  return `${shebang}${variables.length === 0 ? "" : `var ${variables.join(",")};`}${rest}`;
}

function countBy(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** Whether a function has a `this`, an `arguments` or a `new.target` of its own that it looks at. */
function usesOwnThis(declaration: Node): boolean {
  return nodesIn(
    [declaration.params, declaration.body],
    (node) => !/^Function|Class/.test(node.type),
  )
    .some((node) =>
      node.type === "ThisExpression" || node.type === "MetaProperty" ||
      (node.type === "Identifier" && node.name === "arguments")
    );
}

/** Names behind which a constructor may stand: what is built, extended, or asked for as a class. */
function constructorsIn(root: Node, code: string): Set<string> {
  const names = new Set<string>();
  for (const node of nodesIn(root)) {
    const used = node.type === "NewExpression"
      ? node.callee
      : node.type === "BinaryExpression"
      ? node.right
      : node.type === "MemberExpression"
      ? node.object
      : node.superClass;
    if (used?.type === "Identifier") names.add(code.slice(used.start, used.end));
  }
  return names;
}

/** The function expressions and arrow functions below a node, those inside others too. */
function functionsIn(root: Node): Node[] {
  return nodesIn(root).filter(({ type }) =>
    type === "FunctionExpression" || type === "ArrowFunctionExpression"
  );
}

/**
 * All nodes below some part of a syntax tree.
 *
 * @param enter whether to look into a node; into all where absent
 */
function nodesIn(root: unknown, enter: (node: Node) => boolean = () => true): Node[] {
  const found: Node[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) open.push(...value);
    else if ("type" in value) {
      const node = value as Node;
      found.push(node);
      if (enter(node)) open.push(...Object.values(node));
    }
  }
  return found;
}

/** One function in a coverage file of Deno's, which has the form of V8's. */
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
  const orchestra = async (...args: string[]) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", `--coverage=${seen}`, program, "-C", root, ...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`orchestra ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout).trim();
  };
  try {
    await orchestra("init");
    // A supervisor in the background would outlive the folder.
    await orchestra("config", "set", "supervise", "false");
    // What makes a workspace is not among what is called every day.
    await Deno.remove(seen, { recursive: true });
    const ended = await orchestra("start", "shell", "exit 0", "--quiet");
    await orchestra("run");
    await orchestra("wait", ended);
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
