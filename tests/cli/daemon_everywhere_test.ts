// `orchestra daemon … --everywhere` as its users meet it.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeUser, recordOf } from "../support/everywhere.ts";
import { DENO, execute } from "../support/execute.ts";
import { ON_LINUX, ON_WINDOWS, test } from "../support/needs.ts";
import { childrenOf } from "../support/processes.ts";
import { assertRefused, kill, lives, MAIN, makeBox } from "../support/program.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";

/** Where it is known of which process another one is the child. */
const SERVED = ON_WINDOWS === null ? null : ON_LINUX;

Deno.test("status and logs say what the daemon for all does, and stop ends it", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  user.add(box, "notes");
  assertEquals((await user.run("daemon", "status", "--everywhere")).stdout.trim(), NONE);
  const none = JSON.parse((await user.run("--json", "daemon", "status", "--everywhere")).stdout);
  assertEquals(none, { watched: false, workspaces: [] });
  const pid = await user.start();
  await user.becomes(box, "watched");
  const { stdout } = await user.run("daemon", "status", "--everywhere");
  assertStringIncludes(stdout, `daemon for all workspaces (pid ${pid}) since `);
  assertMatch(stdout, /^NAME +STATE +WHERE\nnotes +watched +\S+$/m);
  assertStringIncludes(stdout, ` ${box.root}\n`);
  const json = JSON.parse((await user.run("--json", "daemon", "status", "--everywhere")).stdout);
  assertEquals([json.watched, json.pid], [true, pid]);
  assertEquals(json.workspaces, [
    { name: "notes", root: box.root, state: "watched", reason: null },
  ]);
  const id = await box.start("shell", "true");
  await box.settled(id);
  await user.until("the log", () => user.log().includes(`notes: ${id} complete`));
  const logs = await user.run("daemon", "logs", "--everywhere", "-n", "1");
  assertStringIncludes(logs.stdout, `notes: ${id} complete`);
  const stopped = await user.run("daemon", "stop", "--everywhere");
  assertEquals(stopped.stdout.trim(), `Stopped (pid ${pid}); what runs goes on`);
  assert(!lives(pid));
  assertRefused(await user.run("daemon", "stop", "--everywhere"), 4);
});

const NONE = "No daemon for all workspaces runs";

Deno.test("a workspace that it watches says so to daemon start, stop and status", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  user.add(box, "shop");
  const pid = await user.start();
  await user.becomes(box, "watched");
  for (const words of [["daemon", "stop"], ["daemon", "start"], ["daemon", "run"]]) {
    const { message, hint } = await box.fails(4, ...words);
    assertEquals(message, `The daemon for all workspaces watches over this one (pid ${pid})`);
    assertStringIncludes(hint!, "daemon stop --everywhere");
  }
  const named = await user.run("-w", "shop", "daemon", "stop");
  const text = assertRefused(named, 4);
  assertStringIncludes(text, ": orchestra daemon stop --everywhere ");
  assertMatch(text, /: orchestra workspaces remove shop\n/);
  assertStringIncludes(await box.ok("daemon", "status"), `daemon for all workspaces (pid ${pid})`);
  assert(lives(pid));
  assertEquals(recordOf(box).pid, pid);
});

Deno.test("a second one is refused with the number of the first", async () => {
  await using user = await makeUser();
  const pid = await user.start();
  for (const words of [["start"], ["run"]]) {
    const text = assertRefused(await user.run("daemon", ...words, "--everywhere"), 4);
    assertStringIncludes(text, `A daemon for all workspaces runs already (pid ${pid})`);
  }
});

Deno.test(
  "in the foreground it prints what happens where, and ends when it is asked to",
  async () => {
    await using user = await makeUser();
    await using box = await makeBox();
    user.add(box, "notes");
    await using live = user.live("daemon", "--everywhere", "--json");
    await live.printed((text) => text.includes("Watching over /") || text.includes('"notes"'));
    const id = await box.start("shell", "true");
    await live.printed((text) => text.includes(`${id} complete`));
    live.kill(ON_WINDOWS === null ? "SIGINT" : "SIGTERM");
    const { code, stdout } = await live.ended();
    assertEquals(code, 0);
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert(
      lines.some(({ workspace, message }) => workspace === "notes" && message === `${id} complete`),
      stdout,
    );
  },
);

Deno.test("where Deno allows only one workspace it says what it needs", async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  for (const verb of ["start", "run", "stop", "status", "logs"]) {
    const args = ["run", "--quiet", ...permissionFlags(), MAIN, "daemon", verb, "--everywhere"];
    const outcome = await execute(DENO, args, { cwd: box.root, env: user.env });
    assertStringIncludes(assertRefused(outcome, 5, verb), "A daemon for all workspaces reads and");
  }
});

/** The address that a daemon told last. */
const addressIn = (log: string) => log.match(/The page: (http:\S+)/g)?.at(-1)?.slice(10);

/** Whether anybody listens at an address. */
async function answers(address: string): Promise<boolean> {
  try {
    await (await fetch(address)).body?.cancel();
    return true;
  } catch {
    return false;
  }
}

test(
  "--serve serves the page, starts it again, and ends it with the daemon, killed too",
  SERVED,
  async () => {
    await using user = await makeUser();
    const outcome = await user.run("daemon", "start", "--everywhere", "--serve", "0");
    const [, pid, first] = /^Daemon .*\(pid (\d+)\)\nThe page: (\S+)\n$/.exec(outcome.stdout) ?? [];
    assertEquals(first, addressIn(user.log()), JSON.stringify(outcome));
    assert(await answers(first!));
    const [server] = await user.until("its process", () => {
      const children = childrenOf(Number(pid));
      return children.length > 0 && children;
    });
    kill(server!, "SIGKILL");
    const second = await user.until("another address", () => {
      const address = addressIn(user.log());
      return address !== first && address;
    });
    // A page that is open has its token.
    assertEquals(new URL(second).hash, new URL(first!).hash);
    assert(await answers(second));
    const [next] = childrenOf(Number(pid));
    kill(Number(pid), "SIGKILL");
    await user.until("its end", () => !lives(next!));
    assertEquals(await answers(second), false);
  },
);

test("the user's settings have the page served, and stop ends it", SERVED, async () => {
  await using user = await makeUser();
  const folder = `${user.env.XDG_CONFIG_HOME}/orchestra`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/settings.json`, JSON.stringify({ serve: 0 }));
  const outcome = await user.run("--json", "daemon", "start", "--everywhere");
  const address: string = JSON.parse(outcome.stdout).url;
  assert(await answers(address));
  await user.stop();
  assertEquals(await answers(address), false);
});

test("daemon start --serve prints where the page of one workspace is", SERVED, async () => {
  await using user = await makeUser();
  await using box = await makeBox();
  Deno.writeTextFileSync(box.path("daemon.log"), "2026-01-01T00:00:00Z The page: http://old\n");
  const { stdout } = await user.runIn(box, "daemon", "start", "--serve", "0");
  const address = addressIn(stdout);
  assert(address !== undefined && await answers(address), stdout);
  assertStringIncludes(Deno.readTextFileSync(box.path("daemon.log")), address);
  await user.runIn(box, "daemon", "stop");
  assertEquals(await answers(address), false);
});
