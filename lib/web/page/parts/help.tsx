/// <reference lib="dom" />
// The keys of the page, as those who set them up describe them.

import type { JSX } from "preact";
import { Dialog } from "./dialog.tsx";
import { allKeys } from "./keys.ts";

/** A name for keys that are not what they type. */
const NAMES: Readonly<Record<string, string>> = { Escape: "Esc", X: "Shift+X" };

/** The list. */
export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  const keys = [
    ...allKeys(),
    { keys: "Enter", about: "open what has the focus" },
    { keys: "Tab", about: "next thing that can be acted on" },
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(({ keys, about }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => <kbd key={key}>{NAMES[key] ?? key}</kbd>)}
            </dt>
            <dd>{about}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
