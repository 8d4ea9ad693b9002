// `orchestra upgrade --check`: is there a newer version on JSR? It only asks and says; nothing is
// installed. The one command of the set-up that uses the network.

import { buildCommand } from "@stricli/core";
import { OrchestraError } from "../../task/error.ts";
import { VERSION } from "../../task/version.ts";
import { env } from "../calling.ts";
import type { Context } from "../context.ts";
import { optional } from "../parameters.ts";

interface UpgradeFlags {
  check?: boolean;
}

/** How long the registry may take, milliseconds. */
const PATIENCE = 5000;

const SEMVER = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

export const command = buildCommand({
  func: upgrade,
  parameters: { flags: { check: optional("only look, on JSR; the one thing it can do") } },
  docs: { brief: "Say whether a newer version is out" },
});

async function upgrade(this: Context, flags: UpgradeFlags): Promise<void> {
  if (!flags.check) {
    throw new OrchestraError("usage", "upgrade installs nothing, it only looks", {
      hint: "Look with: orchestra upgrade --check",
    });
  }
  const registry = env("JSR_URL") ?? "https://jsr.io/";
  const url = `${registry.replace(/\/+$/, "")}/@orchestra/cli/meta.json`;
  const latest = parseLatest(await read(url), url);
  const newer = compareVersions(latest, VERSION) > 0;
  if (this.globals.json) return this.printJson({ version: VERSION, latest, newer });
  if (!newer) return this.print(`orchestra ${VERSION} is the latest version`);
  this.print(`orchestra ${latest} is out; this is ${VERSION}`);
  this.note(
    Deno.build.standalone || !/^https?:/.test(this.program)
      ? "Get it from where you have this one, or run: deno run -A jsr:@orchestra/cli"
      : `Run it with: deno run -A jsr:@orchestra/cli@${latest}`,
  );
}

/**
 * Less than, equal to or greater than 0 as a version is before, the same as or after another one, by
 * the rules of semver.org. Both must be versions.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [SEMVER.exec(a)!, SEMVER.exec(b)!];
  for (const at of [1, 2, 3]) {
    const difference = Number(left[at]) - Number(right[at]);
    if (difference !== 0) return difference;
  }
  const [before, after] = [left[4], right[4]];
  if (before === undefined || after === undefined) {
    return Number(before === undefined) - Number(after === undefined);
  }
  const [parts, others] = [before.split("."), after.split(".")];
  for (let at = 0; at < Math.min(parts.length, others.length); at++) {
    const [part, other] = [parts[at]!, others[at]!];
    if (part === other) continue;
    const numbers = [part, other].map((item) => /^\d+$/.test(item));
    if (numbers[0] && numbers[1]) return Number(part) - Number(other);
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return part < other ? -1 : 1;
  }
  return parts.length - others.length;
}

function parseLatest(text: string, url: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Said below.
  }
  const latest = typeof value === "object" && value !== null && "latest" in value
    ? value.latest
    : undefined;
  if (typeof latest === "string" && SEMVER.test(latest)) return latest;
  throw new OrchestraError("environment", `Looking for a newer version: ${url} names none`, {
    hint: "Check JSR_URL, or look at https://jsr.io/@orchestra/cli yourself.",
  });
}

async function read(url: string): Promise<string> {
  let problem: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) });
    const text = await response.text();
    if (response.ok) return text;
    problem = `it answered ${response.status}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return await readByCurl(url);
    problem = error instanceof DOMException && error.name === "TimeoutError"
      ? NO_ANSWER
      : "no connection";
  }
  throw unreachable(url, problem);
}

/**
 * The one file and the binaries may start programs, but not use the network: a grant to the whole
 * program for the sake of one question would be too much.
 */
async function readByCurl(url: string): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("curl", {
      args: ["-fsSL", "--max-time", String(PATIENCE / 1000), "--max-filesize", "1000000", url],
      stdin: "null",
    }).output();
  } catch {
    throw unreachable(url, "Deno's permissions forbid it, and there is no curl to ask");
  }
  if (output.success) return new TextDecoder().decode(output.stdout);
  // Exit codes of curl: 22 is an answer of 400 or above, 28 is the time limit.
  throw unreachable(
    url,
    output.code === 22
      ? "it answered with an error"
      : output.code === 28
      ? NO_ANSWER
      : "no connection",
  );
}

const NO_ANSWER = `no answer within ${PATIENCE / 1000} seconds`;

function unreachable(url: string, problem: string): OrchestraError {
  return new OrchestraError(
    "environment",
    `Looking for a newer version: ${url} could not be reached: ${problem}`,
    { hint: "Check the connection and its proxy (HTTPS_PROXY), or try again later." },
  );
}
