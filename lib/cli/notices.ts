// Live views let the terminal notify of what ends, where the settings say so.

import type { Change } from "../decide/changes.ts";
import type { Queue } from "../queue/queue.ts";
import { loadConfig, mayTell } from "../settings/config.ts";
import type { Context } from "./context.ts";

/** What is called with each change; undefined where nobody is to be notified. */
export async function openNotices(
  context: Context,
  { store, now }: Queue,
): Promise<((change: Change) => void) | undefined> {
  if (!context.interactive || context.globals.json) return undefined;
  const { config } = await loadConfig(store);
  if (!config.notify.terminal && !mayTell(store, config)) return undefined;
  const { loadSubscribers } = await import("../settings/subscribers.ts");
  if (!(await loadSubscribers(store, config)).terminal) return undefined;
  const { terminalNotice } = await import("../notify/terminal.ts");
  const { workspaceName } = await import("../notify/words.ts");
  const inTmux = isInTmux();
  return (change) => {
    const notice = terminalNotice(change, workspaceName(store.root), now(), inTmux);
    if (notice !== undefined) context.write(notice);
  };
}

/** Whether tmux shows us, as far as we may look: with fewer permissions only TERM tells. */
function isInTmux(): boolean {
  const env = (variable: string) =>
    Deno.permissions.querySync({ name: "env", variable }).state === "granted"
      ? Deno.env.get(variable)
      : undefined;
  return env("TMUX") !== undefined || env("TERM")?.startsWith("tmux") === true;
}
