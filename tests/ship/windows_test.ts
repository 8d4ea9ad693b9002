// What `deno task test:windows` decides, that its processes end with it, and what the gate leaves out
// on Windows.

import {
  afterAgain,
  closingLines,
  endedLate,
  failedTests,
  hangingTest,
  hasPanicked,
  inNamespaces,
  type Machine,
  missing,
  placeFor,
  readResult,
  sumUp,
  testRuns,
} from "../../.ci/windows.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { DENO, execute, ROOT } from "../support/execute.ts";
import { type Missing, needs, ON_LINUX, ON_POSIX, succeeds, test } from "../support/needs.ts";
import { makeFolder, type Outcome, spawn } from "../support/program.ts";

const SCRIPT = `${ROOT}/.ci/windows.ts`;

const MACHINE: Machine = {
  os: "linux",
  arch: "x86_64",
  uid: 0,
  unshares: true,
  ready: false,
  debootstrap: true,
  freeBytes: 5e9,
};

Deno.test("what Windows' tests need and is not here is told, the first of it", () => {
  assertEquals(missing(MACHINE), null);
  const cases: [Partial<Machine>, RegExp][] = [
    [{ os: "darwin", uid: 501 }, /Linux/],
    [{ arch: "aarch64" }, /x64/],
    [{ uid: 1000, unshares: false }, /root/],
    [{ uid: null }, /root/],
    [{ unshares: false }, /unshare/],
    [{ debootstrap: false }, /debootstrap/],
    [{ freeBytes: 3.94e9 }, /4 GB are needed, and 3\.9 GB are free/],
  ];
  for (const [change, reason] of cases) assertMatch(missing({ ...MACHINE, ...change })!, reason);
});

Deno.test("where Wine is there already nothing is asked of the disk, but of the machine", () => {
  const ready = { ...MACHINE, ready: true, debootstrap: false, freeBytes: 0 };
  assertEquals(missing(ready), null);
  assertMatch(missing({ ...ready, unshares: false })!, /unshare/);
});

Deno.test("Wine's place is in the user's cache, or where a variable says", () => {
  const home = { HOME: "/home/ann" };
  assertEquals(placeFor(home), "/home/ann/.cache/orchestra-windows");
  assertEquals(placeFor({ ...home, XDG_CACHE_HOME: "/cache" }), "/cache/orchestra-windows");
  assertEquals(placeFor({ ...home, XDG_CACHE_HOME: "" }), "/home/ann/.cache/orchestra-windows");
  assertEquals(placeFor({ XDG_CACHE_HOME: "/cache", ORCHESTRA_WINDOWS: "/big/wine" }), "/big/wine");
});

Deno.test("all files are run, some of a room at a time, where no file or folder is named", () => {
  const many = Array.from({ length: 9 }, (_, at) => `tests/cli/${at}_test.ts`);
  const files = ["tests/a_test.ts", ...many, "tests/launch/b_test.ts", "tests/launch/c/d_test.ts"];
  const runs = (...given: string[]) =>
    testRuns(given, files).map(({ options, files }) => [...options.slice(5), ...files]);
  const all = [["tests/a_test.ts"], many.slice(0, 8), many.slice(8), files.slice(-2)];
  assertEquals(runs(), all);
  assertEquals(runs("tests/decide", "tests/b_test.ts"), [["tests/decide", "tests/b_test.ts"]]);
  assertEquals(runs("--filter", "a lock"), all.map((it) => ["--filter", "a lock", ...it]));
  assertEquals(runs("--filter=a lock").length, 4);
  assertEquals(runs("--filter", "a lock", "tests/store"), [["--filter", "a lock", "tests/store"]]);
});

Deno.test("what was not run is counted by its reasons, of tests one after the other or side by side", () => {
  const result = readResult(`running 4 tests from ./tests/a_test.ts
one (twice) ... ok (2ms)
two (a part) (not run: this is Windows) ... ignored (0ms)
./tests/b_test.ts => three (not run: zsh (5 or newer) is not here) ... ignored (0ms)\r
./tests/b_test.ts => four (not run: this is Windows) ... ignored (0ms)
./tests/b_test.ts => five ... ignored (0ms)
------- output -------
ok | 7 passed | 0 failed (1s)
----- output end -----
six ... FAILED (1s)

FAILED | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored | 9 filtered out (1s)

error: Test failed
`);
  assertEquals(closingLines(result), [
    "== not run",
    "not run: no reason is given (tests: 1)",
    "not run: this is Windows (tests: 2)",
    "not run: zsh (5 or newer) is not here (tests: 1)",
    "FAILED | 12 passed | 2 failed | 4 not run",
  ]);
  assertEquals(closingLines(readResult("ok | 3 passed | 0 failed (4ms)\n")), [
    "ok | 3 passed | 0 failed | 0 not run",
  ]);
  assertEquals(closingLines(sumUp([result, result, readResult("ok | 3 passed | 0 failed\n")])), [
    "== not run",
    "not run: no reason is given (tests: 2)",
    "not run: this is Windows (tests: 4)",
    "not run: zsh (5 or newer) is not here (tests: 2)",
    "FAILED | 27 passed | 4 failed | 8 not run",
  ]);
});

