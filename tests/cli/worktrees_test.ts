// `orchestra worktrees` and `clean --worktrees`: what tasks have made on branches, and what becomes of it.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { needs, ON_POSIX, SHELL, test } from "../support/needs.ts";
import { assertPrintable, type Box, makeFolder, openBox } from "../support/program.ts";
import { makeWorktreeBox } from "../support/worktree_box.ts";

const GIT = needs("git") ?? SHELL;
const MISSING = "task_1234567890";

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

/** Runs all that is queued, and waits until nothing of it lives and what it left is committed. */
async function finish(box: Box): Promise<void> {
  const { code, stderr } = await box.run("run", "--all", "--wait");
  assert(code < 2, stderr);
  for (const { taskId } of box.tasks()) await box.settled(taskId);
}

// deno-lint-ignore no-explicit-any
const byId = (rows: any[], id: string) => rows.find(({ taskId }) => taskId === id);

test(
  "worktrees tells of each branch where it is, what is in it, and whether it is merged",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start, branch } = here;
    assertStringIncludes(await box.ok("worktrees"), "No task has a branch");
    const merged = await start("echo b >b.txt");
    const failed = await start("echo c >c.txt; exit 3");
    const empty = await start("true");
    await finish(box);
    await repo.git("merge", "-q", "--no-edit", branch(merged).branch);
    repo.write("left.txt", "left\n", branch(failed).path);
    const rows = await box.json("worktrees");
    assertEquals(rows.map((row: { taskId: string }) => row.taskId), [merged, failed, empty]);
    const first = byId(rows, merged);
    assertEquals([first.status, first.branch, first.integrated, first.removable, first.stays], [
      ...["complete", branch(merged).branch, "same", true, null],
    ]);
    const second = byId(rows, failed);
    assertEquals(
      [second.status, second.folder, second.untracked, second.ahead, second.behind, second.into],
      ["failed", "there", 1, 1, 1, "main"],
    );
    assertEquals(second.stays, { code: "changed", reason: "1 file not committed", forcible: true });
    assert(second.bytes > 0 && second.path === branch(failed).path);
    assertEquals(byId(rows, empty).integrated, "ancestor");
    const { stdout } = await box.runWith({ env: { COLUMNS: "80" } }, "worktrees");
    assertPrintable(stdout);
    for (const line of stdout.split("\n")) assert(line.length <= 80, line);
    const wide = await box.ok("worktrees");
    assertMatch(wide, new RegExp(`^${failed} .*failed +1 changed .*\\+1 -1 +no +1 file not`, "m"));
    assertMatch(wide, new RegExp(`^${merged} .*same commit +can be cleaned`, "m"));
    // In something else: what was there before.
    const before = await box.json("worktrees", "--into", "main~1");
    assertEquals(byId(before, merged).integrated, null);
    assertStringIncludes((await box.fails(2, "worktrees", "--into", "nothing")).message, "nothing");
  },
);

test(
  "clean --worktrees removes what is merged and clean, and says what it would",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start, branch, worktrees } = here;
    const merged = await start("echo b >b.txt");
    const open = await start("echo c >c.txt; exit 3");
    await finish(box);
    await repo.git("merge", "-q", "--squash", branch(merged).branch);
    await repo.commit({});
    const would = await box.json("clean", "--worktrees", "--dry-run");
    assertEquals(would.removed.map((one: { taskId: string }) => one.taskId), [merged]);
    assertEquals(would.dryRun, true);
    const told = await box.ok("clean", "--worktrees", "--dry-run");
    assertStringIncludes(told, "Would remove the branches and worktrees of 1 task");
    await repo.git("rev-parse", branch(merged).branch);
    const done = await box.json("clean", "--worktrees");
    assertEquals(done.removed.map((one: { integrated: string }) => one.integrated), ["squashed"]);
    const [backup] = done.removed[0].backups;
    assertEquals(backup.holds, "branch");
    assertEquals(await repo.git("rev-parse", backup.ref), done.removed[0].tip);
    assertEquals(done.kept.map((one: { code: string }) => one.code), ["not-integrated"]);
    assertEquals(await worktrees(), [branch(open).path]);
    assertStringIncludes(await box.ok("clean", "--worktrees"), "of 0 tasks");
  },
);

