// `orchestra config`: the settings of a workspace.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { lstat, tryReadRegular } from "../../store/files.ts";
import { isObeyed, userSettingsPath } from "../../store/owner.ts";
import { configPath, parseJsonFile, pickKnown } from "../../settings/config.ts";
import { type Config, CONFIG_ABOUT, DEFAULT_CONFIG } from "../../settings/config_fields.ts";
import { parseDuration } from "../../task/duration.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import { maskUrl } from "../../notify/mask.ts";
import { formatTable } from "../../text/table.ts";
import type { Context } from "../context.ts";
import { startingWith, text } from "../parameters.ts";

type NoFlags = Record<never, never>;

export const command = buildRouteMap({
  routes: {
    init: buildCommand({
      func: initConfig,
      parameters: {},
      docs: { brief: "Write .orchestra/config.json with the defaults" },
    }),
    show: buildCommand({
      func: showConfig,
      parameters: {},
      docs: { brief: "Show all settings" },
    }),
    set: buildCommand({
      func: setConfig,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [
            {
              brief: "name of the setting",
              placeholder: "key",
              parse: text,
              proposeCompletions: startingWith(() => Object.keys(CONFIG_ABOUT)),
            },
            { brief: "its value", placeholder: "value", parse: text },
          ],
        },
      },
      docs: { brief: "Change a setting" },
    }),
  },
  defaultCommand: "show",
  docs: { brief: "See and change settings" },
});

function valueAt(object: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | null | undefined)?.[part],
    object,
  );
}

async function initConfig(this: Context): Promise<void> {
  const { store } = await this.openQueue();
  if (lstat(configPath(store)) !== undefined) {
    throw new OrchestraError("state", ".orchestra/config.json is there already", {
      hint: "See it with: orchestra config show",
    });
  }
  store.writeFile(configPath(store), JSON.stringify(DEFAULT_CONFIG, null, 2) + "\n");
  if (this.globals.json) this.printJson(DEFAULT_CONFIG);
  else this.print("Wrote .orchestra/config.json");
}

async function showConfig(this: Context): Promise<void> {
  const { store } = await this.openQueue();
  const config = await this.config(store);
  if (this.globals.json) return this.printJson(masked(config));
  this.print(
    formatTable(
      [
        { header: "SETTING" },
        { header: "VALUE", flex: 1, min: 10 },
        { header: "MEANING", flex: 3, min: 30 },
      ],
      Object.entries(CONFIG_ABOUT).map(([key, about]) => {
        const value = valueAt(config, key);
        const text = textOf(valueAt(masked(config), key));
        const same = JSON.stringify(value) === JSON.stringify(valueAt(DEFAULT_CONFIG, key));
        return [key, same ? text : `${text} *`, about];
      }),
      this.style(),
    ).join("\n"),
  );
  this.note(
    lstat(configPath(store)) === undefined
      ? "All are defaults; there is no .orchestra/config.json"
      : "* differs from the default",
  );
  const own = usersOwn();
  if (own !== undefined) {
    this.note(`${printable(own.path)} adds ${own.keys.join(", ")}; see orchestra webhooks`);
  }
}

/** Largest file of the user's own settings that is read, bytes. */
const LARGEST = 1024 * 1024;

/** What the user's own settings set for all workspaces; undefined for nothing, or where we may not look. */
function usersOwn(): { path: string; keys: string[] } | undefined {
  try {
    const path = userSettingsPath();
    const read = path === undefined ? undefined : tryReadRegular(path, LARGEST, isObeyed);
    if (path === undefined || read === undefined || "problem" in read) return undefined;
    const value: unknown = JSON.parse(read.text.replace(/^\uFEFF/, ""));
    const keys = SHARED.filter((key) => {
      const set = valueAt(value ?? undefined, key);
      return set !== undefined && set !== null && set !== false &&
        !(Array.isArray(set) && set.length === 0);
    });
    return keys.length === 0 ? undefined : { path, keys };
  } catch {
    // Damaged, or not for us to read: `webhooks` and `doctor` say so.
    return undefined;
  }
}

/** What may stand in the user's own settings, too. */
const SHARED = ["hooks", "webhooks", "notify.desktop", "notify.terminal", "otlp.endpoint"];

async function setConfig(
  this: Context,
  _flags: NoFlags,
  key: string,
  given: string,
): Promise<void> {
  const { store } = await this.openQueue();
  const keys = Object.keys(CONFIG_ABOUT);
  if (!keys.includes(key)) {
    const { closest } = await import("../../text/suggest.ts");
    const near = closest(key, keys);
    throw new OrchestraError("usage", `There is no setting ${JSON.stringify(key)}`, {
      hint: near === undefined ? "See them with: orchestra config show" : `Did you mean "${near}"?`,
    });
  }
  const [first, second] = key.split(".") as [string, string | undefined];
  const value = parseValue(key, given);
  // The schemas are by far the largest that any command loads; only this one changes a setting.
  const { configIssue, describeIssue, parseConfig } = await import("../../settings/schemas.ts");
  const issue = configIssue(
    second === undefined ? { [first]: value } : { [first]: { [second]: value } },
  );
  if (issue !== undefined) {
    // One of a list of names is the setting itself.
    const isItself = issue.path.replace(/\.\d+$/, "") === key && issue.requirement !== null;
    const { text, hint } = isItself ? { text: issue.requirement } : describeIssue(issue);
    throw new OrchestraError("usage", `config set ${key} ${JSON.stringify(given)}: ${text}`, {
      hint: hint ?? `${key}: ${CONFIG_ABOUT[key]}`,
    });
  }
  const updated = store.locked(() => {
    const current = store.readFile(configPath(store));
    const object =
      (current === undefined ? {} : parseJsonFile(current, ".orchestra/config.json")) as Record<
        string,
        unknown
      >;
    // What stands in the file must be sound, or a value of ours would hide in something broken.
    parseConfig(pickKnown(object).known);
    object[first] = second === undefined
      ? value
      : { ...object[first] as Record<string, unknown> | undefined, [second]: value };
    store.writeFile(configPath(store), JSON.stringify(object, null, 2) + "\n");
    return parseConfig(pickKnown(object).known);
  });
  if (this.globals.json) return this.printJson(masked(updated));
  this.print(`${key} = ${JSON.stringify(valueAt(masked(updated), key))}`);
}

/** The settings as they may be shown: addresses are secrets, or carry some. */
function masked(config: Config): Config {
  const { endpoint } = config.otlp;
  return {
    ...config,
    webhooks: config.webhooks.map((webhook) => ({ ...webhook, url: maskUrl(webhook.url) })),
    otlp: { endpoint: endpoint === null ? null : maskUrl(endpoint) },
  };
}

function textOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.map((item) => typeof item === "string" ? item : JSON.stringify(item)).join(",");
}

/** Settings that are seconds, and so may be written as durations. */
const SECONDS =
  /^(?:interval|timeout|timeout_warning|idle_timeout|grace_period|retry\.(?:base|cap))$/;

/** A value as the setting's kind wants it: lists by commas, the rest as JSON or plain text. */
function parseValue(key: string, text: string): unknown {
  if (Array.isArray(valueAt(DEFAULT_CONFIG, key)) && !text.trim().startsWith("[")) {
    return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  }
  try {
    return JSON.parse(text);
  } catch {
    if (valueAt(DEFAULT_CONFIG, key) === null && text === "none") return null;
    return SECONDS.test(key) ? parseDuration(text) ?? text : text;
  }
}
