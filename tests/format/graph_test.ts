// Graphs of tasks.

import { assertStringIncludes } from "../support/assert.ts";
import { buildGraph, formatMermaid } from "../../lib/format/graph.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { queueOf, taskOf } from "../support/views.ts";

Deno.test("a prompt in a Mermaid graph is text and neither syntax nor HTML", () => {
  const first = taskOf("shell", '# say "a<b> && c;" #lt;', 9);
  const { taskId } = first;
  const second = taskOf("shell", "x", 5, { dependsOn: [taskId] });
  const graph = buildGraph(queueOf([first, second]).views, indexTasks([first, second]));
  assertStringIncludes(
    formatMermaid(graph),
    `  ${taskId}["shell: #35; say #quot;a#lt;b#gt; #amp;#amp; c;#quot; #35;lt;<br/>ready"]:::ready`,
  );
});
