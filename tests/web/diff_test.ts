// What the API tells of a task's changes, within its bounds; and how the page parts a patch into lines.

import { MOST_SHOWN } from "../../lib/web/diff.ts";
import { difference, parseHunks, sideBySide } from "../../lib/web/page/diff/hunks.ts";
import { SCHEMAS } from "../../lib/web/schemas.ts";
import type { WireDiff } from "../../lib/web/wire.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { MODES, needs, test } from "../support/needs.ts";
import { makeChanged } from "./changes.ts";
import { assertFits } from "./fits.ts";
import { addTask } from "./support.ts";
import { type Here, serveHere } from "./server.ts";

/** Files with names that Windows has not are among them. */
const GIT = needs("git") ?? MODES;

const lines = (count: number, text = "line") =>
  Array.from({ length: count }, (_, at) => `${text} ${at}\n`).join("");

/** Asks for the changes of a task; they fit their schema. */
async function ask(here: Here, id: string, query = ""): Promise<WireDiff> {
  const diff = await here.get(`/workspaces/box/tasks/${id}/diff${query}`);
  assertFits(diff, SCHEMAS.Diff, query);
  return diff;
}

const byPath = ({ files }: WireDiff) => new Map(files.map((file) => [file.path, file]));

test("the API tells all files, and the hunks of those that can be read at once", GIT, async () => {
  await using changed = await makeChanged({ "a.txt": "one\n", "old.txt": lines(40) });
  const { id, base, tip } = await changed.task({
    "a.txt": "two\n",
    "old.txt": null,
    "new.txt": lines(40).replace("line 7\n", "line seven\n"),
    "large.txt": lines(401),
    "just.txt": lines(400),
    "binary": "a\0b",
  });
  await using here = await serveHere([{ name: "box", root: changed.box.root }]);
  const diff = await ask(here, id);
  const { files: _, ...rest } = diff;
  assertEquals(rest, {
    ...{ branch: "orchestra/t1", base, tip, more: 0 },
    ...{ insertions: 803, deletions: 2 },
  });
  const files = byPath(diff);
  assertEquals(files.get("a.txt")!.patch, "@@ -1 +1 @@\n-one\n+two\n");
  assertEquals([files.get("new.txt")!.from, files.get("new.txt")!.change], ["old.txt", "renamed"]);
  assertEquals([files.get("large.txt")!.patch, files.get("large.txt")!.left], [null, "large"]);
  assertEquals(files.get("just.txt")!.left, null);
  assertEquals([files.get("binary")!.patch, files.get("binary")!.left], [null, "binary"]);
  // Asked for by its name the large one comes, and nothing else.
  const one = await ask(here, id, "?path=large.txt");
  assertEquals(one.files.map(({ path, left }) => [path, left]), [["large.txt", null]]);
  assertEquals(one.files[0]!.patch!.split("\n").length, 403);
  assertEquals([one.insertions, one.more], [803, 0]);
  // A list has the numbers of it, and no names.
  const { tasks: [row] } = await here.get("/workspaces/box/tasks");
  assertEquals([row.git.files, row.git.insertions, "paths" in row.git], [5, 803, false]);
  assertEquals((await here.get(`/workspaces/box/tasks/${id}`)).task.git.paths.length, 5);
  // As the task is named, so it is asked for.
  assertEquals(await ask(here, "@last"), diff);
});

test(
  "many files are listed, the first of them with their hunks, and large ones are cut",
  GIT,
  async () => {
    await using changed = await makeChanged({ "a.txt": "one\n" });
    const many = Object.fromEntries(
      Array.from({ length: 1100 }, (_, at) => [`many/${1000 + at}.txt`, `${at}\n`]),
    );
    const { id } = await changed.task({ ...many, "zz.txt": "x".repeat(3_000_000) });
    await using here = await serveHere([{ name: "box", root: changed.box.root }]);
    const diff = await ask(here, id);
    assertEquals([diff.files.length, diff.more], [1000, 101]);
    assertEquals(diff.files.filter(({ patch }) => patch !== null).length, MOST_SHOWN);
    assertEquals(diff.files[MOST_SHOWN]!.left, "many");
    assertEquals(
      (await ask(here, id, "?path=many/2099.txt")).files[0]!.patch,
      "@@ -0,0 +1 @@\n+1099\n",
    );
    const [large] = (await ask(here, id, "?path=zz.txt")).files;
    assertEquals(large!.left, "size");
    assert(large!.patch !== null && large!.patch.length <= 2 * 1024 * 1024);
  },
);

test("hunks of several files together are no more than 2 MB", GIT, async () => {
  await using changed = await makeChanged({ "a.txt": "one\n" });
  const big = `${"x".repeat(300_000)}\n`;
  const { id } = await changed.task(
    Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`f${10 + at}`, big])),
  );
  await using here = await serveHere([{ name: "box", root: changed.box.root }]);
  const { files } = await ask(here, id);
  const sizes = files.map(({ patch }) => patch?.length ?? 0);
  assert(sizes.reduce((sum, size) => sum + size, 0) <= 2 * 1024 * 1024, String(sizes));
  assertEquals(files.filter(({ left }) => left === null).length, 6);
  assertEquals(files.filter(({ left }) => left === "size").length, 6);
});

