/// <reference lib="dom" />
// A log to be read: only the rows that are seen are elements, drawn at most once a frame, so that neither
// a gigabyte nor ten megabytes a second matter. It follows the end while it is scrolled there.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { UsageFormat } from "../../../task/agent.ts";
import { formatBytes } from "../../../text/bytes.ts";
import { logRange, sayError } from "../api.ts";
import { useKeys } from "../parts/keys.ts";
import { usePlace } from "../router.ts";
import { onLogSize } from "../state.ts";
import { keep, recall } from "../theme.ts";
import { openPane, type Pane, type Target } from "./pane.ts";
import { RowLine } from "./row.tsx";
import { Tools, useCounting, useSearch } from "./tools.tsx";

/** What the hash of an address asks for: `L120`, or `B73400320`, a byte. */
export function parseTarget(hash: string): Target | null {
  const [, kind, number] = /^([LB])(\d{1,15})$/.exec(hash) ?? [];
  if (kind === undefined) return null;
  return kind === "L"
    ? { kind: "line", line: Number(number) }
    : { kind: "byte", byte: Number(number) };
}

/** The log of a task. */
export function LogView({ workspace, id, size, format, ended }: {
  workspace: string;
  id: string;
  /** Bytes, as far as is known. */
  size: number;
  format: UsageFormat | null;
  /** Whether nothing is added to it any more. */
  ended: boolean;
}): JSX.Element {
  const [raw, setRaw] = useKept("log-raw", false);
  const [wrap, setWrap] = useKept("log-wrap", true);
  const drawAnew = useFrame();
  const pane = useMemo(
    () =>
      openPane(
        (from, to, signal) => logRange(workspace, id, from, to, signal),
        { format, raw, columns: null },
        drawAnew,
      ),
    [workspace, id],
  );
  useEffect(() => () => pane.close(), [pane]);
  useEffect(() => pane.log.grow(Math.max(size, pane.log.size)), [pane, size]);
  useEffect(() => onLogSize(workspace, id, (now) => pane.log.grow(now)), [pane]);
  const { hash } = usePlace();
  useEffect(() => {
    const target = parseTarget(hash);
    if (target !== null) pane.goTo(target);
  }, [pane, hash]);
  const box = useRef<HTMLDivElement>(null);
  const cells = useCells(box, pane);
  pane.setStyle({ format, raw, columns: wrap ? cells.columns : null });
  const search = useSearch(pane, raw ? null : format);
  const counting = useCounting(pane);
  useKeys([
    { keys: "w", about: "log: wrap long lines, or not", run: () => setWrap(!wrap) },
    { keys: "r", about: "log: as it stands in the file, or readable", run: () => setRaw(!raw) },
    { keys: "Home", about: "log: its beginning", run: () => pane.moveBy(-Infinity) },
    { keys: "End", about: "log: its end", run: () => pane.follow(true) },
    { keys: "f", about: "log: follow its end", run: () => pane.follow(!pane.following) },
  ]);
  return (
    <section class="log" aria-label="Log">
      <Tools
        {...{ workspace, id, pane, raw, setRaw, wrap, setWrap, search, counting, format }}
      />
      {pane.log.problem !== null && (
        <p class="notice failed" role="alert">{sayError(pane.log.problem)}</p>
      )}
      <Rows {...{ pane, box, wrap, cells, ended }} query={search.query} />
      <p class="log-foot muted">
        <span>{formatBytes(pane.log.size)}</span>
        {pane.following
          ? <span>{ended ? "its end" : "following the end"}</span>
          : (
            <button type="button" class="quiet" onClick={() => pane.follow(true)}>
              {ended ? "Go to the end" : "Go to the end and follow"}
            </button>
          )}
      </p>
    </section>
  );
}

/** What is kept in this browser: yes or no. */
function useKept(name: string, fallback: boolean): [boolean, (value: boolean) => void] {
  const [value, set] = useState(() => (recall(`orchestra-${name}`) ?? String(fallback)) === "true");
  return [value, (next) => {
    keep(`orchestra-${name}`, String(next));
    set(next);
  }];
}

/** Has the component drawn anew at the next frame, however often it is asked. */
function useFrame(): () => void {
  const [, set] = useState({});
  return useMemo(() => {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        set({});
      });
    };
  }, []);
}

/** How large a cell is, and how many of them there are. */
interface Cells {
  readonly width: number;
  readonly height: number;
  readonly columns: number;
}

/** Room beside the text: the number's, and that of the scroll bar. */
const GUTTER = 84;

