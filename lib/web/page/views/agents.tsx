/// <reference lib="dom" />
// The agents that tasks can be given to: how each is defined and where, how many run, whether it is paused,
// and whether it can be started at all.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { WireAgent } from "../../wire.ts";
import { at, get, post, sayError } from "../api.ts";
import { wordsOf } from "../parts/fields.tsx";
import { Moment } from "../parts/task_words.tsx";
import { say } from "../parts/toasts.tsx";
import { href, usePlace } from "../router.ts";
import { onHappened, useServer } from "../state.ts";

/** While things happen it is asked anew at most so often, milliseconds. */
const REREAD = 2000;

function useAgents(workspace: string | null) {
  const [agents, set] = useState<WireAgent[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (workspace === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = () => {
      timer = undefined;
      get<WireAgent[]>(at(workspace, "agents"), stop.signal).then((all) => {
        set(all);
        setProblem(null);
      }, (error) => stop.signal.aborted || setProblem(sayError(error)));
    };
    read();
    const ignore = onHappened((where) => {
      if (where === workspace) timer ??= setTimeout(read, REREAD);
    });
    return () => {
      stop.abort();
      ignore();
      clearTimeout(timer);
    };
  }, [workspace]);
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
          No agents are defined. Add one with: <code>orchestra agents add</code>
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
      {Object.keys(rest).length > 0 && (
        <dl class="pairs">
          {Object.entries(rest).map(([key, value]) => (
            <div key={key}>
              <dt>{wordsOf(key)}</dt>
              <dd>
                <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}

/** What a check says, whatever its form: words where there are any. */
function saysCheck(answer: unknown): { text: string; ok: boolean } {
  if (typeof answer !== "object" || answer === null) return { text: String(answer), ok: true };
  const { problem, said, ok, findings } = answer as Record<string, unknown>;
  if (typeof problem === "string") return { text: problem, ok: false };
  if (Array.isArray(findings) && findings.length > 0) {
    const texts = findings.map((one) => typeof one === "string" ? one : JSON.stringify(one));
    return { text: texts.join("; "), ok: ok !== false };
  }
  return { text: typeof said === "string" ? said : "can be started", ok: ok !== false };
}

function Check({ name, workspace }: { name: string; workspace: string }): JSX.Element {
  const [busy, setBusy] = useState(false);
  return (
    <button
      type="button"
      disabled={busy}
      title="Looks whether its program can be found and started"
      onClick={async () => {
        setBusy(true);
        try {
          const { text, ok } = saysCheck(await post(at(workspace, "agents", name, "check"), {}));
          say(`${name}: ${text}`, ok ? "done" : "failed");
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
