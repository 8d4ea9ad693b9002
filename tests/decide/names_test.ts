// What a person types for a task: full ids, their ends, keys, @last.

import fc from "fast-check";
import {
  endsOfFew,
  keyTasks,
  type Known,
  nameTasks,
  resolveName,
  shortestEnds,
} from "../../lib/decide/names.ts";
import { isIdEnd, isKey } from "../../lib/task/id.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

function known(ids: readonly string[], tasks: readonly Task[] = []): Known {
  return { ids: () => ids, keyed: (key) => tasks.filter((task) => task.key === key) };
}

/** Nobody may ask. */
const UNASKED: Known = {
  ids: () => {
    throw new Error("the folder was listed");
  },
  keyed: () => {
    throw new Error("all tasks were read");
  },
};

const OLD = "task_1772625600612";
const YOUNG = "task_1772625610612";
const OTHER = "task_1772625600999";

Deno.test("a full id is taken as it is, and nothing is looked up for it", () => {
  assertEquals(resolveName(OLD, UNASKED), { id: OLD });
});

Deno.test("the end of an id needs a listing and no look at the tasks, a key the reverse", () => {
  const { ids, keyed } = known([OLD, OTHER], [newTask(OTHER, keyedWish("build"), 0)]);
  assertEquals(resolveName("612", { ...UNASKED, ids }), { id: OLD });
  assertEquals(resolveName("build", { ...UNASKED, keyed }), { id: OTHER });
});

Deno.test("an end that several ids have names them all, and all its digits mean that one", () => {
  assertEquals(resolveName("612", known([YOUNG, OLD, OTHER])), {
    problem: { kind: "ambiguous", name: "612", ids: [OLD, YOUNG] },
  });
  assertEquals(resolveName("00612", known([YOUNG, OLD, OTHER])), { id: OLD });
  const short = "task_2625600612";
  assertEquals(resolveName("2625600612", known([OLD, short])), { id: short });
  assertEquals(resolveName("777", known([OLD])), { problem: { kind: "unknown", name: "777" } });
});

Deno.test("@last is the youngest, by the number and not by the text", () => {
  assertEquals(
    resolveName("@last", known([OLD, "task_99999999999999", YOUNG, "task_9999999999"])),
    {
      id: "task_99999999999999",
    },
  );
  assertEquals(resolveName("@last", known([])), { problem: { kind: "unknown", name: "@last" } });
});

function keyedWish(key: string) {
  return { agent: "a", prompt: "p", key };
}

Deno.test("a key means the latest attempt of its chain; two chains with one key are named", () => {
  const first = { ...newTask(OLD, keyedWish("build"), 0), retriedBy: OTHER };
  const second: Task = {
    ...newTask(OTHER, keyedWish("build"), 1),
    parentTaskId: OLD,
    retryHistory: [{ attempt: 1, timestamp: "", error: null, retriedFrom: OLD }],
  };
  assertEquals(resolveName("build", known([], [first, second])), { id: OTHER });
  // Whoever queued the retry died before it was named in the first.
  assertEquals(resolveName("build", known([], [{ ...first, retriedBy: null }, second])), {
    id: OTHER,
  });
  const stranger = newTask(YOUNG, keyedWish("build"), 2);
  assertEquals(resolveName("build", known([], [first, second, stranger])), {
    problem: { kind: "ambiguous", name: "build", ids: [OTHER, YOUNG] },
  });
  assertEquals(resolveName("tset", known([])), { problem: { kind: "unknown", name: "tset" } });
});

Deno.test("what can be no name is told apart from what nobody is called", () => {
  for (const name of ["", "..", "../x", "task_1", "@lats", "a,b", "a\nb", "-x", " x", "x ", "*"]) {
    assertEquals(resolveName(name, UNASKED), { problem: { kind: "no-name", name } }, name);
  }
});

Deno.test("no text is both a key and the end of an id", () => {
  fc.assert(fc.property(
    fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9@_a.-]{0,24}$/)),
    (text) => assert(!(isKey(text) && isIdEnd(text))),
  ));
  for (const key of ["1", "12", "a", "build", "build 2", "docs/a.md", "日本語", "v1.2", "2024-a"]) {
    assert(isKey(key), key);
  }
});

