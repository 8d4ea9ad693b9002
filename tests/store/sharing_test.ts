// A file that somebody else has open, as on Windows: it is waited for, and not for ever.

import { removeFile, renameFile, replaceFile, whenShared } from "../../lib/store/files.ts";
import { toOrchestraError } from "../../lib/task/error.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { holdFile } from "../support/hold_file.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { Folder, names } from "../support/store.ts";

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

/** What is done to a file that is there. */
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  replace: (path) => replaceFile(path, `${path}.tmp`, "new"),
  rename: (path) => {
    Deno.writeTextFileSync(`${path}.new`, "new");
    renameFile(`${path}.new`, path);
  },
  remove: removeFile,
};

test(
  "a file that another process has open is replaced, renamed and removed as soon as it is closed",
  ON_WINDOWS,
  async () => {
    using folder = new Folder();
    const path = `${folder.path}/file`;
    for (const share of ["nothing", "reading", "removing"] as const) {
      for (const [name, change] of Object.entries(CHANGES)) {
        Deno.writeTextFileSync(path, "old");
        {
          await using holder = await holdFile(path, share);
          await holder.release();
          change(path);
        }
        // What was removed while somebody let others do that may keep its name until it is closed.
        assertEquals(names(folder.path), name === "remove" ? [] : ["file"], `${share} ${name}`);
        if (name !== "remove") assertEquals(Deno.readTextFileSync(path), "new");
      }
    }
  },
);

test(
  "a file that stays open in another process is as it was, and what was to come leaves nothing behind",
  ON_WINDOWS,
  async () => {
    using folder = new Folder();
    const path = `${folder.path}/file`;
    Deno.writeTextFileSync(path, "old");
    await using _holder = await holdFile(path, "reading");
    for (const change of [CHANGES.replace!, CHANGES.remove!]) {
      const error = toOrchestraError(assertThrows(() => change(path)), "Writing the file");
      assertEquals(error.code, "environment");
      assertStringIncludes(error.hint ?? "", "Close the program that has the file open");
      assertEquals([names(folder.path), Deno.readTextFileSync(path)], [["file"], "old"]);
    }
  },
);
