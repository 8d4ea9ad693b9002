/// <reference lib="dom" />
// The filters of a list: they stand in the address, and each choice says how many tasks it has.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatFilter, isFiltering } from "../../filter.ts";
import type { WireCounts, WireFilter } from "../../wire.ts";
import { retriedOf } from "../listing.ts";
import { useKeys } from "./keys.ts";
import { Menu } from "./menu.tsx";
import { PHASES, Shape } from "./task_words.tsx";

const NUMBER = (value: number) => value.toLocaleString("en");

/** The most frequent first. */
function byCount(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, more], [b, less]) => less - more || (a < b ? -1 : 1));
}

/** The filters of a list. */
export function Filters({ filter, counts, agents, labels, onFilter }: {
  filter: WireFilter;
  counts: WireCounts;
  agents: Readonly<Record<string, number>>;
  labels: Readonly<Record<string, number>>;
  /** Takes what is chosen now. */
  onFilter: (filter: WireFilter) => void;
}): JSX.Element {
  const status = filter.status ?? [];
  const choose = (change: WireFilter) => onFilter({ ...filter, ...change });
  const flip = (name: string) =>
    choose({
      status: status.includes(name) ? status.filter((one) => one !== name) : [...status, name],
    });
  const phases = PHASES.filter((name) => (counts[name] ?? 0) > 0 || status.includes(name));
  return (
    <search class="filters" aria-label="Filters">
      <Search text={filter.q ?? ""} onText={(q) => choose({ q })} />
      <Menu
        label="Agent"
        choices={byCount(agents)}
        chosen={filter.agent ?? []}
        onChoose={(agent) => choose({ agent })}
      />
      <Menu
        label="Label"
        choices={byCount(labels)}
        chosen={filter.label ?? []}
        onChoose={(label) => choose({ label })}
      />
      <div class="chips" role="group" aria-label="State">
        <button
          type="button"
          aria-pressed={status.length === 0}
          onClick={() => choose({ status: [] })}
        >
          all <span class="number">{NUMBER(counts.total)}</span>
        </button>
        {((counts.needed ?? 0) > 0 || status.includes("needed")) && (
          <button
            type="button"
            aria-pressed={status.includes("needed")}
            onClick={() => flip("needed")}
          >
            <span class="shape needed" aria-hidden="true">!</span> needs you{" "}
            <span class="number">{NUMBER(counts.needed ?? 0)}</span>
          </button>
        )}
        {phases.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={status.includes(name)}
            onClick={() => flip(name)}
          >
            <Shape phase={name} /> {name} <span class="number">{NUMBER(counts[name] ?? 0)}</span>
            {name === "failed" && retriedOf(counts) > 0 && (
              <span class="muted">{` (${NUMBER(retriedOf(counts))} retried)`}</span>
            )}
          </button>
        ))}
      </div>
      {isFiltering(filter) && (
        <button type="button" class="quiet" onClick={() => onFilter({})}>Clear filters</button>
      )}
    </search>
  );
}

/** A text that is looked for takes effect when nothing was typed for so long, milliseconds. */
const PAUSE = 200;

function Search({ text, onText }: { text: string; onText: (text: string) => void }): JSX.Element {
  const [typed, setTyped] = useState(text);
  /** What the address has by us: coming back from there it takes nothing from what was typed meanwhile. */
  const sent = useRef(text);
  useLayoutEffect(() => {
    if (text === sent.current) return;
    sent.current = text;
    setTyped(text);
  }, [text]);
  useEffect(() => {
    if (typed === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = typed;
      onText(typed);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  useKeys([{
    keys: "/",
    about: "search",
    run: () => document.querySelector<HTMLInputElement>("#search")?.select(),
  }]);
  return (
    <input
      id="search"
      type="search"
      aria-label="Search in prompts, ids, keys and labels"
      placeholder="Search  /"
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
    />
  );
}

/** The query of an address with these filters. */
export function queryOf(filter: WireFilter): string {
  return formatFilter(filter);
}
