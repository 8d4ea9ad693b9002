/// <reference lib="dom" />
// A button that opens a list of choices, each of which can be ticked, with how many there are of it.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Ticks some of several names. */
export function Menu({ label, choices, chosen, onChoose }: {
  label: string;
  /** Names with their counts. */
  choices: readonly (readonly [name: string, count: number | null])[];
  chosen: readonly string[];
  onChoose: (chosen: string[]) => void;
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
  const names = [
    ...choices,
    ...chosen.filter((name) => !choices.some(([one]) => one === name)).map((name) =>
      [name, null] as const
    ),
  ];
  return (
    <details class="menu" ref={box}>
      <summary class={chosen.length > 0 ? "active" : ""}>
        {chosen.length === 0 ? label : `${label}: ${chosen.join(", ")}`}
      </summary>
      <fieldset>
        <legend class="hidden">{label}</legend>
        {names.length === 0 && <p class="muted">There are none.</p>}
        {names.map(([name, count]) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={() =>
                onChoose(
                  chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name],
                )}
            />
            <span class="grow">{name}</span>
            {count !== null && <span class="number muted">{count.toLocaleString("en")}</span>}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
