// A log that grows by ten megabytes a second while one looks at it: its end is shown as it comes, what one
// does is done meanwhile, and neither elements nor memory become more.

/// <reference lib="dom" />

import { assert, assertEquals } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";
import { type Tab, until, webTest } from "./browser.ts";
import { nameOf, serveBox } from "./support.ts";

/** What is written each tenth of a second, bytes; `@` becomes the number of the turn. */
const PIECE = 1_200_000;
/** The agent ends after so many turns by itself: a page that stands still until then has failed. */
const MOST_TURNS = 900;
/** Rows that are elements at once, at most. */
const MOST_ROWS = 150;
/** So many places of the log are looked at: several times as much as the page keeps. */
const PLACES = 60;
/** What the page may hold more then than at the start, bytes: twice what it needs. */
const MORE_MEMORY = 35_000_000;
const LAST = "this is the very last line";

/** Lines with colours, as a build prints them. */
function textPiece(): string {
  let text = "";
  for (let line = 1; text.length < PIECE; line++) {
    text += `\x1b[1;3${line % 8}mturn @\x1b[0m \x1b[2m${line}\x1b[22m compiled ` +
      `\x1b[38;5;${line % 256}msrc/module_${line}.ts\x1b[39m in ${line % 97} ms${
        line % 10 === 0 ? ", which is longer than all the others around it are".repeat(3) : ""
      }\n`;
  }
  return text;
}

/** Events of Codex: words, commands, and once an output that is longer than what is read at a time. */
function streamPiece(): string {
  const item = (item: Record<string, unknown>) =>
    JSON.stringify({ type: "item.completed", item: { id: "item_@", ...item } }) + "\n";
  const output = (lines: number) =>
    Array.from({ length: lines }, (_, at) => `turn @ \x1b[32mok\x1b[0m test ${at}\n`).join("");
  const command = (lines: number) =>
    item({
      type: "command_execution",
      command: "/bin/bash -lc 'make test # turn @'",
      aggregated_output: output(lines),
      exit_code: 0,
      status: "completed",
    });
  let text = command(8000);
  while (text.length < PIECE) {
    text += command(40) + item({ type: "agent_message", text: "turn @: all of **it** works" });
  }
  return text;
}

/** A task whose agent writes such pieces until it is told to stop. */
interface Writer {
  id: string;
  /** The last turn that is in the log. */
  turn(): number;
  size(): number;
  /** Has it write its last line. */
  stop(): Promise<void>;
}

async function startWriter(box: Box, agent: string, piece: string, last: string): Promise<Writer> {
  Deno.writeTextFileSync(`${box.root}/piece`, piece);
  Deno.writeTextFileSync(`${box.root}/last`, last);
  const script = `cd '${box.root}'; n=0; while [ ! -e stop ] && [ $n -lt ${MOST_TURNS} ]; do ` +
    `n=$((n+1)); sed "s/@/$n/g" piece; sleep 0.1; done; cat last`;
  const id = await box.start(agent, script);
  await box.ok("run");
  const path = box.path(`logs/${id}.log`);
  const end = () => {
    using file = Deno.openSync(path);
    file.seekSync(-Math.min(4000, file.statSync().size), Deno.SeekMode.End);
    const bytes = new Uint8Array(4000);
    return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  };
  return {
    id,
    turn: () => lastTurn(end()) ?? 0,
    size: () => Deno.statSync(path).size,
    async stop() {
      assert(!end().includes(LAST), "the page has stood still for as long as the log grew");
      Deno.writeTextFileSync(`${box.root}/stop`, "");
      await box.settled(id);
    },
  };
}

/** The last turn that a text tells of. */
function lastTurn(text: string): number | undefined {
  const last = [...text.matchAll(/turn (\d+)\b/g)].at(-1);
  return last && Number(last[1]);
}

const rows = (tab: Tab) => tab.page.locator(".log-text").allInnerTexts();

/** Resolves when the page shows what was written when it was asked. */
async function catchUp(tab: Tab, writer: Writer): Promise<void> {
  const turn = writer.turn();
  await until(
    `turn ${turn} to be shown`,
    async () => (lastTurn((await rows(tab)).join("\n")) ?? 0) >= turn,
  );
}

