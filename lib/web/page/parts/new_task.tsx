/// <reference lib="dom" />
// The form for a new task: agent, prompt, and every option that the server lists. What was typed is kept
// until it is queued, also when the form is closed in between.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { WireAgent, WireOption, WireRow } from "../../wire.ts";
import { at, get, post, sayError } from "../api.ts";
import { readForm } from "../form.ts";
import { keep, recall } from "../theme.ts";
import { Dialog } from "./dialog.tsx";
import { Field } from "./fields.tsx";
import { TaskLink, titleOf } from "./task_words.tsx";
import { say } from "./toasts.tsx";

/** What was typed, and not queued yet. */
let draft: Readonly<Record<string, string>> = {};

const AGENT = "orchestra-agent";
const OPTIONS_OPEN = "orchestra-options-open";

/** What the form needs to know. */
function useChoices(workspace: string): {
  agents: WireAgent[];
  options: WireOption[];
  problem: string | null;
} {
  const [known, set] = useState<{ agents: WireAgent[]; options: WireOption[] } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    Promise.all([
      get<WireAgent[]>(at(workspace, "agents")),
      get<WireOption[]>(at(workspace, "options")),
    ]).then(
      ([agents, options]) => set({ agents, options }),
      (error) => setProblem(sayError(error)),
    );
  }, [workspace]);
  return { agents: known?.agents ?? [], options: known?.options ?? [], problem };
}

/** The form. */
export function NewTask(
  { workspace, onClose }: { workspace: string; onClose: () => void },
): JSX.Element {
  const { agents, options, problem } = useChoices(workspace);
  const [typed, setTyped] = useState(draft);
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [refused, setRefused] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const type = (name: string, text: string) => {
    draft = { ...draft, [name]: text };
    setTyped(draft);
  };
  const usable = agents.filter(({ problem }) => problem === null);
  const agent = usable.find(({ name }) => name === (typed.agent ?? recall(AGENT)))?.name ??
    usable[0]?.name ?? "";
  const queue = async () => {
    const read = readForm(options, typed);
    setProblems(read.problems);
    if (Object.keys(read.problems).length > 0 || busy) return;
    setBusy(true);
    setRefused(null);
    try {
      const task = { agent, prompt: typed.prompt ?? "", ...read.values };
      const row = await post<WireRow>(at(workspace, "tasks"), task);
      keep(AGENT, agent);
      draft = {};
      say(
        <>
          <strong>
            Queued <TaskLink workspace={workspace} task={row} />
          </strong>{" "}
          {titleOf(row)}
        </>,
      );
      onClose();
    } catch (error) {
      setRefused(sayError(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="New task" wide onClose={onClose}>
      <form
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          queue();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          form.current?.requestSubmit();
        }}
      >
        {problem !== null && <p class="wrong" role="alert">{problem}</p>}
        <div class="field">
          <label for="new-prompt">prompt</label>
          <textarea
            id="new-prompt"
            name="prompt"
            rows={8}
            required
            autofocus
            placeholder="What is to be done"
            value={typed.prompt ?? ""}
            onInput={(event) => type("prompt", event.currentTarget.value)}
          />
        </div>
        <div class="field">
          <label for="new-agent">agent</label>
          <select
            id="new-agent"
            name="agent"
            required
            value={agent}
            onInput={(event) => type("agent", event.currentTarget.value)}
          >
            {agents.map(({ name, problem }) => (
              <option key={name} value={name} disabled={problem !== null}>
                {problem === null ? name : `${name} (cannot be used)`}
              </option>
            ))}
          </select>
        </div>
        <details
          class="options"
          open={recall(OPTIONS_OPEN) === "yes"}
          onToggle={(event) => keep(OPTIONS_OPEN, event.currentTarget.open ? "yes" : "no")}
        >
          <summary>Options</summary>
          <div class="fields">
            {options.map((option) => (
              <Field
                key={option.name}
                {...option}
                text={typed[option.name] ?? ""}
                problem={problems[option.name]}
                onText={(text) => type(option.name, text)}
              />
            ))}
          </div>
        </details>
        {Object.keys(problems).length > 0 && (
          <p class="wrong" role="alert">Some options are not right: see there.</p>
        )}
        {refused !== null && <p class="wrong" role="alert">{refused}</p>}
        <footer>
          <button type="button" onClick={onClose}>Not now</button>
          <button type="submit" class="primary" disabled={busy || agent === ""}>
            Queue it <kbd>Ctrl+Enter</kbd>
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
