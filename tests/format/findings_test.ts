// What is wrong with a workspace: found from facts, and told in the same words as ever.

import { diagnose, type Facts, LOW_DISK } from "../../lib/decide/diagnose.ts";
import { formatFinding } from "../../lib/format/findings.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import { assertEquals } from "../support/assert.ts";

const HEALTHY: Facts = {
  tasks: [],
  damaged: [],
  marks: new Map(),
  strays: [],
  processes: new Map(),
  agents: [{ name: "shell", problem: null, command: "sh", found: true }],
  watched: true,
  stoppedWatcher: null,
  watchProblem: null,
  history: { missing: [], damaged: 0 },
  pipes: [],
  localLocks: null,
  now: 86_400_000,
  freeBytes: LOW_DISK,
  open: [],
  configProblems: [],
  unusedSettings: [],
  untold: [],
  subscriberProblems: [],
};
const SETTINGS = ["archive.enabled", "interval"];
const idOf = (number: number) => `task_${1_772_625_600_000 + number}`;

function task(number: number, change: Partial<Task> = {}): Task {
  return { ...newTask(idOf(number), { agent: "shell", prompt: "x" }, 0), ...change };
}

function told(facts: Partial<Facts>) {
  return diagnose({ ...HEALTHY, ...facts }).map((finding) => {
    const { level, code, fixable, subject, message, remedy } = formatFinding(finding, SETTINGS);
    return [level, code, subject, fixable, message, remedy];
  });
}

Deno.test("a workspace in order has no findings", () => {
  const running = task(1, { status: "running", claim: 2 });
  assertEquals(told({}), []);
  assertEquals(
    told({
      tasks: [running, task(2, { status: "complete" }), task(3)],
      marks: new Map([[idOf(1), ["1.pid", "2.pid"]], [idOf(2), ["done"]], [idOf(9), ["note"]]]),
      processes: new Map([[idOf(1), [7, 8]]]),
      agents: [...HEALTHY.agents!, { name: "x", problem: null, command: "x", found: true }],
    }),
    [],
  );
});

Deno.test("what cannot work comes first, and says how to mend it", () => {
  const agents: Facts["agents"] = [
    { name: "bad", problem: "args must be a list", command: null, found: false },
    { name: "idle", problem: null, command: "idle", found: false },
    { name: "shell", problem: null, command: "sh", found: false },
    { name: "remote", problem: null, command: "x", found: null },
  ];
  const tasks = [task(1), task(2, { agent: "gone" })];
  const mend = "Mend its entry in .orchestra-cli/agent-config.json.";
  const install = "Install it, or take the agent out of .orchestra-cli/agent-config.json.";
  assertEquals(
    told({ tasks, agents, configProblems: ["it is not JSON"], freeBytes: LOW_DISK - 1 }),
    [
      ...[
        [
          "settings",
          ".orchestra/config.json",
          "it is not JSON",
          "Mend the file; no agent can be launched before.",
        ],
        [
          "low-disk",
          ".orchestra",
          "Only 199 MB are free on the disk",
          "Free some space: a full disk stops the queue, though nothing is lost.",
        ],
        ["agent-broken", "bad", 'Agent "bad": args must be a list', mend],
        ["agent-missing", "shell", 'Agent "shell": there is no sh on PATH', install],
        [
          "agent-unknown",
          "gone",
          'Tasks wait for agent "gone", which is not in .orchestra-cli/agent-config.json',
          "Add it, or cancel these tasks.",
        ],
      ].map(([code, subject, message, remedy]) => ["error", code, subject, false, message, remedy]),
      [
        ...["warning", "agent-missing", "idle", false],
        ...['Agent "idle": there is no idle on PATH', install],
      ],
      [
        ...["warning", "agent-on-server", "remote", false],
        'Agent "remote": its program is on a server, and was not looked at: that server would be told who you are',
        "Where you do not know that server, take the agent out of .orchestra-cli/agent-config.json: " +
        "a task for it calls the server.",
      ],
    ],
  );
});

