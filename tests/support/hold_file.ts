// Another process that has a file open as few runtimes do and many programs of Windows: what others may
// do with the file meanwhile is up to it.

/** What a program lets others do with a file that it has open. */
export const SHARES = {
  nothing: 0,
  /** As most programs open a file that they read. */
  reading: 1,
  /** As Python and the C runtime do. */
  writing: 3,
  /** As Deno and Node.js do. */
  removing: 7,
} as const;

/** Its program: opens the file that it is told, says so, and closes it a moment after a line came. */
const PROGRAM = `
const { symbols: { CreateFileW } } = Deno.dlopen("kernel32.dll", {
  CreateFileW: {
    parameters: ["buffer", "u32", "u32", "usize", "u32", "u32", "usize"],
    result: "isize",
  },
});
const [path, share] = Deno.args;
const units = Uint16Array.from(path + "\\0", (character) => character.charCodeAt(0));
const [READ, EXISTING, NORMAL] = [0x80000000, 3, 0x80];
const handle = CreateFileW(new Uint8Array(units.buffer), READ, Number(share), 0n, EXISTING, NORMAL, 0n);
if (BigInt(handle) === -1n) throw new Error("It cannot be opened");
console.log("open");
Deno.stdin.readSync(new Uint8Array(1));
// So that it is still open when whoever let go of it comes to the file.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
`;

export interface Holder extends AsyncDisposable {
  /** Lets it close the file a moment later. */
  release(): Promise<void>;
}

/** Has another process open a file on Windows, until it is released. */
export async function holdFile(path: string, share: keyof typeof SHARES): Promise<Holder> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", PROGRAM, path, String(SHARES[share])],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  const { done } = await output.read();
  if (done) throw new Error(`${path} is not held: the program that was to do so has ended`);
  return {
    release: () => child.stdin.close(),
    async [Symbol.asyncDispose]() {
      await output.cancel();
      await child.stdin.close().catch(() => {});
      await child.status;
    },
  };
}
