// Counts the words of the markdown files in a folder: `words.json` for programs, `words.md` for
// people.

import { listFiles, readAssignment, reportDone, rest, wantedPath } from "./agent.ts";

const { prompt, workspace } = readAssignment();
const folder = wantedPath(prompt);
const counts: Record<string, number> = {};
const often = new Map<string, number>();
for (const name of listFiles(folder, ".md")) {
  const words = Deno.readTextFileSync(`${folder}/${name}`).toLowerCase().match(/[a-z']{2,}/g) ?? [];
  counts[name] = words.length;
  for (const word of words) if (word.length > 4) often.set(word, (often.get(word) ?? 0) + 1);
  console.log(`${name}: ${words.length} words`);
  await rest();
}
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
const top = [...often].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 5);
Deno.writeTextFileSync(
  `${workspace}/words.json`,
  JSON.stringify({ total, counts }, null, 2) + "\n",
);
Deno.writeTextFileSync(
  `${workspace}/words.md`,
  [
    "| file | words |",
    "| --- | ---: |",
    ...Object.entries(counts).map(([name, count]) => `| ${name} | ${count} |`),
    `| all | ${total} |`,
    "",
    `Most frequent: ${top.map(([word, count]) => `${word} (${count})`).join(", ")}`,
    "",
  ].join("\n"),
);
reportDone(
  `${total} words in ${Object.keys(counts).length} files; most frequent: ${top[0]?.[0] ?? "none"}`,
  [".orchestra/workspace/words.json", ".orchestra/workspace/words.md"],
);
