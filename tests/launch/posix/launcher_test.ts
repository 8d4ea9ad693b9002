// What is special to Linux and macOS: whole trees, orphans, the deaf, and what a process keeps open.

import { createPosixLauncher } from "../../../lib/launch/posix/launcher.ts";
import { createLooks } from "../../../lib/launch/posix/looks.ts";
import {
  exists,
  parsePs,
  PS_COLUMNS,
  readMarks,
  readProcesses,
} from "../../../lib/launch/posix/processes.ts";
import { lstat } from "../../../lib/store/files.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../../support/assert.ts";
import { type Missing, needs, ON_LINUX, ON_POSIX, succeeds, test } from "../../support/needs.ts";
import { programArguments } from "../launch_program.ts";
import {
  alive,
  fifo,
  gone,
  held,
  identity,
  inFolder,
  type Known,
  living,
  openPlace,
  type Place,
  shimOf,
  uniqueMark,
} from "../../support/launch.ts";
import { PATIENCE } from "../../support/program.ts";

function posix(
  title: string,
  run: (place: Place) => Promise<void>,
  missing: Missing = null,
): void {
  test(`posix launcher: ${title}`, ON_POSIX ?? missing, async () => {
    await using place = await openPlace();
    await run(place);
  });
}

const launcher = createPosixLauncher();

posix("a SIGTERM to its group ends the agent, and the shim records how", async (place) => {
  const scripts = [
    ["echo up; exec sleep 600", 143],
    // A shell sees to its traps when the program that it runs has ended, as that of its group does.
    ['trap "exit 5" TERM; sh -c "echo up; exec sleep 600"; sleep 600', 5],
  ] as const;
  for (const [script, code] of scripts) {
    const launched = launcher.launch(place.script(script));
    await place.line("log");
    assert(succeeds("sh", "-c", `kill -s TERM -- -${launched.pid}`));
    await held(launched.ended);
    assertEquals(place.read("exitcode"), `${code}\n`);
    for (const file of ["t.1.pid", "log", "exitcode"]) Deno.removeSync(`${place.dir}/${file}`);
  }
});

/** Tools as agents start them: each in a session of its own, deaf to SIGTERM, and orphaned. */
const NASTY = [
  `deaf='trap "" TERM; echo $$ >"$1"; while :; do sleep 600; done'`,
  'setsid sh -c "$deaf" sh session &',
  '( ( setsid sh -c "$deaf" sh orphan & ) & )',
  'env -i PATH="$PATH" setsid sh -c "$deaf" sh bare &',
  'sh -c "$deaf" sh group &',
].join("\n");
const TOOLS = ["session", "orphan", "bare", "group"] as const;

async function nastyTree(place: Place, rest: string): Promise<{ shim: Known; tools: number[] }> {
  launcher.launch(place.script(`${NASTY}\n${rest}`));
  const tools: number[] = [];
  for (const name of TOOLS) tools.push(Number(await place.line(name)));
  return { shim: await place.shim(), tools };
}

posix("endTree leaves nothing of sessions, orphans and the deaf", async (place) => {
  const { shim, tools } = await nastyTree(place, "sleep 600");
  const stranger = new Deno.Command("setsid", {
    args: ["sleep", "600"],
    cwd: place.dir,
    env: { ORCHESTRA_MARK: uniqueMark() },
    stdout: "null",
    stderr: "null",
  }).spawn();
  assertEquals(living(tools), tools);
  const { signalled: count } = await launcher.endTree(place.mark, shim, { grace: 50 });
  assertGreater(count, TOOLS.length + 1);
  assertEquals(living([...tools, shim.pid]), []);
  assertEquals(inFolder(place.dir), [stranger.pid]);
  stranger.kill("SIGKILL");
  await stranger.status;
  assertEquals(place.read("exitcode"), "143\n");
}, ON_LINUX);

posix("endTree finds by their mark what a dead shim has left", async (place) => {
  const { shim, tools } = await nastyTree(place, "exit 0");
  await gone([shim.pid]);
  const [session, orphan, bare, group] = tools as [number, number, number, number];
  await launcher.endTree(place.mark, shim, { grace: 50 });
  // Nothing proves any more whose the one is that has lost its parent and its environment.
  assertEquals(living([session, orphan, bare, group]), [bare]);
}, ON_LINUX);

posix("endTree leaves another task below the shim alone, and all that it starts", async (place) => {
  const id = uniqueMark();
  const other = `env ORCHESTRA_MARK=${id} setsid sh -c ` +
    '\'(echo $$ >other; exec env -u ORCHESTRA_MARK sh -c "echo \\$\\$ >below; exec sleep 600") & ' +
    "echo $$ >outer; exec sleep 600' &";
  const launched = launcher.launch(place.script(`${other}\necho up\nexec sleep 600`));
  const shim = await place.shim();
  const others = [Number(await place.line("outer")), Number(await place.line("below"))];
  await place.line("log");
  assertEquals((await launcher.endTree(place.mark, shim, { grace: PATIENCE })).signalled, 2);
  await held(launched.ended);
  assertEquals(living(others), others);
  const ended = await launcher.endTree(id, null, { grace: PATIENCE });
  assertGreater(ended.signalled, 0);
  assertEquals(living([others[0]!]), []);
}, ON_LINUX);

