// The contract of a launcher, run for every implementation that can run here: the POSIX shim under
// each shell that is installed, and the Windows shim, whose code needs nothing of Windows but the
// process table.

import fc from "fast-check";
import { FENCE, type LaunchSpec } from "../../lib/launch/launcher.ts";
import { parsePidText } from "../../lib/launch/posix/place.ts";
import { exists, readProcesses } from "../../lib/launch/posix/processes.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertNotEquals,
} from "../support/assert.ts";
import { type Kind, makeLauncher, programArguments } from "./launch_program.ts";
import {
  alive,
  fifo,
  gone,
  held,
  identity,
  installed,
  later,
  LINUX,
  living,
  namesIn,
  openPlace,
  PATIENCE,
  type Place,
  seen,
  shimOf,
} from "../support/launch.ts";

const KINDS: readonly { name: string; kind: Kind; program: string }[] = [
  { name: "sh", kind: ["/bin/sh"], program: "/bin/sh" },
  { name: "bash", kind: ["/bin/bash", "--posix"], program: "/bin/bash" },
  { name: "busybox", kind: ["/bin/busybox", "sh"], program: "/bin/busybox" },
  { name: "mksh", kind: ["/bin/mksh"], program: "/bin/mksh" },
  { name: "windows shim", kind: "windows", program: "/bin/sh" },
];

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
