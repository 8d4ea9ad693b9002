// Parts of the history: compressed as they are read, dropped when they are old or too many.

import { tidyHistory } from "../../lib/store/history_parts.ts";
import { listParts } from "../../lib/store/history_files.ts";
import { readHistory } from "../../lib/store/history_read.ts";
import { assertEquals } from "../support/assert.ts";
import { assertMode, Folder, NOW } from "../support/store.ts";

const DAY = 86_400_000;

/** A workspace with parts that ended so many days ago. */
function makeParts(folder: Folder, days: readonly number[], size = 1000): string {
  const { dir } = folder.store();
  Deno.mkdirSync(`${dir}/history`);
  for (const [at, age] of days.entries()) {
    const path = `${dir}/history/00000${at + 1}.jsonl`;
    // What does not compress.
    const line = () => `{"key":"${crypto.randomUUID()}"}\n`;
    let text = `{"history":1,"part":${at + 1}}\n`;
    while (text.length < size) text += line();
    Deno.writeTextFileSync(path, text);
    Deno.utimeSync(path, new Date(NOW - age * DAY), new Date(NOW - age * DAY));
  }
  return dir;
}

async function textOf(dir: string): Promise<string> {
  let text = "";
  for await (const { bytes } of readHistory(dir)) text += new TextDecoder().decode(bytes);
  return text;
}

Deno.test("parts are compressed once, say the same, and keep their time", async () => {
  using folder = new Folder();
  const dir = makeParts(folder, [3, 2], 100_000);
  const before = await textOf(dir);
  const policy = { max_age_days: 365, max_size_mb: 100 };
  await tidyHistory(dir, policy, NOW);
  assertEquals(await textOf(dir), before);
  const [first] = listParts(dir);
  assertEquals(listParts(dir).map(({ isCompressed }) => isCompressed), [true, true]);
  assertEquals(Deno.statSync(first!.path).mtime?.getTime(), NOW - 3 * DAY);
  assertMode(first!.path, 0o600);
  const stamp = Deno.statSync(first!.path).ino;
  await tidyHistory(dir, policy, NOW);
  assertEquals(Deno.statSync(first!.path).ino, stamp);
  assertEquals([...Deno.readDirSync(`${dir}/history`)].length, 2);
});

Deno.test("the oldest parts go, by age and by size, and never one in the middle", async () => {
  const left = async (policy: { max_age_days: number; max_size_mb: number }) => {
    using folder = new Folder();
    const dir = makeParts(folder, [30, 1, 20, 1], 400_000);
    await tidyHistory(dir, policy, NOW);
    return listParts(dir).map(({ part }) => part);
  };
  assertEquals(await left({ max_age_days: 365, max_size_mb: 100 }), [1, 2, 3, 4]);
  assertEquals(await left({ max_age_days: 25, max_size_mb: 100 }), [2, 3, 4]);
  assertEquals(await left({ max_age_days: 10, max_size_mb: 100 }), [2, 3, 4]);
  assertEquals(await left({ max_age_days: 0, max_size_mb: 100 }), []);
  assertEquals(await left({ max_age_days: 365, max_size_mb: 0.5 }), [3, 4]);
  assertEquals(await left({ max_age_days: 365, max_size_mb: 0 }), []);
});
