// Makes a small web site: a page of each markdown file of a folder, or the index of the pages with
// the word counts that another agent left.

import { listFiles, readAssignment, reportDone, rest, wantedPath } from "./agent.ts";

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function inline(text: string): string {
  return escape(text)
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>")
    .replace(
      /\[([^\]]+)\]\(([^)]+)\)/g,
      (_, label: string, target: string) =>
        `<a href="${target.replace(/\.md$/, ".html")}">${label}</a>`,
    );
}

function toHtml(markdown: string): string {
  return markdown.trim().split(/\n{2,}/).map((block) => {
    const heading = /^(#{1,3}) (.*)$/.exec(block);
    if (heading !== null) {
      const level = heading[1]!.length;
      return `<h${level}>${inline(heading[2]!)}</h${level}>`;
    }
    if (block.startsWith("- ")) {
      const items = block.split("\n").map((line) => `  <li>${inline(line.slice(2))}</li>`);
      return `<ul>\n${items.join("\n")}\n</ul>`;
    }
    return `<p>${inline(block)}</p>`;
  }).join("\n");
}

function page(title: string, body: string): string {
  return `<!doctype html>\n<meta charset="utf-8">\n<title>${escape(title)}</title>\n` +
    `<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto }</style>\n` +
    `${body}\n`;
}

const { prompt, workspace } = readAssignment();
const site = `${workspace}/site`;
Deno.mkdirSync(site, { recursive: true });
const made: string[] = [];
const save = (name: string, text: string) => {
  Deno.writeTextFileSync(`${site}/${name}`, text);
  made.push(`.orchestra/workspace/site/${name}`);
  console.log(`wrote site/${name}`);
};
if (/\bindex\b/i.test(prompt)) {
  const { total, counts } = JSON.parse(Deno.readTextFileSync(`${workspace}/words.json`));
  const items = listFiles(site, ".html").filter((name) => name !== "index.html").map((name) => {
    const words = counts[name.replace(/html$/, "md")] ?? 0;
    return `  <li><a href="${name}">${name.replace(/\.html$/, "")}</a>, ${words} words</li>`;
  });
  await rest();
  const list = `<h1>Handbook</h1>\n<p>${total} words.</p>\n<ul>\n${items.join("\n")}\n</ul>`;
  save("index.html", page("Handbook", list));
  reportDone(`Index of ${items.length} pages, ${total} words`, made);
} else {
  const folder = wantedPath(prompt);
  for (const name of listFiles(folder, ".md")) {
    const title = name.replace(/\.md$/, "");
    const body = toHtml(Deno.readTextFileSync(`${folder}/${name}`));
    save(`${title}.html`, page(title, `${body}\n<p><a href="index.html">Index</a></p>`));
    await rest();
  }
  reportDone(`${made.length} pages made of ${folder}/`, made);
}
