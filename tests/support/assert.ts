// The assertions of the tests, in one place and with types (see assert.d.ts).

// @ts-types="./assert.d.ts"
export {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  AssertionError,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
