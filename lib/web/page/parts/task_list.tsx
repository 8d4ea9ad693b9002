/// <reference lib="dom" />
// Tasks, a row each: what it is, how it stands, why, since when. A row is drawn anew only when its task
// has changed; its times tick by themselves.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { WireRow } from "../../wire.ts";
import { href } from "../router.ts";
import { useClock } from "./clock.ts";
import { Why } from "./reason.tsx";
import { Ago, Elapsed, elapsedOf, nameOf, Remaining, Standing, titleOf } from "./task_words.tsx";

/** How a row was chosen. */
export type Choice = "toggle" | "extend";

/** Some tasks under a heading. */
export function TaskList({ label, tasks, workspace, selected, onChoose }: {
  label: string;
  tasks: readonly WireRow[];
  workspace: string;
  selected: ReadonlySet<string>;
  /** The same function each time. */
  onChoose: (id: string, how: Choice) => void;
}): JSX.Element {
  return (
    <ul class="tasks" aria-label={label}>
      {tasks.map((task) => (
        <Row
          key={task.taskId}
          task={task}
          workspace={workspace}
          selected={selected.has(task.taskId)}
          onChoose={onChoose}
        />
      ))}
    </ul>
  );
}

interface RowProps {
  task: WireRow;
  workspace: string;
  selected: boolean;
  onChoose: (id: string, how: Choice) => void;
}

function Row({ task, workspace, selected, onChoose }: RowProps): JSX.Element {
  // A component, for an element that is kept would keep the parents that it had each time.
  return useMemo(
    () => <Body task={task} workspace={workspace} selected={selected} onChoose={onChoose} />,
    [task, workspace, selected, onChoose],
  );
}

function Body({ task, workspace, selected, onChoose }: RowProps): JSX.Element {
  const { taskId } = task;
  return (
    <li
      class={selected ? "task selected" : "task"}
      data-task={taskId}
      onClick={(event) => {
        // What does something by itself is left to it.
        if (event.target instanceof Element && event.target.closest("a, input")) return;
        if (String(getSelection() ?? "") !== "" && !event.shiftKey) return;
        onChoose(taskId, event.shiftKey ? "extend" : "toggle");
      }}
      onMouseDown={(event) => event.shiftKey && event.preventDefault()}
    >
      <input
        type="checkbox"
        aria-label={`Select ${nameOf(task)}`}
        checked={selected}
        onClick={(event) => onChoose(taskId, event.shiftKey ? "extend" : "toggle")}
      />
      <Standing task={task} />
      <span class="name" title={taskId}>{nameOf(task)}</span>
      <div class="what">
        <a class="title" href={href({ view: "task", workspace, task: taskId })}>{titleOf(task)}</a>
        <Labels labels={task.labels} />
        <p class={`why phase-${task.retriedBy === null ? task.phase : "complete"}`}>
          <Why task={task} workspace={workspace} />
        </p>
      </div>
      <span class="agent">{task.agent}</span>
      <Times task={task} />
    </li>
  );
}

function Labels({ labels }: { labels: WireRow["labels"] }): JSX.Element {
  return (
    <>
      {Object.entries(labels).map(([name, value]) => (
        <span key={name} class="label">{`${name}:${value}`}</span>
      ))}
    </>
  );
}

function Times({ task }: { task: WireRow }): JSX.Element {
  if (task.phase === "running") {
    return (
      <div class="times">
        <Elapsed task={task} /> <Remaining task={task} />
        <Progress task={task} />
      </div>
    );
  }
  return (
    <div class="times">
      {task.elapsedSeconds !== null && task.status !== "pending" && <Elapsed task={task} />}{" "}
      <span class="muted">
        {task.status === "pending" && "queued "}
        <Ago time={task.completedAt ?? task.createdAt} />
      </span>
    </div>
  );
}

/** How much of its time a task has used; nothing where it has no timeout. */
function Progress({ task }: { task: WireRow }): JSX.Element | null {
  const share = useClock((now) => {
    const elapsed = elapsedOf(task, now);
    if (task.timeout === null || elapsed === null) return null;
    return Math.min(100, Math.round(100 * elapsed / (task.timeout + task.asleep)));
  });
  if (share === null) return null;
  return (
    <span
      class="progress"
      role="progressbar"
      aria-label="Of its time"
      aria-valuenow={share}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <span style={{ width: `${share}%` }} />
    </span>
  );
}
