// The contract of a launcher: what an agent is started with, that it is started once, and what is
// recorded of it.

import fc from "fast-check";
import { FENCE, type LaunchSpec } from "../../lib/launch/launcher.ts";
import { parsePidText } from "../../lib/launch/posix/place.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { forEachLauncher } from "../support/contract.ts";
import { held, namesIn, WINDOWS } from "../support/launch.ts";
import { linking, MODES, SIGNALS } from "../support/needs.ts";
import { type Kind, programArguments } from "./launch_program.ts";

/** Variables that Windows, its cmd.exe and Wine give to every program. */
const WINDOWS_VARIABLES =
  /^(?:SYSTEM(?:ROOT|DRIVE)|PROCESSOR_.*|COMSPEC|PATHEXT|PROMPT|HOME(?:DRIVE|PATH)|LOGONSERVER|TEMP|USER.*|WINDIR|WINE.*)$/i;

/** Code that prints its arguments, each with NUL at its end. */
const PRINT_ARGUMENTS = `
const bytes = new TextEncoder().encode(Deno.args.map((arg) => arg + "\\0").join(""));
for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));`;

function mode(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

/**
 * Launches from a process of its own, and waits for the end of the shim: what belongs to a whole
 * process is changed for no other test.
 */
async function launchElsewhere(
  order: { launch: Kind; spec: LaunchSpec },
  { env = {}, umask = "022" }: { env?: Record<string, string>; umask?: string },
): Promise<void> {
  const args = ["run", "-A", ...programArguments({ ...order, wait: true })];
  const { success, stderr } = WINDOWS
    ? await new Deno.Command(Deno.execPath(), { args, env }).output()
    : await new Deno.Command("/bin/sh", {
      args: ["-c", `umask ${umask}; exec "$@"`, "sh", Deno.execPath(), ...args],
      env,
    }).output();
  assert(success, new TextDecoder().decode(stderr));
}

forEachLauncher(({ contract, kind, launcher, whole }) => {
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
  }, SIGNALS);

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
  }, linking());

  contract("does nothing for a task that is gone, and gives the claim back", async (place) => {
    Deno.removeSync(`${place.dir}/t.json`);
    await whole(place.script("echo ran"));
    assertEquals(namesIn(place.dir), []);
    await whole(place.script("echo ran", { pidFile: `${place.dir}/t.setup.1.pid` }));
    assertEquals(namesIn(place.dir), []);
    // The commands that verify a task and set it up have claim files of their own beside the task.
    Deno.writeTextFileSync(`${place.dir}/t.json`, "{}\n");
    for (const name of ["verify", "setup"]) {
      await whole(place.script(`echo ${name}`, { pidFile: `${place.dir}/t.${name}.1.pid` }));
    }
    assertEquals(place.read("log"), "verify\nsetup\n");
  });

  contract("gives the agent a file to read, or nothing", async (place) => {
    const bytes = new Uint8Array(70_000).map((_, at) => at % 256);
    Deno.writeFileSync(`${place.dir}/input`, bytes);
    const cat = (more: Partial<LaunchSpec>) =>
      WINDOWS
        ? place.code("await Deno.stdin.readable.pipeTo(Deno.stdout.writable);", [], more)
        : place.spec("/bin/cat", [], more);
    await whole(cat({ stdinFile: `${place.dir}/input` }));
    assertEquals(Deno.readFileSync(`${place.dir}/log`), bytes);
    Deno.removeSync(`${place.dir}/t.1.pid`);
    Deno.removeSync(`${place.dir}/log`);
    await whole(cat({}));
    assertEquals([place.read("log"), place.read("exitcode")], ["", "0\n"]);
  });

  contract("runs the agent in its folder", async (place) => {
    const name = WINDOWS
      ? "a folder 'with' 100% ^ $(quotes) & %PATH%"
      : "a folder 'with' \"$(quotes)";
    const cwd = `${place.dir}/${name}`;
    Deno.mkdirSync(cwd);
    await whole(place.either("pwd -P", "console.log(Deno.cwd());", { cwd }));
    assertEquals(place.read("log"), `${WINDOWS ? cwd.replaceAll("/", "\\") : cwd}\n`);
  });

  contract("hands the environment on as it is, with what the launch sets", async (place) => {
    const mine = { out: "x y", line: "l", start: "s", boot: "b", mask: "m", IFS: "," };
    const env = { ORCHESTRA_MARK: place.mark, start: "set $(here)\nand 'there'" };
    const names = ["out", "line", "start", "boot", "mask"];
    const print = `for n in ${names.join(" ")}; do eval "printf '%s=%s\\n' $n \\"\\$$n\\""; done`;
    const code = `for (const name of ${JSON.stringify(names)}) {
      console.log(\`\${name}=\${Deno.env.get(name)}\`);
    }`;
    const spec = place.either(print, code, { env });
    await launchElsewhere({ launch: kind, spec }, { env: mine });
    const expected = { ...mine, ...env } as Record<string, string>;
    assertEquals(place.read("log"), names.map((n) => `${n}=${expected[n]}\n`).join(""));
  });

  contract("hands on only the variables that are named, where they are", async (place) => {
    const inherit = ["PATH", "ORCHESTRA_TEST_PASSED", "ORCHESTRA_TEST_ABSENT"];
    const spec = WINDOWS
      ? place.spec("cmd.exe", ["/d", "/s", "/c", "set"], { inherit })
      : place.spec("/usr/bin/env", [], { inherit });
    await launchElsewhere({ launch: kind, spec }, {
      env: { ORCHESTRA_TEST_SECRET: "secret", ORCHESTRA_TEST_PASSED: "passed" },
    });
    const got = new Map(
      place.read("log").trimEnd().split(/\r?\n/).map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    // Some shells set these by themselves.
    for (const own of ["PWD", "OLDPWD", "SHLVL", "_"]) got.delete(own);
    for (const name of WINDOWS ? [...got.keys()] : []) {
      if (WINDOWS_VARIABLES.test(name)) got.delete(name);
    }
    assertEquals(Object.fromEntries(got), {
      PATH: Deno.env.get("PATH")!,
      ORCHESTRA_TEST_PASSED: "passed",
      ORCHESTRA_MARK: place.mark,
    });
  });

  contract("records what cannot be started as such", async (place) => {
    Deno.writeTextFileSync(`${place.dir}/plain`, "not a program");
    Deno.writeTextFileSync(`${place.dir}/file`, "");
    const specs: LaunchSpec[] = [
      place.spec("no-such-program-anywhere", ["x"]),
      place.spec(`${place.dir}/no-such-file`),
      place.spec("-p", ["ls"]),
      place.spec(""),
      ...[
        { cwd: `${place.dir}/no-such-folder` },
        { cwd: `${place.dir}/file` },
        { stdinFile: `${place.dir}/no-such-input` },
      ].map((more) => WINDOWS ? place.code("", [], more) : place.spec("/bin/true", [], more)),
      ...(kind === "windows" ? [] : [place.spec(`${place.dir}/plain`)]),
    ];
    for (const spec of specs) {
      await whole(spec);
      const told = kind === "windows" ? /^127 spawn: .+\n$/ : /^127 spawn\n$/;
      assertMatch(place.read("exitcode"), told, JSON.stringify(spec));
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
      // A whole command line has no more than 32,767 characters on Windows.
      "x".repeat(WINDOWS ? 20_000 : 100_000),
      "",
    ];
    // Between two Deno on Windows an argument loses a carriage return at its end, quoted or not.
    const argument = fc.string({ unit: "binary", maxLength: 40 })
      .filter((text) => !text.includes("\0") && !(WINDOWS && text.endsWith("\r")));
    const print = (args: readonly string[]) =>
      WINDOWS
        ? place.code(PRINT_ARGUMENTS, args)
        : place.spec("/bin/sh", ["-c", 'printf "%s\\0" "$@"', "sh", ...args]);
    const runs = [hard, ...fc.sample(fc.array(argument, { minLength: 1, maxLength: 60 }), 4)];
    for (const args of runs) {
      await whole(print(args));
      assertEquals(place.read("log").split("\0"), [...args, ""]);
      for (const file of ["t.1.pid", "log", "exitcode"]) Deno.removeSync(`${place.dir}/${file}`);
    }
    assertEquals(namesIn(place.dir), ["t.json"]);
  });

  contract("lets no argument be taken for one of its own runtime's", async (place) => {
    const [given, deno] = [[Deno.execPath(), "x.ts"], JSON.stringify(Deno.execPath())];
    const line = `echo "${Deno.execPath()} x.ts"; echo "$1 $2"`;
    await whole(
      WINDOWS
        ? place.code(`console.log(${deno} + " x.ts"); console.log(Deno.args.join(" "));`, given)
        : place.spec("/bin/sh", ["-c", line, "sh", ...given]),
    );
    assertEquals(place.read("log"), `${Deno.execPath()} x.ts\n${Deno.execPath()} x.ts\n`);
  });

  contract("keeps the agent's umask, and its own files private", async (place) => {
    const spec = place.script("umask; : >made");
    await launchElsewhere({ launch: kind, spec }, { umask: "027" });
    assertMatch(place.read("log"), /^0*27\n$/);
    const modes = ["made", "t.1.pid", "exitcode", "log"].map((file) =>
      mode(`${place.dir}/${file}`)
    );
    assertEquals(modes, [0o640, 0o600, 0o600, 0o600]);
  }, MODES);
});
