// What is owed, on disk: the files of deliveries, what is given up, and the log of attempts.

import {
  addDeliveries,
  askToResume,
  bury,
  compareDeliveries,
  type Delivery,
  fileFor,
  lanePath,
  listDead,
  listFiles,
  logAttempt,
  readDelivery,
  readLog,
  readState,
  takeResume,
  updateDelivery,
  writeState,
} from "../../lib/notify/outbox.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";

const NOW = Date.parse("2026-03-04T12:00:00.000Z");

function delivery(number: number): Delivery {
  const key = `task_1795338125627.${number}.complete`;
  return {
    file: fileFor(key),
    event: { key, time: "2026-03-04T12:00:00.000Z", event: "complete" },
    cursor: `1.${number}`,
    attempts: 2,
    next: NOW + number,
    owedSince: NOW,
    lastError: "answered 500",
  };
}

Deno.test("a subscriber's folder has its name, also where Windows makes none of that name", () => {
  for (const windows of [true, false]) {
    assertEquals(lanePath("w", "Chat.2", windows), "w/outbox/chat.2");
  }
  for (const name of ["CON", "aux.txt", "bell."]) {
    const lower = name.toLowerCase();
    assertEquals(lanePath("w", name, true), `w/outbox/%${lower}%`);
    assertEquals(lanePath("w", name, false), `w/outbox/${lower}`);
  }
});

Deno.test("a delivery is read as it was written, and what is there already stays", async () => {
  await using folder = await makeFolder();
  const [one, two] = [delivery(1), delivery(2)];
  await addDeliveries(folder.path, [one, two]);
  assertEquals(readDelivery(folder.path, one.file), one);
  await addDeliveries(folder.path, [{ ...one, attempts: 0 }]);
  assertEquals(readDelivery(folder.path, one.file), one);
  updateDelivery(folder.path, { ...one, attempts: 3 });
  assertEquals(readDelivery(folder.path, one.file)?.attempts, 3);
  assertEquals(listFiles(folder.path).sort(), [one.file, two.file]);
  // Under another name it is none: nobody is told what a file of that name is not about.
  Deno.copyFileSync(`${folder.path}/${one.file}`, `${folder.path}/copy.json`);
  assertEquals(readDelivery(folder.path, "copy.json"), undefined);
  const order = [delivery(10), delivery(9), { ...delivery(1), cursor: "2.0" }];
  assertEquals(order.sort(compareDeliveries).map(({ cursor }) => cursor), ["1.9", "1.10", "2.0"]);
});

test("what is written is its owner's alone", ON_POSIX, async () => {
  await using folder = await makeFolder();
  await addDeliveries(folder.path, [delivery(1)]);
  await writeState(folder.path, readState(folder.path, NOW));
  for (const { name } of Deno.readDirSync(folder.path)) {
    assertEquals(Deno.statSync(`${folder.path}/${name}`).mode! & 0o777, 0o600, name);
  }
});

Deno.test("how it stands is read as it was written, and what is malformed says nothing", async () => {
  await using folder = await makeFolder();
  const state = {
    cursor: "3.99",
    since: NOW,
    failures: 2,
    pausedUntil: NOW + 5,
    failingSince: NOW - 5,
    lastSuccess: NOW - 9,
    lastError: "answered 500",
  };
  await writeState(folder.path, state);
  assertEquals(readState(folder.path, 0), state);
  const fresh = {
    ...{ cursor: null, since: 7, failures: 0, pausedUntil: 0 },
    ...{ failingSince: null, lastSuccess: null, lastError: null },
  };
  for (const text of ["", "[]", "null", '{"cursor":"x","failures":-1,"since":3,"lastError":[]}']) {
    Deno.writeTextFileSync(`${folder.path}/state.json`, text);
    assertEquals(readState(folder.path, 7), fresh, text);
  }
});

Deno.test("of what is given up the newest thousand are kept, and can be read", async () => {
  await using folder = await makeFolder();
  const all = Array.from({ length: 1003 }, (_, number) => delivery(number));
  Deno.mkdirSync(`${folder.path}/dead`);
  for (const one of all) {
    const path = `${folder.path}/${one.file}`;
    Deno.writeTextFileSync(path, JSON.stringify({ event: one.event, cursor: one.cursor }));
    Deno.utimeSync(path, NOW / 1000, NOW / 1000 + Number(one.cursor.slice(2)));
    if (one !== all.at(-1)) Deno.renameSync(path, `${folder.path}/dead/${one.file}`);
  }
  bury(folder.path, all.at(-1)!.file);
  const kept = listDead(folder.path).sort(compareDeliveries);
  assertEquals(kept.length, 1000);
  assertEquals([kept[0]!.cursor, kept.at(-1)!.cursor], ["1.3", "1.1002"]);
});

Deno.test("that somebody asks not to wait is taken once", async () => {
  await using folder = await makeFolder();
  assert(!takeResume(folder.path));
  askToResume(folder.path);
  askToResume(folder.path);
  assert(takeResume(folder.path));
  assert(!takeResume(folder.path));
});

Deno.test("the log of attempts stays small, and what is none in it is passed over", async () => {
  await using folder = await makeFolder();
  const attempt = {
    time: "2026-03-04T12:00:00.000Z",
    ...{ id: "x", event: "complete", attempt: 1, outcome: "o".repeat(100), ok: true },
  };
  for (let count = 0; count < 4000; count++) {
    logAttempt(folder.path, { ...attempt, attempt: count });
  }
  const sizes = [...Deno.readDirSync(folder.path)]
    .map(({ name }) => Deno.statSync(`${folder.path}/${name}`).size);
  assertEquals(sizes.length, 2);
  assert(Math.max(...sizes) < 257 * 1024, String(sizes));
  Deno.writeTextFileSync(`${folder.path}/log.jsonl`, 'half a line\n{"time":1}\nnull\n', {
    append: true,
  });
  const log = readLog(folder.path);
  assertEquals(log.at(-1)!.attempt, 3999);
  assertEquals(log.map(({ attempt }) => attempt), log.map((_, at) => log[0]!.attempt + at));
});
