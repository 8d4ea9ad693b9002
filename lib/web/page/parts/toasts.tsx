/// <reference lib="dom" />
// What has happened, said at the edge of the page and to screen readers. What went well goes away by
// itself; what went wrong stays until it is closed.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

interface Toast {
  id: number;
  kind: "done" | "failed";
  said: ComponentChildren;
}

let toasts: readonly Toast[] = [];
let count = 0;
let draw: () => void = () => {};

/** What went well is shown so long, milliseconds. */
const SHOWN = 6000;
/** More than these are not shown at once. */
const MOST = 5;

function close(id: number): void {
  toasts = toasts.filter((toast) => toast.id !== id);
  draw();
}

/** Says something. */
export function say(said: ComponentChildren, kind: Toast["kind"] = "done"): void {
  const id = ++count;
  toasts = [...toasts, { id, kind, said }].slice(-MOST);
  if (kind === "done") setTimeout(() => close(id), SHOWN);
  draw();
}

/** Where it is said. */
export function Toasts(): JSX.Element {
  const [, set] = useState({});
  useEffect(() => {
    draw = () => set({});
    return () => {
      draw = () => {};
    };
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, kind, said }) => (
        <div key={id} class={`toast ${kind}`}>
          <div>{said}</div>
          <button type="button" class="quiet" aria-label="Close message" onClick={() => close(id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
