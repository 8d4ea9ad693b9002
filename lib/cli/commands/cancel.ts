// `orchestra cancel`: ends pending and running tasks, with everything they started.

import { buildCommand } from "@stricli/core";
import { block } from "../../store/files.ts";
import { isWatched } from "../../supervise/watcher.ts";
import { dependentsOf, indexTasks } from "../../decide/dependencies.ts";
import { OrchestraError, toOrchestraError } from "../../task/error.ts";
import { cancel as cancelTasks } from "../../queue/cancel.ts";
import { endTask } from "../../queue/end.ts";
import { loadRules, noTask, type Rules } from "../../queue/queue.ts";
import type { Store } from "../../store/tasks.ts";
import { isTerminal, type Task } from "../../task/fields.ts";
import { env } from "../calling.ts";
import type { Context } from "../context.ts";
import {
  everywhere,
  filterAliases,
  filterFlags,
  idArgument,
  optional,
  parsed,
  text,
} from "../parameters.ts";
import type { Place } from "../places.ts";
import { type Filters, isFiltering, openPlaces, pickFiltered } from "../select.ts";

interface CancelFlags extends Filters {
  all?: boolean;
  reason?: string;
  withDependents?: boolean;
  everywhere?: boolean;
}

export const command = buildCommand({
  func: cancel,
  parameters: {
    flags: {
      all: optional("cancel all that are pending or running"),
      reason: parsed(text, "why, for the record", "text"),
      withDependents: optional("also what depends on them, directly or through others"),
      ...filterFlags,
      everywhere,
    },
    positional: { kind: "array", parameter: idArgument },
    aliases: filterAliases,
  },
  docs: { brief: "End pending or running tasks, with all they started" },
});

/** What is cancelled in a workspace, and what came of it. */
interface Order extends Place {
  readonly wanted: readonly string[];
  /** What has ended by itself, and how. */
  readonly final: Map<string, string>;
}

interface Outcome extends Order {
  readonly rules: Rules;
  readonly done: readonly Task[];
  readonly problems: readonly OrchestraError[];
}

async function cancel(this: Context, flags: CancelFlags, ...ids: string[]): Promise<void> {
  checkOrder(flags, ids);
  const some = ids.length === 0;
  const places = await openPlaces(this, flags.everywhere);
  const named = places.find(ids, "active");
  const concerned = some ? places.list : places.list.filter((one) => named.has(one));
  const orders = await places.each(
    concerned,
    (place) => prepare(place, flags, some ? undefined : named.get(place)!),
  );
  checkLeft(orders);
  const outcomes = await places.each(orders, (order) => carryOut(order, flags));
  const problems = outcomes.flatMap((one) => one.problems);
  if (!some) checkLeft(outcomes);
  if (problems.length > 0 && outcomes.every(({ done }) => done.length === 0)) throw problems[0];
  // Told before the processes are ended: we may be one of them.
  tell(this, outcomes, isFiltering(flags));
  if (problems.length > 0) this.fail(5);
  await places.each(outcomes, (outcome) => endAll(this, outcome));
}

function checkOrder(flags: CancelFlags, ids: readonly string[]): void {
  const some = (flags.all ?? false) || isFiltering(flags);
  const hint = flags.everywhere
    ? "For example: orchestra cancel --everywhere --status running"
    : "For example: orchestra cancel task_1795331564659   or: orchestra cancel --all";
  // All of everything is ended by nobody's slip.
  if (flags.everywhere && ids.length === 0 && !isFiltering(flags)) {
    throw new OrchestraError("usage", "cancel --everywhere needs ids or filters", { hint });
  }
  if (some === (ids.length > 0)) {
    throw new OrchestraError(
      "usage",
      some ? "cancel takes ids, or --all and filters, not both" : "cancel needs the id of a task",
      { hint },
    );
  }
}

/**
 * Which tasks are to be cancelled.
 *
 * @param ids those that were named; undefined for what passes the filters
 */
