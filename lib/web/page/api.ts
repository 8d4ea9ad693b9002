/// <reference lib="dom" />
// Requests to the server that gave this page, and to nobody else. Every answer that is no success becomes
// an ApiError with the server's own words; 401 is also told to whoever shows how to get in.

import { API, type WireError, type WireOrder, type WireOutcome, type WirePlace } from "../wire.ts";

/** Where this origin keeps the base of its session: pages of other ports cannot read it. */
const BASE = "orchestra-base";
/** The base, where the browser keeps nothing. */
let baseHere: string | null = null;

function base(): string {
  let kept = baseHere;
  try {
    kept = localStorage.getItem(BASE) ?? kept;
  } catch {
    // The browser keeps nothing: it is known until this tab is loaded anew.
  }
  return kept !== null && /^\/s\/[\w-]+$/.test(kept) ? kept : "";
}

/** Address of what is below the API, for this browser. */
export function apiAddress(path: string): string {
  return base() + API + path;
}

/** Exchanges the token for a cookie, and takes note of where it counts. */
export async function openSession(token: string): Promise<void> {
  const answer = await request(API + "/session", postOf({ token }));
  baseHere = (await answer.json() as WirePlace).base;
  try {
    localStorage.setItem(BASE, baseHere);
  } catch {
    // As above.
  }
}

/** What the server refused, or that it did not answer. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    message: string,
    /** 0 where there was no answer. */
    readonly status: number,
    readonly code: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

let signedOut: () => void = () => {};

/** Calls when the server does not know this browser any more. */
export function onSignedOut(listener: () => void): void {
  signedOut = listener;
}

/** The error of an answer; its own words where it has any. */
async function errorOf(answer: Response): Promise<ApiError> {
  const body = await answer.json().catch(() => null) as Partial<WireError> | null;
  const { message, code, hint } = body?.error ?? {};
  return new ApiError(
    message ?? `The server answered ${answer.status} ${answer.statusText}`.trim(),
    answer.status,
    code ?? "unknown",
    hint ?? null,
  );
}

async function request(address: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address, { credentials: "same-origin", cache: "no-store", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    const hint = "Is it still running? Start it again with: orchestra serve";
    throw new ApiError("The server does not answer", 0, "unreachable", hint);
  }
  if (answer.ok) return answer;
  const error = await errorOf(answer);
  if (answer.status === 401) signedOut();
  throw error;
}

/**
 * Asks for something.
 *
 * @param path below /api/v1: `/workspaces/x/tasks?limit=300`
 */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await (await request(apiAddress(path), { signal })).json() as T;
}

/** Orders a change; undefined where the answer has no body. */
export async function post<T>(path: string, body: unknown): Promise<T> {
  const answer = await request(apiAddress(path), postOf(body));
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function postOf(body: unknown): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
}

/** Path of what belongs to a workspace: `at("x", "tasks", id)`. */
export function at(workspace: string, ...parts: readonly string[]): string {
  return `/workspaces/${[workspace, ...parts].map(encodeURIComponent).join("/")}`;
}

/** Does something to tasks. */
export function order(workspace: string, action: string, what: WireOrder): Promise<WireOutcome> {
  return post(at(workspace, "actions", action), what);
}

/** A piece of a log. */
export interface LogPiece {
  bytes: Uint8Array;
  /** Where it begins, bytes from the start of the log. */
  from: number;
  /** Bytes of the whole log. */
  size: number;
}

/**
 * Reads a piece of a log.
 *
 * @param from first byte; negative for so many bytes from the end
 * @param to byte after the last; up to the end where absent
 */
export async function logRange(
  workspace: string,
  id: string,
  from: number,
  to?: number,
  signal?: AbortSignal,
): Promise<LogPiece> {
  const range = from < 0 ? `${from}` : `${from}-${to === undefined ? "" : to - 1}`;
  let answer: Response;
  try {
    answer = await fetch(apiAddress(at(workspace, "tasks", id, "log")), {
      headers: { range: `bytes=${range}` },
      credentials: "same-origin",
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer", 0, "unreachable", null);
  }
  const told = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
  // Nothing is there yet, or not any more.
  if (answer.status === 416) {
    const size = Number(told?.[2] ?? 0);
    return { bytes: new Uint8Array(), from: size, size };
  }
  if (!answer.ok) {
    const error = await errorOf(answer);
    if (answer.status === 401) signedOut();
    throw error;
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { bytes, from: Number(told?.[1] ?? 0), size: Number(told?.[2] ?? bytes.length) };
}

/** What went wrong, for a person. */
export function sayError(error: unknown): string {
  if (error instanceof ApiError) {
    return error.hint === null ? error.message : `${error.message}. ${error.hint}`;
  }
  return error instanceof Error ? error.message : String(error);
}