Deno.test("the shortest end of each id is taken for it, and a shorter one is not", () => {
  const id = fc.oneof(
    fc.integer({ min: 1_000_000_000, max: 1_000_002_000 }),
    fc.integer({ min: 1_000_000_000, max: 9_999_999_999_999 }),
    fc.constantFrom(1_612_000_000_000, 2_000_000_000, 12_000_000_000),
  ).map((number) => `task_${number}`);
  fc.assert(fc.property(fc.uniqueArray(id, { maxLength: 60 }), (ids) => {
    const ends = shortestEnds(ids);
    assertEquals([...ends.keys()].sort(), [...ids].sort());
    for (const [id, end] of ends) {
      assertEquals(resolveName(end, known(ids)), { id });
      if (end.length === 3) continue;
      const shorter = resolveName(end.slice(1), known(ids));
      assert("problem" in shorter || shorter.id !== id);
    }
  }));
});

Deno.test("the shortest ends of a hundred thousand ids take a few looks at each", () => {
  const ids = Array.from({ length: 100_000 }, (_, at) => `task_${1_772_625_600_000 + at}`);
  const ends = shortestEnds(ids);
  assertEquals(ends.get(ids[7]!), "00007");
});

Deno.test("the ends of some ids are the same ones as among the ends of all", () => {
  const ids = fc.uniqueArray(
    fc.oneof(
      fc.integer({ min: 0, max: 3000 }).map((at) => 1_772_625_600_000 + at),
      fc.integer({ min: 0, max: 3000 }).map((at) => 1_772_625_600_000 + at * 1000),
      fc.integer({ min: 1_000_000_000, max: 9_999_999_999_999 }),
      fc.constantFrom(2_625_600_000, 12_625_600_000, 112_625_600_000, 1_112_625_600_000),
    ),
    { minLength: 1, maxLength: 300 },
  ).map((list) => list.map((number) => `task_${number}`));
  fc.assert(fc.property(ids, fc.nat(), fc.nat({ max: 30 }), (all, from, count) => {
    const whole = shortestEnds(all);
    const start = from % all.length;
    const some = all.slice(start, start + count);
    const unknown = `task_${9_999_999_999_999 - from}`;
    const wanted = all.includes(unknown) ? some : [unknown, ...some, ...some];
    assertEquals(
      endsOfFew(all.map((taskId) => ({ taskId })), wanted),
      new Map(some.map((id) => [id, whole.get(id)!])),
    );
  }));
});

Deno.test("what is not among the tasks has no end, be it the end of one that is", () => {
  // Nor does it make the end of one that is any longer.
  const unknown = "task_9999999999612";
  assertEquals(endsOfFew([{ taskId: OLD }], [unknown, OLD]), new Map([[OLD, "612"]]));
  assertEquals(endsOfFew([{ taskId: OLD }], ["task_2625600612"]), new Map());
  assertEquals(
    endsOfFew([OLD, "task_2625600612"].map((taskId) => ({ taskId })), ["task_11772625600612"]),
    new Map(),
  );
  assertEquals(nameTasks([]).end(OLD), undefined);
});

Deno.test("names are a key, an end of an id, or all of it, and cost nothing before they are asked", () => {
  const tasks = [
    newTask(OLD, keyedWish("build"), 0),
    newTask(YOUNG, { agent: "a", prompt: "p" }, 0),
  ];
  const names = nameTasks(tasks, () => [OLD, YOUNG], [{ taskId: OTHER }]);
  assertEquals([names.end(OLD), names.end(YOUNG), names.end(OTHER)], ["00612", "10612", undefined]);
  assertEquals([names.call(OLD), names.call(YOUNG), names.call(OTHER)], ["build", "10612", OTHER]);
  const { call } = keyTasks(tasks);
  assertEquals([call(OLD), call(YOUNG)], ["build", YOUNG]);
  const unasked = () => {
    throw new Error("somebody asked");
  };
  nameTasks([{
    get taskId(): string {
      return unasked();
    },
  } as Task], unasked);
});
