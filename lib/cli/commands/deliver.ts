// `orchestra _deliver`: sends messages of webhooks, started by who watches with the network open to one
// host.

import { buildCommand } from "@stricli/core";
import { deliverAll } from "../../notify/deliver.ts";
import type { Context } from "../context.ts";

export const command = buildCommand({
  func: deliverMessages,
  parameters: {},
  docs: { brief: "Send messages of webhooks to one receiver" },
});

async function deliverMessages(this: Context): Promise<void> {
  this.endsByExit = true;
  await deliverAll();
}
