// What is done to the bundle's text changes nothing of what it does.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { compileEagerly } from "../../.ci/eager.ts";

Deno.test("functions in parentheses do what they did without", async () => {
  const code = `export const seen = [first(3), first.name, first.length]
function first(x) { return second()(x) }
(() => { seen.push("after a declaration") })()
function second() { return (x) => third.call({ x }, (y) => y * 2) }
function third(double) { return double(this.x) }
function pair(x, { y } = { y: 2 }) { return (function () { return x + y + arguments.length })(1) }
async function later(x) { return await (async (y) => y + await x)(1) }
function* numbers() { yield* [1, 2].map((n) => n * 2, function () {}) }
class Thing { field = () => this.other; other = 3; static make() { return new Thing() } }
const object = { method() { return (() => "m")() }, get value() { return 7 }, key: async () => 5 }
function Old(x) { this.x = x } Old.prototype.twice = function () { return this.x * 2 }
seen.push(...numbers(), Thing.make().field(), object.method(), object.value, await object.key(),
  await later(Promise.resolve(4)), new Old(8).twice(), (x => x)(9), pair(1));
export const missing = function named() { return named.name }
seen.push(missing())
`;
  const run = async (text: string) => {
    const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    return module.seen;
  };
  const expected = [6, "first", 1, "after a declaration", 2, 4, 3, "m", 7, 5, 5, 16, 9, 4, "named"];
  assertEquals(await run(code), expected);
  const all = compileEagerly(code, { has: () => true });
  assertEquals(await run(all), expected);
  assertStringIncludes(all, "second=(function second()");
  assertStringIncludes(all, "return ((x) => third.call({ x }, ((y) => y * 2)))");
  assertStringIncludes(all, "later=(async function later(x)");
  assertStringIncludes(all, "Old=(function Old(x)");
  const line = "#!/usr/bin/env node\n";
  assertEquals(
    compileEagerly(line + code, { has: () => true }).startsWith(`${line}var first=`),
    true,
  );
  assertEquals(compileEagerly(code, new Set()), code);
});
