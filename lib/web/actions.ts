// What can be done to tasks: the table behind `GET …/actions` and `POST …/actions/{name}`, and behind the
// buttons of the page. A new verb is one entry. Each task has its own outcome; what is refused of one
// leaves the others alone.

import { dependentsOf } from "../decide/dependencies.ts";
import type { PhaseName } from "../decide/view.ts";
import { archive, restore } from "../queue/archive.ts";
import { cancel, timeOut } from "../queue/cancel.ts";
import { extendTimeout } from "../queue/limits.ts";
import type { RefusedName } from "../queue/names.ts";
import { loadRules, noTask, type Queue } from "../queue/queue.ts";
import { type Outcome, remove } from "../queue/remove.ts";
import { resumeProblem, retriedMeanwhile, retry, retryProblem } from "../queue/retry.ts";
import { readAgent } from "../settings/agents.ts";
import { formatDuration } from "../task/duration.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import { isTerminal, type Task } from "../task/fields.ts";
import { OPTIONS } from "../task/options.ts";
import type { Live } from "./served.ts";
import type { WireAction, WireOutcome } from "./wire.ts";

/** What came of it for one task. */
export interface Done {
  readonly taskId: string;
  readonly said: string;
  readonly ok: boolean;
  /** Id of the task to be shown after it, where that is another one. */
  readonly becomes?: string;
}

/** Does something to some tasks; the options are checked. */
type Run = (live: Live, ids: readonly string[], options: Given) => Promise<Done[]> | Done[];
type Given = Readonly<Record<string, unknown>>;

interface Option {
  readonly about: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** Whether it must be given. */
  readonly needed?: boolean;
  /** The value; undefined for what is none. */
  check(value: unknown): unknown;
  /** What it must be, to be read after "must be". */
  readonly must: string;
}

interface Action {
  readonly about: string;
  readonly destroys: boolean;
  readonly options: Readonly<Record<string, Option>>;
  readonly phases: readonly PhaseName[];
  readonly run: Run;
}

const OPEN: readonly PhaseName[] = ["ready", "waiting", "blocked", "running"];
const ENDED: readonly PhaseName[] = ["complete", "failed", "cancelled"];

const REASON: Option = {
  about: "why, for the record",
  schema: { type: "string", maxLength: 1000 },
  must: "a text of at most 1,000 characters",
  check: (value) => typeof value === "string" && value.length <= 1000 ? value : undefined,
};

const YES: Pick<Option, "schema" | "must" | "check"> = {
  schema: { type: "boolean" },
  must: "true or false",
  check: (value) => typeof value === "boolean" ? value : undefined,
};

const { kind: DURATION } = OPTIONS.timeout;

/** All of them, by name, in the order in which they are shown. */
const ACTIONS: Readonly<Record<string, Action>> = {
  cancel: {
    about: "end it, with everything that it started",
    destroys: true,
    phases: OPEN,
    options: {
      reason: REASON,
      withDependents: { about: "also what depends on it, directly or through others", ...YES },
    },
    run: runCancel,
  },
  retry: {
    about: "queue it again, as a new task",
    destroys: false,
    phases: ["failed", "cancelled", "retrying"],
    options: {
      maxRetries: {
        about: "allow this many retries",
        schema: OPTIONS.maxRetries.kind.schema,
        must: OPTIONS.maxRetries.kind.must,
        check: (value) => OPTIONS.maxRetries.kind.check(value),
      },
      autoRetry: { about: "retry further by itself", ...YES },
      resume: { about: "go on in the session of its agent, and in its worktree", ...YES },
    },
    run: runRetry,
  },
  extend: {
    about: "give it more time than its limit; what has none is refused",
    destroys: false,
    phases: OPEN,
    options: {
      time: {
        about: "how much longer: 90, 5m, 1h30m",
        schema: { type: ["string", "number"] },
        needed: true,
        must: DURATION.must,
        check: (value) => DURATION.check(value) ?? undefined,
      },
    },
    run: ({ queue }, ids, { time }) =>
      each(ids, "Extending", (id) => {
        const task = readTask(queue, id);
        // It would get one that it never had, and be ended by it.
        if (task.timeout === null && !isTerminal(task.status)) {
          throw new OrchestraError("state", `${id} has no limit: nothing to extend`);
        }
        const { after } = extendTimeout(queue, id, time as number);
        return `may now run ${formatDuration(after.timeout ?? 0)} in all`;
      }),
  },
  timeout: {
    about: "end it as timed out",
    destroys: true,
    phases: ["running"],
    options: {},
    async run({ queue }, ids) {
      const rules = await loadRules(queue, () => {});
      return each(ids, "Ending", (id) => {
        if (timeOut(queue, id, rules) !== undefined) return "ended as timed out";
        const { status } = readTask(queue, id);
        throw new OrchestraError("state", `${id} is ${status}: only running tasks can time out`);
      });
    },
  },
  archive: {
    about: "move it out of the way, with all attempts of its chain",
    destroys: false,
    phases: ENDED,
    options: {},
    run: ({ queue }, ids) => told(archive(queue, ids), "archived", "Archiving"),
  },
  restore: {
    about: "bring it back from the archive",
    destroys: false,
    // What is archived is in no list: it is named.
    phases: [],
    options: {},
    run: ({ queue }, ids) =>
      each(ids, "Restoring", (id) => {
        restore(queue, id);
        return "restored";
      }),
  },
  remove: {
    about: "remove it for good, with its log and its plan",
    destroys: true,
    phases: ENDED,
    options: {},
    run: ({ queue }, ids) => told(remove(queue, ids), "removed", "Removing"),
  },
};

