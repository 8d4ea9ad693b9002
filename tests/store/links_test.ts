// Nothing follows a link that was planted.

import { createFolders } from "../../lib/store/paths.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { openNamed } from "../../lib/store/files.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { readLogEnd } from "../../lib/queue/observe.ts";
import { formatTask } from "../../lib/task/fields.ts";
import { linking, ON_POSIX, succeeds, test } from "../support/needs.ts";
import { Folder, ID, idOf, make, names, NOW } from "../support/store.ts";

test(
  "a folder of the workspace that is a link is refused, and its target untouched",
  linking(),
  () => {
    for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
      using folder = new Folder();
      const elsewhere = `${folder.path}/elsewhere`;
      Deno.mkdirSync(elsewhere);
      const work = `${folder.path}/work`;
      Deno.mkdirSync(work);
      createFolders(work);
      Deno.removeSync(`${work}/.orchestra${name}`, { recursive: true });
      Deno.symlinkSync(elsewhere, `${work}/.orchestra${name}`);
      for (const open of [() => openStore(work), () => createFolders(work)]) {
        const error = assertThrows(() => open(), OrchestraError, "symbolic link");
        assertEquals(error.code, "damaged");
        assertStringIncludes(error.message, `.orchestra${name}`);
      }
      assertEquals(names(elsewhere), []);
    }
  },
);

Deno.test("a file in the place of the workspace or of one of its folders is refused", () => {
  for (const name of ["", "/tasks", "/logs"]) {
    using folder = new Folder();
    createFolders(folder.path);
    Deno.removeSync(`${folder.path}/.orchestra${name}`, { recursive: true });
    Deno.writeTextFileSync(`${folder.path}/.orchestra${name}`, "");
    assertEquals(
      assertThrows(() => openStore(folder.path), OrchestraError, "not a folder").code,
      "damaged",
    );
  }
});

test(
  "no write goes through a link that was planted, and no read comes from behind it",
  linking(),
  () => {
    using folder = new Folder();
    const store = folder.store();
    const secret = `${folder.path}/secret`;
    const content = formatTask({ ...make(ID), prompt: "secret" });
    const plant = (path: string) => {
      Deno.writeTextFileSync(secret, content);
      Deno.symlinkSync(secret, path);
    };
    const untouched = () => assertEquals(Deno.readTextFileSync(secret), content);
    const json = `${store.tasksDir}/${ID}.json`;

    plant(json);
    assertThrows(() => store.read(ID), OrchestraError, "not a regular file");
    assertEquals(store.scan().tasks, []);
    assertMatch(store.scan().damaged[0]!.problem, /symbolic link/);
    assertEquals(store.create(make, NOW).taskId, idOf(1));
    store.write({ ...make(ID), agent: "b" });
    untouched();
    assertEquals(Deno.lstatSync(json).isSymlink, false);
    assertEquals(store.read(ID)!.agent, "b");

    const done = store.markPath(ID, "done");
    plant(done);
    assertEquals(store.readMark(ID, "done")?.text, "");
    assertEquals(store.createMark(ID, "done", "x"), false);
    untouched();
    store.writeHint(ID, "done", "ours");
    untouched();
    assertEquals(store.readMark(ID, "done")?.text, "ours");
    store.removeMark(ID, "done");
    plant(done);
    store.removeMark(ID, "done");
    untouched();
    // A link to nowhere must not be filled either.
    Deno.symlinkSync(`${folder.path}/nowhere`, done, { type: "file" });
    assertEquals(store.createMark(ID, "done", "x"), false);
    assertEquals(names(folder.path), [".orchestra", "secret"]);

    const config = `${store.dir}/config.json`;
    plant(config);
    assertThrows(() => store.readFile(config), OrchestraError, "not a regular file");
    store.writeFile(config, "{}");
    untouched();

    Deno.removeSync(`${store.dir}/lock`);
    plant(`${store.dir}/lock`);
    assertEquals(
      assertThrows(() => store.locked(() => {}), OrchestraError, "symbolic link").code,
      "damaged",
    );
    untouched();
    Deno.removeSync(`${store.dir}/lock`);
    Deno.symlinkSync(`${folder.path}/nowhere`, `${store.dir}/lock`, { type: "file" });
    assertThrows(() => store.locked(() => {}), OrchestraError, "symbolic link");
    assertEquals(names(folder.path), [".orchestra", "secret"]);

    Deno.removeSync(`${store.dir}/logs`);
    Deno.symlinkSync(folder.path, `${store.dir}/logs`);
    assertThrows(
      () => store.resolve(".orchestra/logs/secret", "Reading"),
      OrchestraError,
      "symbolic link",
    );
  },
);

