// What somebody hostile would write, and what must be so afterwards.

import fc from "fast-check";
import { assert, assertEquals } from "./assert.ts";
import { newTask } from "../../lib/task/fields.ts";
import { assertPrintable, type Box } from "./program.ts";

/** Everything that a terminal would obey, in one text. */
export const EVIL =
  "\x1b[31mred\x1b[2J\x1b[H\x1b]0;title\x07\x1b]8;;http://x\x1b\\\x9b5A\x08\x08\r" +
  "over\x7f\x85\u2028\u202egnp\u202c\u200b\u2060\ufeff\u00ad\u{e0041}hid\u180e\ufe0f\x00".replace(
    "\x00",
    "",
  );

/** Checks that a text in colour holds no sequence but colours. */
export function assertOnlyColors(text: string): void {
  // deno-lint-ignore no-control-regex
  assertPrintable(text.replaceAll(/\x1b\[\d+(?:;\d+)*m/g, ""));
  assert(!/[\u202a-\u202e\u2028\u2029]/.test(text), "direction overrides are gone too");
}

/** Names and bytes of all files in a folder, to compare. */
export function contents(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (isFile) found[name] = Deno.readFileSync(`${folder}/${name}`).join();
  }
  return found;
}

/** Runs what must work beside anything broken: a task that is there already, and a new one. */
export async function assertRestWorks(box: Box, id: string): Promise<void> {
  const fresh = await box.start("shell", "true");
  await box.run("run", "--all", "--wait");
  assertEquals([box.task(id).status, box.task(fresh).status], ["complete", "complete"]);
}

export const id = (number: number) => `task_${1_000_000_000 + number}`;
export const valid = (number: number, rest: Record<string, unknown> = {}) => ({
  ...newTask(id(number), { agent: "hostile", prompt: "x" }, 1_000_000),
  ...rest,
});

/** Values that somebody hostile would put into a field. */
export const hostileValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom<unknown>(
    "../../../victim",
    "/etc/passwd",
    ".orchestra/../victim",
    ".orchestra/tasks/../../victim",
    ".orchestra/logs/../../victim",
    `.orchestra/tasks/${id(1)}.json`,
    ".orchestra/lock",
    ".orchestra/logs/\0",
    ".orchestra\\..\\victim",
    EVIL,
    "running",
    "complete",
    "failed",
    "2030-01-01T00:00:00Z",
    "9999-99-99",
    -1,
    0,
    1,
    1e308,
    Number.MAX_SAFE_INTEGER,
    ["task_1000000001"],
    [id(2), id(2)],
    { __proto__: null, constructor: { prototype: 1 } },
    [{ retriedFrom: id(3), error: EVIL, attempt: 1, timestamp: "x" }],
    [{ retriedFrom: "../../x" }],
  ),
);
