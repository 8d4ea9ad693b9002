/// <reference lib="dom" />
// All workspaces that are served: how it stands in each, and what is wrong.

import type { JSX } from "preact";
import type { WireWorkspace } from "../../wire.ts";
import { countTasks } from "../parts/actions.tsx";
import { Badge, Moment, PHASES } from "../parts/task_words.tsx";
import { href } from "../router.ts";
import { useServer } from "../state.ts";

export default function Workspaces(): JSX.Element {
  const { workspaces, server, problem } = useServer();
  return (
    <>
      <div class="head">
        <h1>Workspaces</h1>
        {server !== null && (
          <p class="muted">
            {server.everywhere
              ? "all that are known"
              : "this one only; orchestra serve --everywhere shows all that are known"}
          </p>
        )}
      </div>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {server === null && problem === null && <p class="muted empty">Asking the server …</p>}
      <div class="cards">
        {workspaces.map((one) => <Card key={one.name} workspace={one} />)}
      </div>
    </>
  );
}

function Card({ workspace }: { workspace: WireWorkspace }): JSX.Element {
  const { name, root, counts, lanes, supervisor, damaged, problem } = workspace;
  const { needed = 0 } = counts;
  // What has failed and needs nobody was retried, and counts as the attempt that followed.
  const phases = counts.needed === undefined ? PHASES : PHASES.filter((one) => one !== "failed");
  const due = (counts.ready ?? 0) + (counts.running ?? 0) + (counts.retrying ?? 0);
  return (
    <article class="card" aria-labelledby={`workspace-${name}`}>
      <header>
        <h2 id={`workspace-${name}`}>
          <a href={href({ view: "now", workspace: name })}>{name}</a>
        </h2>
        <span class="grow" />
        <span class="muted number">{countTasks(counts.total)}</span>
      </header>
      <p class="muted path">{root}</p>
      {problem !== null && <p class="wrong">✕ {problem}</p>}
      <ul class="counts">
        {needed > 0 && (
          <li>
            <a href={href({ view: "now", workspace: name, query: "status=needed" })}>
              <span class="badge phase-failed">
                <span class="shape" aria-hidden="true">!</span>needs you
              </span>{" "}
              <span class="number">{needed.toLocaleString("en")}</span>
            </a>
          </li>
        )}
        {phases.filter((phase) => (counts[phase] ?? 0) > 0).map((phase) => (
          <li key={phase}>
            <a href={href({ view: "now", workspace: name, query: `status=${phase}` })}>
              <Badge phase={phase} />{" "}
              <span class="number">{counts[phase]!.toLocaleString("en")}</span>
            </a>
          </li>
        ))}
      </ul>
      {problem === null && (
        <p class={supervisor === null && due > 0 ? "wrong" : "muted"}>
          {supervisor === null
            ? (due > 0 ? "! Nobody watches, though something is to be done" : "Nobody watches")
            : supervisor.charAt(0).toUpperCase() + supervisor.slice(1)}
        </p>
      )}
      {lanes.map(({ agent, until }) => (
        <p key={agent} class="paused">
          ‖ {agent} is paused until <Moment time={until} />
        </p>
      ))}
      {damaged.length > 0 && (
        <p class="wrong">
          {damaged.length === 1 ? "One task file" : `${damaged.length} task files`} cannot be read
        </p>
      )}
    </article>
  );
}
