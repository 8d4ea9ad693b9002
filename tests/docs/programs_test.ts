// The programs of the documentation run, and print what it says.

import { assert, assertEquals } from "../support/assert.ts";
import { needs, ON_POSIX, test } from "../support/needs.ts";
import { listBlocks, page, ROOT, ROOT_PATH } from "../support/pages.ts";
import { deno, orchestra, withWorkspace } from "../support/workspace.ts";

const CONFIG = `${ROOT_PATH}deno.json`;

test("the program of README runs and prints what README says", needs("grep"), async () => {
  const programs = listBlocks("ts").filter((block) => block.page === "README.md");
  assertEquals(programs.length, 1);
  await withWorkspace(async (root) => {
    Deno.writeTextFileSync(`${root}/program.ts`, programs[0]!.text);
    const ran = await deno(root, "run", "-A", "--quiet", "--config", CONFIG, "program.ts");
    assertEquals(ran.code, 0, ran.stderr);
    assertEquals(ran.stdout.trim().split("\n").map((line) => line.split(" ")[0]), [
      "launched",
      "complete",
      "launched",
      "complete",
      "complete",
    ]);
  });
});

Deno.test("the programs of the documentation agree with the types of the library", async () => {
  await withWorkspace(async (root) => {
    const files = listBlocks("ts").map((block, at) => {
      const file = `${root}/example_${at}.ts`;
      Deno.writeTextFileSync(file, block.text);
      return file;
    });
    const checked = await deno(root, "check", "--quiet", "--config", CONFIG, ...files);
    assertEquals(checked.code, 0, checked.stderr);
  });
});

Deno.test("the library page names everything that the library exports", () => {
  const source = Deno.readTextFileSync(new URL("mod.ts", ROOT));
  const names = [...source.matchAll(/export (?:type )?\{([^}]+)\}/g)]
    .flatMap(([, list]) => list!.split(","))
    .map((name) => name.replace(/\btype\b/, "").trim()).filter((name) => name !== "");
  assert(names.length > 10, `only ${names.length} names were found`);
  const text = page("docs/library.md");
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  assertEquals(missing, []);
});

test(
  "the agent of the agents' guide runs as the guide says",
  ON_POSIX,
  () =>
    withWorkspace(async (root) => {
      const script = listBlocks("bash").find((block) => block.page === "docs/agents.md");
      assert(script !== undefined);
      const definition = listBlocks("json").map((block) => JSON.parse(block.text))
        .find((value) => value.agents?.wordcount !== undefined);
      Deno.writeTextFileSync(`${root}/wordcount.sh`, script.text, { mode: 0o755 });
      Deno.writeTextFileSync(`${root}/README.md`, "three short words\n");
      Deno.writeTextFileSync(
        `${root}/.orchestra-cli/agent-config.json`,
        JSON.stringify(definition),
      );
      for (const file of ["README.md", "absent.md"]) {
        const queued = await orchestra(root, "start", "wordcount", file);
        assertEquals(queued.code, 0, queued.stderr);
      }
      const ran = await orchestra(root, "--json", "run", "--all", "--wait");
      assertEquals(ran.code, 1, ran.stderr);
      const { tasks } = JSON.parse(ran.stdout);
      const outcomes = tasks
        .map((task: { prompt: string; result: { summary: string }; errorMessage: string }) =>
          `${task.prompt}: ${task.result?.summary ?? task.errorMessage}`
        ).sort();
      assertEquals(outcomes, ["README.md: 3 words", "absent.md: there is no file absent.md"]);
    }),
);
