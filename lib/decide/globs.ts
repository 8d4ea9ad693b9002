// Whether two globs can name the same file. Both are made into small automata, which are gone through
// together: a state that both can be in at the end is a common path. Where a glob is of a form that is
// not known, it is taken for more than it may mean: an overlap that is told in vain costs a look, one that
// is missed costs work. Pure.
//
// `*` and `?` stand for what a name has, `**` for folders too, `[a-c]` and `[!a-c]` for one character, and
// `{a,b}` for either. What a glob names, it names with all that lies below: `src`, `src/` and `src/**` are
// the same; only what ends like `*.ts` names files alone. Case and form of letters make no difference, for on many disks they make none.

/** Which characters a step of the automaton takes: ranges of code points, or all but these. */
interface Letters {
  readonly except: boolean;
  readonly ranges: readonly (readonly [number, number])[];
}

/** A step: with a character, or without one. */
interface Step {
  readonly letters: Letters | null;
  readonly to: number;
}

/** States by number, with their steps; from 0 to the last one. */
type Automaton = readonly (readonly Step[])[];

/** A glob, ready to be compared. */
interface Glob {
  /** What every path that it names begins with, but for what lies below. */
  readonly prefix: string;
  /** One for each of its alternatives. */
  readonly automata: readonly Automaton[];
}

const SLASH = 0x2f;
const ANY: Letters = { except: true, ranges: [] };
const IN_NAME: Letters = { except: true, ranges: [[SLASH, SLASH]] };
const only = (code: number): Letters => ({ except: false, ranges: [[code, code]] });

/** More alternatives than these are not told apart: the glob may then be anything. */
const MOST_ALTERNATIVES = 64;

/** Forms of other shells: escapes, what is excluded, patterns in parentheses. */
const UNKNOWN = /\\|^!|[@!+?*]\(/;
/** Any name with an ending: no folder is meant. */
const OF_FILES = /[*?\]][^/]*\.[^/.*?[\]{}]+$/;
const ANYTHING: readonly string[] = ["**"];

/** Globs that were compared before: there are few, compared again and again. */
const made = new Map<string, Glob>();
const MOST_MADE = 10_000;

/** Whether two globs can name the same file; where that is not sure, yes. */
export function canMeet(one: string, other: string): boolean {
  const a = globOf(one);
  const b = globOf(other);
  if (!a.prefix.startsWith(b.prefix) && !b.prefix.startsWith(a.prefix)) return false;
  return a.automata.some((first) => b.automata.some((second) => meet(first, second)));
}

/** Whether a glob names a file, or a folder that it lies in. */
export function isNamedBy(path: string, glob: string): boolean {
  const { prefix, automata } = globOf(glob);
  const text = fold(path);
  if (!text.startsWith(prefix)) return false;
  return automata.some((one) => takes(one, text));
}

/** Whether an automaton takes a text. */
function takes(automaton: Automaton, text: string): boolean {
  let states = closed(automaton, [0]);
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    const next: number[] = [];
    for (const state of states) {
      for (const { letters, to } of automaton[state]!) {
        if (letters !== null && isOf(code, letters)) next.push(to);
      }
    }
    if (next.length === 0) return false;
    states = closed(automaton, next);
  }
  return states.has(automaton.length - 1);
}

/** States, with those that are reached from them without a character. */
function closed(automaton: Automaton, states: readonly number[]): Set<number> {
  const all = new Set(states);
  for (const state of all) {
    for (const { letters, to } of automaton[state]!) if (letters === null) all.add(to);
  }
  return all;
}

function isOf(code: number, { except, ranges }: Letters): boolean {
  return ranges.some(([low, high]) => code >= low && code <= high) !== except;
}

function globOf(text: string): Glob {
  const known = made.get(text);
  if (known !== undefined) return known;
  const alternatives = UNKNOWN.test(text) ? ANYTHING : expand(fold(text)) ?? ANYTHING;
  const wholes = alternatives.map(normalize);
  const glob = { prefix: sharedPrefix(wholes.map(literalOf)), automata: wholes.map(automatonOf) };
  if (made.size >= MOST_MADE) made.clear();
  made.set(text, glob);
  return glob;
}

/** Letters of either case are one, and remain as many as they were. */
function fold(text: string): string {
  return Array.from(text.normalize("NFC"), (letter) => {
    const small = letter.toLowerCase();
    return small.length === letter.length ? small : letter;
  }).join("");
}

/** No empty names, none that stands for its folder, and no slash at either end. */
function normalize(glob: string): string {
  return glob.split("/").filter((name) => name !== "" && name !== ".").join("/");
}

/** What stands before the first character that is not itself. */
function literalOf(glob: string): string {
  return glob.slice(0, glob.search(/[*?[\]{}\\]|$/));
}

function sharedPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? "";
  for (const text of texts) {
    let length = 0;
    while (length < prefix.length && text[length] === prefix[length]) length++;
    prefix = prefix.slice(0, length);
  }
  return prefix;
}

/**
 * The alternatives of all braces; undefined where they are too many, or not of the form `{a,b}`. A brace
 * without its other is itself.
 */
function expand(glob: string): string[] | undefined {
  const done: string[] = [];
  const open = [glob];
  for (let text = open.pop(); text !== undefined; text = open.pop()) {
    const braces = innermost(text);
    if (braces === undefined) done.push(text);
    else {
      const { start, end } = braces;
      const choices = text.slice(start + 1, end).split(",");
      if (choices.length === 1) return undefined;
      for (const choice of choices) {
        open.push(text.slice(0, start) + choice + text.slice(end + 1));
      }
    }
    if (done.length + open.length > MOST_ALTERNATIVES) return undefined;
  }
  return done;
}