async function prepare(
  place: Place,
  flags: CancelFlags,
  ids: readonly string[] | undefined,
): Promise<Order> {
  const { queue } = place;
  let wanted = ids;
  if (wanted === undefined) {
    const { tasks } = queue.store.scan();
    wanted = (isFiltering(flags) ? await pickFiltered(tasks, flags, queue.now()) : tasks)
      .filter((task) => !isTerminal(task.status)).map((task) => task.taskId);
  }
  if (flags.withDependents) {
    const index = indexTasks(queue.store.scan().tasks);
    const open = dependentsOf(wanted, index).filter((task) => !isTerminal(task.status));
    wanted = [...new Set([...wanted, ...open.map((task) => task.taskId)])];
  }
  const final = new Map<string, string>();
  for (const id of wanted) {
    const task = queue.store.read(id);
    if (task === undefined) throw noTask(queue.store, id);
    if (isTerminal(task.status)) final.set(id, task.status);
  }
  return { ...place, wanted, final };
}

function skippedOf(orders: readonly Order[]): string[] {
  return orders.flatMap(({ name, final }) =>
    [...final].map(([id, status]) => `${id}${placed(name)} is ${status} already`)
  );
}

function placed(name: string | undefined): string {
  return name === undefined ? "" : ` in ${name}`;
}

function checkLeft(orders: readonly Order[]): void {
  const skipped = skippedOf(orders);
  const count = orders.reduce((sum, { wanted }) => sum + wanted.length, 0);
  if (skipped.length === 0 || skipped.length < count) return;
  throw new OrchestraError("state", `Nothing to cancel: ${skipped.join(", ")}`, {
    hint: "Only pending and running tasks can be cancelled.",
  });
}

async function carryOut(order: Order, flags: CancelFlags): Promise<Outcome> {
  const { context, queue, wanted, final } = order;
  const rules = await loadRules(queue, ({ message }) => context.note(`Defaults hold: ${message}`));
  if (wanted.includes(env("ORCHESTRA_TASK_ID") ?? "") && Deno.build.os !== "windows") {
    // The agent that cancels itself wants to be told; whoever watches ends us with all of it.
    Deno.addSignalListener("SIGTERM", () => {});
    context.endsByExit = true;
  }
  const done: Task[] = [];
  const problems: OrchestraError[] = [];
  for (const outcome of cancelTasks(queue, wanted, flags.reason ?? null, rules)) {
    if ("error" in outcome) {
      problems.push(toOrchestraError(outcome.error, `Cancelling ${outcome.id}`));
    } else if (outcome.cancelled) done.push(outcome.task!);
    // It ended while we came.
    else if (!final.has(outcome.id)) final.set(outcome.id, outcome.task?.status ?? "gone");
  }
  return { ...order, rules, done, problems };
}

function tell(context: Context, outcomes: readonly Outcome[], isFiltered: boolean): void {
  const problems = outcomes.flatMap((one) => one.problems);
  if (context.globals.json) {
    return context.printJson({
      cancelled: outcomes.flatMap(({ name, done }) =>
        done.map(({ taskId }) => name === undefined ? taskId : { workspace: name, taskId })
      ),
      skipped: skippedOf(outcomes),
      problems: problems.map(({ message }) => message),
    });
  }
  for (const { name, done } of outcomes) {
    for (const { taskId } of done) context.print(`Cancelled ${taskId}${placed(name)}`);
  }
  for (const text of skippedOf(outcomes)) context.note(`Skipped: ${text}`);
  for (const { message } of problems) context.note(`Not cancelled: ${message}`);
  if (outcomes.every(({ wanted }) => wanted.length === 0)) {
    context.print(
      `Nothing to cancel: no task ${isFiltered ? "that passes is" : "is"} pending or running`,
    );
  }
}

/** Ends what lives of them. */
async function endAll(context: Context, { queue, rules, done }: Outcome): Promise<void> {
  const ends = done.filter(({ reapAt }) => reapAt !== null).map(({ taskId }) => taskId);
  if (ends.length > 0 && isWatched(queue.store)) waitForWatcher(queue.store, ends);
  const tell = (problem: string) => context.note(problem);
  await Promise.all(ends.map((id) => endTask(queue, id, rules, { tell })));
}

/**
 * Whoever watches sees the same change and ends the processes too, and is quicker: it runs already.
 * While it gets on we wait: for each a moment, as long as a willing agent takes. What it has not ended
 * then we end ourselves.
 */
function waitForWatcher(store: Store, ids: readonly string[]): void {
  for (const id of ids) {
    const deadline = performance.now() + 100;
    while (store.read(id)?.reapAt !== null) {
      if (performance.now() >= deadline) return;
      block(0.5);
    }
  }
}
