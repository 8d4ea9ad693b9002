// `archive import`: what an older workspace archived elsewhere becomes part of this one's archive.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { LEGACY, writeLegacyWorkspace } from "../support/legacy.ts";
import { linking, test } from "../support/needs.ts";
import { type Box, makeBox, makeFolder, openBox, runProgram } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

const DONE = LEGACY.complete;

function readText(path: string): string {
  return Deno.readTextFileSync(path);
}

/** Moves a finished task of the ancestor as the ancestor archived it, into any folder. */
function archiveAsAncestor(box: Box, id: string, folder: string): void {
  Deno.mkdirSync(folder, { recursive: true });
  const files = [`tasks/${id}.json`, `plans/${id}_plan.md`, `logs/${id}.log`];
  for (const file of files) {
    Deno.renameSync(box.path(file), `${folder}/${file.slice(file.indexOf("/") + 1)}`);
  }
}

/** A workspace of the ancestor with an archive elsewhere. */
async function makeOld(folder: string) {
  const box = await makeBox();
  writeLegacyWorkspace(box.root);
  archiveAsAncestor(box, DONE, `${box.root}/${folder}`);
  return box;
}

Deno.test("an older archive is brought in whole, and the originals stay", async () => {
  await using box = await makeOld("old/archive");
  const folder = Deno.realPathSync(`${box.root}/old/archive`);
  const before = readText(`${folder}/${DONE}.json`);
  // As the warning about the setting says it: from the root, wherever one is.
  Deno.mkdirSync(`${box.root}/src`);
  const first = await runProgram(`${box.root}/src`, ["archive", "import", "old/archive", "--json"]);
  assertEquals([first.code, first.stderr], [0, ""]);
  assertEquals(JSON.parse(first.stdout), {
    folder,
    imported: [DONE],
    skipped: [],
    problems: [],
  });
  assertEquals(readText(box.path(`archive/${DONE}.json`)), before);
  for (const ending of [".json", "_plan.md", ".log"]) {
    assertEquals(
      readText(`${folder}/${DONE}${ending}`),
      readText(box.path(`archive/${DONE}${ending}`)),
    );
  }
  assertMode(box.path(`archive/${DONE}.log`), 0o600);
  assertEquals((await box.json("archive", "list")).length, 1);
  assertEquals((await box.json("show", DONE)).task.status, "complete");

  const again = await box.run("archive", "import", "old/archive");
  assertEquals([again.code, again.stdout], [0, `Imported 0 tasks from ${folder}\n`]);
  assertStringIncludes(again.stderr, `Skipped 1 here already: ${DONE}\n`);
  await box.ok("archive", "restore", DONE);
  assertEquals((await box.json("archive", "import", "old/archive")).skipped, [DONE]);
  assertEquals(readText(box.path(`plans/${DONE}_plan.md`)), readText(`${folder}/${DONE}_plan.md`));
});

/** Puts a task beside the finished one in a folder of the ancestor's archive. */
function put(box: Box, id: string, change: Record<string, unknown> = {}): void {
  const task = JSON.parse(readText(`${box.root}/old/${DONE}.json`));
  const text = JSON.stringify({ ...task, taskId: id, ...change });
  Deno.writeTextFileSync(`${box.root}/old/${id}.json`, text);
}

/** Imports what has problems, and tells what was imported and which file has which. */
async function importProblems(box: Box): Promise<[imported: string[], Map<string, string>]> {
  const { code, stdout } = await box.run("archive", "import", "old", "--json");
  assertEquals(code, 5);
  const { imported, problems } = JSON.parse(stdout);
  return [imported, new Map(problems.map((it: Record<string, string>) => [it.file, it.problem]))];
}

function archived(box: Box): string[] {
  return [...Deno.readDirSync(box.path("archive"))].map(({ name }) => name).sort();
}