test(
  "a link planted under the name of a write in progress is not written through",
  linking(),
  () => {
    using folder = new Folder();
    const store = folder.store();
    const secret = `${folder.path}/secret`;
    Deno.writeTextFileSync(secret, "secret");
    // Whatever name is chosen for the file beside, it is opened exclusively.
    const { openSync } = Deno;
    const host = Deno as { openSync: typeof Deno.openSync };
    let planted = 0;
    host.openSync = (path, options) => {
      if (String(path).endsWith(".tmp") && planted === 0) {
        planted++;
        Deno.symlinkSync(secret, String(path));
      }
      return openSync(path, options);
    };
    try {
      store.write(make(ID));
    } finally {
      host.openSync = openSync;
    }
    assertEquals(planted, 1);
    assertEquals(Deno.readTextFileSync(secret), "secret");
    assertEquals(store.read(ID), make(ID));
    assertEquals(Deno.lstatSync(`${store.tasksDir}/${ID}.json`).isSymlink, false);
  },
);

test("what is exchanged between the look and the opening is not read", linking(), () => {
  using folder = new Folder();
  const store = folder.store();
  const secret = `${folder.path}/secret`;
  Deno.writeTextFileSync(secret, formatTask({ ...make(ID), prompt: "secret" }));
  const log = `${store.dir}/logs/${ID}.log`;
  const reads: Record<string, () => unknown> = {
    [`${store.tasksDir}/${ID}.error`]: () => store.readMark(ID, "error")?.text,
    [`${store.tasksDir}/${ID}.json`]: () => store.tryRead(ID),
    [`${store.dir}/config.json`]: () => store.readFile(`${store.dir}/config.json`),
    [log]: () => readLogEnd(store, make(ID)),
  };
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  for (const [path, read] of Object.entries(reads)) {
    Deno.writeTextFileSync(path, path.endsWith(".json") ? formatTask(make(ID)) : "mine");
    let opened = 0;
    host.openSync = (name, options) => {
      if (name === path && opened++ === 0) {
        Deno.removeSync(path);
        Deno.symlinkSync(secret, path);
      }
      return openSync(name, options);
    };
    let text: string;
    try {
      text = JSON.stringify(read()) ?? "";
    } catch (error) {
      text = String(error);
    } finally {
      host.openSync = openSync;
    }
    assertEquals([opened, text.includes("secret")], [1, false], text);
    Deno.removeSync(path);
  }
});

Deno.test("a file that is replaced while it is opened is read as it is then", () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  let opened = 0;
  let isWriting = false;
  host.openSync = (name, options) => {
    if (!isWriting && String(name).endsWith(`tasks/${ID}.json`) && opened++ < 3) {
      isWriting = true;
      store.write({ ...make(ID), agent: `b${opened}` });
      isWriting = false;
    }
    return openSync(name, options);
  };
  try {
    assertEquals(store.read(ID)?.agent, "b3");
  } finally {
    host.openSync = openSync;
  }
});

Deno.test("a sentinel that is another file as well says only what its name says", () => {
  using folder = new Folder();
  const store = folder.store();
  Deno.writeTextFileSync(`${folder.path}/private`, "private");
  for (const mark of ["done", "error"]) {
    Deno.linkSync(`${folder.path}/private`, store.markPath(ID, mark));
    assertEquals(store.readMark(ID, mark)?.text, "");
  }
});

test("a sentinel that is exchanged for a pipe just now is not waited for", ON_POSIX, () => {
  using folder = new Folder();
  const store = folder.store();
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  for (const mark of ["done", "error"]) {
    const path = store.markPath(ID, mark);
    Deno.writeTextFileSync(path, "mine");
    let opened = 0;
    host.openSync = (name, options) => {
      if (name === path && opened++ === 0) {
        Deno.removeSync(path);
        assert(succeeds("mkfifo", path));
      }
      return openSync(name, options);
    };
    try {
      assertEquals(store.readMark(ID, mark)?.text, "");
    } finally {
      host.openSync = openSync;
    }
    assertEquals(opened, 1);
  }
});

test("a link that is put there between look and opening makes nothing elsewhere", linking(), () => {
  const look = Deno.lstatSync;
  try {
    for (const standing of [false, true]) {
      using folder = new Folder();
      const [path, elsewhere] = [`${folder.path}/file`, `${folder.path}/elsewhere`];
      if (standing) Deno.writeTextFileSync(path, "");
      Deno.lstatSync = (name) => {
        Deno.lstatSync = look;
        try {
          return look(name);
        } finally {
          if (standing) Deno.removeSync(path);
          Deno.symlinkSync(elsewhere, path);
        }
      };
      assertEquals(openNamed(path, { append: true }), undefined);
      assertEquals(names(folder.path), ["file"]);
    }
  } finally {
    Deno.lstatSync = look;
  }
});
