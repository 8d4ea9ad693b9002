// The contract of a launcher, run for every implementation that can run here: the POSIX shim under
// each shell that is installed, and the Windows shim, whose code needs nothing of Windows but the
// process table. Then what is special to either, and their pure parts. Waiting is done by watching
// files; for the end of a process that is not ours the system has no event, so that is polled.

import fc from "fast-check";
import { pause } from "../../lib/launch/pause.ts";
import { FENCE, type Identity, type Launcher, type LaunchSpec } from "../../lib/launch/launcher.ts";
import { parsePidText, type Shim } from "../../lib/launch/posix/place.ts";
import { programCandidates } from "../../lib/launch/find.ts";

import { createPosixLauncher, parsePidFile } from "../../lib/launch/posix/launcher.ts";
import {
  exists,
  parseProc,
  parsePs,
  parseStat,
  type Process,
  PS_COLUMNS,
  readMarks,
  readProcesses,
} from "../../lib/launch/posix/processes.ts";
import { pickMarkable, pickTree } from "../../lib/launch/posix/tree.ts";
import { pickWindowsTree, shimCommand } from "../../lib/launch/windows/launcher.ts";
import {
  askArguments,
  ENTRY_SIZE,
  formatStart,
  parseEntry,
  systemProgram,
} from "../../lib/launch/windows/processes.ts";
import {
  formatExit,
  type Lookup,
  mergeEnvironment,
  parseNpmShim,
  parseSpec,
  resolveCommand,
} from "../../lib/launch/windows/shim.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { type Kind, makeLauncher, programArguments } from "./launch_program.ts";

const LINUX = Deno.build.os === "linux";
const PATIENCE = 30_000;

const KINDS: readonly { name: string; kind: Kind; program: string }[] = [
  { name: "sh", kind: ["/bin/sh"], program: "/bin/sh" },
  { name: "bash", kind: ["/bin/bash", "--posix"], program: "/bin/bash" },
  { name: "busybox", kind: ["/bin/busybox", "sh"], program: "/bin/busybox" },
  { name: "mksh", kind: ["/bin/mksh"], program: "/bin/mksh" },
  { name: "windows shim", kind: "windows", program: "/bin/sh" },
];

/** An identity that tells its number. */
type Known = Identity & { readonly pid: number };

/** Numbers of those of some processes that live. */
async function alive(launcher: Launcher, asked: readonly Identity[]): Promise<(number | null)[]> {
  const lives = await launcher.probe(asked);
  return asked.filter(({ token }) => lives.get(token) === "alive").map(({ pid }) => pid);
}

/** A process of the same number that began at another time. */
function later({ pid, token }: Identity): Identity {
  return { pid, token: token.replace("\n", "1\n") };
}

/** The identity of a process, as an earlier version wrote it. */
function identity({ pid, start }: Shim): Identity {
  return { pid, token: `${pid} ${start}\n` };
}

/** A folder for one launch. */
interface Place extends AsyncDisposable {
  readonly dir: string;
  readonly taskId: string;
  spec(command: string, args?: readonly string[], more?: Partial<LaunchSpec>): LaunchSpec;
  /** A spec for a script for sh, which runs in the folder. */
  script(text: string, more?: Partial<LaunchSpec>): LaunchSpec;
  read(name: string): string;
  /** Waits until a file has a whole line, and returns its first. */
  line(name: string): Promise<string>;
  /** The identity in the pid file, as soon as it is there. */
  shim(): Promise<Known>;
}

let lastTask = 0;

async function openPlace(): Promise<Place> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra_launch_" }));
  const taskId = `task_${Date.now()}${String(Deno.pid % 1000).padStart(3, "0")}${++lastTask}`;
  Deno.writeTextFileSync(`${dir}/t.json`, "{}\n");
  const spec: Place["spec"] = (command, args = [], more = {}) => ({
    pidFile: `${dir}/t.1.pid`,
    exitFile: `${dir}/exitcode`,
    logFile: `${dir}/log`,
    stdinFile: null,
    cwd: dir,
    command,
    args,
    env: { ORCHESTRA_TASK_ID: taskId },
    inherit: null,
    ...more,
  });
  const read = (name: string) => Deno.readTextFileSync(`${dir}/${name}`);
  async function line(name: string): Promise<string> {
    let text = "";
    await seen(dir, () => {
      try {
        text = read(name);
      } catch {
        // Not there yet.
      }
      return text.includes("\n");
    }, name);
    return text.slice(0, text.indexOf("\n"));
  }
  return {
    dir,
    taskId,
    spec,
    script: (text, more) => spec("/bin/sh", ["-c", text], more),
    read,
    line,
    async shim() {
      await line("t.1.pid");
      return parsePidFile(read("t.1.pid")) as Known;
    },
    async [Symbol.asyncDispose]() {
      // What a failed test leaves: all that was started in here.
      for (const process of inFolder(dir)) {
        try {
          Deno.kill(process, "SIGKILL");
        } catch {
          // Gone.
        }
      }
      await Deno.remove(dir, { recursive: true });
    },
  };
}

function inFolder(dir: string): number[] {
  const pids: number[] = [];
  if (!LINUX) return pids;
  for (const pid of readProcesses().keys()) {
    try {
      const cwd = Deno.readLinkSync(`/proc/${pid}/cwd`);
      if (cwd === dir || cwd.startsWith(`${dir}/`)) pids.push(pid);
    } catch {
      // Gone, or not ours.
    }
  }
  return pids;
}

/** Waits until a check holds, asking it whenever something changes in a folder. */
async function seen(dir: string, check: () => boolean, what: string): Promise<void> {
  using watcher = Deno.watchFs(dir);
  if (check()) return;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    watcher.close();
  }, PATIENCE);
  try {
    for await (const _ of watcher) {
      if (check()) return;
    }
  } finally {
    clearTimeout(timer);
  }
  assert(!late, `waited for ${what} in vain`);
}

function living(pids: readonly number[]): number[] {
  const table = readProcesses(pids);
  return pids.filter((pid) => table.get(pid)?.zombie === false);
}

/** Waits until none of some processes, which need not be ours, lives. */
async function gone(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (living(pids).length > 0) {
    assert(performance.now() < deadline, `${living(pids)} do not end`);
    await pause(5);
  }
}

/** Waits for what keeps no event loop going by itself. */
async function held<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, PATIENCE);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

function shimOf(pid: number): Shim {
  return { pid, start: readProcesses([pid]).get(pid)!.start };
}

function fifo(path: string): void {
  assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
}

function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
}

/** What a reader finds in an exit file; nothing where there is none. */
function exitText(dir: string): string {
  try {
    return Deno.readTextFileSync(`${dir}/exitcode`);
  } catch {
    return "";
  }
}

