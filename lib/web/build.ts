// Makes the page: one HTML document with one script and one style in it, which a browser runs by their
// hashes alone. From source it is made when the server starts; for the second asset, when that is bundled.

import { OrchestraError } from "../task/error.ts";

/** The document, and the policy that says what a browser may run of it. */
export interface Built {
  readonly html: string;
  /** Value of `Content-Security-Policy`. */
  readonly csp: string;
}

const ROOT = new URL("../../", import.meta.url);
const FOLDER = "lib/web/page/";

/** Builds the page from its sources. */
export async function buildPage(): Promise<Built> {
  const [script, style, skeleton] = await Promise.all([
    bundleScript(),
    readStyle(),
    readSource("page.html"),
  ]);
  return await assemble(skeleton, script, style);
}

/** What views have of their own stands beside them. */
const STYLES = [
  "style.css",
  "log/log.css",
  "diff/diff.css",
  "views/graph.css",
  "views/timeline.css",
];

function readSource(name: string): Promise<string> {
  return Deno.readTextFile(new URL(FOLDER + name, ROOT));
}

async function readStyle(): Promise<string> {
  return (await Promise.all(STYLES.map(readSource))).join("\n");
}

async function bundleScript(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // From the root on, which may have any name and, on Windows, a drive before it.
    args: ["bundle", "--quiet", "--platform", "browser", "--minify", `${FOLDER}main.tsx`],
    cwd: ROOT,
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new OrchestraError("environment", "The page could not be built from its sources", {
    hint: new TextDecoder().decode(stderr).trim().split("\n")[0],
  });
}

/** Puts script and style in the places that the skeleton has for them, and hashes what stands there. */
export async function assemble(skeleton: string, script: string, style: string): Promise<Built> {
  // Neither may end before its end: within the texts of either the escaped form means the same.
  const code = script.trim().replaceAll(/<(\/script|!--)/gi, "\\x3C$1");
  const css = style.trim().replaceAll(/<\/style/gi, "<\\/style");
  const html = put(put(skeleton, "/* style */", css), "/* script */", code);
  const csp = [
    "default-src 'none'",
    `script-src ${await hashesOf(html, /<script[^>]*>([^]*?)<\/script>/g)}`,
    `style-src ${await hashesOf(html, /<style[^>]*>([^]*?)<\/style>/g)}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, csp };
}

function put(text: string, place: string, what: string): string {
  const at = text.indexOf(place);
  if (at < 0) throw new Error(`page.html has no ${place}`);
  return text.slice(0, at) + what + text.slice(at + place.length);
}

async function hashesOf(html: string, element: RegExp): Promise<string> {
  const hashes = [...html.matchAll(element)].map(async ([, text]) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
  });
  return (await Promise.all(hashes)).join(" ");
}
