// `orchestra show <id>`: everything about one task on one page.

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { anyIdArgument } from "../parameters.ts";
import { printTask } from "../task_page.ts";

export const command = buildCommand({
  func: show,
  parameters: { positional: { kind: "tuple", parameters: [anyIdArgument] } },
  docs: { brief: "Show everything about one task" },
});

async function show(
  this: Context,
  _flags: Record<never, never>,
  id: string,
): Promise<void> {
  await printTask(this, await this.openQueue(), id);
}
