// The hunks of a patch as lines with their numbers, one below the other or side by side, and what within a
// changed line is another. Pure; all that it tells is text.

/** A line of a hunk. */
export interface Line {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
  /** Its number in the file before; null where it was not there. */
  readonly before: number | null;
  /** Its number in the file after; null where it is not there. */
  readonly after: number | null;
  /** Whether it is the last, and no line end follows it. */
  readonly open: boolean;
  /** What is another than in the line that stands for it, from and to; null where that is not told. */
  readonly mark: readonly [number, number] | null;
}

/** A piece of a file, with what is unchanged around it. */
export interface Hunk {
  /** As git says where it is: `@@ -1,7 +1,8 @@ function name()`. */
  readonly head: string;
  readonly lines: readonly Line[];
}

type Draft = { -readonly [K in keyof Line]: Line[K] };

const SIGNS: Readonly<Record<string, Line["kind"]>> = { " ": "same", "+": "added", "-": "removed" };

/** The hunks of a patch, from its first `@@` on. */
export function parseHunks(patch: string): Hunk[] {
  const hunks: { head: string; lines: Draft[] }[] = [];
  let before = 0;
  let after = 0;
  const all = patch.split("\n");
  if (all.at(-1) === "") all.pop();
  for (const raw of all) {
    const start = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(raw);
    if (start !== null) {
      before = Number(start[1]);
      after = Number(start[2]);
      hunks.push({ head: raw, lines: [] });
      continue;
    }
    const lines = hunks.at(-1)?.lines;
    const kind = SIGNS[raw[0] ?? ""];
    if (lines === undefined) continue;
    // "\ No newline at end of file" is said of the line before; no line begins with another sign.
    if (kind === undefined) {
      const last = lines.at(-1);
      if (last !== undefined && raw.startsWith("\\")) last.open = true;
      continue;
    }
    lines.push({
      kind,
      text: raw.slice(1),
      before: kind === "added" ? null : before++,
      after: kind === "removed" ? null : after++,
      open: false,
      mark: null,
    });
  }
  for (const { lines } of hunks) markPairs(lines);
  return hunks;
}

/** Marks what is another in lines that stand for each other: as many came as went. */
function markPairs(lines: readonly Draft[]): void {
  for (let at = 0; at < lines.length;) {
    const removed = run(lines, at, "removed");
    const added = run(lines, at + removed, "added");
    if (removed > 0 && removed === added) {
      for (let pair = at; pair < at + removed; pair++) {
        const [one, other] = [lines[pair]!, lines[pair + removed]!];
        [one.mark, other.mark] = difference(one.text, other.text) ?? [null, null];
      }
    }
    at += Math.max(1, removed + added);
  }
}

/** How many lines of a kind follow each other. */
function run(lines: readonly Line[], from: number, kind: Line["kind"]): number {
  let count = 0;
  while (lines[from + count]?.kind === kind) count++;
  return count;
}

/** Longer lines are not compared, characters. */
const MOST_COMPARED = 2000;

/** Where two texts differ; undefined where they have so little in common that it says nothing. */
export function difference(
  one: string,
  other: string,
): [readonly [number, number], readonly [number, number]] | undefined {
  const most = Math.min(one.length, other.length);
  if (Math.max(one.length, other.length) > MOST_COMPARED) return undefined;
  let head = 0;
  while (head < most && one[head] === other[head]) head++;
  if (splits(one, head)) head--;
  let tail = 0;
  while (tail < most - head && one.at(-1 - tail) === other.at(-1 - tail)) tail++;
  if (splits(one, one.length - tail)) tail--;
  const common = one.slice(0, head).trim().length + one.slice(one.length - tail).trim().length;
  if (tail === 0 && head === 0 || common * 3 < most) return undefined;
  return [[head, one.length - tail], [head, other.length - tail]];
}

/** Whether a character of two units would be cut in two. */
function splits(text: string, at: number): boolean {
  return at > 0 && at < text.length && /[\ud800-\udbff]/.test(text[at - 1]!);
}

/** A row of two columns; null where a side has no line. */
export type Pair = readonly [before: Line | null, after: Line | null];

/** Lines side by side: what went beside what came in its place. */
export function sideBySide(lines: readonly Line[]): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    if (line.kind === "same") {
      pairs.push([line, line]);
      at++;
      continue;
    }
    const removed = run(lines, at, "removed");
    const added = run(lines, at + removed, "added");
    for (let row = 0; row < Math.max(removed, added); row++) {
      pairs.push([
        row < removed ? lines[at + row]! : null,
        row < added ? lines[at + removed + row]! : null,
      ]);
    }
    at += removed + added;
  }
  return pairs;
}
