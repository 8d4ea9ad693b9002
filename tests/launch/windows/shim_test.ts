// What the Windows shim decides: what is run, with which arguments and environment.

import { parseCmd } from "../../../lib/decide/cmd_line.ts";
import type { LaunchSpec } from "../../../lib/launch/launcher.ts";
import { shimCommand } from "../../../lib/launch/windows/launcher.ts";
import {
  askArguments,
  ENTRY_SIZE,
  parseEntry,
  systemProgram,
} from "../../../lib/launch/windows/processes.ts";
import {
  cmdArguments,
  formatExit,
  type Lookup,
  mergeEnvironment,
  nameFrom,
  parseNpmShim,
  parseSpec,
  resolveCommand,
} from "../../../lib/launch/windows/shim.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";

// As cmd-shim 8.0.0, which npm uses, writes them.
const NPM_START = "@ECHO off\r\nGOTO start\r\n:find_dp0\r\nSET dp0=%~dp0\r\nEXIT /b\r\n:start\r\n" +
  "SETLOCAL\r\nCALL :find_dp0\r\n";
function npmScript(program: string, args: string, target: string, variables = ""): string {
  return NPM_START + variables + [
    "",
    `IF EXIST "%dp0%\\${program}.exe" (`,
    `  SET "_prog=%dp0%\\${program}.exe"`,
    ") ELSE (",
    `  SET "_prog=${program}"`,
    "  SET PATHEXT=%PATHEXT:;.JS;=;%",
    ")",
    "",
    `endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%" ${args} "%dp0%\\${target}" %*`,
    "",
  ].join("\r\n");
}
const CODEX = "node_modules\\@openai\\codex\\bin\\codex.js";

Deno.test("parseNpmShim knows what npm's batch files run, and leaves all others alone", () => {
  assertEquals(parseNpmShim(npmScript("node", "", CODEX)), {
    interpreter: "node",
    args: [],
    target: CODEX,
  });
  assertEquals(parseNpmShim(npmScript("node", "--no-warnings --x=1", CODEX))?.args, [
    "--no-warnings",
    "--x=1",
  ]);
  const program = `${NPM_START}"%dp0%\\node_modules\\a\\bin\\c.exe"   %*\r\n`;
  assertEquals(parseNpmShim(program), {
    interpreter: null,
    args: [],
    target: "node_modules\\a\\bin\\c.exe",
  });
  for (
    const other of [
      "",
      "@echo off\r\nnode x.js %*\r\n",
      // It sets a variable first, which running the script directly would not.
      npmScript("node", "", CODEX, "@SET FOO=bar\r\n"),
      npmScript("node", "& calc", CODEX),
      npmScript("node", "", "%EVIL%\\x.js"),
      npmScript("/bin/bash", "", CODEX),
      npmScript("node", "", CODEX) + "calc\r\n",
    ]
  ) assertEquals(parseNpmShim(other), undefined, other);
});

function lookup(files: Record<string, string>, more: Partial<Lookup> = {}): Lookup {
  return {
    windows: true,
    path: "C:\\npm;C:\\nodejs",
    root: "C:\\w",
    isFile: (path) => path in files,
    read: (path) => files[path]!,
    ...more,
  };
}

Deno.test("resolveCommand runs what npm's batch file would, so that any argument arrives", () => {
  const hard = ['say "hi" & calc %PATH%', "two\nlines", ""];
  const files = {
    // The script for sh that npm puts beside it is nothing that Windows could start.
    "C:\\npm\\codex": "#!/bin/sh",
    "C:\\npm\\codex.cmd": npmScript("node", "--flag", CODEX),
    "C:\\nodejs\\node.exe": "",
  };
  assertEquals(resolveCommand("codex", hard, lookup(files)), {
    file: "C:\\nodejs\\node.exe",
    args: ["--flag", `C:\\npm\\${CODEX}`, ...hard],
  });
  const beside = { ...files, "C:\\npm\\node.exe": "" };
  assertEquals(resolveCommand("codex", [], lookup(beside)), {
    file: "C:\\npm\\node.exe",
    args: ["--flag", `C:\\npm\\${CODEX}`],
  });
});

Deno.test("resolveCommand refuses what cmd.exe could not be given, and says what to do", () => {
  const files = { "C:\\npm\\mine.bat": "@echo %*", "C:\\npm\\real.exe": "" };
  const arg = 'a "quoted" & %PATH% ^ one';
  assertEquals(resolveCommand("mine", [arg], lookup(files)), {
    file: "C:\\npm\\mine.bat",
    args: [arg],
  });
  for (const bad of ["a\nb", "a\rb", "a\0b"]) {
    const refused = resolveCommand("mine", ["ok", bad], lookup(files));
    assert("problem" in refused);
    assertStringIncludes(refused.problem, "mine.bat");
    assertStringIncludes(refused.problem, "{promptFile}");
    assertStringIncludes(refused.problem, '"stdin"');
  }
  assertEquals(resolveCommand("real", ["a\nb"], lookup(files)), {
    file: "C:\\npm\\real.exe",
    args: ["a\nb"],
  });
  assertEquals(resolveCommand("absent", [], lookup(files)), { problem: "absent is not installed" });
});

