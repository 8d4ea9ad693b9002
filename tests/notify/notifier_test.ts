// Whatever is killed in between: who wants to be told is told of everything, and of nothing else.

import { formatEvent, type HistoryEvent } from "../../lib/task/event.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { linking, SHELL, test } from "../support/needs.ts";
import { makeBox, spawn } from "../support/program.ts";
import { receive } from "../support/receiver.ts";

const PROGRAM = filePath(new URL("notifier_program.ts", import.meta.url));
const MAIN = import.meta.resolve("../../main.ts");
/** A hook that keeps a list. */
const TELL = SHELL === null
  ? ["sh", "-c", 'echo "$ORCHESTRA_EVENT_KEY" >>told']
  : ["cmd", "/d", "/c", ">>told echo %ORCHESTRA_EVENT_KEY%"];
const KINDS = ["launched", "complete", "launched", "failed", "drained"] as const;

/** A history of five events, of which three are wanted. */
function events(): HistoryEvent[] {
  return KINDS.map((event, at): HistoryEvent => ({
    key: `task_179533812562${at}.1.${event}`,
    time: formatTime(Date.now() + 1000 + at),
    event,
    task: event === "drained" ? undefined : `task_179533812562${at}`,
    agent: "shell",
  }));
}

Deno.test("a kill at any change of a file loses no delivery, and makes up none", async () => {
  const wanted = events().filter(({ event }) => event !== "launched").map(({ key }) => key).sort();
  for (let at = 1, killed = true; killed; at += 3) {
    await using receiver = receive();
    await using box = await makeBox();
    box.config({
      webhooks: [{ url: receiver.url, name: "chat", on: ["complete", "failed", "drained"] }],
      hooks: [{ on: ["complete", "failed", "drained"], run: TELL }],
    });
    const lines = ['{"history":1,"part":1}', ...events().map(formatEvent)];
    Deno.writeTextFileSync(box.path("history.jsonl"), `${lines.join("\n")}\n`);
    const run = (number: number) =>
      spawn(
        Deno.execPath(),
        ["run", "-A", "--quiet", PROGRAM, box.root, MAIN, String(number)],
        { cwd: box.root },
      ).ended();
    killed = (await run(at)).code !== 0;
    const again = await run(-1);
    assertEquals([again.code, again.stderr], [0, ""], `after a kill at ${at}`);
    const hooked = Deno.readTextFileSync(`${box.root}/told`).trim().split(/\r?\n/);
    const received = receiver.messages.map(({ headers }) => headers.get("webhook-id")!);
    assertEquals([...new Set(hooked)].sort(), wanted, `the hook after a kill at ${at}`);
    assertEquals([...new Set(received)].sort(), wanted, `the webhook after a kill at ${at}`);
    // At most the one that was being made is made again.
    assert(hooked.length <= wanted.length + 1 && received.length <= wanted.length + 1, String(at));
    if (at === 1) assert(killed);
    else if (!killed) assert(at > 20, `only ${at} changes of files`);
  }
});

Deno.test("deliveries that are none, and links in their place, disturb no other", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }] });
  const folder = box.path("outbox/chat");
  const secret = `${box.root}/elsewhere`;
  Deno.mkdirSync(secret);
  Deno.writeTextFileSync(`${secret}/state.json`, "{}");
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/state.json`, "no json");
  Deno.writeTextFileSync(`${folder}/half.json`, '{"event":');
  Deno.writeTextFileSync(`${folder}/other.json`, JSON.stringify({ event: events()[1] }));
  Deno.writeTextFileSync(`${folder}/huge.json`, "x".repeat(9 * 1024 * 1024));
  if (linking() === null) {
    Deno.symlinkSync(`${secret}/state.json`, `${folder}/link.json`);
    Deno.symlinkSync(secret, `${folder}/dead`);
  }
  const id = await box.start("shell", "true");
  await box.ok("run");
  await receiver.until((all) => all.some(({ data }) => data.key === `${id}.1.complete`));
  await box.unwatched();
  assertEquals(receiver.messages.length, 1);
  assertEquals([...Deno.readDirSync(secret)].map(({ name }) => name), ["state.json"]);
  assertEquals(Deno.readTextFileSync(`${secret}/state.json`), "{}");
});

test("an outbox that leads elsewhere is not followed", linking(), async () => {
  await using receiver = receive();
  await using box = await makeBox();
  const elsewhere = `${box.root}/elsewhere`;
  Deno.mkdirSync(`${elsewhere}/old`, { recursive: true });
  Deno.symlinkSync(elsewhere, box.path("outbox"));
  box.config({ webhooks: [{ url: receiver.url, name: "chat", on: ["complete"] }] });
  await box.start("shell", "true");
  await box.ok("run");
  await receiver.until((all) => all.length === 1);
  await box.unwatched();
  assertEquals([...Deno.readDirSync(elsewhere)].map(({ name }) => name), ["old"]);
});

Deno.test("a subscriber whose folder cannot be used disturbs no other", async () => {
  await using receiver = receive();
  await using box = await makeBox();
  box.config({
    webhooks: [
      { url: receiver.url, name: "bad", on: ["complete"] },
      { url: receiver.url.replace("hook", "good"), name: "good", on: ["complete"] },
    ],
  });
  // A folder where a file is to be written, and one where a file is to be removed.
  Deno.mkdirSync(box.path("outbox/bad/state.json/x"), { recursive: true });
  Deno.mkdirSync(box.path("outbox/bad/resume/x"), { recursive: true });
  const id = await box.start("shell", "true");
  await box.ok("run");
  const [message] = await receiver.until((all) => all.length === 1 && all);
  assertEquals([message!.path, message!.data.task], ["/good/secret-path", id]);
  Deno.removeSync(box.path("outbox/bad"), { recursive: true });
  await receiver.until((all) => all.length === 2);
  await box.unwatched();
});