Deno.test("a damaged task is named and left", async () => {
  await using box = await makeOld("old");
  const ids = [1, 2, 3, 4].map((at) => `task_179533156000${at}`);
  const [broken, pending, foreign, sound] = ids as [string, string, string, string];
  Deno.writeTextFileSync(`${box.root}/old/${broken}.json`, "{");
  put(box, pending, { status: "pending" });
  put(box, foreign, { taskId: sound });
  put(box, sound);
  Deno.writeTextFileSync(`${box.root}/old/task_x.json`, "{}");
  Deno.writeTextFileSync(`${box.root}/old/notes.json`, "no task");

  const [imported, told] = await importProblems(box);
  assertEquals(imported, [sound, DONE].sort());
  assertEquals(
    [...told.keys()],
    [`${broken}.json`, `${pending}.json`, `${foreign}.json`, "task_x.json"],
  );
  assertEquals(
    archived(box),
    [`${DONE}.json`, `${DONE}.log`, `${DONE}_plan.md`, `${sound}.json`].sort(),
  );
  const { stderr } = await box.run("archive", "import", "old");
  assertStringIncludes(stderr, `It stays: ${broken}.json is not valid JSON`);
});

test("a task that is a link, or whose files are, is named and left", linking(), async () => {
  await using box = await makeOld("old");
  await using other = await makeFolder();
  const ids = [1, 2, 3].map((at) => `task_179533156000${at}`);
  const [linked, sound, link] = ids as [string, string, string];
  put(box, linked);
  Deno.writeTextFileSync(`${other.path}/secret`, "secret");
  Deno.symlinkSync(`${other.path}/secret`, `${box.root}/old/${linked}.log`);
  put(box, sound);
  Deno.symlinkSync(`${box.root}/old/${sound}.json`, `${box.root}/old/${link}.json`);

  const [imported, told] = await importProblems(box);
  assertEquals(imported, [sound, DONE].sort());
  assertEquals([...told.keys()], [`${linked}.log`, `${link}.json`]);
  assertEquals(told.get(`${linked}.log`), "is a symbolic link, which is not followed");
  assertEquals(
    archived(box),
    [`${DONE}.json`, `${DONE}.log`, `${DONE}_plan.md`, `${sound}.json`].sort(),
  );
});

/** Tells why an import of a folder is refused, which must leave the archive as it was. */
async function refusal(box: Box, folder: string): Promise<string> {
  const { text } = await box.fails(2, "archive", "import", folder);
  assertEquals(archived(box), []);
  return text;
}

Deno.test("what is no folder of an archive is refused, and nothing is made of it", async () => {
  await using box = await makeOld("old");
  assertStringIncludes(await refusal(box, "nowhere"), "there is no such folder");
  assertStringIncludes(await refusal(box, `old/${DONE}.json`), "no folder");
  assertStringIncludes(await refusal(box, ".orchestra/archive"), "own archive");
});

test("a link to a folder of an archive is refused", linking(), async () => {
  await using box = await makeOld("old");
  Deno.symlinkSync(`${box.root}/old`, `${box.root}/link`);
  assertStringIncludes(await refusal(box, "link"), "symbolic link");
  assertStringIncludes(await refusal(box, "link/"), "symbolic link");
});

Deno.test("what a killed import leaves is removed by doctor --fix", async () => {
  await using box = await makeOld("old");
  const left = box.path(`archive/${DONE}.log.999999999.tmp`);
  Deno.writeTextFileSync(left, "half");
  // Somebody whom we do not see may just be writing it.
  await box.run("doctor", "--fix");
  assertEquals([...Deno.readDirSync(box.path("archive"))].length, 1);
  const earlier = new Date(Date.now() - 120_000);
  Deno.utimeSync(left, earlier, earlier);
  await box.run("doctor", "--fix");
  assertEquals([...Deno.readDirSync(box.path("archive"))].length, 0);
  assertEquals((await box.json("archive", "import", "old")).imported, [DONE]);
});

Deno.test("a clone, which has no queue yet, can import", async () => {
  await using box = await makeOld("old");
  await using folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.orchestra-cli`);
  const clone = openBox(folder.path);
  await clone.ok("archive", "import", `${box.root}/old`);
  assert((await clone.json("archive", "stats")).tasks === 1);
});
