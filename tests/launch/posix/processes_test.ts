// The process table as /proc, the shell and the ps of macOS tell it.

import fc from "fast-check";
import { FENCE } from "../../../lib/launch/launcher.ts";
import { parsePidText } from "../../../lib/launch/posix/place.ts";
import { parsePidFile } from "../../../lib/launch/posix/launcher.ts";
import {
  parseProc,
  parsePs,
  parseStat,
  PS_COLUMNS,
  readProcesses,
} from "../../../lib/launch/posix/processes.ts";
import { indexTable, pickTree } from "../../../lib/launch/posix/tree.ts";
import { formatStart } from "../../../lib/launch/windows/processes.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { ON_POSIX, test } from "../../support/needs.ts";

Deno.test("parsePidFile reads what the shims write, a fence, and nothing else", () => {
  const place = null;
  assertEquals(parsePidText("12 0f-a1 3456\n"), { pid: 12, start: "0f-a1 3456", place });
  const mac = parsePidText("12 - Tue Sep  2 07:03:05 2026 \n");
  assertEquals(mac, { pid: 12, start: "- Tue_Sep_2_07:03:05_2026", place });
  assertEquals(parsePidText(`7 ${formatStart(134398121760170450n)}\n`), {
    pid: 7,
    start: "- 134398121760170450",
    place,
  });
  assertEquals(parsePidText(`12 0f-a1 3456\n${"0f".repeat(16)} host 24\n`), {
    pid: 12,
    start: "0f-a1 3456",
    place: { boot: "0f-a1", machine: "0f".repeat(16), host: "host", namespace: "24" },
  });
  assertEquals(parsePidFile("12 0f-a1 3456\n"), { pid: 12, token: "12 0f-a1 3456\n" });
  assertEquals(parsePidFile(FENCE), null);
  for (const bad of ["", "12", "12 b 3", "12 b \n", "x b 3\n", "-1 b 3\n", "1 b 3\n2 b 3\n"]) {
    assertEquals(parsePidFile(bad), undefined, bad);
  }
});

/** A /proc/<pid>/stat. */
function statLine(
  pid: number,
  name: string,
  state: string,
  ppid: number,
  ticks: number,
  threads = 1,
): string {
  const middle = Array.from({ length: 13 }, (_, at) => at).join(" ");
  return `${pid} (${name}) ${state} ${ppid} ${ppid} 77 ${middle} ${threads} 0 ${ticks} 1000 20 30\n`;
}

Deno.test("parseStat is not misled by a name", () => {
  fc.assert(fc.property(
    fc.string({ unit: fc.constantFrom("a", " ", "(", ")", "\n", "1", "S"), maxLength: 15 }),
    fc.nat(),
    fc.nat(),
    (name, ppid, ticks) => {
      assertEquals(parseStat(5, statLine(5, name, "S", ppid, ticks), "b"), {
        pid: 5,
        ppid,
        group: ppid,
        session: 77,
        threads: 1,
        zombie: false,
        stopped: false,
        start: `b ${ticks}`,
        marker: null,
        blank: false,
      });
    },
  ));
});

Deno.test("a process whose first thread has ended lives on with the others", () => {
  const zombie = (threads: number) =>
    parseStat(5, statLine(5, "a", "Z", 1, 9, threads), "b")?.zombie;
  assertEquals([zombie(1), zombie(0), zombie(2)], [true, true, false]);
});

Deno.test("parseStat takes no line that was cut off", () => {
  const whole = statLine(5, "a b", "Z", 1, 123456);
  assertEquals(parseStat(5, whole, "b")?.zombie, true);
  const end = whole.indexOf("123456") + "123456".length;
  for (let length = 0; length <= end; length++) {
    assertEquals(parseStat(5, whole.slice(0, length), "b"), undefined, whole.slice(0, length));
  }
});

Deno.test("parseProc reads what the shell prints, whatever the names are", () => {
  const print = (pid: number, stat: string) =>
    stat.trimEnd().split("\n").map((line) => `${pid}/stat:${line}\n`).join("");
  const text = "boot\nm\nhost\n7 7\n\n\n" + print(1, statLine(1, "init", "S", 0, 1)) +
    // A name that would pass for another process, were it not for the name of the file.
    print(8, statLine(8, "x\n9 (y) S 1 1 1", "S", 1, 20)) +
    print(3, "3 (cut off) S 1") + "4/stat:\nnoise\n" +
    `8/environ:ORCHESTRA_MARK=1.2-x/task_12345678901\n5/environ:ORCHESTRA_MARK=1.2-x/task_1\n`;
  const { table } = parseProc(text);
  assertEquals([...table.keys()], [1, 8]);
  assertEquals(table.get(8), {
    pid: 8,
    ppid: 1,
    group: 1,
    session: 77,
    threads: 1,
    zombie: false,
    stopped: false,
    start: "boot 20",
    marker: "1.2-x/task_12345678901",
    blank: false,
  });
  assertEquals(parseProc("").table.size, 0);
});

// As macOS 15 prints them, with the options that it is called with.
const MAC_TABLE = `    1     0     1 Ss   Mon Aug 31 09:12:44 2026
  412     1   412 Ss   Tue Sep  1 07:03:05 2026
 5120   412   412 S+   Tue Sep  1 07:03:06 2026
 5121  5120   412 Z+   Tue Sep  1 07:03:06 2026
 5122  5120   412 S+   Tue Sep  1 07:0`;
const MAC_MARKED = `    1 /sbin/launchd
  412 /bin/sh -c x orchestra-shim ORCHESTRA_MARK=1.2-x/task_9999999999 PATH=/bin ORCHESTRA_MARK=1.2-x/task_1795331564659 HOME=/x
 5120 sleep 600 PATH=/usr/bin
  999 gone ORCHESTRA_MARK=1.2-x/task_1795331564659`;

Deno.test("parsePs reads what the ps of macOS prints", () => {
  const table = parsePs(MAC_TABLE, MAC_MARKED);
  assertEquals([...table.keys()], [1, 412, 5120, 5121]);
  assertEquals(table.get(412), {
    pid: 412,
    ppid: 1,
    group: 412,
    session: 412,
    threads: 1,
    zombie: false,
    stopped: false,
    start: "- Tue_Sep_1_07:03:05_2026",
    marker: "1.2-x/task_1795331564659",
    blank: false,
  });
  assertEquals(table.get(5120)!.marker, null);
  assertEquals(table.get(5121)!.zombie, true);
  // The same as the shim writes it.
  const shim = parsePidText("412 - Tue Sep  1 07:03:05 2026\n")!;
  assertEquals(pickTree(indexTable(table), "task_1", shim, 5).map(({ pid }) => pid), []);
  assertEquals(
    pickTree(indexTable(table), "1.2-x/task_1795331564659", shim, 5).map(({ pid }) => pid).sort(),
    [412, 5120],
  );
});

Deno.test("every column that ps is asked for is an option of its own", () => {
  // \`-o pid=,ppid=\` is one column with the heading ",ppid=" to the ps of macOS.
  assertEquals(PS_COLUMNS.filter((option) => option.includes(",")), []);
  assertEquals(PS_COLUMNS.length, 10);
});

test("readProcesses knows ourselves and our parent", ON_POSIX, () => {
  const table = readProcesses();
  assertEquals(table.get(Deno.pid)?.ppid, Deno.ppid);
  assert(table.has(Deno.ppid));
  assertEquals(readProcesses([Deno.pid, 4_000_000]).size, 1);
  assertEquals(readProcesses([]).size, 0);
});
