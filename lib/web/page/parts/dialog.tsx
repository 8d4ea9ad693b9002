/// <reference lib="dom" />
// A box above the page, the browser's own: it holds the focus, and Escape closes it.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** Whether one is open: then the keys of the page mean nothing. */
export function isDialogOpen(): boolean {
  return document.querySelector("dialog[open]") !== null;
}

/** A box that is open as long as it is drawn. */
export function Dialog(
  { title, onClose, children, wide = false }: {
    title: string;
    onClose: () => void;
    children: ComponentChildren;
    wide?: boolean;
  },
): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={wide ? "wide" : ""}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === box.current && box.current?.close()}
    >
      <div class="dialog-inner">
        <header>
          <h2 id={heading}>{title}</h2>
          <button
            type="button"
            class="quiet"
            aria-label="Close"
            onClick={() => box.current?.close()}
          >
            ✕
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
