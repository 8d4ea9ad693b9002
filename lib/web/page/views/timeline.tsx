/// <reference lib="dom" />
// Who ran when, in which slot, and how long it had waited; when agents were paused; and now. A range is
// chosen by name, by drawing over it, by wheel, fingers and keys; and all of it is there as a table.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatClock, formatElapsed, formatMoment, formatStamp } from "../../../text/time.ts";
import { truncate } from "../../../text/width.ts";
import type { WireTimeline } from "../../wire.ts";
import { at, get } from "../api.ts";
import { useClock } from "../parts/clock.ts";
import { useReading } from "../parts/reading.ts";
import { Badge, nameOf, TaskLink } from "../parts/task_words.tsx";
import { go, here, href, usePlace } from "../router.ts";
import {
  type Bar,
  barsOf,
  fitRange,
  moveRange,
  type Range,
  type Run,
  ticksOf,
  zoomRange,
} from "../time_axis.ts";

const HOUR = 3_600_000;
const SPANS = [
  { name: "10m", title: "10 minutes", length: HOUR / 6 },
  { name: "1h", title: "1 hour", length: HOUR },
  { name: "6h", title: "6 hours", length: 6 * HOUR },
  { name: "24h", title: "24 hours", length: 24 * HOUR },
  { name: "7d", title: "7 days", length: 7 * 24 * HOUR },
] as const;
/** What is shown where nothing has run and nothing was chosen. */
const HOUR_SPAN = SPANS[1];
/** How far back it is looked for runs where nothing was chosen, until there are some. */
const BACK = ["1h", "24h", "7d"];
/** While things happen it is read anew at most so often, milliseconds. */
const PAUSE = 2000;
/** Room behind now, as a part of the range. */
const AHEAD = 0.03;

export default function Timeline(): JSX.Element {
  const { workspace, query } = usePlace();
  const search = new URLSearchParams(query);
  const chosen = SPANS.find(({ name }) => name === search.get("since"));
  const asTable = search.get("as") === "table";
  const own = ownRange(search);
  const { timeline, problem } = useTimeline(workspace, chosen?.name ?? null);
  const span = chosen ?? HOUR_SPAN;
  // A bar that grows by less than a pixel need not be drawn anew.
  const fitted = chosen === undefined ? fitRange(timeline?.runs ?? [], Date.now()) : null;
  const named = own ?? fitted;
  const step = Math.max(1000, (named ? named.to - named.from : span.length) / 1500);
  const now = useClock((now) => Math.floor(now / step) * step + step);
  const range = own ?? (chosen === undefined ? fitRange(timeline?.runs ?? [], now) : null) ??
    { from: now - span.length, to: now + span.length * AHEAD };
  const change = (changes: Readonly<Record<string, string | null>>) => {
    const next = new URLSearchParams(here().query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) next.delete(name);
      else next.set(name, value);
    }
    go({ ...here(), query: next.toString() }, { replace: true });
  };
  const setRange = (next: Range | null) =>
    change({
      from: next && String(Math.round(next.from)),
      to: next && String(Math.round(next.to)),
    });
  return (
    <div class="timeline-view">
      <header class="graph-head">
        <h1>Timeline</h1>
        <div class="chips" role="group" aria-label="Span of time">
          <button
            type="button"
            aria-pressed={own === null && chosen === undefined}
            title="As long as things have run of late"
            onClick={() => change({ since: null, from: null, to: null })}
          >
            Fit
          </button>
          {SPANS.map(({ name, title }) => (
            <button
              key={name}
              type="button"
              aria-pressed={own === null && name === chosen?.name}
              onClick={() => change({ since: name, from: null, to: null })}
            >
              {title}
            </button>
          ))}
        </div>
        {own !== null && (
          <span class="row">
            <span class="number">{formatMoment(own.from, now)} – {formatMoment(own.to, now)}</span>
            <button type="button" onClick={() => setRange(null)}>Back to now</button>
          </span>
        )}
        <span class="grow" />
        <button
          type="button"
          aria-pressed={asTable}
          onClick={() => change({ as: asTable ? null : "table" })}
        >
          As a table
        </button>
      </header>
      {problem !== null && <p class="notice failed" role="alert">{problem}</p>}
      {timeline === null || workspace === null
        ? problem === null && <p class="muted">Reading…</p>
        : asTable
        ? <Table {...{ workspace, timeline, range, now }} />
        : <Chart {...{ workspace, timeline, range, now, setRange }} />}
    </div>
  );
}

