/// <reference lib="dom" />
// The agents that tasks can be given to: how each is defined and where, how many run, whether it is paused,
// and whether it can be started at all.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { WireAgent } from "../../wire.ts";
import { at, get, post, sayError } from "../api.ts";
import { wordsOf } from "../parts/fields.tsx";
import { useReading } from "../parts/reading.ts";
import { Moment } from "../parts/task_words.tsx";
import { say } from "../parts/toasts.tsx";
import { href, usePlace } from "../router.ts";
import { useServer } from "../state.ts";

/** While things happen it is asked anew at most so often, milliseconds. */
const REREAD = 2000;

function useAgents(workspace: string | null) {
  const { read: agents, problem } = useReading<WireAgent[]>(
    workspace,
    async (where, signal, set) => set(await get(at(where, "agents"), signal)),
    REREAD,
  );
  return { agents, problem };
}

export default function Agents(): JSX.Element {
  const { workspace } = usePlace();
  const { agents, problem } = useAgents(workspace);
  return (
    <>
      <div class="head">
        <h1>Agents</h1>
      </div>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {agents === null && problem === null && <p class="muted empty">Reading the definitions …</p>}
      {agents?.length === 0 && (
        <p class="empty">
          No agents are defined. Add one with: <code>orchestra init --agent NAME</code>
        </p>
      )}
      <div class="cards">
        {agents?.map((agent) => (
          <AgentCard key={agent.name} agent={agent} workspace={workspace ?? ""} />
        ))}
      </div>
    </>
  );
}

function AgentCard({ agent, workspace }: { agent: WireAgent; workspace: string }): JSX.Element {
  const { name, problem, definition, running, maxConcurrent, pausedUntil, source } = agent;
  const { server } = useServer();
  const { command, args, description, ...rest } = definition;
  const told = Object.entries(rest).filter(([, value]) => saysValue(value) !== "");
  const line = [command, ...Array.isArray(args) ? args : []].map(String).join(" ");
  return (
    <article class="card" aria-labelledby={`agent-${name}`}>
      <header>
        <h2 id={`agent-${name}`}>{name}</h2>
        <span class="label">{source === "user" ? "your own settings" : "workspace"}</span>
        <span class="grow" />
        {server?.readOnly === false && <Check name={name} workspace={workspace} />}
      </header>
      {typeof description === "string" && <p>{description}</p>}
      {problem !== null && <p class="wrong">✕ Cannot be used: {problem}</p>}
      {pausedUntil !== null && (
        <p class="paused">
          ‖ Paused until <Moment time={pausedUntil} />: its quota is used up.
        </p>
      )}
      <p>
        <a href={href({ view: "now", workspace, query: `agent=${encodeURIComponent(name)}` })}>
          {running} running
        </a>
        <span class="muted">
          {maxConcurrent === null ? ", no limit of its own" : ` of ${maxConcurrent} at once`}
        </span>
      </p>
      <pre class="command">{line}</pre>
      {told.length > 0 && (
        <dl class="pairs">
          {told.map(([key, value]) => (
            <div key={key}>
              <dt>{wordsOf(key)}</dt>
              <dd>
                <code>{saysValue(value)}</code>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}

/** A value of a definition; empty for a list of nothing. */
function saysValue(value: unknown): string {
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  return isList ? value.join(", ") : JSON.stringify(value);
}

/** What a check found: where the program is, and what it printed. */
interface Checked {
  path: string;
  exitCode: number | null;
  version: string;
}

function Check({ name, workspace }: { name: string; workspace: string }): JSX.Element {
  const [busy, setBusy] = useState(false);
  return (
    <button
      type="button"
      disabled={busy}
      title="Launches its program with the arguments that print its version"
      onClick={async () => {
        setBusy(true);
        try {
          const path = at(workspace, "agents", name, "check");
          const found = await post<Checked>(path, {});
          const ended = found.exitCode === null
            ? "did not end in time"
            : `exited with code ${found.exitCode}`;
          const isWell = found.exitCode === 0;
          say(
            `${name}: ${found.version || "printed nothing"} (${found.path})${
              isWell ? "" : `, ${ended}`
            }`,
            isWell ? "done" : "failed",
          );
        } catch (error) {
          say(`${name}: ${sayError(error)}`, "failed");
        } finally {
          setBusy(false);
        }
      }}
    >
      {busy ? "Checking …" : "Check"}
      <span class="hidden">{name}</span>
    </button>
  );
}