posix("endTree spares who calls it, who may be the agent's own child", async (place) => {
  // The agent asks for its own end, as `orchestra cancel $ORCHESTRA_MARK` within it does.
  fifo(`${place.dir}/gate`);
  const launched = launcher.launch(place.script("read word <gate; sh ./call; sleep 600"));
  const shim = await place.shim();
  const args = programArguments({ end: place.mark, shim, grace: PATIENCE });
  Deno.writeTextFileSync(`${place.dir}/order`, args.at(-1)!);
  Deno.writeTextFileSync(
    `${place.dir}/call`,
    `exec '${Deno.execPath()}' run -A ${args.slice(0, -1).join(" ")} "$(cat order)" >said 2>&1\n`,
  );
  Deno.writeTextFileSync(`${place.dir}/gate`, "\n");
  await held(launched.ended);
  // The agent, and the shim unless it was faster: it ends by itself when the agent has.
  assertMatch(await place.line("said"), /^ended [12]$/);
});

posix("endTree ends what is stopped", async (place) => {
  const launched = launcher.launch(place.script("echo $$ >agent; exec sleep 600"));
  const shim = await place.shim();
  Deno.kill(Number(await place.line("agent")), "SIGSTOP");
  assertEquals((await launcher.endTree(place.mark, shim, { grace: 20 })).signalled, 2);
  await held(launched.ended);
  // Either of the two signals may come first.
  assertMatch(place.read("exitcode"), /^(?:137|143)\n$/);
});

posix("an agent does not keep open what its launcher was started with", async (place) => {
  // Such as the lock of `(flock 9; orchestra run) 9>lock`, or the pipe of a CI runner.
  fifo(`${place.dir}/gate`);
  const spec = place.script("echo up; read word <gate");
  const args = programArguments({ launch: ["/bin/sh"], spec });
  const command = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec 5>held 9>held; exec "$@"', "sh", Deno.execPath(), "run", "-A", ...args],
    cwd: place.dir,
    stdout: "null",
    stderr: "null",
  }).spawn();
  await place.line("log");
  const shim = await place.shim();
  const open = [...readProcesses().values()].filter(({ session }) => session === shim.pid)
    .flatMap(({ pid }) =>
      [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) =>
        Deno.readLinkSync(`/proc/${pid}/fd/${name}`)
      )
    );
  assertGreater(open.length, 5);
  assert(!open.includes(`${place.dir}/held`));
  Deno.writeTextFileSync(`${place.dir}/gate`, "\n");
  await place.line("exitcode");
  command.kill("SIGKILL");
  await command.status;
}, ON_LINUX);

posix("what has ended and waits to be noticed is not alive", async (place) => {
  // The first one is never noticed: it ends when what waits for it has become another program.
  const until = 'while read -r name </proc/$$/comm && [ "$name" != sleep ]; do :; done';
  const launched = launcher.launch(
    place.script(`(${until}) & echo $! >zombie; exec sleep 600`),
  );
  const pid = Number(await place.line("zombie"));
  await gone([pid]);
  assert(exists(pid));
  const zombie = shimOf(pid);
  assertEquals(await alive(launcher, [identity(zombie)]), []);
  const { pids } = await launcher.survey();
  assertEquals([pids.has(pid), pids.has(Deno.pid)], [false, true]);
  const shim = await place.shim();
  assertEquals((await launcher.endTree(place.mark, shim, { grace: PATIENCE })).signalled, 2);
  await held(launched.ended);
}, ON_LINUX);

posix("a chain of processes that each start the next and end is caught", async (place) => {
  // None of them lives for longer than a millisecond or two.
  const chain = "open F, q(>>), q(beats); exit if fork; " +
    "while (time < $^T + 60) { exit if fork; syswrite F, q(.) }";
  const launched = launcher.launch(
    place.script(`${`perl -e '${chain}' & `.repeat(4)} exec sleep 600`),
  );
  const beats = () => lstat(`${place.dir}/beats`)?.size ?? 0;
  while (beats() < 20) readProcesses();
  await launcher.endTree(place.mark, await place.shim(), { grace: 50 });
  await held(launched.ended);
  const last = beats();
  // Long enough for dozens of them.
  for (let look = 0; look < 50; look++) readProcesses();
  assertEquals(beats(), last);
}, ON_LINUX ?? needs("perl"));

