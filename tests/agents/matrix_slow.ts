// Every program in every situation, and the table of docs/agents-run.md, which is to say what came of it.

import { assertEquals } from "../support/assert.ts";
import { test } from "../support/needs.ts";
import { MISSING } from "./lab.ts";
import { type Cell, formatMatrix, pageWith, runSubject, SUBJECTS } from "./matrix.ts";

const columns = new Map<(typeof SUBJECTS)[number], ReadonlyMap<string, Cell>>();

for (const subject of SUBJECTS) {
  test(`${subject.agent} comes to the right end in every situation`, MISSING, async () => {
    const { cells, left } = await runSubject(subject);
    columns.set(subject, cells);
    for (const [name, { problem }] of cells) {
      if (problem !== undefined) throw new Error(`${subject.agent}, ${name}`, { cause: problem });
    }
    assertEquals(left, []);
  });
}

test("docs/agents-run.md tells what came of it", MISSING, async () => {
  assertEquals(columns.size, SUBJECTS.length);
  const { wanted, found } = await pageWith(formatMatrix(columns));
  assertEquals(found, wanted, "bring it up to date with: deno run -A tests/agents/matrix.ts");
});
