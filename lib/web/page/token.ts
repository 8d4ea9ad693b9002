// The token that lets a browser in, in whatever it is handed over. Pure.

/** Shorter than this is a line of a log, or anything else that a fragment may name. */
const TOKEN = /^[\w.~+/=-]{16,}$/;

/** The token in a fragment, in a whole address, or on its own; null where there is none. */
export function tokenIn(text: string): string | null {
  const said = text.trim();
  const found = /(?:^|[#&])token=([^&\s]+)/.exec(said)?.[1] ?? said.slice(said.indexOf("#") + 1);
  return TOKEN.test(found) ? found : null;
}
