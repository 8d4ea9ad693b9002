// One page that listens: its stream, bounded. Who reads too slowly is let go, with all that waits for it;
// it comes back by itself, and is told what it missed.

/** Bytes that wait for one reader, at most. */
const MOST_WAITING = 4 * 1024 * 1024;

/** One page that listens. */
export interface Client {
  /** Workspaces of which it knows all that was told to the others. */
  readonly knows: Set<string>;
  /** Whether that is all of them: only then an id says what it knows. */
  isCurrent: boolean;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Sends a text, unless it has gone. */
  send(text: string): void;
}

/**
 * A page that listens.
 *
 * @param gone settled when it has gone
 * @param onLeave called once, when it has gone or was let go
 */
export function openClient(gone: Promise<void>, onLeave: (client: Client) => void): Client {
  let stream: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  let isGone = false;
  const encoder = new TextEncoder();
  const leave = () => {
    if (isGone) return;
    isGone = true;
    onLeave(client);
  };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      stream = controller;
    },
    cancel: leave,
  }, new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }));
  const client: Client = {
    knows: new Set(),
    isCurrent: false,
    body,
    send(text) {
      if (isGone) return;
      const bytes = encoder.encode(text);
      if ((stream.desiredSize ?? 0) >= bytes.length) return stream.enqueue(bytes);
      leave();
      stream.error(new Error("read too slowly"));
    },
  };
  gone.catch(() => {}).then(leave);
  return client;
}
