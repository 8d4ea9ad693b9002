// The processes of Windows, asked of kernel32 itself: a fraction of a millisecond, where PowerShell
// takes half a second and `wmic` is no longer there. A process is known by its pid and its creation
// time, and is ended through a handle whose creation time was looked at, so that a pid that Windows
// has given away in the meantime is never hit. Loads nothing until it is first asked.

import { pause } from "../pause.ts";
import { knownHost, type Lookout } from "../posix/place.ts";
import { markIn } from "../posix/processes.ts";
import { runHidden } from "./hidden.ts";

/** One process. */
export interface WindowsProcess {
  pid: number;
  /** Its parent, or a pid that was its parent's: Windows does not update it. */
  ppid: number;
  /** Creation time, in units of 100 ns since 1601; null where we may not ask. */
  created: bigint | null;
}

/** What the launcher needs of the system. */
export interface WindowsSystem {
  /** Where we are: numbers mean something on one machine only. */
  place(): Lookout;
  /** All processes. */
  list(): WindowsProcess[];
  /** Creation time of a living process; undefined where there is none, null where we may not ask. */
  created(pid: number): bigint | null | undefined;
  /** Asks processes to end, as a user would close their windows; does not wait for long that they are asked. */
  ask(pids: readonly number[]): Promise<void>;
  /** Ends a process, if it is the one that was created then. Tells whether it was. */
  end(pid: number, created: bigint): boolean;
  /** The mark of a task in a process's environment: empty where it has none, null where it may not be read. */
  marker(pid: number): string | null;
}

/** `<boot> <start>` of a process in a pid file. Creation times need no boot to be told apart. */
export function formatStart(created: bigint): string {
  return `- ${created}`;
}

/** Bytes of a PROCESSENTRY32W, the same on x64 and ARM64. */
export const ENTRY_SIZE = 568;

/** Pid and parent in a PROCESSENTRY32W. */
export function parseEntry(entry: Uint8Array): { pid: number; ppid: number } {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  return { pid: view.getUint32(8, true), ppid: view.getUint32(32, true) };
}

/** Arguments of the `taskkill` that asks the given processes to end. Without `/T`: it would follow
 * parent numbers that Windows gives to others, to processes that nobody has proven to be ours. */
export function askArguments(pids: readonly number[]): string[] {
  return pids.flatMap((pid) => ["/PID", String(pid)]);
}

/** A program of the system's own folder: a name alone would also be looked for in ours. */
export function systemProgram(name: string, systemRoot: string | undefined): string {
  return `${systemRoot || "C:\\Windows"}\\System32\\${name}`;
}

/** Milliseconds that asking may take: what does not listen is ended all the same. */
const ASKING = 5000;

/**
 * Runs a program of which nothing but its doing is wanted: one that is not there is as good as none.
 *
 * @param within milliseconds after which it is ended
 */
export async function runBriefly(
  program: string,
  args: readonly string[],
  within: number,
): Promise<void> {
  const child = await runHidden(program, args).catch(() => {});
  if (child === undefined) return;
  // Not even the system may be able to end it.
  child.unref();
  await pause(within, undefined, [child.status.then(() => {})]);
  child.kill();
}