function mode(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

function installed(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

// ---- the contract ----

for (const { name, kind, program } of KINDS) {
  const contract = (title: string, run: (place: Place) => Promise<void>, ignore = false) =>
    Deno.test({
      name: `launch (${name}): ${title}`,
      ignore: ignore || Deno.build.os === "windows" || !installed(program),
      async fn() {
        await using place = await openPlace();
        await run(place);
      },
    });
  const launcher = makeLauncher(kind);
  /** Launches, and waits for the end of the shim. */
  const whole = async (spec: LaunchSpec) => {
    const launched = launcher.launch(spec);
    await held(launched.ended);
    return launched.pid;
  };

  contract("appends both outputs to the log and records the exit code", async (place) => {
    Deno.writeTextFileSync(`${place.dir}/log`, "before\n", { mode: 0o600 });
    const pid = await whole(place.script("echo out; echo err >&2; exit 7"));
    assertEquals(place.read("log"), "before\nout\nerr\n");
    assertEquals(place.read("exitcode"), "7\n");
    const shim = launcher.parsePidFile(place.read("t.1.pid"));
    assertEquals(shim?.pid, pid);
    assertMatch(parsePidText(shim!.token)!.start, /^\S+ \d+$/);
    assertEquals(namesIn(place.dir), ["exitcode", "log", "t.1.pid", "t.json"]);
  });

  contract("records 128 and the signal's number where a signal ended the agent", async (place) => {
    await whole(place.script("kill -KILL $$"));
    assertEquals(place.read("exitcode"), "137\n");
  });

  contract("runs one of many launches of the same claim", async (place) => {
    const spec = place.script("echo ran >>count");
    await held(Promise.all(Array.from({ length: 6 }, () => launcher.launch(spec).ended)));
    assertEquals(place.read("count"), "ran\n");
    assertEquals(place.read("exitcode"), "0\n");
  });

  contract("does nothing where the claim was fenced off", async (place) => {
    Deno.writeTextFileSync(`${place.dir}/t.1.pid`, FENCE);
    await whole(place.script("echo ran"));
    assertEquals(launcher.parsePidFile(place.read("t.1.pid")), null);
    assertEquals(namesIn(place.dir), ["t.1.pid", "t.json"]);
  });

  contract("does nothing where the pid file is a link", async (place) => {
    for (const target of ["/dev/null", "nowhere"]) {
      Deno.symlinkSync(target, `${place.dir}/t.1.pid`);
      await whole(place.script("echo ran"));
      Deno.removeSync(`${place.dir}/t.1.pid`);
      assertEquals(namesIn(place.dir), ["t.json"]);
    }
  });

  contract("does nothing for a task that is gone, and gives the claim back", async (place) => {
    Deno.removeSync(`${place.dir}/t.json`);
    await whole(place.script("echo ran"));
    assertEquals(namesIn(place.dir), []);
    // The command that verifies a task has a claim file of its own beside the task.
    Deno.writeTextFileSync(`${place.dir}/t.json`, "{}\n");
    await whole(place.script("echo ran", { pidFile: `${place.dir}/t.verify.1.pid` }));
    assertEquals(place.read("log"), "ran\n");
  });

  contract("gives the agent a file to read, or nothing", async (place) => {
    const bytes = new Uint8Array(70_000).map((_, at) => at % 256);
    Deno.writeFileSync(`${place.dir}/input`, bytes);
    await whole(place.spec("/bin/cat", [], { stdinFile: `${place.dir}/input` }));
    assertEquals(Deno.readFileSync(`${place.dir}/log`), bytes);
    Deno.removeSync(`${place.dir}/t.1.pid`);
    Deno.removeSync(`${place.dir}/log`);
    await whole(place.spec("/bin/cat"));
    assertEquals([place.read("log"), place.read("exitcode")], ["", "0\n"]);
  });

  contract("runs the agent in its folder", async (place) => {
    const cwd = `${place.dir}/a folder 'with' \"$(quotes)`;
    Deno.mkdirSync(cwd);
    await whole(place.script("pwd -P", { cwd }));
    assertEquals(place.read("log"), `${cwd}\n`);
  });

  contract("hands the environment on as it is, with what the launch sets", async (place) => {
    const mine = { out: "x y", line: "l", start: "s", boot: "b", mask: "m", IFS: "," };
    for (const [key, value] of Object.entries(mine)) Deno.env.set(key, value);
    try {
      const env = { ORCHESTRA_TASK_ID: place.taskId, start: "set $(here)\nand 'there'" };
      const names = ["out", "line", "start", "boot", "mask"];
      const print = `for n in ${names.join(" ")}; do eval "printf '%s=%s\\n' $n \\"\\$$n\\""; done`;
      await whole(place.script(print, { env }));
      const expected = { ...mine, ...env } as Record<string, string>;
      assertEquals(place.read("log"), names.map((n) => `${n}=${expected[n]}\n`).join(""));
    } finally {
      for (const key of Object.keys(mine)) Deno.env.delete(key);
    }
  });

  contract("hands on only the variables that are named, where they are", async (place) => {
    Deno.env.set("ORCHESTRA_TEST_SECRET", "secret");
    Deno.env.set("ORCHESTRA_TEST_PASSED", "passed");
    try {
      const inherit = ["PATH", "ORCHESTRA_TEST_PASSED", "ORCHESTRA_TEST_ABSENT"];
      await whole(place.spec("/usr/bin/env", [], { inherit }));
      const got = new Map(
        place.read("log").trimEnd().split("\n").map((line) => {
          const at = line.indexOf("=");
          return [line.slice(0, at), line.slice(at + 1)];
        }),
      );
      // Some shells set these by themselves.
      for (const own of ["PWD", "OLDPWD", "SHLVL", "_"]) got.delete(own);
      assertEquals(Object.fromEntries(got), {
        PATH: Deno.env.get("PATH")!,
        ORCHESTRA_TEST_PASSED: "passed",
        ORCHESTRA_TASK_ID: place.taskId,
      });
    } finally {
      Deno.env.delete("ORCHESTRA_TEST_SECRET");
      Deno.env.delete("ORCHESTRA_TEST_PASSED");
    }
  });

  contract("records what cannot be started as such", async (place) => {
    Deno.writeTextFileSync(`${place.dir}/plain`, "not a program");
    Deno.writeTextFileSync(`${place.dir}/file`, "");
    const specs: LaunchSpec[] = [
      place.spec("no-such-program-anywhere", ["x"]),
      place.spec(`${place.dir}/no-such-file`),
      place.spec("-p", ["ls"]),
      place.spec(""),
      place.spec("/bin/true", [], { cwd: `${place.dir}/no-such-folder` }),
      place.spec("/bin/true", [], { cwd: `${place.dir}/file` }),
      place.spec("/bin/true", [], { stdinFile: `${place.dir}/no-such-input` }),
      ...(kind === "windows" ? [] : [place.spec(`${place.dir}/plain`)]),
    ];
    for (const spec of specs) {
      await whole(spec);
      assertEquals(place.read("exitcode"), "127 spawn\n", JSON.stringify(spec));
      Deno.removeSync(`${place.dir}/exitcode`);
      Deno.removeSync(`${place.dir}/t.1.pid`);
    }
  });

  contract("hands arguments on byte for byte", async (place) => {
    const hard = [
      "",
      " ",
      "-c",
      "--",
      "-n",
      "a'b\"c`d",
      "$(touch pwned) `touch pwned` ${HOME} $HOME; touch pwned",
      "line\nbreak\r\n\ttab\u0007\u001b[31m",
      "back\\slash\\n \\\\ trailing\\",
      "* ? [a-z] ~ ! # % ^ & | < > %PATH%",
      "ünïcödé 漢字 🎉👩‍👩‍👧",
      "{prompt} {{x}}",
      Deno.execPath(),
      "run.ts",
      "--inspect",
      "-e",
      `${Deno.execPath()} x`,
      "x".repeat(100_000),
      "",
    ];
    const argument = fc.string({ unit: "binary", maxLength: 40 })
      .filter((text) => !text.includes("\0"));
    const print = (args: readonly string[]) =>
      place.spec("/bin/sh", ["-c", 'printf "%s\\0" "$@"', "sh", ...args]);
    const runs = [hard, ...fc.sample(fc.array(argument, { minLength: 1, maxLength: 60 }), 4)];
    for (const args of runs) {
      await whole(print(args));
      assertEquals(place.read("log").split("\0"), [...args, ""]);
      for (const file of ["t.1.pid", "log", "exitcode"]) Deno.removeSync(`${place.dir}/${file}`);
    }
    assertEquals(namesIn(place.dir), ["t.json"]);
  });

  contract("lets no argument be taken for one of its own runtime's", async (place) => {
    const spec = place.spec("/bin/sh", [
      "-c",
      `echo "${Deno.execPath()} x.ts"; echo "$1 $2"`,
      "sh",
    ]);
    await whole({ ...spec, args: [...spec.args, Deno.execPath(), "x.ts"] });
    assertEquals(place.read("log"), `${Deno.execPath()} x.ts\n${Deno.execPath()} x.ts\n`);
  });

  contract("keeps the agent's umask, and its own files private", async (place) => {
    const before = Deno.umask(0o027);
    try {
      await whole(place.script("umask; : >made"));
    } finally {
      Deno.umask(before);
    }
    assertMatch(place.read("log"), /^0*27\n$/);
    const modes = ["made", "t.1.pid", "exitcode", "log"].map((file) =>
      mode(`${place.dir}/${file}`)
    );
    assertEquals(modes, [0o640, 0o600, 0o600, 0o600]);
  });

  contract("survives kill -9 of what launched it, and no pipe leads back", async (place) => {
    fifo(`${place.dir}/gate`);
    const spec = place.script("echo $$ >agent; echo up; read word <gate; echo got $word; exit 3");
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ...programArguments({ launch: kind, spec })],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await place.line("log");
    const agent = Number(await place.line("agent"));
    const shim = await place.shim();
    if (LINUX) {
      const table = readProcesses([agent, shim.pid, Deno.pid]);
      assertNotEquals(table.get(shim.pid)!.session, table.get(Deno.pid)!.session);
      const files = (pid: number) =>
        [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
          try {
            return [`${name} ${Deno.readLinkSync(`/proc/${pid}/fd/${name}`)}`];
          } catch {
            return [];
          }
        }).sort((a, b) => Number.parseInt(a) - Number.parseInt(b));
      assertEquals(files(agent).slice(0, 3), [
        "0 /dev/null",
        `1 ${place.dir}/log`,
        `2 ${place.dir}/log`,
      ]);
      // What the tests themselves were started with is passed on by everybody.
      const given = new Set(files(Deno.ppid).map((file) => file.replace(/^\d+ /, "")));
      const theirs = files(command.pid).filter((file) => /(?:pipe|socket):/.test(file))
        .map((file) => file.replace(/^\d+ /, "")).filter((file) => !given.has(file));
      assertGreater(theirs.length, 0);
      for (const file of [...files(agent), ...files(shim.pid)]) {
        assert(!theirs.includes(file.replace(/^\d+ /, "")), file);
      }
    }
    command.kill("SIGKILL");
    await command.output();
    Deno.writeTextFileSync(`${place.dir}/gate`, "word\n");
    assertEquals(await place.line("exitcode"), "3");
    assertEquals(place.read("log"), "up\ngot word\n");
    await gone([shim.pid]);
  });

  contract("tells the living from the dead and from others of that pid", async (place) => {
    fifo(`${place.dir}/gate`);
    const launched = launcher.launch(place.script("read word <gate"));
    const shim = await place.shim();
    assertEquals(await alive(launcher, [shim]), [shim.pid]);
    assertEquals(await alive(launcher, [later(shim)]), []);
    assertEquals(await alive(launcher, []), []);
    assert(exists(shim.pid));
    Deno.writeTextFileSync(`${place.dir}/gate`, "\n");
    await held(launched.ended);
    assertEquals(await alive(launcher, [shim]), []);
    assert(!exists(shim.pid));
  });

  contract("ends an agent, and the exit code is still recorded", async (place) => {
    const launched = launcher.launch(place.script("echo up; exec sleep 600"));
    const shim = await place.shim();
    await place.line("log");
    const { signalled: count } = await launcher.endTree(place.taskId, shim, { grace: PATIENCE });
    assertEquals(count, 2);
    await held(launched.ended);
    assertEquals(place.read("exitcode"), "143\n");
    assertEquals((await launcher.endTree(place.taskId, shim, { grace: PATIENCE })).signalled, 0);
  });

  contract("ends what ignores being asked, and what that starts", async (place) => {
    const launched = launcher.launch(
      place.script(
        `trap "" TERM; sh -c 'trap "" TERM; echo $$ >child; while :; do sleep 600; done' & ` +
          "echo $$ >agent; while :; do sleep 600; done",
      ),
    );
    const shim = await place.shim();
    const pids = [Number(await place.line("agent")), Number(await place.line("child"))];
    await launcher.endTree(place.taskId, shim, { grace: 20 });
    assertEquals(living(pids), []);
    await held(launched.ended);
    assertEquals(place.read("exitcode"), "137\n");
  });

  contract("signals nothing that is not proven to be the task's", async (place) => {
    fifo(`${place.dir}/gate`);
    const launched = launcher.launch(place.script("echo up; read word <gate; exit 4"));
    const shim = await place.shim();
    await place.line("log");
    const forged = later(shim);
    for (const identity of [forged, null]) {
      const other = "task_1000000000001";
      assertEquals((await launcher.endTree(other, identity, { grace: 20 })).signalled, 0);
    }
    // Our own identity is not a tree that we end, whatever a pid file says.
    const mine = shimOf(Deno.pid);
    const start = kind === "windows" ? `- ${mine.start.split(" ")[1]}` : mine.start;
    const children = living([shim.pid]);
    assertEquals(children, [shim.pid]);
    assertEquals(
      (await launcher.endTree("task_1000000000001", identity({ ...mine, start }), { grace: 20 }))
        .signalled,
      0,
    );
    Deno.writeTextFileSync(`${place.dir}/gate`, "\n");
    await held(launched.ended);
    assertEquals(place.read("exitcode"), "4\n");
  });

  contract("stops waiting when told to", async (place) => {
    launcher.launch(place.script('trap "" TERM; echo up; while :; do sleep 600; done'));
    const shim = await place.shim();
    await place.line("log");
    const stop = new AbortController();
    const end = launcher.endTree(place.taskId, shim, { grace: 600_000, signal: stop.signal });
    stop.abort();
    await end;
    assertEquals((await alive(launcher, [shim])).length, 1);
    await launcher.endTree(place.taskId, shim, { grace: 10 });
    assertEquals((await alive(launcher, [shim])).length, 0);
  });

  contract("records the exit code once a full disk has room again", async (place) => {
    const disk = `${place.dir}/disk`;
    Deno.mkdirSync(disk);
    const mount = new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=64k", "none", disk],
      stderr: "null",
    }).outputSync();
    if (!mount.success) return;
    try {
      Deno.writeTextFileSync(`${disk}/t.json`, "{}\n");
      const launched = launcher.launch(
        place.script("cat /dev/zero >disk/filler 2>/dev/null; exit 9", {
          pidFile: `${disk}/t.1.pid`,
          exitFile: `${disk}/exitcode`,
        }),
      );
      // What could not be written is taken away again. A reader sees an empty file, which is none, or
      // a whole one.
      await seen(disk, () => namesIn(disk).includes("filler"), "the disk being filled");
      using watcher = Deno.watchFs(disk);
      for await (const { kind, paths } of watcher) {
        if (kind === "remove" && paths.some((path) => /exitcode/.test(path))) break;
      }
      assertEquals(exitText(disk), "");
      Deno.removeSync(`${disk}/filler`);
      await held(launched.ended);
      assertEquals(Deno.readTextFileSync(`${disk}/exitcode`), "9\n");
      assertEquals(namesIn(disk), ["exitcode", "t.1.pid", "t.json"]);
    } finally {
      new Deno.Command("umount", { args: ["-l", disk] }).outputSync();
    }
  }, Deno.build.os !== "linux" || Deno.uid() !== 0);

  contract("writes nothing where the workspace is gone", async (place) => {
    Deno.mkdirSync(`${place.dir}/tasks`);
    Deno.writeTextFileSync(`${place.dir}/tasks/t.json`, "{}\n");
    const paths = {
      pidFile: `${place.dir}/tasks/t.1.pid`,
      exitFile: `${place.dir}/tasks/exitcode`,
    };
    const before = performance.now();
    await whole(place.script("rm -r tasks", paths));
    // It does not go on trying, as it does where the disk is full.
    assertLess(performance.now() - before, 15_000);
    assertEquals(namesIn(place.dir), ["log", "t.json"]);
  });
}

