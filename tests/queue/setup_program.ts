// Launches the one task of a workspace, whose worktree is set up first, and settles it, in a process that
// kills itself at the n-th change of a file: what was begun then stays half done.
//
//   deno run -A setup_program.ts ROOT TASK N

import { openQueue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import { EVERYTHING } from "../../lib/queue/step.ts";
import { killAt } from "../support/kill_at.ts";

const [root = "", id = "", at] = Deno.args;
killAt(Number(at));

const queue = openQueue(root);
for (let turn = 0; turn < 2000; turn++) {
  // What has ended is put away by a look that launches nothing.
  await refresh(queue, { launch: turn === 0 ? 1 : undefined, may: () => EVERYTHING });
  const task = queue.store.read(id)!;
  if (task.status === "complete" && task.reapAt === null) Deno.exit(0);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
Deno.exit(1);
