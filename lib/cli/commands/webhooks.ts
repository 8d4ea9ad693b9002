// `orchestra webhooks`: who is told of what happens, whether that works, and what to do where it does not.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { formatAttempts, formatStandings } from "../../format/subscribers.ts";
import { runFor, sendTo } from "../../notify/attempt.ts";
import { openChannel } from "../../notify/channel.ts";
import {
  askToResume,
  isKnown,
  lanePath,
  listFiles,
  listLanes,
  logAttempt,
  readDisabled,
  readLog,
} from "../../notify/outbox.ts";
import { describe, isMade } from "../../notify/plan.ts";
import { replay } from "../../notify/replay.ts";
import { standingOf } from "../../notify/standing.ts";
import { resolveTask } from "../../queue/names.ts";
import type { Queue } from "../../queue/queue.ts";
import { loadConfig } from "../../settings/config.ts";
import { loadSubscribers, type Subscriber } from "../../settings/subscribers.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import type { HistoryEvent } from "../../task/event.ts";
import { formatTime } from "../../task/fields.ts";
import type { Attempt } from "../../task/standing.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { parsed, startingWith, text } from "../parameters.ts";
import { leaveForNews } from "../supervision.ts";

type NoFlags = Record<never, never>;

/** Attempts that are shown where nothing says how many. */
const LINES = 50;

const nameArgument = {
  brief: "name of a hook or a webhook",
  placeholder: "name",
  parse: text,
  async proposeCompletions(this: Context, partial: string): Promise<string[]> {
    try {
      const { active } = await subscribersOf(await this.openQueue());
      return startingWith(() => active.map(({ name }) => name))(partial);
    } catch {
      return [];
    }
  },
} as const;

export const command = buildRouteMap({
  routes: {
    list: buildCommand({
      func: listSubscribers,
      parameters: {},
      docs: { brief: "List hooks and webhooks, and how it stands with each" },
    }),
    test: buildCommand({
      func: testSubscriber,
      parameters: { positional: { kind: "tuple", parameters: [nameArgument] } },
      docs: { brief: "Tell one of them something now, and say what came of it" },
    }),
    replay: buildCommand({
      func: replayEvents,
      parameters: {
        flags: { to: parsed(text, "only to this one", "name") },
        positional: {
          kind: "tuple",
          parameters: [
            { brief: "key of an event, or a task", placeholder: "id", parse: text },
          ],
        },
      },
      docs: { brief: "Tell once more what happened, also what was given up" },
    }),
    log: buildCommand({
      func: printLog,
      parameters: {
        flags: { lines: parsed(integer(0), `only the last attempts (${LINES})`, "n") },
        aliases: { n: "lines" },
        positional: { kind: "tuple", parameters: [{ ...nameArgument, optional: true }] },
      },
      docs: { brief: "Print what came of the attempts to tell" },
    }),
    enable: buildCommand({
      func: enable,
      parameters: { positional: { kind: "tuple", parameters: [nameArgument] } },
      docs: { brief: "Tell one again that wanted nothing any more, or that is waited for" },
    }),
  },
  defaultCommand: "list",
  docs: {
    brief: "See and test who is told of what happens",
    fullDescription:
      "Hooks are programs that are run, webhooks are addresses that are told, when " +
      "something happens. They are set in .orchestra/config.json or in your own settings; those of " +
      ".orchestra-cli/config.json count once you have approved them with: orchestra trust --commands",
  },
});

async function subscribersOf({ store }: Queue) {
  const { config } = await loadConfig(store);
  return await loadSubscribers(store, config);
}