test(
  "clean --worktrees --force takes ids, keeps all, and says how to get it back",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start, branch, worktrees } = here;
    const id = await start("echo c >c.txt; exit 3");
    await finish(box);
    const { path, branch: name } = branch(id);
    repo.write("left.txt", "left\n", path);
    assertEquals((await box.run("clean", "--worktrees", id)).code, 4);
    await box.fails(2, "clean", "--worktrees", "--force");
    await box.fails(2, "clean", "--force", id);
    await box.fails(2, "clean", "--dry-run");
    await box.fails(2, "clean", "--worktrees", "nobody");
    await box.fails(2, "clean", "--worktrees", "--force", "completed");
    await box.fails(3, "clean", "--worktrees", "--force", MISSING);
    assert(isThere(`${path}/left.txt`));
    const told = await box.ok("clean", "--worktrees", "--force", id.slice(-5));
    assert(!isThere(path));
    assertEquals(await worktrees(), []);
    assertEquals(await repo.succeeds("rev-parse", "--verify", "-q", name), false);
    // As it is told.
    for (const [, words] of told.matchAll(/get it back: git (branch .*)$/gm)) {
      await repo.git(...words!.replace("NAME", "rest").split(" "));
    }
    assertEquals(await repo.git("show", `${name}:c.txt`), "c");
    assertEquals(await repo.git("show", "rest:left.txt"), "left");
    assertEquals(box.task(id).git!.left, null);
    await repo.git("branch", "-q", "-D", name);
    await box.fails(4, "clean", "--worktrees", "--force", id);
  },
);

test("what runs, what others build on and what is damaged is not cleaned", GIT, async () => {
  await using here = await makeWorktreeBox();
  const { box, repo, start, branch } = here;
  const [bad, base] = [await start("exit 3"), await start("true")];
  await finish(box);
  const running = await start("sleep 600");
  await box.ok("run", "--all");
  await start("true", "--depends-on", `${base},${running}`);
  const file = box.path(`tasks/${bad}.json`);
  const whole = Deno.readTextFileSync(file);
  Deno.writeTextFileSync(file, "{");
  const outcome = await box.run("--json", "clean", "--worktrees", "--force", bad, base, running);
  assertEquals(outcome.code, 4);
  assertEquals(
    JSON.parse(outcome.stdout).kept.map(({ code }: { code: string }) => code),
    ["unreadable", "needed", "active"],
  );
  Deno.writeTextFileSync(file, whole);
  for (const id of [bad, base, running]) await repo.git("rev-parse", branch(id).branch);
  await box.ok("cancel", running);
});

test(
  "archived and removed tasks leave branches that go as others do; unknown ones do not",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start } = here;
    const [archived, removed] = [await start("true"), await start("true")];
    await finish(box);
    Deno.renameSync(box.path(`tasks/${archived}.json`), box.path(`archive/${archived}.json`));
    assertStringIncludes(
      (await box.run("clean", removed, "--yes")).stderr,
      "see them with: orchestra worktrees",
    );
    await repo.git("branch", `orchestra/${MISSING}`);
    await repo.git("branch", "mine");
    const rows = await box.json("worktrees");
    assertEquals(
      rows.map((row: { status: string; removable: boolean }) => [row.status, row.removable]),
      [["unknown", false], ["archived", true], ["removed", true]],
    );
    await box.ok("clean", "--worktrees");
    assertEquals(
      await repo.git("branch", "--format=%(refname:short)"),
      `main\nmine\norchestra/${MISSING}`,
    );
    await box.ok("clean", "--worktrees", "--force", MISSING);
    assertEquals(await repo.git("branch", "--format=%(refname:short)"), "main\nmine");
  },
);

test(
  "what a merge of ours squashed is known, also where its surroundings have changed since",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start } = here;
    const id = await start("sed s/four/FOUR/ a.txt >b.txt; mv b.txt a.txt");
    await finish(box);
    await box.ok("merge", "--squash", id);
    const text = Deno.readTextFileSync(`${repo.top}/a.txt`);
    await repo.commit({ "a.txt": text.replace("three", "3").replace("FOUR", "4") });
    const [row] = await box.json("worktrees");
    assertEquals([row.integrated, row.removable], ["squashed", true]);
    const { removed } = await box.json("clean", "--worktrees");
    assertEquals(removed.map(({ taskId }: { taskId: string }) => taskId), [id]);
    // Taken back, it is not there.
    const other = await start("echo x >x.txt");
    await finish(box);
    await box.ok("merge", "--squash", other);
    await box.ok("merge", "--undo");
    assertEquals((await box.json("worktrees"))[0].integrated, null);
  },
);

