// Which workspaces there are: a file for each in the user's own state folder, named by a hash of its
// root. A cache, and never the truth about a workspace: it can be deleted, and what it names that is gone
// is forgotten by whoever looks next. Names are given under a lock, so that what a person is told holds; a
// process that dies in the middle leaves a temporary file, which the next one to add removes.

import { block, lstat, removeFile, replaceFile, setAside, tryReadRegular } from "../store/files.ts";
import { openLockFile } from "../store/lock.ts";
import { isObeyed, userStateFolder } from "../store/owner.ts";
import { isAbsolute, isWorkspace, trimSlash } from "../store/paths.ts";
import { hash } from "../task/hash.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";

/** A workspace that is known by name. */
export interface KnownWorkspace {
  /** Unique among those that are known. */
  readonly name: string;
  /** Absolute path. */
  readonly root: string;
}

/** What a workspace may be called. */
export const WORKSPACE_NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,60}$/u;

/** Largest entry that is read, bytes. */
const LARGEST = 64 * 1024;
/** Nobody has the lock for as long as this, milliseconds; whoever waited goes on without it. */
const PATIENCE = 2000;

/** Folder of the entries; undefined where the environment names no place for it, or may not be read. */
export function registryFolder(): string | undefined {
  try {
    const state = userStateFolder();
    return state === undefined ? undefined : `${state}/workspaces`;
  } catch {
    return undefined;
  }
}

/** Why nothing in the folder counts, as the end of a sentence; undefined where it does, or is yet to be made. */
export function registryProblem(folder: string): string | undefined {
  const info = lstat(folder);
  if (info === undefined) return undefined;
  if (info.isSymlink) return "is a symbolic link";
  if (!info.isDirectory) return "is no folder";
  return isObeyed(info) ? undefined : "belongs to another user";
}

/**
 * All known workspaces by name; those that are gone are forgotten.
 *
 * @param onGone told of each that is
 */
export function listWorkspaces(
  folder: string | undefined = registryFolder(),
  onGone: (gone: KnownWorkspace) => void = () => {},
): KnownWorkspace[] {
  if (folder === undefined) return [];
  const found: KnownWorkspace[] = [];
  const gone: KnownWorkspace[] = [];
  for (const entry of readEntries(folder)) (isGone(entry.root) ? gone : found).push(entry);
  for (const entry of gone) {
    forget(folder, entry);
    onGone(entry);
  }
  return nameApart(found);
}

/**
 * Makes a workspace known; one that is known already keeps its name unless another is given. A linked
 * worktree of git belongs to the checkout that it came from, where that is a workspace.
 *
 * @param root absolute, real path
 * @param name what to call it; its folder's name where absent, with a number where that is taken
 * @returns what is known now: its root is another one where it belongs to that
 * @throws OrchestraError `usage` for a name that is none or is taken, `environment` where it cannot be kept
 */
export function addWorkspace(
  root: string,
  name?: string,
  folder: string | undefined = registryFolder(),
): KnownWorkspace {
  if (folder === undefined) {
    throw new OrchestraError("environment", "There is no place to remember workspaces in", {
      hint: "Set HOME or XDG_STATE_HOME, and let the program use it (deno run -A).",
    });
  }
  if (name !== undefined && !WORKSPACE_NAME.test(name)) {
    throw new OrchestraError("usage", `${JSON.stringify(name)} is no name for a workspace`, {
      hint: "Letters, digits, dots, dashes and underscores; the first a letter or a digit.",
    });
  }
  const home = mainCheckout(root) ?? root;
  try {
    makeFolder(folder);
    return withLock(folder, () => addLocked(home, name, folder));
  } catch (error) {
    if (error instanceof OrchestraError) throw error;
    throw toOrchestraError(error, `Remembering ${home} in ${folder}`);
  }
}

function addLocked(root: string, name: string | undefined, folder: string): KnownWorkspace {
  removeLeft(folder);
  const all = listWorkspaces(folder);
  const known = all.find((other) => other.root === root);
  if (known !== undefined && (name === undefined || name === known.name)) return known;
  const taken = new Map(
    all.filter((other) => other !== known).map((other) => [other.name, other.root]),
  );
  if (name !== undefined && taken.has(name)) {
    throw new OrchestraError(
      "usage",
      `The workspace ${taken.get(name)} is called ${name} already`,
      {
        hint: "Choose another name.",
      },
    );
  }
  const entry = { name: name ?? freeName(root, taken), root };
  const file = `${folder}/${fileOf(root)}`;
  // What others put in its place is kept.
  if (lstat(file)?.isFile === false) setAside(file);
  replaceFile(file, `${file}.${Deno.pid}.tmp`, `${JSON.stringify(entry)}\n`, "nothing");
  return entry;
}

/** Forgets a workspace, and leaves it as it is; false where it was not known. */
export function removeWorkspace(
  root: string,
  folder: string | undefined = registryFolder(),
): boolean {
  if (folder === undefined || registryProblem(folder) !== undefined) return false;
  const file = `${folder}/${fileOf(root)}`;
  if (lstat(file) === undefined) return false;
  try {
    removeFile(file);
  } catch (error) {
    throw toOrchestraError(error, `Forgetting ${root}`);
  }
  return true;
}

