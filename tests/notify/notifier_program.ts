// Tells what the history of a workspace holds, in a process that kills itself at the n-th change of a file:
// what was begun then stays half done.
//
//   deno run -A notifier_program.ts FOLDER PROGRAM N

import { openNotifier } from "../../lib/notify/notifier.ts";
import { loadConfig } from "../../lib/settings/config.ts";
import { openStore } from "../../lib/store/tasks.ts";

const [folder, program, at] = Deno.args;
let left = Number(at);

function step<T>(action: () => T): T {
  if (--left === 0) Deno.kill(Deno.pid, "SIGKILL");
  return action();
}

const host = Deno as unknown as Record<string, (...args: unknown[]) => unknown>;
for (const name of ["renameSync", "linkSync", "removeSync", "mkdirSync"]) {
  const real = host[name]!;
  host[name] = (...args) => step(() => real(...args));
}
const files = Deno.FsFile.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
const writeSync = files.writeSync!;
files.writeSync = function (this: Deno.FsFile, ...args) {
  return step(() => writeSync.apply(this, args));
};

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