// ---- Linux and macOS ----

function posix(title: string, run: (place: Place) => Promise<void>, ignore = false): void {
  Deno.test({
    name: `posix launcher: ${title}`,
    ignore: ignore || Deno.build.os === "windows",
    async fn() {
      await using place = await openPlace();
      await run(place);
    },
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
    await new Deno.Command("/bin/kill", { args: ["-TERM", "--", `-${launched.pid}`] }).output();
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
    env: { ORCHESTRA_TASK_ID: "task_1000000000002" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  assertEquals(living(tools), tools);
  const { signalled: count } = await launcher.endTree(place.taskId, shim, { grace: 50 });
  assertGreater(count, TOOLS.length + 1);
  assertEquals(living([...tools, shim.pid]), []);
  assertEquals(inFolder(place.dir), [stranger.pid]);
  stranger.kill("SIGKILL");
  await stranger.status;
  assertEquals(place.read("exitcode"), "143\n");
}, !LINUX);

posix("endTree finds by their mark what a dead shim has left", async (place) => {
  const { shim, tools } = await nastyTree(place, "exit 0");
  await gone([shim.pid]);
  const [session, orphan, bare, group] = tools as [number, number, number, number];
  await launcher.endTree(place.taskId, shim, { grace: 50 });
  // Nothing proves any more whose the one is that has lost its parent and its environment.
  assertEquals(living([session, orphan, bare, group]), [bare]);
}, !LINUX);

posix("endTree leaves another task below the shim alone, and all that it starts", async (place) => {
  const other = "env ORCHESTRA_TASK_ID=task_1000000000003 setsid sh -c " +
    '\'(echo $$ >other; exec env -u ORCHESTRA_TASK_ID sh -c "echo \\$\\$ >below; exec sleep 600") & ' +
    "echo $$ >outer; exec sleep 600' &";
  const launched = launcher.launch(place.script(`${other}\necho up\nexec sleep 600`));
  const shim = await place.shim();
  const others = [Number(await place.line("outer")), Number(await place.line("below"))];
  await place.line("log");
  assertEquals((await launcher.endTree(place.taskId, shim, { grace: PATIENCE })).signalled, 2);
  await held(launched.ended);
  assertEquals(living(others), others);
  const ended = await launcher.endTree("task_1000000000003", null, { grace: PATIENCE });
  assertGreater(ended.signalled, 0);
  assertEquals(living([others[0]!]), []);
}, !LINUX);

posix("endTree spares who calls it, who may be the agent's own child", async (place) => {
  // The agent asks for its own end, as `orchestra cancel $ORCHESTRA_TASK_ID` within it does.
  fifo(`${place.dir}/gate`);
  const launched = launcher.launch(place.script("read word <gate; sh ./call; sleep 600"));
  const shim = await place.shim();
  const args = programArguments({ end: place.taskId, shim, grace: PATIENCE });
  Deno.writeTextFileSync(`${place.dir}/order`, args.at(-1)!);
  Deno.writeTextFileSync(
    `${place.dir}/call`,
    `exec '${Deno.execPath()}' run -A ${args.slice(0, -1).join(" ")} "$(cat order)" >said 2>&1\n`,
  );
  Deno.writeTextFileSync(`${place.dir}/gate`, "\n");
  await held(launched.ended);
  assertEquals(await place.line("said"), "ended 2");
});

posix("endTree ends what is stopped", async (place) => {
  const launched = launcher.launch(place.script("echo $$ >agent; exec sleep 600"));
  const shim = await place.shim();
  Deno.kill(Number(await place.line("agent")), "SIGSTOP");
  assertEquals((await launcher.endTree(place.taskId, shim, { grace: 20 })).signalled, 2);
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
}, !LINUX);

posix("what has ended and waits to be noticed is not alive", async (place) => {
  // The first one is never noticed: what waits for it has become another program.
  const launched = launcher.launch(place.script("sleep 0 & echo $! >zombie; exec sleep 600"));
  const pid = Number(await place.line("zombie"));
  await gone([pid]);
  assert(exists(pid));
  const zombie = shimOf(pid);
  assertEquals(await alive(launcher, [identity(zombie)]), []);
  const shim = await place.shim();
  assertEquals((await launcher.endTree(place.taskId, shim, { grace: PATIENCE })).signalled, 2);
  await held(launched.ended);
}, !LINUX);

for (const path of ["/usr/bin:/bin", "/nonexistent"]) {
  posix(`all of it works with few permissions and a PATH of ${path}`, async (place) => {
    const { shim, tools } = await nastyTree(place, "exec sleep 600");
    const order = { end: place.taskId, shim, grace: 50 };
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-run", "--allow-env", ...programArguments(order)],
      env: { PATH: path },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertMatch(text, /^ended \d+\n$/);
    // Without grep nobody reads marks: what was orphaned before is not found.
    const left = path === "/nonexistent" ? [tools[1]!] : [];
    assertEquals(living([...tools, shim.pid]), left);
    await launcher.endTree(place.taskId, null, { grace: 0 });
  }, !LINUX);
}

posix("the table is the same whether read directly or printed by the shell", async (place) => {
  const launched = launcher.launch(place.script("echo up; exec sleep 600"));
  const shim = await place.shim();
  await place.line("log");
  const direct = readProcesses().get(shim.pid)!;
  readMarks([direct]);
  assertEquals(direct.marker, place.taskId);
  const module = new URL("../../lib/launch/posix/processes.ts", import.meta.url).href;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--quiet",
      "--ext=ts",
      `
      await Deno.permissions.revoke({ name: "read" });
      await Deno.permissions.revoke({ name: "write" });
      const { readProcesses } = await import(${JSON.stringify(module)});
      const pid = ${shim.pid};
      console.log(JSON.stringify([readProcesses().get(pid), readProcesses([pid]).get(pid)]));
    `,
    ],
  }).output();
  const [all, one] = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals([all, { ...one, marker: place.taskId }], [direct, direct]);
  await launcher.endTree(place.taskId, shim, { grace: PATIENCE });
  await held(launched.ended);
}, !LINUX);

