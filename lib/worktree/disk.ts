// What is looked at beside git: whether a name is there, what a folder has, one file taken away. Where
// Deno's permissions end at the workspace, programs of the system are asked, as git is.

/** What a program printed; null where it failed, or is not here. */
export async function run(
  program: string,
  args: readonly string[],
  cwd?: string,
): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args: [...args],
      cwd,
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Does something, or has it done where Deno's permissions forbid it. */
export async function permitted<T>(
  act: () => T | Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return await otherwise();
  }
}

/** Runs a line of a shell; its arguments are never part of its text. */
async function shell(script: string, ...args: string[]): Promise<string | null> {
  return await run("sh", ["-c", script, "sh", ...args]);
}

/** Whether something has a name, a link that leads nowhere too. */
export async function isThere(path: string): Promise<boolean> {
  return await permitted(
    () => lstatOrNull(path) !== null,
    async () => await shell('[ -e "$1" ] || [ -L "$1" ]', path) !== null,
  );
}

/** Whether a folder itself has a name, and not a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return await permitted(
    () => lstatOrNull(path)?.isDirectory === true,
    async () => await shell('[ -d "$1" ] && ! [ -L "$1" ]', path) !== null,
  );
}

function lstatOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}

/** The names in a folder; null where it is none. At most some are told: who asks wants few or none. */
export async function namesIn(path: string, most = 10): Promise<string[] | null> {
  return await permitted(() => {
    if (lstatOrNull(path)?.isDirectory !== true) return null;
    const names: string[] = [];
    for (const { name } of Deno.readDirSync(path)) {
      names.push(name);
      if (names.length === most) break;
    }
    return names;
  }, async () => {
    const script = '[ -d "$1" ] && ! [ -L "$1" ] && ls -A -- "$1" | head -n "$2"';
    const said = await shell(script, path, String(most));
    return said === null ? null : said.split("\n").filter((name) => name !== "");
  });
}

/** The text of a file; null where there is none. */
export async function readText(path: string): Promise<string | null> {
  return await permitted(
    () => lstatOrNull(path)?.isFile === true ? Deno.readTextFileSync(path) : null,
    () => run("cat", ["--", path]),
  );
}

/** Takes away one file, or nothing where there is none. A folder stays. */
export async function removeOne(path: string): Promise<void> {
  await permitted(() => {
    if (lstatOrNull(path) !== null) Deno.removeSync(path);
  }, async () => void await run("rm", ["-f", "--", path]));
}

/** Makes a folder, and those above it, closed to others. */
export async function makeFolder(path: string): Promise<void> {
  await permitted(
    () => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }),
    // What is wrong with it, git says.
    async () => void await shell('umask 077 && mkdir -p -- "$1"', path),
  );
}

/**
 * Makes a folder below another, and those between, where they are not there. Links are not followed.
 *
 * @param below relative, "/" between; empty for the folder itself
 * @returns false where a link or a file stands in its way
 */
export async function makeFolderWithin(path: string, below: string): Promise<boolean> {
  let at = path;
  for (const name of below.split("/").filter((part) => part !== "")) {
    at += `/${name}`;
    if (await isFolder(at)) continue;
    if (await isThere(at)) return false;
    const made = at;
    await permitted(
      () => Deno.mkdirSync(made),
      async () => void await shell('mkdir -- "$1"', made),
    );
  }
  return true;
}

/** Larger files are not put into the user's repository unasked, bytes. */
const LARGEST = 1024 ** 3;

/** The first of some files that is too large to be committed unasked; undefined where none is. */
export async function largeFile(
  folder: string,
  names: readonly string[],
): Promise<string | undefined> {
  for (const name of names) if (await sizeOf(`${folder}/${name}`) > LARGEST) return name;
  return undefined;
}

/** Bytes of a file; 0 where there is none, or nobody may tell. */
async function sizeOf(path: string): Promise<number> {
  return await permitted(
    () => {
      const info = lstatOrNull(path);
      return info?.isFile === true ? info.size : 0;
    },
    async () => Number(await shell('[ -f "$1" ] && ! [ -L "$1" ] && wc -c <"$1"', path) ?? 0),
  );
}

/**
 * Folders below one that have a `.git` of their own: repositories. Links are not followed, nor is anything
 * looked for in those. One whose name is no text counts as one, for we cannot look.
 *
 * @param folders relative to it, with `/`
 */
export async function repositoriesIn(top: string, folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const look = async (folder: string): Promise<void> => {
    // A name that is no text cannot be looked at: it counts as one.
    if (folder.includes("\ufffd")) return void found.push(folder);
    const inside: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(`${top}/${folder}`)) {
      if (name === ".git") {
        found.push(folder);
        return;
      }
      if (isDirectory) inside.push(`${folder}/${name}`);
    }
    for (const it of inside) await look(it);
  };
  return await permitted(async () => {
    for (const folder of folders) {
      if (folder.includes("\ufffd") || await isFolder(`${top}/${folder}`)) await look(folder);
    }
    return found;
  }, async () => {
    if (folders.length === 0) return [];
    const paths = folders.map((folder) => `${top}/${folder}`);
    const said = await run("find", [...paths, "-name", ".git", "-prune", "-print0"]) ?? "";
    return said.split("\0").filter((path) => path !== "")
      .map((path) => path.slice(top.length + 1, -"/.git".length));
  });
}
