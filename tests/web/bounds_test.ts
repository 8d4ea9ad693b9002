// What a server is asked that would take more than it has: bodies without end, readers that do not read,
// connections that say nothing, logs of a gigabyte.

import { LARGEST_BODY, readBody } from "../../lib/web/answer.ts";
import { MOST_BYTES, parseRange } from "../../lib/web/logs.ts";
import { API } from "../../lib/web/wire.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../support/assert.ts";
import { linking, test } from "../support/needs.ts";
import { makeBox, makeFolder } from "../support/program.ts";
import {
  BEARER,
  type Here,
  JSON_TYPE,
  readToEnd,
  requestText,
  serveHere,
  statusOf,
} from "./server.ts";

Deno.test("a body without end is given up in time, and one that is too large at once", async () => {
  const patience = { whole: 1000, part: 20 };
  const stuck = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(new Uint8Array([123])),
  });
  const request = (body: BodyInit) => new Request("http://x/", { method: "POST", body });
  await assertRejects(() => readBody(request(stuck), patience), Error, "did not come in time");
  // It goes on and on, a little at a time.
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      controller.enqueue(new Uint8Array([32]));
    },
  });
  await assertRejects(
    () => readBody(request(endless), { whole: 100, part: 1000 }),
    Error,
    "did not come in time",
  );
  let sent = 0;
  const large = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      sent += 1024 * 1024;
      controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
    },
  });
  await assertRejects(() => readBody(request(large)), Error, "larger than");
  assertLess(sent, LARGEST_BODY + 4 * 1024 * 1024);
});

Deno.test("a length that is too large is refused before any of it comes", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const head = `POST ${API}/workspaces/box/tasks HTTP/1.1\r\nhost: 127.0.0.1:${here.port}\r\n` +
    `authorization: ${BEARER.authorization}\r\ncontent-type: application/json\r\n` +
    `content-length: ${LARGEST_BODY + 1}\r\n\r\n{`;
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: here.port });
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer);
  assertEquals(statusOf(new TextDecoder().decode(buffer.subarray(0, count ?? 0))), 413);
});

Deno.test("who has no token gets little read of what is sent", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const headers = { host: `127.0.0.1:${here.port}`, ...JSON_TYPE };
  const body = JSON.stringify({ token: "x".repeat(5000) });
  assertEquals(statusOf(await here.raw(requestText("POST", `${API}/session`, headers, body))), 413);
});

Deno.test("what is no JSON object is refused in words", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const headers = { host: `127.0.0.1:${here.port}`, ...BEARER, ...JSON_TYPE };
  const bodies = ["{", "[]", "7", "null", '"x"', "\x00", '{"agent":"shell"}', "[".repeat(100_000)];
  for (const body of bodies) {
    for (const path of ["/session", "/workspaces/box/tasks", "/workspaces/box/actions/cancel"]) {
      const answer = await here.raw(requestText("POST", API + path, headers, body));
      assert([400, 401, 413].includes(statusOf(answer)), `${path} ${body.slice(0, 20)}: ${answer}`);
      assert(!/\bat .*\.ts:\d/.test(answer), answer);
    }
  }
  assertEquals(box.tasks(), []);
});

Deno.test("1,000 connections that say nothing keep nobody else out", async () => {
  await using box = await makeBox();
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const idle: Deno.Conn[] = [];
  try {
    for (let number = 0; number < 1000; number++) {
      idle.push(await Deno.connect({ hostname: "127.0.0.1", port: here.port }));
    }
    // Some of them have begun a request.
    for (const connection of idle.slice(0, 100)) {
      await connection.write(new TextEncoder().encode("GET /api/v1 HTTP/1.1\r\nhost: "));
    }
    assertEquals((await here.get("")).workspaces, ["box"]);
  } finally {
    for (const connection of idle) connection.close();
  }
});

Deno.test("who does not read what happens is let go, and keeps no memory", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const path = `${API}/events`;
  const slow = await Deno.connect({ hostname: "127.0.0.1", port: here.port });
  const headers = { host: `127.0.0.1:${here.port}`, ...BEARER };
  await slow.write(new TextEncoder().encode(requestText("GET", path, headers)));
  await slow.read(new Uint8Array(1));
  const file = box.path(`tasks/${id}.json`);
  const task = JSON.parse(Deno.readTextFileSync(file));
  const other = await here.ask("/events");
  const reader = other.body!.getReader();
  // Each change is half a megabyte: labels are told whole.
  let changes = 0;
  let told = 0;
  const decoder = new TextDecoder();
  const readOn = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      told += decoder.decode(value, { stream: true }).split("event: tasks").length - 1;
      if (told >= 24) return;
    }
  };
  const reading = readOn();
  while (told < 24) {
    task.labels = { text: "x".repeat(512 * 1024), change: String(changes++) };
    Deno.writeTextFileSync(`${file}.tmp`, JSON.stringify(task));
    Deno.renameSync(`${file}.tmp`, file);
    const before = told;
    while (told === before) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await reading;
  await reader.cancel();
  // What was on its way comes, and then the end: it was let go.
  const rest = await readToEnd(slow);
  assertLess(rest.split("event: tasks").length - 1, 24);
  slow.close();
});

