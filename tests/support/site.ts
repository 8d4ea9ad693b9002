// A workspace on a disk that can be filled up, and beside it what its agents use: a gate and a ledger.

import { assert } from "./assert.ts";
import { mounting, ON_POSIX, succeeds, test } from "./needs.ts";
import { type Box, makeFolder, openBox } from "./program.ts";

export const onSmallDisk = (name: string, fn: (disk: Disk) => Promise<void>) =>
  test(name, mounting(), async () => {
    await using disk = await makeSite(true);
    await fn(disk);
  });

/** A workspace, and beside it what its agents use: a gate to wait at, and a ledger of launches. */
interface Site extends AsyncDisposable {
  box: Box;
  /**
   * A fifo: whoever reads a line of it waits until {@linkcode openGate}. Windows has none in folders: it is
   * a file that comes to be there.
   */
  gate: string;
  ledger: string;
}

/** A site on a disk of its own that can be filled up; gate and ledger are elsewhere. */
interface Disk extends Site {
  /** Leaves room for so many pages, that is for about as many small files. */
  fill(pages: number): void;
  free(): void;
}

const PAGE = 4096;

export async function makeSite(small = false): Promise<Disk> {
  const folder = await makeFolder();
  const disk = `${folder.path}/disk`;
  const root = `${disk}/workspace`;
  const ballast = `${disk}/ballast`;
  const gate = `${folder.path}/gate`;
  const ledger = `${folder.path}/ledger`;
  Deno.mkdirSync(disk);
  if (small) assert(succeeds("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk));
  Deno.mkdirSync(`${root}/.orchestra`, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  if (ON_POSIX === null) assert(succeeds("mkfifo", gate));
  Deno.writeTextFileSync(ledger, "");
  const box = openBox(root);
  box.agents({});
  box.config({ interval: 0.2, grace_period: 0.2 });
  const free = () => {
    if (succeeds("test", "-e", ballast)) Deno.removeSync(ballast);
  };
  return {
    box,
    gate,
    ledger,
    free,
    fill(pages) {
      using file = Deno.openSync(ballast, { write: true, create: true, truncate: true });
      let size = 0;
      try {
        for (const page = new Uint8Array(PAGE);;) size += file.writeSync(page);
      } catch {
        // Full.
      }
      file.truncateSync(Math.max(0, size - pages * PAGE));
    },
    async [Symbol.asyncDispose]() {
      free();
      try {
        await box[Symbol.asyncDispose]();
      } finally {
        if (small) assert(succeeds("umount", "--lazy", disk));
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Shell that notes each run of its task. */
export const noted = ({ ledger }: Site) =>
  `echo "$ORCHESTRA_TASK_ID" >>${ledger.replaceAll("\\", "/")}`;

/** The same, then waits at the gate and ends. */
export const gated = (site: Site, end = "exit 0") =>
  `${noted(site)}; read -r _ <${site.gate}; ${end}`;

/** Lets go one that waits at the gate; opened for both, so that it never waits for a reader. */
export function openGate({ gate }: Site): Disposable {
  const file = Deno.openSync(gate, { read: true, write: true, create: true });
  file.writeSync(new TextEncoder().encode("go\n"));
  return file;
}

export function launchesOf({ ledger }: Site): string[] {
  return Deno.readTextFileSync(ledger).split("\n").filter((line) => line !== "");
}

/** Whether the agent of a task, not only its shim, is there. */
export function agentLives({ box }: Site, id: string): boolean {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      // Ids are times: another workspace may have the same.
      if (!environment.includes(`ORCHESTRA_ROOT=${box.root}`)) continue;
      if (!environment.includes(`ORCHESTRA_TASK_ID=${id}`)) continue;
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      // Not the shim, nor what it sleeps with.
      if (words[0] === "sh" && !words.includes("orchestra-shim")) return true;
    } catch {
      // Gone.
    }
  }
  return false;
}