posix("ps takes the columns that macOS is asked for", async () => {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-ww", ...PS_COLUMNS, "-ax"],
    env: { LC_ALL: "C", TZ: "UTC0" },
  }).output();
  const table = parsePs(new TextDecoder().decode(stdout), "");
  const mine = table.get(Deno.pid)!;
  assertEquals([mine.ppid, mine.zombie], [Deno.ppid, false]);
  assertMatch(mine.start, /^- [A-Z][a-z]{2}_[A-Z][a-z]{2}_\d+_\d\d:\d\d:\d\d_\d{4}$/);
}, !installed("/bin/ps") && !installed("/usr/bin/ps"));

// ---- pure parts ----

Deno.test("parsePidFile reads what the shims write, a fence, and nothing else", () => {
  const place = null;
  assertEquals(parsePidText("12 0f-a1 3456\n"), { pid: 12, start: "0f-a1 3456", place });
  const mac = parsePidText("12 - Tue Sep  2 07:03:05 2026 \n");
  assertEquals(mac, { pid: 12, start: "- Tue_Sep_2_07:03:05_2026", place });
  assertEquals(parsePidText(`7 ${formatStart(134398121760170450n)}\n`), {
    pid: 7,
    start: "- 134398121760170450",
    place,
  });
  assertEquals(parsePidText(`12 0f-a1 3456\n${"0f".repeat(16)} host 24\n`), {
    pid: 12,
    start: "0f-a1 3456",
    place: { boot: "0f-a1", machine: "0f".repeat(16), host: "host", namespace: "24" },
  });
  assertEquals(parsePidFile("12 0f-a1 3456\n"), { pid: 12, token: "12 0f-a1 3456\n" });
  assertEquals(parsePidFile(FENCE), null);
  for (const bad of ["", "12", "12 b 3", "12 b \n", "x b 3\n", "-1 b 3\n", "1 b 3\n2 b 3\n"]) {
    assertEquals(parsePidFile(bad), undefined, bad);
  }
});

