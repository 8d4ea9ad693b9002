/// <reference lib="dom" />
// What can be done with a log: search it, go to a line, copy it, show it otherwise. Long work (searching,
// counting lines) goes on in the background, says how far it is, and can be stopped.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { UsageFormat } from "../../../task/agent.ts";
import { formatBytes } from "../../../text/bytes.ts";
import { API } from "../../wire.ts";
import { at, logRange, sayError } from "../api.ts";
import { useKeys } from "../parts/keys.ts";
import { say } from "../parts/toasts.tsx";
import { here, href } from "../router.ts";
import { linesOf } from "./lines.ts";
import type { Pane } from "./pane.ts";
import { rowsOf, textOfRows } from "./rows.ts";
import { createSearch, type Match, MOST_MATCHES, occurrences } from "./search.ts";

/** A search, and how far it is. */
export interface SearchState {
  readonly query: string;
  readonly matches: readonly Match[];
  /** Which of them was gone to; -1 for none. */
  readonly current: number;
  /** Part of the log that was read, from 0 to 1; null where nothing is searched any more. */
  readonly progress: number | null;
  readonly problem: string | null;
  start(query: string): void;
  stop(): void;
  /** Goes to a match; round at both ends. */
  show(index: number): void;
}

const NOTHING = { query: "", matches: [], current: -1, progress: null, problem: null };

/** A search over what is shown. */
export function useSearch(pane: Pane, format: UsageFormat | null): SearchState {
  const [state, set] = useState<Pick<SearchState, keyof typeof NOTHING>>(NOTHING);
  const running = useRef<AbortController | undefined>(undefined);
  const stop = () => running.current?.abort();
  useEffect(() => {
    set(NOTHING);
    return stop;
  }, [pane, format]);
  const start = async (query: string) => {
    stop();
    if (query === "") return set(NOTHING);
    const mine = running.current = new AbortController();
    const search = createSearch(query, format);
    set({ ...NOTHING, query, progress: 0 });
    const tell = (progress: number | null, problem: string | null = null) => {
      if (running.current !== mine) return;
      const matches = [...search.matches];
      set((old) => {
        const current = old.current < 0 && matches.length > 0 ? 0 : old.current;
        if (current !== old.current) pane.goTo({ kind: "byte", byte: matches[0]!.from });
        return { query, matches, current, progress, problem };
      });
    };
    try {
      const done = await pane.log.scan(
        mine.signal,
        (bytes) => {
          search.add(bytes);
          return !search.isFull;
        },
        (bytes) => tell(bytes / pane.log.size),
      );
      if (done) search.end();
      tell(null);
    } catch (error) {
      tell(null, mine.signal.aborted ? null : sayError(error));
    }
  };
  const show = (index: number) => {
    const { matches } = state;
    if (matches.length === 0) return;
    const current = (index + matches.length) % matches.length;
    set({ ...state, current });
    pane.goTo({ kind: "byte", byte: matches[current]!.from });
  };
  return { ...state, start, stop, show };
}

/** Counts lines: of a log that is not too long by itself, of any other where a line is asked for. */
export function useCounting(pane: Pane): { progress: number | null; stop: () => void } {
  const [progress, set] = useState<number | null>(null);
  const running = useRef<AbortController | undefined>(undefined);
  const { target, log } = pane;
  const wanted = target?.kind === "line" && log.index.chunkOf(target.line) === undefined;
  const isShort = log.size <= SHORT;
  const ready = log.size > 0;
  useEffect(() => {
    if (!ready || !(wanted || isShort)) return;
    const mine = running.current = new AbortController();
    const count = async () => {
      const done = await log.scan(mine.signal, undefined, (bytes) => {
        set(wanted ? bytes / log.size : null);
      });
      set(null);
      if (target?.kind !== "line" || !done) return;
      if (log.index.chunkOf(target.line) !== undefined) return;
      say(`The log has no line ${target.line.toLocaleString("en")}`);
      pane.goTo(null);
    };
    count().catch((error) => {
      set(null);
      if (!mine.signal.aborted) say(sayError(error), "failed");
    });
    return () => mine.abort();
  }, [pane, wanted, isShort, ready]);
  return {
    progress,
    stop: () => {
      running.current?.abort();
      set(null);
      pane.goTo(null);
    },
  };
}

/** So long a log may be to be counted without being asked, bytes. */
const SHORT = 32 * 1024 * 1024;
/** So much of a log is copied, from its end, bytes. */
const MOST_COPIED = 4 * 1024 * 1024;

