// How a daemon is asked to stop on Windows, which has no signals: by an event of its session that has the
// process's number in its name. The daemon waits for it on a thread of the runtime. Loaded by daemons, and
// by who asks one.

const SYMBOLS = {
  CreateEventW: { parameters: ["pointer", "i32", "i32", "buffer"], result: "isize" },
  OpenEventW: { parameters: ["u32", "i32", "buffer"], result: "isize" },
  SetEvent: { parameters: ["isize"], result: "i32" },
  CloseHandle: { parameters: ["isize"], result: "i32" },
  WaitForSingleObject: { parameters: ["isize", "u32"], result: "u32", nonblocking: true },
} as const;

const MAY_SET = 2;
const FOR_EVER = 0xffffffff;
const SIGNALLED = 0;

const openLibrary = () => Deno.dlopen("kernel32.dll", SYMBOLS).symbols;

/** The event's name as Windows takes it: UTF-16 that ends with a zero. */
function nameFor(pid: number): Uint8Array<ArrayBuffer> {
  const name = `Local\\orchestra-stop-${pid}\0`;
  return new Uint8Array(Uint16Array.from(name, (letter) => letter.charCodeAt(0)).buffer);
}

/** Calls once when this process is asked to stop; nobody can ask it where Windows makes no event. */
export function onStopAsked(stop: () => void): void {
  const kernel = openLibrary();
  const event = BigInt(kernel.CreateEventW(null, 1, 0, nameFor(Deno.pid)));
  if (event === 0n) return;
  kernel.WaitForSingleObject(event, FOR_EVER).then((why) => {
    if (why === SIGNALLED) stop();
  });
}

/** Asks a process to stop; false where it does not listen, and can only be ended. */
export function askProcess(pid: number): boolean {
  const kernel = openLibrary();
  const event = BigInt(kernel.OpenEventW(MAY_SET, 0, nameFor(pid)));
  if (event === 0n) return false;
  try {
    return kernel.SetEvent(event) !== 0;
  } finally {
    kernel.CloseHandle(event);
  }
}