Deno.test("cmd.exe is started in no folder of a server, where it would go on in another one", () => {
  const files = {
    "C:\\npm\\cmd.exe": "",
    "C:\\npm\\mine.cmd": "@echo %*",
    "C:\\npm\\codex.cmd": npmScript("node", "", CODEX),
    "C:\\npm\\node.exe": "",
  };
  for (const command of ["cmd", "mine"]) {
    const refused = resolveCommand(command, [], lookup(files, { root: "\\\\nas\\work" }));
    assert("problem" in refused);
    assertStringIncludes(refused.problem, "net use");
    const local = resolveCommand(command, [], lookup(files, { root: "\\\\?\\C:\\work" }));
    assert("file" in local);
  }
  // What a batch file of npm runs is started directly.
  assert("file" in resolveCommand("codex", [], lookup(files, { root: "//nas/work" })));
});

Deno.test("nothing that somebody wrote goes through cmd.exe as an argument of a batch file", () => {
  const files = {
    "C:\\npm\\mine.cmd": "@echo %*",
    "C:\\npm\\codex.cmd": npmScript("node", "", CODEX),
    "C:\\nodejs\\node.exe": "",
  };
  const refused = resolveCommand("mine", ["harmless"], lookup(files, { prompted: true }));
  assert("problem" in refused);
  assertStringIncludes(refused.problem, "mine.cmd is a batch file");
  assertStringIncludes(refused.problem, "{promptFile}");
  assertEquals(resolveCommand("codex", ["a & b"], lookup(files, { prompted: true })), {
    file: "C:\\nodejs\\node.exe",
    args: [`C:\\npm\\${CODEX}`, "a & b"],
  });
});

Deno.test("what a batch file of npm's runs is no way around that where it is cmd.exe's again", () => {
  const program = (target: string) => `${NPM_START}"%dp0%\\${target}"   %*\r\n`;
  const shims = [
    ...["evil.cmd", "evil.BAT", "evil.cmd.", "evil.cmd ", "evil", "..\\Windows\\cmd.exe"].map(
      program,
    ),
    npmScript("cmd", "/d /c", "evil.txt"),
    npmScript("other", "", "evil.txt"),
  ];
  for (const shim of shims) {
    const files = {
      "C:\\npm\\tool.cmd": shim,
      "C:\\npm\\other.cmd": "@echo %*",
      "C:\\nodejs\\cmd.exe": "",
    };
    const refused = resolveCommand("tool", ["x"], lookup(files, { prompted: true }));
    assert("problem" in refused, shim);
    assertStringIncludes(refused.problem, "tool.cmd is a batch file");
    const file = "C:\\npm\\tool.cmd";
    assertEquals(resolveCommand("tool", ["x"], lookup(files)), { file, args: ["x"] });
  }
});

Deno.test("cmd.exe is given what somebody wrote as its whole line, and in no other way", () => {
  const files = { "C:\\npm\\cmd.exe": "" };
  const run = (args: string[], prompted = true) =>
    resolveCommand("cmd", args, lookup(files, { prompted }));
  for (const args of [["/d", "/s", "/c", "a & b"], ["/D", "/V:ON", "/C", "a & b"]]) {
    assertEquals(run(args), { file: "C:\\npm\\cmd.exe", args });
  }
  for (
    const args of [
      ["/d", "/c", "bin\\hand.bat", "& calc"],
      ["/k", "bin\\hand.bat", "/c", "& calc"],
      ["bin\\hand.bat", "/c", "& calc"],
      ["/s/c", "& calc"],
      ["/k", "& calc"],
    ]
  ) {
    const refused = run(args);
    assert("problem" in refused, args.join(" "));
    assertStringIncludes(refused.problem, "{promptFile}");
    assertEquals(run(args, false), { file: "C:\\npm\\cmd.exe", args });
  }
});

Deno.test("cmd.exe is given its line as it was written, and several lines as a batch file", () => {
  const args = ["/d", "/s", "/c"];
  const line = 'echo "a b" & exit 3';
  const cmd = parseCmd("C:\\Windows\\System32\\cmd.exe", [...args, line]);
  assertEquals(cmd, { leading: args, line });
  assertEquals(cmdArguments(cmd!), { args: [...args, `"${line}"`] });
  assertEquals(cmdArguments({ leading: args, line: "echo a\necho b" }), {
    args: [...args, '""%ORCHESTRA_SCRIPT%""'],
    script: '@echo off\r\n@set "ORCHESTRA_SCRIPT="\r\n' +
      '@"%SystemRoot%\\System32\\chcp.com" 65001 >nul\r\necho a\r\necho b\r\n',
  });
  for (const other of [["/d", "/c"], [...args, "echo", "a"], ["echo"]]) {
    assertEquals(parseCmd("C:\\cmd.exe", other), undefined);
  }
  assertEquals(parseCmd("C:\\node.exe", [...args, line]), undefined);
});