Deno.test("what failed is run again alone, and what passes then is named", () => {
  const output = `./tests/a_test.ts => one ... ok (2ms)
./tests/cli/b_test.ts => it's => two ... FAILED (2ms)
./tests/cli/b_test.ts => three ... FAILED (1m2s)

 FAILURES 

it's => two => ./tests/support/needs.ts:14:8
three => ./tests/cli/b_test.ts:9:14

FAILED | 1 passed | 2 failed (1s)
`;
  const failed = failedTests(output);
  assertEquals(failed, [
    { file: "tests/cli/b_test.ts", name: "it's => two" },
    { file: "tests/cli/b_test.ts", name: "three" },
  ]);
  const first = readResult(output);
  const names = failed.map(({ name }) => name);
  assertEquals(
    closingLines(sumUp([afterAgain(first, names, readResult("ok | 9 passed | 0 failed"))])),
    [
      "passed only when it was run again: it's => two",
      "passed only when it was run again: three",
      "ok | 3 passed | 0 failed | 0 not run",
    ],
  );
  assertEquals(afterAgain(first, names, readResult("FAILED | 8 passed | 1 failed")), first);
  // Where nothing was run again nothing has passed.
  assertEquals(afterAgain(first, names, readResult("ok | 0 passed | 0 failed")), first);
});

Deno.test("what failed is found by its file where one is run after the other", () => {
  const output = `running 2 tests from ./tests/a_test.ts
one ... ok (2ms)
two ... FAILED (2ms)
running 2 tests from ./tests/cli/b_test.ts
three ...
  a step ... FAILED (1ms)
three ... FAILED (due to 1 failed step) (5ms)
four ... ok (5ms)
`;
  assertEquals(failedTests(output), [
    { file: "tests/a_test.ts", name: "two" },
    { file: "tests/cli/b_test.ts", name: "three" },
  ]);
});

Deno.test("a test that does not end is found, and counted with what was run before it", () => {
  const begun = `./tests/a_test.ts => one ... ok (2ms)
./tests/a_test.ts => two ... FAILED (2ms)
./tests/a_test.ts => three (not run: this is Windows) ... ignored (0ms)
'it's four' has been running for over (4m0s)
`;
  assertEquals(hangingTest(begun), null);
  assertEquals(hangingTest(`${begun}'it's four' has been running for over (8m0s)\n`), "it's four");
  assertEquals(closingLines(readResult(begun)).at(-1), "FAILED | 1 passed | 2 failed | 1 not run");
});

Deno.test("a panic of Deno's own is one that kept the tests from their end", () => {
  const panic = "Deno has panicked. This is a bug in Deno. Please report this\n";
  const begun = "running 1 test from ./tests/a_test.ts\none ...\n====\n";
  assertEquals(hasPanicked(begun + panic), true);
  assertEquals(hasPanicked(begun), false);
  // Of a program that a test started.
  assertEquals(
    hasPanicked(`${begun}${panic}one ... FAILED\n\nFAILED | 0 passed | 1 failed\n`),
    false,
  );
});

Deno.test("what no time was left for is named, and is no failure but for what failed before", () => {
  const begun = `./tests/a_test.ts => one ... ok (2ms)
./tests/a_test.ts => two (not run: this is Windows) ... ignored (0ms)
`;
  const late = endedLate(begun, "tests/a_test.ts to tests/h_test.ts");
  assertEquals(closingLines(sumUp([late, readResult("ok | 3 passed | 0 failed\n")])), [
    "== not run",
    "not run: this is Windows (tests: 1)",
    "no time was left: tests/a_test.ts to tests/h_test.ts",
    "ok | 4 passed | 0 failed | 1 not run",
  ]);
  const failing = endedLate(`${begun}./tests/a_test.ts => three ... FAILED (2ms)\n`, "a");
  assertEquals(closingLines(failing).at(-1), "FAILED | 1 passed | 1 failed | 1 not run");
});

Deno.test("where tools are missing Windows' tests are not run, which is no failure", async () => {
  const env = { PATH: "/nonexistent" };
  const { code, stdout } = await execute(DENO, ["run", "-A", "--quiet", SCRIPT], { env });
  assertMatch(stdout, /^not run: .+\n$/);
  assertEquals(code, 0);
});

