// What a receiver gets: Standard Webhooks 1.0 (https://www.standardwebhooks.com), or what a chat or a
// notification service takes, with everything escaped that it would interpret. Pure: the same event is the
// same message; what depends on the attempt (its time, the signature) is added by who sends it.

import type { HistoryEvent } from "../task/event.ts";
import type { WebhookFormat } from "../settings/subscriber_shape.ts";
import { type Words, wordsOf } from "./words.ts";

/** A message before it is signed. */
export interface Message {
  /** The same in every attempt: the key of its event. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A body is no larger, bytes. */
const LARGEST = 20_000;
/** Of a text that makes it larger so much is left, characters. */
const CUT = 60;

const encoder = new TextEncoder();

function sizeOf(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length;
}

/** An event that is small enough: labels go first, then texts are cut. */
export function boundEvent(event: HistoryEvent, most = LARGEST - 500): HistoryEvent {
  if (sizeOf(event) <= most) return event;
  const { labels: _, ...rest } = event;
  if (sizeOf(rest) <= most) return rest;
  const cut = (text: string | undefined) =>
    text === undefined || text.length <= CUT ? text : `${text.slice(0, CUT - 1)}…`;
  const { title, error, agent, usage: _usage, ...others } = rest;
  return { ...others, title: cut(title), error: cut(error), agent: cut(agent) };
}

/** The key of an event as a header can carry it. */
export function messageId(key: string): string {
  return key.slice(0, 500).replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}

/** The type of an event's message. */
export function typeOf({ event, task }: HistoryEvent): string {
  return `orchestra.${task === undefined ? "queue" : "task"}.${event}`;
}

/**
 * What a receiver gets of an event.
 *
 * @param workspace name of the workspace, for people
 */
export function messageOf(
  event: HistoryEvent,
  format: WebhookFormat,
  workspace: string,
): Message {
  const id = messageId(event.key);
  const json = (value: unknown): Message => ({
    id,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  const data = boundEvent(event);
  const words = wordsOf(data, workspace);
  switch (format) {
    case "standard":
      return json({ type: typeOf(event), timestamp: event.time, data: { ...data, workspace } });
    case "slack":
      return json({ text: slackText(words) });
    case "discord":
      return json({ content: discordText(words), allowed_mentions: { parse: [] } });
    case "ntfy":
      return { id, headers: ntfyHeaders(words), body: words.text || words.title };
  }
}

/** https://docs.slack.dev/messaging/formatting-message-text: three characters are special. */
function slackText({ title, text }: Words): string {
  const escape = (part: string) =>
    part.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `*${escape(title)}*${text === "" ? "" : `\n${escape(text)}`}`;
}

/** Discord takes no longer text, characters. */
const DISCORD = 2000;

function discordText({ title, text }: Words): string {
  // Whoever is named in it is not called: `allowed_mentions` sees to that.
  const escape = (part: string) =>
    part.replace(/[\\*_~`|>#[\]()<@]/g, "\\$&").replace(/^(?=[-+] )/gm, "\\");
  const whole = `**${escape(title)}**${text === "" ? "" : `\n${escape(text)}`}`;
  return whole.length <= DISCORD ? whole : `${[...whole].slice(0, DISCORD / 2).join("")}…`;
}

/** https://docs.ntfy.sh/publish: headers, in ASCII or encoded. */
function ntfyHeaders({ title, urgent }: Words): Record<string, string> {
  return {
    "content-type": "text/plain; charset=utf-8",
    "title": encodeHeader(title),
    "priority": urgent ? "4" : "3",
    "tags": urgent ? "warning" : "robot",
  };
}

/** So many bytes in Base64 fit a word of RFC 2047. */
const WORD = 42;

/** A header's value as RFC 2047 encodes what is not ASCII. */
export function encodeHeader(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes("=?")) return text.trim();
  const words: string[] = [];
  let part = "";
  const take = () => {
    words.push(`=?UTF-8?B?${encoder.encode(part).toBase64()}?=`);
    part = "";
  };
  for (const character of text) {
    if (encoder.encode(part + character).length > WORD) take();
    part += character;
  }
  take();
  return words.join(" ");
}
