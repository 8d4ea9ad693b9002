// For programs of tests that kill themselves at the n-th change of a file: what was begun stays half done.

type Method = (...args: unknown[]) => unknown;

/** From now on the n-th change of a file is the end of this process, before it is made. */
export function killAt(count: number): void {
  let left = count;
  const step = (action: () => unknown) => {
    if (--left === 0) Deno.kill(Deno.pid, "SIGKILL");
    return action();
  };
  const host = Deno as unknown as Record<string, Method>;
  for (const name of ["renameSync", "linkSync", "removeSync", "mkdirSync"]) {
    const real = host[name]!;
    host[name] = (...args) => step(() => real(...args));
  }
  const files = Deno.FsFile.prototype as unknown as Record<string, Method>;
  for (const name of ["writeSync", "truncateSync"]) {
    const real = files[name]!;
    files[name] = function (this: Deno.FsFile, ...args) {
      return step(() => real.apply(this, args));
    };
  }
}
