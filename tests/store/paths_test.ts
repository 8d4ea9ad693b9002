// What never becomes a path, and where a workspace is.

import {
  createFolders,
  findRoot,
  folderInside,
  fromDrive,
  isAbsolute,
  isRefusedByWindows,
  realFolder,
  untrimmed,
} from "../../lib/store/paths.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { lstat } from "../../lib/store/files.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { formatTask } from "../../lib/task/fields.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { Folder, ID, make, names, NOW } from "../support/store.ts";

Deno.test("what is no id never becomes a path", () => {
  using folder = new Folder();
  const store = folder.store();
  for (
    const id of [
      "../outside",
      "../../outside",
      "task_1/../../outside",
      "x",
      "",
      "task_1",
      `${ID}\0`,
      `${ID}/..`,
    ]
  ) {
    const outside = formatTask({ ...make(ID), taskId: id });
    for (const path of [`${store.dir}/outside.json`, `${folder.path}/outside.json`]) {
      Deno.writeTextFileSync(path, outside);
    }
    const before = [names(folder.path), names(store.dir), names(store.tasksDir)];
    const attempts: [string, () => unknown][] = [
      ["read", () => store.read(id)],
      ["readArchived", () => store.readArchived(id)],
      ["readMark", () => store.readMark(id, "json")],
      ["writeHint", () => store.writeHint(id, "done", "x")],
      ["createMark", () => store.createMark(id, "done", "x")],
      ["removeMark", () => store.removeMark(id, "json")],
      ["write", () => store.write({ ...make(ID), taskId: id })],
      ["create", () => store.create(() => ({ ...make(ID), taskId: id }), NOW)],
    ];
    for (const [name, attempt] of attempts) {
      let result: unknown;
      try {
        result = attempt();
      } catch (error) {
        assert(error instanceof OrchestraError, `${name} ${JSON.stringify(id)}: ${error}`);
      }
      assertEquals(result, undefined, `${name} took ${JSON.stringify(id)}`);
      assertEquals(
        [names(folder.path), names(store.dir), names(store.tasksDir)],
        before,
        `${name} ${id}`,
      );
    }
  }
});

/** Names that Windows takes for a device, cuts short or keeps for other purposes. */
const REFUSED = ["con", "NUL", "com1", "Lpt9", "aux.txt", "prn .log", "conin$", "x.", "x ", "a:b"];
const MALFORMED = ["a<b", "a>b", "a|b", "what?", "all*", 'a"b', "a\nb"];

Deno.test("names that Windows makes no file of are known", () => {
  for (const name of [...REFUSED, ...MALFORMED, "a/b", "a\\b", ""]) {
    assert(isRefusedByWindows(name), JSON.stringify(name));
  }
  for (const name of ["console", "com", "com10", "nul-1", "x.con", ".con", "%con%", "ä b", "a'b"]) {
    assert(!isRefusedByWindows(name), name);
  }
});

test("nothing is at a path that Windows refuses", ON_WINDOWS, () => {
  using folder = new Folder();
  for (const name of [...REFUSED, ...MALFORMED]) {
    assertEquals(lstat(`${folder.path}/${name}`), undefined, JSON.stringify(name));
  }
});

Deno.test("a path in a task leads below .orchestra or nowhere", () => {
  using folder = new Folder();
  const store = folder.store();
  assertEquals(store.resolve(".orchestra/logs/x.log", "T"), `${store.dir}/logs/x.log`);
  assertEquals(store.resolve(".orchestra\\logs\\x.log", "T"), `${store.dir}/logs/x.log`);
  for (
    const path of [
      "/etc/passwd",
      "../x",
      ".orchestra/../x",
      ".orchestra/logs/../../x",
      ".orchestra/logs/./x",
      ".orchestra//logs/x",
      ".orchestra/logs/",
      ".orchestra/logs/x\0",
      // What Windows takes for the folder above, for the file without the dot, and for a part of it.
      ".orchestra/logs/.. /.. /x",
      ".orchestra/logs/x.",
      ".orchestra/logs/x:y",
      ".orchestra",
      ".orchestra/lock",
      "logs/x",
      "",
      "C:\\x",
      "\\\\server\\x",
      `${store.dir}/logs/x.log`,
      ...Deno.build.os === "windows" ? REFUSED.map((name) => `.orchestra/logs/${name}/x`) : [],
    ]
  ) {
    const error = assertThrows(() => store.resolve(path, "The log of T"), OrchestraError);
    assertEquals(error.code, "damaged", path);
    assertStringIncludes(error.message, "The log of T");
  }
});

