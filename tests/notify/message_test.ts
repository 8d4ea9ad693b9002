// What receivers get: the envelope of Standard Webhooks, and texts in which nothing is obeyed.

import fc from "fast-check";
import { desktopCommand } from "../../lib/notify/desktop.ts";
import { hookVariables } from "../../lib/notify/hook.ts";
import { maskUrl } from "../../lib/notify/mask.ts";
import { boundEvent, encodeHeader, messageOf } from "../../lib/notify/message.ts";
import { fileFor } from "../../lib/notify/outbox.ts";
import { wordsOf } from "../../lib/notify/words.ts";
import { USUAL } from "../../lib/settings/subscriber_shape.ts";
import { wants } from "../../lib/settings/subscribers.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";

const FAILED: HistoryEvent = {
  key: "task_1795338125627.1.failed",
  time: "2026-03-04T12:00:00.000Z",
  event: "failed",
  task: "task_1795338125627",
  claim: 1,
  agent: "claude",
  attempt: 1,
  title: "Fix <login> & *sign-up* for @everyone",
  class: "timeout",
  error: "Task timed out after 5m",
  ran: 300,
};

Deno.test("a message says its type, when it happened and what, and its id is the event's key", () => {
  const { id, headers, body } = messageOf(FAILED, "standard", "project");
  assertEquals(id, FAILED.key);
  assertEquals(headers, { "content-type": "application/json" });
  assertEquals(JSON.parse(body), {
    type: "orchestra.task.failed",
    timestamp: FAILED.time,
    data: { ...FAILED, workspace: "project" },
  });
  const drained = { key: "drained.x", time: FAILED.time, event: "drained" } as const;
  assertEquals(
    JSON.parse(messageOf(drained, "standard", "project").body).type,
    "orchestra.queue.drained",
  );
});

Deno.test("a message has less than 20 kB, whatever an event holds, and says of which it is", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 900 }, (_, at) => [`label-${at}`, "x".repeat(90)]),
  );
  const huge = "\u0000".repeat(30_000);
  for (
    const more of [{ labels }, { title: huge }, { error: huge, labels }, { agent: huge }] as const
  ) {
    for (const format of ["standard", "slack", "discord"] as const) {
      const { body } = messageOf({ ...FAILED, ...more }, format, "project");
      assert(new TextEncoder().encode(body).length < 20_000, format);
    }
    const bound = boundEvent({ ...FAILED, ...more });
    assertEquals([bound.key, bound.task, bound.event], [FAILED.key, FAILED.task, "failed"]);
  }
});

Deno.test("a chat calls nobody and formats nothing because a prompt says so", () => {
  const slack = JSON.parse(messageOf(FAILED, "slack", "project").body);
  assert(slack.text.includes("Fix &lt;login&gt; &amp; *sign-up*"), slack.text);
  assert(!/[<>]/.test(slack.text));
  const discord = JSON.parse(messageOf(FAILED, "discord", "project").body);
  assertEquals(discord.allowed_mentions, { parse: [] });
  assert(discord.content.includes("\\<login\\> & \\*sign-up\\* for \\@everyone"), discord.content);
  const long = { ...FAILED, title: "*".repeat(5000) };
  assert(JSON.parse(messageOf(long, "discord", "p").body).content.length <= 2000);
});

Deno.test("ntfy gets its headers in ASCII, and what is not is encoded as RFC 2047 says", () => {
  const { headers, body } = messageOf(
    { ...FAILED, title: "größer\r\nX-Evil: 1" },
    "ntfy",
    "project",
  );
  assertEquals(headers.priority, "4");
  for (const value of Object.values(headers)) assert(/^[\x20-\x7e]*$/.test(value), value);
  assert(body.includes("Task timed out"), body);
  const decode = (value: string) =>
    value.split(" ").map((word) => {
      const [, base64 = ""] = /^=\?UTF-8\?B\?(.*)\?=$/.exec(word) ?? [];
      assert(word.length <= 75, word);
      return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(base64));
    }).join("");
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
    const value = encodeHeader(`ß${text}`);
    assertEquals(decode(value), `ß${text}`);
  }));
  assertEquals(encodeHeader("plain"), "plain");
  assertNotEquals(encodeHeader("=?UTF-8?B?eA==?="), "=?UTF-8?B?eA==?=");
});

