// Where a program is looked for.

import { programCandidates } from "../../lib/launch/find.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("programCandidates goes through PATH, or starts at the root", () => {
  const unix = { windows: false, path: "/usr/bin::/opt/a b/", root: "/w" };
  assertEquals(programCandidates("codex", unix), ["/usr/bin/codex", "/opt/a b/codex"]);
  assertEquals(programCandidates("./x", unix), ["/w/x"]);
  assertEquals(programCandidates("a/x", unix), ["/w/a/x"]);
  assertEquals(programCandidates("/a/x", unix), ["/a/x"]);
  assertEquals(programCandidates("a\\x", unix), ["/usr/bin/a\\x", "/opt/a b/a\\x"]);
});

Deno.test("programCandidates takes on Windows only what Windows can start", () => {
  const rules = {
    windows: true,
    path: 'C:\\npm;"C:\\Program Files\\x\\";',
    pathext: ".COM;.EXE;.BAT;.CMD;.VBS;.JS",
    root: "C:\\w",
  };
  const endings = [".com", ".exe", ".bat", ".cmd"];
  assertEquals(programCandidates("codex", rules), [
    ...endings.map((ending) => `C:\\npm\\codex${ending}`),
    ...endings.map((ending) => `C:\\Program Files\\x\\codex${ending}`),
  ]);
  assertEquals(
    programCandidates("codex.CMD", { ...rules, path: "C:\\npm" })[0],
    "C:\\npm\\codex.CMD",
  );
  const beside = programCandidates("x.exe", { ...rules, path: "bin" });
  assertEquals(beside[0], "C:\\w\\bin\\x.exe");
  assertEquals(programCandidates("tools/run.exe", rules)[0], "C:\\w\\tools\\run.exe");
  assertEquals(programCandidates("D:/a/b", rules)[1], "D:\\a\\b.exe");
  assertEquals(
    programCandidates("python3.11", { ...rules, path: "C:\\p" })[0],
    "C:\\p\\python3.11.com",
  );
  assertEquals(programCandidates("x", { ...rules, pathext: undefined, path: "C:\\p" }).length, 4);
});
