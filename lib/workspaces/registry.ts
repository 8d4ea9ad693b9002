// Which workspaces there are: a file for each in the user's own state folder, named by a hash of its
// root. A cache, and never the truth about a workspace: it can be deleted, and what it names that is gone
// is forgotten by whoever looks next.

import { lstat, messageOf, removeFile, replaceFile, tryReadRegular } from "../store/files.ts";
import { isObeyed, userStateFolder } from "../store/owner.ts";
import { isWorkspace } from "../store/paths.ts";
import { hash } from "../task/hash.ts";
import { OrchestraError } from "../task/error.ts";

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

/** Folder of the entries; undefined where the environment names no place for it, or may not be read. */
export function registryFolder(): string | undefined {
  try {
    const state = userStateFolder();
    return state === undefined ? undefined : `${state}/workspaces`;
  } catch {
    return undefined;
  }
}

/** All known workspaces by name; those that are gone are forgotten. */
export function listWorkspaces(folder: string | undefined = registryFolder()): KnownWorkspace[] {
  if (folder === undefined || lstat(folder) === undefined) return [];
  const found: KnownWorkspace[] = [];
  for (const { name: file } of Deno.readDirSync(folder)) {
    if (!file.endsWith(".json")) continue;
    const entry = readEntry(`${folder}/${file}`);
    if (entry === undefined || file !== fileOf(entry.root)) continue;
    if (isWorkspace(entry.root)) found.push(entry);
    else removeFile(`${folder}/${file}`);
  }
  return nameApart(found);
}

/**
 * Makes a workspace known; one that is known already keeps its name unless another is given.
 *
 * @param root absolute, real path
 * @param name what to call it; its folder's name where absent, with a number where that is taken
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
  const others = listWorkspaces(folder);
  const known = others.find((other) => other.root === root);
  if (known !== undefined && (name === undefined || name === known.name)) return known;
  if (name !== undefined) {
    if (!WORKSPACE_NAME.test(name)) {
      throw new OrchestraError("usage", `${JSON.stringify(name)} is no name for a workspace`, {
        hint: "Letters, digits, dots, dashes and underscores; the first a letter or a digit.",
      });
    }
    const taken = others.find((other) => other.name === name);
    if (taken !== undefined) {
      throw new OrchestraError("usage", `The workspace ${taken.root} is called ${name} already`, {
        hint: "Choose another name.",
      });
    }
  }
  const entry = { name: name ?? freeName(root, new Set(others.map((other) => other.name))), root };
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = `${folder}/${fileOf(root)}`;
    replaceFile(file, `${file}.${Deno.pid}.tmp`, `${JSON.stringify(entry)}\n`, "nothing");
  } catch (error) {
    throw new OrchestraError("environment", `Remembering ${root}: ${messageOf(error)}`, {
      hint: `Workspaces are remembered in ${folder}.`,
      cause: error,
    });
  }
  return entry;
}

/** Forgets a workspace, and leaves it as it is; false where it was not known. */
export function removeWorkspace(
  root: string,
  folder: string | undefined = registryFolder(),
): boolean {
  if (folder === undefined) return false;
  const file = `${folder}/${fileOf(root)}`;
  if (lstat(file) === undefined) return false;
  removeFile(file);
  return true;
}

const fileOf = (root: string) => `${hash(root)}.json`;

function readEntry(path: string): KnownWorkspace | undefined {
  try {
    const read = tryReadRegular(path, LARGEST, isObeyed);
    if (read === undefined || "problem" in read) return undefined;
    const { name, root } = (JSON.parse(read.text) ?? {}) as Record<string, unknown>;
    return typeof name === "string" && WORKSPACE_NAME.test(name) && typeof root === "string" &&
        root.length <= 4096 && !root.includes("\0")
      ? { name, root }
      : undefined;
  } catch {
    // Damaged: as if it were not there.
    return undefined;
  }
}

/** Two that were named at the same moment are told apart by a number. */
function nameApart(found: readonly KnownWorkspace[]): KnownWorkspace[] {
  const taken = new Set<string>();
  const compare = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
  return found.toSorted((a, b) => compare(a.name, b.name) || compare(a.root, b.root))
    .map(({ name, root }) => {
      const free = taken.has(name) ? numbered(name, taken) : name;
      taken.add(free);
      return { name: free, root };
    });
}

function freeName(root: string, taken: ReadonlySet<string>): string {
  const last = root.split(/[/\\]/).filter((part) => part !== "").at(-1) ?? "";
  const name = last.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[^\p{L}\p{N}]+/u, "")
    .slice(0, 50) || "workspace";
  return taken.has(name) ? numbered(name, taken) : name;
}

function numbered(name: string, taken: ReadonlySet<string>): string {
  for (let number = 2;; number++) {
    if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
  }
}