Deno.test("no text in words is obeyed by a terminal, and each event has some", () => {
  const evil = { ...FAILED, title: "\x1b]0;x\x07a\u202e", error: "\x1b[2J\nb", agent: "\x07" };
  const { title, text } = wordsOf(evil, "p\x1bq");
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(title + text), title + text);
  assert(wordsOf({ key: "x", time: FAILED.time, event: "drained" }, "p").title.length > 0);
});

Deno.test("an address is shown by its host and the first characters of its path alone", () => {
  assertEquals(
    maskUrl("https://hooks.slack.com/services/T000/B000/secret"),
    "https://hooks.slack.com/ser…",
  );
  assertEquals(
    maskUrl("https://me:pass@example.com:8443/?token=1#x"),
    "https://example.com:8443/…",
  );
  assertEquals(maskUrl("http://[::1]:9/"), "http://[::1]:9/");
  assertEquals(maskUrl("nonsense secret"), "…");
});

Deno.test("the name of a delivery's file leads nowhere, and tells keys apart", () => {
  const names = new Set<string>();
  const keys = fc.uniqueArray(
    fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: fc.constantFrom(".", "/", "a", "A", "%", "é"), maxLength: 400 }),
      fc.constantFrom("state", "disabled", "%state", ".", "..", "../../x", "resume"),
    ),
    { maxLength: 50 },
  );
  fc.assert(fc.property(keys, (some) => {
    names.clear();
    for (const key of some) {
      const name = fileFor(key);
      assert(/^[a-z0-9_%-][a-z0-9_.%-]*\.json$|^\.json$/.test(name) || key === "", name);
      assert(!["state.json", "disabled.json"].includes(name) && name.length < 200, name);
      names.add(name);
    }
    assertEquals(names.size, some.length);
  }));
});

Deno.test("who asks for the failures of one class is not told of others", () => {
  assert(wants({ on: ["failed:timeout"] }, FAILED));
  assert(!wants({ on: ["failed:idle", "complete"] }, FAILED));
  assert(wants({ on: USUAL }, FAILED));
  assert(!wants({ on: USUAL }, { ...FAILED, event: "launched" }));
});

Deno.test("what is shown on the desktop is an argument or a variable, never a part of a script", () => {
  const words = { title: 'Failed: "$(touch x)"', text: "a & <b> \\n'", urgent: true };
  const linux = desktopCommand(words, "linux");
  assertEquals(linux.run.slice(0, 4), [
    ...["notify-send", "--app-name=Orchestra", "--urgency=normal"],
    "--",
  ]);
  assertEquals(linux.run.slice(4), [words.title, "a &amp; &lt;b&gt; \\\\n'"]);
  const mac = desktopCommand(words, "darwin");
  assertEquals(mac.run.slice(-2), [words.title, words.text]);
  assertEquals(
    mac.run.slice(0, -2),
    desktopCommand({ ...words, title: "", text: "" }, "darwin").run
      .slice(0, -2),
  );
  const windows = desktopCommand(words, "windows");
  assertEquals(windows.env, {
    ORCHESTRA_NOTIFY_TITLE: words.title,
    ORCHESTRA_NOTIFY_TEXT: words.text,
  });
  assert(!windows.run.join(" ").includes("touch"));
});

Deno.test("the variables of a hook make it part of no task", () => {
  const variables = hookVariables({ ...FAILED, title: "a\0b" }, "/project");
  assertEquals(variables.ORCHESTRA_TASK_ID, "");
  assertEquals(variables.ORCHESTRA_MARK, "");
  assertEquals(variables.ORCHESTRA_EVENT, "failed");
  assertEquals(variables.ORCHESTRA_EVENT_TASK, FAILED.task);
  assertEquals(variables.ORCHESTRA_EVENT_TITLE, "ab");
  assertEquals(variables.ORCHESTRA_EVENT_CLASS, "timeout");
  assert(Object.values(variables).every((value) => !value.includes("\0")));
});
