// What the program says of itself: help, and suggestions for what is misspelt.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable, makeBox, makeFolder, runProgram } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

/** Every command, for what must hold of all. */
const COMMANDS = [
  ["init"],
  ["start"],
  ["run"],
  ["status"],
  ["wait"],
  ["show"],
  ["logs"],
  ["agents"],
  ["agents", "list"],
  ["agents", "check"],
  ["cancel"],
  ["retry"],
  ["timeout"],
  ["timeout", "list"],
  ["timeout", "extend"],
  ["clean"],
  ["config"],
  ["config", "init"],
  ["config", "show"],
  ["config", "set"],
  ["completions"],
] as const;

Deno.test("every command explains itself with --help, and touches nothing", async () => {
  await using folder = await makeFolder();
  const outcomes = await Promise.all(
    [...COMMANDS, []].map((words) => runProgram(folder.path, [...words, "--help"])),
  );
  for (const [at, { code, stdout, stderr }] of outcomes.entries()) {
    const words = COMMANDS[at] ?? [];
    assertEquals([code, stderr], [0, ""], words.join(" "));
    assertStringIncludes(stdout, `orchestra ${words.join(" ")}`.trim());
    assertPrintable(stdout);
  }
  const help = outcomes.at(-1)!.stdout;
  for (const [name] of COMMANDS) assertMatch(help, new RegExp(`^  ${name} +[A-Z]`, "m"));
  const [bare, version] = await Promise.all([
    runProgram(folder.path, []),
    runProgram(folder.path, ["--version"]),
  ]);
  assertEquals([bare.code, bare.stdout], [0, help]);
  assertMatch(version.stdout, /^orchestra \d+\.\d+\.\d+\n$/);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("help fits the terminal, and says the same at every width", async () => {
  await using folder = await makeFolder();
  const help = async (words: readonly string[], columns: number) => {
    const env = { COLUMNS: String(columns) };
    return (await runProgram(folder.path, [...words, "--help"], { env })).stdout;
  };
  const flat = (text: string) => text.replace(/\s+/g, " ");
  // A script is no help: it stays as it is.
  const scripts = await Promise.all(["40", "300"].map((columns) => {
    return runProgram(folder.path, ["completions", "bash"], { env: { COLUMNS: columns } });
  }));
  assertEquals(scripts[0]!.stdout, scripts[1]!.stdout);
  for (const words of [["status"], ["start"], ["run"], ["init"], ["daemon"]]) {
    const wide = await help(words, 300);
    for (const columns of [60, 80]) {
      const narrow = await help(words, columns);
      for (const line of narrow.split("\n")) assert(line.length <= columns, line);
      assertEquals(flat(narrow), flat(wide));
    }
  }
});

Deno.test("what is misspelt gets a suggestion and exit code 2, what is missing 3", async () => {
  await using box = await makeBox();
  const cases: [number, string, ...string[]][] = [
    [2, "start", "strat", "shell", "x"],
    [2, "status", "statuss"],
    [2, "--priority", "start", "shell", "x", "--priorty", "3"],
    [2, "--parallel", "run", "--paralel", "3"],
    [2, '"config show"', "config", "shwo"],
    [2, '"agents check"', "agents", "chekc"],
    [2, '"deps graph"', "deps", "grap"],
    [2, "orchestra config --help", "config", "xyzzyx"],
    [2, "--json", "status", "--jsn"],
    [2, "--json", "--jsn", "status"],
    [2, "--depends-on", "start", "shell", "x", "--dependson", "task_1795331564659"],
    [3, "shell", "start", "shel", "x"],
    [3, "shell", "agents", "check", "shlel"],
    [2, "task_", "show", "task_1"],
    [2, "task_", "logs", "../../etc/passwd"],
    [2, "5m", "start", "shell", "x", "--timeout", "soon"],
    [2, "1", "start", "shell", "x", "--priority", "0"],
    [2, "name=value", "start", "shell", "x", "--label", "oops"],
    [2, "blocked", "status", "--status", "blokced"],
    [2, "--help", "status", "unexpected"],
    [2, "echo hello", "start", "shell"],
    [2, "agent", "start"],
    [2, "prompt", "start", "shell", "  "],
    [3, "status", "start", "shell", "x", "--depends-on", MISSING],
    [3, "first", "start", "shell", "x", "--depends-on", "first"],
    [2, "file", "start", "--from", "tasks.jsonl", "shell"],
    [2, "tasks.jsonl", "start", "--from", "tasks.jsonl"],
    [3, "folder", "-C", "nowhere", "status"],
    [2, "-C", "status", "-C"],
  ];
  const failures = await Promise.all(cases.map(([code, , ...args]) => box.fails(code, ...args)));
  for (const [at, failure] of failures.entries()) {
    assertStringIncludes(failure.text, cases[at]![1], cases[at]!.slice(2).join(" "));
  }
  assertEquals(box.tasks(), []);
});