Deno.test("findRoot finds the nearest workspace upwards, and none above the top", () => {
  using folder = new Folder();
  const deep = `${folder.path}/a/b/c`;
  Deno.mkdirSync(deep, { recursive: true });
  createFolders(folder.path);
  assertEquals(findRoot(deep), folder.path);
  assertEquals(findRoot(`${deep}/`), folder.path);
  createFolders(`${folder.path}/a`);
  assertEquals(findRoot(deep), `${folder.path}/a`);
  assertEquals(findRoot(`${folder.path}/a`), `${folder.path}/a`);
  const error = assertThrows(() => openStore(deep), OrchestraError);
  assertEquals([error.code, error.exitCode], ["no-workspace", 3]);
  assertStringIncludes(error.hint ?? "", "orchestra init");
});

Deno.test("a folder inside a workspace is told from those beside and above it", () => {
  using folder = new Folder();
  const root = `${folder.path}/work`;
  for (const name of ["work/in/deep", "workshop"]) {
    Deno.mkdirSync(`${folder.path}/${name}`, { recursive: true });
  }
  const real = (name: string) => Deno.realPathSync(`${folder.path}/${name}`);
  assertEquals(folderInside(root, "in/deep"), real("work/in/deep"));
  assertEquals(folderInside(root, "in/../in"), real("work/in"));
  assertEquals(folderInside(root, `${root}/in`), real("work/in"));
  assertEquals(folderInside(root, real("work/in/deep")), real("work/in/deep"));
  assertEquals(folderInside(root, "."), real("work"));
  for (const outside of ["..", "../workshop", "in/../..", `${folder.path}/workshop`, "absent"]) {
    assertEquals(folderInside(root, outside), undefined, outside);
  }
});

Deno.test("what is absolute on Windows begins with a drive and a slash, or with a slash", () => {
  for (const path of ["C:\\x", "c:/x", "\\\\server\\share", "/x"]) {
    assert(isAbsolute(path, true), path);
  }
  for (const path of ["x", "C:x", "./x", ""]) assert(!isAbsolute(path, true), path);
  for (const path of ["C:\\x", "\\x", "x"]) assert(!isAbsolute(path, false), path);
  assert(isAbsolute("/x", false));
  assertEquals(["", "C:", "/a", "C:\\a"].map(untrimmed), ["/", "C:\\", "/a", "C:\\a"]);
});

Deno.test("a path of Windows is told from its drive on", () => {
  const cwd = "C:\\work\\shop";
  const cases = [
    ["c:/Work//./shop/", "C:\\Work\\shop"],
    ["d:\\a\\..\\..\\b", "D:\\b"],
    ["c:\\", "C:\\"],
    ["..", "C:\\work"],
    ["sub/deep", "C:\\work\\shop\\sub\\deep"],
  ] as const;
  for (const [path, told] of cases) assertEquals(fromDrive(path, cwd), told, path);
  for (const path of ["\\x", "//nas/work", "C:x"]) {
    assertEquals(fromDrive(path, cwd), undefined, path);
  }
  assertEquals(fromDrive("sub", "\\\\nas\\work"), undefined);
});

test("a folder on Windows is told as its file system spells it", ON_WINDOWS, () => {
  using folder = new Folder();
  Deno.mkdirSync(`${folder.path}/Work`);
  const real = Deno.realPathSync(`${folder.path}/Work`);
  for (const path of [real.toLowerCase(), real.toUpperCase(), `${real}\\..\\WORK\\`]) {
    assertEquals(realFolder(path), real, path);
  }
  // Longer than what a file system under Wine tells the real path of.
  const long = `${real}\\${Array(5).fill("d".repeat(60)).join("\\")}`;
  Deno.mkdirSync(long, { recursive: true });
  assertEquals(realFolder(`${long}\\.`), long);
  assertThrows(() => realFolder(`${long}\\absent`), Deno.errors.NotFound);
});
