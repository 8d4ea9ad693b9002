// Who is told beside the queue: a receiver of webhooks and a hook that keeps a list. What they were told
// is compared with the history and with the files of the tasks.

import type { StoredEvent } from "../../lib/task/event.ts";

/** Whom the torture's settings tell of each end. */
export interface Listeners extends AsyncDisposable {
  /** Settings: who is to be told of what. */
  readonly settings: Record<string, unknown>;
  /** What was not told to somebody, or was told and not so. */
  problems(events: readonly StoredEvent[]): string[];
}

const ON = ["complete", "failed", "cancelled"] as const;
/** The hook, which runs in the workspace, beside the folder with its list. */
const TELL = Deno.build.os === "windows"
  ? ["cmd", "/d", "/c", ">>..\\told\\%ORCHESTRA_EVENT_TASK% echo %ORCHESTRA_EVENT_KEY%"]
  : ["sh", "-c", 'echo "$ORCHESTRA_EVENT_KEY" >>"../told/$ORCHESTRA_EVENT_TASK"'];
const SECRET = "the secret of the torture";

async function sign(text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(SECRET), algorithm, false, [
    "sign",
  ]);
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
  return `v1,${bytes.toBase64()}`;
}

/**
 * Listens from now on.
 *
 * @param folder where the hook keeps its list, and the secret is
 */
export function listen(folder: string): Listeners {
  // A file for each task: lines that two processes append at once may be lost under Wine.
  const list = `${folder}/told`;
  Deno.mkdirSync(list);
  Deno.writeTextFileSync(`${folder}/secret`, SECRET, { mode: 0o600 });
  const received = new Map<string, string>();
  const problems: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const id = request.headers.get("webhook-id") ?? "";
    const stamp = request.headers.get("webhook-timestamp");
    const body = await request.text().catch(() => null);
    // Who sent it was killed meanwhile.
    if (body === null) return new Response(null, { status: 400 });
    if (request.headers.get("webhook-signature") !== await sign(`${id}.${stamp}.${body}`)) {
      problems.push(`${id} has a wrong signature`);
    }
    const { data } = JSON.parse(body);
    if (data.key !== id) problems.push(`${id} tells of ${data.key}`);
    const before = received.get(id);
    if (before !== undefined && before !== body) problems.push(`${id} was told in two ways`);
    received.set(id, body);
    return new Response();
  });
  return {
    settings: {
      hooks: [{ on: ON, run: TELL }],
      webhooks: [{
        name: "receiver",
        url: `http://127.0.0.1:${server.addr.port}/`,
        on: ON,
        secretFile: `${folder}/secret`,
      }],
    },
    problems(events) {
      const ends = events.filter(({ event }) => (ON as readonly string[]).includes(event));
      const hooked = new Set(
        [...Deno.readDirSync(list)].flatMap(({ name }) =>
          Deno.readTextFileSync(`${list}/${name}`).trimEnd().split(/\r?\n/)
        ),
      );
      const keys = new Set(ends.map(({ key }) => key));
      const found = [...problems];
      for (const key of keys) {
        if (!received.has(key)) found.push(`${key} was not delivered`);
        if (!hooked.has(key)) found.push(`${key} was not told to the hook`);
      }
      for (const key of [...received.keys(), ...hooked]) {
        if (key !== "" && !keys.has(key)) found.push(`${key} was told, and did not happen`);
      }
      for (const event of ends) {
        const body = received.get(event.key);
        if (body === undefined) continue;
        const { data } = JSON.parse(body);
        if (data.task !== event.task || data.event !== event.event || data.class !== event.class) {
          found.push(`${event.key} was told as ${data.event} of ${data.task}`);
        }
      }
      return found;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