async function listSubscribers(this: Context): Promise<void> {
  const queue = await this.openQueue();
  const { store } = queue;
  const { active, unapproved, problems } = await subscribersOf(queue);
  await leaveForNews(this, queue);
  const now = queue.now();
  const rows = [
    ...active.map((subscriber) => standingOf(store, subscriber, true, now)),
    ...unapproved.map((subscriber) => standingOf(store, subscriber, false, now)),
  ];
  if (this.globals.json) return this.printJson({ subscribers: rows, problems });
  if (rows.length === 0) this.print("Nobody is told: there are no hooks and no webhooks");
  else this.print(formatStandings(rows, this.style(), now));
  for (const problem of problems) this.note(printable(problem));
  if (unapproved.length > 0) this.note("See and approve them with: orchestra trust --commands");
}

/** The one that is meant by a name. */
async function pickSubscriber(queue: Queue, name: string): Promise<Subscriber> {
  const { active, unapproved } = await subscribersOf(queue);
  const isNamed = (one: Subscriber) => one.name.toLowerCase() === name.toLowerCase();
  const found = active.find(isNamed);
  if (found !== undefined) return found;
  if (unapproved.some(isNamed)) {
    throw new OrchestraError(
      "state",
      `${name} stands in .orchestra-cli/config.json, not approved`,
      {
        hint: "See and approve it with: orchestra trust --commands",
      },
    );
  }
  const { closest } = await import("../../text/suggest.ts");
  const near = closest(name, active.map((one) => one.name));
  throw new OrchestraError("usage", `There is no hook or webhook ${JSON.stringify(name)}`, {
    hint: near === undefined
      ? "See them with: orchestra webhooks list"
      : `Did you mean ${JSON.stringify(near)}?`,
  });
}

/** What a test tells. */
function testEvent(now: number): HistoryEvent {
  return {
    key: `test.${now}`,
    time: formatTime(now),
    event: "complete",
    task: "task_0000000000000",
    claim: 1,
    agent: "test",
    attempt: 1,
    title: "This is a test of Orchestra",
    exitCode: 0,
    waited: 0,
    ran: 1,
  };
}

async function testSubscriber(this: Context, _flags: NoFlags, name: string): Promise<void> {
  const queue = await this.openQueue();
  const { store } = queue;
  const subscriber = await pickSubscriber(queue, name);
  store.make();
  const event = testEvent(queue.now());
  const { ok, outcome } = await tryOnce(this, queue, subscriber, event);
  const folder = lanePath(store.dir, subscriber.name);
  if (isKnown(folder)) {
    const time = formatTime(queue.now());
    logAttempt(folder, { time, id: event.key, event: "test", attempt: 1, outcome, ok });
    // What waits for it to work again need not wait any more.
    if (ok && readDisabled(folder) === undefined) askToResume(folder);
  }
  if (this.globals.json) this.printJson({ name: subscriber.name, ok, outcome });
  else this.print(`${subscriber.name}: ${ok ? "works" : "does not work"}: ${printable(outcome)}`);
  if (subscriber.kind !== "webhook") this.note("What it printed is in .orchestra/hooks.log");
  if (!ok) this.fail(1);
  else await leaveForNews(this, queue);
}

async function tryOnce(
  context: Context,
  { store }: Queue,
  subscriber: Subscriber,
  event: HistoryEvent,
): Promise<{ ok: boolean; outcome: string }> {
  if (subscriber.kind !== "webhook") {
    const { ok, problem } = await runFor(subscriber, event, store);
    return { ok, outcome: problem || "exited with code 0" };
  }
  const channel = openChannel(subscriber, context.program, store.root);
  try {
    const outcome = await sendTo(subscriber, event, store, channel);
    return { ok: isMade(outcome), outcome: describe(outcome) };
  } finally {
    channel.close();
  }
}

