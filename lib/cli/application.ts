// The command tree: every command with its options, as data; the code of each is loaded only when
// it is called. Help, completion and the reference are made from this.

import {
  buildApplication,
  buildCommand,
  buildRouteMap,
  FlagNotFoundError,
  text_en,
  UnexpectedPositionalError,
} from "@stricli/core";
import type { Application } from "@stricli/core";
import { OrchestraError, printable, toOrchestraError } from "../task/error.ts";
import type { Context } from "./context.ts";
import {
  duration,
  integer,
  label,
  phase,
  PHASES,
  reportTarget,
  taskName,
  taskNameOr,
} from "./flags.ts";
import { optionFlags } from "./option_flags.ts";

function optional(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

function parsed<T>(parse: (text: string) => T, brief: string, placeholder: string) {
  return { kind: "parsed", optional: true, parse, brief, placeholder } as const;
}

const text = (value: string) => value;

/** Ids and keys of tasks, for completion; nothing where there is no workspace. */
async function proposeTasks(this: Context, partial: string): Promise<string[]> {
  try {
    const { store } = this.openQueue();
    const { namesOf } = await import("../queue/names.ts");
    return namesOf(store, partial);
  } catch {
    return [];
  }
}

async function proposeAgents(this: Context, partial: string): Promise<string[]> {
  try {
    const { readAgentNames } = await import("../settings/agents.ts");
    return readAgentNames(this.openQueue().store).filter((name) => name.startsWith(partial));
  } catch {
    return [];
  }
}

/** For completion: those of some words that begin with what is there. */
function startingWith(words: () => readonly string[] | Promise<readonly string[]>) {
  return async (partial: string) => (await words()).filter((word) => word.startsWith(partial));
}

const idArgument = {
  brief: "the task: its id, the end of that, its key, or @last",
  placeholder: "id",
  parse: taskName("active"),
  proposeCompletions: proposeTasks,
} as const;

/** The same where archived tasks are shown too. */
const anyIdArgument = { ...idArgument, parse: taskName("anywhere") } as const;
const archivedIdArgument = { ...idArgument, parse: taskName("archived") } as const;

const agentArgument = {
  brief: "name of the agent",
  placeholder: "agent",
  parse: text,
  proposeCompletions: proposeAgents,
} as const;

/** Which tasks: the same words for every command that takes several. */
const filterFlags = {
  status: {
    kind: "parsed",
    optional: true,
    variadic: ",",
    parse: phase,
    proposeCompletions: startingWith(() => PHASES),
    brief: "only these: pending, running, complete, failed, cancelled, ready, blocked, …",
    placeholder: "status",
  },
  agent: {
    kind: "parsed",
    optional: true,
    variadic: ",",
    parse: text,
    brief: "only tasks of this agent",
    placeholder: "agent",
    proposeCompletions: proposeAgents,
  },
  label: {
    kind: "parsed",
    optional: true,
    variadic: true,
    parse: label,
    brief: "only tasks with this label",
    placeholder: "k=v",
  },
} as const;
const filterAliases = { s: "status", l: "label" } as const;

const init = () =>
  buildCommand({
    loader: async () => (await import("./commands/init.ts")).init,
    parameters: {
      flags: {
        agent: {
          kind: "parsed",
          optional: true,
          variadic: ",",
          parse: text,
          proposeCompletions: startingWith(async () => {
            return Object.keys((await import("../agents/presets.ts")).PRESETS);
          }),
          brief: "add this agent though it is not installed",
          placeholder: "name",
        },
      },
    },
    docs: {
      brief: "Make a workspace here",
      fullDescription:
        "Makes .orchestra/ and .orchestra-cli/ in the current folder (or that of -C), " +
        "with an agent named shell and those that are found on PATH. What is there already is kept.",
    },
  });

const start = () =>
  buildCommand({
    loader: async () => (await import("./commands/start.ts")).start,
    parameters: {
      flags: {
        // The framework knows the flags of the options by their parsers alone.
        ...optionFlags(proposeTasks).flags as Record<never, never>,
        from: parsed(
          text,
          "queue the tasks of a file, one JSON object a line; - reads stdin",
          "file",
        ),
        quiet: optional("print the id alone"),
      },
      positional: {
        kind: "tuple",
        parameters: [
          { ...agentArgument, optional: true },
          {
            brief: "what to do; - reads it from stdin",
            placeholder: "prompt",
            parse: text,
            optional: true,
          },
        ],
      },
      aliases: { q: "quiet", ...optionFlags(proposeTasks).aliases },
    },
    docs: {
      brief: "Queue a task",
      fullDescription: "Queues a task and prints its id; once printed, it survives a power cut.",
    },
  });

const run = () =>
  buildCommand({
    loader: async () => (await import("./commands/run.ts")).run,
    parameters: {
      flags: {
        parallel: parsed(integer(1, 1000), "fill up to this many running at once", "n"),
        all: optional("go on until nothing is left to launch"),
        wait: optional("stay and watch until all is settled; exit code 1 if something failed"),
        report: {
          kind: "parsed",
          optional: true,
          variadic: ",",
          parse: reportTarget,
          brief: "with --wait, write junit=file, markdown=file, or github (annotations)",
          placeholder: "kind=file",
        },
      },
      aliases: { p: "parallel", a: "all", w: "wait" },
    },
    docs: {
      brief: "Launch pending tasks in the background",
      fullDescription:
        "Launches the next ready task (or fills up to --parallel) and returns. A small " +
        "supervisor stays behind until everything is settled: it enforces timeouts and starts retries.",
    },
  });

const status = () =>
  buildCommand({
    loader: async () => (await import("./commands/status.ts")).status,
    parameters: {
      flags: {
        watch: optional("stay, and draw it anew on every change"),
        interval: parsed(duration, "look at least this often while watching (5s)", "time"),
        noAutoRetry: optional("do not queue due retries"),
        ...filterFlags,
        all: optional("all finished tasks, not only the last 20"),
        usage: optional("also tokens and cost, and their sum"),
      },
      aliases: { w: "watch", i: "interval", a: "all", ...filterAliases },
    },
    docs: { brief: "Show what is going on" },
  });

const show = () =>
  buildCommand({
    loader: async () => (await import("./commands/show.ts")).show,
    parameters: { positional: { kind: "tuple", parameters: [anyIdArgument] } },
    docs: { brief: "Show everything about one task" },
  });

const logs = () =>
  buildCommand({
    loader: async () => (await import("./commands/logs.ts")).logs,
    parameters: {
      flags: {
        follow: optional("go on until the task is settled"),
        lines: parsed(integer(0), "only the last lines", "n"),
      },
      positional: { kind: "tuple", parameters: [anyIdArgument] },
      aliases: { f: "follow", n: "lines" },
    },
    docs: { brief: "Print what an agent printed" },
  });

const wait = () =>
  buildCommand({
    loader: async () => (await import("./commands/wait.ts")).wait,
    parameters: {
      flags: { timeout: parsed(duration, "give up after this time", "time"), ...filterFlags },
      positional: { kind: "array", parameter: anyIdArgument },
      aliases: filterAliases,
    },
    docs: {
      brief: "Wait until tasks are settled",
      fullDescription:
        "Waits for the given tasks, for those that pass the filters, or for all that are pending or " +
        "running, retries included. Exit code 1 if one of them did not complete.",
    },
  });

const cancel = () =>
  buildCommand({
    loader: async () => (await import("./commands/cancel.ts")).cancel,
    parameters: {
      flags: {
        all: optional("cancel all that are pending or running"),
        reason: parsed(text, "why, for the record", "text"),
        withDependents: optional("also what depends on them, directly or through others"),
        ...filterFlags,
      },
      positional: { kind: "array", parameter: idArgument },
      aliases: filterAliases,
    },
    docs: { brief: "End pending or running tasks, with all they started" },
  });

const retry = () =>
  buildCommand({
    loader: async () => (await import("./commands/retry.ts")).retry,
    parameters: {
      flags: {
        maxRetries: parsed(integer(0), "allow this many retries", "n"),
        auto: optional("retry further by itself"),
        ...filterFlags,
      },
      positional: { kind: "array", parameter: idArgument },
      aliases: filterAliases,
    },
    docs: {
      brief: "Queue failed or cancelled tasks again",
      fullDescription:
        "Queues failed or cancelled tasks again, each as a new task: the given ones, or those among " +
        "the ones that pass the filters that can be retried.",
    },
  });

const clean = () =>
  buildCommand({
    loader: async () => (await import("./commands/clean.ts")).clean,
    parameters: {
      flags: { yes: optional("do not ask"), agent: filterFlags.agent, label: filterFlags.label },
      positional: {
        kind: "array",
        parameter: {
          brief: "completed, failed, cancelled, all, or a task (completed)",
          placeholder: "filter",
          parse: taskNameOr(["completed", "complete", "failed", "cancelled", "all"], "active"),
          proposeCompletions: (partial: string) =>
            ["completed", "failed", "cancelled", "all"].filter((item) => item.startsWith(partial)),
        },
      },
      aliases: { y: "yes", l: "label" },
    },
    docs: { brief: "Remove finished tasks" },
  });

const timeout = () =>
  buildRouteMap({
    routes: {
      now: buildCommand({
        loader: async () => (await import("./commands/timeout.ts")).timeoutNow,
        parameters: { positional: { kind: "tuple", parameters: [idArgument] } },
        docs: { brief: "End a running task as timed out: timeout <id>" },
      }),
      list: buildCommand({
        loader: async () => (await import("./commands/timeout.ts")).timeoutList,
        parameters: {},
        docs: { brief: "List the tasks that have a timeout" },
      }),
      extend: buildCommand({
        loader: async () => (await import("./commands/timeout.ts")).timeoutExtend,
        parameters: {
          positional: {
            kind: "tuple",
            parameters: [
              idArgument,
              { brief: "how much longer: 90, 5m, 1h30m", placeholder: "time", parse: duration },
            ],
          },
        },
        docs: { brief: "Give a task more time, running or not" },
      }),
    },
    defaultCommand: "now",
    docs: { brief: "See, extend or enforce timeouts" },
  });

const agents = () =>
  buildRouteMap({
    routes: {
      list: buildCommand({
        loader: async () => (await import("./commands/agents.ts")).agentsList,
        parameters: {},
        docs: { brief: "List the agents, and which are installed" },
      }),
      check: buildCommand({
        loader: async () => (await import("./commands/agents.ts")).agentsCheck,
        parameters: { positional: { kind: "tuple", parameters: [agentArgument] } },
        docs: { brief: "Launch an agent's --version" },
      }),
    },
    defaultCommand: "list",
    docs: { brief: "See the agents" },
  });

const config = () =>
  buildRouteMap({
    routes: {
      init: buildCommand({
        loader: async () => (await import("./commands/config.ts")).configInit,
        parameters: {},
        docs: { brief: "Write .orchestra/config.json with the defaults" },
      }),
      show: buildCommand({
        loader: async () => (await import("./commands/config.ts")).configShow,
        parameters: {},
        docs: { brief: "Show all settings" },
      }),
      set: buildCommand({
        loader: async () => (await import("./commands/config.ts")).configSet,
        parameters: {
          positional: {
            kind: "tuple",
            parameters: [
              {
                brief: "name of the setting",
                placeholder: "key",
                parse: text,
                proposeCompletions: startingWith(async () => {
                  return Object.keys((await import("../settings/config.ts")).CONFIG_ABOUT);
                }),
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

const deps = () =>
  buildRouteMap({
    routes: {
      show: buildCommand({
        loader: async () => (await import("./commands/deps.ts")).depsShow,
        parameters: { positional: { kind: "tuple", parameters: [idArgument] } },
        docs: { brief: "Show what a task waits for, and what waits for it" },
      }),
      graph: buildCommand({
        loader: async () => (await import("./commands/deps.ts")).depsGraph,
        parameters: {
          flags: {
            format: {
              kind: "enum",
              values: ["tree", "mermaid", "dot", "json"],
              optional: true,
              brief: "how to draw it (tree)",
            },
          },
        },
        docs: { brief: "Draw all dependencies" },
      }),
      validate: buildCommand({
        loader: async () => (await import("./commands/deps.ts")).depsValidate,
        parameters: {},
        docs: { brief: "Look for cycles and missing tasks; exit code 1 if there are any" },
      }),
    },
    defaultCommand: "graph",
    docs: { brief: "See dependencies" },
  });

const daemonFlags = {
  maxConcurrent: parsed(integer(1, 1000), "most tasks at once (3)", "n"),
  interval: parsed(duration, "look at least this often (5s)", "time"),
} as const;
const daemonAliases = { c: "maxConcurrent", i: "interval" } as const;

const daemon = () =>
  buildRouteMap({
    routes: {
      run: buildCommand({
        loader: async () => (await import("./commands/daemon.ts")).daemon,
        parameters: {
          flags: {
            ...daemonFlags,
            log: { ...optional("write to .orchestra/daemon.log"), hidden: true },
          },
          aliases: daemonAliases,
        },
        docs: { brief: "Launch and watch over everything, in the foreground" },
      }),
      start: buildCommand({
        loader: async () => (await import("./commands/daemon.ts")).daemonStart,
        parameters: { flags: daemonFlags, aliases: daemonAliases },
        docs: { brief: "Launch and watch over everything, in the background" },
      }),
      stop: buildCommand({
        loader: async () => (await import("./commands/daemon.ts")).daemonStop,
        parameters: {},
        docs: { brief: "Stop the one in the background; agents go on" },
      }),
      status: buildCommand({
        loader: async () => (await import("./commands/daemon.ts")).daemonStatus,
        parameters: {},
        docs: { brief: "Say who watches" },
      }),
      logs: buildCommand({
        loader: async () => (await import("./commands/daemon.ts")).daemonLogs,
        parameters: {
          flags: {
            follow: optional("go on until interrupted"),
            lines: parsed(integer(0), "only the last lines (50)", "n"),
          },
          aliases: { f: "follow", n: "lines" },
        },
        docs: { brief: "Print what the one in the background did" },
      }),
    },
    defaultCommand: "run",
    docs: { brief: "Launch everything as it comes, until stopped" },
  });

const archive = () =>
  buildRouteMap({
    routes: {
      now: buildCommand({
        loader: async () => (await import("./commands/archive.ts")).archive,
        parameters: {
          flags: {
            dryRun: optional("only say what would be archived"),
            force: optional("even if archiving is turned off"),
          },
          aliases: { f: "force" },
        },
        docs: { brief: "Archive what the settings say is old" },
      }),
      list: buildCommand({
        loader: async () => (await import("./commands/archive.ts")).archiveList,
        parameters: {},
        docs: { brief: "List the archived tasks" },
      }),
      restore: buildCommand({
        loader: async () => (await import("./commands/archive.ts")).archiveRestore,
        parameters: { positional: { kind: "tuple", parameters: [archivedIdArgument] } },
        docs: { brief: "Bring an archived task back" },
      }),
      stats: buildCommand({
        loader: async () => (await import("./commands/archive.ts")).archiveStatistics,
        parameters: {},
        docs: { brief: "Say how much is archived" },
      }),
    },
    defaultCommand: "now",
    docs: { brief: "Move old finished tasks out of the way" },
  });

const doctor = () =>
  buildCommand({
    loader: async () => (await import("./commands/doctor.ts")).doctor,
    parameters: { flags: { fix: optional("mend what can lose nothing") } },
    docs: { brief: "Say what is wrong with this workspace" },
  });

const completions = () =>
  buildCommand({
    loader: async () => (await import("./commands/completions.ts")).completions,
    parameters: {
      positional: {
        kind: "tuple",
        parameters: [{
          brief: "bash, zsh or fish",
          placeholder: "shell",
          parse: text,
          proposeCompletions: (partial: string) =>
            ["bash", "zsh", "fish"].filter((item) => item.startsWith(partial)),
        }],
      },
    },
    docs: { brief: "Print the completion script of a shell" },
  });

const upgrade = () =>
  buildCommand({
    loader: async () => (await import("./commands/upgrade.ts")).upgrade,
    parameters: { flags: { check: optional("only look, on JSR; the one thing it can do") } },
    docs: { brief: "Say whether a newer version is out" },
  });

const supervise = () =>
  buildCommand({
    loader: async () => (await import("./commands/run.ts")).superviseInBackground,
    parameters: {
      flags: {
        parallel: { kind: "parsed", parse: integer(1, 1000), brief: "most at once" },
        launch: { kind: "enum", values: ["retries", "all"], brief: "what to launch" },
      },
    },
    docs: { brief: "The supervisor that run leaves behind" },
  });

/** All commands in the groups in which help shows them. */
export const GROUPS: readonly { title: string; commands: readonly string[] }[] = [
  { title: "Queue", commands: ["init", "start", "run", "daemon", "status", "wait"] },
  { title: "Look closer", commands: ["show", "logs", "deps", "agents", "doctor"] },
  { title: "Change", commands: ["cancel", "retry", "timeout", "clean", "archive"] },
  { title: "Set up", commands: ["config", "completions", "upgrade"] },
];

/** An object whose properties are made when they are read. */
function lazily<T extends Record<string, () => unknown>>(
  makers: T,
): { readonly [K in keyof T]: ReturnType<T[K]> } {
  const object = {} as { readonly [K in keyof T]: ReturnType<T[K]> };
  for (const [name, get] of Object.entries(makers)) {
    Object.defineProperty(object, name, { get, enumerable: true });
  }
  return object;
}

/** The commands by name; each is built only when it is read, for start-up waits for it. */
export const ROUTES = lazily({
  init,
  start,
  run,
  status,
  show,
  logs,
  wait,
  cancel,
  retry,
  clean,
  timeout,
  agents,
  config,
  deps,
  daemon,
  archive,
  doctor,
  completions,
  upgrade,
  _supervise: supervise,
});

/** How an error is printed: one or two lines, or one JSON value. */
export function formatError(error: OrchestraError, json: boolean): string {
  if (json) {
    const { code, message, hint } = error;
    return JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } });
  }
  const hint = error.hint === undefined ? "" : `\n  ${printable(error.hint)}`;
  return `orchestra: ${printable(error.message)}${hint}`;
}

/** Options of every command that have a long name. */
export const GLOBAL_OPTIONS = ["json", "no-color", "debug", "help", "version"];

/** What is not there, and what is: thrown through the framework to who may load what compares them. */
export class Misspelt extends Error {
  /**
   * @param kind what was meant
   * @param given how it was spelled
   * @param known what there is
   * @param prefix what belongs before each: `--`, or the command that the others are below
   */
  constructor(
    readonly kind: "command" | "option",
    readonly given: string,
    readonly known: readonly string[],
    readonly prefix: string,
  ) {
    super(`There is no ${kind} ${prefix}${given}`);
  }
}

function noOption(given: string, near: readonly string[]): Misspelt {
  const kebab = near.map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  return new Misspelt("option", given, [...kebab, ...GLOBAL_OPTIONS, "color"], "--");
}

/**
 * The application, for one run of the program.
 *
 * @param options how errors are printed; `words`: the command line, where it is known
 */
export function createApplication(
  options: { json: boolean; debug: boolean; words?: readonly string[] },
): Application<Context> {
  const { words = [] } = options;
  const [only] = words;
  const routes: Partial<typeof ROUTES> = only !== undefined && Object.hasOwn(ROUTES, only)
    ? { [only]: ROUTES[only as keyof typeof ROUTES] }
    : ROUTES;
  const say = (error: unknown) => {
    const known = toOrchestraError(error, "The command could not be carried out");
    const stack = options.debug && error instanceof Error ? `\n${error.stack}` : "";
    return formatError(known, options.json) + stack;
  };
  const usage = (error: unknown): OrchestraError => {
    // The framework wraps what our parsers throw, and names the option or argument itself.
    const inner = error instanceof Error && "exception" in error ? error.exception : error;
    if (inner instanceof OrchestraError) {
      // What a parser looked up and did not find has an exit code of its own.
      if (inner.code !== "usage") throw inner;
      const where = (error as { externalFlagNameOrPlaceholder?: string })
        .externalFlagNameOrPlaceholder;
      return where === undefined ? inner : new OrchestraError(
        inner.code,
        `--${where} ${inner.message}`.replace(
          /^--(id|agent|prompt|time|key|value|shell|filter) /,
          "",
        ),
        { hint: inner.hint },
      );
    }
    if (error instanceof FlagNotFoundError) throw noOption(error.input, error.corrections);
    // The command that is meant where none is named takes no arguments: another one, mistyped.
    const group = only === undefined ? undefined : ROUTES[only as keyof typeof ROUTES];
    if (
      error instanceof UnexpectedPositionalError && error.input === words[1] &&
      group !== undefined && "getAllEntries" in group
    ) {
      const names = group.getAllEntries().map(({ name }) => name.original);
      throw new Misspelt("command", error.input, names, `${only} `);
    }
    return new OrchestraError("usage", text_en.exceptionWhileParsingArguments(error, false), {
      hint: "See the options with --help.",
    });
  };
  return buildApplication(
    buildRouteMap({
      routes: routes as typeof ROUTES,
      docs: {
        brief: "A task queue for command-line AI coding agents",
        hideRoute: routes === ROUTES ? { _supervise: true } : {},
      },
    }),
    {
      name: "orchestra",
      scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
      documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
      completion: { includeAliases: false, includeHiddenRoutes: false },
      localization: {
        text: {
          ...text_en,
          exceptionWhileParsingArguments: (error) => say(usage(error)),
          exceptionWhileLoadingCommandFunction: say,
          exceptionWhileLoadingCommandContext: say,
          exceptionWhileRunningCommand: say,
          commandErrorResult: say,
          noCommandRegisteredForInput: ({ input }) => {
            throw input.startsWith("-")
              ? noOption(input.replace(/^-+/, ""), [])
              : new Misspelt("command", input, GROUPS.flatMap(({ commands }) => commands), "");
          },
        },
      },
      determineExitCode: (error) =>
        toOrchestraError(error, "The command could not be carried out").exitCode,
    },
  );
}
