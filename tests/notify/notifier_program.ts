// Tells what the history of a workspace holds, in a process that kills itself at the n-th change of a file:
// what was begun then stays half done.
//
//   deno run -A notifier_program.ts FOLDER PROGRAM N

import { openNotifier } from "../../lib/notify/notifier.ts";
import { loadConfig } from "../../lib/settings/config.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { killAt } from "../support/kill_at.ts";

const [folder, program, at] = Deno.args;
killAt(Number(at));

const store = openStore(folder!);
const { config } = await loadConfig(store);
const idle = Promise.withResolvers<void>();
const notifier = openNotifier({
  store,
  program: program!,
  now: Date.now,
  random: () => 0.5,
  onProblem: (problem) => console.error(problem),
});
notifier.onIdle = idle.resolve;
notifier.look(config);
// What keeps us alive while children work.
const alive = setInterval(() => {}, 1000);
await idle.promise;
await notifier.close();
clearInterval(alive);