function useCells(box: { current: HTMLDivElement | null }, pane: Pane): Cells {
  const [cells, set] = useState<Cells>({ width: 8, height: 20, columns: 80 });
  useLayoutEffect(() => {
    const element = box.current!;
    const measure = () => {
      const probe = element.querySelector(".log-probe")!.getBoundingClientRect();
      const width = probe.width / 100 || 8;
      const height = probe.height || 20;
      const columns = Math.max(20, Math.floor((element.clientWidth - GUTTER) / width));
      set((old) =>
        old.width === width && old.height === height && old.columns === columns
          ? old
          : { width, height, columns }
      );
      pane.setView(Math.max(1, Math.floor(element.clientHeight / height)), height);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [pane]);
  return cells;
}

/** So long after the last scrolling its bar is put where it belongs, milliseconds. */
const REST = 160;

function Rows({ pane, box, wrap, cells, ended, query }: {
  pane: Pane;
  box: { current: HTMLDivElement | null };
  wrap: boolean;
  cells: Cells;
  ended: boolean;
  query: string;
}): JSX.Element {
  const { rows, offset, bar } = pane.look();
  /** Where the bar was when we looked last, and when somebody moved it last. */
  const top = useRef(0);
  const moved = useRef(0);
  const resting = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const undrawn = box.current?.scrollTop ?? 0;
  useLayoutEffect(() => {
    const element = box.current!;
    // What the browser moved because the log has another length now was moved by nobody.
    top.current += element.scrollTop - undrawn;
    const settle = () => {
      clearTimeout(resting.current);
      const wait = moved.current + REST - performance.now();
      if (!pane.following && wait > 0) resting.current = setTimeout(settle, wait);
      // What somebody has moved just now will be told of in a moment.
      else if (Math.abs(element.scrollTop - top.current) > 1) return;
      else if (Math.abs(element.scrollTop - bar.top) > 1) {
        element.scrollTop = bar.top;
        top.current = element.scrollTop;
      }
    };
    settle();
    return () => clearTimeout(resting.current);
  });
  const scrolled = () => {
    const element = box.current!;
    const by = element.scrollTop - top.current;
    top.current = element.scrollTop;
    if (by === 0) return;
    moved.current = performance.now();
    // Far away is where the bar was drawn to; nearby, rows are counted, however long the log is.
    if (Math.abs(by) > 2 * element.clientHeight) pane.drag(element.scrollTop);
    else pane.moveBy(by / cells.height);
  };
  // The browser moves its bar there step by step, and the lines that come meanwhile lead it astray.
  const jump = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === "End") pane.follow(true);
    else if (event.key === "Home") pane.drag(0);
    else return;
    moved.current = 0;
    event.preventDefault();
  };
  return (
    <div
      class={`log-box${wrap ? " wrapped" : ""}`}
      ref={box}
      tabIndex={0}
      role="region"
      aria-label="Lines of the log"
      onScroll={scrolled}
      onKeyDown={jump}
      onCopy={copySelection}
    >
      <div class="log-probe" aria-hidden="true">{"0".repeat(100)}</div>
      <div class="log-space" style={{ height: `${bar.height}px` }}>
        <div class="log-window" style={{ height: `${box.current?.clientHeight ?? 0}px` }}>
          <div style={{ transform: `translateY(${-offset * cells.height}px)` }}>
            {rows.map(({ key, row, number }) =>
              row === null ? <div key={key} class="log-row" /> : (
                <RowLine
                  key={key}
                  {...{ row, number, query }}
                  marked={row.from === pane.marked}
                  onFold={pane.toggle}
                />
              )
            )}
            {rows.length === 0 && (
              <p class="log-empty muted">
                {pane.log.size > 0
                  ? "Reading…"
                  : ended
                  ? "There is no log."
                  : "Nothing was printed so far."}
              </p>
            )}
          </div>
        </div>
      </div>
    </div>
  );
}

/** Copies text as it was written: without numbers, and lines that were broken in one piece. */
function copySelection(event: ClipboardEvent): void {
  const selection = getSelection();
  if (selection === null || selection.rangeCount === 0 || selection.isCollapsed) return;
  const range = selection.getRangeAt(0);
  const rows = [...(event.currentTarget as Element).querySelectorAll<HTMLElement>(".log-row")]
    .filter((row) => range.intersectsNode(row));
  const text = rows.map((row, at) => {
    const part = document.createRange();
    part.selectNodeContents(row.querySelector(".log-text, .log-fold") ?? row);
    if (part.comparePoint(range.startContainer, range.startOffset) === 0) {
      part.setStart(range.startContainer, range.startOffset);
    }
    if (part.comparePoint(range.endContainer, range.endOffset) === 0) {
      part.setEnd(range.endContainer, range.endOffset);
    }
    return (at > 0 && row.dataset.continues !== "true" ? "\n" : "") + part.toString();
  }).join("");
  if (text === "") return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
}
