// Where a program is looked for.

import { isOnServer, programCandidates } from "../../lib/launch/find.ts";
import type { AgentDefinition } from "../../lib/task/agent.ts";
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

type Agent = Pick<AgentDefinition, "command" | "cwd" | "env">;

Deno.test("isOnServer knows a program that cannot be looked for without a call to a server", () => {
  const asked = (agent: Agent, root = "C:/w") => isOnServer("x", agent, root, true);
  const server = "\\\\server\\share";
  const onServers: Agent[] = [
    { command: `${server}\\x.exe` },
    { command: "//server/share/x" },
    { command: "/\\server/share/x" },
    { command: "\\\\?\\UNC\\server\\share\\x" },
    { command: "\\??\\UNC\\server\\share\\x" },
    { command: "x", cwd: server },
    { command: "x", env: { Path: `C:\\a;"${server}";C:\\b` } },
    { command: "x", env: { PATH: "C:\\a;//server/share" } },
  ];
  for (const agent of onServers) {
    assertEquals(asked(agent), true, JSON.stringify(agent));
    assertEquals(isOnServer("x", agent, "/w", false), false);
  }
  const elsewhere: Agent[] = [
    { command: "x" },
    { command: "C:\\a\\x.exe", cwd: "sub", env: { PATH: "C:\\a;;bin", OTHER: server } },
    { command: "\\a\\x.exe", cwd: "{workspace}" },
  ];
  for (const agent of elsewhere) assertEquals(asked(agent), false, JSON.stringify(agent));
  // What is in the workspace is called with it.
  assertEquals(asked({ command: "//SERVER/share/x.exe", cwd: "{workspace}" }, server), false);
  assertEquals(asked({ command: "//server/shared/x.exe" }, server), true);
});
