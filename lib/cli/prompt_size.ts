// Refuses at `start` a prompt that no launch could pass on.

import { OrchestraError } from "../task/error.ts";
import type { Queue } from "../queue/queue.ts";
import { newTask } from "../task/fields.ts";

/** @throws OrchestraError `usage` where the agent's command line cannot hold the prompt */
export async function checkPromptSize(queue: Queue, name: string, prompt: string): Promise<void> {
  const task = newTask("task_0000000000", { agent: name, prompt }, 0);
  const problem = queue.launchProblem(task, await queue.rules());
  if (problem === undefined || !problem.includes("{promptFile}")) return;
  throw new OrchestraError(
    "usage",
    `The prompt is too long for agent "${name}": ${problem.split(": ")[0]}`,
    {
      hint: 'Let the agent read it from a file ("{promptFile}" in "args") or from its standard ' +
        'input ("stdin": "{prompt}") in .orchestra-cli/agent-config.json.',
    },
  );
}
