// `orchestra config`: the settings of a workspace.

import { lstat } from "../../store/files.ts";
import {
  CONFIG_ABOUT,
  configPath,
  DEFAULT_CONFIG,
  parseJsonFile,
  pickKnown,
} from "../../settings/config.ts";
import { parseDuration } from "../../task/duration.ts";
import { OrchestraError } from "../../task/error.ts";
import { formatTable } from "../../text/table.ts";
import { configIssue, parseConfig } from "../../settings/schemas.ts";
import { closest } from "../../text/suggest.ts";
import type { Context } from "../context.ts";

type NoFlags = Record<never, never>;

function valueAt(object: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | undefined)?.[part],
    object,
  );
}

/** Runs `orchestra config init`. */
export function configInit(this: Context): void {
  const { store } = this.openQueue();
  if (lstat(configPath(store)) !== undefined) {
    throw new OrchestraError("state", ".orchestra/config.json is there already", {
      hint: "See it with: orchestra config show",
    });
  }
  store.writeFile(configPath(store), JSON.stringify(DEFAULT_CONFIG, null, 2) + "\n");
  if (this.globals.json) this.printJson(DEFAULT_CONFIG);
  else this.print("Wrote .orchestra/config.json");
}

/** Runs `orchestra config show`. */
export async function configShow(this: Context): Promise<void> {
  const { store } = this.openQueue();
  const config = await this.config(store);
  if (this.globals.json) return this.printJson(config);
  this.print(
    formatTable(
      [{ header: "SETTING" }, { header: "VALUE" }, { header: "MEANING", flex: 1 }],
      Object.entries(CONFIG_ABOUT).map(([key, about]) => {
        const value = valueAt(config, key);
        const text = Array.isArray(value) ? value.join(",") : String(value);
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
}

/** Runs `orchestra config set`. */
export function configSet(this: Context, _flags: NoFlags, key: string, text: string): void {
  const { store } = this.openQueue();
  const keys = Object.keys(CONFIG_ABOUT);
  if (!keys.includes(key)) {
    const near = closest(key, keys);
    throw new OrchestraError("usage", `There is no setting ${JSON.stringify(key)}`, {
      hint: near === undefined ? "See them with: orchestra config show" : `Did you mean "${near}"?`,
    });
  }
  const [first, second] = key.split(".") as [string, string | undefined];
  const value = parseValue(key, text);
  checkValue(
    key,
    text,
    second === undefined ? { [first]: value } : { [first]: { [second]: value } },
  );
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
  if (this.globals.json) return this.printJson(updated);
  this.print(`${key} = ${JSON.stringify(valueAt(updated, key))}`);
}

/** @throws OrchestraError `usage` where the setting cannot have this value */
function checkValue(key: string, text: string, object: Record<string, unknown>): void {
  const issue = configIssue(object);
  if (issue === undefined) return;
  throw new OrchestraError(
    "usage",
    `config set ${key} ${JSON.stringify(text)}: ${issue.requirement}`,
    { hint: `${key}: ${CONFIG_ABOUT[key]}` },
  );
}

/** Settings that are seconds, and so may be written as durations. */
const SECONDS =
  /^(?:interval|timeout|timeout_warning|idle_timeout|grace_period|retry\.(?:base|cap))$/;

/** A value as the setting's kind wants it: lists by commas, the rest as JSON or plain text. */
function parseValue(key: string, text: string): unknown {
  if (Array.isArray(valueAt(DEFAULT_CONFIG, key))) {
    return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  }
  try {
    return JSON.parse(text);
  } catch {
    return SECONDS.test(key) ? parseDuration(text) ?? text : text;
  }
}
