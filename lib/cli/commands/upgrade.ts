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
  const { isNewer } = await import("../versions.ts");
  const latest = parseLatest(await read(url));
  const newer = latest === undefined ? undefined : isNewer(latest, VERSION);
  if (newer === undefined) {
    throw new OrchestraError("environment", `Looking for a newer version: ${url} names none`, {
      hint: "Check JSR_URL, or look at https://jsr.io/@orchestra/cli yourself.",
    });
  }
  if (this.globals.json) return this.printJson({ version: VERSION, latest, newer });
  if (!newer) return this.print(`orchestra ${VERSION} is the latest version`);
  this.print(`orchestra ${latest} is out; this is ${VERSION}`);
  this.note(
    Deno.build.standalone || !/^https?:/.test(this.program)
      ? "Get it from where you have this one, or run: deno run -A jsr:@orchestra/cli"
      : `Run it with: deno run -A jsr:@orchestra/cli@${latest}`,
  );
}

/** What a package's list of versions says is the latest; a version has no other characters. */
function parseLatest(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const latest = typeof value === "object" && value !== null && "latest" in value
    ? value.latest
    : undefined;
  return typeof latest === "string" && /^[\w.+-]+$/.test(latest) ? latest : undefined;
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
