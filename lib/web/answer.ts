// How a request is answered: the headers that every answer has, errors in one form, and bodies that are
// read with a bound and a deadline.

import { type ErrorCode, toOrchestraError } from "../task/error.ts";
import type { Refused } from "./auth.ts";
import type { WireError } from "./wire.ts";

/** What every answer says: to nobody else, nowhere else, and as what it is. */
const SAFE: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** HTTP status of each of our errors; 500 where none is named. */
const STATUS: { readonly [K in ErrorCode]?: number } = {
  "usage": 400,
  "no-task": 404,
  "no-agent": 404,
  "no-workspace": 404,
  "state": 409,
};

/** A request that is refused for what HTTP says of it. */
export class HttpError extends Error {
  /**
   * @param status HTTP status
   * @param code stable name of what is wrong
   */
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

/** An answer with the headers that all have. */
export function respond(
  body: BodyInit | null,
  type: string,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Response {
  return new Response(body, { status, headers: { ...SAFE, "content-type": type, ...headers } });
}

/** A value as JSON. */
export function json(value: unknown, status = 200, headers?: Record<string, string>): Response {
  return respond(JSON.stringify(value), "application/json", { status, headers });
}

/** Why a request was refused. */
export function refusal({ status, code, message, hint }: Refused): Response {
  return errorJson(status, { error: { code, message, ...(hint === undefined ? {} : { hint }) } });
}

/** What went wrong, whatever was thrown: never more than a message and a hint. */
export function failure(thrown: unknown): Response {
  if (thrown instanceof HttpError) {
    return errorJson(thrown.status, { error: { code: thrown.code, message: thrown.message } });
  }
  const { code, message, hint } = toOrchestraError(thrown, "The request could not be answered");
  return errorJson(STATUS[code] ?? 500, {
    error: { code, message, ...(hint === undefined ? {} : { hint }) },
  });
}

function errorJson(status: number, error: WireError): Response {
  const headers: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
  // What may still come of a body is not waited for.
  if (status === 408 || status === 413) headers.connection = "close";
  return json(error, status, headers);
}

/** Largest body, bytes: a task with the largest prompt that is taken. */
export const LARGEST_BODY = 64 * 1024 * 1024;
/** Milliseconds in which a body must have come, and those in which some of it must. */
const WHOLE = 60_000;
const PART = 10_000;

/** What a body may be at most. */
export interface BodyBounds {
  /** Bytes. */
  readonly bytes: number;
  /** Milliseconds for all of it. */
  readonly whole: number;
  /** Milliseconds for the next part of it. */
  readonly part: number;
}

/**
 * The JSON object of a body; an empty body is an empty object.
 *
 * @throws HttpError 400, 408, 413
 */
export async function readBody(
  request: Request,
  { bytes = LARGEST_BODY, whole = WHOLE, part = PART }: Partial<BodyBounds> = {},
): Promise<Record<string, unknown>> {
  const text = new TextDecoder().decode(await readBytes(request, { bytes, whole, part }));
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, "usage", `The body is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "usage", "The body is no JSON object");
  }
  return value as Record<string, unknown>;
}

async function readBytes(
  request: Request,
  { bytes, whole, part }: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => new HttpError(413, "usage", `The body is larger than ${bytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > bytes) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  const deadline = performance.now() + whole;
  try {
    for (;;) {
      const left = Math.min(part, deadline - performance.now());
      const read = await within(reader.read(), left);
      if (read === undefined) {
        throw new HttpError(408, "usage", "The rest of the body did not come in time");
      }
      if (read.done) break;
      length += read.value.length;
      if (length > bytes) throw tooLarge();
      parts.push(read.value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, "usage", "The body could not be read");
  }
  const joined = new Uint8Array(length);
  let at = 0;
  for (const one of parts) {
    joined.set(one, at);
    at += one.length;
  }
  return joined;
}

/** What is promised, unless it takes longer than some milliseconds. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