/** Buttons and fields above a log. */
export function Tools(
  { workspace, id, pane, raw, setRaw, wrap, setWrap, search, counting, format }: {
    workspace: string;
    id: string;
    pane: Pane;
    raw: boolean;
    setRaw: (on: boolean) => void;
    wrap: boolean;
    setWrap: (on: boolean) => void;
    search: SearchState;
    counting: ReturnType<typeof useCounting>;
    /** Whose events it is; null for text. */
    format: UsageFormat | null;
  },
): JSX.Element {
  const copy = async () => {
    try {
      const { size } = pane.log;
      const { bytes } = await logRange(workspace, id, Math.max(0, size - MOST_COPIED), size);
      const { lines } = linesOf(bytes, 0);
      const shown = rowsOf(lines, {
        format: raw ? null : format,
        raw: false,
        columns: null,
        open: new Set(),
      });
      await navigator.clipboard.writeText(textOfRows(shown));
      say(size > MOST_COPIED ? `Copied its last ${formatBytes(MOST_COPIED)}` : "Copied", "done");
    } catch (error) {
      say(`It could not be copied: ${sayError(error)}`, "failed");
    }
  };
  return (
    <div class="log-tools">
      <SearchField search={search} />
      <LineField pane={pane} />
      <button type="button" aria-pressed={raw} onClick={() => setRaw(!raw)}>Raw</button>
      <button type="button" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>Wrap</button>
      <button
        type="button"
        aria-pressed={pane.following}
        onClick={() => pane.follow(!pane.following)}
      >
        Follow
      </button>
      <button type="button" onClick={copy}>Copy</button>
      <a href={API + at(workspace, "tasks", id, "log")} target="_blank" rel="noreferrer">Open</a>
      {counting.progress !== null && (
        <Progress what="Counting lines" done={counting.progress} onStop={counting.stop} />
      )}
      <Found search={search} />
    </div>
  );
}

function SearchField({ search }: { search: SearchState }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useKeys([
    { keys: "/", about: "log: search", run: () => field.current?.focus() },
    ...search.matches.length === 0 ? [] : [
      { keys: "n", about: "log: next match", run: () => search.show(search.current + 1) },
      { keys: "N", about: "log: match before", run: () => search.show(search.current - 1) },
    ],
  ]);
  return (
    <form
      class="log-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const query = field.current!.value;
        if (query === search.query && query !== "") search.show(search.current + 1);
        else search.start(query);
      }}
    >
      <input
        ref={field}
        type="search"
        aria-label="Search the log"
        placeholder="Search"
        onInput={(event) => event.currentTarget.value === "" && search.start("")}
      />
      <button type="submit" class="hidden">Search</button>
    </form>
  );
}

function LineField({ pane }: { pane: Pane }): JSX.Element {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const field = event.currentTarget.elements[0] as HTMLInputElement;
        const line = Number(field.value);
        if (!(Number.isInteger(line) && line > 0)) return;
        const address = href({ ...here(), hash: `L${line}` });
        // The same line again is gone to again.
        if (address === location.pathname + location.search + location.hash) {
          pane.goTo({ kind: "line", line });
        } else location.hash = `L${line}`;
      }}
    >
      <input
        class="log-line"
        inputMode="numeric"
        pattern="[0-9]*"
        aria-label="Go to line"
        placeholder="Line"
      />
    </form>
  );
}

function Progress(
  { what, done, onStop }: { what: string; done: number; onStop: () => void },
): JSX.Element {
  return (
    <span class="log-progress">
      <progress max={1} value={done} aria-label={what} />
      {what}, {Math.floor(done * 100)} %
      <button type="button" class="quiet" onClick={onStop}>Stop</button>
    </span>
  );
}

/** What was found, with the lines around it. */
function Found({ search }: { search: SearchState }): JSX.Element | null {
  const { query, matches, current, progress, problem } = search;
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }, [current]);
  if (query === "") return null;
  const count = `${matches.length.toLocaleString("en")}${
    matches.length >= MOST_MATCHES ? "+" : ""
  }`;
  return (
    <div class="log-found">
      <p class="row">
        <span role="status">
          {problem ?? (matches.length === 0
            ? progress === null ? `“${query}” is not in this log` : "Nothing so far"
            : `${current + 1} of ${count}`)}
        </span>
        <button
          type="button"
          disabled={matches.length === 0}
          onClick={() => search.show(current - 1)}
        >
          <span aria-hidden="true">↑</span>
          <span class="hidden">Match before</span>
        </button>
        <button
          type="button"
          disabled={matches.length === 0}
          onClick={() => search.show(current + 1)}
        >
          <span aria-hidden="true">↓</span>
          <span class="hidden">Next match</span>
        </button>
        {progress !== null && <Progress what="Searching" done={progress} onStop={search.stop} />}
        <button type="button" class="quiet" onClick={() => search.start("")}>Close</button>
      </p>
      {matches.length > 0 && (
        <ol ref={list} tabIndex={0} aria-label="Matches">
          {near(matches, current).map(([match, index]) => (
            <li key={index} aria-current={index === current}>
              <button
                type="button"
                onClick={() =>
                  search.show(index)}
              >
                {match.before.map((line, at) => <Around key={at} text={line} />)}
                <Around number={match.line} text={<Hits text={match.text} query={query} />} />
                {match.after.map((line, at) => <Around key={at} text={line} />)}
              </button>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** A line of what was found: the match with its number, or one around it. */
function Around({ number, text }: { number?: number; text: string | JSX.Element }): JSX.Element {
  return (
    <span class={`around${number === undefined ? "" : " match"}`}>
      <span class="log-number">{number}</span>
      <span>{text}</span>
    </span>
  );
}

/** Matches around the current one: as many as anybody looks at at once. */
function near(matches: readonly Match[], current: number): [Match, number][] {
  const from = Math.max(0, current - 10);
  return matches.slice(from, from + 40).map((match, at) => [match, from + at]);
}

function Hits({ text, query }: { text: string; query: string }): JSX.Element {
  let last = 0;
  const parts = occurrences(text, query).flatMap(([from, to]) => {
    const before = text.slice(last, from);
    last = to;
    return [before, <mark key={from}>{text.slice(from, to)}</mark>];
  });
  return <>{parts}{text.slice(last)}</>;
}
