// The registry of workspaces, against whoever writes into it what does not belong there.

import {
  addWorkspace,
  type KnownWorkspace,
  listWorkspaces,
  mainCheckout,
  registryProblem,
  removeWorkspace,
} from "../../lib/workspaces/registry.ts";
import { hash } from "../../lib/task/hash.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { SmallDisk } from "../support/disk.ts";
import { linking, mounting, needs, ON_POSIX, succeeds, test } from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

const AS_ROOT = ON_POSIX ??
  (Deno.uid() === 0 ? null : "only root can give a file to somebody else");
const NOBODY = 65534;

/** A place for workspaces, and a registry beside it. */
async function makeShelf() {
  const folder = await makeFolder();
  const registry = `${folder.path}/state/orchestra/workspaces`;
  return {
    path: folder.path,
    registry,
    /** Makes a workspace. */
    workspace(name: string): string {
      const root = `${folder.path}/${name}`;
      Deno.mkdirSync(`${root}/.orchestra`, { recursive: true });
      return root;
    },
    add: (root: string, name?: string) => addWorkspace(root, name, registry),
    names: () => listWorkspaces(registry).map(({ name }) => name),
    list: () => listWorkspaces(registry),
    entry: (root: string) => `${registry}/${hash(root)}.json`,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** The code and the text of what was thrown. */
function thrown(act: () => unknown): { code: string; message: string } {
  return assertThrows(act, OrchestraError) as OrchestraError;
}

Deno.test("a workspace is known by its folder's name, once, until it is removed", async () => {
  await using shelf = await makeShelf();
  const root = shelf.workspace("app");
  assertEquals(shelf.list(), []);
  assertEquals(shelf.add(root), { name: "app", root });
  assertEquals(shelf.add(root), { name: "app", root });
  assertEquals(shelf.list(), [{ name: "app", root }]);
  assertEquals(removeWorkspace(root, shelf.registry), true);
  assertEquals(removeWorkspace(root, shelf.registry), false);
  assertEquals(shelf.list(), []);
  assert(Deno.lstatSync(`${root}/.orchestra`).isDirectory);
  assertMode(shelf.registry, 0o700);
});

Deno.test("names that collide get numbers, and one that somebody chose is nobody else's", async () => {
  await using shelf = await makeShelf();
  const roots = ["a/app", "b/app", "c/app"].map(shelf.workspace);
  assertEquals(roots.map((root) => shelf.add(root).name), ["app", "app-2", "app-3"]);
  const other = shelf.workspace("other");
  assertEquals(thrown(() => shelf.add(other, "app-2")).code, "usage");
  for (const name of ["", "-x", "a b", "a/b", "..", "x".repeat(62), "a\nb", "\u202eabc"]) {
    assertEquals(thrown(() => shelf.add(other, name)).code, "usage", JSON.stringify(name));
  }
  assertEquals(shelf.add(other, "mine").name, "mine");
  // Another name is another name for the same one.
  assertEquals(shelf.add(other, "yours").name, "yours");
  assertEquals(shelf.names(), ["app", "app-2", "app-3", "yours"]);
});

Deno.test("a folder of any name gives a name that can be typed", async () => {
  await using shelf = await makeShelf();
  const named = (folder: string) => shelf.add(shelf.workspace(folder)).name;
  assertEquals(named("two words"), "two-words");
  assertEquals(named("-rf"), "rf");
  // Windows refuses such names itself.
  if (ON_POSIX === null) {
    assertEquals(named("..."), "workspace");
    assertEquals(named("\u001b[31mred"), "31mred");
  }
  assertEquals(named("プロジェクト"), "プロジェクト".normalize("NFC"));
  assertEquals(named("x".repeat(200)), "x".repeat(50));
  for (const name of shelf.names()) assertMatch(name, /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,60}$/u);
});

Deno.test("what is gone is told of once and forgotten, and what cannot be seen is not gone", async () => {
  await using shelf = await makeShelf();
  const [here, gone] = ["here", "gone"].map(shelf.workspace) as [string, string];
  shelf.add(here);
  shelf.add(gone);
  Deno.removeSync(gone, { recursive: true });
  const told: KnownWorkspace[] = [];
  assertEquals(listWorkspaces(shelf.registry, (one) => told.push(one)), [
    { name: "here", root: here },
  ]);
  assertEquals(told, [{ name: "gone", root: gone }]);
  listWorkspaces(shelf.registry, () => assert(false, "told twice"));
  // A path through a file leads nowhere.
  Deno.removeSync(here, { recursive: true });
  Deno.writeTextFileSync(here, "");
  assertEquals(shelf.list(), []);
});

Deno.test("where the workspaces may not be looked at, none of them is taken for gone", async () => {
  await using shelf = await makeShelf();
  const root = shelf.workspace("app");
  shelf.add(root);
  const code = `import { listWorkspaces } from ${
    JSON.stringify(new URL("../../lib/workspaces/registry.ts", import.meta.url).href)
  }; console.log(JSON.stringify(listWorkspaces(${JSON.stringify(shelf.registry)})));`;
  Deno.writeTextFileSync(`${shelf.path}/list.ts`, code);
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-read=${shelf.registry}`,
      `--allow-write=${shelf.registry}`,
      "--allow-sys=uid",
      `${shelf.path}/list.ts`,
    ],
    stderr: "null",
  }).outputSync();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [{ name: "app", root }]);
  assertEquals(shelf.names(), ["app"]);
});

Deno.test("what stands in the folder and is no entry of ours is passed over", async () => {
  await using shelf = await makeShelf();
  const root = shelf.workspace("app");
  shelf.add(root);
  const other = shelf.workspace("other");
  const good = JSON.stringify({ name: "other", root: other });
  const write = (file: string, text: string) =>
    Deno.writeTextFileSync(`${shelf.registry}/${file}`, text);
  // Under a name that is not its own.
  write("0000.json", good);
  write(`${hash(other)}.txt`, good);
  const bad: Record<string, unknown> = {
    "not-json": "{",
    "null": null,
    "list": [],
    "no-root": { name: "x" },
    "no-name": { root: other },
    "long-name": { name: "x".repeat(100), root: other },
    "escape": { name: "\u001b[31m", root: other },
    "relative": { name: "x", root: "tests" },
    "nul": { name: "x", root: `${other}\0` },
  };
  for (const [name, value] of Object.entries(bad)) {
    const { root = name } = (value ?? {}) as { root?: string };
    write(`${hash(root)}.json`, typeof value === "string" ? value : JSON.stringify(value));
    assertEquals(shelf.names(), ["app"], name);
  }
  // Large, a folder, a pipe.
  const entry = shelf.entry(other);
  write(`${hash(other)}.json`, good + " ".repeat(100_000));
  assertEquals(shelf.names(), ["app"]);
  Deno.removeSync(entry);
  Deno.mkdirSync(entry);
  assertEquals(shelf.names(), ["app"]);
  // What stands in its way is set aside, and nothing of it is lost.
  assertEquals(shelf.add(other).name, "other");
  assertEquals(shelf.names(), ["app", "other"]);
  assert([...Deno.readDirSync(shelf.registry)].some(({ name }) => name.includes(".damaged-")));
  Deno.removeSync(entry);
  if (succeeds("mkfifo", entry)) assertEquals(shelf.names(), ["app"]);
});

test("a link in place of an entry is not followed", linking(), async () => {
  await using shelf = await makeShelf();
  shelf.add(shelf.workspace("app"));
  const other = shelf.workspace("other");
  const elsewhere = `${shelf.path}/elsewhere.json`;
  Deno.writeTextFileSync(elsewhere, JSON.stringify({ name: "other", root: other }));
  Deno.symlinkSync(elsewhere, shelf.entry(other));
  assertEquals(shelf.names(), ["app"]);
});

test("a link in place of the folder is not followed, to read or to write", linking(), async () => {
  await using shelf = await makeShelf();
  const root = shelf.workspace("app");
  shelf.add(root);
  const aside = `${shelf.path}/aside`;
  Deno.renameSync(shelf.registry, aside);
  Deno.symlinkSync(aside, shelf.registry);
  const before = [...Deno.readDirSync(aside)].map(({ name }) => name).sort();
  assertEquals(shelf.list(), []);
  assertEquals(registryProblem(shelf.registry), "is a symbolic link");
  const { code, message } = thrown(() => shelf.add(shelf.workspace("other")));
  assertEquals(code, "damaged");
  assertMatch(message, /is a symbolic link/);
  assertEquals(removeWorkspace(root, shelf.registry), false);
  assertEquals([...Deno.readDirSync(aside)].map(({ name }) => name).sort(), before);
  Deno.removeSync(shelf.registry);
  Deno.writeTextFileSync(shelf.registry, "");
  assertEquals(shelf.list(), []);
  assertMatch(thrown(() => shelf.add(root)).message, /is no folder/);
});

test("what another user has put there does not count", AS_ROOT, async () => {
  await using shelf = await makeShelf();
  const [mine, theirs] = ["mine", "theirs"].map(shelf.workspace) as [string, string];
  shelf.add(mine);
  shelf.add(theirs);
  Deno.chownSync(shelf.entry(theirs), NOBODY, NOBODY);
  assertEquals(shelf.names(), ["mine"]);
  Deno.chownSync(shelf.registry, NOBODY, NOBODY);
  assertEquals(shelf.names(), []);
  assertMatch(thrown(() => shelf.add(mine)).message, /belongs to another user/);
});

test("a full disk leaves what was known, and says so", mounting(), async () => {
  await using shelf = await makeShelf();
  using disk = new SmallDisk("size=64k");
  const registry = `${disk.path}/workspaces`;
  const root = shelf.workspace("app");
  addWorkspace(root, undefined, registry);
  try {
    Deno.writeFileSync(`${disk.path}/fill`, new Uint8Array(1024 * 1024));
  } catch {
    // Full.
  }
  const { code } = thrown(() => addWorkspace(shelf.workspace("other"), undefined, registry));
  assertEquals(code, "environment");
  assertEquals(thrown(() => addWorkspace(root, "renamed", registry)).code, "environment");
  assertEquals(listWorkspaces(registry), [{ name: "app", root }]);
  Deno.removeSync(`${disk.path}/fill`);
  assertEquals(addWorkspace(root, "renamed", registry).name, "renamed");
});

Deno.test("many that are added at once get names of their own, and those hold", async () => {
  await using shelf = await makeShelf();
  const roots = Array.from({ length: 24 }, (_, at) => shelf.workspace(`${at}/app`));
  const program = filePath(new URL("registry_program.ts", import.meta.url));
  const children = [0, 1, 2, 3].map((part) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", program, shelf.registry, ...roots.slice(part * 6, part * 6 + 6)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn()
  );
  for (const { stderr } of children) await stderr.getReader().read();
  for (const { stdin } of children) await stdin.getWriter().write(new Uint8Array(1));
  const told = await Promise.all(children.map(async ({ stdout, status }) => {
    const text = await new Response(stdout).text();
    assert((await status).success);
    return text.trim().split("\n").map((line) => JSON.parse(line) as KnownWorkspace);
  }));
  const byName = (a: KnownWorkspace, b: KnownWorkspace) => a.name < b.name ? -1 : 1;
  const known = shelf.list();
  assertEquals(new Set(known.map(({ name }) => name)).size, roots.length);
  assertEquals(told.flat().sort(byName), known);
});

Deno.test("two entries of one name are told apart, and no name that somebody has is taken for it", async () => {
  await using shelf = await makeShelf();
  const [a, b, c] = ["a", "b", "c"].map(shelf.workspace) as [string, string, string];
  for (const [root, name] of [[a, "a"], [b, "b"], [c, "a-2"]] as const) shelf.add(root, name);
  Deno.writeTextFileSync(shelf.entry(b), JSON.stringify({ name: "a", root: b }));
  assertEquals(shelf.list(), [
    { name: "a", root: a },
    { name: "a-2", root: c },
    { name: "a-3", root: b },
  ]);
});

Deno.test("what a killed process left is removed by the next that adds", async () => {
  await using shelf = await makeShelf();
  shelf.add(shelf.workspace("app"));
  const left = `${shelf.registry}/${hash("/x")}.json.123.tmp`;
  Deno.writeTextFileSync(left, "{");
  assertEquals(shelf.names(), ["app"]);
  shelf.add(shelf.workspace("other"));
  assertThrows(() => Deno.lstatSync(left), Deno.errors.NotFound);
});

test("a linked worktree of git belongs to its main checkout", needs("git"), async () => {
  await using shelf = await makeShelf();
  const main = `${shelf.path}/main`;
  const git = (...args: string[]) => assert(succeeds("git", "-C", main, ...args), args.join(" "));
  Deno.mkdirSync(main);
  git("init", "-q");
  git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x");
  const tree = `${shelf.path}/tree`;
  git("worktree", "add", "-q", tree);
  Deno.mkdirSync(`${tree}/.orchestra`);
  // The main one is no workspace: then it is its own.
  assertEquals(mainCheckout(tree), undefined);
  Deno.mkdirSync(`${main}/.orchestra`);
  assertEquals(mainCheckout(tree), main);
  assertEquals(shelf.add(tree), { name: "main", root: main });
  assertEquals(shelf.list(), [{ name: "main", root: main }]);
  assertEquals(mainCheckout(main), undefined);
  // A copy says that it belongs there, and git knows nothing of it.
  const copy = shelf.workspace("copy");
  Deno.copyFileSync(`${tree}/.git`, `${copy}/.git`);
  assertEquals(mainCheckout(copy), undefined);
  // Relative, as git writes it where it is told to.
  const [name] = [...Deno.readDirSync(`${main}/.git/worktrees`)].map((entry) => entry.name);
  Deno.writeTextFileSync(`${tree}/.git`, `gitdir: ../main/.git/worktrees/${name}\n`);
  Deno.writeTextFileSync(`${main}/.git/worktrees/${name}/gitdir`, "../../../../tree/.git\n");
  assertEquals(mainCheckout(tree), main);
  for (const text of ["", "gitdir: ", "gitdir: /nowhere", "gitdir: \0", `gitdir: ${main}/.git`]) {
    Deno.writeTextFileSync(`${tree}/.git`, text);
    assertEquals(mainCheckout(tree), undefined, text);
  }
});
