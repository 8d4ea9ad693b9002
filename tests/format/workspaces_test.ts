// The table of known workspaces.

import { countPhases } from "../../lib/decide/view.ts";
import {
  formatKept,
  formatWorkspaces,
  type KeptRow,
  type WorkspaceRow,
} from "../../lib/format/workspaces.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable } from "../support/box.ts";

const ROW: WorkspaceRow = {
  name: "app",
  root: "/home/ann/src/app",
  counts: countPhases([]),
  attention: 0,
  supervisor: null,
  problem: null,
};
const style = (width: number) => ({ color: false, unicode: true, width });

Deno.test("no line is wider than the terminal, whatever names and paths there are", () => {
  const rows = [
    ROW,
    { ...ROW, name: "プ".repeat(60), root: `/${"深い/".repeat(60)}end` },
    { ...ROW, name: "x", counts: null, problem: `it is ${"very ".repeat(60)}wrong\u001b[31m\n` },
    { ...ROW, supervisor: "supervisor (pid 123456789) is stopped, and nothing goes on" },
  ];
  for (const width of [30, 40, 80, 200]) {
    const text = formatWorkspaces(rows, "/home/ann", style(width));
    assertPrintable(text);
    for (const line of text.split("\n")) assert(displayWidth(line) <= width, `${width}: ${line}`);
  }
});

Deno.test("of a long path the end is shown, and the home folder as ~", () => {
  const [, short] = formatWorkspaces([ROW], "/home/ann", style(80)).split("\n");
  assertStringIncludes(short!, "  ~/src/app");
  const long = { ...ROW, root: `/home/annabel/${"folder/".repeat(20)}app` };
  const [, line] = formatWorkspaces([long], "/home/ann", style(80)).split("\n");
  assert(line!.endsWith("/folder/app"), line);
  assert(!line!.includes("~"));
});

Deno.test("what could not be looked at has no counts, and says below what is wrong", () => {
  const text = formatWorkspaces(
    [{ ...ROW, counts: null, problem: "it is gone" }],
    undefined,
    style(80),
  );
  const [, line, , problem] = text.split("\n");
  assertEquals(line!.split(/ {2,}/).slice(1, 5), ["-", "-", "-", "-"]);
  assertEquals(problem, "! app: it is gone");
});

Deno.test("who watches is told in few words, with the whole pid, and the path has the room", () => {
  const watchers = {
    "daemon for all workspaces (pid 4194304) watches over it": "daemon (all) 4194304",
    "daemon (pid 8063) watches over it": "daemon 8063",
    "supervisor (pid 8063) watches over it": "supervisor 8063",
    "run --wait (pid 8063) is stopped, and nothing goes on": "run 8063",
  };
  for (const [supervisor, shown] of Object.entries(watchers)) {
    const row = { ...ROW, name: "parser", root: "/home/user13/parser", supervisor };
    const [, line] = formatWorkspaces([row], undefined, style(80)).split("\n");
    assertStringIncludes(line!, `  ${shown}  `);
    assert(line!.endsWith("  /home/user13/parser"), line);
  }
});

Deno.test("what a daemon for all has is aligned, and why one is not watched stands below", () => {
  const reason = "A run --wait watches over this workspace (pid 8102)";
  const rows: KeptRow[] = [
    { name: "notes", root: "/home/ann/notes", state: "watched", reason: null },
    { name: "parser", root: `/home/${"deep/".repeat(30)}parser`, state: "waiting", reason },
    { name: "プ", root: "/srv/x\u001b[31m", state: "failed", reason: "it is wrong\u001b[31m\n" },
  ];
  for (const width of [30, 40, 80, 200]) {
    const text = formatKept(rows, "/home/ann", style(width));
    assertPrintable(text);
    for (const line of text.split("\n")) assert(displayWidth(line) <= width, `${width}: ${line}`);
  }
  const [head, ...lines] = formatKept(rows, "/home/ann", style(80)).split("\n");
  assertEquals(head, "NAME    STATE    WHERE");
  assertEquals(lines[0], "notes   watched  ~/notes");
  assert(lines[1]!.startsWith("parser  waiting  …") && lines[1]!.endsWith("/parser"), lines[1]);
  assertEquals(lines[4], `! parser: ${reason}`);
});
