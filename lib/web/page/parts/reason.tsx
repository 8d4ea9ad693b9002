/// <reference lib="dom" />
// Why a task is where it is, as the server says it for scripts, with whole ids and times in UTC: here with
// names that lead to the tasks, and local times.

import type { JSX } from "preact";
import type { WireRow } from "../../wire.ts";
import { useServer } from "../state.ts";
import { Ago, Moment, type Named, named, TaskLink } from "./task_words.tsx";

const SPOKEN_OF = /(task_\d{10,20}|\d{4}-\d\d-\d\dT[\d:.]+Z)/;

/** A sentence with its ids as links and its times by the clock. */
export function Reason({ text, workspace, names }: {
  text: string;
  workspace: string;
  /** Tasks by their ids, as they are to be called here. */
  names?: ReadonlyMap<string, Named>;
}): JSX.Element {
  const { tasks } = useServer();
  return (
    <>
      {text.split(SPOKEN_OF).map((part, index) => {
        if (index % 2 === 0) return part;
        if (!part.startsWith("task_")) return <Moment key={index} time={part} />;
        const task = names?.get(part) ?? tasks.get(part) ?? named(part);
        return <TaskLink key={index} workspace={workspace} task={task} />;
      })}
    </>
  );
}

/** What there is to say of a task beside its state; nothing where the state says all. */
export function Why(
  { task, workspace }: { task: WireRow; workspace: string },
): JSX.Element | null {
  const text = task.blockedReason ?? task.waitsFor;
  if (text !== null) return <Reason text={text} workspace={workspace} />;
  if (task.phase === "retrying") {
    return (
      <>
        retries <Ago time={task.retryAt} />
        {task.errorMessage && `: ${task.errorMessage}`}
      </>
    );
  }
  if (task.retriedBy !== null) {
    const why = task.errorMessage ?? task.failureClass;
    return <>{`attempt ${task.retryCount + 1}${why ? `: ${why}` : ""}`}</>;
  }
  if (task.phase === "failed") return <>{task.errorMessage ?? task.failureClass}</>;
  if (task.phase === "complete" && task.result?.summary) return <>{task.result.summary}</>;
  return null;
}
