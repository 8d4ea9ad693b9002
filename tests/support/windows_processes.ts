// What Windows tells of a process only to who reads its memory: its command line and its environment,
// both in the block that its PEB names. The offsets are those of every 64-bit Windows, and of Wine.

import { ENTRY_SIZE, openWindowsSystem, parseEntry } from "../../lib/launch/windows/processes.ts";

const QUERY_AND_READ = 0x410;
const BASIC_INFORMATION = 0;
/** Where the PEB's address stands in a PROCESS_BASIC_INFORMATION, and its size. */
const PEB = { at: 8, size: 48 };
/** Where the block's address stands in the PEB. */
const PARAMETERS = 0x20;
/** Where in the block a string's length and address, and the environment's address and size stand. */
const COMMAND_LINE = 0x70;
const ENVIRONMENT = 0x80;
const ENVIRONMENT_SIZE = 0x3f0;
const BLOCK = 0x400;
const SNAP_PROCESS = 2;
/** Where in a PROCESSENTRY32W the number of threads stands. */
const THREADS = 28;

function openLibraries() {
  const kernel = Deno.dlopen("kernel32.dll", {
    OpenProcess: { parameters: ["u32", "i32", "u32"], result: "isize" },
    ReadProcessMemory: {
      parameters: ["isize", "u64", "buffer", "usize", "buffer"],
      result: "i32",
    },
    CloseHandle: { parameters: ["isize"], result: "i32" },
    CreateToolhelp32Snapshot: { parameters: ["u32", "u32"], result: "isize" },
    Process32FirstW: { parameters: ["isize", "buffer"], result: "i32" },
    Process32NextW: { parameters: ["isize", "buffer"], result: "i32" },
  });
  const ntdll = Deno.dlopen("ntdll.dll", {
    NtQueryInformationProcess: {
      parameters: ["isize", "u32", "buffer", "u32", "buffer"],
      result: "i32",
    },
  });
  return { ...kernel.symbols, ...ntdll.symbols };
}

let libraries: ReturnType<typeof openLibraries> | undefined;

/** Numbers of all processes. */
export function listPids(): number[] {
  return openWindowsSystem().list().map(({ pid }) => pid);
}

/** Processes that were started by another one, if that lives. */
export function listChildren(parent: number): number[] {
  return openWindowsSystem().list().filter(({ ppid }) => ppid === parent).map(({ pid }) => pid);
}

/** Whether a process lives. */
export function livesOnWindows(pid: number): boolean {
  return openWindowsSystem().created(pid) !== undefined;
}

/** How many threads each process has. */
export function countThreads(): Map<number, number> {
  const system = libraries ??= openLibraries();
  const snapshot = BigInt(system.CreateToolhelp32Snapshot(SNAP_PROCESS, 0));
  const counts = new Map<number, number>();
  const entry = new Uint8Array(ENTRY_SIZE);
  const view = new DataView(entry.buffer);
  view.setUint32(0, ENTRY_SIZE, true);
  let more = system.Process32FirstW(snapshot, entry);
  for (; more !== 0; more = system.Process32NextW(snapshot, entry)) {
    counts.set(parseEntry(entry).pid, view.getUint32(THREADS, true));
  }
  system.CloseHandle(snapshot);
  return counts;
}

/** Words of a process's command line, or of its environment; undefined where it does not let us look. */
export function wordsOf(pid: number, kind: "cmdline" | "environ"): string[] | undefined {
  const system = libraries ??= openLibraries();
  const process = BigInt(system.OpenProcess(QUERY_AND_READ, 0, pid));
  if (process === 0n) return undefined;
  const read = (address: bigint, size: number): DataView | undefined => {
    const bytes = new Uint8Array(size);
    const done = system.ReadProcessMemory(process, address, bytes, BigInt(size), null);
    return done === 0 ? undefined : new DataView(bytes.buffer);
  };
  try {
    const basic = new Uint8Array(PEB.size);
    if (
      system.NtQueryInformationProcess(process, BASIC_INFORMATION, basic, PEB.size, null) !== 0
    ) return undefined;
    const peb = new DataView(basic.buffer).getBigUint64(PEB.at, true);
    const parameters = read(peb + BigInt(PARAMETERS), 8)?.getBigUint64(0, true);
    const block = parameters === undefined ? undefined : read(parameters, BLOCK);
    if (block === undefined) return undefined;
    const [address, size] = kind === "cmdline"
      ? [block.getBigUint64(COMMAND_LINE + 8, true), block.getUint16(COMMAND_LINE, true)]
      : [block.getBigUint64(ENVIRONMENT, true), Number(block.getBigUint64(ENVIRONMENT_SIZE, true))];
    const text = read(address, size);
    if (text === undefined) return undefined;
    const whole = new TextDecoder("utf-16le").decode(text);
    return kind === "environ" ? whole.split("\0") : splitWords(whole);
  } finally {
    system.CloseHandle(process);
  }
}

/** Words of a command line, without the quotes around them. */
function splitWords(line: string): string[] {
  return (line.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) => word.replaceAll('"', ""));
}
