// In which folder of its worktree an agent works, where its commit does not have that of the workspace.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { needs, SHELL, test } from "../support/needs.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";
import { textIn } from "../support/gated.ts";

const GIT = needs("git") ?? SHELL;

test("a folder of the workspace that its commit does not have is made", GIT, async () => {
  await using tree = await makeWorktreeBox("new/deep");
  const { box } = tree;
  const id = await tree.start("pwd; echo x >x.txt");
  await box.ok("run", "--wait");
  const { path, tip } = tree.branch(await box.settled(id));
  assertEquals(textIn(box.path(`logs/${id}.log`)), `${path}/new/deep\n`);
  assertEquals(await tree.show(tip!, "new/deep/x.txt"), "x");
});

test("where its commit has a link in place of that folder, nothing is launched", GIT, async () => {
  await using tree = await makeWorktreeBox("new/deep");
  const { box, repo } = tree;
  Deno.mkdirSync(`${repo.beside}/elsewhere`);
  const blob = `${repo.beside}/target`;
  Deno.writeTextFileSync(blob, `${repo.beside}/elsewhere`);
  const hash = await repo.git("hash-object", "-w", blob);
  await repo.git("update-index", "--add", "--cacheinfo", `120000,${hash},new`);
  await repo.git("commit", "-q", "-m", "a link");
  const id = await tree.start("echo x >x.txt");
  await box.run("run", "--wait");
  const { status, failureClass, errorMessage } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "spawn"]);
  assertStringIncludes(errorMessage!, "new/deep");
  assertEquals([...Deno.readDirSync(`${repo.beside}/elsewhere`)], []);
});

test(
  "a folder of worktrees in the working copy is nothing that git status tells of",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox();
    const { box, repo } = tree;
    tree.config({}, { folder: "trees" });
    for (let count = 0; count < 2; count++) {
      const id = await tree.start("echo x >x.txt; exit 1");
      await box.run("run", "--wait");
      assertEquals(tree.branch(await box.settled(id)).path, `${repo.top}/trees/${id}`);
      assertEquals(await repo.git("status", "--porcelain"), "");
    }
    // What git ignores already has no need of that.
    repo.write(".git/info/exclude", ".orchestra/\n.orchestra-cli/\n/others/\n");
    tree.config({}, { folder: "others" });
    const id = await tree.start("exit 1");
    await box.run("run", "--wait");
    await box.settled(id);
    assertEquals([...Deno.readDirSync(`${repo.top}/others`)].map(({ name }) => name), [id]);
  },
);

test("a folder of worktrees that has the user's files in it is refused", GIT, async () => {
  await using tree = await makeWorktreeBox();
  const { box, repo } = tree;
  repo.write("docs/mine.txt", "mine\n");
  for (const [folder, said] of [[".", "the working copy itself"], ["docs", "add /docs/ to"]]) {
    tree.config({}, { folder });
    const id = await tree.start("echo x >x.txt");
    await box.run("run", "--wait");
    const { failureClass, errorMessage } = await box.settled(id);
    assertEquals(failureClass, "spawn");
    assertStringIncludes(errorMessage!, said!);
  }
  assertEquals(await repo.git("status", "--porcelain"), "?? docs/");
  assertEquals(await tree.worktrees(), []);
});

test(
  "what a list in the folder of the workspace names is copied, as what that at the top names",
  GIT,
  async () => {
    await using tree = await makeWorktreeBox("site");
    const { box, repo } = tree;
    await repo.commit({
      ".gitignore": "*.env\n*.loc\n",
      ".worktreeinclude": "top.env\n",
      "site/.worktreeinclude": "/site.env\nconfig/*.loc\n",
    });
    const files = ["top.env", "site.env", "site/top.env", "site/site.env", "site/deep/site.env"];
    files.push("site/config/a.loc", "config/a.loc", "other/site.env");
    for (const file of files) repo.write(file, `${file}\n`);
    const id = await tree.start(
      'cd "$ORCHESTRA_WORKTREE"; find . -name "*.env" -o -name "*.loc" | sort',
    );
    await box.ok("run", "--wait");
    await box.settled(id);
    assertEquals(
      textIn(box.path(`logs/${id}.log`))!.trim().split("\n"),
      ["./site/config/a.loc", "./site/site.env", "./site/top.env", "./top.env"],
    );
  },
);
