// Reports of a run: whatever prompts, messages and logs say, JUnit stays well-formed XML, a Markdown
// table keeps its cells, a fence its end, and a runner of GitHub's sees no command but ours.

import fc from "fast-check";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { formatAnnotations, formatJunit, formatMarkdown } from "../../lib/format/report.ts";
import { sanitize, sanitizeBlock } from "../../lib/text/width.ts";
import { readXml } from "./xml.ts";
import { cellsOf, shownText, splitFences } from "../support/markdown.ts";
import { entries, inputOf, NOW, taskOf } from "../support/runs.ts";

Deno.test("the reader of XML refuses what is not well-formed", () => {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  assertEquals(readXml(`${head}<a x="1 &lt; 2"><b/>t &amp; u</a>\n`), {
    name: "a",
    attributes: { x: "1 < 2" },
    children: [{ name: "b", attributes: {}, children: [], text: "" }],
    text: "t & u",
  });
  for (
    const broken of [
      "<a>",
      "<a></b>",
      "<a/><b/>",
      "<a/>text",
      "<a><b></a></b>",
      "<a x='1'/>",
      '<a x="1" x="2"/>',
      '<a x="<"/>',
      '<a x="""/>',
      "<a>&nbsp;</a>",
      "<a>&</a>",
      "<a>]]></a>",
      "<a>\x00</a>",
      "<a>\x1b[31m</a>",
      "<a>\ud800</a>",
      "<a>\uffff</a>",
      "<a>1 < 2</a>",
      "",
    ]
  ) assertThrows(() => readXml(head + broken), Error, "", broken);
  assertThrows(() => readXml("<a/>"), Error, "declaration");
});

