// What the pages say of the code is there: every file, and every function that is named in one.

import { assert, assertEquals } from "../support/assert.ts";
import { page, PAGES, ROOT } from "../support/pages.ts";

/** Names and the file that they are said to be in: `add` and `tryAdd` in `lib/queue/add.ts`. */
const NAMED = /((?:`\w+`(?:,? and |, ))*`\w+`)\s+in\s+`(lib\/[\w/]+\.ts)`/g;
const FILE = /`((?:lib|tests|docs|templates)\/[\w/.]+\.ts)`/g;

function sourceOf(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(file, ROOT));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether a module declares a name: a function, a constant, a type, or a method of what it makes. */
function declares(source: string, name: string): boolean {
  return new RegExp(
    `^(?:export )?(?:async )?(?:function\\*?|const|let|class|interface|type) ${name}\\b` +
      `|^ +(?:async )?(?:function ${name}\\b|${name}(?:<[^>]*>)?\\()`,
    "m",
  ).test(source);
}

/** What a text names of the code that is not there, and how much it names. */
function namesOf(text: string): { files: string[]; named: number; problems: string[] } {
  const files = [...text.matchAll(FILE)].map(([, file]) => file!);
  const problems = files.filter((file) => sourceOf(file) === undefined);
  let named = 0;
  for (const [, names, file] of text.matchAll(NAMED)) {
    const source = sourceOf(file!) ?? "";
    for (const [, name] of names!.matchAll(/`(\w+)`/g)) {
      named++;
      if (!declares(source, name!)) problems.push(`${name} in ${file}`);
    }
  }
  return { files, named, problems };
}

Deno.test("every file and function that the pages name is there", () => {
  const problems = [...PAGES].flatMap(([name, text]) =>
    namesOf(text).problems.map((problem) => `${name}: ${problem}`)
  );
  assertEquals(problems, []);
});

Deno.test("what is not there is noticed", () => {
  assertEquals(
    namesOf(
      "`add`, `tryAdd` and `tryHarder` in `lib/queue/add.ts`, `locked` in\n`lib/store/tasks.ts`, " +
        "`lib/queue/gone.ts`",
    ).problems,
    ["lib/queue/gone.ts", "tryHarder in lib/queue/add.ts"],
  );
});

Deno.test("each step of a prompt's way names its functions beside their files, and what a kill leaves", () => {
  const [way] = page("docs/design.md").split("## The way of a prompt\n")[1]!.split("\n## ");
  const steps = way!.split(/^### /m).slice(1);
  assert(steps.length >= 15, `only ${steps.length} steps were found`);
  for (const step of steps) {
    const title = step.split("\n", 1)[0]!;
    const { files, named } = namesOf(step);
    const beside = [...step.matchAll(NAMED)].map(([, , file]) => file!);
    assert(named > 0, `${title}: no function is named`);
    assertEquals(beside, files, `${title}: each file has a name beside it`);
    for (const part of ["\n- On disk: ", "\n- If it dies: "]) {
      assert(step.includes(part), `${title}: ${part.trim()} is missing`);
    }
  }
});
