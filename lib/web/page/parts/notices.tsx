/// <reference lib="dom" />
// What keeps a workspace from going on, beside its tasks: nobody watches, agents are paused, files are
// damaged, the workspace itself cannot be read.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { WireCounts } from "../../wire.ts";
import { at, post, sayError } from "../api.ts";
import { useServer } from "../state.ts";
import { countTasks } from "./actions.tsx";
import { Moment } from "./task_words.tsx";
import { say } from "./toasts.tsx";

/** Starts what is ready, at most so many at once where that is said, and leaves somebody to watch. */
export function RunButton(
  { workspace, quiet = false }: { workspace: string; quiet?: boolean },
): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [typed, type] = useState("");
  const run = async () => {
    setBusy(true);
    try {
      await post(at(workspace, "run"), typed === "" ? {} : { parallel: Number(typed) });
      const most = typed === "" ? "" : `, at most ${typed} at once`;
      say(`What is ready is launched now${most}, and somebody watches over it`);
    } catch (error) {
      say(`Run: ${sayError(error)}`, "failed");
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="run-now"
      onSubmit={(event) => {
        // The browser has checked the number, and says what is wrong with it.
        event.preventDefault();
        run();
      }}
    >
      <button
        type="submit"
        class={quiet ? "" : "primary"}
        disabled={busy}
        title="Launches what is ready, as orchestra run does"
      >
        <span aria-hidden="true">▶</span> Run
      </button>
      <input
        type="number"
        min={1}
        max={1000}
        inputMode="numeric"
        autocomplete="off"
        aria-label="Run at most so many at once"
        title="At most so many at once; as the settings say where it is empty"
        placeholder="max"
        value={typed}
        onInput={(event) => type(event.currentTarget.value)}
      />
    </form>
  );
}

/** All there is to say; nothing where all is well. */
export function Notices(): JSX.Element | null {
  const { workspaces, workspace, supervisor, counts, lanes, problem, server } = useServer();
  const here = workspaces.find(({ name }) => name === workspace);
  const due = (counts.ready ?? 0) + (counts.running ?? 0) + (counts.retrying ?? 0);
  const paused = lanes.filter(({ until }) => Date.parse(until) > Date.now());
  return (
    <>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {here?.problem && <p class="notice failed">{here.problem}</p>}
      {here !== undefined && supervisor === null && due > 0 && workspace !== null && (
        <div class="notice">
          <p>
            <strong>Nobody watches.</strong> {saysDue(counts)}
          </p>
          {!server?.readOnly && <RunButton workspace={workspace} />}
        </div>
      )}
      {paused.map(({ agent, until }) => (
        <p key={agent} class="notice">
          <strong>{agent} is paused</strong> until <Moment time={until} />: its quota is used up.
        </p>
      ))}
      {here !== undefined && here.damaged.length > 0 && (
        <details class="notice failed">
          <summary>
            {here.damaged.length === 1
              ? "One task file cannot be read"
              : `${here.damaged.length} task files cannot be read`}
          </summary>
          <ul>
            {here.damaged.map(({ name, reason }) => (
              <li key={name}>
                <code>{name}</code>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function saysDue({ ready = 0, running = 0, retrying = 0 }: WireCounts): string {
  if (running > 0) {
    return `${countTasks(running)} ${running === 1 ? "runs" : "run"}, but no limit is enforced.`;
  }
  return ready > 0
    ? `${countTasks(ready)} ${ready === 1 ? "is" : "are"} ready and will not start by itself.`
    : `${countTasks(retrying)} will not be retried by itself.`;
}