/** A /proc/<pid>/stat. */
function statLine(pid: number, name: string, state: string, ppid: number, ticks: number): string {
  const middle = Array.from({ length: 14 }, (_, at) => at).join(" ");
  return `${pid} (${name}) ${state} ${ppid} ${ppid} 77 ${middle} 0 ${ticks} 1000 20 30\n`;
}

Deno.test("parseStat is not misled by a name", () => {
  fc.assert(fc.property(
    fc.string({ unit: fc.constantFrom("a", " ", "(", ")", "\n", "1", "S"), maxLength: 15 }),
    fc.nat(),
    fc.nat(),
    (name, ppid, ticks) => {
      assertEquals(parseStat(5, statLine(5, name, "S", ppid, ticks), "b"), {
        pid: 5,
        ppid,
        session: 77,
        zombie: false,
        start: `b ${ticks}`,
        marker: null,
      });
    },
  ));
});

Deno.test("parseStat takes no line that was cut off", () => {
  const whole = statLine(5, "a b", "Z", 1, 123456);
  assertEquals(parseStat(5, whole, "b")?.zombie, true);
  const end = whole.indexOf("123456") + "123456".length;
  for (let length = 0; length <= end; length++) {
    assertEquals(parseStat(5, whole.slice(0, length), "b"), undefined, whole.slice(0, length));
  }
});

