// What Auggie prints with `--output-format json`: one result, at its end. The form is taken from the
// source of @augmentcode/auggie 0.36.0; without an account it could not be run. It tells no tokens, and
// with `--show-cost` what was paid, in US dollars or in credits of its own.

import {
  dollars,
  error,
  object,
  type Said,
  session,
  text,
  turns,
  type Vendor,
  words,
} from "./vendor.ts";

export const auggie: Vendor = {
  counts: /"type": ?"result"/,
  says(event) {
    if (event.type !== "result") return [];
    const { usage_unit, total_cost } = object(event.billing);
    const said: Said[] = [
      ...session(event.session_id),
      {
        kind: "usage",
        of: "run",
        usage: {
          costUsd: usage_unit === "usd" ? dollars(total_cost) : undefined,
          turns: turns(event.num_turns),
        },
      },
    ];
    return event.is_error === true
      ? [...said, ...error(words(event.result) ?? event.subtype)]
      : [...text(event.result), ...said];
  },
};