Deno.test("what may surprise is told with what is known of it", () => {
  const tasks = [
    task(1, { status: "running", claim: 1 }),
    task(2, { status: "complete", completedAt: "1970-01-03T01:00:00.000Z" }),
    task(3, { status: "failed", reapAt: "2026-03-04T12:00:00.000Z" }),
  ];
  const facts: Partial<Facts> = {
    tasks,
    watched: false,
    damaged: [{ file: `.orchestra/tasks/${idOf(7)}.json`, problem: "is empty" }],
    marks: new Map([
      [idOf(7), ["done"]],
      [idOf(8), ["done", "1.pid", "note", "x.tmp"]],
    ]),
    processes: new Map([[idOf(2), [5]], [idOf(3), [6]], [idOf(9), [7]]]),
    strays: [".orchestra/a.5.tmp"],
    open: [".orchestra"],
    watchProblem: "no more watches",
    history: { missing: [1, 2], damaged: 1 },
    pipes: [".orchestra/tasks/x"],
    localLocks: "nfs",
    unusedSettings: [{ kind: "unknown-key", key: "intervall" }],
    untold: [{ name: "chat", problem: "answered 404" }],
    subscriberProblems: [{ problem: "They are not approved", unapproved: true }],
  };
  const leave = "An agent may have left a server behind on purpose; if not, end them with: " +
    "orchestra doctor --fix";
  assertEquals(told(facts), [
    [
      ...["error", "damaged-file", `.orchestra/tasks/${idOf(7)}.json`, false],
      `.orchestra/tasks/${idOf(7)}.json is empty`,
      "Mend it by hand, or move it away; the other tasks are not touched by it.",
    ],
    [
      ...["warning", "setting-unused", ".orchestra/config.json", false],
      '.orchestra/config.json: there is no setting "intervall"; it is left out of account ' +
      '(did you mean "interval"?)',
      "Take it out of the file, or spell it right: orchestra config show",
    ],
    [
      ...["warning", "unwatched", idOf(1), true],
      "2 running, and nobody watches over them",
      "A supervisor takes over with: orchestra status",
    ],
    [
      ...["warning", "stale-claim", idOf(1), true],
      `${idOf(1)} was claimed, but its launch never came`,
      "The next look takes it back to pending.",
    ],
    [
      ...["warning", "clock", idOf(2), false],
      `${idOf(2)} has a time ahead of the clock, by 1d01h at most (${idOf(2)})`,
      "Was the clock set back? A wait that is to last more than 31 days is not believed.",
    ],
    [
      ...["warning", "orphan", idOf(2), true],
      `1 process of ${idOf(2)} still run (pid 5), though it is complete`,
      leave,
    ],
    [
      ...["warning", "orphan", idOf(9), true],
      `1 process of ${idOf(9)} still run (pid 7), and there is no such task`,
      leave,
    ],
    [
      ...["warning", "history-gap", ".orchestra/history.jsonl", true],
      "2 things that happened to tasks are not in the history",
      "A power cut, or an older program. Their files still tell: orchestra doctor --fix",
    ],
    [
      ...["warning", "history-damaged", ".orchestra/history.jsonl", false],
      "1 line of the history is damaged",
      "They are passed over; what is wrong with them can be seen in the file alone.",
    ],
    [
      ...["warning", "sentinel-without-task", idOf(8), true],
      `${idOf(8)}.done, ${idOf(8)}.1.pid: there is no such task`,
      "They are of no use and can be removed.",
    ],
    [
      ...["warning", "left-over", ".orchestra/a.5.tmp", true],
      ".orchestra/a.5.tmp was left behind by a process that was killed",
      "It can be removed.",
    ],
    [
      ...["warning", "open-to-others", ".orchestra", true],
      ".orchestra can be read by others on this machine",
      "Close it with: chmod go= .orchestra",
    ],
    [
      ...["warning", "pipe", ".orchestra/tasks/x", false],
      ".orchestra/tasks/x is a pipe: who watches the folder may be told of changes late",
      "Remove it: rm .orchestra/tasks/x",
    ],
    [
      ...["warning", "local-locks", ".orchestra", false],
      "Locks on the file system of .orchestra (nfs) hold on one machine only",
      "Use the workspace from one machine, or mount it so that locks are common.",
    ],
    [
      ...["warning", "no-watcher", ".orchestra/tasks", false],
      "The system does not let us watch the folder: no more watches",
      "Changes are seen by rescans alone; on Linux raise fs.inotify.max_user_watches.",
    ],
    [
      ...["warning", "subscribers", "webhooks", false],
      "They are not approved",
      "See and approve them with: orchestra trust --commands",
    ],
    [
      ...["warning", "subscriber", "chat", false],
      "chat is not told of what happens: answered 404",
      "See what came of it with: orchestra webhooks log chat",
    ],
  ]);
});
