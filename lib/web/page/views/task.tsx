/// <reference lib="dom" />
// All about one task: what it was asked, how it stands and why, what came of it, what it hangs together
// with; and its log, with what can be done to it beside. Read anew whenever it or one of those changes.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { branchOf } from "../../../decide/branch.ts";
import { VENDORS } from "../../../agents/events.ts";
import type { UsageFormat } from "../../../task/agent.ts";
import { formatDuration } from "../../../task/duration.ts";
import { isTerminal, parseTime } from "../../../task/fields.ts";
import { formatLimit, formatStamp } from "../../../text/time.ts";
import type { WireDetail, WireLink, WireTask } from "../../wire.ts";
import { at, get, sayError } from "../api.ts";
import { ChangesView } from "../diff/view.tsx";
import { LogView } from "../log/view.tsx";
import { ActionBar } from "../parts/actions.tsx";
import { useKeys } from "../parts/keys.ts";
import { Reason } from "../parts/reason.tsx";
import {
  Ago,
  Badge,
  Elapsed,
  type Named,
  named,
  nameOf,
  Remaining,
  Retried,
  Standing,
  TaskLink,
  titleOf,
} from "../parts/task_words.tsx";
import { go, here, href, usePlace } from "../router.ts";
import { onHappened, useServer } from "../state.ts";

export default function Task(): JSX.Element {
  const { workspace, task: id } = usePlace();
  const { detail, problem, again } = useDetail(workspace, id);
  const whole = detail?.task.taskId;
  useEffect(() => {
    // An end of an id, a key or @last was asked for: the address of the task itself can be kept.
    if (whole !== undefined && whole !== id) {
      go({ ...here(), task: whole }, { replace: true });
    }
  }, [whole, id]);
  if (workspace === null || id === null) return <h1>No task</h1>;
  if (detail === null) {
    return (
      <>
        <h1>Task {id}</h1>
        {problem === null
          ? <p class="muted">Reading…</p>
          : <p class="notice failed" role="alert">{problem}</p>}
      </>
    );
  }
  return (
    <Shown
      key={detail.task.taskId}
      workspace={workspace}
      detail={detail}
      problem={problem}
      onDone={again}
    />
  );
}

/** Answers are asked for no more often than this, milliseconds. */
const PAUSE = 250;

