// Files that git ignores and an agent needs all the same (.env, a local configuration): those that
// `.worktreeinclude`, at the top of the repository or in the folder of the workspace, names in the words of
// .gitignore are copied.

import { isThere, permitted } from "./disk.ts";
import { ask, git, GitError } from "./git.ts";
import type { Repository } from "./repository.ts";

/** The list's name. */
const LIST = ".worktreeinclude";
/** So many are copied at once. */
const AT_ONCE = 16;
/** Each with its folders; links as links. `cp` shares the blocks of a file where it can. */
const COPY = `to=$1; shift; for file; do
  case $file in */*) mkdir -p -- "$to/\${file%/*}" || exit;; esac
  cp -P -p --reflink=auto -- "./$file" "$to/$file" 2>/dev/null || cp -P -p "./$file" "$to/$file" || exit
done`;

/**
 * What is to be copied: files that git ignores and the list names. Of the workspace's own folder nothing.
 *
 * @returns paths relative to the top, with `/`
 */
export async function includedFiles(repo: Repository): Promise<string[]> {
  const named = [...new Set([...await namedAtTop(repo), ...await namedBelow(repo)])]
    .filter((name) => name !== "" && !isOwn(name));
  if (named.length === 0) return [];
  const args = ["check-ignore", "-z", "--stdin"];
  const output = await git(repo.top, args, { input: named.join("\0") + "\0" });
  // 1: none is ignored.
  if (output.code !== 0 && output.code !== 1) throw new GitError(args, output);
  return output.stdout.split("\0").filter((name) => name !== "");
}

const OTHERS = ["ls-files", "--others", "--ignored", "-z"] as const;

/** What the list at the top names. */
async function namedAtTop({ top }: Repository): Promise<string[]> {
  if (!await isThere(`${top}/${LIST}`)) return [];
  return (await ask(top, [...OTHERS, `--exclude-from=${LIST}`])).split("\0");
}

/** What the list in the folder of the workspace names there and below. */
async function namedBelow({ top, prefix }: Repository): Promise<string[]> {
  if (prefix === "" || !await isThere(`${top}/${prefix}/${LIST}`)) return [];
  // By this option alone patterns are relative to where their list is.
  const args = [...OTHERS, "--full-name", `--exclude-per-directory=${LIST}`, "--", "."];
  return (await ask(`${top}/${prefix}`, args)).split("\0");
}

/** The queue is not copied, nor are repositories within. */
function isOwn(name: string): boolean {
  return name.endsWith("/") || /(?:^|\/)\.orchestra\//.test(name);
}

/**
 * Copies them into a worktree that has no files yet: what is tracked comes after them, and wins.
 *
 * @param path of the worktree
 * @throws GitError where git does not tell; what the system says where one cannot be copied
 */
export async function copyIncluded(repo: Repository, path: string): Promise<void> {
  const files = await includedFiles(repo);
  if (files.length === 0) return;
  await permitted(() => copyAll(repo.top, path, files), async () => {
    for (let at = 0; at < files.length; at += 100) {
      const { success, stderr } = await new Deno.Command("sh", {
        args: ["-c", COPY, "sh", path, ...files.slice(at, at + 100)],
        cwd: repo.top,
        stdin: "null",
      }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    }
  });
}

async function copyAll(top: string, path: string, files: readonly string[]): Promise<void> {
  const folders = new Set(files.map((file) => file.slice(0, Math.max(0, file.lastIndexOf("/")))));
  for (const folder of folders) Deno.mkdirSync(`${path}/${folder}`, { recursive: true });
  const left = [...files];
  const copyNext = async () => {
    for (let file = left.pop(); file !== undefined; file = left.pop()) {
      await copy(`${top}/${file}`, `${path}/${file}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, copyNext));
}

/** A link is made again as it is, wherever it leads; a file shares its blocks where the system can. */
async function copy(from: string, to: string): Promise<void> {
  const info = await Deno.lstat(from);
  if (info.isSymlink) {
    // What somebody who was killed had copied.
    await Deno.remove(to).catch(() => {});
    const target = await Deno.readLink(from);
    const isFolder = await Deno.stat(from).then((it) => it.isDirectory, () => false);
    await Deno.symlink(target, to, { type: isFolder ? "dir" : "file" });
  } else if (info.isFile) await Deno.copyFile(from, to);
}
