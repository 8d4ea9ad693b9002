// One launch under limits across workspaces, from its slot to its end, in a process that kills itself at
// the n-th change of a file: what was begun then stays half done.
//
//   deno run -A slots_program.ts FOLDER ROOT TASK N [GO]
//
// With a file that tells all to go it waits for that first, ends when its task runs, and leaves it so.

import { lstat } from "../../lib/store/files.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { keepPause, releaseSlot, takeSlot } from "../../lib/workspaces/slots.ts";
import { killAt } from "../support/kill_at.ts";
import { AGENTS, LIMITS } from "./slots_support.ts";

const [folder = "", root = "", id = "", at, go] = Deno.args;
killAt(Number(at));
if (go !== undefined) {
  Deno.writeTextFileSync(`${go}.${id}.${root.slice(-1)}`, "");
  while (lstat(go) === undefined);
}

const store = openStore(root);
const task = store.read(id)!;
const claim = task.claim + 1;
const time = formatTime(Date.now());
const slot = { root, task: id, claim, agent: "claude", provider: "anthropic" };
const refused = store.locked(() => {
  const held = takeSlot(slot, LIMITS, AGENTS, Date.now, folder);
  if (held === null) store.write({ ...task, status: "running", claim, startedAt: time });
  return held;
});
if (refused !== null || go !== undefined) Deno.exit(refused === null ? 0 : 3);
keepPause(
  { provider: "anthropic", agent: "claude", until: Date.now() + 60_000 },
  Date.now(),
  folder,
);
store.locked(() => {
  store.write({ ...task, status: "complete", claim, startedAt: time, completedAt: time });
  releaseSlot(slot, folder);
});
