// What is published to JSR imports the official standard library, under the names that the program
// uses.

import { importsForJsr } from "../../.ci/jsr_imports.ts";
import { assert, assertEquals, assertGreater, assertThrows } from "../support/assert.ts";

const ROOT = new URL("../../", import.meta.url);
const { imports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
  imports: Record<string, string>;
};

Deno.test("both import maps offer the same names, in the same order", () => {
  assertEquals(Object.keys(importsForJsr(imports)), Object.keys(imports));
});

Deno.test("published is the official standard library, and everything else as it was", () => {
  const published = importsForJsr(imports);
  let changed = 0;
  for (const [name, target] of Object.entries(published)) {
    assert(!target.includes("deno-std"), target);
    if (!name.startsWith("@std/")) {
      assertEquals(target, imports[name]);
      continue;
    }
    changed++;
    const [, pack, rest] = /^@std\/([^/]+)(\/.+)?$/.exec(name)!;
    assertEquals(target, `jsr:@std/${pack}@^1.0.0${rest ?? ""}`);
    // The module of the republication that stands for it meanwhile.
    const path = rest === undefined ? "/mod" : rest.replaceAll("-", "_");
    assertEquals(imports[name], `npm:deno-std@1.4.0/${pack}${path}.js`);
  }
  assertGreater(changed, 3);
});

Deno.test("the republication under a name that is not official is refused", () => {
  assertThrows(() => importsForJsr({ "std/fmt": "npm:deno-std@1.4.0/fmt/bytes.js" }));
});

Deno.test("the workflow rewrites the import map before it publishes, and only there", () => {
  const release = Deno.readTextFileSync(new URL(".github/workflows/release.yml", ROOT));
  const steps = [...release.matchAll(/\brun: (.*)$/gm)].map(([, run]) => run!);
  const rewrite = steps.findIndex((run) => run.endsWith(".ci/jsr_imports.ts"));
  assertGreater(rewrite, 0);
  assertEquals(steps[rewrite + 1], "deno publish --allow-dirty");
  assertEquals(steps.filter((run) => run.startsWith("deno publish")).length, 1);
});

Deno.test("the step leaves a deno.json that differs by those entries alone", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const before = Deno.readTextFileSync(new URL("deno.json", ROOT));
    Deno.writeTextFileSync(`${folder}/deno.json`, before);
    const script = new URL(".ci/jsr_imports.ts", ROOT).href;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-config", "--allow-read=deno.json", "--allow-write=deno.json"],
        script,
      ],
      cwd: folder,
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const after = Deno.readTextFileSync(`${folder}/deno.json`);
    assertEquals(JSON.parse(after), { ...JSON.parse(before), imports: importsForJsr(imports) });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