/** The range that the address names; null for one up to now. */
function ownRange(search: URLSearchParams): Range | null {
  const from = Number(search.get("from"));
  const to = Number(search.get("to"));
  return from > 0 && to > from && Number.isFinite(to) ? { from, to } : null;
}

function useTimeline(
  workspace: string | null,
  /** Null for as far as it takes to find something. */
  since: string | null,
): { timeline: WireTimeline | null; problem: string | null } {
  const { read: timeline, problem } = useReading<WireTimeline>(
    workspace,
    async (where, signal, set) => {
      for (const back of since === null ? BACK : [since]) {
        const found = await get<WireTimeline>(`${at(where, "timeline")}?since=${back}`, signal);
        set(found);
        if (found.runs.length > 0) break;
      }
    },
    PAUSE,
    [since],
  );
  return { timeline, problem };
}

/** Pixels: of a row, of what is in it, of the axis, of the names beside it. */
const ROW = 30;
const BAR = 20;
const AXIS = 26;
const NAMES = 58;

type SetRange = (range: Range | null) => void;

function Chart({ workspace, timeline, range, now, setRange }: {
  workspace: string;
  timeline: WireTimeline;
  range: Range;
  now: number;
  setRange: SetRange;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box) - NAMES;
  const pixel = (range.to - range.from) / Math.max(1, width);
  const x = (time: number) => NAMES + (time - range.from) / pixel;
  const bars = barsOf(timeline.runs, range, 2 * pixel, now);
  const agents = [...new Set(pausedIn(timeline, range).map(({ agent }) => agent))].sort();
  // Slots in which nothing is to be seen would only take room.
  const used = [...new Set(bars.map(({ slot }) => slot))].sort((a, b) => a - b);
  const slots = used.length;
  const rowOf = (slot: number) => used.indexOf(slot);
  const height = (slots + agents.length) * ROW;
  const ticks = ticksOf(range, width);
  const drawn = useGestures(box, range, setRange);
  const keys = useRunKeys(box, timeline, range, setRange);
  const tabStop = keys.tabStop(bars);
  return (
    <div
      class="timeline-box"
      ref={box}
      tabIndex={0}
      role="group"
      aria-label="Runs on an axis of time. Left and right move it, plus and minus zoom, 0 leads back to now; on a run, arrow keys lead to others, Enter opens it."
      onKeyDown={keys.keyed}
    >
      <svg class="timeline-axis" width="100%" height={AXIS} aria-hidden="true">
        {ticks.filter(({ time }) => x(time) < NAMES + width - 24).map(({ time, label, day }) => (
          <text key={time} x={x(time)} y="17" class={day ? "day" : ""} text-anchor="middle">
            {label}
          </text>
        ))}
      </svg>
      <svg class="timeline-runs" width="100%" height={height}>
        <defs>
          <pattern id="paused" width="8" height="8" patternUnits="userSpaceOnUse">
            <path d="M-2 2L2 -2M0 8L8 0M6 10L10 6" />
          </pattern>
          <clipPath id="inside">
            <rect x={NAMES} y="0" width={Math.max(0, width)} height={height} />
          </clipPath>
        </defs>
        {Array.from({ length: slots + agents.length }, (_, row) => (
          <g key={row}>
            <line class="rule" x1="0" x2="100%" y1={(row + 1) * ROW} y2={(row + 1) * ROW} />
            <text class="row-name" x="4" y={row * ROW + 19}>
              {row < slots ? `Slot ${used[row]! + 1}` : truncate(agents[row - slots]!, 8)}
            </text>
          </g>
        ))}
        <g clip-path="url(#inside)">
          {ticks.map(({ time, day }) => (
            <line
              key={time}
              class={`tick${day ? " day" : ""}`}
              x1={x(time)}
              x2={x(time)}
              y1="0"
              y2={height}
            />
          ))}
          <Waits {...{ bars, x, range, rowOf }} />
          {pausedIn(timeline, range).map(({ agent, from, to }) => (
            <rect
              key={`${agent} ${from}`}
              class="paused"
              x={x(Math.max(from, range.from))}
              width={Math.max(2, x(Math.min(to, range.to)) - x(Math.max(from, range.from)))}
              y={(slots + agents.indexOf(agent)) * ROW + 4}
              height={BAR}
            >
              <title>{`${agent} was paused from ${formatStamp(from)} to ${formatStamp(to)}`}</title>
            </rect>
          ))}
          {bars.map((bar) => (
            <RunBar
              key={bar.runs[0]!.taskId + bar.from}
              {...{ bar, workspace, now }}
              row={rowOf(bar.slot)}
              left={Math.max(NAMES - 4, x(bar.from))}
              right={Math.min(NAMES + width + 4, x(bar.to))}
              inTab={bar.runs[0]!.taskId === tabStop}
              onFocus={keys.focused}
            />
          ))}
          {now >= range.from && now <= range.to && (
            <line class="now" x1={x(now)} x2={x(now)} y1="0" y2={height}>
              <title>now</title>
            </line>
          )}
          {drawn !== null && (
            <rect
              class="drawn"
              x={Math.min(drawn.from, drawn.to)}
              width={Math.abs(drawn.to - drawn.from)}
              y="0"
              height={height}
            />
          )}
        </g>
      </svg>
      {bars.length === 0 && <p class="empty muted">Nothing ran in this time.</p>}
      <p class="legend muted">
        A line below a bar is how long it had waited
        {agents.length > 0 && "; hatched, an agent was paused"}. Draw over a range to see it larger.
      </p>
    </div>
  );
}

