// Whether two globs can name the same file: by examples, and against every short path there is.

import fc from "fast-check";
import { canMeet, isNamedBy } from "../../lib/decide/globs.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("globs that can name the same file meet, and others do not", () => {
  for (
    const [one, other, meets] of [
      ["src/a.ts", "src/a.ts", true],
      ["src/a.ts", "src/b.ts", false],
      ["src/**", "src/a/b.ts", true],
      ["src", "src/a.ts", true],
      ["src/", "src/a.ts", true],
      ["./src//", "src/a.ts", true],
      ["src/", "src2/a.ts", false],
      ["src/*.ts", "src/*.js", false],
      ["src/*.ts", "src/a*", true],
      ["src/*", "src/a/b", true],
      ["*.ts", "src/a.ts", false],
      ["**/*.ts", "src/*.js", false],
      ["**/*.ts", "src/[a-c]*.{ts,js}", true],
      ["pkg/next.js", "pkg/next.js/a.ts", true],
      ["**/*.ts", "src", true],
      ["**/*.ts", "a.ts", true],
      ["**/b", "ab.ts", true],
      ["**/b.ts", "*ab.ts", false],
      ["a/**/b", "a/b", true],
      ["a/**/b", "ab", false],
      ["a/**/z", "a/b/c/z/d", true],
      ["{src,tests}/**", "tests/x", true],
      ["{src,tests}/**", "docs/x", false],
      ["{a,b{c,d}}.ts", "bd.ts", true],
      ["{a,b{c,d}}.ts", "b.ts", false],
      ["x{,.min}.js", "x.js", true],
      ["[a-c].ts", "b.ts", true],
      ["[a-c].ts", "d.ts", false],
      ["[a-c].ts", "[c-e].ts", true],
      ["[a-c].ts", "[!a-c].ts", false],
      ["[!a].ts", "[!b].ts", true],
      ["[]a].ts", "].ts", true],
      ["[[:alpha:]].ts", "q.ts", true],
      ["a[b", "a[b", true],
      ["a{b", "a{b", true],
      ["?.ts", "ab.ts", false],
      ["?", "/", true],
      ["SRC/A.ts", "src/a.TS", true],
      ["\u{1F600}?", "\u{1F600}\u{1F600}", true],
      ["e\u0301.ts", "\u00e9.ts", true],
      ["**", "anything/at/all", true],
      // Forms that are not known: they may be anything.
      ["a\\*b", "c", true],
      ["!a", "c", true],
      ["@(a|b)", "c", true],
      ["{1..3}", "c", true],
      [`${"{a,b}".repeat(20)}`, "c", true],
    ] as const
  ) {
    assertEquals(canMeet(one, other), meets, `${one} and ${other}`);
    assertEquals(canMeet(other, one), meets, `${other} and ${one}`);
  }
});

Deno.test("a path is named by a glob that names it, or a folder that it lies in", () => {
  assert(isNamedBy("src/a.ts", "src/*.ts"));
  assert(isNamedBy("src/a.ts", "src"));
  assert(isNamedBy("src/[a].ts", "src/*"));
  assert(!isNamedBy("src/a.ts", "src/*.js"));
  assert(!isNamedBy("src/a.ts", "src/a.ts/b"));
});

/** The same by a regular expression, written for the few forms that are drawn below. */
function patternOf(glob: string): RegExp {
  const text = glob.replace(/\*\*\/|\*\*|\*|\?|\[!a\]|[{,}.]/g, (form) => ({
    "**/": "(?:[^/]+/)*",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
    "[!a]": "[^a/]",
    "{": "(?:",
    ",": "|",
    "}": ")",
    ".": "\\.",
  }[form]!));
  return new RegExp(`^(?:${text})(?:/.*)?$`);
}

/** Every path of so many characters over an alphabet of two, no name in it empty. */
function pathsUpTo(length: number): string[] {
  const all: string[] = [];
  let last = [""];
  for (let size = 1; size <= length; size++) {
    last = last.flatMap((path) => ["a", "b", "/"].map((letter) => path + letter))
      .filter((path) => !path.startsWith("/") && !path.includes("//"));
    all.push(...last.filter((path) => !path.endsWith("/")));
  }
  return all;
}

const PATHS = pathsUpTo(9);

const LETTERS = ["a", "b", "*", "?", "[ab]", "[!a]"];
const globOf = (name: fc.Arbitrary<string>) =>
  fc.array(fc.oneof({ weight: 4, arbitrary: name }, fc.constant("**")), {
    minLength: 1,
    maxLength: 3,
  }).map((names) => names.join("/"));
const glob = globOf(
  fc.array(fc.constantFrom(...LETTERS, "{a,bb}"), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join("").replaceAll("**", "*")),
);
/** Where two of these meet, they do so in a path that is short enough. */
const plain = globOf(fc.constantFrom(...LETTERS, "{a,bb}"));

function commonPath(one: string, other: string): string | undefined {
  const first = patternOf(one);
  const second = patternOf(other);
  return PATHS.find((path) => first.test(path) && second.test(path));
}

Deno.test("two globs meet exactly where some path is named by both", () => {
  fc.assert(
    fc.property(plain, plain, (one, other) => {
      const common = commonPath(one, other);
      assertEquals(canMeet(one, other), common !== undefined, `${one} and ${other}: ${common}`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("no path is missed that two globs name", () => {
  fc.assert(
    fc.property(glob, glob, (one, other) => {
      const common = commonPath(one, other);
      assert(common === undefined || canMeet(one, other), `${one} and ${other}: ${common}`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a glob names exactly the paths that its expression names", () => {
  const short = PATHS.filter((path) => path.length <= 6);
  fc.assert(
    fc.property(glob, fc.constantFrom(...short), (one, path) => {
      assertEquals(isNamedBy(path, one), patternOf(one).test(path), `${path} by ${one}`);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("any two texts can be compared, and it is no matter which comes first", () => {
  const any = fc.string({ unit: fc.constantFrom(..."ab*?[]!^-{},/.\\()"), maxLength: 30 });
  fc.assert(
    fc.property(any, any, (one, other) => {
      assertEquals(canMeet(one, other), canMeet(other, one));
      assert(canMeet(one, one) || one.includes("["), one);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a glob made to be slow is not", () => {
  const slow = "*a".repeat(200);
  const started = performance.now();
  canMeet(slow, `${"a*".repeat(200)}b`);
  assert(performance.now() - started < 5000);
});