const BASH = ON_POSIX ?? needs("bash");
const NAMESPACES: Missing = ON_LINUX ??
  (succeeds("unshare", "--mount", "--pid", "--fork", "true") ? null : "only root may unshare here");

test(
  "everything that runs for Windows ends with who started it, even if that is killed",
  NAMESPACES,
  async () => {
    const code = `import { inNamespaces } from ${JSON.stringify(`file://${SCRIPT}`)};
    const script = "trap : HUP INT TERM; setsid sleep 1000 & echo begun; sleep 1000; sleep 1000";
    await inNamespaces(script, [], "/", (chunk) => Deno.stdout.writeSync(chunk));`;
    await using live = spawn(DENO, ["eval", code], {});
    await live.printed((text) => text === "begun\n");
    live.kill("SIGKILL");
    // Its stderr is theirs too: it has ended when the last of them has.
    await live.ended();
  },
);

test("what runs for Windows is ended when it may not go on", NAMESPACES, async () => {
  const script = "trap : TERM; setsid sleep 1000 & echo begun; sleep 1000; sleep 1000";
  const end = new AbortController();
  const { success, output } = await inNamespaces(script, [], "/", () => end.abort(), end.signal);
  assertEquals({ success, output }, { success: false, output: "begun\n" });
});

/** Runs `.ci/run` with a Deno that only says what was asked of it, or what a set of tests would. */
async function runGate(env: Record<string, string>): Promise<Outcome> {
  await using folder = await makeFolder();
  const deno = `case "$*" in
  eval*) echo 2.9.6 ;;
  "task test") echo "one (not run: zsh is not here) ... ignored (0ms)"
    printf "not run: said by a test\\nok | 3 passed | 0 failed | 1 ignored (1s)\\n" ;;
  "task test:slow") echo "not run: its disk is not here" ;;
  "task test:windows") echo "two (not run: this is Windows) ... ignored (0ms)"
    printf "ok | 1 passed | 0 failed (1s)\\nno time was left: a to b\\nok | 5 passed | 0 failed | 1 not run\\n" ;;
  "task test:web") [ "$BROKEN" = 0 ] && echo "ok | 4 passed | 0 failed (1s)" && exit
    printf "\\n ERRORS \\n\\na => b => ./tests/a.ts:4:6\\nerror: Error: no\\n\\n    at x\\n  throw it\\n        ^\\n"
    printf "\\n FAILURES \\n\\na => b => ./tests/a.ts:4:6\\n\\n"
    printf "\\n ERRORS \\n\\nc => ./tests/c.ts:4:6\\nerror: Error: now and then\\n\\n FAILURES \\n"
    echo "passed only when it was run again: c"
    echo "FAILED | 4 passed | $BROKEN failed (1s)"; exit 1 ;;
esac`;
  // Nobody may install anything here.
  for (const [name, code] of Object.entries({ deno, id: "echo 1000" })) {
    Deno.writeTextFileSync(`${folder.path}/${name}`, `#!/bin/sh\n${code}\n`, { mode: 0o755 });
  }
  const path = `${folder.path}:${Deno.env.get("PATH")}`;
  return await execute("bash", [`${ROOT}/.ci/run`], { env: { ...env, PATH: path } });
}

test("a set of tests that cannot be run is told apart from one that fails", BASH, async () => {
  const { code, stdout } = await runGate({ BROKEN: "0" });
  assertEquals(stdout.split("\n").slice(-7), [
    "== not run",
    "not run: test:slow: its disk is not here",
    "not run: test:windows: no time was left: a to b",
    "not run by Wine: this is Windows (tests: 1)",
    "not run: zsh is not here (tests: 1)",
    "12 passed, 0 failed",
    "",
  ]);
  assertEquals(code, 0);
  const broken = await runGate({ BROKEN: "2" });
  assertEquals(broken.stdout.split("\n").slice(-7), [
    "== errors",
    "test:web: a => b => ./tests/a.ts:4:6",
    "  error: Error: no",
    "== what failed",
    "test:web: a => b => ./tests/a.ts:4:6",
    "12 passed, 2 failed",
    "",
  ]);
  assertEquals(broken.code, 1);
});

test("on Windows the gate leaves out what is for a shell and a browser", BASH, async () => {
  const { code, stdout } = await runGate({ OS: "Windows_NT", BROKEN: "2" });
  assertEquals(stdout.split("\n").slice(-6), [
    "== not run",
    "not run: test:slow: this is Windows",
    "not run: test:web: this is Windows",
    "not run: zsh is not here (tests: 1)",
    "3 passed, 0 failed",
    "",
  ]);
  assertEquals(code, 0);
});
