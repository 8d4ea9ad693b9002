// Processes and temporary files of a workspace that is tortured.

import { filePath } from "../support/file_path.ts";
import { countThreads, listPids, wordsOf } from "../support/windows_processes.ts";

export const ON_WINDOWS = Deno.build.os === "windows";

/** The agent of the torture; what it is to do is added. */
export const AGENT: readonly [string, ...string[]] = ON_WINDOWS
  ? [Deno.execPath(), "run", "-A", "--quiet", ownFile("torture_agent.ts")]
  : ["sh", ownFile("torture_agent.sh")];

/** How long is waited for what other processes do, seconds; only what never ends takes so long. */
const PATIENCE = 300;

function ownFile(name: string): string {
  return filePath(new URL(name, import.meta.url));
}

/** A process of a workspace. */
interface Found {
  pid: number;
  kind: "supervisor" | "shim" | "agent" | "tool";
  task: string | null;
  text: string;
}

/** Numbers of all processes. */
function allPids(): number[] {
  if (ON_WINDOWS) return listPids();
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

/** A process's command line or environment, its paths with `/`; none where it ended while we looked. */
function read(pid: number, kind: "cmdline" | "environ"): string[] {
  if (ON_WINDOWS) return (wordsOf(pid, kind) ?? []).map((word) => word.replaceAll("\\", "/"));
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${kind}`).split("\0");
  } catch {
    return [];
  }
}

/** The task of a shim that has its orders in a file of the workspace; undefined for other processes. */
function orderedTask(words: readonly string[], root: string): string | undefined {
  const file = words.at(-1) ?? "";
  return file.startsWith(root) ? /(task_\d+)\.[^/]*\.pid\.[^/]*\.tmp$/.exec(file)?.[1] : undefined;
}

/**
 * The processes that belong to a workspace: by the root in their environment or command line.
 *
 * @param root with `/`
 */
export function findProcesses(root: string): Found[] {
  const found: Found[] = [];
  for (const pid of allPids()) {
    if (pid === Deno.pid) continue;
    const words = read(pid, "cmdline");
    // A zombie has an empty one. What Windows starts itself, consoles and its desktop, has the environment
    // of who needed it first.
    if (!words[0] || /^C:\/windows\//i.test(words[0])) continue;
    const text = words.join(" ");
    if (words[words.indexOf("-C") + 1] === root) {
      const watches = words.includes("_supervise") || / daemon run\b/.test(text);
      if (watches) found.push({ pid, kind: "supervisor", task: null, text });
      continue;
    }
    const ordered = orderedTask(words, root);
    if (ordered !== undefined) {
      found.push({ pid, kind: "shim", task: ordered, text });
      continue;
    }
    const environment = read(pid, "environ");
    if (!environment.includes(`ORCHESTRA_ROOT=${root}`)) continue;
    const task = environment.find((item) => item.startsWith("ORCHESTRA_TASK_ID="))?.slice(18);
    const kind = words.includes("orchestra-shim")
      ? "shim"
      : words.includes(AGENT.at(-1)!)
      ? "agent"
      : "tool";
    found.push({ pid, kind, task: task ?? null, text });
  }
  return found;
}

/**
 * The same without those that are half made. By Wine, whoever is killed while he makes a process leaves it
 * so: its only thread waits for him for ever. A Deno that has begun has several.
 */
export function findBegun(root: string): Found[] {
  const found = findProcesses(root);
  if (!ON_WINDOWS || found.length === 0) return found;
  const threads = countThreads();
  return found.filter(({ pid, text }) => !/\bdeno\.exe /i.test(text) || threads.get(pid) !== 1);
}

/** Temporary files in a workspace. */
export function temporaries(root: string): string[] {
  const found: string[] = [];
  const outbox = `${root}/.orchestra/outbox`;
  const lanes = exists(outbox)
    ? [...Deno.readDirSync(outbox)].map(({ name }) => `/outbox/${name}`)
    : [];
  for (const folder of ["", "/tasks", "/archive", "/plans", "/logs", ...lanes]) {
    for (const { name } of Deno.readDirSync(`${root}/.orchestra${folder}`)) {
      if (name.endsWith(".tmp")) found.push(`.orchestra${folder}/${name}`);
    }
  }
  return found;
}

/** Waits until something is so, for a while: the end of a stranger's process is no event. */
export async function gone(check: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20 * PATIENCE && !check(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
