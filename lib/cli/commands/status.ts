// `orchestra status`: what is going on.

import { buildCommand } from "@stricli/core";
import { formatStatus } from "../../format/status.ts";
import { describeChange } from "../changes.ts";
import type { Context } from "../context.ts";
import { duration } from "../flags.ts";
import { everywhere, filterAliases, filterFlags, optional, parsed } from "../parameters.ts";
import type { Filters } from "../select.ts";
import { selectViews, type StatusFilter, statusInput, viewJson } from "../status_input.ts";
import { brokenSettings, leaveWatcher, look } from "../supervision.ts";

interface StatusFlags extends Filters {
  watch?: boolean;
  interval?: number;
  noAutoRetry?: boolean;
  all?: boolean;
  usage?: boolean;
  changes?: boolean;
  everywhere?: boolean;
}

export const command = buildCommand({
  func: status,
  parameters: {
    flags: {
      watch: optional("stay, and draw it anew on every change"),
      interval: parsed(duration, "look at least this often while watching (5s)", "time"),
      noAutoRetry: optional("do not queue due retries"),
      ...filterFlags,
      all: optional("all finished tasks, not only the last 20"),
      usage: optional("also tokens and cost, and their sum"),
      changes: optional("also how much each changed on its branch"),
      everywhere,
    },
    aliases: { w: "watch", i: "interval", a: "all", ...filterAliases },
  },
  docs: { brief: "Show what is going on" },
});

async function status(this: Context, flags: StatusFlags): Promise<void> {
  const filter: StatusFilter = {
    status: flags.status,
    agent: flags.agent,
    label: flags.label,
    all: flags.all,
    usage: flags.usage,
    changes: flags.changes,
  };
  if (flags.everywhere) {
    const { statusEverywhere } = await import("../status_everywhere.ts");
    return await statusEverywhere(this, filter, flags);
  }
  const queue = await this.openQueue();
  if (flags.watch && !this.globals.json) {
    const { watchStatus } = await import("../status_watch.ts");
    return await watchStatus.call(this, queue, filter, flags);
  }
  const snapshot = await look(queue, !flags.noAutoRetry);
  await leaveWatcher(this, queue, snapshot);
  const broken = await brokenSettings(queue);
  if (broken !== null) this.note(broken);
  if (this.globals.json) {
    const views = selectViews(snapshot, filter, queue.now());
    const input = statusInput(queue, snapshot, filter);
    this.printJson({
      tasks: views.map(viewJson),
      counts: input.counts,
      overlaps: input.overlaps?.all ?? [],
      damaged: snapshot.damaged,
      lanes: input.lanes.map(({ agent, until }) => ({
        agent,
        until: new Date(until).toISOString(),
      })),
      supervisor: input.supervisor,
    });
    return;
  }
  for (const change of snapshot.changes) {
    if (change.kind === "retried" || change.kind === "released") this.note(describeChange(change));
  }
  const input = statusInput(queue, snapshot, filter);
  const text = formatStatus(input, this.style(), queue.now());
  // Where there is no task, it tells what to type.
  this.print(input.counts.total === 0 ? this.spell(text) : text);
}