Deno.test("parseProc reads what the shell prints, whatever the names are", () => {
  const print = (pid: number, stat: string) =>
    stat.trimEnd().split("\n").map((line) => `${pid}/stat:${line}\n`).join("");
  const text = "boot\nm\nhost\n7 7\n\n\n" + print(1, statLine(1, "init", "S", 0, 1)) +
    // A name that would pass for another process, were it not for the name of the file.
    print(8, statLine(8, "x\n9 (y) S 1 1 1", "S", 1, 20)) +
    print(3, "3 (cut off) S 1") + "4/stat:\nnoise\n" +
    `8/environ:ORCHESTRA_TASK_ID=task_12345678901\n5/environ:ORCHESTRA_TASK_ID=task_1\n`;
  const { table } = parseProc(text);
  assertEquals([...table.keys()], [1, 8]);
  assertEquals(table.get(8), {
    pid: 8,
    ppid: 1,
    session: 77,
    zombie: false,
    start: "boot 20",
    marker: "task_12345678901",
  });
  assertEquals(parseProc("").table.size, 0);
});

// As macOS 15 prints them, with the options that it is called with.
const MAC_TABLE = `    1     0     1 Ss   Mon Aug 31 09:12:44 2026
  412     1   412 Ss   Tue Sep  1 07:03:05 2026
 5120   412   412 S+   Tue Sep  1 07:03:06 2026
 5121  5120   412 Z+   Tue Sep  1 07:03:06 2026
 5122  5120   412 S+   Tue Sep  1 07:0`;
const MAC_MARKED = `    1 /sbin/launchd
  412 /bin/sh -c x orchestra-shim ORCHESTRA_TASK_ID=task_9999999999 PATH=/bin ORCHESTRA_TASK_ID=task_1795331564659 HOME=/x
 5120 sleep 600 PATH=/usr/bin
  999 gone ORCHESTRA_TASK_ID=task_1795331564659`;

Deno.test("parsePs reads what the ps of macOS prints", () => {
  const table = parsePs(MAC_TABLE, MAC_MARKED);
  assertEquals([...table.keys()], [1, 412, 5120, 5121]);
  assertEquals(table.get(412), {
    pid: 412,
    ppid: 1,
    session: 412,
    zombie: false,
    start: "- Tue_Sep_1_07:03:05_2026",
    marker: "task_1795331564659",
  });
  assertEquals(table.get(5120)!.marker, null);
  assertEquals(table.get(5121)!.zombie, true);
  // The same as the shim writes it.
  const shim = parsePidText("412 - Tue Sep  1 07:03:05 2026\n")!;
  assertEquals(pickTree(table, "task_1", shim, 5).map(({ pid }) => pid), []);
  assertEquals(
    pickTree(table, "task_1795331564659", shim, 5).map(({ pid }) => pid).sort(),
    [412, 5120],
  );
});

Deno.test("every column that ps is asked for is an option of its own", () => {
  // \`-o pid=,ppid=\` is one column with the heading ",ppid=" to the ps of macOS.
  assertEquals(PS_COLUMNS.filter((option) => option.includes(",")), []);
  assertEquals(PS_COLUMNS.length, 10);
});

function tableOf(...processes: (Partial<Process> & { pid: number })[]): Map<number, Process> {
  return new Map(processes.map((process) => [process.pid, {
    ppid: 1,
    session: 0,
    zombie: false,
    start: `b ${process.pid}`,
    marker: null,
    ...process,
  }]));
}

function pidsOf(processes: readonly { pid: number }[]): number[] {
  return processes.map(({ pid }) => pid).sort((a, b) => a - b);
}

const TASK = "task_1795331564659";

Deno.test("pickTree takes the shim, its session, its descendants and what carries the mark", () => {
  const table = tableOf(
    { pid: 1, ppid: 0 },
    { pid: 100, session: 100 },
    { pid: 101, ppid: 100, session: 100 },
    { pid: 102, ppid: 101, session: 102 },
    { pid: 103, session: 100 },
    { pid: 104, session: 104, marker: TASK },
    { pid: 105, ppid: 104, session: 105 },
    { pid: 106, ppid: 101, session: 106, marker: "task_1000000000000" },
    { pid: 107, ppid: 106, session: 106 },
    { pid: 108, ppid: 101, zombie: true },
    { pid: 109, ppid: 108 },
    { pid: 200 },
  );
  const shim = { pid: 100, start: "b 100" };
  assertEquals(pidsOf(pickTree(table, TASK, shim, 7)), [100, 101, 102, 103, 104, 105, 109]);
  // A forged start proves nothing; the mark does.
  assertEquals(pidsOf(pickTree(table, TASK, { ...shim, start: "c 100" }, 7)), [104, 105]);
  assertEquals(pidsOf(pickTree(table, TASK, null, 7)), [104, 105]);
  assertEquals(pickTree(table, "task_1", null, 7), []);
  // We are never part of it, nor what we started.
  assertEquals(pidsOf(pickTree(table, TASK, shim, 101)), [100, 103, 104, 105]);
});

Deno.test("pickTree keeps what was proven before, if it is still the same process", () => {
  const table = tableOf({ pid: 50 }, { pid: 51, ppid: 50 }, { pid: 60 }, { pid: 1, ppid: 0 });
  const known = new Map([[50, "b 50"], [60, "b 59"], [1, "b 1"], [70, "b 70"]]);
  assertEquals(pidsOf(pickTree(table, TASK, null, 7, known)), [50, 51]);
});

Deno.test("pickTree never takes init, ourselves or another's, and ends in any table", () => {
  const process = fc.record({
    pid: fc.integer({ min: 1, max: 30 }),
    ppid: fc.nat(30),
    session: fc.nat(30),
    zombie: fc.boolean(),
    start: fc.constantFrom("b 1", "b 2"),
    marker: fc.constantFrom(null, TASK, "task_1000000000000"),
  });
  fc.assert(fc.property(
    fc.array(process, { maxLength: 40 }),
    fc.integer({ min: 1, max: 30 }),
    fc.option(fc.record({ pid: fc.nat(30), start: fc.constantFrom("b 1", "b 3") })),
    (processes, self, shim) => {
      const table = new Map(processes.map((item) => [item.pid, item]));
      for (const { pid, marker, zombie } of pickTree(table, TASK, shim, self)) {
        assert(pid > 1 && pid !== self && !zombie && (marker === null || marker === TASK));
      }
      const proven = shim !== null && table.get(shim.pid)?.start === shim.start;
      if (!proven && !processes.some(({ marker }) => marker === TASK)) {
        assertEquals(pickTree(table, TASK, shim, self), []);
      }
    },
  ));
});

Deno.test("pickMarkable leaves out what is older than the shim, and the kernel's threads", () => {
  const table = tableOf(
    { pid: 2, ppid: 0 },
    { pid: 3, ppid: 2, start: "b 900" },
    { pid: 10, start: "b 99" },
    { pid: 11, start: "b 100" },
    { pid: 12, start: "b 1000" },
    { pid: 13, start: "c 50" },
    { pid: 14, start: "b 900", zombie: true },
  );
  assertEquals(pidsOf(pickMarkable(table, { pid: 11, start: "b 100" })), [11, 12, 13]);
  assertEquals(pidsOf(pickMarkable(table, null)), [10, 11, 12, 13]);
  assertEquals(pidsOf(pickMarkable(table, { pid: 1, start: "- Tue_Sep_1" })), [10, 11, 12, 13]);
});