function pausedIn({ lanes }: WireTimeline, range: Range): WireTimeline["lanes"] {
  return lanes.filter(({ from, to }) => to >= range.from && from <= range.to);
}

/** How long each had waited: a thin line up to its start. */
function Waits({ bars, x, range, rowOf }: {
  bars: readonly Bar[];
  rowOf: (slot: number) => number;
  x: (time: number) => number;
  range: Range;
}): JSX.Element {
  return (
    <g class="waits">
      {bars.map(({ runs: [run], slot }) => {
        const from = x(Math.max(run!.queued, range.from));
        const to = x(run!.started);
        if (to - from < 2) return null;
        const y = rowOf(slot) * ROW + ROW - 4;
        return <path key={run!.taskId} d={`M${from} ${y - 2}V${y + 2}M${from} ${y}H${to}`} />;
      })}
    </g>
  );
}

function RunBar({ bar, row, workspace, left, right, now, inTab, onFocus }: {
  bar: Bar;
  /** In which it stands, from 0. */
  row: number;
  workspace: string;
  left: number;
  right: number;
  now: number;
  inTab: boolean;
  onFocus: (id: string) => void;
}): JSX.Element {
  const { runs } = bar;
  const run = runs[0]!;
  const wide = Math.max(2, right - left);
  const place = { x: left, y: row * ROW + 4, width: wide, height: BAR };
  const worst = runs.find(({ status }) => status === "failed") ?? run;
  if (runs.length > 1) {
    return (
      <rect class={`run many phase-${worst.status}`} {...place}>
        <title>{`${runs.length} runs, ${formatClock(bar.from)} to ${formatClock(bar.to)}`}</title>
      </rect>
    );
  }
  const words = `${MARKS[run.status]}${nameOf(run)} ${run.title}`;
  return (
    <a
      href={href({ view: "task", workspace, task: run.taskId })}
      class={`run phase-${run.status}${wide < 6 ? " many" : ""}`}
      data-id={run.taskId}
      tabIndex={inTab ? 0 : -1}
      onFocus={() => onFocus(run.taskId)}
      draggable={false}
    >
      <rect class="body" {...place} rx="3">
        <title>{describe(run, now)}</title>
      </rect>
      {wide > 44 && (
        <text x={left + 6} y={place.y + 14}>{truncate(words, Math.floor((wide - 12) / 7))}</text>
      )}
    </a>
  );
}

/** What tells the states apart without colour; most runs are complete. */
const MARKS: Readonly<Record<Run["status"], string>> = {
  pending: "",
  running: "▶ ",
  complete: "",
  failed: "✕ ",
  cancelled: "– ",
};

/** All of a run in words. */
function describe(run: Run, now: number): string {
  const { status, agent, title, started, ended, queued } = run;
  const waited = formatElapsed(Math.max(0, (started - queued) / 1000));
  const ran = formatElapsed(Math.max(0, ((ended ?? now) - started) / 1000));
  const until = ended === null ? "until now" : `to ${formatStamp(ended)}`;
  return `${nameOf(run)} ${title}: ${status}, ${agent}, from ${
    formatStamp(started)
  } ${until}, ${ran}; waited ${waited}`;
}

