/// <reference lib="dom" />
// The lines of a file that changed, one below the other or side by side. All of it is text: what a reader
// would not see, or what would turn the order of what he sees, is spelled out.

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { UNSEEN } from "../../../task/error.ts";
import { type Hunk, type Line, parseHunks, sideBySide } from "./hunks.ts";

/** So many lines are drawn at once, and as many more for each press of a button. */
const PORTION = 1000;
/** Of a line so much is drawn, characters. */
const LONGEST = 2000;

/** The lines of a patch. */
export function Lines({ patch, split }: { patch: string; split: boolean }): JSX.Element {
  const hunks = useMemo(() => parseHunks(patch), [patch]);
  const [most, setMost] = useState(PORTION);
  const count = hunks.reduce((total, { lines }) => total + lines.length, 0);
  let left = most;
  const shown = hunks.flatMap((hunk) => {
    const lines = hunk.lines.slice(0, left);
    left -= lines.length;
    return lines.length === 0 ? [] : [{ ...hunk, lines }];
  });
  return (
    <>
      <table class={split ? "diff-lines split" : "diff-lines"}>
        <colgroup>
          <col class="diff-number" />
          {split && <col />}
          <col class="diff-number" />
          <col />
        </colgroup>
        <thead class="hidden">
          {split
            ? (
              <tr>
                <th scope="col">Line before</th>
                <th scope="col">Before</th>
                <th scope="col">Line after</th>
                <th scope="col">After</th>
              </tr>
            )
            : (
              <tr>
                <th scope="col">Line before</th>
                <th scope="col">Line after</th>
                <th scope="col">Text</th>
              </tr>
            )}
        </thead>
        {shown.map((hunk, at) => <HunkRows key={at} hunk={hunk} split={split} />)}
      </table>
      {count > most && (
        <p class="diff-more">
          <button type="button" class="quiet" onClick={() => setMost(most + PORTION)}>
            {`${Math.min(PORTION, count - most).toLocaleString("en")} of ` +
              `${(count - most).toLocaleString("en")} more lines`}
          </button>
        </p>
      )}
    </>
  );
}

function HunkRows({ hunk, split }: { hunk: Hunk; split: boolean }): JSX.Element {
  return (
    <tbody>
      <tr class="diff-hunk">
        <td colSpan={split ? 4 : 3}>
          <Visible text={hunk.head.slice(0, 300)} />
        </td>
      </tr>
      {split
        ? sideBySide(hunk.lines).map(([before, after], at) => (
          <tr key={at}>
            <Number of={before?.before ?? null} kind={before?.kind ?? "none"} />
            <Text line={before} />
            <Number of={after?.after ?? null} kind={after?.kind ?? "none"} />
            <Text line={after} />
          </tr>
        ))
        : hunk.lines.map((line, at) => (
          <tr key={at}>
            <Number of={line.before} kind={line.kind} />
            <Number of={line.after} kind={line.kind} />
            <Text line={line} />
          </tr>
        ))}
    </tbody>
  );
}

function Number({ of, kind }: { of: number | null; kind: Line["kind"] | "none" }): JSX.Element {
  return <td class={`diff-number ${kind}`}>{of}</td>;
}

const SIGNS: Readonly<Record<Line["kind"], string>> = { same: " ", added: "+", removed: "-" };

function Text({ line }: { line: Line | null }): JSX.Element {
  if (line === null) return <td class="diff-text none" />;
  const { kind, text, mark, open } = line;
  const [from, to] = mark ?? [0, 0];
  const rest = text.length - LONGEST;
  return (
    <td class={`diff-text ${kind}`}>
      <span class="diff-sign">{SIGNS[kind]}</span>
      {to > from
        ? (
          <>
            <Visible text={text.slice(0, from)} />
            <mark>
              <Visible text={text.slice(from, to)} />
            </mark>
            <Visible text={text.slice(to)} />
          </>
        )
        : <Visible text={text.slice(0, LONGEST)} />}
      {rest > 0 && <span class="muted">{`… ${rest.toLocaleString("en")} more characters`}</span>}
      {open && <span class="muted diff-open">no line end</span>}
    </td>
  );
}

/** In a name a line end is to be seen, too. */
const HIDDEN = new RegExp(`\\n|${UNSEEN.source}`, "gu");

/** A text in which nothing is hidden. */
export function Visible({ text }: { text: string }): JSX.Element {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(HIDDEN)) {
    // A tab is seen by what it moves.
    if (found === "\t") continue;
    parts.push(text.slice(end, index));
    parts.push(<span key={index} class="unseen">{spell(found)}</span>);
    end = index + found.length;
  }
  parts.push(text.slice(end));
  return <>{parts}</>;
}

/** `\r` and the like as they are known, others by their number. */
function spell(character: string): string {
  const known: Readonly<Record<string, string>> = { "\r": "\\r", "\n": "\\n", "\x1b": "\\e" };
  return known[character] ??
    `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}