/** All about a task, read anew whenever something of it changes. */
function useDetail(
  workspace: string | null,
  id: string | null,
): { detail: WireDetail | null; problem: string | null; again: () => void } {
  const { tasks } = useServer();
  const [read, setRead] = useState<{ asked: string; detail: WireDetail } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [asked, ask] = useState({});
  const isOf = read !== null && (read.asked === id || read.detail.task.taskId === id);
  const known = isOf ? read.detail : null;
  const related = [id ?? "", ...known === null ? [] : relatedOf(known)];
  const rows = related.map((one) => tasks.get(one));
  const seen = useRef(rows);
  useEffect(() => {
    const before = seen.current;
    seen.current = rows;
    if (rows.some((row, at) => row !== before[at]) && rows.length === before.length) ask({});
  });
  useEffect(
    () =>
      onHappened((where, events) => {
        if (where === workspace && events.some(({ task }) => task && related.includes(task))) {
          ask({});
        }
      }),
    [workspace, related.join()],
  );
  useEffect(() => {
    if (workspace === null || id === null) return;
    const stop = new AbortController();
    const load = async () => {
      try {
        const detail = await get<WireDetail>(at(workspace, "tasks", id), stop.signal);
        setRead({ asked: id, detail });
        setProblem(null);
      } catch (error) {
        if (!stop.signal.aborted) setProblem(sayError(error));
      }
    };
    const timer = setTimeout(load, known === null ? 0 : PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [workspace, id, asked]);
  return { detail: known, problem, again: () => ask({}) };
}

function relatedOf({ chain, needs, neededBy }: WireDetail): string[] {
  return [...chain, ...needs, ...neededBy].map(({ taskId }) => taskId);
}

function Shown({ workspace, detail, problem, onDone }: {
  workspace: string;
  detail: WireDetail;
  problem: string | null;
  onDone: () => void;
}): JSX.Element {
  const { task, chain, needs, neededBy, mentions, plan, logSize, logFormat, archived } = detail;
  const log = logSize === null && task.status === "pending"
    ? <p class="log-none muted">It has no log before it runs.</p>
    : (
      <LogView
        workspace={workspace}
        id={task.taskId}
        size={logSize ?? 0}
        format={formatOf(logFormat)}
        ended={isTerminal(task.status)}
      />
    );
  return (
    <div class="task-view">
      <header class="task-head">
        <h1>{titleOf(task)}</h1>
        <p class="task-sub">
          <Standing task={task} />
          <span class="name">{nameOf(task)}</span>
          <span>{task.agent}</span>
          <Elapsed task={task} />
          <Remaining task={task} />
          {archived && <span class="label">archived</span>}
          {Object.entries(task.labels).map(([name, value]) => (
            <a
              key={name}
              class="label"
              href={href({
                view: "now",
                workspace,
                query: new URLSearchParams({ label: `${name}:${value}` }).toString(),
              })}
            >
              {`${name}:${value}`}
            </a>
          ))}
        </p>
      </header>
      <div class="task-facts">
        {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
        <ActionBar
          workspace={workspace}
          order={{ tasks: [task.taskId] }}
          phases={[task.phase]}
          count={1}
          tasks={[task]}
          archived={archived}
          onDone={onDone}
        />
        <Outcome {...{ workspace, task, chain, mentions }} />
        {task.prompt.trim() !== titleOf(task) && <Prompt text={task.prompt} />}
        <Facts task={task} />
        <Attempts workspace={workspace} id={task.taskId} chain={chain} />
        <Links workspace={workspace} title="Depends on" links={needs} />
        <Links workspace={workspace} title="Needed by" links={neededBy} />
        {plan !== null && isOwnPlan(plan, task) && (
          <Section title="Plan">
            <Folded text={plan} lines={12} />
          </Section>
        )}
      </div>
      {branchOf(task) === null ? log : <Side workspace={workspace} task={task} log={log} />}
    </div>
  );
}

/** What is beside the facts of a task with a branch, by what the address says. */
const SIDES = ["log", "changes"] as const;
type SideName = typeof SIDES[number];

/** The log of a task, or what it changed on its branch. */
function Side({ workspace, task, log }: {
  workspace: string;
  task: WireTask;
  log: JSX.Element;
}): JSX.Element {
  const { query } = usePlace();
  const shown: SideName = new URLSearchParams(query).get("show") === "changes" ? "changes" : "log";
  const tabs = useRef<HTMLDivElement>(null);
  const show = (side: SideName) => {
    go({ ...here(), query: side === "log" ? "" : "show=changes", hash: "" }, { replace: true });
    tabs.current?.querySelector<HTMLElement>(`#tab-${side}`)?.focus();
  };
  useKeys([
    { keys: "c", about: "task: what it changed", run: () => show("changes") },
    { keys: "l", about: "task: its log", run: () => show("log") },
  ]);
  const press = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    show(shown === "log" ? "changes" : "log");
  };
  const files = branchOf(task)?.files ?? null;
  return (
    <div class="side">
      <div class="tabs" role="tablist" aria-label="Log or changes" ref={tabs} onKeyDown={press}>
        {SIDES.map((side) => (
          <button
            key={side}
            type="button"
            role="tab"
            id={`tab-${side}`}
            aria-selected={side === shown}
            aria-controls={side === shown ? "side" : undefined}
            tabIndex={side === shown ? 0 : -1}
            onClick={() => show(side)}
          >
            {side === "log" ? "Log" : files === null ? "Changes" : `Changes (${count(files)})`}
          </button>
        ))}
      </div>
      <div class="side-panel" role="tabpanel" id="side" aria-labelledby={`tab-${shown}`}>
        {shown === "log" ? log : <ChangesView workspace={workspace} task={task} />}
      </div>
    </div>
  );
}

/** Whether a plan says more than what was asked, which it begins with. */
function isOwnPlan(plan: string, { prompt }: WireTask): boolean {
  return plan.trim() !== "" && !plan.trimEnd().endsWith(`## Prompt\n${prompt.trimEnd()}`);
}

function formatOf(name: string | null): UsageFormat | null {
  return name !== null && Object.hasOwn(VENDORS, name) ? name as UsageFormat : null;
}

function Section(
  { title, children, first = false }: {
    title: string;
    children: ComponentChildren;
    /** Whether it stands before the log where they stand below each other. */
    first?: boolean;
  },
): JSX.Element {
  return (
    <section class={first ? "first" : ""}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** What came of it, or why it is where it is. */
function Outcome({ workspace, task, chain, mentions }: {
  workspace: string;
  task: WireTask;
  chain: readonly WireLink[];
  /** Tasks that its reason speaks of. */
  mentions: readonly WireLink[];
}): JSX.Element | null {
  const next = task.retriedBy;
  return (
    <>
      {next !== null && (
        <p class="notice">
          {"Retried as "}
          <TaskLink
            workspace={workspace}
            task={chain.find(({ taskId }) => taskId === next) ?? named(next)}
          />
        </p>
      )}
      <Result
        workspace={workspace}
        task={task}
        names={new Map(mentions.map((link) => [link.taskId, link]))}
      />
    </>
  );
}

function Result({ workspace, task, names }: {
  workspace: string;
  task: WireTask;
  /** Tasks that its reason speaks of, by id. */
  names: ReadonlyMap<string, Named>;
}): JSX.Element | null {
  const { phase, errorMessage, failureClass, errorDetails, result, retryAt } = task;
  const waits = task.blockedReason ?? task.waitsFor;
  if (waits !== null) {
    return (
      <p class={`notice outcome-${phase}`}>
        {phase === "blocked" ? "Blocked: " : "Waits: "}
        <Reason text={waits} workspace={workspace} names={names} />
      </p>
    );
  }
  if (task.status === "failed") {
    return (
      <div class="notice failed outcome">
        <p>
          <strong>{errorMessage ?? "It failed, and nobody told why"}</strong>
          {failureClass !== null && <span class="muted">{` (${failureClass})`}</span>}
        </p>
        {errorDetails !== null && errorDetails.trim() !== "" && (
          <Folded text={errorDetails} lines={8} />
        )}
        {phase === "retrying" && (
          <p>
            It is retried by itself <Ago time={retryAt} />.
          </p>
        )}
      </div>
    );
  }
  if (task.status === "cancelled" && errorMessage) return <p class="notice">{errorMessage}</p>;
  if (result === null || !(result.summary || result.files?.length)) return null;
  const files = Array.isArray(result.files) ? result.files.map(String) : [];
  return (
    <Section title="Result" first>
      {result.summary && <p class="said">{String(result.summary)}</p>}
      {files.length > 0 && (
        <ul class="files" aria-label="Files">
          {files.slice(0, MOST_FILES).map((file, at) => (
            <li key={at}>
              <code>{file}</code>
            </li>
          ))}
          {files.length > MOST_FILES && <li class="muted">and {files.length - MOST_FILES} more</li>}
        </ul>
      )}
    </Section>
  );
}

const MOST_FILES = 50;

function Prompt({ text }: { text: string }): JSX.Element {
  return (
    <Section title="Prompt">
      <Folded text={text} lines={8} />
    </Section>
  );
}

/** Of no text more is shown, characters; the rest is in its file. */
const LONGEST = 200_000;

/** A text as it was written; a long one is unfolded by a button. */
function Folded({ text, lines }: { text: string; lines: number }): JSX.Element {
  const [open, setOpen] = useState(false);
  const all = text.trimEnd();
  const start = all.split("\n", lines + 1).slice(0, lines).join("\n").slice(0, lines * 60);
  const isLong = start.length < all.length;
  return (
    <div class="folded">
      <pre>{open ? all.slice(0, LONGEST) : start}{isLong && !open && "…"}</pre>
      {isLong && (
        <button
          type="button"
          class="quiet"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {open ? "Less" : `All ${all.length.toLocaleString("en")} characters`}
        </button>
      )}
      {open && all.length > LONGEST && (
        <p class="muted">{(all.length - LONGEST).toLocaleString("en")} more are in its file.</p>
      )}
    </div>
  );
}

function Facts({ task }: { task: WireTask }): JSX.Element {
  return (
    <Section title="Facts">
      <dl class="facts">
        <Fact name="Agent">{task.agent}</Fact>
        <Fact name="Queued">
          <Time time={task.createdAt} />
        </Fact>
        {task.startedAt && task.status !== "pending" && (
          <Fact name="Started">
            <Time time={task.startedAt} />
          </Fact>
        )}
        {task.completedAt && (
          <Fact name="Ended">
            <Time time={task.completedAt} />
          </Fact>
        )}
        {task.elapsedSeconds !== null && (
          <Fact name={task.status === "running" ? "Running" : "Took"}>
            <Elapsed task={task} />
          </Fact>
        )}
        {task.timeout !== null && (
          <Fact name="Timeout">
            {formatLimit(task.timeout)} <Remaining task={task} />
          </Fact>
        )}
        {task.idleTimeout !== null && <Fact name="Idle limit">{formatLimit(task.idleTimeout)}
        </Fact>}
        {task.budget !== null && <Fact name="Budget">{dollars(task.budget)}</Fact>}
        <Fact name="Priority">{task.priority}{task.priority === 5 && " (normal)"}</Fact>
        <Fact name="Retries">
          {task.retryCount} of {task.maxRetries}, {task.autoRetry ? "by itself" : "by hand"}
        </Fact>
        {task.exitCode !== null && <Fact name="Exit code">{task.exitCode}</Fact>}
        {task.verify !== null && (
          <Fact name="Verify">
            <code>{task.verify.join(" ")}</code>
          </Fact>
        )}
        {task.asleep > 0 && <Fact name="Machine slept">{formatDuration(task.asleep)}</Fact>}
        <Spent task={task} />
        <Fact name="Id">
          <code>{task.taskId}</code>
        </Fact>
        {task.key !== null && (
          <Fact name="Key">
            <code>{task.key}</code>
          </Fact>
        )}
      </dl>
    </Section>
  );
}

function Fact(
  { name, children }: { name: string; children: ComponentChildren },
): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Time({ time }: { time: string }): JSX.Element {
  const millis = parseTime(time);
  if (millis === null) return <>{time}</>;
  return (
    <>
      <span class="number">{formatStamp(millis)}</span>{" "}
      <span class="muted">
        <Ago time={time} />
      </span>
    </>
  );
}

/** What it consumed, as its agent tells; or that none was told. */
function Spent({ task: { usage, startedAt, status } }: { task: WireTask }): JSX.Element | null {
  if (startedAt === null || status === "pending") return null;
  const { inputTokens, cachedTokens, outputTokens, costUsd, turns, model } = usage ?? {};
  const hasTokens = inputTokens !== undefined || outputTokens !== undefined;
  if (!hasTokens && costUsd === undefined) {
    return (
      <Fact name="Tokens">
        <span class="muted">
          {status === "running" ? "none told so far" : "its agent told none"}
        </span>
      </Fact>
    );
  }
  return (
    <>
      {hasTokens && (
        <Fact name="Tokens">
          {count(inputTokens ?? 0)} in{cachedTokens ? ` (${count(cachedTokens)} cached)` : ""},{" "}
          {count(outputTokens ?? 0)} out
        </Fact>
      )}
      <Fact name="Cost">
        {costUsd === undefined ? <span class="muted">not told</span> : dollars(costUsd)}
      </Fact>
      {turns !== undefined && <Fact name="Turns">{count(turns)}</Fact>}
      {model !== undefined && <Fact name="Model">{String(model)}</Fact>}
    </>
  );
}

function count(value: number): string {
  return Number(value).toLocaleString("en");
}

function dollars(value: number): string {
  return `${value < 0.1 ? Number(Number(value).toPrecision(2)) : Number(value).toFixed(2)} USD`;
}

/** All attempts, where there is more than this one. */
function Attempts({ workspace, id, chain }: {
  workspace: string;
  id: string;
  chain: readonly WireLink[];
}): JSX.Element | null {
  if (chain.length < 2) return null;
  return (
    <Section title={`Attempts (${chain.length})`}>
      <ol class="links">
        {chain.map((link, at) => (
          <li key={link.taskId} aria-current={link.taskId === id ? "true" : undefined}>
            <span class="number muted">{at + 1}</span>
            {at < chain.length - 1 ? <Retried /> : <Badge phase={link.phase} />}
            <TaskLink workspace={workspace} task={link} />
            <span class="muted what">
              {link.failureClass ?? ""} <Ago time={link.completedAt ?? link.startedAt} />
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}

/** Most links that are shown at once. */
const MOST_LINKS = 40;

function Links({ workspace, title, links }: {
  workspace: string;
  title: string;
  links: readonly WireLink[];
}): JSX.Element | null {
  const [all, setAll] = useState(false);
  if (links.length === 0) return null;
  const shown = all ? links : links.slice(0, MOST_LINKS);
  return (
    <Section title={`${title} (${links.length})`}>
      <ul class="links">
        {shown.map((link) => (
          <li key={link.taskId}>
            <Badge phase={link.phase} />
            <TaskLink workspace={workspace} task={link} />
            <span class="what">{titleOf(link)}</span>
          </li>
        ))}
      </ul>
      {shown.length < links.length && (
        <button
          type="button"
          class="quiet"
          onClick={() => setAll(true)}
        >
          {links.length - shown.length} more
        </button>
      )}
    </Section>
  );
}
