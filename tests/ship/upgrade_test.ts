// Versions, and whether a newer one is out.

import { assertEquals, assertMatch } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { assertRefused, type Outcome } from "../support/program.ts";
import { isNewer } from "../../lib/cli/versions.ts";
import { permissionFlags } from "../../lib/supervise/permissions.ts";
import { VERSION } from "../../lib/task/version.ts";
import { DENO, execute, ROOT } from "../support/execute.ts";

Deno.test("versions are ordered by the rules of semver.org", () => {
  const ordered = [
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "10.0.0",
  ];
  for (const [at, a] of ordered.entries()) {
    for (const [other, b] of ordered.entries()) {
      assertEquals(isNewer(a, b), at > other, `${a} and ${b}`);
    }
  }
  assertEquals(isNewer("1.0.0+build.1", "1.0.0"), false);
  assertEquals(isNewer("1.0", "1.0.0"), undefined);
});

/** A registry that gives an answer of each kind, and programs that ask it. */
interface Answers extends AsyncDisposable {
  ask(name: string, permissions: readonly string[], ...rest: string[]): Promise<Outcome>;
}

function openAnswers(): Answers {
  const answers: Record<string, () => Response | Promise<Response>> = {
    same: () => Response.json({ latest: VERSION }),
    newer: () => Response.json({ latest: "99.0.0" }),
    older: () => Response.json({ latest: "0.0.1" }),
    none: () => Response.json({ latest: null }),
    hostile: () => Response.json({ latest: "9.9.9\x1b[2J" }),
    html: () => new Response("<html>"),
    broken: () => new Response("no", { status: 500 }),
    // Never answered: whoever asked goes away.
    silent: () => held.promise,
  };
  const held = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const [, name, ...rest] = new URL(request.url).pathname.split("/");
    assertEquals(rest.join("/"), "@orchestra/cli/meta.json");
    return answers[name!]!();
  });
  return {
    ask: (name, permissions, ...rest) =>
      execute(DENO, ["run", ...permissions, "main.ts", "upgrade", ...rest], {
        cwd: ROOT,
        env: {
          NO_PROXY: "127.0.0.1",
          JSR_URL: name.includes(":") ? name : `http://127.0.0.1:${server.addr.port}/${name}/`,
        },
      }),
    async [Symbol.asyncDispose]() {
      held.resolve(new Response());
      await server.shutdown();
    },
  };
}

const NOWHERE = "http://127.0.0.1:9/";

/** What is asked, how that ends, and what is said. */
const WANTED: [name: string, code: number, said: RegExp][] = [
  ["same", 0, new RegExp(`^orchestra ${VERSION} is the latest version\n$`)],
  ["older", 0, new RegExp(`^orchestra ${VERSION} is the latest version\n$`)],
  ["newer", 0, new RegExp(`^orchestra 99\\.0\\.0 is out; this is ${VERSION}\n$`)],
  ["none", 5, /meta\.json names none\n/],
  ["hostile", 5, /meta\.json names none\n/],
  ["html", 5, /meta\.json names none\n/],
  ["broken", 5, /could not be reached: it answered (?:500|with an error)\n/],
  ["silent", 5, /could not be reached: no answer within 5 seconds\n/],
  [NOWHERE, 5, /could not be reached: no connection\n/],
];

async function checkAnswers(permissions: readonly string[]): Promise<void> {
  await using answers = openAnswers();
  await Promise.all(WANTED.map(async ([name, code, said]) => {
    const outcome = await answers.ask(name, permissions, "--check");
    assertEquals(outcome.code, code, JSON.stringify(outcome));
    if (code === 0) assertMatch(outcome.stdout, said);
    else assertMatch(assertRefused(outcome, code, name), said);
  }));
}

Deno.test("upgrade --check says whether a newer version is out, and plainly what kept it from asking", async () => {
  await checkAnswers(["-A"]);
});

test(
  "upgrade --check says the same with the narrow permissions, by curl",
  needs("curl"),
  async () => {
    await checkAnswers(permissionFlags());
  },
);

Deno.test("upgrade --check --json is one value, and without --check it says what to do", async () => {
  await using answers = openAnswers();
  const json = await answers.ask("newer", ["-A"], "--check", "--json");
  assertEquals(JSON.parse(json.stdout), { version: VERSION, latest: "99.0.0", newer: true });
  assertRefused(await answers.ask("newer", ["-A"]), 2);
});
