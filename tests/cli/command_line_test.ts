// The command line before any command sees it: global options, `--`, and what the ancestor took.

import fc from "fast-check";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { parseCommandLine } from "../../lib/cli/main.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { ID, OTHER } from "../support/tasks.ts";

const DEFAULTS = {
  dir: undefined,
  workspace: undefined,
  everywhere: false,
  json: false,
  debug: false,
  color: undefined,
};

Deno.test("a workspace is named anywhere, and -w is the command's own behind status and run", () => {
  const rest = ["show", "x"];
  for (
    const given of [["-w", "app"], ["-wapp"], ["-w=app"], ["--workspace", "app"], [
      "--workspace=app",
    ]]
  ) {
    const wanted = { globals: { ...DEFAULTS, workspace: "app" }, special: undefined, rest };
    assertEquals(parseCommandLine([...given, ...rest]), wanted, given[0]);
    assertEquals(parseCommandLine([...rest, ...given]), wanted, given[0]);
  }
  for (
    const words of [["status", "-w"], ["run", "-w"], ["status", "-wi5"], ["show", "--", "-w", "a"]]
  ) {
    assertEquals(parseCommandLine(words).globals, DEFAULTS);
    assertEquals(parseCommandLine(words).rest, words);
  }
  assertEquals(parseCommandLine(["-w", "a", "status", "-w"]).rest, ["status", "-w"]);
  for (const words of [["-w"], ["show", "--workspace"], ["-C", "d", "-w", "a"]]) {
    assertThrows(() => parseCommandLine(words), OrchestraError);
  }
});

Deno.test("global options are taken out wherever they stand", () => {
  const wanted = {
    globals: { ...DEFAULTS, dir: "d", json: true, debug: true, color: false },
    special: undefined,
    rest: ["status", "--watch"],
  };
  const globals = [["-C", "d"], ["--json"], ["--debug"], ["--no-color"]];
  assertEquals(parseCommandLine([...globals.flat(), "status", "--watch"]), wanted);
  assertEquals(parseCommandLine(["status", ...globals.flat(), "--watch"]), wanted);
  assertEquals(parseCommandLine(["status", "--watch", ...globals.flat()]), wanted);
  assertEquals(parseCommandLine(["status", "-Cd"]).globals, { ...DEFAULTS, dir: "d" });
  assertEquals(parseCommandLine(["-C", "--json", "status"]).globals.dir, "--json");
});

Deno.test("behind -- nothing is an option", () => {
  const { globals, rest } = parseCommandLine([
    "start",
    "shell",
    "--",
    "--json",
    "-C",
    "--depends-on",
    ID,
    OTHER,
  ]);
  assertEquals(globals, DEFAULTS);
  assertEquals(rest, ["start", "shell", "--", "--json", "-C", "--depends-on", ID, OTHER]);
});

Deno.test("--depends-on takes several ids, as the ancestor's did, and stops at what is none", () => {
  const third = "task_1772625600002";
  assertEquals(
    parseCommandLine(["start", "shell", "do it", "--depends-on", ID, OTHER, "--priority", "9"])
      .rest,
    ["start", "shell", "do it", "--depends-on", ID, "--depends-on", OTHER, "--priority", "9"],
  );
  assertEquals(
    parseCommandLine(["start", "--depends-on", ID, `${OTHER},${third}`, "shell", "do it"]).rest,
    ["start", "--depends-on", ID, "--depends-on", `${OTHER},${third}`, "shell", "do it"],
  );
  assertEquals(
    parseCommandLine(["start", "--depends-on", ID, "--json", OTHER]),
    {
      globals: { ...DEFAULTS, json: true },
      special: undefined,
      rest: ["start", "--depends-on", ID, OTHER],
    },
  );
  assertEquals(parseCommandLine(["start", "--depends-on"]).rest, ["start", "--depends-on"]);
  assertEquals(parseCommandLine(["start", "--depends-on", "bad"]).rest, [
    "start",
    "--depends-on",
    "bad",
  ]);
});

Deno.test("the value of an option that takes a text is no global option", () => {
  for (const option of ["--from", "--label", "-l", "--reason"]) {
    assertEquals(parseCommandLine(["cancel", option, "--json"]), {
      globals: DEFAULTS,
      special: undefined,
      rest: ["cancel", option, "--json"],
    });
    assertEquals(parseCommandLine(["cancel", option]).rest, ["cancel", option]);
  }
});

Deno.test("help and version are the program's before a command and the command's behind it", () => {
  assertEquals(parseCommandLine(["--help"]).special, "help");
  assertEquals(parseCommandLine(["-h"]).special, "help");
  assertEquals(parseCommandLine(["--json", "--version"]).special, "version");
  assertEquals(parseCommandLine(["-V"]).special, "version");
  assertEquals(parseCommandLine(["start", "--help"]), {
    globals: DEFAULTS,
    special: undefined,
    rest: ["start", "--help"],
  });
  assertEquals(parseCommandLine(["-d", "status"]).globals.debug, true);
  assertEquals(parseCommandLine(["logs", "-d"]).rest, ["logs", "-d"]);
});

Deno.test("-C without a folder is a usage error that shows how", () => {
  const error = assertThrows(() => parseCommandLine(["status", "-C"]), OrchestraError, "-C");
  assertEquals(error.code, "usage");
  assertEquals(error.exitCode, 2);
  assertStringIncludes(error.hint ?? "", "orchestra -C");
});

Deno.test("parseCommandLine loses and invents no word, whatever the command line", () => {
  const word = fc.oneof(
    fc.constantFrom("--", "--json", "--debug", "--no-color", "-C", "--depends-on", "--from", ID),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word), (args) => {
    let line;
    try {
      line = parseCommandLine(args);
    } catch (error) {
      assert(error instanceof OrchestraError && args.at(-1) === "-C");
      return;
    }
    // What is left stands in the order in which it was given; only --depends-on may be repeated.
    const given = args.filter((word) => word !== "--depends-on").values();
    for (const word of line.rest.filter((word) => word !== "--depends-on")) {
      let next = given.next();
      while (!next.done && next.value !== word) next = given.next();
      assert(!next.done, `${JSON.stringify(word)} was not given there`);
    }
    assertEquals(parseCommandLine(["start", "--", ...args]), {
      globals: DEFAULTS,
      special: undefined,
      rest: ["start", "--", ...args],
    });
  }));
});