/** A pair of braces without others in it, not between brackets. */
function innermost(text: string): { start: number; end: number } | undefined {
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "[") {
      const end = endOfBrackets(text, at);
      if (end > 0) at = end;
    } else if (letter === "{") start = at;
    else if (letter === "}" && start >= 0) return { start, end: at };
  }
  return undefined;
}

/** Where brackets end that begin at a place; -1 where they do not. The first may be `]` itself. */
function endOfBrackets(text: string, start: number): number {
  const first = start + (text[start + 1] === "!" || text[start + 1] === "^" ? 2 : 1);
  for (let at = first; at < text.length && text[at] !== "/"; at++) {
    if (text[at] === "]" && at > first) return at;
    // A class, as `[:alpha:]`.
    const end = text[at] === "[" && text[at + 1] === ":" ? text.indexOf(":]", at + 2) : -1;
    if (end > 0) at = end + 1;
  }
  return -1;
}

function automatonOf(glob: string): Automaton {
  const states: Step[][] = [[]];
  const here = () => states.length - 1;
  const go = (letters: Letters | null) => {
    states.at(-1)!.push({ letters, to: states.length });
    states.push([]);
  };
  const stay = (letters: Letters) => states.at(-1)!.push({ letters, to: here() });
  for (let at = 0; at < glob.length; at++) {
    const letter = glob[at]!;
    const atName = at === 0 || glob[at - 1] === "/";
    if (letter === "*" && glob[at + 1] === "*") {
      while (glob[at + 1] === "*") at++;
      if (atName && glob[at + 1] === "/") {
        // Any folders, or none.
        at++;
        const from = here();
        go(null);
        stay(ANY);
        go(only(SLASH));
        states[from]!.push({ letters: null, to: here() });
      } else {
        go(null);
        stay(ANY);
        go(null);
      }
    } else if (letter === "*") {
      go(null);
      stay(IN_NAME);
      go(null);
    } else if (letter === "?") go(IN_NAME);
    else if (letter === "[") {
      const end = endOfBrackets(glob, at);
      go(end < 0 ? only(letter.charCodeAt(0)) : lettersOf(glob.slice(at + 1, end)));
      if (end > 0) at = end;
    } else {
      const code = glob.codePointAt(at)!;
      if (code > 0xffff) at++;
      go(only(code));
    }
  }
  if (OF_FILES.test(glob)) return states;
  // All that lies below; a glob that is empty names everything.
  const end = here();
  if (glob === "") go(null);
  else go(only(SLASH));
  stay(ANY);
  go(null);
  states[end]!.push({ letters: null, to: here() });
  return states;
}

/** What stands between brackets. */
function lettersOf(text: string): Letters {
  const except = text[0] === "!" || text[0] === "^";
  const letters = Array.from(except ? text.slice(1) : text, (letter) => letter.codePointAt(0)!);
  const ranges: [number, number][] = [];
  // A class, as `[:alpha:]`: it may be any.
  if (/\[[:.=]/.test(text)) return IN_NAME;
  for (let at = 0; at < letters.length; at++) {
    const first = letters[at]!;
    // A class of POSIX, an escape: it may be any.
    if (
      (first === 0x5b && /^[:.=]$/.test(String.fromCodePoint(letters[at + 1] ?? 0))) ||
      first === 0x5c
    ) {
      return IN_NAME;
    }
    if (letters[at + 1] === 0x2d && letters[at + 2] !== undefined) {
      const last = letters[at + 2]!;
      // Of both cases, or the wrong way round.
      if (last < first) return IN_NAME;
      ranges.push([first, last]);
      at += 2;
    } else ranges.push([first, first]);
  }
  if (except) ranges.push([SLASH, SLASH]);
  return { except, ranges };
}

/** Whether some character is taken by both; only characters that a path can have count. */
function share(one: Letters, other: Letters): boolean {
  if (one.except && other.except) return true;
  if (one.except) return share(other, one);
  const { ranges } = other;
  if (!other.except) {
    return one.ranges.some(([low, high]) => ranges.some(([from, to]) => low <= to && from <= high));
  }
  return one.ranges.some(([low, high]) => {
    // What is left of the range by those that are not taken.
    let next = low;
    for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
      if (from > next) break;
      if (to >= next) next = to + 1;
    }
    return next <= high;
  });
}

/** Whether two automata can both come to their end with the same text. */
function meet(one: Automaton, other: Automaton): boolean {
  const seen = new Set<number>([0]);
  const open = [0];
  const goal = one.length * other.length - 1;
  const reach = (first: number, second: number) => {
    const pair = first * other.length + second;
    if (seen.has(pair)) return;
    seen.add(pair);
    open.push(pair);
  };
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    if (pair === goal) return true;
    const first = Math.floor(pair / other.length);
    const second = pair % other.length;
    for (const step of one[first]!) {
      if (step.letters === null) reach(step.to, second);
      else {
        for (const beside of other[second]!) {
          if (beside.letters !== null && share(step.letters, beside.letters)) {
            reach(step.to, beside.to);
          }
        }
      }
    }
    for (const step of other[second]!) if (step.letters === null) reach(first, step.to);
  }
  return false;
}