test("what another workspace of the repository has stays, even by name", GIT, async () => {
  await using here = await makeWorktreeBox("app");
  const { repo } = here;
  await using home = await makeFolder();
  const env = { XDG_STATE_HOME: `${home.path}/state`, XDG_CONFIG_HOME: `${home.path}/config` };
  const id = await here.start("exit 3");
  await finish(here.box);
  assertEquals((await here.box.runWith({ env }, "workspaces", "add")).code, 0);
  Deno.mkdirSync(`${repo.top}/other/.orchestra/tasks`, { recursive: true });
  const other = openBox(`${repo.top}/other`);
  const outcome = await other.runWith({ env }, "--json", "clean", "--worktrees", "--force", id);
  assertEquals(outcome.code, 4);
  const [kept] = JSON.parse(outcome.stdout).kept;
  assertEquals([kept.code, kept.forcible], ["other-workspace", false]);
  assertStringIncludes(kept.reason, `${repo.top}/app`);
  await repo.git("rev-parse", here.branch(id).branch);
});

test(
  "what a workspace in a linked worktree of the user's has is known from the others",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { repo, box } = here;
    const id = await here.start("echo x >x.txt; exit 3");
    await finish(box);
    await repo.git("merge", "-q", here.branch(id).branch);
    const linked = `${repo.beside}/linked`;
    await repo.git("worktree", "add", "-q", "-b", "mine", linked);
    await using home = await makeFolder();
    const env = { XDG_STATE_HOME: `${home.path}/state`, XDG_CONFIG_HOME: `${home.path}/config` };
    assertEquals((await box.runWith({ env }, "workspaces", "add")).code, 0);
    const other = openBox(linked);
    const begun = await other.runWith({ env }, "init");
    assertStringIncludes(begun.stdout, `known only through ${repo.top}, as repo`);
    const { status, path } = JSON.parse(await other.ok("--json", "worktrees"))[0];
    assertEquals([status, path], ["elsewhere", here.branch(id).path]);
    assertEquals(JSON.parse(await other.ok("--json", "clean", "--worktrees")).removed, []);
    assertEquals((await other.run("--json", "clean", "--worktrees", "--force", id)).code, 4);
    await repo.git("rev-parse", here.branch(id).branch);
    assert(!(await other.run("doctor")).stdout.includes("there is no such task"));
  },
);

test(
  "doctor finds what is left of tasks in git, and mends what can lose nothing",
  GIT,
  async () => {
    await using here = await makeWorktreeBox();
    const { box, repo, start, branch } = here;
    const ids = [];
    for (let at = 0; at < 4; at++) ids.push(await start(`echo ${at} >b.txt; exit 3`));
    const [half, gone, removed, other] = ids as [string, string, string, string];
    await finish(box);
    const findings = async () =>
      (JSON.parse((await box.run("--json", "doctor")).stdout).findings as {
        code: string;
        subject: string;
        fixable: boolean;
      }[]).filter(({ code }) => /worktree|branch|git-/.test(code));
    assertEquals(await findings(), []);
    const admin = await repo.gitIn(branch(half).path, "rev-parse", "--absolute-git-dir");
    const places = ids.map((id) => branch(id));
    Deno.removeSync(`${admin}/index`);
    Deno.removeSync(`${places[0]!.path}/a.txt`);
    Deno.removeSync(places[1]!.path, { recursive: true });
    await box.ok("clean", removed, other, "--yes");
    await repo.git("merge", "-q", "--no-edit", places[2]!.branch);
    assertEquals((await findings()).map(({ code, subject, fixable }) => [code, subject, fixable]), [
      ["worktree-half", half, true],
      ["worktree-gone", gone, true],
      ["worktree-orphan", removed, true],
      ["worktree-orphan", other, false],
    ]);
    const mended = await box.run("doctor", "--fix");
    assertStringIncludes(mended.stdout, `brought back the files of the worktree of ${half}`);
    assert(isThere(`${places[0]!.path}/a.txt`));
    assert(!isThere(places[2]!.path));
    assertEquals((await findings()).map(({ code, subject }) => [code, subject]), [
      ["worktree-orphan", other],
    ]);
    // Branches stay: of those that are not merged nothing is gone.
    for (const at of [0, 1, 3]) await repo.git("rev-parse", places[at]!.branch);
  },
);

