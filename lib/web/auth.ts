// Who may ask, and for what: decided for each request, before anything else is looked at. A web page of
// somebody else's must reach nothing, by whatever name it calls us (DNS rebinding), and neither must
// another user of this machine, who has no token. Pure.

/** What is known of who asks. */
export interface Asked {
  readonly method: string;
  /** The place in the path, of a request below one; null for others. */
  readonly place: string | null;
  /** Value of a header; null where it is not there. */
  header(name: string): string | null;
}

/** By what the server decides. */
export interface Policy {
  readonly port: number;
  /** What the server listens to where that is no loopback address; null where it is. */
  readonly host: string | null;
  /** What `Authorization: Bearer` must carry. */
  readonly token: string;
  /** What the cookie must hold, and where it counts. */
  readonly session: Session;
}

/**
 * What a browser is known by. A cookie is sent to every port of a host, but only below its path: nobody who
 * does not know the place is sent the secret.
 */
export interface Session {
  readonly secret: string;
  /** The segment of the path below which the cookie is sent. */
  readonly place: string;
}

/** What a route asks of who asks. */
export interface Demand {
  /** Whether the token must be known. */
  readonly token: boolean;
  /** Whether it changes something. */
  readonly changes: boolean;
}

/** Why somebody is refused, and with which HTTP status. */
export interface Refused {
  readonly status: 400 | 401 | 403 | 415;
  readonly code: "usage" | "unauthorized" | "forbidden";
  readonly message: string;
  readonly hint?: string;
}

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
/** Each stands for every address that the machine has. */
const ANY = ["0.0.0.0", "::", "[::]"];

/** Whether an address to listen on can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Whether an address stands for every one that the machine has. */
export function isEvery(host: string): boolean {
  return ANY.includes(host);
}

/** The path below which a session's requests are made. */
export function baseOf(place: string): string {
  return `/s/${place}`;
}

/** The place in a path, and what is below it; a path that has none is returned as it is. */
export function splitPlace(path: string): { place: string | null; path: string } {
  const [, place, rest] = /^\/s\/([^/]+)(\/.*)$/.exec(path) ?? [];
  return place === undefined ? { place: null, path } : { place, path: rest! };
}

/** Name of the cookie: cookies know no ports, and each server has its own. */
export function cookieName(port: number): string {
  return `orchestra-${port}`;
}

/** Why a request is refused; undefined where it is not. */
export function refuse(asked: Asked, policy: Policy, demand: Demand): Refused | undefined {
  if (!isOurs(asked.header("host"), policy)) {
    return {
      status: 403,
      code: "forbidden",
      message: `Host ${JSON.stringify(asked.header("host"))} is not this server`,
      hint: `Ask for it as 127.0.0.1:${policy.port}.`,
    };
  }
  // Another program on this machine is "same-site", and may have been given our cookie.
  const site = asked.header("sec-fetch-site");
  const isNamed = site === null || site === "same-origin" || site === "none";
  if ((demand.token || demand.changes) && !isNamed) {
    return { status: 403, code: "forbidden", message: "Another site's page asks for it" };
  }
  if (demand.changes) {
    const origin = asked.header("origin");
    if (
      origin !== null && origin.toLowerCase() !== `http://${asked.header("host")}`.toLowerCase()
    ) {
      return { status: 403, code: "forbidden", message: `A page of ${origin} asks for it` };
    }
    if (!isJson(asked.header("content-type"))) {
      return {
        status: 415,
        code: "usage",
        message: "The body of a request that changes something is JSON",
        hint: "Send it with: content-type: application/json",
      };
    }
  }
  if (demand.token && !isKnown(asked, policy)) {
    return {
      status: 401,
      code: "unauthorized",
      message: "The token is missing or wrong",
      hint: "Open the address that orchestra serve prints, or send its token as: " +
        "Authorization: Bearer <token>",
    };
  }
  return undefined;
}

/**
 * Whether a request is for us by name. A name that only looks like ours is some other site's, whose owner
 * lets it lead here.
 */
function isOurs(host: string | null, { port, host: bound }: Policy): boolean {
  if (host === null) return false;
  const [, name = "", given] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(host) ?? [];
  if (name === "" || Number(given ?? 80) !== port) return false;
  const known = name.toLowerCase();
  if (LOOPBACK.includes(known)) return true;
  if (bound === null) return false;
  // An address is no name that somebody could let lead elsewhere.
  if (isEvery(bound)) return known.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(known);
  return known === bound.toLowerCase() || known === `[${bound.toLowerCase()}]`;
}

function isJson(type: string | null): boolean {
  return /^application\/json\s*(;|$)/i.test(type ?? "");
}

function isKnown({ place, ...asked }: Asked, { token, session, port }: Policy): boolean {
  if (place !== null) {
    return isSame(place, session.place) &&
      readCookies(asked.header("cookie") ?? "", cookieName(port))
        .some((value) => isSame(value, session.secret));
  }
  const [, bearer] = /^bearer +(\S+) *$/i.exec(asked.header("authorization") ?? "") ?? [];
  return bearer !== undefined && isSame(bearer, token);
}

/** All values that a name has in a `Cookie` header: another program may have set one of the same name. */
function readCookies(header: string, name: string): string[] {
  return header.split(";").flatMap((part) => {
    const at = part.indexOf("=");
    return at > 0 && part.slice(0, at).trim() === name ? [part.slice(at + 1).trim()] : [];
  });
}

/** Whether two texts are the same, in a time that does not tell where they differ. */
export function isSame(given: string, secret: string): boolean {
  let difference = given.length ^ secret.length;
  for (let at = 0; at < secret.length; at++) {
    difference |= secret.charCodeAt(at) ^ (given.charCodeAt(at % (given.length || 1)) || 0);
  }
  return difference === 0;
}
