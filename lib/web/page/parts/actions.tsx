/// <reference lib="dom" />
// What can be done to tasks, as the server lists it: on one, on several, on all that pass some filters.
// What destroys is asked about first; each says what came of it, task by task where some failed.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PhaseName } from "../../../decide/view.ts";
import type { WireAction, WireOrder, WireOutcome, WireRow } from "../../wire.ts";
import { at, get, order, sayError } from "../api.ts";
import { readForm } from "../form.ts";
import { serverState, useServer } from "../state.ts";
import { Dialog } from "./dialog.tsx";
import { Field, wordsOf } from "./fields.tsx";
import { Reason } from "./reason.tsx";
import { type Named, named, nameOf, TaskLink } from "./task_words.tsx";
import { say } from "./toasts.tsx";

const known = new Map<string, Promise<WireAction[]>>();

/** The actions of a workspace; none until they are known. */
export function useActions(workspace: string | null): readonly WireAction[] {
  const [actions, set] = useState<readonly WireAction[]>([]);
  useEffect(() => {
    if (workspace === null) return;
    let wanted = true;
    const asked = known.get(workspace) ?? get<WireAction[]>(at(workspace, "actions"));
    known.set(workspace, asked);
    asked.then((all) => wanted && set(all), () => known.delete(workspace));
    return () => {
      wanted = false;
    };
  }, [workspace]);
  return actions;
}

/** `1 task`, `2 tasks`. */
export function countTasks(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "task" : "tasks"}`;
}

/** Buttons for what can be done to these tasks. */
export function ActionBar(
  { workspace, order: what, phases, count, tasks = [], archived = false, onDone }: {
    workspace: string;
    /** To which tasks: by their ids, or by filters. */
    order: Pick<WireOrder, "tasks" | "filter">;
    /** The phases that they are in. */
    phases: readonly PhaseName[];
    count: number;
    /** Those of them that are known. */
    tasks?: readonly Acted[];
    /** Whether they lie in the archive. */
    archived?: boolean;
    onDone?: (outcome: WireOutcome) => void;
  },
): JSX.Element {
  const actions = useActions(workspace);
  const { server } = useServer();
  const [asked, ask] = useState<WireAction | null>(null);
  const [busy, setBusy] = useState(false);
  const perform = async (action: WireAction, options: Record<string, unknown>) => {
    ask(null);
    setBusy(true);
    // As they are called now: a new task may take the short name of an old one.
    const names = new Map<string, Named>(serverState().tasks);
    for (const { taskId, name, key } of tasks) names.set(taskId, { taskId, name, key });
    try {
      const outcome = await order(workspace, action.name, { ...what, options });
      tell(workspace, action, outcome, names);
      onDone?.(outcome);
    } catch (error) {
      say(`${capital(wordsOf(action.name))}: ${sayError(error)}`, "failed");
    } finally {
      setBusy(false);
    }
  };
  const isOffered = (action: WireAction) =>
    archived ? action.name === "restore" : action.phases.some((phase) => phases.includes(phase));
  if (server?.readOnly) return <p class="muted">This page only shows: it was started so.</p>;
  return (
    <div class="actions" role="group" aria-label={`Actions on ${countTasks(count)}`}>
      {actions.filter(isOffered).map((action) => {
        const name = capital(wordsOf(action.name));
        const { words, isOfAll } = refusalsOf(action, tasks);
        const isRefused = tasks.length === count && isOfAll;
        // It keeps the focus and can be pressed, so that whoever comes to it learns why.
        return (
          <button
            key={action.name}
            type="button"
            class={action.destroys ? "destroys" : ""}
            disabled={busy}
            aria-disabled={isRefused}
            title={isRefused ? withNames(words) : action.about}
            onClick={() => {
              if (isRefused) say(`${name}: ${withNames(words)}`);
              else if (isAsked(action)) ask(action);
              else perform(action, {});
            }}
          >
            {name}
          </button>
        );
      })}
      {asked && (
        <Ask
          action={asked}
          count={count}
          refused={withNames(refusalsOf(asked, tasks).words)}
          onClose={() => ask(null)}
          onSure={(options) => perform(asked, options)}
        />
      )}
    </div>
  );
}

/** What is known of a task that something is to be done to. */
export type Acted = Named & Pick<WireRow, "phase" | "refuses">;

/** Of so many tasks it is said why they refuse; others are counted. */
const MOST_REFUSALS = 3;

/** Why an action would be refused, in words, empty for no reason; and whether no task would take it. */
export function refusalsOf(
  { name, phases }: Pick<WireAction, "name" | "phases">,
  tasks: readonly Acted[],
): { words: string; isOfAll: boolean } {
  const able = tasks.filter(({ phase }) => phases.includes(phase));
  const refused = able.flatMap((task) => {
    const refusal = task.refuses[name];
    return refusal === undefined ? [] : [{ task, ...refusal }];
  });
  const words = refused.slice(0, MOST_REFUSALS).map(({ task, why, unless }) => {
    const more = unless === undefined ? "" : `: set ${wordsOf(unless)} to allow it`;
    return `${tasks.length === 1 ? "It" : nameOf(task)} ${why}${more}`;
  });
  const rest = refused.length - words.length;
  if (rest > 0) words.push(`and ${rest} more`);
  return {
    words: words.join("; "),
    isOfAll: able.length > 0 && refused.length === able.length &&
      refused.every(({ unless }) => unless === undefined),
  };
}

/** A text with names for ids. */
function withNames(text: string): string {
  const { tasks } = serverState();
  return text.replace(/task_\d{10,20}/g, (id) => nameOf(tasks.get(id) ?? named(id)));
}

/** Whether it is asked about first: what destroys, takes others along, or has more to be said. */
function isAsked({ name, destroys, options }: WireAction): boolean {
  return destroys || name === "archive" || options.length > 0;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Asks what else is to be said with an action, and whether it is meant. */
function Ask({ action, count, refused, onClose, onSure }: {
  action: WireAction;
  count: number;
  /** What would be refused, and why; empty for nothing. */
  refused: string;
  onClose: () => void;
  onSure: (options: Record<string, unknown>) => void;
}): JSX.Element {
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [problems, setProblems] = useState<Record<string, string>>({});
  const name = capital(wordsOf(action.name));
  return (
    <Dialog title={`${name} ${countTasks(count)}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const read = readForm(action.options, typed);
          setProblems(read.problems);
          if (Object.keys(read.problems).length === 0) onSure(read.values);
        }}
      >
        <p>{capital(action.about)}.</p>
        {refused !== "" && <p class="notice">{refused}.</p>}
        {action.options.map((option) => (
          <Field
            key={option.name}
            {...option}
            text={typed[option.name] ?? ""}
            problem={problems[option.name]}
            onText={(text) => setTyped({ ...typed, [option.name]: text })}
          />
        ))}
        <footer>
          <button type="button" onClick={onClose}>Not now</button>
          <button type="submit" class={action.destroys ? "destroys primary" : "primary"}>
            {name} {countTasks(count)}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

