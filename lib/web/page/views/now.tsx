/// <reference lib="dom" />
// How it stands: what needs a person first, then what runs, what waits and why, and what is done. Which
// tasks, the address says.

import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { parseFilter } from "../../filter.ts";
import type { WireCounts, WireFilter, WireRow } from "../../wire.ts";
import { type Listing, type Parts, partTasks, totalOf } from "../listing.ts";
import { ActionBar, countTasks } from "../parts/actions.tsx";
import { Filters, queryOf } from "../parts/filters.tsx";
import { useKeys } from "../parts/keys.ts";
import { Notices } from "../parts/notices.tsx";
import { type Choice, TaskList } from "../parts/task_list.tsx";
import { PHASES } from "../parts/task_words.tsx";
import { go, usePlace } from "../router.ts";
import { extend, NOTHING, prune, type Selection, toggle } from "../selection.ts";
import { PAGE, useServer, useTasks } from "../state.ts";

/** Of what needs a person, so many are read whatever else there is. */
const NEEDED = 100;

export default function Now(): JSX.Element {
  const place = usePlace();
  const filter = parseFilter(new URLSearchParams(place.query));
  const [limit, setLimit] = useState(PAGE);
  useEffect(() => setLimit(PAGE), [place.query, place.workspace]);
  const main = useTasks(filter, limit);
  const needed = useTasks(
    filter.status === undefined ? { ...filter, status: ["needed"] } : null,
    NEEDED,
  );
  const rows = new Map([...main.rows, ...needed.rows].map((row) => [row.taskId, row]));
  const { counts } = useServer();
  const workspace = place.workspace ?? "";
  return (
    <>
      <h1 class="hidden">Now</h1>
      <Notices />
      <Filters
        filter={filter}
        counts={main.listing?.counts ?? counts}
        agents={main.listing?.agents ?? {}}
        labels={main.listing?.labels ?? {}}
        onFilter={(chosen) =>
          go({ view: "now", workspace, query: queryOf(chosen) }, { replace: true })}
      />
      {main.problem !== null && <p class="notice failed" role="alert">{main.problem}</p>}
      {main.listing === null
        ? main.problem === null && <p class="muted empty">Reading the tasks …</p>
        : (
          <Lists
            key={workspace}
            rows={[...rows.values()]}
            listing={main.listing}
            workspace={workspace}
            filter={filter}
            onMore={() => setLimit(limit + PAGE)}
          />
        )}
    </>
  );
}

/** What each part of the list is called, and what its phases are. */
const SECTIONS = [
  { part: "needed", title: "Needs you", count: (counts: WireCounts) => counts.needed },
  { part: "running", title: "Running", count: (counts: WireCounts) => counts.running ?? 0 },
  {
    part: "waiting",
    title: "Waiting",
    count: ({ ready = 0, waiting = 0, retrying = 0 }: WireCounts) => ready + waiting + retrying,
  },
  {
    part: "done",
    title: "Done",
    count: ({ complete = 0, failed = 0, cancelled = 0, blocked = 0, needed }: WireCounts) =>
      needed === undefined ? undefined : complete + failed + cancelled + blocked - needed,
  },
] as const;

function Lists({ rows, listing, workspace, filter, onMore }: {
  rows: readonly WireRow[];
  listing: Listing;
  workspace: string;
  filter: WireFilter;
  onMore: () => void;
}): JSX.Element {
  const [selection, select] = useState<Selection>(NOTHING);
  const parts = partTasks(rows);
  const order = SECTIONS.flatMap(({ part }) => parts[part].map(({ taskId }) => taskId));
  const latest = useRef(order);
  latest.current = order;
  const onChoose = useCallback((id: string, how: Choice) => {
    select((now) => how === "toggle" ? toggle(now, id) : extend(now, id, latest.current));
  }, []);
  const shown = prune(selection, new Set(order));
  useListKeys(onChoose, () => select(NOTHING));
  useKeptFocus();
  const more = Math.max(0, totalOf(listing) - rows.length);
  if (rows.length === 0) return <Empty filter={filter} total={listing.counts.total} />;
  return (
    <>
      <div class="sections">
        {SECTIONS.map(({ part, title, count }) =>
          parts[part].length > 0 && (
            <section key={part} class={`part-${part}`} aria-labelledby={`title-${part}`}>
              <h2 id={`title-${part}`}>
                {title}{" "}
                <span class="number">
                  {((filter.status === undefined ? count(listing.counts) : undefined) ??
                    parts[part].length).toLocaleString("en")}
                </span>
              </h2>
              <TaskList
                label={title}
                tasks={parts[part]}
                workspace={workspace}
                selected={shown.ids}
                onChoose={onChoose}
              />
              {part === lastPart(parts) && more > 0 && (
                <p class="more">
                  <button type="button" onClick={onMore}>
                    Show {Math.min(more, PAGE).toLocaleString("en")} more
                  </button>{" "}
                  <span class="muted">{countTasks(more)} not shown</span>
                </p>
              )}
            </section>
          )
        )}
      </div>
      {shown.ids.size > 0 && (
        <SelectionBar
          selection={shown}
          rows={rows}
          total={totalOf(listing)}
          listing={listing}
          workspace={workspace}
          filter={filter}
          onClear={() => select(NOTHING)}
        />
      )}
    </>
  );
}