Deno.test("readProcesses knows ourselves and our parent", () => {
  const table = readProcesses();
  assertEquals(table.get(Deno.pid)?.ppid, Deno.ppid);
  assert(table.has(Deno.ppid));
  assertEquals(readProcesses([Deno.pid, 4_000_000]).size, 1);
  assertEquals(readProcesses([]).size, 0);
});

Deno.test("programCandidates goes through PATH, or starts at the root", () => {
  const unix = { windows: false, path: "/usr/bin::/opt/a b/", root: "/w" };
  assertEquals(programCandidates("codex", unix), ["/usr/bin/codex", "/opt/a b/codex"]);
  assertEquals(programCandidates("./x", unix), ["/w/x"]);
  assertEquals(programCandidates("a/x", unix), ["/w/a/x"]);
  assertEquals(programCandidates("/a/x", unix), ["/a/x"]);
  assertEquals(programCandidates("a\\x", unix), ["/usr/bin/a\\x", "/opt/a b/a\\x"]);
});

Deno.test("programCandidates takes on Windows only what Windows can start", () => {
  const rules = {
    windows: true,
    path: 'C:\\npm;"C:\\Program Files\\x\\";',
    pathext: ".COM;.EXE;.BAT;.CMD;.VBS;.JS",
    root: "C:\\w",
  };
  const endings = [".com", ".exe", ".bat", ".cmd"];
  assertEquals(programCandidates("codex", rules), [
    ...endings.map((ending) => `C:\\npm\\codex${ending}`),
    ...endings.map((ending) => `C:\\Program Files\\x\\codex${ending}`),
  ]);
  assertEquals(
    programCandidates("codex.CMD", { ...rules, path: "C:\\npm" })[0],
    "C:\\npm\\codex.CMD",
  );
  assertEquals(programCandidates("tools/run.exe", rules)[0], "C:\\w\\tools\\run.exe");
  assertEquals(programCandidates("D:/a/b", rules)[1], "D:\\a\\b.exe");
  assertEquals(
    programCandidates("python3.11", { ...rules, path: "C:\\p" })[0],
    "C:\\p\\python3.11.com",
  );
  assertEquals(programCandidates("x", { ...rules, pathext: undefined, path: "C:\\p" }).length, 4);
});

// ---- Windows: pure parts ----

// As cmd-shim 8.0.0, which npm uses, writes them.
const NPM_START = "@ECHO off\r\nGOTO start\r\n:find_dp0\r\nSET dp0=%~dp0\r\nEXIT /b\r\n:start\r\n" +
  "SETLOCAL\r\nCALL :find_dp0\r\n";
function npmScript(program: string, args: string, target: string, variables = ""): string {
  return NPM_START + variables + [
    "",
    `IF EXIST "%dp0%\\${program}.exe" (`,
    `  SET "_prog=%dp0%\\${program}.exe"`,
    ") ELSE (",
    `  SET "_prog=${program}"`,
    "  SET PATHEXT=%PATHEXT:;.JS;=;%",
    ")",
    "",
    `endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%" ${args} "%dp0%\\${target}" %*`,
    "",
  ].join("\r\n");
}
const CODEX = "node_modules\\@openai\\codex\\bin\\codex.js";

Deno.test("parseNpmShim knows what npm's batch files run, and leaves all others alone", () => {
  assertEquals(parseNpmShim(npmScript("node", "", CODEX)), {
    interpreter: "node",
    args: [],
    target: CODEX,
  });
  assertEquals(parseNpmShim(npmScript("node", "--no-warnings --x=1", CODEX))?.args, [
    "--no-warnings",
    "--x=1",
  ]);
  const program = `${NPM_START}"%dp0%\\node_modules\\a\\bin\\c.exe"   %*\r\n`;
  assertEquals(parseNpmShim(program), {
    interpreter: null,
    args: [],
    target: "node_modules\\a\\bin\\c.exe",
  });
  for (
    const other of [
      "",
      "@echo off\r\nnode x.js %*\r\n",
      // It sets a variable first, which running the script directly would not.
      npmScript("node", "", CODEX, "@SET FOO=bar\r\n"),
      npmScript("node", "& calc", CODEX),
      npmScript("node", "", "%EVIL%\\x.js"),
      npmScript("/bin/bash", "", CODEX),
      npmScript("node", "", CODEX) + "calc\r\n",
    ]
  ) assertEquals(parseNpmShim(other), undefined, other);
});

function lookup(files: Record<string, string>, more: Partial<Lookup> = {}): Lookup {
  return {
    windows: true,
    path: "C:\\npm;C:\\nodejs",
    root: "C:\\w",
    isFile: (path) => path in files,
    read: (path) => files[path]!,
    ...more,
  };
}

Deno.test("resolveCommand runs what npm's batch file would, so that any argument arrives", () => {
  const hard = ['say "hi" & calc %PATH%', "two\nlines", ""];
  const files = {
    // The script for sh that npm puts beside it is nothing that Windows could start.
    "C:\\npm\\codex": "#!/bin/sh",
    "C:\\npm\\codex.cmd": npmScript("node", "--flag", CODEX),
    "C:\\nodejs\\node.exe": "",
  };
  assertEquals(resolveCommand("codex", hard, lookup(files)), {
    file: "C:\\nodejs\\node.exe",
    args: ["--flag", `C:\\npm\\${CODEX}`, ...hard],
  });
  const beside = { ...files, "C:\\npm\\node.exe": "" };
  assertEquals(resolveCommand("codex", [], lookup(beside)), {
    file: "C:\\npm\\node.exe",
    args: ["--flag", `C:\\npm\\${CODEX}`],
  });
});

Deno.test("resolveCommand refuses what cmd.exe could not be given, and says what to do", () => {
  const files = { "C:\\npm\\mine.bat": "@echo %*", "C:\\npm\\real.exe": "" };
  const arg = 'a "quoted" & %PATH% ^ one';
  assertEquals(resolveCommand("mine", [arg], lookup(files)), {
    file: "C:\\npm\\mine.bat",
    args: [arg],
  });
  for (const bad of ["a\nb", "a\rb", "a\0b"]) {
    const refused = resolveCommand("mine", ["ok", bad], lookup(files));
    assert("problem" in refused);
    assertStringIncludes(refused.problem, "mine.bat");
    assertStringIncludes(refused.problem, "{promptFile}");
    assertStringIncludes(refused.problem, '"stdin"');
  }
  assertEquals(resolveCommand("real", ["a\nb"], lookup(files)), {
    file: "C:\\npm\\real.exe",
    args: ["a\nb"],
  });
  assertEquals(resolveCommand("absent", [], lookup(files)), { problem: "absent is not installed" });
});

