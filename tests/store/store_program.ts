// What the tests of the store run as processes of their own: they share nothing with it but the disk.

import { createFolders } from "../../lib/store/paths.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { newTask } from "../../lib/task/fields.ts";

const [verb, root, ...rest] = Deno.args;
if (verb === "unmasked") {
  Deno.umask(0);
  createFolders(root!);
}
const store = openStore(root!);

/** Says that we are there, and blocks until the test lets us go on. */
function untilReleased(word: string): void {
  console.log(word);
  Deno.stdin.readSync(new Uint8Array(1));
}

switch (verb) {
  // Creates so many tasks, each a step further on from the one before, and prints their ids.
  case "create": {
    const [count, millis, step] = rest.map(Number);
    untilReleased("ready");
    for (let done = 0; done < count!; done++) {
      const make = (id: string) => newTask(id, { agent: `p${Deno.pid}`, prompt: "p" }, millis!);
      console.log(store.create(make, millis! + done * step!).taskId);
    }
    break;
  }
  // Adds one so many times to the number in a file; two at once would lose some.
  case "count": {
    const path = `${store.dir}/number`;
    untilReleased("ready");
    for (let done = 0; done < Number(rest[0]); done++) {
      store.locked(() => {
        const number = Number(Deno.readTextFileSync(path));
        Deno.writeTextFileSync(path, String(number + 1));
      });
    }
    break;
  }
  // Stays inside the locked section.
  case "hold":
    store.locked(() => {
      untilReleased("held");
    });
    break;
  // Writes each kind of file where nothing is masked off.
  case "unmasked": {
    const { taskId } = store.create((id) => newTask(id, { agent: "a", prompt: "p" }, 0), 0);
    store.writeHint(taskId, "cancelled", "{}");
    store.createMark(taskId, "1.pid", "x");
    store.writeFile(`${store.dir}/config.json`, "{}");
    store.locked(() => store.write(store.read(taskId)!));
    console.log(taskId);
    break;
  }
  // Rewrites a task with prompts of very different lengths until a file tells it to stop.
  case "rewrite": {
    const id = rest[0]!;
    const stop = `${store.dir}/stop`;
    const task = store.read(id)!;
    for (let turn = 0;; turn++) {
      const letter = "abc"[turn % 3]!;
      store.write({ ...task, agent: letter, prompt: letter.repeat(1 + (turn % 3) * 100_000) });
      store.writeHint(id, "done", letter.repeat(1 + (turn % 3) * 20_000));
      try {
        Deno.lstatSync(stop);
        break;
      } catch {
        // Not yet.
      }
    }
    break;
  }
}