/** The table as it is told. */
export function wireActions(): WireAction[] {
  return Object.entries(ACTIONS).map(([name, { about, destroys, options, phases }]) => ({
    name,
    about,
    destroys,
    options: Object.entries(options).map(([name, { about, schema }]) => ({ name, about, schema })),
    phases: [...phases],
  }));
}

/**
 * Checks what is ordered, and does it.
 *
 * @param pick the tasks, of which those in one of these phases are meant, and names that mean none
 * @throws OrchestraError `usage`
 */
export async function act(
  live: Live,
  name: string,
  given: unknown,
  pick: (
    phases: readonly PhaseName[],
  ) => { ids: readonly string[]; refused: readonly RefusedName[] },
): Promise<Done[]> {
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name]! : undefined;
  if (action === undefined) {
    throw new OrchestraError("no-task", `There is no action ${JSON.stringify(name)}`, {
      hint: `There are: ${Object.keys(ACTIONS).join(", ")}`,
    });
  }
  const options = checkOptions(name, action, given);
  const { ids, refused: unknown } = pick(action.phases);
  const done = ids.length === 0 ? [] : await action.run(live, ids, options);
  return [...done, ...unknown.map(({ name, error }) => refused(name, error, "Looking for"))];
}

function checkOptions(name: string, { options }: Action, given: unknown): Given {
  if (given === undefined) given = {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new OrchestraError("usage", `${name}: "options" must be an object`);
  }
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(options, key));
  if (unknown !== undefined) {
    throw new OrchestraError("usage", `${name} has no option ${JSON.stringify(unknown)}`, {
      hint: `There are: ${Object.keys(options).join(", ") || "none"}`,
    });
  }
  const checked: Record<string, unknown> = {};
  for (const [key, { check, must, needed }] of Object.entries(options)) {
    const value = (given as Given)[key];
    if (value === undefined || value === null || value === "") {
      if (!needed) continue;
      throw new OrchestraError("usage", `${name} needs "${key}", ${must}`);
    }
    checked[key] = check(value);
    if (checked[key] !== undefined) continue;
    throw new OrchestraError(
      "usage",
      `${name}: "${key}" must be ${must}, and is ${JSON.stringify(value)}`,
    );
  }
  return checked;
}

// ---------------------------------------------------------------------------------------------
// The verbs

function each(
  ids: readonly string[],
  attempted: string,
  run: (id: string) => string,
): Done[] {
  return ids.map((taskId) => {
    try {
      return { taskId, said: run(taskId), ok: true };
    } catch (error) {
      return refused(taskId, error, attempted);
    }
  });
}

function told(outcomes: readonly Outcome[], done: string, attempted: string): Done[] {
  return outcomes.map(({ id: taskId, error }) =>
    error === undefined ? { taskId, said: done, ok: true } : refused(taskId, error, attempted)
  );
}

function refused(taskId: string, error: unknown, attempted: string): Done {
  return { taskId, said: toOrchestraError(error, `${attempted} ${taskId}`).message, ok: false };
}

function readTask({ store }: Queue, id: string): Task {
  const task = store.read(id);
  if (task === undefined) throw noTask(store, id);
  return task;
}

async function runCancel({ queue, mirror }: Live, given: readonly string[], options: Given) {
  const dependents = options.withDependents === true
    ? dependentsOf(given, mirror.index).filter(({ status }) => !isTerminal(status))
    : [];
  const ids = [...new Set([...given, ...dependents.map(({ taskId }) => taskId)])];
  const missing: Done[] = [];
  const there = ids.filter((id) => {
    try {
      return readTask(queue, id) !== undefined;
    } catch (error) {
      missing.push(refused(id, error, "Cancelling"));
      return false;
    }
  });
  const rules = await loadRules(queue, () => {});
  // What lives of them is ended by whoever watches.
  const outcomes = cancel(queue, there, options.reason as string ?? null, rules);
  return [
    ...outcomes.map((outcome): Done => {
      const { id: taskId } = outcome;
      if ("error" in outcome) return refused(taskId, outcome.error, "Cancelling");
      return outcome.cancelled
        ? { taskId, said: "cancelled", ok: true }
        : { taskId, said: `is ${outcome.task?.status ?? "gone"} already`, ok: false };
    }),
    ...missing,
  ];
}

function runRetry({ queue, mirror }: Live, ids: readonly string[], options: Given): Done[] {
  const { maxRetries, autoRetry = false, resume = false } = options as {
    maxRetries?: number;
    autoRetry?: boolean;
    resume?: boolean;
  };
  return ids.map((taskId) => {
    try {
      const task = readTask(queue, taskId);
      const problem = retryProblem(queue, task, maxRetries) ??
        (resume ? resumeProblem(task, readAgent(queue.store, task.agent)) : undefined);
      if (problem !== undefined) throw problem;
      let made: Task | undefined;
      const wanted = [{ id: taskId, options: { maxRetries, autoRetry, resume } }];
      retry(queue, wanted, mirror.index, ({ successor }) => made = successor);
      if (made === undefined) throw retriedMeanwhile(taskId);
      const said = `queued again as ${made.taskId}, retry ${made.retryCount} of ${made.maxRetries}`;
      return { taskId, said, ok: true, becomes: made.taskId };
    } catch (error) {
      return refused(taskId, error, "Retrying");
    }
  });
}

/** What is told of it. */
export function wireOutcome(
  done: readonly Done[],
  rowOf: (id: string) => WireOutcome["results"][number]["task"],
): WireOutcome {
  return {
    done: done.filter(({ ok }) => ok).length,
    refused: done.filter(({ ok }) => !ok).length,
    results: done.map(({ taskId, said, ok, becomes }) => ({
      taskId,
      said,
      ok,
      task: rowOf(becomes ?? taskId),
    })),
  };
}