Deno.test("parseRange takes what a log has, and no more than one answer holds", () => {
  const GB = 1024 ** 3;
  const cases: [string | null, number, unknown][] = [
    [null, 10, undefined],
    ["bytes=0-3", 10, { from: 0, to: 4 }],
    ["bytes=4-", 10, { from: 4, to: 10 }],
    ["bytes=4-100", 10, { from: 4, to: 10 }],
    ["bytes=-3", 10, { from: 7, to: 10 }],
    ["bytes=-300", 10, { from: 0, to: 10 }],
    ["bytes=10-", 10, null],
    ["bytes=0-", 0, null],
    ["bytes=-0", 10, null],
    ["bytes=-5", 0, null],
    ["bytes=5-3", 10, undefined],
    ["bytes=-", 10, undefined],
    ["bytes=0-1,3-4", 10, undefined],
    ["lines=0-1", 10, undefined],
    ["bytes=99999999999999999999-", 10, undefined],
    [`bytes=${GB - 10}-`, GB, { from: GB - 10, to: GB }],
    ["bytes=0-", GB, { from: 0, to: MOST_BYTES }],
    [`bytes=-${GB}`, GB, { from: GB - MOST_BYTES, to: GB }],
  ];
  for (const [header, size, wanted] of cases) {
    assertEquals(parseRange(header, size), wanted as never, `${header} of ${size}`);
  }
});

/** Reads a log: the status, how many bytes came, and which. */
async function readLog(here: Here, path: string, range: string | null) {
  const headers = { ...BEARER, ...(range === null ? {} : { range }) };
  const response = await here.ask(path, { headers });
  const { length } = new Uint8Array(await response.arrayBuffer());
  return [response.status, length, response.headers.get("content-range")];
}

Deno.test("of a log of a gigabyte no more is read than is asked for", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const log = box.path(`logs/${id}.log`);
  {
    using file = Deno.openSync(log, { write: true, create: true });
    // A file with a hole: a gigabyte that takes no room.
    file.truncateSync(1024 ** 3);
    file.seekSync(-6, Deno.SeekMode.End);
    file.writeSync(new TextEncoder().encode("the end".slice(0, 6)));
  }
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const path = `/workspaces/box/tasks/${id}/log`;
  const read = (range: string | null) => readLog(here, path, range);
  const size = 1024 ** 3;
  const before = Deno.memoryUsage().rss;
  assertEquals(await read(null), [206, MOST_BYTES, `bytes 0-${MOST_BYTES - 1}/${size}`]);
  assertEquals(await read("bytes=0-0"), [206, 1, `bytes 0-0/${size}`]);
  assertEquals(await read("bytes=-6"), [206, 6, `bytes ${size - 6}-${size - 1}/${size}`]);
  assertEquals(await read(`bytes=${size}-`), [416, 0, `bytes */${size}`]);
  assertEquals((await here.get(`/workspaces/box/tasks/${id}`)).logSize, size);
  assertLess(Deno.memoryUsage().rss - before, 200 * 1024 * 1024);
  Deno.removeSync(log);
  assertEquals((await read(null)).slice(0, 2), [200, 0]);
});

test("a link in place of a log is not followed", linking(), async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using elsewhere = await makeFolder();
  Deno.writeTextFileSync(`${elsewhere.path}/secret`, "secret");
  Deno.symlinkSync(`${elsewhere.path}/secret`, box.path(`logs/${id}.log`));
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const read = await readLog(here, `/workspaces/box/tasks/${id}/log`, null);
  assertEquals(read.slice(0, 2), [200, 0]);
});

Deno.test("a task file that names another place shows nothing of it", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using here = await serveHere([{ name: "box", root: box.root }]);
  const path = `/workspaces/box/tasks/${id}/log`;
  const file = box.path(`tasks/${id}.json`);
  const task = JSON.parse(Deno.readTextFileSync(file));
  for (const logFile of ["../../../etc/passwd", ".orchestra/config.json", "/etc/passwd"]) {
    Deno.writeTextFileSync(file, JSON.stringify({ ...task, logFile }));
    const response = await here.ask(path);
    assertEquals(response.status, 500, logFile);
    assert(!(await response.text()).includes("root:"), logFile);
  }
});
