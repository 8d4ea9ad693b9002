/// <reference lib="dom" />
// What a task changed on its branch, file by file, as the server tells it; a file that is large is folded,
// and read when it is unfolded.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isTerminal } from "../../../task/fields.ts";
import type { WireChange, WireDiff, WireTask } from "../../wire.ts";
import { at, get, sayError } from "../api.ts";
import { useKeys } from "../parts/keys.ts";
import { keep, recall } from "../theme.ts";
import { Lines, Visible } from "./lines.tsx";

/** Changed lines that are unfolded at first, of all files together. */
const UNFOLDED = 1500;
/** Below this width two columns have no room beside each other. */
const NARROW = "(max-width: 700px)";
const KEPT = "orchestra-diff-split";

/** All that a task changed. */
export function ChangesView({ workspace, task }: {
  workspace: string;
  task: WireTask;
}): JSX.Element {
  const { diff, problem, reading, again } = useDiff(workspace, task);
  const [wanted, setWanted] = useState(() => recall(KEPT) === "true");
  const narrow = useMedia(NARROW);
  const box = useRef<HTMLElement>(null);
  const choose = (split: boolean) => {
    keep(KEPT, String(split));
    setWanted(split);
  };
  const split = wanted && !narrow;
  const step = (by: number) => stepFile(box.current!, by);
  useKeys([
    { keys: "]", about: "changes: next file", run: () => step(1) },
    { keys: "[", about: "changes: file before", run: () => step(-1) },
    { keys: "s", about: "changes: side by side, or not", run: () => choose(!wanted) },
  ]);
  return (
    <section class="diff" aria-label="Changes" ref={box}>
      <div class="diff-tools">
        <p class="grow">{diff === null ? "" : <Summary diff={diff} />}</p>
        {!isTerminal(task.status) && (
          <button type="button" disabled={reading} onClick={again}>Read again</button>
        )}
        {!narrow && (
          <div class="row" role="group" aria-label="Layout">
            <button type="button" aria-pressed={!split} onClick={() => choose(false)}>
              Unified
            </button>
            <button type="button" aria-pressed={split} onClick={() => choose(true)}>
              Side by side
            </button>
          </div>
        )}
      </div>
      <div class="diff-box" tabIndex={0} role="region" aria-label="Files that changed">
        {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
        {diff === null
          ? problem === null && <p class="diff-none muted">Reading…</p>
          : <Files {...{ workspace, task, diff, split }} />}
      </div>
    </section>
  );
}

/** What it changed, read anew when it begins, ends or is committed, and when somebody asks. */
function useDiff(workspace: string, task: WireTask) {
  const [diff, setDiff] = useState<WireDiff | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [reading, setReading] = useState(true);
  const [asked, ask] = useState({});
  const { taskId, status, git } = task;
  useEffect(() => {
    const stop = new AbortController();
    setReading(true);
    get<WireDiff>(at(workspace, "tasks", taskId, "diff"), stop.signal).then((read) => {
      setDiff(read);
      setProblem(null);
    }).catch((error) => {
      if (!stop.signal.aborted) setProblem(sayError(error));
    }).finally(() => stop.signal.aborted || setReading(false));
    return () => stop.abort();
  }, [workspace, taskId, status, git?.tip, asked]);
  return { diff, problem, reading, again: () => ask({}) };
}

function Summary({ diff: { branch, base, tip, files, more, insertions, deletions } }: {
  diff: WireDiff;
}): JSX.Element {
  const count = files.length + more;
  return (
    <>
      <strong>{`${count.toLocaleString("en")} ${count === 1 ? "file" : "files"}`}</strong>{" "}
      <Counts insertions={insertions} deletions={deletions} />{" "}
      <span class="muted diff-branch">
        {"on "}
        <code>{branch}</code>
        {` from ${base.slice(0, 10)} to ${tip === null ? "its worktree" : tip.slice(0, 10)}`}
      </span>
    </>
  );
}

function Counts({ insertions, deletions }: {
  insertions: number | null;
  deletions: number | null;
}): JSX.Element {
  return (
    <span class="diff-counts">
      <span class="added">+{(insertions ?? 0).toLocaleString("en")}</span>{" "}
      <span class="removed">-{(deletions ?? 0).toLocaleString("en")}</span>
    </span>
  );
}

function Files({ workspace, task, diff, split }: {
  workspace: string;
  task: WireTask;
  diff: WireDiff;
  split: boolean;
}): JSX.Element {
  const { files, more } = diff;
  if (files.length === 0) return <p class="diff-none muted">Nothing changed.</p>;
  let lines = 0;
  return (
    <>
      {files.map((file) => {
        if (file.patch !== null) lines += (file.insertions ?? 0) + (file.deletions ?? 0);
        const open = file.patch !== null && file.left === null && lines <= UNFOLDED;
        return <File key={file.path} {...{ workspace, task, file, split, open }} />;
      })}
      {more > 0 && (
        <p class="diff-none muted">
          {`And ${more.toLocaleString("en")} more: `}
          <code>{`orchestra diff --stat ${task.taskId}`}</code>
        </p>
      )}
    </>
  );
}

/** Why there is nothing to be unfolded. */
const CLOSED: Readonly<Record<string, string>> = {
  binary: "It is no text.",
  name: "Its name is no text, and cannot be asked for.",
};

function File({ workspace, task, file, split, open: first }: {
  workspace: string;
  task: WireTask;
  file: WireChange;
  split: boolean;
  open: boolean;
}): JSX.Element {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? first;
  const [whole, setWhole] = useState<WireChange | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { path, from, change, insertions, deletions, modes } = file;
  const closed = CLOSED[file.left ?? ""];
  const lacks = file.patch === null && closed === undefined;
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    if (!open || !lacks) return;
    const mine = stop.current = new AbortController();
    const query = new URLSearchParams({ path });
    get<WireDiff>(`${at(workspace, "tasks", task.taskId, "diff")}?${query}`, mine.signal)
      .then(({ files: [read] }) => {
        setWhole(read ?? null);
        setProblem(null);
      }).catch((error) => {
        if (!mine.signal.aborted) setProblem(sayError(error));
      });
    return () => mine.abort();
  }, [open, lacks, file]);
  const shown = file.patch === null ? whole : file;
  return (
    <section class={open ? "diff-file open" : "diff-file"}>
      <h3>
        <button
          type="button"
          class="diff-head"
          aria-expanded={open}
          onClick={() => setChosen(!open)}
        >
          <span aria-hidden="true">{open ? "▾" : "▸"}</span>
          <span class="diff-path">
            {from !== null && (
              <>
                <Visible text={from} />
                {" → "}
              </>
            )}
            <Visible text={path} />
          </span>
          {change !== "modified" && <span class="label">{change}</span>}
          {modes !== null && <span class="label">{modes.join(" → ")}</span>}
          {file.left === "binary"
            ? <span class="label">binary</span>
            : <Counts insertions={insertions} deletions={deletions} />}
        </button>
      </h3>
      {open && (
        <div class="diff-body">
          {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
          {closed !== undefined
            ? <p class="diff-none muted">{closed}</p>
            : shown === null
            ? problem === null && <p class="diff-none muted">Reading…</p>
            : <Patch file={shown} split={split} />}
        </div>
      )}
    </section>
  );
}

function Patch({ file, split }: { file: WireChange; split: boolean }): JSX.Element {
  const { patch, left } = file;
  if (left === "moving" || patch === null) {
    return <p class="diff-none muted">It changed while it was read: read it again.</p>;
  }
  if (patch === "") return <p class="diff-none muted">No line of it changed.</p>;
  return (
    <>
      <Lines patch={patch} split={split} />
      {left === "size" && (
        <p class="diff-none muted">Only its beginning is shown: it is too large.</p>
      )}
    </>
  );
}

/** Moves the focus to the next file, or the one before; the first where none has it. */
function stepFile(box: HTMLElement, by: number): void {
  const heads = [...box.querySelectorAll<HTMLElement>(".diff-head")];
  const now = document.activeElement?.closest(".diff-file");
  const at = heads.findIndex((head) => head.closest(".diff-file") === now);
  const next = heads[at < 0 ? (by > 0 ? 0 : heads.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function useMedia(query: string): boolean {
  const [matches, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const told = () => set(media.matches);
    told();
    media.addEventListener("change", told);
    return () => media.removeEventListener("change", told);
  }, [query]);
  return matches;
}