test("what cannot be told is refused with its reason", GIT, async () => {
  await using changed = await makeChanged({ "a.txt": "one\n" });
  const { id } = await changed.task({ "a.txt": "two\n" });
  const plain = addTask(changed.box);
  await using here = await serveHere([{ name: "box", root: changed.box.root }]);
  const refused = async (task: string, query: string, status: number) => {
    const response = await here.ask(`/workspaces/box/tasks/${task}/diff${query}`);
    const body = await response.json();
    assertEquals(response.status, status, JSON.stringify(body));
    assertFits(body, SCHEMAS.Error, query);
    return body.error.message as string;
  };
  assertStringIncludes(await refused(plain, "", 409), "has no branch");
  assertStringIncludes(await refused("task_1234567890", "", 404), "No task");
  assertStringIncludes(await refused(id, "?path=b.txt", 400), "did not change");
  assertStringIncludes(await refused(id, "?path=..%2F..%2Fetc%2Fpasswd", 400), "did not change");
  assertStringIncludes(await refused(id, "?against=--output%3Dx", 400), "--output=x");
  assertStringIncludes(await refused(id, "?againts=main", 400), "means nothing here");
  assertEquals((await ask(here, id, "?against=main")).files.length, 1);
});

test(
  "changed files have any names, and settings of the repository start nothing",
  GIT,
  async () => {
    await using changed = await makeChanged({
      "a.txt": "one\n",
      ".gitattributes": "* diff=evil\n",
    });
    const names = ["line\nbreak", "<b>", '"', "%2e", "a b", "?x=1&y", ":(top)a.txt", "\u202eevil"];
    const { id, path } = await changed.task(
      Object.fromEntries(names.map((name) => [name, "x\n"])),
      { running: true },
    );
    const mark = `${changed.box.root}/started`;
    for (
      const key of ["diff.external", "diff.evil.command", "diff.evil.textconv", "core.fsmonitor"]
    ) {
      await changed.git("config", key, `touch '${mark}'; false`);
    }
    // And one whose name is no text.
    await new Deno.Command("sh", {
      args: ["-c", `printf 'y\\n' >"$(printf '\\377.t')"`],
      cwd: path,
    }).output();
    await using here = await serveHere([{ name: "box", root: changed.box.root }]);
    const files = byPath(await ask(here, id));
    for (const name of names) {
      assertEquals(files.get(name)?.patch, "@@ -0,0 +1 @@\n+x\n", name);
      const query = `?${new URLSearchParams({ path: name })}`;
      assertEquals((await ask(here, id, query)).files[0]!.path, name);
    }
    assertEquals(files.get("\ufffd.t")?.left, "name");
    assertEquals(
      [...Deno.readDirSync(changed.box.root)].some(({ name }) => name === "started"),
      false,
    );
  },
);

Deno.test("a patch is parted into lines with their numbers, whatever is in them", () => {
  const patch = "@@ -1,3 +1,3 @@ head\n one\n-two\n+2\n three\n@@ -10 +10,2 @@\n-@@ -1 +1 @@\n" +
    "\\ No newline at end of file\n+\n++++ b/x\r\n";
  const hunks = parseHunks(patch);
  assertEquals(hunks.map(({ head }) => head), ["@@ -1,3 +1,3 @@ head", "@@ -10 +10,2 @@"]);
  assertEquals(
    hunks.map(({ lines }) =>
      lines.map(({ kind, text, before, after, open }) => [kind, text, before, after, open])
    ),
    [
      [
        ["same", "one", 1, 1, false],
        ["removed", "two", 2, null, false],
        ["added", "2", null, 2, false],
        ["same", "three", 3, 3, false],
      ],
      [
        ["removed", "@@ -1 +1 @@", 10, null, true],
        ["added", "", null, 10, false],
        ["added", "+++ b/x\r", null, 11, false],
      ],
    ],
  );
  assertEquals(parseHunks(""), []);
  assertEquals(parseHunks("nonsense\n"), []);
});

Deno.test("side by side, what came stands beside what went", () => {
  const [hunk] = parseHunks("@@ -1,4 +1,3 @@\n a\n-b\n-c\n+d\n e\n+f\n");
  assertEquals(
    sideBySide(hunk!.lines).map((pair) => pair.map((line) => line?.text ?? null)),
    [["a", "a"], ["b", "d"], ["c", null], ["e", "e"], [null, "f"]],
  );
});

Deno.test("what within a line is another is marked, where that says something", () => {
  const marked = (one: string, other: string) => {
    const found = difference(one, other);
    return found?.map(([from, to], at) => [one, other][at]!.slice(from, to));
  };
  assertEquals(marked("const limit = 1;", "const limit = 20;"), ["1", "20"]);
  assertEquals(marked("f(a)", "f(a, b)"), ["", ", b"]);
  assertEquals(marked("aaa", "aa"), ["a", ""]);
  assertEquals(marked("completely", "different"), undefined);
  assertEquals(marked("", "x"), undefined);
  // Both begin with the same half of a character of two units.
  assertEquals(marked("a face 😀 here", "a face 😁 here"), ["😀", "😁"]);
  assertEquals(marked("x 𐀀 long text", "x 𐐀 long text"), ["𐀀", "𐐀"]);
  assertEquals(difference("x".repeat(3000), "x".repeat(3001)), undefined);
  const [hunk] = parseHunks("@@ -1 +1 @@\n-let one = 1;\n+let one = 2;\n");
  assertEquals(hunk!.lines.map(({ mark }) => mark), [[10, 11], [10, 11]]);
});
