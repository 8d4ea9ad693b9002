/// <reference lib="dom" />
// How it stands: what needs a person first, then what runs, what waits and why, and what is done. Which
// tasks, the address says.

import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PhaseName } from "../../../decide/view.ts";
import { isFiltering, parseFilter } from "../../filter.ts";
import type { WireCounts, WireFilter, WireRow } from "../../wire.ts";
import { type Listing, partTasks, totalOf } from "../listing.ts";
import { ActionBar, countTasks } from "../parts/actions.tsx";
import { Filters, queryOf } from "../parts/filters.tsx";
import { useKeys } from "../parts/keys.ts";
import { Notices } from "../parts/notices.tsx";
import { type Choice, TaskList } from "../parts/task_list.tsx";
import { nameOf, PHASES } from "../parts/task_words.tsx";
import { go, usePlace } from "../router.ts";
import { extend, NOTHING, prune, toggle } from "../selection.ts";
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
  // Those of all tasks are told with each change, those of some only when they are asked for.
  const { counts: ofAll } = useServer();
  const listing = main.listing && !isFiltering(filter)
    ? { ...main.listing, counts: ofAll }
    : main.listing;
  const workspace = place.workspace ?? "";
  return (
    <>
      <h1 class="hidden">Now</h1>
      <Notices />
      <Filters
        filter={filter}
        counts={listing?.counts ?? ofAll}
        agents={main.listing?.agents ?? {}}
        labels={main.listing?.labels ?? {}}
        onFilter={(chosen) =>
          go({ view: "now", workspace, query: queryOf(chosen) }, { replace: true })}
      />
      {main.problem !== null && <p class="notice failed" role="alert">{main.problem}</p>}
      {listing === null
        ? main.problem === null && <p class="muted empty">Reading the tasks …</p>
        : (
          <Lists
            key={workspace}
            rows={[...rows.values()]}
            listing={listing}
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
  const { selection, all, setAll, choose, clear } = useSelection(rows);
  useListKeys(choose, clear);
  useKeptFocus();
  const total = Math.max(totalOf(listing), rows.length);
  if (rows.length === 0) return <Empty filter={filter} total={listing.counts.total} />;
  const parts = partTasks(rows);
  // Keys have room where there are any; short numbers take none away.
  const longest = Math.min(20, rows.reduce((most, row) => Math.max(most, nameOf(row).length), 8));
  const last = SECTIONS.findLast(({ part }) => parts[part].length > 0)?.part;
  const draw = ({ part, title, count }: typeof SECTIONS[number]) => {
    const counted = filter.status === undefined ? count(listing.counts) : undefined;
    return parts[part].length > 0 && (
      <section key={part} class={`part-${part}`} aria-labelledby={`title-${part}`}>
        <h2 id={`title-${part}`}>
          {title} <span class="number">{(counted ?? parts[part].length).toLocaleString("en")}</span>
        </h2>
        <TaskList
          label={title}
          tasks={parts[part]}
          workspace={workspace}
          selected={selection.ids}
          onChoose={choose}
        />
        {part === last && <More count={total - rows.length} onMore={onMore} />}
      </section>
    );
  };
  return (
    <>
      <label class="select-all">
        <input
          type="checkbox"
          checked={all}
          ref={(box) => {
            if (box) box.indeterminate = !all && selection.ids.size > 0;
          }}
          onChange={(event) => event.currentTarget.checked ? setAll() : clear()}
        />
        {total === 1 ? "Select the one task" : `Select all ${countTasks(total)}`}
        {queryOf(filter) !== "" && (total === 1 ? " that matches" : " that match")}
      </label>
      <div class="sections" style={{ "--names": `${longest}ch` }}>
        <div>{SECTIONS.slice(0, 3).map(draw)}</div>
        <div>{SECTIONS.slice(3).map(draw)}</div>
      </div>
      {selection.ids.size > 0 && (
        <SelectionBar
          chosen={rows.filter(({ taskId }) => selection.ids.has(taskId))}
          all={all ? total : null}
          listing={listing}
          workspace={workspace}
          filter={filter}
          onClear={clear}
        />
      )}
    </>
  );
}

/** What is selected of the tasks that are shown, or all that pass, shown or not. */
function useSelection(rows: readonly WireRow[]) {
  const [{ all, selection }, set] = useState({ all: false, selection: NOTHING });
  const parts = partTasks(rows);
  const order = SECTIONS.flatMap(({ part }) => parts[part].map(({ taskId }) => taskId));
  const latest = useRef(order);
  latest.current = order;
  const choose = useCallback((id: string, how: Choice) => {
    set((now) => {
      const from = now.all ? { ids: new Set(latest.current), anchor: null } : now.selection;
      const next = how === "toggle" ? toggle(from, id) : extend(from, id, latest.current);
      return { all: false, selection: next };
    });
  }, []);
  const shown = new Set(order);
  return {
    all,
    selection: all ? { ids: shown, anchor: null } : prune(selection, shown),
    choose,
    setAll: () => set({ all: true, selection: NOTHING }),
    clear: () => set({ all: false, selection: NOTHING }),
  };
}

function More({ count, onMore }: { count: number; onMore: () => void }): JSX.Element | null {
  if (count <= 0) return null;
  return (
    <p class="more">
      <button type="button" onClick={onMore}>
        Show {Math.min(count, PAGE).toLocaleString("en")} more
      </button>{" "}
      <span class="muted">{countTasks(count)} not shown</span>
    </p>
  );
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
function SelectionBar({ chosen, all, listing, workspace, filter, onClear }: {
  chosen: readonly WireRow[];
  /** How many pass, where all are selected; else null. */
  all: number | null;
  listing: Listing;
  workspace: string;
  filter: WireFilter;
  onClear: () => void;
}): JSX.Element {
  useEffect(() => {
    // Messages stand above it.
    document.body.classList.add("selecting");
    return () => document.body.classList.remove("selecting");
  }, []);
  const phases = new Set<PhaseName>(chosen.map(({ phase }) => phase));
  // Some of all are not on the screen.
  if (all !== null && filter.status === undefined) {
    for (const name of PHASES) if ((listing.counts[name] ?? 0) > 0) phases.add(name);
  }
  return (
    <section class="selection" aria-label="Selection">
      <p>
        <strong>{all === null ? `${chosen.length} selected` : `All ${countTasks(all)}`}</strong>
        <button type="button" class="quiet" onClick={onClear}>
          Clear <kbd>Esc</kbd>
        </button>
      </p>
      <ActionBar
        workspace={workspace}
        order={all === null ? { tasks: chosen.map(({ taskId }) => taskId) } : { filter }}
        phases={[...phases]}
        count={all ?? chosen.length}
        tasks={chosen}
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