/**
 * The checkout that a linked worktree of git came from, where that is a workspace; undefined for
 * everything else. Only where git itself knows of the worktree: a copy of one belongs to nobody.
 *
 * @param root absolute path
 */
export function mainCheckout(root: string): string | undefined {
  const base = trimSlash(root);
  const gitDir = firstLine(`${base}/.git`)?.match(/^gitdir: (.+)$/)?.[1];
  if (gitDir === undefined) return undefined;
  try {
    // Both ways may be relative, since git 2.48: to the folder, and to git's own one.
    const own = Deno.realPathSync(from(base, gitDir));
    const main = /^(.*)[/\\]\.git[/\\]worktrees[/\\][^/\\]+$/.exec(own)?.[1];
    const back = firstLine(`${own}/gitdir`);
    if (main === undefined || main === "" || back === undefined) return undefined;
    const isKnown = Deno.realPathSync(from(own, back)) === Deno.realPathSync(`${base}/.git`);
    return isKnown && isWorkspace(main) ? main : undefined;
  } catch {
    // It leads nowhere, or is not for us to see.
    return undefined;
  }
}

/** First line of a small file; undefined where there is none, or it is a folder or a link. */
function firstLine(path: string): string | undefined {
  try {
    const read = tryReadRegular(path, LARGEST);
    return read === undefined || "problem" in read ? undefined : read.text.split(/\r?\n/, 1)[0];
  } catch {
    return undefined;
  }
}

function from(folder: string, path: string): string {
  return isAbsolute(path) ? path : `${folder}/${path}`;
}

const fileOf = (root: string) => `${hash(root)}.json`;

function makeFolder(folder: string): void {
  const problem = registryProblem(folder);
  if (problem !== undefined) {
    throw new OrchestraError("damaged", `Remembering a workspace: ${folder} ${problem}`, {
      hint: "Move it out of the way; Orchestra makes the folder itself.",
    });
  }
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Entries of ours; whatever else stands there is none. */
function* readEntries(folder: string): Generator<KnownWorkspace> {
  if (registryProblem(folder) !== undefined) return;
  let files: string[];
  try {
    files = [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    // Not made yet, or not for us to read.
    return;
  }
  for (const file of files) {
    if (!file.endsWith(".json")) continue;
    const entry = readEntry(`${folder}/${file}`);
    if (entry !== undefined && file === fileOf(entry.root)) yield entry;
  }
}

function readEntry(path: string): KnownWorkspace | undefined {
  try {
    const read = tryReadRegular(path, LARGEST, isObeyed);
    if (read === undefined || "problem" in read) return undefined;
    const { name, root } = (JSON.parse(read.text) ?? {}) as Record<string, unknown>;
    return typeof name === "string" && WORKSPACE_NAME.test(name) && typeof root === "string" &&
        root.length <= 4096 && !root.includes("\0") && isAbsolute(root)
      ? { name, root }
      : undefined;
  } catch {
    // Damaged: as if it were not there.
    return undefined;
  }
}

/** Whether a folder is no workspace any more. What may not be looked at is not gone. */
function isGone(root: string): boolean {
  const base = trimSlash(root);
  return isMissing(`${base}/.orchestra`) && isMissing(`${base}/.orchestra-cli`);
}

function isMissing(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
  }
}

/** Where it cannot be forgotten, it is left out all the same. */
function forget(folder: string, { root }: KnownWorkspace): void {
  try {
    // Somebody may have made it anew meanwhile.
    if (isGone(root)) removeFile(`${folder}/${fileOf(root)}`);
  } catch {
    // Not ours to write.
  }
}

/** Runs something while nobody else gives names. */
function withLock<T>(folder: string, act: () => T): T {
  using lock = openLockFile(`${folder}/lock`);
  const until = performance.now() + PATIENCE;
  while (!lock.tryLockSync(true) && performance.now() < until) block(2);
  return act();
}

/** Temporary files of whoever was killed: who has the lock is the only one that writes. */
function removeLeft(folder: string): void {
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (isFile && /\.json\.\d+\.tmp$/.test(name)) removeFile(`${folder}/${name}`);
  }
}

/** Two of one name are told apart by a number: nobody's own name is taken for it. */
function nameApart(found: readonly KnownWorkspace[]): KnownWorkspace[] {
  const taken = new Map(found.map(({ name, root }) => [name, root]));
  const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
  const sorted = found.toSorted((a, b) => compare(a.root, b.root));
  const first = new Set<string>();
  return sorted.map((entry) => {
    if (!first.has(entry.name)) {
      first.add(entry.name);
      return entry;
    }
    const name = numbered(entry.name, taken);
    taken.set(name, entry.root);
    return { name, root: entry.root };
  }).sort((a, b) => compare(a.name, b.name));
}

function freeName(root: string, taken: ReadonlyMap<string, string>): string {
  const name = folderName(root);
  return taken.has(name) ? numbered(name, taken) : name;
}

/** What a workspace is called that has no other name: its folder, as far as that can be a name. */
export function folderName(root: string): string {
  const last = root.split(/[/\\]/).filter((part) => part !== "").at(-1) ?? "";
  const clean = last.normalize("NFC").replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[^\p{L}\p{N}]+/u, "");
  return [...clean].slice(0, 50).join("") || "workspace";
}

function numbered(name: string, taken: ReadonlyMap<string, string>): string {
  for (let number = 2;; number++) {
    if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
  }
}