Deno.test("JUnit is well-formed XML with right counts, whatever prompts, messages and logs say", () => {
  fc.assert(
    fc.property(entries, (list) => {
      const root = readXml(formatJunit(inputOf(list)));
      assertEquals(root.name, "testsuites");
      const [suite, ...others] = root.children;
      assertEquals([suite!.name, others], ["testsuite", []]);
      const cases = suite!.children;
      assertEquals(cases.map((it) => it.name), list.map(() => "testcase"));
      const count = (name: string) =>
        cases.filter((it) => it.children.some((child) => child.name === name)).length;
      for (const { attributes } of [root, suite!]) {
        assertEquals(
          [attributes.tests, attributes.failures, attributes.skipped, attributes.time],
          [String(list.length), String(count("failure")), String(count("skipped")), "12.346"],
        );
      }
      const names = cases.map(({ attributes }) => `${attributes.classname}\0${attributes.name}`);
      assertEquals(new Set(names).size, names.length);
      for (const [at, { task, log }] of list.entries()) {
        const { attributes, children } = cases[at]!;
        assert(!attributes.name!.includes(task.taskId) && attributes.name !== "");
        const [properties] = children.filter((it) => it.name === "properties");
        assertEquals(properties!.children.map((it) => it.attributes), [
          { name: "task", value: task.taskId },
        ]);
        assertMatch(attributes.time!, /^\d+\.\d{3}$/);
        assertEquals(
          children.filter((it) => it.name === "failure").length,
          task.status === "failed" ? 1 : 0,
        );
        assertEquals(
          children.filter((it) => it.name === "skipped").length,
          task.status === "failed" || task.status === "complete" ? 0 : 1,
        );
        // A log comes through as it is shown, but for what XML cannot hold.
        const shown = log === null ? "" : sanitizeBlock(log).replace(/[\ufffe\uffff]/g, "");
        assertEquals(children.find((it) => it.name === "system-out")?.text ?? "", shown);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a Markdown table keeps its cells and a fence its end, whatever a task says", () => {
  fc.assert(
    fc.property(entries, (list) => {
      const page = formatMarkdown(inputOf(list));
      const { lines, blocks } = splitFences(page);
      assertEquals(lines.slice(1, 4), [
        "",
        "| Task | Agent | Outcome | Time | Tries | Prompt |",
        "| --- | --- | --- | ---: | ---: | --- |",
      ]);
      for (const [at, { task }] of list.entries()) {
        const cells = cellsOf(lines[4 + at]!);
        assertEquals(cells.length, 6, lines[4 + at]);
        assertEquals(cells[0], `\`${task.taskId}\``);
        assertEquals(shownText(cells[1]!), sanitize(task.agent).trim());
        assertEquals(cells[4], "1");
        shownText(cells[5]!);
      }
      // Whatever follows is a heading or a summary of ours.
      for (const line of lines.slice(4 + list.length)) {
        if (line === "") continue;
        const heading = /^(?:### (?=task\\_\d+: )|\*\*task_\d+\*\*: )/.exec(line);
        assert(heading !== null, `a line that is not ours: ${JSON.stringify(line)}`);
        shownText(line.slice(heading[0].length));
      }
      const shown = list.filter(({ task }) => task.status !== "complete")
        .map(({ log }) => sanitizeBlock(log ?? "").trimEnd()).filter((log) => log !== "");
      assertEquals(blocks, shown);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a runner sees one command for each failed task, whatever the task says", () => {
  fc.assert(
    fc.property(entries, (list) => {
      const input = inputOf(list);
      const lines = formatAnnotations(input);
      const failed = list.filter(({ task }) => task.status === "failed");
      assertEquals(lines.length, failed.length);
      for (const [at, { task, log }] of failed.entries()) {
        const line = lines[at]!;
        // Whatever a runner takes as a line break.
        assert(!/[\r\n\v\f\x85\u2028\u2029]/.test(line), JSON.stringify(line));
        const [, title, text] = /^::error title=([^:,\r\n]*)::(.*)$/s.exec(line)!;
        const unescape = (value: string) =>
          value.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%3A", ":")
            .replaceAll("%2C", ",").replaceAll("%25", "%");
        assert(!/%(?!25|0D|0A|3A|2C)/.test(title!) && !/%(?!25|0D|0A)/.test(text!), line);
        assert(unescape(title!).startsWith(`${task.taskId} (`), title);
        if (log !== null && log !== "" && !/%(?:3A|2C)/.test(log)) {
          assertEquals(unescape(text!), sanitizeBlock(log));
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a chain of retries that came to success counts once, as a success", () => {
  const first = taskOf(1, { status: "failed", retriedBy: `task_${NOW - 100_000 + 2}` });
  const second = taskOf(2, {
    status: "failed",
    parentTaskId: first.taskId,
    retryCount: 1,
    retriedBy: `task_${NOW - 100_000 + 3}`,
  });
  const third = taskOf(3, { status: "complete", parentTaskId: first.taskId, retryCount: 2 });
  const input = inputOf([first, second, third].map((task) => ({ task, log: "what it printed" })));
  const suite = readXml(formatJunit(input)).children[0]!;
  assertEquals([suite.attributes.tests, suite.attributes.failures], ["1", "0"]);
  const [properties] = suite.children[0]!.children;
  assertEquals(properties!.children[0]!.attributes, { name: "task", value: third.taskId });
  const page = formatMarkdown(input);
  assertMatch(page, /^## Orchestra: 1 of 1 complete in /);
  assertStringIncludes(page, `| \`${third.taskId}\` | shell | ✅ complete | 2s | 3 |`);
  assert(!page.includes(first.taskId) && !page.includes(second.taskId));
  assertEquals(formatAnnotations(input), []);

  const lost = { ...third, status: "failed", errorMessage: "gave up" } as const;
  const again = inputOf([first, second, lost].map((task) => ({ task, log: null })));
  assertEquals(readXml(formatJunit(again)).children[0]!.attributes.failures, "1");
  assertEquals(formatAnnotations(again), [
    `::error title=${third.taskId} (shell)%3A gave up::no output`,
  ]);
});

Deno.test("each outcome has its place in every report", () => {
  const done = taskOf(1, { status: "complete" }, "make the tea");
  const failed = taskOf(2, {
    status: "failed",
    failureClass: "exit",
    exitCode: 7,
    errorMessage: "agent exited with code 7",
    errorDetails: "line one\nline two",
  });
  const waiting = taskOf(3, { status: "pending", dependsOn: [failed.taskId] });
  const ended = taskOf(4, { status: "cancelled" });
  const list = [done, failed, waiting, ended].map((task) => ({
    task,
    log: task === failed ? "50%: broken\n" : null,
  }));
  const suite = readXml(formatJunit(inputOf(list))).children[0]!;
  assertEquals(suite.attributes, {
    name: "orchestra",
    tests: "4",
    failures: "1",
    errors: "0",
    skipped: "2",
    time: "12.346",
  });
  const [tea, broken, blocked] = suite.children;
  assertEquals(tea!.attributes, {
    classname: "shell",
    name: "make the tea",
    time: "2.500",
  });
  assertEquals(broken!.children[0]!.attributes, {
    type: "exit",
    message: "agent exited with code 7",
  });
  assertEquals(broken!.children[0]!.text, "line one\nline two");
  assertStringIncludes(blocked!.children[0]!.attributes.message!, failed.taskId);
  const page = formatMarkdown(inputOf(list));
  assertStringIncludes(page, "## Orchestra: 1 of 4 complete in 12s");
  assertStringIncludes(page, "```text\n50%: broken\n```");
  assertEquals(formatAnnotations(inputOf(list)), [
    `::error title=${failed.taskId} (shell)%3A agent exited with code 7::50%25: broken%0A`,
  ]);
});
