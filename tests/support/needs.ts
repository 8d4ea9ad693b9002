// What a test needs that not every machine has. Where it is missing the test is not run, and its name
// says why: `(not run: curl is not here)`.

/** Why something cannot be tested here; null where it can. With `??` the first reason counts. */
export type Missing = string | null;

/** A test that says in its name why it is not run, where that is so. */
export function test(
  name: string,
  missing: Missing,
  fn: (context: Deno.TestContext) => void | Promise<void>,
): void {
  const ignore = missing !== null;
  Deno.test({ name: ignore ? `${name} (not run: ${missing})` : name, ignore, fn });
}

/** A program of the machine that runs these tests; undefined where there is none. */
export function which(name: string): string | undefined {
  const [between, end] = Deno.build.os === "windows" ? [";", ".exe"] : [":", ""];
  const paths = Deno.env.get("PATH")!.split(between).map((folder) => `${folder}/${name}${end}`);
  return paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Programs that must be on PATH. */
export function needs(...programs: string[]): Missing {
  const missing = programs.filter((name) => which(name) === undefined);
  if (missing.length === 0) return null;
  return `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not here`;
}

/** A shell for scripts. */
export const SHELL: Missing = needs("sh");
export const ON_POSIX: Missing = Deno.build.os === "windows" ? "this is Windows" : null;
export const ON_WINDOWS: Missing = Deno.build.os === "windows" ? null : "this is not Windows";
export const ON_LINUX: Missing = Deno.build.os === "linux" ? null : "this is not Linux";
/** What only Windows lacks: where it is not Windows there is all of it. */
const onWindows = (lack: string): Missing => ON_POSIX === null ? null : `this is Windows, ${lack}`;
/** Modes of files, which close them to others and to oneself. */
export const MODES: Missing = onWindows("which has no modes");
/** A time zone that is told by TZ. */
export const ZONES: Missing = onWindows("which takes no time zone from TZ");
/** Processes that are stopped by SIGSTOP. */
export const STOPPED: Missing = onWindows("which stops no processes");
/** Permissions by the first line of a file. */
export const NARROW: Missing = onWindows("which takes no permissions from a file's first line");
/** Ends that tell that somebody else made them. */
export const KILLED: Missing = onWindows("which tells nobody that a process was killed");
/** Signals that ask a program to end, or end it, and it can tell which. */
export const SIGNALS: Missing = onWindows("which has no signals");
/** Someone who waits for the end of a killed `run --wait`, and goes on with it. */
export const GUARDED: Missing = onWindows("where a run --wait that is killed has no guardian");
/** Folders that can be moved while somebody has files open in them. */
export const MOVABLE: Missing = onWindows("which moves no folder that is in use");
/** Folders whose names are synced. */
export const SYNCED_FOLDERS: Missing = onWindows("which syncs no folders");
/** Names with control characters in them. */
export const NAMES: Missing = onWindows("where no name has control characters");
/** Files that may be given to somebody else. */
export const GIVING: Missing = onWindows("where Deno tells nobody whose a file is") ??
  (Deno.uid() === 0 ? null : "only root can give a file to somebody else");
export const NOT_ROOT: Missing = MODES ?? (Deno.uid() === 0 ? "root may do anything" : null);

/** Whether a program does what it is asked; false where there is none. */
export function succeeds(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** Asks once, and only where somebody wants to know. */
function once(ask: () => Missing): () => Missing {
  let answer: { missing: Missing } | undefined;
  return () => (answer ??= { missing: ask() }).missing;
}

/** Tries something on a new folder. */
function onFolder(attempt: (path: string) => boolean, otherwise: string): Missing {
  const path = Deno.makeTempDirSync({ prefix: "orchestra-needs-" });
  try {
    return attempt(path) ? null : otherwise;
  } finally {
    Deno.removeSync(path);
  }
}

/** Symbolic links. Wine says that it makes them, and does not. */
export const linking = once(() => {
  const folder = Deno.makeTempDirSync({ prefix: "orchestra-needs-" });
  try {
    Deno.symlinkSync(folder, `${folder}/link`, { type: "dir" });
    return Deno.lstatSync(`${folder}/link`).isSymlink ? null : "links are something else here";
  } catch {
    return "no symbolic link can be made here";
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** Files whose names are free as soon as they are removed, whoever has them open. Under Wine they are not. */
export const removing = once(() =>
  onFolder((path) => {
    const name = `${path}/file`;
    const file = Deno.openSync(name, { write: true, createNew: true });
    try {
      Deno.removeSync(name);
      Deno.openSync(name, { write: true, createNew: true }).close();
      Deno.removeSync(name);
      return true;
    } catch {
      return false;
    } finally {
      file.close();
    }
  }, "a file that somebody has open keeps its name here")
);

/** A small disk of its own, which can be filled up. */
export const mounting = once(() =>
  ON_LINUX ?? onFolder((path) => {
    const done = succeeds("mount", "-t", "tmpfs", "-o", "size=64k", "none", path);
    if (done) succeeds("umount", path);
    return done;
  }, "no small disk can be mounted here")
);

/** A folder that is closed even to root. */
export const closing = once(() =>
  ON_LINUX ?? onFolder((path) => {
    const done = succeeds("chattr", "+i", path);
    if (done) succeeds("chattr", "-i", path);
    return done;
  }, "no folder can be closed to us here, with chattr +i")
);

/** A user namespace, as agents make one for their sandboxes. */
export const namespaces = once(() =>
  ON_LINUX ?? (succeeds("unshare", "-Ur", "true") ? null : "no user namespace can be made here")
);

/** What starts a program in a pid namespace of its own, as a container does. */
export const CONTAINED = ["unshare", "-Urpf", "--mount-proc"] as const;

/** A pid namespace. */
export const containers = once(() => {
  const [command, ...args] = CONTAINED;
  return ON_LINUX ??
    (succeeds(command, ...args, "true") ? null : "no pid namespace can be made here");
});

/** A process that cannot watch folders. */
export const blinding = once(() => {
  const script = "echo 0 >/proc/sys/user/max_inotify_instances";
  const done = () => succeeds("unshare", "-Ur", "sh", "-c", script);
  return namespaces() ?? (done() ? null : "what a process watches cannot be limited here");
});

/** A terminal, which script(1) of util-linux makes. */
export const terminal = once(() => {
  if (ON_LINUX !== null) return ON_LINUX;
  return succeeds("script", "-qec", "true", "/dev/null")
    ? null
    : "script of util-linux is not here";
});
