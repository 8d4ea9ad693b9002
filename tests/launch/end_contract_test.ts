// The contract of a launcher: who lives, who is ended and who is not, and that an agent outlives who
// launched it.

import { exists, readProcesses } from "../../lib/launch/posix/processes.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertThrows,
} from "../support/assert.ts";
import { forEachLauncher } from "../support/contract.ts";
import { linking, type Missing, mounting, needs, succeeds } from "../support/needs.ts";
import {
  alive,
  gone,
  held,
  identity,
  later,
  LINUX,
  living,
  namesIn,
  shimOf,
  uniqueMark,
  WINDOWS,
} from "../support/launch.ts";
import { lives, PATIENCE } from "../support/program.ts";
import { programArguments, SLEPT } from "./launch_program.ts";

/** Code of an agent that goes on until it is ended. */
const IDLE_CODE = 'console.log("up"); setTimeout(() => {}, 600_000);';

const isThere = WINDOWS ? lives : exists;

/** What a reader finds in an exit file; nothing where there is none. */
function exitText(dir: string): string {
  try {
    return Deno.readTextFileSync(`${dir}/exitcode`);
  } catch {
    return "";
  }
}

forEachLauncher(({ contract, kind, launcher, whole }) => {
  contract("survives kill -9 of what launched it, and no pipe leads back", async (place) => {
    const spec = place.gated(
      "echo $$ >agent; echo up; read word <gate; echo got $word; exit 3",
      'Deno.writeTextFileSync("agent", `${Deno.pid}\\n`); console.log("up");',
      "console.log(`got ${word.trim()}`); Deno.exit(3);",
    );
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
    place.openGate("word");
    assertEquals(await place.line("exitcode"), "3");
    assertEquals(place.read("log"), "up\ngot word\n");
    await gone([shim.pid]);
  });

  contract("tells the living from the dead and from others of that pid", async (place) => {
    const launched = launcher.launch(place.gated("read word <gate", "", ""));
    const shim = await place.shim();
    assertEquals(await alive(launcher, [shim]), [shim.pid]);
    assertEquals(await alive(launcher, [later(shim)]), []);
    assertEquals(await alive(launcher, []), []);
    assert(isThere(shim.pid));
    place.openGate("");
    await held(launched.ended);
    assertEquals(await alive(launcher, [shim]), []);
    assert(!isThere(shim.pid));
  });

  contract("ends an agent, and the exit code is still recorded", async (place) => {
    const launched = launcher.launch(place.either("echo up; exec sleep 600", IDLE_CODE));
    const shim = await place.shim();
    await place.line("log");
    // Programs without a window cannot be asked to end on Windows: the grace period is waited for.
    const grace = WINDOWS ? 20 : PATIENCE;
    const { signalled: count } = await launcher.endTree(place.mark, shim, { grace });
    // A program has its console on Windows, which is a process, too.
    if (WINDOWS) assertGreater(count, 1);
    else assertEquals(count, 2);
    await held(launched.ended);
    assertEquals(place.read("exitcode"), WINDOWS ? "1\n" : "143\n");
    assertEquals((await launcher.endTree(place.mark, shim, { grace: PATIENCE })).signalled, 0);
  });

  contract("ends what ignores being asked, and what that starts", async (place) => {
    const launched = launcher.launch(
      place.either(
        `trap "" TERM; sh -c 'trap "" TERM; echo $$ >child; while :; do sleep 600; done' & ` +
          "echo $$ >agent; while :; do sleep 600; done",
        `const [name = "agent"] = Deno.args;
        Deno.writeTextFileSync(name, \`\${Deno.pid}\\n\`);
        if (name === "agent") {
          const args = ["run", "-A", "--no-config", import.meta.url, "child"];
          new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn();
        }
        setTimeout(() => {}, 600_000);`,
      ),
    );
    const shim = await place.shim();
    const pids = [Number(await place.line("agent")), Number(await place.line("child"))];
    await launcher.endTree(place.mark, shim, { grace: 20 });
    assertEquals(living(pids), []);
    await held(launched.ended);
    assertEquals(place.read("exitcode"), WINDOWS ? "1\n" : "137\n");
  });

  contract("signals nothing that is not proven to be the task's", async (place) => {
    const launched = launcher.launch(
      place.gated("echo up; read word <gate; exit 4", 'console.log("up");', "Deno.exit(4);"),
    );
    const shim = await place.shim();
    await place.line("log");
    const forged = later(shim);
    const other = uniqueMark();
    for (const identity of [forged, null]) {
      assertEquals((await launcher.endTree(other, identity, { grace: 20 })).signalled, 0);
    }
    // Our own identity is not a tree that we end, whatever a pid file says.
    const mine = shimOf(Deno.pid);
    const start = kind === "windows" ? mine.start.replace(/^\S+/, "-") : mine.start;
    const children = living([shim.pid]);
    assertEquals(children, [shim.pid]);
    assertEquals(
      (await launcher.endTree(other, identity({ ...mine, start }), { grace: 20 }))
        .signalled,
      0,
    );
    place.openGate("");
    await held(launched.ended);
    assertEquals(place.read("exitcode"), "4\n");
  });

  contract("stops waiting when told to", async (place) => {
    launcher.launch(
      place.either('trap "" TERM; echo up; while :; do sleep 600; done', IDLE_CODE),
    );
    const shim = await place.shim();
    await place.line("log");
    const stop = new AbortController();
    const end = launcher.endTree(place.mark, shim, { grace: 600_000, signal: stop.signal });
    stop.abort();
    await end;
    assertEquals((await alive(launcher, [shim])).length, 1);
    await launcher.endTree(place.mark, shim, { grace: 10 });
    assertEquals((await alive(launcher, [shim])).length, 0);
  });

  for (
    const [what, options, fill] of [
      ["page", "size=64k", "cat /dev/zero >disk/filler 2>/dev/null"],
      ["inode", "nr_inodes=8", "touch disk/1 disk/2 disk/3 disk/4 disk/5 disk/6 2>/dev/null"],
    ] as const
  ) {
    contract(`records the exit code on a disk that has no ${what} left`, async (place) => {
      const disk = `${place.dir}/disk`;
      Deno.mkdirSync(disk);
      assert(succeeds("mount", "-t", "tmpfs", "-o", options, "none", disk));
      try {
        Deno.writeTextFileSync(`${disk}/t.json`, "{}\n");
        const launched = launcher.launch(
          place.script(`${fill}; exit 127`, {
            pidFile: `${disk}/t.1.pid`,
            exitFile: `${disk}/exitcode`,
          }),
        );
        await held(launched.ended);
        assertEquals(exitText(disk), "127\n");
        assertThrows(() => Deno.writeTextFileSync(`${disk}/more`, "x".repeat(9999)));
      } finally {
        succeeds("umount", "-l", disk);
      }
    }, mounting());
  }

  contract("takes the claim back where there is no room for the exit code", async (place) => {
    const disk = `${place.dir}/disk`;
    Deno.mkdirSync(disk);
    assert(succeeds("mount", "-t", "tmpfs", "-o", "nr_inodes=3", "none", disk));
    try {
      Deno.writeTextFileSync(`${disk}/t.json`, "{}\n");
      const paths = { pidFile: `${disk}/t.1.pid`, exitFile: `${disk}/exitcode` };
      await held(launcher.launch(place.script("echo ran", paths)).ended);
      assertEquals(namesIn(disk), ["t.json"]);
      assertEquals(namesIn(place.dir).includes("log"), false);
    } finally {
      succeeds("umount", "-l", disk);
    }
  }, mounting());

  for (
    const [what, script, code, missing = null] of [
      ["took it away", "rm exitcode", 'Deno.removeSync("exitcode");'],
      [
        "put another file there",
        "rm exitcode; echo 0 >exitcode",
        'Deno.removeSync("exitcode"); Deno.writeTextFileSync("exitcode", "0\\n");',
      ],
      ["wrote into it", "echo 0 >exitcode", 'Deno.writeTextFileSync("exitcode", "0\\n");'],
      [
        "wrote more into it",
        "seq 9 >exitcode",
        'Deno.writeTextFileSync("exitcode", "9\\n".repeat(9));',
      ],
      [
        "put a link there",
        "ln -sf log exitcode",
        'Deno.symlinkSync("log", "exitcode");',
        linking(),
      ],
      [
        "put a link to the same file there",
        "rm exitcode; echo mine >mine; ln mine exitcode",
        'Deno.removeSync("exitcode"); Deno.writeTextFileSync("mine", "mine\\n"); ' +
        'Deno.linkSync("mine", "exitcode");',
        needs("ln"),
      ],
    ] as readonly [what: string, script: string, code: string, missing?: Missing][]
  ) {
    contract(`records the exit code where the agent ${what}`, async (place) => {
      await whole(place.either(`${script}; exit 3`, `${code} Deno.exit(3);`));
      assertEquals(place.read("exitcode"), "3\n");
      assertEquals(Deno.lstatSync(`${place.dir}/exitcode`).isFile, true);
      assertEquals(place.read("log"), "");
      if (script.includes("mine")) assertEquals(place.read("mine"), "mine\n");
    }, missing);
  }

  contract("writes nothing where the workspace is gone", async (place) => {
    Deno.mkdirSync(`${place.dir}/tasks`);
    Deno.writeTextFileSync(`${place.dir}/tasks/t.json`, "{}\n");
    const paths = {
      pidFile: `${place.dir}/tasks/t.1.pid`,
      exitFile: `${place.dir}/tasks/exitcode`,
    };
    // Between two tries it sleeps: it does not go on trying, as it does where the disk is full.
    const tools = `${place.dir}/tools`;
    Deno.mkdirSync(tools);
    Deno.writeTextFileSync(`${tools}/sleep`, `#!/bin/sh\n: >${place.dir}/slept\n`, { mode: 0o755 });
    const path = `${tools}${WINDOWS ? ";" : ":"}${Deno.env.get("PATH")}`;
    await whole(place.script("rm -r tasks", {
      ...paths,
      env: { PATH: path, [SLEPT]: `${place.dir}/slept` },
    }));
    assertEquals(namesIn(place.dir), ["log", "t.json", "tools"]);
  });
});
