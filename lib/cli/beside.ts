// What goes on beside whoever watches: hooks and webhooks are told of what happens. Their code is loaded only
// where somebody wants to be told.

import { mayTell } from "../settings/config.ts";
import type { Config } from "../settings/config_fields.ts";
import type { Notifier } from "../notify/notifier.ts";
import type { Queue } from "../queue/queue.ts";
import type { Beside } from "../supervise/loop.ts";
import type { Context } from "./context.ts";

/** What goes on beside a watch, for one that may leave before all is told. */
export interface News extends Beside {
  look(config: Config): void;
  /** Whether hooks are begun; they are unless it is said that they are not. */
  beginsHooks: boolean;
  /** Names of the hooks that run. */
  readonly hooks: readonly string[];
}

/**
 * @param onProblem told of what goes wrong, a sentence each
 */
export function openNews(
  context: Pick<Context, "program">,
  queue: Queue,
  onProblem: (problem: string) => void,
): News {
  const { store, now, random } = queue;
  let notifier: Notifier | undefined;
  let loading: Promise<void> | undefined;
  let wanted: Config | undefined;
  let closed = false;
  let failed = false;
  let beginsHooks = true;
  async function load(): Promise<void> {
    try {
      const { openNotifier } = await import("../notify/notifier.ts");
      const { program } = context;
      notifier = openNotifier({ store, program, now, random, onProblem });
      notifier.onIdle = () => news.onIdle();
      notifier.beginsHooks = beginsHooks;
      if (!closed) notifier.look(wanted!);
    } catch (error) {
      failed = true;
      news.onIdle();
      onProblem(`Telling what happens: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const news: News = {
    look(config) {
      wanted = config;
      if (notifier !== undefined) notifier.look(config);
      else if (mayTell(store, config)) loading ??= load();
    },
    get isBusy() {
      return notifier?.isBusy ?? (loading !== undefined && !failed);
    },
    onIdle() {},
    get beginsHooks() {
      return beginsHooks;
    },
    set beginsHooks(begins) {
      beginsHooks = begins;
      if (notifier !== undefined) notifier.beginsHooks = begins;
    },
    get hooks() {
      return notifier?.hooks ?? [];
    },
    async close(stop) {
      closed = true;
      await loading;
      await notifier?.close(stop);
    },
  };
  return news;
}
