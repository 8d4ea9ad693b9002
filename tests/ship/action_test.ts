// The step of a CI system.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { type Box, makeFolder, openBox, type Outcome } from "../support/program.ts";
import { DENO, execute, namesBelow, ROOT, succeeded } from "../support/execute.ts";

/** A machine that runs one step of a workflow. */
interface Runner extends AsyncDisposable {
  readonly box: Box;
  /** Runs the action's script with inputs as `with:` gives them. */
  step(inputs: Record<string, string>, env?: Record<string, string>): Promise<
    Outcome & { outputs: Record<string, string>; summary: string }
  >;
  write(name: string, text: string): void;
  read(name: string): string;
}

async function makeRunner(): Promise<Runner> {
  const folder = await makeFolder();
  // Checkouts are in folders with spaces now and then.
  const root = `${folder.path}/my work`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(`${folder.path}/temp`);
  Deno.mkdirSync(`${folder.path}/programs`);
  Deno.symlinkSync(DENO, `${folder.path}/programs/deno`);
  const box = openBox(root);
  const files = {
    GITHUB_OUTPUT: `${folder.path}/output`,
    GITHUB_STEP_SUMMARY: `${folder.path}/page`,
  };
  return {
    box,
    write: (name, text) => Deno.writeTextFileSync(`${root}/${name}`, text),
    read: (name) => Deno.readTextFileSync(`${root}/${name}`),
    async step(inputs, env = {}) {
      for (const path of Object.values(files)) Deno.writeTextFileSync(path, "");
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [
          `INPUT_${name.toUpperCase().replaceAll("-", "_")}`,
          value,
        ]),
      );
      const outcome = await execute("bash", [`${ROOT}/.ci/action.sh`], {
        cwd: root,
        env: {
          PATH: `${folder.path}/programs:${Deno.env.get("PATH")}`,
          CI: "true",
          GITHUB_ACTIONS: "true",
          GITHUB_ACTION_PATH: ROOT,
          GITHUB_WORKSPACE: root,
          RUNNER_TEMP: `${folder.path}/temp`,
          ...files,
          ...given,
          ...env,
        },
      });
      assertEquals(namesBelow(`${folder.path}/temp`), []);
      const outputs = Object.fromEntries(
        Deno.readTextFileSync(files.GITHUB_OUTPUT).trimEnd().split("\n")
          .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      return { ...outcome, outputs, summary: Deno.readTextFileSync(files.GITHUB_STEP_SUMMARY) };
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const TASKS = [
  { key: "build", agent: "shell", prompt: "echo built" },
  { agent: "shell", prompt: "echo tested", dependsOn: ["build"] },
].map((task) => JSON.stringify(task)).join("\n");

test(
  "the CI step runs the tasks of a file and succeeds when all are complete",
  ON_POSIX,
  async () => {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", TASKS);
    const done = await runner.step({ tasks: "tasks.jsonl", parallel: "2", junit: "report.xml" });
    succeeded(done, "the step");
    assertEquals(done.outputs, {
      "exit-code": "0",
      outcome: "success",
      tasks: "2",
      failed: "0",
      junit: "report.xml",
    });
    assertMatch(done.summary, /^## Orchestra: 2 of 2 complete in /);
    assertStringIncludes(runner.read("report.xml"), '<testsuites name="orchestra" tests="2"');
    assert(!/^::/m.test(done.stdout + done.stderr), JSON.stringify(done));
    assertEquals(runner.box.tasks().map((task) => task.status), ["complete", "complete"]);
  },
);

test(
  "the CI step fails with an annotation and a summary when a task does not complete",
  ON_POSIX,
  async () => {
    await using runner = await makeRunner();
    const script = "echo '50% done, then: broken'; echo '::warning::not ours'; exit 7";
    runner.write(
      "tasks.jsonl",
      `${TASKS}\n${JSON.stringify({ agent: "shell", prompt: script })}\n`,
    );
    const failed = await runner.step({ tasks: "tasks.jsonl", markdown: "report.md" });
    assertEquals(failed.code, 1, JSON.stringify(failed));
    assertEquals(failed.outputs, {
      "exit-code": "1",
      outcome: "failure",
      tasks: "3",
      failed: "1",
    });
    const [id] = runner.box.tasks().filter((task) => task.status === "failed")
      .map((task) => task.taskId);
    const lines = failed.stderr.split("\n").filter((line) => line.startsWith("::"));
    assertEquals(lines.length, 1, failed.stderr);
    assertMatch(lines[0]!, new RegExp(`^::error title=${id} \\(shell\\)%3A [^:,]*::50%25 done, `));
    assertStringIncludes(lines[0]!, "%0A::warning::not ours");
    assertStringIncludes(failed.summary, `### ${id!.replace("_", "\\_")}: `);
    assertEquals(runner.read("report.md"), failed.summary);
    assert(!namesBelow(runner.box.root).includes("orchestra.xml"));
  },
);

test(
  "the CI step can be told that tasks may fail, but not that it could not run them",
  ON_POSIX,
  async () => {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", '{"agent": "shell", "prompt": "exit 1"}\n');
    const forgiven = await runner.step({ tasks: "tasks.jsonl", "fail-on": "never" });
    assertEquals([forgiven.code, forgiven.outputs["exit-code"], forgiven.outputs.outcome], [
      0,
      "1",
      "failure",
    ]);
    for (
      const [inputs, code, message] of [
        [{ tasks: "none.jsonl", "fail-on": "never" }, 2, /none\.jsonl.*cannot be read/],
        [{}, 2, /input "tasks"/],
        [{ tasks: "tasks.jsonl", "fail-on": "sometimes" }, 2, /sometimes/],
        [{ tasks: "tasks.jsonl", junit: "a,b.xml" }, 2, /no comma/],
        [{ tasks: "tasks.jsonl", agents: "nobody" }, 3, /nobody/],
        [{ tasks: "tasks.jsonl", parallel: "many" }, 2, /exit code 2/],
      ] as const
    ) {
      const refused = await runner.step(inputs);
      assertEquals(refused.code, code, JSON.stringify(refused));
      assertEquals(refused.outputs, { "exit-code": String(code), outcome: "failure" });
      const [annotation, ...more] = refused.stdout.split("\n").filter((it) => it.startsWith("::"));
      assertMatch(annotation!, /^::error title=Orchestra::/);
      assertMatch(annotation!, message);
      assertEquals(more, []);
    }
  },
);

test(
  "the CI step works the same without GitHub, with the program named by its command line",
  ON_POSIX,
  async () => {
    await using runner = await makeRunner();
    runner.write("tasks.jsonl", '{"agent": "shell", "prompt": "exit 1"}\n');
    const without = {
      GITHUB_ACTIONS: "",
      GITHUB_ACTION_PATH: "",
      GITHUB_OUTPUT: "",
      GITHUB_STEP_SUMMARY: "",
    };
    const env = { ...without, ORCHESTRA: `deno run -A --quiet ${ROOT}/main.ts` };
    const failed = await runner.step({ tasks: "tasks.jsonl", junit: "report.xml" }, env);
    assertEquals(failed.code, 1, JSON.stringify(failed));
    assert(!/^::/m.test(failed.stdout + failed.stderr), JSON.stringify(failed));
    assertStringIncludes(runner.read("report.xml"), 'failures="1"');
    const refused = await runner.step({ tasks: "none.jsonl" }, env);
    assertEquals(refused.code, 2);
    assertMatch(refused.stderr, /^orchestra: start --from "none\.jsonl"/m);
  },
);

Deno.test("the action gives its script every input that it declares, and takes none into its text", () => {
  const action = Deno.readTextFileSync(`${ROOT}/action.yml`);
  const script = Deno.readTextFileSync(`${ROOT}/.ci/action.sh`);
  const section = /\ninputs:\n([\s\S]*?)\noutputs:\n([\s\S]*?)\nruns:/.exec(action)!;
  const keys = (text: string) => [...text.matchAll(/^ {2}([\w-]+):$/gm)].map((match) => match[1]!);
  const inputs = keys(section[1]!).filter((name) =>
    name !== "working-directory" && name !== "deno-version"
  );
  for (const name of inputs) {
    const variable = `INPUT_${name.toUpperCase().replaceAll("-", "_")}`;
    assertStringIncludes(action, `        ${variable}: \${{ inputs.${name} }}\n`);
    assertStringIncludes(script, variable);
  }
  assertEquals(
    [...new Set([...script.matchAll(/\bINPUT_[A-Z_]+/g)].map((match) => match[0]))].sort(),
    inputs.map((name) => `INPUT_${name.toUpperCase().replaceAll("-", "_")}`).sort(),
  );
  for (const name of keys(section[2]!)) {
    assertStringIncludes(action, `\${{ steps.run.outputs.${name} }}`);
    assertMatch(script, new RegExp(`\\boutput ${name} `));
  }
  for (const [, run] of action.matchAll(/^ *run: (.*)$/gm)) assert(!run!.includes("${{"), run);
});