for (const path of ["/usr/bin:/bin", "/nonexistent"]) {
  posix(`all of it works with few permissions and a PATH of ${path}`, async (place) => {
    const { shim, tools } = await nastyTree(place, "exec sleep 600");
    const order = { end: place.mark, shim, grace: 50 };
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-run", "--allow-env", ...programArguments(order)],
      env: { PATH: path },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertMatch(text, /^ended \d+\n$/);
    // Without grep nobody reads marks: what was orphaned before is not found.
    const left = path === "/nonexistent" ? [tools[1]!] : [];
    assertEquals(living([...tools, shim.pid]), left);
    await launcher.endTree(place.mark, null, { grace: 0 });
  }, ON_LINUX);
}

posix("the table is the same whether read directly or printed by the shell", async (place) => {
  const launched = launcher.launch(place.script("echo up; exec sleep 600"));
  const shim = await place.shim();
  await place.line("log");
  const bare = new Deno.Command("sleep", { args: ["600"], clearEnv: true, stdin: "null" }).spawn();
  const table = readProcesses();
  const direct = [shim.pid, bare.pid].map((pid) => table.get(pid)!);
  readMarks(direct);
  assertEquals(direct.map(({ marker, blank }) => [marker, blank]), [[place.mark, false], [
    "",
    true,
  ]]);
  const module = new URL("../../../lib/launch/posix/processes.ts", import.meta.url).href;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--quiet",
      "--ext=ts",
      `
      await Deno.permissions.revoke({ name: "read" });
      await Deno.permissions.revoke({ name: "write" });
      const { readProcesses } = await import(${JSON.stringify(module)});
      const [all, one] = [readProcesses(), readProcesses([${shim.pid}])];
      const of = (pid) => all.get(pid);
      console.log(JSON.stringify([[${shim.pid}, ${bare.pid}].map(of), one.get(${shim.pid})]));
    `,
    ],
  }).output();
  const [all, one] = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals([all, { ...one, marker: place.mark }], [direct, direct[0]]);
  bare.kill();
  await bare.status;
  await launcher.endTree(place.mark, shim, { grace: PATIENCE });
  await held(launched.ended);
}, ON_LINUX);

posix("ps takes the columns that macOS is asked for", async () => {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-ww", ...PS_COLUMNS, "-ax"],
    env: { LC_ALL: "C", TZ: "UTC0" },
  }).output();
  const table = parsePs(new TextDecoder().decode(stdout), "");
  const mine = table.get(Deno.pid)!;
  assertEquals([mine.ppid, mine.zombie], [Deno.ppid, false]);
  assertMatch(mine.start, /^- [A-Z][a-z]{2}_[A-Z][a-z]{2}_\d+_\d\d:\d\d:\d\d_\d{4}$/);
}, needs("ps"));

/** Does something that is told how often all processes were looked at since. */
async function countLooks<T>(action: (looked: () => number) => Promise<T>): Promise<T> {
  const own = Deno.readDirSync;
  let looks = 0;
  Deno.readDirSync = (path) => {
    if (path === "/proc") looks++;
    return own(path);
  };
  try {
    return await action(() => looks);
  } finally {
    Deno.readDirSync = own;
  }
}

test("posix launcher: trees that are ended at once are looked for together", ON_LINUX, async () => {
  const trees = await Promise.all(Array.from({ length: 6 }, async () => {
    const own = await openPlace();
    const launched = launcher.launch(own.script("echo up; exec sleep 600"));
    const shim = await own.shim();
    await own.line("log");
    return { own, launched, shim };
  }));
  // Where processes of others end between being listed and being read, which nobody can keep from happening,
  // it is looked once more.
  let again = 0;
  const told = createPosixLauncher({
    trace: (what) => {
      if (what === "doubted" || what === "unsettled") again++;
    },
  });
  const looks = await countLooks(async (looked) => {
    const reports = await Promise.all(
      trees.map(({ own: { mark }, shim }) => told.endTree(mark, shim, { grace: PATIENCE })),
    );
    for (const report of reports) assertEquals(report.left, 0);
    return looked();
  });
  // One at the beginning for all, and one each to find nothing left; alone each would look three times.
  assert(
    looks <= 1 + trees.length + again,
    `${looks} looks for ${trees.length} trees, ${again} again`,
  );
  for (const { own, launched } of trees) {
    await held(launched.ended);
    await own[Symbol.asyncDispose]();
  }
});

test(
  "who asks for a look before it is taken gets the same one as all others",
  ON_LINUX,
  () =>
    countLooks(async (looked) => {
      const looks = createLooks();
      const all = await Promise.all(Array.from({ length: 500 }, () => looks.take()));
      assertEquals([looked(), new Set(all).size, all[0]!.alone], [1, 1, false]);
      const next = await looks.take();
      assertEquals([looked(), next === all[0], next.alone], [2, false, true]);
    }),
);
