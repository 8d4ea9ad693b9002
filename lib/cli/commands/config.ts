// `orchestra config`: the settings of a workspace.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { lstat } from "../../store/files.ts";
import { configPath, loadConfig, parseJsonFile, pickKnown } from "../../settings/config.ts";
import {
  type Config,
  CONFIG_ABOUT,
  DEFAULT_CONFIG,
  USER_ABOUT,
} from "../../settings/config_fields.ts";
import { unapprovedSetup } from "../../settings/setup.ts";
import { parseObject, readUserSettingsText, userPaths } from "../../settings/user.ts";
import type { Origin } from "../../task/settings.ts";
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
  await this.config(store);
  const { config, origins, limits } = await loadConfig(store);
  const users = readUsers();
  const from = { ...usersOnly(users.value), ...origins };
  const shown = masked(await withUsers(config, users.value, origins));
  if (this.globals.json) {
    return this.printJson({
      ...shown,
      ...(limits === null ? {} : { limits: users.value.limits, machine: users.value.machine }),
      origins: from,
    });
  }
  const row = (key: string, value: unknown, about: string) => {
    const same = JSON.stringify(value) === JSON.stringify(valueAt(DEFAULT_CONFIG, key));
    return [key, same ? textOf(value) : `${textOf(value)} *`, from[key] ?? "default", about];
  };
  this.print(
    formatTable(
      [
        { header: "SETTING" },
        { header: "VALUE", flex: 1, min: 10 },
        { header: "FROM" },
        { header: "MEANING", flex: 3, min: 30 },
      ],
      [
        ...Object.entries(CONFIG_ABOUT).map(([key, about]) => row(key, valueAt(shown, key), about)),
        // They hold everywhere, and so stand in the user's settings alone.
        ...["limits", "machine"].filter((key) => limits !== null && Object.hasOwn(users.value, key))
          .map((key) => row(key, JSON.stringify(users.value[key]), USER_ABOUT[key]!)),
      ],
      this.style(),
    ).join("\n"),
  );
  this.note(
    lstat(configPath(store)) === undefined
      ? "There is no .orchestra/config.json"
      : "* differs from the default",
  );
  const problem = await unapprovedSetup(store);
  if (problem !== null) this.note(`${problem}: orchestra trust --commands`);
  if (users.path === undefined) return;
  const path = printable(users.path);
  const added = BESIDE.filter((key) => isSet(valueAt(users.value, key)));
  if (Object.values(from).includes("user")) this.note(`user: ${path}`);
  if (added.length > 0) this.note(`${path} adds ${added.join(", ")}; see orchestra webhooks`);
}

/** The user's own settings, with their place; nothing where they are damaged, or not for us to read. */
function readUsers(): { path: string | undefined; value: Record<string, unknown> } {
  const read = readUserSettingsText();
  const value = read === undefined || "problem" in read ? {} : parseObject(read.text);
  const path = read === undefined ? undefined : userPaths()?.settings;
  return { path, value: "problem" in value ? {} : value };
}

/** What stands beside a workspace's settings rather than below them, and is set there. */
const BESIDE = ["hooks", "webhooks", "notify.desktop", "notify.terminal", "otlp.endpoint"];

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false &&
    !(Array.isArray(value) && value.length === 0);
}

function usersOnly(value: Record<string, unknown>): Record<string, Origin> {
  const set = [...BESIDE, "limits", "machine"].filter((key) => valueAt(value, key) !== undefined);
  return Object.fromEntries(set.map((key) => [key, "user"]));
}

/** Settings with what the user's own say where the workspace's say nothing. */
async function withUsers(
  config: Config,
  value: Record<string, unknown>,
  origins: Readonly<Record<string, Origin>>,
): Promise<Config> {
  const { configIssue } = await import("../../settings/schemas.ts");
  const shown = structuredClone(config) as unknown as Record<string, Record<string, unknown>>;
  const { known } = pickKnown(value, "user");
  for (const key of BESIDE) {
    const set = valueAt(known, key);
    if (set === undefined || origins[key] !== undefined) continue;
    const [first, second] = key.split(".") as [string, string | undefined];
    // What is wrong in it does not count; webhooks and doctor tell it.
    if (configIssue({ [first]: valueAt(known, first) }) !== undefined) continue;
    if (second !== undefined) shown[first]![second] = set;
    else (shown as Record<string, unknown>)[first] = set;
  }
  return shown as unknown as Config;
}

async function setConfig(
  this: Context,
  _flags: NoFlags,
  key: string,
  given: string,
): Promise<void> {
  const { store } = await this.openQueue();
  const keys = Object.keys(CONFIG_ABOUT);
  if (!keys.includes(key)) {
    if (Object.hasOwn(USER_ABOUT, key.split(".")[0]!)) {
      throw new OrchestraError("usage", `${JSON.stringify(key)} holds for all workspaces`, {
        hint: `Write it into your own settings file, ${userPaths()?.settings ?? "settings.json"}.`,
      });
    }
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
  } catch (error) {
    // A line for the shell may begin with a bracket, but with nothing like this.
    if (/^\s*\[\s*"/.test(text)) {
      throw new OrchestraError("usage", `config set ${key}: it begins as a list and is not JSON`, {
        hint: `${(error as Error).message}. Nothing was changed.`,
      });
    }
    if (valueAt(DEFAULT_CONFIG, key) === null && text === "none") return null;
    return SECONDS.test(key) ? parseDuration(text) ?? text : text;
  }
}