test("outside of a repository it is said that there is none", GIT, async () => {
  await using folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.orchestra/tasks`, { recursive: true });
  const box = openBox(folder.path);
  for (const args of [["worktrees"], ["clean", "--worktrees"]]) {
    assertStringIncludes((await box.fails(4, ...args)).message, "no git repository");
  }
});

/** A git that is killed, with who called it, before or after the n-th call that changes something. */
const KILLER = `#!/bin/sh
real=$1; shift
case " $* " in
  *" worktree remove "*|*" worktree unlock "*|*" update-ref "*|*" read-tree "*|*" commit-tree "*|*" add -A "*)
    n=$(cat "$KILL_AT/count"); n=$((n - 1)); echo $n >"$KILL_AT/count"
    if [ $n = 0 ]; then
      case $KILL_WHEN in
        after) "$real" "$@" >/dev/null 2>&1 ;;
        amid) case " $* " in *" worktree remove "*) rm -f "$KILL_TREE/a.txt" "$KILL_TREE/.git" ;; esac ;;
      esac
      touch "$KILL_AT/killed"
      kill -9 $PPID
      exit 1
    fi ;;
esac
exec "$real" "$@"
`;

/** More changes than it makes. */
const STEPS = 20;

for (const when of ["before", "after", "amid"]) {
  test(
    `killed ${when} any change that it makes, clean --worktrees loses nothing, and the next one ends it`,
    GIT ?? ON_POSIX,
    async () => {
      await using here = await makeWorktreeBox();
      const { box, repo, start, branch } = here;
      await using bin = await makeFolder();
      const real =
        (await new Deno.Command("sh", { args: ["-c", "command -v git"] }).output()).stdout;
      const git = new TextDecoder().decode(real).trim();
      Deno.writeTextFileSync(`${bin.path}/killer`, KILLER, { mode: 0o755 });
      Deno.writeTextFileSync(
        `${bin.path}/git`,
        `#!/bin/sh\nexec '${bin.path}/killer' '${git}' "$@"\n`,
        { mode: 0o755 },
      );
      const ids: string[] = [];
      for (let at = 0; at < STEPS; at++) ids.push(await start(`echo ${at} >b.txt; exit 3`));
      await finish(box);
      let killed = true;
      for (let at = 1; killed; at++) {
        const id = ids[at - 1]!;
        assert(id !== undefined, "it makes more changes than were thought of");
        const { path, branch: name } = branch(id);
        const tip = await repo.git("rev-parse", name);
        repo.write("left.txt", `left ${at}\n`, path);
        Deno.writeTextFileSync(`${bin.path}/count`, `${at}\n`);
        const first = await box.runWith(
          {
            env: {
              PATH: `${bin.path}:${Deno.env.get("PATH")}`,
              KILL_AT: bin.path,
              KILL_WHEN: when,
              KILL_TREE: path,
            },
          },
          "clean",
          "--worktrees",
          "--force",
          id,
        );
        killed = isThere(`${bin.path}/killed`);
        if (killed) Deno.removeSync(`${bin.path}/killed`);
        // Where all was done before it was killed there is nothing left to clean.
        const again = await box.run("clean", "--worktrees", "--force", id);
        assert(again.code === 0 || again.code === 4, `${at}: ${JSON.stringify(again)}`);
        assert(!isThere(path), `${at}: ${JSON.stringify(again)}`);
        assertEquals(await repo.succeeds("rev-parse", "--verify", "-q", name), false, `${at}`);
        const kept = await repo.git(
          ...["for-each-ref", "--format=%(objectname)", `refs/orchestra/backup/${id}-*`],
        );
        const commits = kept.split("\n");
        const said = JSON.stringify([first, again, box.task(id), tip]);
        assert(commits.includes(tip), `${at}: the branch is not kept: ${kept} ${said}`);
        const texts = await Promise.all(
          commits.map(async (commit) =>
            await repo.succeeds("cat-file", "-e", `${commit}:left.txt`)
              ? await repo.git("show", `${commit}:left.txt`)
              : ""
          ),
        );
        assert(texts.includes(`left ${at}`), `${at}: what was not committed is not kept: ${kept}`);
        assert(commits.length <= 3, `${at}: kept twice: ${kept}`);
      }
      await repo.git("fsck", "--strict", "--no-dangling");
      assertEquals(await repo.git("status", "--porcelain"), "");
    },
  );
}
