// Reads what `git diff` prints: which files changed and how, and the patch of each. Pure. Whatever the
// names and contents of the files are, they are text here.

/** How a file changed. */
export const CHANGE_KINDS = [
  "added",
  "deleted",
  "modified",
  "renamed",
  "copied",
  "retyped",
] as const;
/** How a file changed; retyped: a file became a link or a submodule, or the other way round. */
export type ChangeKind = typeof CHANGE_KINDS[number];

/** A file that changed. */
export interface ChangedFile {
  /** Relative to the top of the repository. */
  readonly path: string;
  /** What it was called before; null where that has not changed. */
  readonly from: string | null;
  readonly change: ChangeKind;
  /** Lines added; null for what has no lines. */
  readonly insertions: number | null;
  /** Lines removed; null for what has no lines. */
  readonly deletions: number | null;
  /** Modes before and after, as git writes them, where they differ and the file was there before and is after. */
  readonly modes: readonly [string, string] | null;
}

const KINDS: Readonly<Record<string, ChangeKind>> = {
  A: "added",
  D: "deleted",
  M: "modified",
  R: "renamed",
  C: "copied",
  T: "retyped",
};

/**
 * The files that `git diff --raw --numstat -z` lists, in its order.
 *
 * @throws TypeError where it is no such list
 */
export function parseChanges(text: string): ChangedFile[] {
  const parts = text.split("\0");
  if (parts.at(-1) === "") parts.pop();
  let at = 0;
  const take = () => {
    const part = parts[at++];
    if (part === undefined) throw new TypeError("git's list of files ends too early");
    return part;
  };
  const files: { -readonly [K in keyof ChangedFile]: ChangedFile[K] }[] = [];
  while (parts[at]?.startsWith(":")) {
    const [before, after, , , letter = ""] = take().slice(1).split(" ");
    const change = KINDS[letter[0] ?? ""] ?? "modified";
    const isMoved = change === "renamed" || change === "copied";
    const first = take();
    const wasAndIs = !/^0+$/.test(before!) && !/^0+$/.test(after!);
    files.push({
      path: isMoved ? take() : first,
      from: isMoved ? first : null,
      change,
      insertions: null,
      deletions: null,
      modes: wasAndIs && before !== after ? [before!, after!] : null,
    });
  }
  const byPath = new Map(files.map((file) => [file.path, file]));
  while (at < parts.length) {
    const match = /^(\d+|-)\t(\d+|-)\t([^]*)$/.exec(take());
    if (match === null) throw new TypeError("git's list of lines is none");
    const [, insertions, deletions, name] = match;
    if (name === "") take();
    const file = byPath.get(name === "" ? take() : name!);
    if (file === undefined || insertions === "-") continue;
    file.insertions = (file.insertions ?? 0) + Number(insertions);
    file.deletions = (file.deletions ?? 0) + Number(deletions);
  }
  return files;
}

/**
 * The patches of what `git diff --patch` prints, one for each file that begins there, in its order: from
 * the first `@@` on, empty where there is none. Within a patch every line begins with a sign of its own,
 * so that no content can be taken for the beginning of the next file.
 */
export function splitPatches(text: string): string[] {
  // Not by the flag for lines: to it a carriage return within a line ends one too.
  return text.split(/(?<![^\n])(?=diff --git )/).filter((part) => part.startsWith("diff --git "))
    .map((part) => {
      const start = /(?<![^\n])@@ /.exec(part);
      return start === null ? "" : part.slice(start.index);
    });
}
