// Where locks hold on one machine only.

import { findLocalLocks, localLocks } from "../../lib/store/mounts.ts";
import { announce, readDaemonInfo, writeDaemonInfo } from "../../lib/supervise/watcher.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { ON_LINUX, test } from "../support/needs.ts";
import { Folder } from "../support/store.ts";

const MOUNTS = `22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 28 0:40 / /home/shared rw,relatime shared:2 - nfs4 box:/home rw,vers=4.2,local_lock=none
41 28 0:41 / /mnt/old rw,relatime shared:3 - nfs box:/old rw,vers=3,nolock,local_lock=all
42 28 0:42 / /mnt/with\\040space rw - nfs box:/x rw,vers=3,local_lock=flock
43 28 0:43 / /mnt/office rw - cifs //box/office rw,nobrl,vers=3.0
44 28 0:44 / /mnt/open rw - cifs //box/open rw,vers=3.0
45 28 0:45 / /mnt/ssh rw - fuse.sshfs me@box: rw,user_id=0
46 45 0:46 / /mnt/ssh/inner rw - tmpfs none rw
47 28 0:47 / /mnt/over rw - nfs box:/x rw,nolock
48 28 0:48 / /mnt/over rw - ext4 /dev/sdb rw
`;

Deno.test("a file system whose locks hold here only is known by its name and its options", () => {
  const found = {
    "/work": undefined,
    "/home/shared/project": undefined,
    "/mnt/old": "nfs",
    "/mnt/old/a/b": "nfs",
    "/mnt/older": undefined,
    "/mnt/with space/x": "nfs",
    "/mnt/office/x": "cifs",
    "/mnt/open/x": undefined,
    "/mnt/ssh/x": "fuse.sshfs",
    "/mnt/ssh/inner/x": undefined,
    "/mnt/over/x": undefined,
  };
  for (const [path, type] of Object.entries(found)) {
    assertEquals(findLocalLocks(MOUNTS, path), type, path);
  }
});

test(
  "who watches on another machine is not watched beside where locks do not tell",
  ON_LINUX,
  () => {
    using folder = new Folder();
    const store = folder.store();
    const order = { launch: "all" } as const;
    assertEquals(localLocks(store.dir), undefined);
    writeDaemonInfo(store, { ...announce(store, "daemon", order), pid: 1, host: "elsewhere" });
    // The lock is common: whoever has it watches.
    announce(store, "daemon", order);
    writeDaemonInfo(store, { ...readDaemonInfo(store)!, pid: 1, host: "elsewhere" });
    const { readTextFileSync } = Deno;
    Deno.readTextFileSync = (path) =>
      path === "/proc/self/mountinfo"
        ? `1 0 0:1 / ${folder.path} rw - nfs box:/ rw,nolock\n`
        : readTextFileSync(path);
    try {
      const error = assertThrows(() => announce(store, "daemon", order), OrchestraError);
      assertEquals(error.code, "state");
      assertStringIncludes(error.message, "elsewhere");
    } finally {
      Deno.readTextFileSync = readTextFileSync;
    }
  },
);
