/// <reference lib="dom" />
// The fields of a form that follows from JSON Schemas.

import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { controlOf, type Schema } from "../form.ts";

/** `maxRetries` as a person reads it: `max retries`. */
export function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
}

/** One field, with what it is for and what is wrong with it. */
export function Field(
  { name, about, schema, placeholder = "", must, text, problem, onText }: {
    name: string;
    about: string;
    schema: Schema;
    placeholder?: string;
    /** What the value must be, to be read after "must be". */
    must?: string;
    text: string;
    problem: string | undefined;
    onText: (text: string) => void;
  },
): JSX.Element {
  const id = useId();
  const shared = {
    id,
    name,
    value: text,
    "aria-describedby": `${id}-about`,
    "aria-invalid": problem !== undefined,
  };
  return (
    <div class="field">
      <label for={id}>{wordsOf(name)}</label>
      <Control schema={schema} placeholder={placeholder} shared={shared} onText={onText} />
      <p id={`${id}-about`} class="about">
        {problem === undefined ? about : (
          <strong class="wrong">
            {must === undefined ? `It ${problem}: ${about}` : `It must be ${must}`}
          </strong>
        )}
      </p>
    </div>
  );
}

function Control(
  { schema, placeholder, shared, onText }: {
    schema: Schema;
    placeholder: string;
    shared: { id: string; name: string; value: string };
    onText: (text: string) => void;
  },
): JSX.Element {
  const control = controlOf(schema);
  const onInput = (
    event: { currentTarget: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement },
  ) => onText(event.currentTarget.value);
  switch (control.kind) {
    case "choice":
    case "switch": {
      const choices = control.kind === "switch" ? ["yes", "no"] : control.of;
      return (
        <select {...shared} onInput={onInput}>
          <option value="">as usual</option>
          {choices.map((choice) => <option key={choice} value={choice}>{choice}</option>)}
        </select>
      );
    }
    case "pairs":
      return (
        <textarea {...shared} rows={2} placeholder="name=value, a line each" onInput={onInput} />
      );
    case "number":
      return (
        <input
          {...shared}
          type="number"
          inputMode="decimal"
          step={control.whole ? 1 : "any"}
          min={control.minimum}
          max={control.maximum}
          placeholder={placeholder}
          onInput={onInput}
        />
      );
    case "list":
    case "text":
      return (
        <input
          {...shared}
          type="text"
          autocomplete="off"
          spellcheck={false}
          placeholder={placeholder}
          onInput={onInput}
        />
      );
  }
}