/**
 * Scrolls to places all over the log, and waits at each for its lines. They are half the log apart: while it
 * grows, another share of it may else be the same lines.
 */
async function lookAround(tab: Tab): Promise<void> {
  const number = tab.page.locator("a.log-number");
  const first = async () => await number.count() > 0 && await number.first().getAttribute("href");
  for (let place = 1; place <= PLACES; place++) {
    const before = await until("lines", first);
    const share = (place / (PLACES + 1) + place % 2) / 2;
    await until("the page to scroll", () =>
      tab.page.locator(".log-box").evaluate((box, share) => {
        box.scrollTop = share * (box.scrollHeight - box.clientHeight);
        return true;
      }, share));
    await until(`lines at place ${place}`, async () => {
      const now = await first();
      return now && now !== before;
    });
  }
}

/** Bytes that the page's script holds, buffers among them. */
async function memory(tab: Tab): Promise<number> {
  const session = await tab.context.newCDPSession(tab.page);
  try {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  } finally {
    await session.detach();
  }
}

/** Begins to count rows, frame by frame; what tells the most there were. */
async function watchRows(tab: Tab): Promise<() => Promise<number>> {
  await tab.page.evaluate(() => {
    const watched = globalThis as unknown as { mostRows: number };
    watched.mostRows = 0;
    const look = () => {
      watched.mostRows = Math.max(watched.mostRows, document.querySelectorAll(".log-row").length);
      requestAnimationFrame(look);
    };
    look();
  });
  return () => tab.page.evaluate(() => (globalThis as unknown as { mostRows: number }).mostRows);
}

const KINDS = [
  { what: "lines with colours", agent: "shell", piece: textPiece(), last: LAST },
  {
    what: "a vendor's events",
    agent: "codex",
    piece: streamPiece(),
    last: `{"type":"item.completed","item":{"id":"end","type":"agent_message","text":"${LAST}"}}\n`,
  },
];

for (const { what, agent, piece, last } of KINDS) {
  webTest(
    `ten megabytes a second of ${what} are followed, and hold nothing up`,
    async (browser) => {
      await using box = await makeBox();
      const args = ["-c", "{userPrompt}"];
      box.agents({ codex: { command: "sh", args, completion: "exit", usage: "codex" } });
      const writer = await startWriter(box, agent, piece, last);
      await using site = await serveBox(box.root);
      const tab = await site.open(browser, `/w/${nameOf(box)}/task/${writer.id}`);
      await catchUp(tab, writer);
      const most = await until("the page to count", () => watchRows(tab));
      const held = await until("its memory", () => memory(tab));
      for (let turn = 0; turn < 5; turn++) await catchUp(tab, writer);
      // A key and a click are answered.
      const wrap = tab.page.getByRole("button", { name: "Wrap", exact: true, pressed: false });
      await tab.page.keyboard.press("w");
      await wrap.waitFor();
      await wrap.click();
      await wrap.waitFor({ state: "detached" });
      // Who does not follow sees what stands there stay.
      const follow = (pressed: boolean) =>
        tab.page.getByRole("button", { name: "Follow", exact: true, pressed });
      await catchUp(tab, writer);
      await follow(true).click();
      await follow(false).waitFor();
      const before = await until("its lines", () => rows(tab));
      assert(before.length > 5, before.join("\n"));
      const turn = writer.turn();
      await until("ten more turns", () => Promise.resolve(writer.turn() >= turn + 10));
      // The last may have been only half there.
      assertEquals(
        (await until("its lines", () => rows(tab))).slice(0, before.length - 1),
        before.slice(0, -1),
      );
      await lookAround(tab);
      await follow(false).click();
      await catchUp(tab, writer);
      const more = await until("its memory", () => memory(tab)) - held;
      await tab.shoot(`fast-log-${agent}`);
      await writer.stop();
      await until("the last line", async () => (await rows(tab)).at(-1)?.includes(LAST));
      await tab.page.locator(".task-sub .phase-complete").waitFor();
      assert(await most() <= MOST_ROWS, `${await most()} rows at once`);
      assert(more < MORE_MEMORY, `${more} bytes more after ${writer.size()} bytes of log`);
    },
  );
}