/** Most rows of the table. */
const MOST = 500;

function Table({ workspace, timeline, range, now }: {
  workspace: string;
  timeline: WireTimeline;
  range: Range;
  now: number;
}): JSX.Element {
  const runs = timeline.runs
    .filter(({ started, ended }) => (ended ?? now) >= range.from && started <= range.to)
    .sort((a, b) => b.started - a.started);
  return (
    <div class="graph-list" tabIndex={0} role="region" aria-label="Runs">
      <table>
        <thead>
          <tr>
            {["Task", "State", "Agent", "What", "Slot", "Started", "Waited", "Ran"].map((name) => (
              <th key={name} scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.slice(0, MOST).map((run) => (
            <tr key={run.taskId + run.started}>
              <th scope="row">
                <TaskLink workspace={workspace} task={run} />
              </th>
              <td>
                <Badge phase={run.status === "pending" ? "ready" : run.status} />
              </td>
              <td>{run.agent}</td>
              <td class="what">{run.title}</td>
              <td class="number">{run.slot + 1}</td>
              <td class="number">{formatMoment(run.started, now)}</td>
              <td class="number">{formatElapsed(Math.max(0, run.started - run.queued) / 1000)}</td>
              <td class="number">
                {formatElapsed(Math.max(0, (run.ended ?? now) - run.started) / 1000)}
              </td>
            </tr>
          ))}
          {pausedIn(timeline, range).map(({ agent, from, to }) => (
            <tr key={`${agent} ${from}`}>
              <th scope="row">–</th>
              <td>paused</td>
              <td>{agent}</td>
              <td class="what">Its quota was used up</td>
              <td />
              <td class="number">{formatMoment(from, now)}</td>
              <td />
              <td class="number">{formatElapsed((to - from) / 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {runs.length === 0 && <p class="empty muted">Nothing ran in this time.</p>}
      {runs.length > MOST && (
        <p class="empty muted">{runs.length - MOST} earlier ones: choose a shorter time.</p>
      )}
    </div>
  );
}

/** The inner width of an element, pixels. */
function useWidth(box: { current: HTMLDivElement | null }): number {
  const [width, set] = useState(800);
  useLayoutEffect(() => {
    const measure = () => set(box.current!.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(box.current!);
    measure();
    return () => observer.disconnect();
  }, []);
  return width;
}

/** Keys of the chart, and which run is where the Tab key leads to. */
function useRunKeys(
  box: { current: HTMLDivElement | null },
  { runs }: WireTimeline,
  range: Range,
  setRange: SetRange,
): {
  keyed: (event: KeyboardEvent) => void;
  focused: (id: string) => void;
  /** Id of the run that the Tab key leads to. */
  tabStop: (bars: readonly Bar[]) => string | null;
} {
  const [current, setCurrent] = useState<string | null>(null);
  const wanted = useRef<string | null>(null);
  const order = useMemo(() => [...runs].sort((a, b) => a.started - b.started), [runs]);
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    const found = box.current?.querySelector<SVGElement>(`[data-id="${wanted.current}"]`);
    if (!found) return;
    wanted.current = null;
    found.focus();
  });
  const keyed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = event.target instanceof Element
      ? event.target.closest("[data-id]")?.getAttribute("data-id") ?? null
      : null;
    const run = order.find(({ taskId }) => taskId === id);
    const next = run && event.key.startsWith("Arrow") ? nextRun(order, run, event.key) : undefined;
    const middle = (range.from + range.to) / 2;
    if (next !== undefined) {
      setCurrent(next.taskId);
      wanted.current = next.taskId;
      if (next.started < range.from || next.started > range.to) {
        setRange(moveRange(range, (next.started - middle) / (range.to - range.from)));
      }
    } else if (event.key === "ArrowLeft") setRange(moveRange(range, -0.2));
    else if (event.key === "ArrowRight") setRange(moveRange(range, 0.2));
    else if (event.key === "+" || event.key === "=") setRange(zoomRange(range, 0.7, middle));
    else if (event.key === "-") setRange(zoomRange(range, 1.4, middle));
    else if (event.key === "0") setRange(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return {
    keyed,
    focused: setCurrent,
    tabStop(bars) {
      const ids = bars.filter(({ runs }) => runs.length === 1).map(({ runs: [run] }) =>
        run!.taskId
      );
      return current !== null && ids.includes(current) ? current : ids.at(-1) ?? null;
    },
  };
}

/** The run before or after, in any slot; or the one nearest in time in the slot above or below. */
function nextRun(order: readonly Run[], run: Run, key: string): Run | undefined {
  const at = order.indexOf(run);
  if (key === "ArrowLeft") return order[at - 1];
  if (key === "ArrowRight") return order[at + 1];
  const slot = run.slot + (key === "ArrowDown" ? 1 : -1);
  const far = ({ started }: Run) => Math.abs(started - run.started);
  return order.filter((one) => one.slot === slot).sort((a, b) => far(a) - far(b))[0];
}

/** So far a pointer may go between press and release for a click, pixels. */
const STILL = 5;

/**
 * Drawing over a range with the mouse chooses it; a finger moves, two zoom; the wheel zooms.
 *
 * @returns what is being drawn over, pixels
 */
function useGestures(
  box: { current: HTMLDivElement | null },
  range: Range,
  setRange: SetRange,
): Range | null {
  const [drawn, setDrawn] = useState<Range | null>(null);
  const latest = useRef({ range, setRange });
  latest.current = { range, setRange };
  useLayoutEffect(() => {
    const element = box.current!;
    const pointers = new Map<number, number>();
    let start: number | null = null;
    let moved = false;
    const xOf = (event: MouseEvent) => event.clientX - element.getBoundingClientRect().left;
    const timeOf = (x: number) => {
      const { from, to } = latest.current.range;
      return from + (x - NAMES) / Math.max(1, element.clientWidth - NAMES) * (to - from);
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      moved = false;
      if (event.pointerType === "mouse") start = xOf(event);
      else pointers.set(event.pointerId, xOf(event));
    };
    const move = (event: PointerEvent) => {
      const x = xOf(event);
      if (start !== null) {
        if (!moved && Math.abs(x - start) <= STILL) return;
        moved = true;
        if (!element.hasPointerCapture(event.pointerId)) element.setPointerCapture(event.pointerId);
        return setDrawn({ from: start, to: x });
      }
      const before = pointers.get(event.pointerId);
      if (before === undefined) return;
      pointers.set(event.pointerId, x);
      moved ||= Math.abs(x - before) > 1;
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      const { range, setRange } = latest.current;
      if (other === undefined) setRange(moveRange(range, (before - x) / element.clientWidth));
      else {
        const far = (at: number) => Math.max(10, Math.abs(at - other));
        setRange(zoomRange(range, far(before) / far(x), timeOf((x + other) / 2)));
      }
    };
    const up = (event: PointerEvent) => {
      pointers.delete(event.pointerId);
      if (start !== null && moved) {
        const [from, to] = [timeOf(start), timeOf(xOf(event))].sort((a, b) => a - b);
        latest.current.setRange(zoomRange({ from: from!, to: to! }, 1, (from! + to!) / 2));
      }
      start = null;
      setDrawn(null);
    };
    const click = (event: MouseEvent) => {
      if (!moved || event.detail === 0) return;
      event.preventDefault();
      event.stopPropagation();
    };
    const wheel = (event: WheelEvent) => {
      const { range, setRange } = latest.current;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        return setRange(moveRange(range, event.deltaX / element.clientWidth));
      }
      // Without Ctrl or Shift it scrolls, where there are more slots than can be seen.
      const scrolls = element.scrollHeight > element.clientHeight + 1;
      if (scrolls && !event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const by = Math.max(-200, Math.min(200, event.deltaY));
      setRange(zoomRange(range, Math.exp(by * 0.002), timeOf(xOf(event))));
    };
    const stop = new AbortController();
    const { signal } = stop;
    element.addEventListener("pointerdown", down, { signal });
    element.addEventListener("pointermove", move, { signal });
    element.addEventListener("pointerup", up, { signal });
    element.addEventListener("pointercancel", up, { signal });
    element.addEventListener("click", click, { capture: true, signal });
    element.addEventListener("wheel", wheel, { passive: false, signal });
    return () => stop.abort();
  }, []);
  return drawn;
}