async function replayEvents(this: Context, flags: { to?: string }, word: string): Promise<void> {
  const queue = await this.openQueue();
  const { store } = queue;
  const to = flags.to === undefined
    ? (await subscribersOf(queue)).active
    : [await pickSubscriber(queue, flags.to)];
  // The key of an event has dots in it, and no name of a task has.
  const task = word.includes(".") ? undefined : await resolveTask(store, word, "anywhere");
  const replayed = await replay(
    store,
    to,
    (event) => task === undefined ? event.key === word : event.task === task,
    queue.now(),
  );
  if (replayed.length === 0) {
    const [only] = flags.to === undefined ? [] : to;
    const who = only === undefined
      ? "nothing that anybody wants to be told is known of it"
      : `nothing that ${only.name} wants to be told is known of it`;
    throw new OrchestraError("state", `webhooks replay ${JSON.stringify(word)}: ${who}`, {
      hint: only === undefined
        ? "See what happened with: orchestra events   and who is told: orchestra webhooks list"
        : `It wants: ${only.on.join(", ")}. See what happened with: orchestra events`,
    });
  }
  await leaveForNews(this, queue);
  if (this.globals.json) return this.printJson(replayed);
  for (const { name, id, waits } of replayed) {
    this.print(
      waits
        ? `${name} is told again of ${printable(id)} once it is enabled`
        : `${name} is told again of ${printable(id)}`,
    );
  }
  for (const name of new Set(replayed.filter(({ waits }) => waits).map(({ name }) => name))) {
    this.note(`It is switched off until: orchestra webhooks enable ${name}`);
  }
}

async function printLog(this: Context, flags: { lines?: number }, name?: string): Promise<void> {
  const queue = await this.openQueue();
  const { dir } = queue.store;
  const most = flags.lines ?? LINES;
  const attempts = (await namesOfLogs(queue, name))
    .flatMap((name) =>
      numbered(readLog(lanePath(dir, name))).map((attempt) => ({ ...attempt, name }))
    )
    .sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0);
  const last = most === 0 ? [] : attempts.slice(-most);
  if (this.globals.json) return this.printJson(last);
  if (last.length === 0) return this.print("Nobody was told of anything yet");
  this.print(formatAttempts(last, this.style(), queue.now()));
}

/** Whose attempts are meant: also of those that only the environment of another process names. */
async function namesOfLogs(queue: Queue, name: string | undefined): Promise<string[]> {
  const left = listLanes(queue.store.dir);
  if (name !== undefined && left.includes(name.toLowerCase())) return [name];
  if (name !== undefined) return [(await pickSubscriber(queue, name)).name];
  const { active, unapproved } = await subscribersOf(queue);
  const known = [...active, ...unapproved].map((one) => one.name);
  const lower = new Set(known.map((one) => one.toLowerCase()));
  return [...known, ...left.filter((one) => !lower.has(one))];
}

/** Attempts with numbers that differ: what is told again on request is counted from one. */
function numbered(attempts: readonly Attempt[]): Attempt[] {
  const last = new Map<string, number>();
  return attempts.map((one) => {
    const attempt = Math.max(one.attempt, (last.get(one.id) ?? 0) + 1);
    last.set(one.id, attempt);
    return { ...one, attempt };
  });
}

async function enable(this: Context, _flags: NoFlags, name: string): Promise<void> {
  const queue = await this.openQueue();
  const subscriber = await pickSubscriber(queue, name);
  const folder = lanePath(queue.store.dir, subscriber.name);
  const wasDisabled = isKnown(folder) && readDisabled(folder) !== undefined;
  if (isKnown(folder)) askToResume(folder);
  const owed = listFiles(folder).length;
  await leaveForNews(this, queue);
  if (this.globals.json) return this.printJson({ name: subscriber.name, wasDisabled, owed });
  const what = owed === 0
    ? "nothing is owed to it"
    : `${owed} ${owed === 1 ? "message that is" : "messages that are"} owed to it will be told now`;
  if (subscriber.kind !== "webhook") {
    this.print(`${subscriber.name} is never switched off: only webhooks are; ${what}`);
  } else {
    this.print(
      `${subscriber.name} ${wasDisabled ? "is on again" : "was not switched off"}; ${what}`,
    );
  }
}
