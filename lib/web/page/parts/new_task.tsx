/// <reference lib="dom" />
// The form for a new task: agent, prompt, and every option that the server lists. What was typed is kept in
// this tab until it is queued, also when the form is closed, the page is loaded anew or one has to sign in
// again in between.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type OptionName, OPTIONS } from "../../../task/options.ts";
import type { WireAgent, WireOption, WireRow } from "../../wire.ts";
import { at, get, post, sayError } from "../api.ts";
import { readForm } from "../form.ts";
import { keep, keepHere, recall, recallHere } from "../theme.ts";
import { Dialog } from "./dialog.tsx";
import { Field, wordsOf } from "./fields.tsx";
import { TaskLink, titleOf } from "./task_words.tsx";
import { say } from "./toasts.tsx";

/** A form that was not sent so far. */
interface Draft {
  readonly typed: Readonly<Record<string, string>>;
  /** The workspace in which the form is open; null where it was closed. */
  readonly openIn: string | null;
}

const DRAFT = "orchestra-draft";
const NO_DRAFT: Draft = { typed: {}, openIn: null };
let draft = readDraft(recallHere(DRAFT));

/** What was kept; no draft where that is none. */
export function readDraft(text: string | null): Draft {
  try {
    const { typed, openIn } = JSON.parse(text ?? "null") ?? NO_DRAFT;
    const texts = Object.entries(Object(typed)).filter(([, value]) => typeof value === "string");
    return {
      typed: Object.fromEntries(texts) as Record<string, string>,
      openIn: typeof openIn === "string" ? openIn : null,
    };
  } catch {
    return NO_DRAFT;
  }
}

function setDraft(change: Partial<Draft>): void {
  draft = { ...draft, ...change };
  keepHere(DRAFT, JSON.stringify(draft));
}

/** Whether the form was open in a workspace when the page went away. */
export function isDrafting(workspace: string): boolean {
  return draft.openIn === workspace;
}

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

/** What the value of an option must be, in words. */
function mustOf(name: string): string | undefined {
  if (!Object.hasOwn(OPTIONS, name)) return undefined;
  const { must, hint } = OPTIONS[name as OptionName].kind;
  return `${must}. ${hint}`;
}

/** The form. */
export function NewTask(
  { workspace, onClose }: { workspace: string; onClose: () => void },
): JSX.Element {
  const { agents, options, problem } = useChoices(workspace);
  const [typed, setTyped] = useState(draft.typed);
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [refused, setRefused] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const type = (name: string, text: string) => {
    setDraft({ typed: { ...draft.typed, [name]: text } });
    setTyped(draft.typed);
  };
  useEffect(() => setDraft({ openIn: workspace }), [workspace]);
  const close = () => {
    setDraft({ openIn: null });
    onClose();
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
      setDraft(NO_DRAFT);
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
  const wrong = Object.keys(problems);
  return (
    <Dialog title="New task" wide onClose={close}>
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
                must={mustOf(option.name)}
                text={typed[option.name] ?? ""}
                problem={problems[option.name]}
                onText={(text) => type(option.name, text)}
              />
            ))}
          </div>
        </details>
        <footer>
          {wrong.length > 0 && (
            <p class="wrong grow" role="alert">
              {`Not right: ${wrong.map(wordsOf).join(", ")}`}
            </p>
          )}
          {refused !== null && <p class="wrong grow" role="alert">{refused}</p>}
          <button type="button" onClick={close}>Not now</button>
          <button type="submit" class="primary" disabled={busy || agent === ""}>
            Queue it <kbd>Ctrl+Enter</kbd>
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
