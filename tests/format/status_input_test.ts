// What `status` shows of a snapshot: what is told of the whole holds for what is listed.

import { openQueue } from "../../lib/queue/queue.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { statusInput } from "../../lib/cli/status_input.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { assertEquals } from "../support/assert.ts";

const NOW = 1_772_625_600_000;

function task(at: number, change: Partial<Task> = {}): Task {
  const wish = { agent: "codex", prompt: "x" };
  return { ...newTask(`task_${NOW + at}`, wish, NOW), ...change };
}

function inputOf(tasks: Task[], agent?: string[]) {
  const root = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${root}/.orchestra/tasks`, { recursive: true });
    const queue = openQueue(root, { now: () => NOW });
    return statusInput(queue, { tasks, damaged: [], index: indexTasks(tasks) }, { agent });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("an agent is paused by a task that is not listed any more", () => {
  const until = NOW + 60_000;
  const limited = task(0, {
    status: "failed",
    completedAt: formatTime(NOW - 1000),
    laneUntil: formatTime(until),
  });
  const later = Array.from(
    { length: 30 },
    (_, at) => task(at + 1, { status: "complete", completedAt: formatTime(NOW + at) }),
  );
  const input = inputOf([limited, ...later, task(99)]);
  assertEquals(input.lanes, [{ agent: "codex", until }]);
  assertEquals(input.views[0]!.phase, {
    kind: "waiting",
    wait: { kind: "lane", agent: "codex", until },
  });
  const { complete, failed, waiting } = input.counts.byPhase;
  assertEquals([input.counts.total, complete, failed, waiting], [32, 30, 1, 1]);
  assertEquals([input.views.length, input.hidden], [21, 11]);
});

Deno.test("a filter narrows the list and the sums, and not who is paused", () => {
  const limited = task(0, { status: "failed", laneUntil: formatTime(NOW + 1) });
  const input = inputOf([limited, task(1), task(2, { agent: "shell" })], ["shell"]);
  assertEquals(input.views.map((view) => view.task.agent), ["shell"]);
  assertEquals([input.counts.total, input.hidden], [1, 0]);
  assertEquals(input.lanes.map(({ agent }) => agent), ["codex"]);
});
