// What is told to type for the program itself.

import { commandOf } from "../../lib/cli/calling.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("a program on PATH is called by its name, on Windows without what it ends with", () => {
  const told = (file: string, path: string, windows = true, ...files: string[]) =>
    commandOf(file, path, windows, (path) => files.includes(path));
  assertEquals(told("/opt/o/orchestra.js", "/bin:/opt/o", false), "orchestra.js");
  assertEquals(told("/opt/o/orchestra", "/bin", false), undefined);
  assertEquals(told("C:\\Tools\\orchestra.exe", "C:\\Windows;c:/tools/"), "orchestra");
  assertEquals(told("C:/Tools/orchestra.exe", "C:\\Windows"), undefined);
  // The one file is started by a batch file beside it, or by nobody.
  const [file, batch] = ["C:/Tools/orchestra.js", "C:/Tools/orchestra.cmd"];
  assertEquals(told(file, "C:\\Tools", true, batch), "orchestra");
  assertEquals(told(file, "C:\\Tools"), undefined);
});
