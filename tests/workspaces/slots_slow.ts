// A launch under a limit across workspaces, with its real agent, killed at each change of a file: the other
// workspace launches when nothing of it runs, and always then.

import { createFolders } from "../../lib/store/paths.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { newTask } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { ON_LINUX, test } from "../support/needs.ts";

/** Two workspaces with a task each, of one user who lets one agent run at once. */
function prepare(path: string): { root: string; id: string }[] {
  const write = (name: string, value: unknown) =>
    Deno.writeTextFileSync(`${path}/config/orchestra/${name}`, JSON.stringify(value));
  Deno.mkdirSync(`${path}/config/orchestra`, { recursive: true });
  write("settings.json", { limits: { p: { concurrent: 1 } }, grace_period: 0 });
  const say = `say() { echo $1 >>'${path}/ledger'; }; say +; sleep 0.05; say -`;
  const agent = { command: "sh", args: ["-c", say], completion: "exit", provider: "p" };
  write("agents.json", { agents: { a: agent } });
  return ["one", "other"].map((name) => {
    const root = `${path}/${name}`;
    createFolders(root);
    const make = (id: string) => newTask(id, { agent: "a", prompt: "p" }, Date.now());
    return { root, id: openStore(root).create(make, Date.now()).taskId };
  });
}

async function launch(path: string, root: string, id: string, at: number) {
  const program = filePath(new URL("launch_program.ts", import.meta.url));
  const { signal, code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", program, root, id, String(at)],
    env: { XDG_CONFIG_HOME: `${path}/config`, XDG_STATE_HOME: `${path}/state` },
    stdin: "null",
  }).output();
  return { killed: signal === "SIGKILL", code, stderr: new TextDecoder().decode(stderr) };
}

test(
  "killed at any change of a file, a launch and its agent hold one slot, which is free after that",
  ON_LINUX,
  async () => {
    let kills = 0;
    for (let at = 1;; at++) {
      const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra_launch_" }));
      const [one, other] = prepare(path);
      const first = await launch(path, one!.root, one!.id, at);
      if (!first.killed) assertEquals(first.code, 0, first.stderr);
      // The other one waits until the first is settled, which takes a look from there.
      const both = [
        launch(path, other!.root, other!.id, Infinity),
        ...(first.killed ? [launch(path, one!.root, one!.id, Infinity)] : []),
      ];
      for (const { code, stderr } of await Promise.all(both)) {
        assertEquals(code, 0, `killed at ${at}: ${stderr}`);
      }
      const ledger = Deno.readTextFileSync(`${path}/ledger`).trim().split("\n").join("");
      assertEquals(ledger, "+-+-", `killed at ${at}`);
      const left = [...Deno.readDirSync(`${path}/state/orchestra/slots`)].map(({ name }) => name)
        .filter((name) => name !== "lock");
      assertEquals(left, [], `killed at ${at}`);
      Deno.removeSync(path, { recursive: true });
      if (!first.killed) break;
      kills++;
    }
    assertGreater(kills, 20);
    assert(kills < 200, String(kills));
  },
);
