// The contract of a launcher, run for every implementation that can run here: the POSIX shim under
// each shell that is installed, and the Windows shim, whose code needs nothing of Windows but the
// process table. On Windows that one is all there is.

import type { Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import { type Kind, makeLauncher } from "../launch/launch_program.ts";
import { type Missing, test } from "./needs.ts";
import { held, installed, openPlace, type Place, WINDOWS } from "./launch.ts";

const KINDS: readonly { name: string; kind: Kind; program: string }[] = WINDOWS
  ? [
    { name: "windows", kind: "windows", program: Deno.execPath() },
  ]
  : [
    { name: "sh", kind: ["/bin/sh"], program: "/bin/sh" },
    { name: "bash", kind: ["/bin/bash", "--posix"], program: "/bin/bash" },
    { name: "busybox", kind: ["/bin/busybox", "sh"], program: "/bin/busybox" },
    { name: "mksh", kind: ["/bin/mksh"], program: "/bin/mksh" },
    { name: "windows shim", kind: "windows", program: "/bin/sh" },
  ];

/** One implementation, and how its tests are defined. */
export interface Contracted {
  readonly kind: Kind;
  readonly launcher: Launcher;
  /** Defines a test in a folder of its own. */
  contract(title: string, run: (place: Place) => Promise<void>, missing?: Missing): void;
  /** Launches, and waits for the end of the shim; its pid. */
  whole(spec: LaunchSpec): Promise<number>;
}

/** Defines the same tests for each implementation. */
export function forEachLauncher(define: (contracted: Contracted) => void): void {
  for (const { name, kind, program } of KINDS) {
    const launcher = makeLauncher(kind);
    const here = installed(program) ? null : `${program} is not here`;
    define({
      kind,
      launcher,
      contract: (title, run, missing = null) =>
        test(`launch (${name}): ${title}`, here ?? missing, async () => {
          await using place = await openPlace();
          await run(place);
        }),
      async whole(spec) {
        const launched = launcher.launch(spec);
        await held(launched.ended);
        return launched.pid;
      },
    });
  }
}