/** How many tasks of some it was done to: `3 of 7 tasks done, 4 refused`. */
export function summarize({ done, refused }: Pick<WireOutcome, "done" | "refused">): string {
  if (refused === 0) return countTasks(done);
  return done === 0
    ? `${countTasks(refused)} refused`
    : `${done} of ${countTasks(done + refused)} done, ${refused} refused`;
}

/** Says what came of an action. */
function tell(
  workspace: string,
  action: WireAction,
  { done, refused, results }: WireOutcome,
  before: ReadonlyMap<string, Named>,
): void {
  const name = capital(wordsOf(action.name));
  if (results.length === 0) return say(`${name}: there was no task to do it to`);
  const told = refused > 0 ? results.filter(({ ok }) => !ok) : results;
  const lines = told.slice(0, 8);
  const more = told.length - lines.length;
  const names = new Map(before);
  for (const { task } of results) {
    if (task !== null && !names.has(task.taskId)) names.set(task.taskId, task);
  }
  say(
    <>
      <strong>{`${name}: ${summarize({ done, refused })}`}</strong>
      <ul>
        {lines.map(({ taskId, said }) => (
          <li key={taskId}>
            {!said.includes(taskId) && (
              <>
                <TaskLink
                  workspace={workspace}
                  task={names.get(taskId) ?? named(taskId)}
                />
                {" "}
              </>
            )}
            <Reason text={said} workspace={workspace} names={names} />
          </li>
        ))}
        {more > 0 && <li>and {more} more</li>}
      </ul>
    </>,
    refused > 0 ? "failed" : "done",
  );
}
