// Checks the links between the files of a folder. It changes nothing on its own account: a link
// that leads nowhere is an error. The next attempt is told of that error in its prompt, mends just
// those links and checks again, as an AI agent would.

import { listFiles, readAssignment, reportDone, reportError, rest, wantedPath } from "./agent.ts";

interface BrokenLink {
  file: string;
  target: string;
}

const LINK = /\]\(([^)#:]+)\)|href="([^"#:]+)"/g;

function findBroken(folder: string, names: readonly string[]): BrokenLink[] {
  return names.flatMap((file) =>
    [...Deno.readTextFileSync(`${folder}/${file}`).matchAll(LINK)]
      .map((match) => match[1] ?? match[2]!)
      .filter((target) => !names.includes(target))
      .map((target) => ({ file, target }))
  );
}

/** The name that shares the longest beginning with a wrong one. */
function nearest(target: string, names: readonly string[]): string {
  const shared = (name: string) => {
    let length = 0;
    while (length < name.length && name[length] === target[length]) length++;
    return length;
  };
  return names.reduce((best, name) => shared(name) > shared(best) ? name : best);
}

const { prompt, workspace } = readAssignment();
const wanted = wantedPath(prompt);
const folder = wanted === "site" ? `${workspace}/site` : wanted;
const names = listFiles(folder, wanted === "site" ? ".html" : ".md");
const told = prompt.split("An earlier attempt failed")[1] ?? "";
for (const [, file, target] of told.matchAll(/([\w.-]+): link to ([\w.-]+)/g)) {
  const path = `${folder}/${file}`;
  const better = nearest(target!, names);
  const text = Deno.readTextFileSync(path).replaceAll(`](${target})`, `](${better})`);
  Deno.writeTextFileSync(path, text);
  console.log(`mended ${path}: ${target} is now ${better}`);
  await rest();
}
for (const name of names) {
  console.log(`checking ${name}`);
  await rest(150);
}
const broken = findBroken(folder, names);
if (broken.length === 0) {
  const report = `${wanted.replaceAll("/", "_")}-links.txt`;
  Deno.writeTextFileSync(`${workspace}/${report}`, names.map((name) => `ok  ${name}\n`).join(""));
  reportDone(
    told === ""
      ? `All links in ${names.length} files are right`
      : `Mended what the first attempt found: all links in ${names.length} files are right`,
    [`.orchestra/workspace/${report}`],
  );
} else {
  const list = broken.map(({ file, target }) => `${file}: link to ${target}`).join("; ");
  reportError(`${broken.length} broken: ${list}`, "Mend them and check again.");
}
