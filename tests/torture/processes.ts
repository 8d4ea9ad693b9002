// Processes and temporary files of a workspace that is tortured.

export const AGENT = decodeURIComponent(new URL("torture_agent.sh", import.meta.url).pathname);

/** A process of a workspace. */
interface Found {
  pid: number;
  kind: "supervisor" | "shim" | "agent" | "tool";
  task: string | null;
  text: string;
}

/** The processes that belong to a workspace: by the root in their environment or command line. */
export function findProcesses(root: string): Found[] {
  const found: Found[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (words[0] === "") continue; // A zombie.
      const text = words.join(" ");
      const pid = Number(name);
      if (words[words.indexOf("-C") + 1] === root) {
        const watches = words.includes("_supervise") || / daemon run\b/.test(text);
        if (watches) found.push({ pid, kind: "supervisor", task: null, text });
        continue;
      }
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      if (!environment.includes(`ORCHESTRA_ROOT=${root}`)) continue;
      const task = environment.find((item) => item.startsWith("ORCHESTRA_TASK_ID="))?.slice(18);
      const kind = words.includes("orchestra-shim")
        ? "shim"
        : words.includes(AGENT)
        ? "agent"
        : "tool";
      found.push({ pid, kind, task: task ?? null, text });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
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

/** Waits until something is so, ten seconds at most: the end of a stranger's process is no event. */
export async function gone(check: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !check(); turn++) {
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
