// What an id is, and nothing else.

import { assert, assertEquals } from "../support/assert.ts";
import { formatTaskId, isTaskId, parseTask } from "../../lib/task/fields.ts";
import { fullTask, ID, NOW } from "../support/tasks.ts";

Deno.test("an id is task_ and 10 to 20 digits and nothing else", () => {
  for (const digits of ["1234567890", "1795331564659", "12345678901234567890"]) {
    assert(isTaskId(`task_${digits}`), digits);
  }
  for (
    const text of [
      "task_123456789",
      "task_123456789012345678901",
      "task_",
      "",
      "1795331564659",
      "Task_1795331564659",
      "task_1795331564659 ",
      " task_1795331564659",
      "task_1795331564659\n",
      "task_1795331564659\0",
      "task_1795331564\x000659",
      "task_../../etc/passwd",
      "../task_1795331564659",
      "task_1795331564659/../x",
      "task_179533156/659",
      "task_1795331564659.json",
      "task_１７９５３３１５６４６５９",
      "task_-795331564659",
      "task_1.95331564659",
      "task_0x95331564659",
    ]
  ) {
    assert(!isTaskId(text), JSON.stringify(text));
    assert(!("task" in parseTask(JSON.stringify({ ...fullTask(), dependsOn: [text] }), ID)));
  }
});

Deno.test("formatTaskId makes an id of any time there is", () => {
  assertEquals(formatTaskId(1795331564659.9), "task_1795331564659");
  for (const millis of [0, -1, 1, NOW, 8.64e15]) {
    assert(isTaskId(formatTaskId(millis)), `${millis}`);
  }
});