const SYMBOLS = {
  CreateToolhelp32Snapshot: { parameters: ["u32", "u32"], result: "isize" },
  Process32FirstW: { parameters: ["isize", "buffer"], result: "i32" },
  Process32NextW: { parameters: ["isize", "buffer"], result: "i32" },
  OpenProcess: { parameters: ["u32", "i32", "u32"], result: "isize" },
  GetProcessTimes: {
    parameters: ["isize", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  WaitForSingleObject: { parameters: ["isize", "u32"], result: "u32" },
  TerminateProcess: { parameters: ["isize", "u32"], result: "i32" },
  ReadProcessMemory: { parameters: ["isize", "u64", "buffer", "usize", "buffer"], result: "i32" },
  CloseHandle: { parameters: ["isize"], result: "i32" },
  GetLastError: { parameters: [], result: "u32" },
} as const;

const NATIVE_SYMBOLS = {
  NtQueryInformationProcess: {
    parameters: ["isize", "u32", "buffer", "u32", "buffer"],
    result: "i32",
  },
} as const;

const SNAP_PROCESS = 2;
const TERMINATE = 0x1;
const QUERY_LIMITED = 0x1000;
const VM_READ = 0x10;
const SYNCHRONIZE = 0x100000;
const WAIT_TIMEOUT = 258;
const ERROR_INVALID_PARAMETER = 87;
const CURRENT_PROCESS = -1n;
const INVALID_HANDLE = -1n;

/**
 * Where the environment of a process is, as every 64-bit Windows has it, and Wine: its basic information has
 * the address of its PEB, that has the one of its parameters, and those have address and size.
 */
const PEB = { kind: 0, size: 48, at: 8 };
const PARAMETERS = { at: 0x20 };
const ENVIRONMENT = { at: 0x80, size: 0x3f0 };
/** So many bytes of an environment are read: Windows bounds each variable, and not how many there are. */
const LARGEST_ENVIRONMENT = 8 * 1024 * 1024;

/** The system that this runs on, which must be Windows. */
export function openWindowsSystem(): WindowsSystem {
  let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;
  const kernel = () => (library ??= Deno.dlopen("kernel32.dll", SYMBOLS)).symbols;
  let nativeLibrary: Deno.DynamicLibrary<typeof NATIVE_SYMBOLS> | undefined;
  const native = () => (nativeLibrary ??= Deno.dlopen("ntdll.dll", NATIVE_SYMBOLS)).symbols;

  function createdOf(handle: bigint): bigint | null {
    const times = Array.from({ length: 4 }, () => new BigUint64Array(1));
    const [created, exited, inKernel, inUser] = times as [
      BigUint64Array<ArrayBuffer>,
      BigUint64Array<ArrayBuffer>,
      BigUint64Array<ArrayBuffer>,
      BigUint64Array<ArrayBuffer>,
    ];
    const told = kernel().GetProcessTimes(handle, created, exited, inKernel, inUser);
    return told === 0 ? null : created[0]!;
  }

  /** Calls with a handle of a living process; undefined where there is none, null where denied. */
  function withProcess<T>(
    pid: number,
    rights: number,
    use: (handle: bigint) => T,
  ): T | null | undefined {
    const handle = BigInt(kernel().OpenProcess(rights | SYNCHRONIZE, 0, pid));
    if (handle === 0n) {
      return kernel().GetLastError() === ERROR_INVALID_PARAMETER ? undefined : null;
    }
    try {
      // A process that has ended is still there for as long as anybody holds a handle of it.
      if (kernel().WaitForSingleObject(handle, 0) !== WAIT_TIMEOUT) return undefined;
      return use(handle);
    } finally {
      kernel().CloseHandle(handle);
    }
  }

  function created(pid: number): bigint | null | undefined {
    if (pid === Deno.pid) return createdOf(CURRENT_PROCESS);
    return withProcess(pid, QUERY_LIMITED, createdOf);
  }

  function list(): WindowsProcess[] {
    const snapshot = BigInt(kernel().CreateToolhelp32Snapshot(SNAP_PROCESS, 0));
    if (snapshot === INVALID_HANDLE) return [];
    const processes: WindowsProcess[] = [];
    try {
      const entry = new Uint8Array(ENTRY_SIZE);
      new DataView(entry.buffer).setUint32(0, ENTRY_SIZE, true);
      let more = kernel().Process32FirstW(snapshot, entry);
      while (more !== 0) {
        const { pid, ppid } = parseEntry(entry);
        const start = pid === 0 ? null : created(pid);
        if (start !== undefined) processes.push({ pid, ppid, created: start });
        more = kernel().Process32NextW(snapshot, entry);
      }
    } finally {
      kernel().CloseHandle(snapshot);
    }
    return processes;
  }

  async function ask(pids: readonly number[]): Promise<void> {
    if (pids.length === 0) return;
    const program = systemProgram("taskkill.exe", Deno.env.get("SystemRoot"));
    await runBriefly(program, askArguments(pids), ASKING);
  }

  function end(pid: number, wanted: bigint): boolean {
    return withProcess(pid, QUERY_LIMITED | TERMINATE, (handle) => {
      return createdOf(handle) === wanted && kernel().TerminateProcess(handle, 1) !== 0;
    }) === true;
  }

  function marker(pid: number): string | null {
    return withProcess(pid, QUERY_LIMITED | VM_READ, readMarker) ?? null;
  }

  function readMarker(handle: bigint): string | null {
    const read = (address: bigint, size: number): DataView | undefined => {
      const bytes = new Uint8Array(size);
      const done = kernel().ReadProcessMemory(handle, address, bytes, BigInt(size), null);
      return done === 0 ? undefined : new DataView(bytes.buffer);
    };
    const number = (address: bigint) => read(address, 8)?.getBigUint64(0, true) ?? 0n;
    const basic = new Uint8Array(PEB.size);
    if (native().NtQueryInformationProcess(handle, PEB.kind, basic, PEB.size, null) !== 0) {
      return null;
    }
    const peb = new DataView(basic.buffer).getBigUint64(PEB.at, true);
    const parameters = number(peb + BigInt(PARAMETERS.at));
    // It is just being started, or has ended.
    if (parameters === 0n) return null;
    const [at, size] = [ENVIRONMENT.at, ENVIRONMENT.size]
      .map((offset) => number(parameters + BigInt(offset))) as [bigint, bigint];
    // Half of it would tell of no mark where there is one.
    if (size > LARGEST_ENVIRONMENT) return null;
    const text = read(at, Number(size));
    return text === undefined ? null : markIn(new TextDecoder("utf-16le").decode(text));
  }

  function place(): Lookout {
    const host = knownHost(Deno.env.get("COMPUTERNAME") ?? "");
    return { boot: "-", machine: "-", host, namespace: "-", whole: true };
  }

  return { place, list, created, ask, end, marker };
}
