// What git keeps of a worktree: a folder in its own, its record. A worktree's file `.git` leads to the record,
// and the record back to the file; an agent can write either, or a lock, and make one seem to belong to
// another's folder. Only where both lead to each other is a folder taken for the record's.

import { isAbsolute, realFolder } from "../store/paths.ts";
import { isFolder, isThere, namesIn, permitted, run } from "./disk.ts";
import { type Repository, samePath } from "./repository.ts";

type Where = Pick<Repository, "gitDir">;

/** More records nobody has. */
const MOST = 100_000;

/**
 * The record of the worktree in a folder.
 *
 * @param path of its top
 * @returns undefined where the folder's `.git` is no file that leads to a record of this repository which
 * leads back
 */
export async function recordOf({ gitDir }: Where, path: string): Promise<string | undefined> {
  const told = await toldBy(path);
  if (told === undefined) return undefined;
  const real = await realOf(from(path, told));
  if (real === undefined) return undefined;
  const [above, name] = split(real);
  if (!samePath(above, await realOf(`${gitDir}/worktrees`) ?? "")) return undefined;
  const record = `${gitDir}/worktrees/${name}`;
  // Git writes through a link in the place of an index, to another's.
  if (await hasLink(record)) return undefined;
  return await isPlace(record, path, await realOf(path)) ? record : undefined;
}

/**
 * Whether one of the files of a record, which git writes to, is a link elsewhere. A HEAD may be one to its
 * branch: `core.preferSymlinkRefs`.
 */
async function hasLink(record: string): Promise<boolean> {
  return await permitted(
    () =>
      FILES.some((name) => linkOf(`${record}/${name}`) !== undefined) ||
      linkOf(`${record}/HEAD`)?.startsWith("refs/") === false,
    async () => {
      const script = `cd -- "$1" || exit 0
        for file in ${FILES.join(" ")}; do if [ -h $file ]; then exit 0; fi; done
        if [ -h HEAD ]; then case $(readlink HEAD) in refs/*) ;; *) exit 0 ;; esac; fi
        exit 1`;
      return await run("sh", ["-c", script, "sh", record]) !== null;
    },
  );
}

const FILES = ["index", "logs", "logs/HEAD", "refs"];

/**
 * The record of a worktree, whether its folder is there or not.
 *
 * @param path of the worktree, as git tells it
 * @returns undefined where there is none, or several say that they are in that place
 */
export async function adminFolder(repo: Where, path: string): Promise<string | undefined> {
  const own = await recordOf(repo, path);
  if (own !== undefined) return own;
  const all = `${repo.gitDir}/worktrees`;
  const real = await realOf(path);
  const found: string[] = [];
  for (const name of await namesIn(all, MOST) ?? []) {
    if (await isPlace(`${all}/${name}`, path, real)) found.push(name);
  }
  const [name, ...others] = found;
  if (name === undefined || others.length > 0) return undefined;
  // In a folder without `.git` nothing says that it is one: its name must, from which git took the record's.
  const isBare = await isFolder(path) && !await isThere(`${path}/.git`);
  return isBare && !isNamed(name, split(path)[1]) ? undefined : `${all}/${name}`;
}

/** Whether the `.git` of a worktree is a file that leads to its record. */
export async function leadsTo(path: string, record: string): Promise<boolean> {
  const told = await toldBy(path);
  if (told === undefined) return false;
  const real = await realOf(from(path, told));
  return real !== undefined && real === await realOf(record);
}

/**
 * Where the `.git` of a folder leads, if nothing is there any more but the name is that of its record: the
 * repository was moved, and `git worktree repair` mends it.
 */
export async function ledTo(path: string, record: string): Promise<string | undefined> {
  const told = await toldBy(path);
  if (told === undefined || split(told)[1] !== split(record)[1]) return undefined;
  return await isThere(from(path, told)) ? undefined : told;
}

/** What the `.git` of a folder says, as it is written there; undefined where it is no such file. */
async function toldBy(path: string): Promise<string | undefined> {
  return /^gitdir: (.+?)[\r\n]*$/.exec(await textOf(`${path}/.git`) ?? "")?.[1];
}

/** The task that a record's name says it was made for: git takes it from the folder's first name. */
export function taskOf(record: string): string | undefined {
  return /^task_\d{10,20}(?=\d{0,3}$)/.exec(split(record)[1])?.[0];
}

/** Whether a record's name is what git makes of a folder's or a task's: with a number where it was taken. */
export function isNamed(record: string, name: string): boolean {
  const own = split(record)[1];
  return own.startsWith(name) && /^\d{0,3}$/.test(own.slice(name.length));
}

/** Why the worktree of a record is locked, as git tells it; null where it is not. */
export async function lockOf(record: string): Promise<string | null> {
  return (await textOf(`${record}/locked`))?.trim() ?? null;
}

/**
 * Variables with which a git means one worktree, whatever the `.git` in it leads to by then, or the settings
 * say.
 */
export function worktreeEnv(record: string, path: string): Record<string, string> {
  return { GIT_DIR: record, GIT_WORK_TREE: path };
}

/** Whether a record says that its worktree is in a folder. */
async function isPlace(record: string, path: string, real: string | undefined): Promise<boolean> {
  const told = (await textOf(`${record}/gitdir`))?.replace(/[\r\n]+$/, "");
  if (told === undefined) return false;
  const file = from(record, told);
  if (samePath(file, `${path}/.git`)) return true;
  const [folder, name] = split(file);
  return name === ".git" && real !== undefined && await realOf(folder) === real;
}

const from = (folder: string, path: string) => isAbsolute(path) ? path : `${folder}/${path}`;

/** What a path is in, and its name there. */
function split(path: string): [string, string] {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
}

/** Where a folder really is; undefined where there is none. */
async function realOf(path: string): Promise<string | undefined> {
  return await permitted(() => {
    try {
      return realFolder(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      return undefined;
    }
  }, async () => {
    const said = await run("sh", ["-c", 'cd -P -- "$1" && pwd -P', "sh", path]);
    return said?.replace(/\n$/, "");
  });
}

/** Where a link leads; undefined where there is none. */
function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

/** The text of a file that is no link. */
async function textOf(path: string): Promise<string | undefined> {
  return await permitted(() => {
    try {
      return Deno.lstatSync(path).isFile ? Deno.readTextFileSync(path) : undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      return undefined;
    }
  }, async () => {
    const script = '[ -f "$1" ] && ! [ -h "$1" ] && cat -- "$1"';
    return await run("sh", ["-c", script, "sh", path]) ?? undefined;
  });
}
