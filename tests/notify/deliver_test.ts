// The sending of one message, against receivers that behave and that do not; and the process that does it,
// with the permissions that it gets.

import { flagsFor, openChannel } from "../../lib/notify/channel.ts";
import { deliver, type Request } from "../../lib/notify/deliver.ts";
import type { Outcome } from "../../lib/notify/plan.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { which } from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";

const PROGRAM = import.meta.resolve("../../main.ts");

function request(url: string, more: Partial<Request> = {}): Request {
  return {
    url,
    id: "task_1795338125627.1.failed",
    headers: { "content-type": "application/json" },
    body: '{"type":"orchestra.task.failed"}',
    standard: true,
    secretEnv: [],
    secretFile: [],
    timeout: 60_000,
    ...more,
  };
}

/** What came to a receiver. */
interface Received {
  headers: Headers;
  body: string;
}

/** A receiver that answers as it is told. */
function receive(respond: (request: Request2) => Response = () => new Response()) {
  const received: Received[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (incoming) => {
      received.push({ headers: incoming.headers, body: await incoming.text() });
      return respond(incoming);
    },
  );
  return {
    received,
    url: `http://127.0.0.1:${server.addr.port}/hook/secret?key=1`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
type Request2 = globalThis.Request;

/** A receiver on which nothing but bytes is agreed. */
function listen(talk: (connection: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const talks: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      talks.push(
        talk(connection).catch(() => {}).finally(() => {
          try {
            connection.close();
          } catch {
            // It is closed.
          }
        }),
      );
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(talks);
    },
  };
}

/** HMAC-SHA256 by openssl(1), or by Node.js where that is not here: not by what is tested. */
async function hmac(key: Uint8Array, text: string): Promise<string> {
  if (which("openssl") === undefined) {
    const { createHmac } = await import("node:crypto");
    return createHmac("sha256", key).update(text).digest("base64");
  }
  const child = new Deno.Command("openssl", {
    args: ["dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", `hexkey:${key.toHex()}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout } = await child.output();
  return stdout.toBase64();
}

Deno.test("what is signed can be checked by others, with each of several secrets", async () => {
  await using folder = await makeFolder();
  await using receiver = receive();
  const raw = crypto.getRandomValues(new Uint8Array(24));
  Deno.writeTextFileSync(`${folder.path}/new`, `whsec_${raw.toBase64()}\n`);
  Deno.writeTextFileSync(`${folder.path}/old`, "an older secret");
  const outcome = await deliver(request(receiver.url, {
    secretFile: [`${folder.path}/new`, `${folder.path}/old`],
  }));
  assertEquals(outcome, { kind: "answer", status: 200 });
  const [{ headers, body }] = receiver.received as [Received];
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp")!;
  assertEquals(id, "task_1795338125627.1.failed");
  assert(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300 && /^\d+$/.test(timestamp));
  const content = `${id}.${timestamp}.${body}`;
  assertEquals(headers.get("webhook-signature")?.split(" "), [
    `v1,${await hmac(raw, content)}`,
    `v1,${await hmac(new TextEncoder().encode("an older secret"), content)}`,
  ]);
});

Deno.test("without a secret nothing is signed, and with a secret that is missing nothing is sent", async () => {
  await using receiver = receive();
  assertEquals((await deliver(request(receiver.url))).kind, "answer");
  assertEquals(receiver.received[0]!.headers.get("webhook-signature"), null);
  const missing = await deliver(request(receiver.url, { secretEnv: ["NO_SUCH_SECRET_HERE"] }));
  assertEquals(missing, {
    kind: "unsent",
    problem: "the secret is missing: NO_SUCH_SECRET_HERE is not set",
  });
  const file = await deliver(request(receiver.url, { secretFile: ["/nonexistent/secret"] }));
  assertEquals(file.kind, "unsent");
  await using folder = await makeFolder();
  Deno.writeTextFileSync(`${folder.path}/bad`, "whsec_***");
  const bad = await deliver(request(receiver.url, { secretFile: [`${folder.path}/bad`] }));
  assertEquals(bad.kind, "unsent");
  assertEquals(receiver.received.length, 1);
});

Deno.test("user and password of an address go into a header and nowhere else", async () => {
  await using receiver = receive();
  const url = receiver.url.replace("http://", "http://me:p%40ss@");
  await deliver(request(url));
  assertEquals(receiver.received[0]!.headers.get("authorization"), `Basic ${btoa("me:p@ss")}`);
});

Deno.test("a redirect is not followed, and a failure says what the receiver said", async () => {
  await using target = receive();
  for (const location of ["file:///etc/passwd", target.url, "//[bad"]) {
    await using receiver = receive(() =>
      new Response("moved\x1b[2J away", { status: 307, headers: { location } })
    );
    const outcome = await deliver(request(receiver.url));
    assertEquals(outcome, { kind: "answer", status: 307, said: "moved away" });
    assertEquals(receiver.received.length, 1);
  }
  assertEquals(target.received.length, 0);
  await using busy = receive(() =>
    new Response("slow down", { status: 429, headers: { "retry-after": "30" } })
  );
  const outcome = await deliver(request(busy.url));
  assertEquals(outcome, { kind: "answer", status: 429, retryAfter: "30", said: "slow down" });
});

/** An outcome that is a failure in words which give the address away to nobody. */
function assertUnreachable(outcome: Outcome, pattern: RegExp): void {
  assert(outcome.kind === "unreachable", JSON.stringify(outcome));
  assertMatch(outcome.problem, pattern);
  assert(!/secret|key=1/.test(outcome.problem), outcome.problem);
}

Deno.test("a receiver that does not answer in time is given up", async () => {
  await using silent = listen(async (connection) => {
    const buffer = new Uint8Array(1024);
    while (await connection.read(buffer) !== null);
  });
  const outcome = await deliver(request(`${silent.url}secret`, { timeout: 200 }));
  assertUnreachable(outcome, /did not answer within 0.2 s/);
});

Deno.test("a receiver that dawdles after it has accepted has accepted", async () => {
  await using slow = listen(async (connection) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx";
    await connection.write(new TextEncoder().encode(head));
    const buffer = new Uint8Array(1024);
    while (await connection.read(buffer) !== null);
  });
  assertEquals(await deliver(request(slow.url)), { kind: "answer", status: 200 });
});

Deno.test("headers without end, bodies without end and hanging up are failures in words", async () => {
  const encoder = new TextEncoder();
  await using headers = listen(async (connection) => {
    await connection.write(encoder.encode("HTTP/1.1 200 OK\r\n"));
    const line = encoder.encode(`x-more: ${"y".repeat(1000)}\r\n`);
    for (;;) await connection.write(line);
  });
  assertUnreachable(await deliver(request(`${headers.url}secret`)), /./);
  await using body = listen(async (connection) => {
    await connection.write(encoder.encode("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n"));
    for (;;) await connection.write(new Uint8Array(65536).fill(0x61));
  });
  const outcome = await deliver(request(body.url));
  assert(outcome.kind === "answer" && outcome.status === 500 && outcome.said!.length <= 160);
  await using closing = listen(async (connection) => {
    await connection.read(new Uint8Array(1024));
  });
  assertUnreachable(await deliver(request(`${closing.url}secret`)), /hung up|told/);
  await using nonsense = listen(async (connection) => {
    await connection.write(encoder.encode("220 mail ready\r\n"));
    await connection.read(new Uint8Array(1024));
  });
  assertUnreachable(await deliver(request(`${nonsense.url}secret`)), /./);
});

Deno.test("nobody there, no such name and a receiver without TLS are failures in words", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/secret?key=1`;
  listener.close();
  assertUnreachable(await deliver(request(url)), /refuses the connection/);
  assertUnreachable(
    await deliver(request("http://no-such-name.invalid/secret?key=1")),
    /name cannot be resolved/,
  );
  await using plain = receive();
  assertUnreachable(
    await deliver(request(plain.url.replace("http:", "https:"))),
    /certificate or TLS/,
  );
});

Deno.test("what sends may use one host and port, and the secrets, and nothing else", () => {
  const flags = flagsFor({
    url: "https://example.com/x",
    format: "standard",
    secretEnv: ["A", "B"],
    secretFile: ["keys/new"],
  }, "file:///program.js");
  assertEquals(flags.filter((flag) => flag.startsWith("--allow")), [
    "--allow-net=example.com:443",
    "--allow-env=A,B",
    "--allow-read=keys/new",
  ]);
  assert(flags.includes("--no-prompt"));
  assertEquals(
    flagsFor({ url: "http://[::1]:81/", format: "slack", secretEnv: [], secretFile: [] }, PROGRAM)
      .filter((flag) => flag.startsWith("--allow")),
    ["--allow-net=[::1]:81"],
  );
});

Deno.test("the process that sends reads its secrets itself, and reaches no other host", async () => {
  await using folder = await makeFolder();
  await using receiver = receive();
  await using other = receive();
  Deno.writeTextFileSync(`${folder.path}/secret`, "a secret");
  const secrets = { secretEnv: [], secretFile: ["secret"] };
  const channel = openChannel(
    { format: "standard", url: receiver.url, ...secrets },
    PROGRAM,
    folder.path,
  );
  try {
    const sent = request(receiver.url, secrets);
    assertEquals(await channel.send(sent), { kind: "answer", status: 200 });
    // One process for several messages.
    assertEquals(await channel.send(sent), { kind: "answer", status: 200 });
    assertEquals(receiver.received.length, 2);
    const content = `${sent.id}.${
      receiver.received[1]!.headers.get("webhook-timestamp")
    }.${sent.body}`;
    assertEquals(
      receiver.received[1]!.headers.get("webhook-signature"),
      `v1,${await hmac(new TextEncoder().encode("a secret"), content)}`,
    );
    const refused = await channel.send(request(other.url, secrets));
    assertEquals(refused.kind, "unreachable");
    assertStringIncludes(JSON.stringify(refused), "may not use the network");
    const unread = await channel.send(request(receiver.url, { secretFile: ["/etc/hostname"] }));
    assertEquals(unread.kind, "unsent");
    assertEquals([receiver.received.length, other.received.length], [2, 0]);
  } finally {
    channel.close();
  }
});

Deno.test("a process that cannot be started, and one that says nothing, send nothing", async () => {
  await using folder = await makeFolder();
  const receiver = {
    format: "standard" as const,
    url: "http://127.0.0.1:9/",
    secretEnv: [],
    secretFile: [],
  };
  Deno.writeTextFileSync(`${folder.path}/mute.ts`, "Deno.exit(0);");
  const mute = openChannel(receiver, `file://${folder.path}/mute.ts`, folder.path);
  assertEquals((await mute.send(request(receiver.url))).kind, "unreachable");
  const nowhere = openChannel(receiver, PROGRAM, `${folder.path}/gone`);
  assertEquals((await nowhere.send(request(receiver.url))).kind, "unsent");
});