function lastPart(parts: Parts): keyof Parts | undefined {
  return SECTIONS.findLast(({ part }) => parts[part].length > 0)?.part;
}

function Empty({ filter, total }: { filter: WireFilter; total: number }): JSX.Element {
  if (total > 0 || queryOf(filter) !== "") {
    return <p class="empty">No task passes these filters.</p>;
  }
  return (
    <div class="empty">
      <p>There are no tasks yet.</p>
      <p class="muted">
        Press <kbd>n</kbd> for a new one, or queue one with:{" "}
        <code>orchestra start &lt;agent&gt; &lt;prompt&gt;</code>
      </p>
    </div>
  );
}

/** What can be done to what is selected, or to all that pass. */
function SelectionBar({ selection, rows, total, listing, workspace, filter, onClear }: {
  selection: Selection;
  rows: readonly WireRow[];
  total: number;
  listing: Listing;
  workspace: string;
  filter: WireFilter;
  onClear: () => void;
}): JSX.Element {
  const [all, setAll] = useState(false);
  const chosen = rows.filter(({ taskId }) => selection.ids.has(taskId));
  const statuses = filter.status;
  const phases = all
    ? PHASES.filter((name) =>
      (listing.counts[name] ?? 0) > 0 &&
      (statuses === undefined || chosen.some(({ phase }) => phase === name) ||
        statuses.includes(name))
    )
    : [...new Set(chosen.map(({ phase }) => phase))];
  return (
    <section class="selection" aria-label="Selection">
      <p>
        <strong>{all ? `All ${countTasks(total)} that match` : `${chosen.length} selected`}</strong>
        {!all && total > chosen.length && (
          <button
            type="button"
            class="quiet"
            onClick={() => setAll(true)}
          >
            all {total.toLocaleString("en")} that match
          </button>
        )}
        <button type="button" class="quiet" onClick={onClear}>
          Clear <kbd>Esc</kbd>
        </button>
      </p>
      <ActionBar
        workspace={workspace}
        order={all ? { filter } : { tasks: [...selection.ids] }}
        phases={phases}
        count={all ? total : chosen.length}
        onDone={onClear}
      />
    </section>
  );
}

// ---------------------------------------------------------------------------------------------
// Keys

const rowOf = (element: Element | null) => element?.closest<HTMLElement>("[data-task]") ?? null;

/** Moves to the next row, or the one before. */
function step(by: 1 | -1): void {
  const all = [...document.querySelectorAll<HTMLElement>("[data-task]")];
  const now = rowOf(document.activeElement);
  const at = now === null ? (by > 0 ? -1 : all.length) : all.indexOf(now);
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  next?.querySelector<HTMLElement>("a.title")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function useListKeys(onChoose: (id: string, how: Choice) => void, onClear: () => void): void {
  const choose = (how: Choice) => {
    const id = rowOf(document.activeElement)?.dataset.task;
    if (id !== undefined) onChoose(id, how);
  };
  useKeys([
    { keys: "j", about: "next task", run: () => step(1) },
    { keys: "k", about: "task before", run: () => step(-1) },
    { keys: "x", about: "select the task", run: () => choose("toggle") },
    { keys: "X", about: "select all from the last one selected", run: () => choose("extend") },
    { keys: "Escape", about: "select nothing", run: onClear },
  ]);
}

/** A row that moves to another part of the list takes the focus along. */
function useKeptFocus(): void {
  const last = useRef<{ id: string; what: string } | null>(null);
  useEffect(() => {
    const note = () => {
      const active = document.activeElement;
      const id = rowOf(active)?.dataset.task;
      if (id !== undefined) {
        last.current = { id, what: active instanceof HTMLAnchorElement ? "a.title" : "input" };
      } else if (active !== document.body) last.current = null;
    };
    document.addEventListener("focusin", note);
    return () => document.removeEventListener("focusin", note);
  }, []);
  useLayoutEffect(() => {
    if (last.current === null || document.activeElement !== document.body) return;
    const row = document.querySelector(`[data-task="${CSS.escape(last.current.id)}"]`);
    row?.querySelector<HTMLElement>(last.current.what)?.focus({ preventScroll: true });
  });
}
