// Addresses as they may be shown: an address of a chat is a secret itself, and others carry one. Pure.

/** So much of a path tells which address it is and gives nothing away, characters. */
const SHOWN = 4;

/** An address without user, password and query, its path cut. */
export function maskUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return "…";
  const rest = url.pathname.length > SHOWN || url.search !== "" || url.hash !== "";
  return `${url.protocol}//${url.host}${url.pathname.slice(0, SHOWN)}${rest ? "…" : ""}`;
}
