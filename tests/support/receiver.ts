// A receiver of webhooks on this machine, which keeps what comes and answers as it is told.

import { withPatience } from "./spawn.ts";

/** One message that came. */
export interface Message {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** The envelope's event. */
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

/** A receiver. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly messages: readonly Message[];
  /** Fulfilled with what the check returns as soon as it is something, looking at every message. */
  until<T>(check: (messages: readonly Message[]) => T | undefined | false): Promise<T>;
}

/**
 * Receives from now on.
 *
 * @param respond what is answered to the message with this number, from 0
 */
export function receive(
  respond: (message: Message, number: number) => Response | Promise<Response> = () =>
    new Response(),
): Receiver {
  const messages: Message[] = [];
  let wake: (() => void)[] = [];
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const server = Deno.serve(options, async (request) => {
    const body = await request.text();
    let data: unknown;
    try {
      data = JSON.parse(body).data;
    } catch {
      // Not every format is JSON.
    }
    const { pathname: path } = new URL(request.url);
    const message = { path, headers: request.headers, body, data };
    const number = messages.push(message) - 1;
    const waiting = wake;
    wake = [];
    for (const resolve of waiting) resolve();
    return await respond(message, number);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/hook/secret-path?key=secret-key`,
    messages,
    async until(check) {
      for (;;) {
        const found = check(messages);
        if (found !== undefined && found !== false) return found;
        const keys = messages.map(({ data }) => data?.key).join(", ");
        const next = new Promise<void>((resolve) => wake.push(resolve));
        await withPatience(`a message; so far ${messages.length}: ${keys}`, next);
      }
    },
    async [Symbol.asyncDispose]() {
      // Who waits for an answer may wait for ever.
      await Promise.race([
        server.shutdown(),
        new Promise<void>((resolve) => Deno.unrefTimer(setTimeout(resolve, 100))),
      ]);
    },
  };
}
