// The batch file beside the one file, by which cmd.exe starts it.

import { batchFile } from "../../.ci/bundle.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeDesk, ship } from "../support/desk.ts";
import { DENO, namesBelow, WINDOWS } from "../support/execute.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { makeFolder } from "../support/program.ts";

// Node.js' way to start programs costs each file of tests some time.
const { runTyped } = WINDOWS ? await import("../support/cmd.ts") : { runTyped: undefined! };

/** A folder with a batch file in it, and a program beside it that says what it was given. */
async function makeTeller() {
  const folder = await makeFolder();
  // A percent sign in its name Wine's cmd.exe would take for the beginning of a variable.
  const bin = `${folder.path}/the folder (a & b)`;
  Deno.mkdirSync(bin);
  Deno.writeTextFileSync(`${bin}/told.cmd`, batchFile("told.js"));
  Deno.writeTextFileSync(
    `${bin}/told.js`,
    "console.log(JSON.stringify(Deno.args)); Deno.exit(Number(Deno.args[0]));",
  );
  const path = [DENO.replace(/\\[^\\]*$/, ""), bin.replaceAll("/", "\\"), Deno.env.get("PATH")];
  const env = { PATH: path.join(";"), WORD: "expanded" };
  return {
    path: folder.path,
    run: (line: string, more: Record<string, string> = {}) =>
      runTyped(line, { cwd: folder.path, env: { ...env, ...more } }),
    bin,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test(
  "what is in quotation marks comes through the batch file as it was typed",
  ON_WINDOWS,
  async () => {
    await using teller = await makeTeller();
    const cases: [typed: string, given: string][] = [
      ['"a b"', "a b"],
      ["plain", "plain"],
      ['""', ""],
      ['"100%"', "100%"],
      ['"50% of 100%"', "50% of 100%"],
      ['"%NOSUCHWORD%"', "%NOSUCHWORD%"],
      ['"%1 %* %~dp0"', "%1 %* %~dp0"],
      ['"x ^ y ^^ z"', "x ^ y ^^ z"],
      ['"a & b && c"', "a & b && c"],
      ['"a | b > c < d"', "a | b > c < d"],
      ['"(a) !b! it\'s; c,d=e"', "(a) !b! it's; c,d=e"],
      ['"say ""hi & bye"" twice"', 'say "hi & bye" twice'],
      ['"C:\\a folder\\\\"', "C:\\a folder\\"],
      ['"ünïcödé 漢字"', "ünïcödé 漢字"],
      // Of a variable cmd.exe makes what is in it before it calls anything.
      ['"%WORD%"', "expanded"],
    ];
    const { stdout, stderr } = await teller.run(`told.cmd 0 ${cases.map(([it]) => it).join(" ")}`);
    assertEquals([JSON.parse(stdout).slice(1), stderr], [cases.map(([, it]) => it), ""]);
    assertEquals(namesBelow(teller.path).filter((name) => /^[a-d]$/.test(name)), []);
  },
);

test(
  "without quotation marks cmd.exe reads the line, as that of any batch file",
  ON_WINDOWS,
  async () => {
    await using teller = await makeTeller();
    const { stdout } = await teller.run("told.cmd 0 a^b & echo and this");
    assertEquals(stdout.replaceAll("\r", ""), '["0","ab"]\nand this\n');
  },
);

test("the exit code comes through the batch file, to whoever called it", ON_WINDOWS, async () => {
  await using teller = await makeTeller();
  for (const code of [0, 5, 130]) assertEquals((await teller.run(`told.cmd ${code}`)).code, code);
  const { stdout } = await teller.run("told.cmd 0 && (told.cmd 3 || echo failed)");
  assertEquals(stdout.replaceAll("\r", ""), '["0"]\n["3"]\nfailed\n');
  // By the name alone, and from a batch file that goes on after it.
  Deno.writeTextFileSync(`${teller.path}/calls.cmd`, "@call told 4\r\n@echo then %ERRORLEVEL%\r\n");
  assertEquals((await teller.run("calls.cmd")).stdout.replaceAll("\r", ""), '["4"]\nthen 4\n');
});

test(
  "the batch file runs no Deno of the current folder, and says where none is",
  ON_WINDOWS,
  async () => {
    await using teller = await makeTeller();
    for (const ending of ["exe", "com", "cmd", "bat"]) {
      Deno.writeTextFileSync(`${teller.path}/deno.${ending}`, "@echo planted\r\n");
    }
    assertEquals((await teller.run("told.cmd 5")).stdout, '["5"]\n');
    // Nor one that a variable of the caller names; and it leaves none behind.
    const { stdout } = await teller.run("call told.cmd 0 & set deno", { deno: "planted" });
    const [given, variable] = stdout.replaceAll("\r", "").split("\n");
    assertEquals([given, variable], ['["0"]', "deno=planted"]);
    const system = `${Deno.env.get("SystemRoot")}\\System32`;
    const PATH = `${system};${teller.bin.replaceAll("/", "\\")}`;
    const none = await teller.run("told.cmd 0", { PATH });
    assertEquals([none.code, none.stdout], [9009, ""]);
    assertStringIncludes(none.stderr, "Deno is not on the PATH");
  },
);

test("cmd.exe calls the one file by its name, from any folder", ON_WINDOWS, async () => {
  await using desk = await makeDesk();
  const bin = (await ship()).path.replace(/[\\/][^\\/]*$/, "").replaceAll("/", "\\");
  const env = { ...desk.env, PATH: `${bin};${desk.env.PATH}` };
  const orchestra = async (line: string, code = 0) => {
    const outcome = await runTyped(`orchestra ${line}`, { cwd: desk.box.root, env });
    assertEquals(outcome.code, code, `${line}: ${JSON.stringify(outcome)}`);
    return outcome.stdout;
  };
  assertMatch(await orchestra("--version"), /^orchestra \d/);
  await orchestra("status", 3);
  await orchestra("init");
  const prompt = "echo 100% ^& more";
  const id = (await orchestra(`start --quiet shell "${prompt}"`)).trim();
  assertEquals(desk.box.task(id).prompt, prompt);
  await orchestra("start", 2);
  await orchestra("run --all --wait");
  assertEquals((await orchestra(`logs ${id}`)).trimEnd(), "100% & more");
  const bad = (await orchestra('start --quiet shell "exit 3"')).trim();
  await orchestra(`run --all --wait`, 1);
  assertEquals(desk.box.task(bad).exitCode, 3);
});

Deno.test("the batch file starts the one file that is beside it, and no other", () => {
  const text = batchFile("orchestra.js");
  assertMatch(text, /^(?:@[^\r\n]+\r\n)+$/);
  assertStringIncludes(text, ' & "%deno%" run -A --no-config ');
  assertStringIncludes(text, ' "%~dp0orchestra.js" %*\r\n');
});