Deno.test("mergeEnvironment sets one variable once, however it is written", () => {
  const own = { Path: "C:\\a", SystemRoot: "C:\\Windows", SECRET: "s" };
  assertEquals(mergeEnvironment(own, { PATH: "C:\\b" }, null, true), {
    SystemRoot: "C:\\Windows",
    SECRET: "s",
    PATH: "C:\\b",
  });
  assertEquals(mergeEnvironment(own, { X: "1" }, ["PATH", "SYSTEMROOT", "NONE"], true), {
    Path: "C:\\a",
    SystemRoot: "C:\\Windows",
    X: "1",
  });
  assertEquals(mergeEnvironment(own, { PATH: "b" }, ["PATH"], false), { PATH: "b" });
});

Deno.test("formatExit tells codes and signals as sh does", () => {
  assertEquals(["0", "7", "143", "137", "128"], [
    formatExit(0, null),
    formatExit(7, null),
    formatExit(null, "SIGTERM"),
    formatExit(null, "SIGKILL"),
    formatExit(null, null),
  ]);
  // What Windows calls STATUS_CONTROL_C_EXIT.
  assertEquals(formatExit(-1073741510, null), "-1073741510");
});

Deno.test("parseSpec takes a launch, and nothing that is none", () => {
  const spec: LaunchSpec = {
    pidFile: "p",
    exitFile: "e",
    logFile: "l",
    stdinFile: null,
    cwd: "c",
    command: "x",
    args: ["a"],
    env: { A: "b" },
    inherit: ["PATH"],
  };
  assertEquals(parseSpec(JSON.stringify(spec)), spec);
  assertEquals(parseSpec(JSON.stringify({ ...spec, inherit: null })), { ...spec, inherit: null });
  const whole = JSON.stringify(spec);
  for (let length = 0; length < whole.length; length++) {
    assertEquals(parseSpec(whole.slice(0, length)), undefined);
  }
  for (const key of Object.keys(spec)) {
    assertEquals(parseSpec(JSON.stringify({ ...spec, [key]: 1 })), undefined, key);
  }
});

Deno.test("the shim is a module, a bundle or the program itself, whichever there is", () => {
  const deno = "C:\\deno.exe";
  const source = shimCommand("file:///C:/o/lib/launch/windows/launcher.ts", deno, false);
  assertEquals([source[0], source[1], source.at(-1)], [
    deno,
    "run",
    "file:///C:/o/lib/launch/windows/shim.ts",
  ]);
  const bundle = shimCommand("file:///C:/o/orchestra.js", deno, false);
  assertEquals(bundle.slice(-2), ["file:///C:/o/orchestra.js", "_shim"]);
  assertEquals(shimCommand("file:///x", "C:\\orchestra.exe", true), ["C:\\orchestra.exe", "_shim"]);
});

Deno.test("taskkill is asked by its full path for each process, and never for a tree", () => {
  assertEquals(askArguments([12, 34]), ["/PID", "12", "/PID", "34"]);
  assertEquals(systemProgram("taskkill.exe", "D:\\Win"), "D:\\Win\\System32\\taskkill.exe");
  assertEquals(systemProgram("taskkill.exe", undefined), "C:\\Windows\\System32\\taskkill.exe");
});

Deno.test("parseEntry finds pid and parent in a PROCESSENTRY32W", () => {
  const bytes = new Uint8Array(ENTRY_SIZE + 8);
  const entry = bytes.subarray(8);
  const view = new DataView(entry.buffer, 8);
  view.setUint32(0, ENTRY_SIZE, true);
  view.setUint32(8, 4_000_000_001, true);
  view.setUint32(32, 1234, true);
  assertEquals(parseEntry(entry), { pid: 4_000_000_001, ppid: 1234 });
});

Deno.test("a batch file at a long path is called as it is spelled from the agent's folder", () => {
  const long = `C:\\${"d".repeat(240)}`;
  const file = `${long}/.orchestra/tasks/task_1.1.pid.cmd`;
  assertEquals(nameFrom(long, file), ".orchestra\\tasks\\task_1.1.pid.cmd");
  assertEquals(nameFrom("C:\\elsewhere", file), file);
  assertEquals(nameFrom("C:\\w", "C:\\w/.orchestra/x.cmd"), "C:\\w/.orchestra/x.cmd");
});
