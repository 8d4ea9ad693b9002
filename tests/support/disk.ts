// A small disk of its own, which can be filled up or made read-only; see `mounting` in needs.ts.

import { assert } from "./assert.ts";
import { succeeds } from "./needs.ts";

export class SmallDisk implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra-disk-" }));
  /** @param options of tmpfs: `size=1m`, `nr_inodes=64` */
  constructor(options: string) {
    assert(succeeds("mount", "-t", "tmpfs", "-o", options, "none", this.path));
  }
  remount(mode: "ro" | "rw"): void {
    assert(succeeds("mount", "-o", `remount,${mode}`, this.path));
  }
  [Symbol.dispose](): void {
    // What still runs on it may go on: it is gone for everybody who looks for its name.
    assert(succeeds("umount", "--lazy", this.path));
    Deno.removeSync(this.path);
  }
}
