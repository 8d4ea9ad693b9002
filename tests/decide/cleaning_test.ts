// What may go of branches and worktrees, over every pair of reasons; and when a lock is nobody's.

import {
  type Contents,
  decideCleaning,
  type Folder,
  isStale,
  type LockFacts,
  type Owner,
  ownerOf,
  type Place,
  STALE_AFTER,
} from "../../lib/decide/cleaning.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { assertEquals } from "../support/assert.ts";
import { idOf, task } from "../support/queues.ts";

const CLEAN: Contents = {
  changed: 0,
  untracked: 0,
  operation: null,
  submodules: false,
  nested: [],
  locked: null,
  gitLocks: [],
  branch: "orchestra/a",
  loose: false,
  users: [],
};
const PLACE: Place = {
  owner: { kind: "rest" },
  branch: "orchestra/a",
  folder: { kind: "there", contents: CLEAN },
  way: "ancestor",
  elsewhere: null,
  isTarget: false,
};

function word(place: Place, forced: boolean): string {
  const cleaning = decideCleaning(place, forced);
  return cleaning.kind === "remove" ? "remove" : cleaning.why.code;
}

const inside = (contents: Partial<Contents>): Partial<Place> => ({
  folder: { kind: "there", contents: { ...CLEAN, ...contents } },
});

/** Reasons that no name overcomes. */
const NEVER: readonly [code: string, change: Partial<Place>][] = [
  ["active", { owner: { kind: "active", taskId: "task_1", status: "running" } }],
  ["needed", { owner: { kind: "needed", by: "task_2" } }],
  ["unreadable", { owner: { kind: "unreadable" } }],
  ["other-workspace", { owner: { kind: "other", root: "/w" } }],
  ["elsewhere", { elsewhere: "/mine" }],
  ["target", { isTarget: true }],
  ["foreign", { folder: { kind: "foreign", problem: "a link" } }],
  ["unseen", { folder: { kind: "unseen", problem: "no" } }],
  ["locked", inside({ locked: "" })],
  ["submodules", inside({ submodules: true })],
  ["nested", inside({ nested: ["x"] })],
  ["git-locks", inside({ gitLocks: ["index.lock"] })],
  ["in-use", inside({ users: [7] })],
];

/** Reasons for which it must be asked for by name. */
const BY_NAME: readonly [code: string, change: Partial<Place>][] = [
  ["no-task", { owner: { kind: "none" } }],
  ["operation", inside({ operation: "merge" })],
  ["changed", inside({ changed: 1 })],
  ["changed", inside({ untracked: 1 })],
  ["loose", inside({ loose: true })],
  ["other-branch", inside({ branch: "feature" })],
  ["not-integrated", { way: null }],
];

Deno.test("what is integrated, clean and of a task at rest goes by itself", () => {
  const folders: Folder[] = [
    { kind: "none" },
    { kind: "gone", contents: CLEAN },
    { kind: "half", contents: { ...CLEAN, changed: 9, untracked: 9 } },
    { kind: "there", contents: CLEAN },
    { kind: "there", contents: { ...CLEAN, branch: null } },
  ];
  for (const folder of folders) {
    assertEquals(word({ ...PLACE, folder }, false), "remove", folder.kind);
    assertEquals(word({ ...PLACE, folder, branch: null, way: null }, false), "remove", folder.kind);
  }
});

Deno.test("a reason to stay holds whatever else there is, and a name overcomes only what is kept", () => {
  for (const [code, change] of NEVER) {
    for (const forced of [false, true]) {
      assertEquals(word({ ...PLACE, ...change }, forced), code);
      for (const [, other] of BY_NAME) {
        assertEquals(word({ ...PLACE, ...other, ...change }, forced), code);
      }
    }
  }
  for (const [code, change] of BY_NAME) {
    assertEquals(word({ ...PLACE, ...change }, false), code);
    assertEquals(word({ ...PLACE, ...change }, true), "remove", code);
    const cleaning = decideCleaning({ ...PLACE, ...change }, false);
    assertEquals(cleaning.kind === "keep" && cleaning.forcible, true);
  }
});

Deno.test("ownerOf tells who holds a branch: its task, a retry, whoever builds on it, or nobody", () => {
  const git = {
    branch: "orchestra/x",
    path: "/w/x",
    base: "a".repeat(40),
    folder: "",
    tip: null,
    files: null,
    insertions: null,
    deletions: null,
    left: null,
  };
  const done = task(1, { status: "complete", git });
  const owner = (
    tasks: ReturnType<typeof task>[],
    over: Partial<Parameters<typeof ownerOf>[2]> = {},
  ): Owner =>
    ownerOf([idOf(1)], git.branch, {
      tasks,
      index: indexTasks(tasks),
      damaged: new Set(),
      isOver: () => false,
      rootOf: () => undefined,
      ...over,
    });
  assertEquals(owner([done]), { kind: "rest" });
  for (
    const change of [
      { status: "pending" },
      { status: "running" },
      { status: "failed", retryAt: "2026-03-04T12:00:00.000Z" },
      { status: "failed", reapAt: "2026-03-04T12:00:00.000Z" },
    ] as const
  ) assertEquals(owner([{ ...done, ...change }]).kind, "active", JSON.stringify(change));
  // A retry, which has not begun; and one that goes on in the branch though nothing leads to it.
  const failed = task(1, { status: "failed", git, retriedBy: idOf(2) });
  assertEquals(owner([failed, task(2, { parentTaskId: idOf(1) })]).kind, "active");
  assertEquals(owner([done, task(3, { status: "running", git })]).kind, "active");
  // Built on: itself, or what it is a retry of.
  assertEquals(owner([done, task(4, { dependsOn: [idOf(1)] })]), { kind: "needed", by: idOf(4) });
  assertEquals(
    owner([
      task(0, { status: "failed", retriedBy: idOf(1) }),
      { ...done, parentTaskId: idOf(0) },
      task(4, { dependsOn: [idOf(0)] }),
    ]),
    { kind: "needed", by: idOf(4) },
  );
  assertEquals(owner([done, task(4, { status: "complete", dependsOn: [idOf(1)] })]).kind, "rest");
  // Not among them.
  assertEquals(owner([]), { kind: "none" });
  assertEquals(owner([], { isOver: () => true }), { kind: "rest" });
  assertEquals(owner([], { rootOf: () => "/w" }), { kind: "other", root: "/w" });
  assertEquals(owner([done], { damaged: new Set([idOf(1)]) }), { kind: "unreadable" });
});

Deno.test("a lock is nobody's only when it is old, and all who could have it are seen and have not", () => {
  const now = 1e12;
  const left: LockFacts = {
    now,
    since: now - STALE_AFTER - 1,
    gits: [],
    holders: [],
    local: true,
  };
  assertEquals(isStale(left), true);
  assertEquals(isStale({ ...left, gits: [now - 1000] }), true, "a git that began since");
  const changes: Partial<LockFacts>[] = [
    { since: now - STALE_AFTER },
    // A file that changed hands, or a clock that was set back.
    { since: now + 1 },
    { since: Infinity },
    { gits: null },
    { gits: [now - 1000, left.since - 1] },
    { gits: [left.since + 1000] },
    { holders: null },
    { holders: [7] },
    { local: null },
    { local: false },
  ];
  for (const change of changes) {
    assertEquals(isStale({ ...left, ...change }), false, JSON.stringify(change));
  }
});
