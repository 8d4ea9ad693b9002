// A file that somebody else has open, as on Windows: it is waited for, and not for ever.

import { removeFile, renameFile, replaceFile, whenShared } from "../../lib/store/files.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { Folder } from "../support/store.ts";

const DENIED = () => new Deno.errors.PermissionDenied("Access denied. (os error 5): rename 'a'");

Deno.test("what Windows refuses while a file is open is done as soon as it is closed", () => {
  for (const number of [5, 32, 33]) {
    let turn = 0;
    const done = whenShared(
      "/nowhere",
      () => {
        if (turn++ < 3) throw new Error(`The file is used (os error ${number})`);
        return "done";
      },
      60_000,
      true,
    );
    assertEquals([done, turn], ["done", 4]);
  }
});

Deno.test("a file that stays open is given up, with the system's own error", () => {
  let turn = 0;
  const refused = DENIED();
  const act = () => {
    turn++;
    throw refused;
  };
  assertEquals(assertThrows(() => whenShared("/nowhere", act, 30, true)), refused);
  assert(turn > 1);
});

Deno.test("nothing is tried again where no waiting helps", () => {
  using folder = new Folder();
  const cases: [string, Error, boolean][] = [
    ["/nowhere", new Deno.errors.NotFound("(os error 2)"), true],
    ["/nowhere", new Error("There is no space (os error 112)"), true],
    // A folder in the place of the file is refused in the words of an open file.
    [folder.path, DENIED(), true],
    ["/nowhere", DENIED(), false],
  ];
  for (const [path, error, windows] of cases) {
    let turn = 0;
    const act = () => {
      turn++;
      throw error;
    };
    assertEquals(assertThrows(() => whenShared(path, act, 60_000, windows)), error);
    assertEquals(turn, 1, error.message);
  }
});

test(
  "a file that another process reads is replaced, renamed and removed on Windows",
  ON_WINDOWS,
  async () => {
    using folder = new Folder();
    const path = `${folder.path}/file`;
    const changes: Record<string, () => void> = {
      replace: () => replaceFile(path, `${path}.tmp`, "new"),
      rename: () => {
        Deno.writeTextFileSync(`${path}.new`, "new");
        renameFile(`${path}.new`, path);
      },
      remove: () => removeFile(path),
    };
    for (const [name, change] of Object.entries(changes)) {
      Deno.writeTextFileSync(path, "old");
      const code = `using file = Deno.openSync(${JSON.stringify(path)});
      console.log("open");
      Deno.stdin.readSync(new Uint8Array(1));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);`;
      await using reader = new Deno.Command(Deno.execPath(), {
        args: ["eval", "--no-config", code],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = reader.stdout.getReader();
      await output.read();
      const input = reader.stdin.getWriter();
      await input.write(new Uint8Array(1));
      change();
      const text = name === "remove" ? undefined : Deno.readTextFileSync(path);
      assertEquals(text, name === "remove" ? undefined : "new", name);
      await input.close();
      await output.cancel();
      await reader.status;
    }
  },
);
