// What is wrong with a workspace: found from facts, and told in the same words as ever.

import type { Contents, Place } from "../../lib/decide/cleaning.ts";
import type { BranchFacts } from "../../lib/decide/diagnose_branches.ts";
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

Deno.test("what is left of tasks in git is named, and who is at work is let be", () => {
  const contents: Contents = {
    changed: 0,
    untracked: 0,
    operation: null,
    submodules: false,
    nested: [],
    locked: null,
    gitLocks: [],
    branch: null,
    loose: false,
    users: [],
  };
  const place = (change: Partial<Place> = {}): Place => ({
    owner: { kind: "rest" },
    branch: "orchestra/x",
    folder: { kind: "there", contents },
    way: "ancestor",
    elsewhere: null,
    isTarget: false,
    ...change,
  });
  const one = (number: number, change: Partial<Place>, hasTask = true) => ({
    taskId: idOf(number),
    hasTask,
    path: `/w/${number}`,
    place: place(change),
  });
  const now = HEALTHY.now;
  const branches: BranchFacts = {
    problem: null,
    places: [
      one(1, {}),
      one(2, {
        folder: { kind: "half", contents },
        owner: { kind: "active", taskId: idOf(2), status: "running" },
      }),
      one(3, { owner: { kind: "other", root: "/v" } }, false),
      one(4, { owner: { kind: "none" } }, false),
      one(5, { folder: { kind: "none" } }, false),
      one(6, { folder: { kind: "half", contents } }),
      one(7, { folder: { kind: "gone", contents } }),
      one(8, { folder: { kind: "gone", contents: { ...contents, loose: true } } }),
      one(9, { folder: { kind: "foreign", problem: "a link stands in its place" } }),
    ],
    merge: { branch: "main", tasks: [idOf(1), idOf(2)] },
    locks: [
      { path: "/r/.git/index.lock", since: now - 3_600_000, killed: false, left: true },
      { path: "/r/.git/HEAD.lock", since: now - 1000, killed: true, left: false },
      { path: "/r/.git/config.lock", since: now - 1000, killed: false, left: false },
    ],
  };
  const fix = "It is mended by: orchestra doctor --fix";
  assertEquals(told({ branches }), [
    [
      ...["warning", "merge-half", "main", true],
      `A merge of ${idOf(1)}, ${idOf(2)} into main was interrupted: ` +
      "files that it brought may be there, and others not",
      `${fix}, or by the next orchestra merge`,
    ],
    [
      ...["warning", "worktree-orphan", idOf(4), false],
      `The worktree /w/4 is left of ${idOf(4)}, and there is no such task`,
      `What it has is kept as a backup: orchestra clean --worktrees --force ${idOf(4)}`,
    ],
    [
      ...["warning", "branch-orphan", idOf(5), true],
      `The branch orchestra/x is left of ${idOf(5)}, and there is no such task`,
      fix,
    ],
    [
      ...["warning", "worktree-half", idOf(6), true],
      "The worktree /w/6 lacks files: who made or removed it was killed",
      fix,
    ],
    [
      ...["warning", "worktree-gone", idOf(7), true],
      `The worktree /w/7 of ${idOf(7)} is gone, and git does not know`,
      fix,
    ],
    [
      ...["warning", "worktree-gone", idOf(8), false],
      `The worktree /w/8 of ${idOf(8)} is gone, and git does not know`,
      "See why it stays with: orchestra worktrees",
    ],
    [
      ...["warning", "worktree-foreign", idOf(9), false],
      `/w/9 is not the worktree of ${idOf(9)}: a link stands in its place`,
      "Orchestra does not touch it; mend it, or move it out of the way.",
    ],
    [
      ...["warning", "git-lock", "/r/.git/index.lock", true],
      "/r/.git/index.lock is a lock of git's, 1h00m old",
      "Nobody can have it any more: orchestra doctor --fix",
    ],
    [
      ...["warning", "git-lock", "/r/.git/HEAD.lock", false],
      "/r/.git/HEAD.lock is a lock of git's, 1s old",
      "Who has it cannot be seen from here. Where you know that no git runs there, remove it.",
    ],
  ]);
  assertEquals(told({ branches: { ...branches, problem: "no git" } }), [[
    ...["warning", "worktrees-unseen", "worktrees", false],
    "How it stands with the branches and worktrees of tasks: no git",
    "See what git says in the workspace: git worktree list",
  ]]);
});
