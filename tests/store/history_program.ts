// A life of a few tasks, in a process that kills itself at the n-th change of a file: what the store has
// begun then stays half done.
//
//   deno run -A history_program.ts FOLDER N

import { archiveFinished } from "../../lib/store/archive.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { killAt } from "../support/kill_at.ts";
import { idOf, make, NOW } from "../support/store.ts";

const [folder, at] = Deno.args;
killAt(Number(at));

const store = openStore(folder!, { now: () => NOW + 5000 });
const time = formatTime(NOW + 1000);
const first = store.create(make, NOW);
store.createAll([1, 2, 3].map((number) => make(idOf(number))));
const running = { ...first, status: "running", claim: 1, startedAt: time, pid: 1 } as const;
store.write(running);
store.write({ ...first, claim: 1 });
store.locked(() => {
  const task = store.read(first.taskId)!;
  store.write({ ...task, status: "running", claim: 2, startedAt: time, pid: 2 });
  store.write({ ...task, status: "complete", claim: 2, startedAt: time, completedAt: time });
});
store.write({
  ...make(idOf(1)),
  status: "failed",
  claim: 1,
  startedAt: time,
  completedAt: time,
  failureClass: "rate-limit",
  laneUntil: formatTime(NOW + 60_000),
});
store.write({ ...make(idOf(2)), status: "cancelled", completedAt: time });
archiveFinished(
  store,
  {
    max_completed_age_days: 0,
    max_failed_age_days: 1000,
    max_queue_size: 1000,
  },
  NOW + 10_000_000,
  (problem) => console.error(problem),
);
const gone = make(idOf(3));
store.leave(gone, "removed", () => store.remove(`${store.tasksDir}/${gone.taskId}.json`));
