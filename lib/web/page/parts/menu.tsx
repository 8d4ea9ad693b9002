/// <reference lib="dom" />
// Buttons that open a small box below them, which closes when one turns to something else.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A button that opens a box. */
export function Popup({ label, shown, active = false, children }: {
  /** What the box is about. */
  label: string;
  /** What the button shows. */
  shown: string;
  active?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const details = box.current;
      if (!details?.open) return;
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Escape") return;
        details.querySelector("summary")?.focus();
      } else if (details.contains(event.target as Node)) return;
      details.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  return (
    <details class="menu" ref={box}>
      <summary
        class={active ? "active" : ""}
        aria-label={shown.includes(label) ? undefined : label}
      >
        {shown}
      </summary>
      <fieldset>
        <legend class="hidden">{label}</legend>
        {children}
      </fieldset>
    </details>
  );
}

/** Ticks some of several names; each says how many there are of it. */
export function Menu({ label, choices, chosen, onChoose }: {
  label: string;
  /** Names with their counts. */
  choices: readonly (readonly [name: string, count: number | null])[];
  chosen: readonly string[];
  onChoose: (chosen: string[]) => void;
}): JSX.Element {
  const absent = chosen.filter((name) => !choices.some(([one]) => one === name));
  const all = [...choices, ...absent.map((name) => [name, null] as const)];
  const flip = (name: string) =>
    onChoose(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return (
    <Popup
      label={label}
      shown={chosen.length === 0 ? label : `${label}: ${chosen.join(", ")}`}
      active={chosen.length > 0}
    >
      {all.length === 0 && <p class="muted">There are none.</p>}
      {all.map(([name, count]) => (
        <label key={name}>
          <input type="checkbox" checked={chosen.includes(name)} onChange={() => flip(name)} />
          <span class="grow">{name}</span>
          {count !== null && <span class="number muted">{count.toLocaleString("en")}</span>}
        </label>
      ))}
    </Popup>
  );
}