Deno.test("mergeEnvironment sets one variable once, however it is written", () => {
  const own = { Path: "C:\\a", SystemRoot: "C:\\Windows", SECRET: "s" };
  assertEquals(mergeEnvironment(own, { PATH: "C:\\b" }, null, true), {
    SystemRoot: "C:\\Windows",
    SECRET: "s",
    PATH: "C:\\b",
  });
  assertEquals(mergeEnvironment(own, { X: "1" }, ["PATH", "SYSTEMROOT", "NONE"], true), {
    Path: "C:\\a",
    SystemRoot: "C:\\Windows",
    X: "1",
  });
  assertEquals(mergeEnvironment(own, { PATH: "b" }, ["PATH"], false), { PATH: "b" });
});

Deno.test("formatExit tells codes and signals as sh does", () => {
  assertEquals(["0", "7", "143", "137", "128"], [
    formatExit(0, null),
    formatExit(7, null),
    formatExit(null, "SIGTERM"),
    formatExit(null, "SIGKILL"),
    formatExit(null, null),
  ]);
  // What Windows calls STATUS_CONTROL_C_EXIT.
  assertEquals(formatExit(-1073741510, null), "-1073741510");
});

Deno.test("parseSpec takes a launch, and nothing that is none", () => {
  const spec: LaunchSpec = {
    pidFile: "p",
    exitFile: "e",
    logFile: "l",
    stdinFile: null,
    cwd: "c",
    command: "x",
    args: ["a"],
    env: { A: "b" },
    inherit: ["PATH"],
  };
  assertEquals(parseSpec(JSON.stringify(spec)), spec);
  assertEquals(parseSpec(JSON.stringify({ ...spec, inherit: null })), { ...spec, inherit: null });
  const whole = JSON.stringify(spec);
  for (let length = 0; length < whole.length; length++) {
    assertEquals(parseSpec(whole.slice(0, length)), undefined);
  }
  for (const key of Object.keys(spec)) {
    assertEquals(parseSpec(JSON.stringify({ ...spec, [key]: 1 })), undefined, key);
  }
});

Deno.test("the shim is a module, a bundle or the program itself, whichever there is", () => {
  const deno = "C:\\deno.exe";
  const source = shimCommand("file:///C:/o/lib/launch/windows/launcher.ts", deno, false);
  assertEquals([source[0], source[1], source.at(-1)], [
    deno,
    "run",
    "file:///C:/o/lib/launch/windows/shim.ts",
  ]);
  const bundle = shimCommand("file:///C:/o/orchestra.js", deno, false);
  assertEquals(bundle.slice(-2), ["file:///C:/o/orchestra.js", "_shim"]);
  assertEquals(shimCommand("file:///x", "C:\\orchestra.exe", true), ["C:\\orchestra.exe", "_shim"]);
});

Deno.test("taskkill is asked by its full path for each process, and never for a tree", () => {
  assertEquals(askArguments([12, 34]), ["/PID", "12", "/PID", "34"]);
  assertEquals(systemProgram("taskkill.exe", "D:\\Win"), "D:\\Win\\System32\\taskkill.exe");
  assertEquals(systemProgram("taskkill.exe", undefined), "C:\\Windows\\System32\\taskkill.exe");
});

Deno.test("parseEntry finds pid and parent in a PROCESSENTRY32W", () => {
  const bytes = new Uint8Array(ENTRY_SIZE + 8);
  const entry = bytes.subarray(8);
  const view = new DataView(entry.buffer, 8);
  view.setUint32(0, ENTRY_SIZE, true);
  view.setUint32(8, 4_000_000_001, true);
  view.setUint32(32, 1234, true);
  assertEquals(parseEntry(entry), { pid: 4_000_000_001, ppid: 1234 });
});

Deno.test("pickWindowsTree follows parents, but no number that was given to another", () => {
  const table = [
    { pid: 4, ppid: 0, created: null },
    { pid: 100, ppid: 50, created: 1000n },
    { pid: 101, ppid: 100, created: 1001n },
    { pid: 102, ppid: 101, created: 1002n },
    // Older than its parent: that one's number was another's.
    { pid: 103, ppid: 101, created: 900n },
    { pid: 104, ppid: 103, created: 2000n },
    { pid: 105, ppid: 102, created: null },
  ];
  const shim = { pid: 100, start: formatStart(1000n) };
  assertEquals(pidsOf(pickWindowsTree(table, shim, 7)), [100, 101, 102]);
  assertEquals(pickWindowsTree(table, { ...shim, start: formatStart(999n) }, 7), []);
  assertEquals(pickWindowsTree(table, null, 7), []);
  // Ourselves, and what we started.
  assertEquals(pidsOf(pickWindowsTree(table, shim, 101)), [100]);
});

Deno.test("pickWindowsTree still knows the children of what it had proven and has ended", () => {
  const known = new Map([[101, 1001n], [102, 1002n]]);
  const left = [{ pid: 102, ppid: 101, created: 1002n }, { pid: 110, ppid: 101, created: 1500n }];
  assertEquals(pidsOf(pickWindowsTree(left, null, 7, known)), [102, 110]);
  // The number is another's now, and so are those younger than that one.
  const reused = [...left, { pid: 101, ppid: 3, created: 1400n }];
  assertEquals(pidsOf(pickWindowsTree(reused, null, 7, known)), [102]);
  const later = [...left, { pid: 101, ppid: 3, created: 1600n }];
  assertEquals(pidsOf(pickWindowsTree(later, null, 7, known)), [102, 110]);
});

Deno.test("pickWindowsTree ends in any table, with nothing that is not proven", () => {
  const process = fc.record({
    pid: fc.nat(12),
    ppid: fc.nat(12),
    created: fc.option(fc.bigInt({ min: 0n, max: 5n })),
  });
  fc.assert(fc.property(
    fc.uniqueArray(process, { selector: ({ pid }) => pid, maxLength: 13 }),
    fc.nat(12),
    fc.nat(12),
    fc.bigInt({ min: 0n, max: 5n }),
    (table, self, pid, created) => {
      const shim = { pid, start: formatStart(created) };
      const found = pickWindowsTree(table, shim, self);
      assert(found.every((item) => item.pid !== self && item.created >= created));
      const proven = table.some((item) => item.pid === pid && item.created === created);
      if (!proven) assertEquals(found, []);
    },
  ));
});
