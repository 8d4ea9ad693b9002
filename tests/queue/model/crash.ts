// A crash at a random write: it stops everything that writes, until the process starts again.

/** Thrown in place of a write, and of every write after it, until the process "starts again". */
export class Crash extends Error {}

export const crash = {
  /** Writes that still succeed; Infinity where no crash is wanted. */
  left: Infinity,
  happened: false,
  /** Called before each write. */
  step() {
    if (this.left-- > 0) return;
    this.happened = true;
    throw new Crash("killed");
  },
  reset() {
    this.left = Infinity;
    this.happened = false;
  },
};

/** Lets every function that changes a file pass through the crash point first. */
export function installCrashPoints(): Disposable {
  const restore: (() => void)[] = [];
  // deno-lint-ignore no-explicit-any
  const wrap = (owner: any, name: string, changes: (args: any[]) => boolean = () => true) => {
    const original = owner[name];
    owner[name] = function (...args: unknown[]) {
      if (changes(args)) crash.step();
      return original.apply(this, args);
    };
    restore.push(() => owner[name] = original);
  };
  const creates = ([path, options]: [string, Deno.OpenOptions?]) =>
    // A lock file is no state, and the lock must be let go of in the end.
    (options?.createNew ?? options?.create ?? false) && !path.endsWith("lock");
  wrap(Deno, "openSync", creates as never);
  for (const name of ["renameSync", "linkSync", "removeSync", "writeTextFileSync", "mkdirSync"]) {
    wrap(Deno, name);
  }
  for (const name of ["writeSync", "syncSync"]) wrap(Deno.FsFile.prototype, name);
  return { [Symbol.dispose]: () => restore.forEach((undo) => undo()) };
}
