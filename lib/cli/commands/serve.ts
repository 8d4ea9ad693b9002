// `orchestra serve`: the page and the API, for who looks at the queue with a browser or asks it with a
// program. The server itself is loaded only here: from source, or from the asset beside the one file.

import { buildCommand } from "@stricli/core";
import type { Queue } from "../../queue/queue.ts";
import { lstat, removeFile } from "../../store/files.ts";
import { isObeyed, userStateFolder } from "../../store/owner.ts";
import { OrchestraError, toOrchestraError, UNPERMITTED } from "../../task/error.ts";
import type { WebServer } from "../../web/serve.ts";
import type { KnownWorkspace } from "../../workspaces/registry.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { keepWatched, stopSignal } from "../look_on.ts";
import { optional, parsed, text } from "../parameters.ts";
import { takeToken } from "../token.ts";

interface ServeFlags {
  port?: number;
  host?: string;
  open?: boolean;
  everywhere?: boolean;
  readOnly?: boolean;
}

/** The port where none is asked for; a free one where it is taken. */
const PORT = 7450;
const HOST = "127.0.0.1";

export const command = buildCommand({
  func: serve,
  parameters: {
    flags: {
      port: parsed(integer(0), `port to listen on (${PORT}, or a free one)`, "n"),
      host: parsed(text, "address to listen on, where others are to reach it", "address"),
      open: optional("open the page in a browser"),
      everywhere: optional("all workspaces that are known, new ones as they come"),
      readOnly: optional("refuse every change"),
    },
  },
  docs: {
    brief: "Serve the page and the API on this machine",
    fullDescription:
      "Serves a page to look at the queue and to act on it, and the API behind it, on this machine " +
      "alone. Prints the address, with a token that lets in whoever has it: new with each start, " +
      "unless ORCHESTRA_TOKEN is set, 16 characters or more. Ends with Ctrl+C; agents go on.",
  },
});

async function serve(this: Context, flags: ServeFlags): Promise<void> {
  await mayServe();
  const { startServer, randomToken, isLoopback } = await loadServer();
  const host = flags.host ?? HOST;
  const { list, registry } = await listOf(this, flags.everywhere ?? false);
  const token = takeToken() ?? randomToken();
  const options = {
    list,
    registry,
    everywhere: flags.everywhere ?? false,
    readOnly: flags.readOnly ?? false,
    host,
    token,
    keeper: keeperOf(this),
    program: this.program,
    onProblem: (problem: string) => this.note(problem),
  };
  if (!isLoopback(host)) {
    this.note(
      `Whoever can reach ${host} and has the token can do all that you can here, and what goes over ` +
        "the network is not encrypted",
    );
  }
  this.endsByExit = true;
  const stop = stopSignal(() => this.fail(130));
  await using server = await listening(
    flags.port,
    host,
    (port) => startServer({ ...options, port }),
  );
  const url = `${server.address}#token=${token}`;
  if (this.globals.json) this.printJson({ url, address: server.address, token, port: server.port });
  else this.print(url);
  using handed = flags.open ? handOver(this, server) : undefined;
  // Some wait until the browser is closed.
  if (handed !== undefined) openBrowser(this, handed.path);
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener("abort", () => resolve());
  });
}

/** The module of the server: from source, or the asset beside the one file. */
async function loadServer() {
  try {
    return await import("../../web/serve.ts");
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new OrchestraError("environment", "serve: orchestra-web.js is not beside this program", {
      hint: "It comes with each release, and with: deno task bundle. Put it into the same folder.",
      cause: error,
    });
  }
}

/** Says so where Deno does not let this program listen. */
async function mayServe(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "net" });
  if (state === "granted") return;
  throw new OrchestraError("environment", "serve: Deno's permissions forbid listening", {
    hint: UNPERMITTED,
  });
}

/** The workspaces that are served, and the folder that tells when others come. */
async function listOf(
  context: Context,
  everywhere: boolean,
): Promise<{ list: () => KnownWorkspace[]; registry?: string }> {
  const { folderName, listWorkspaces, registryFolder } = await import(
    "../../workspaces/registry.ts"
  );
  if (everywhere) {
    if (listWorkspaces().length === 0) {
      context.note("No workspace is known yet; make one known with: orchestra workspaces add DIR");
    }
    return { list: () => listWorkspaces(), registry: registryFolder() };
  }
  const { store: { root } } = await context.openQueue();
  const known = listWorkspaces().find((one) => one.root === root);
  const here = { name: known?.name ?? folderName(root), root };
  return { list: () => [here] };
}

/** Whoever looks on leaves a supervisor where something runs that nobody watches, unless told not to. */
function keeperOf(context: Context) {
  return async (queue: Queue) => {
    // Settings that are wrong are told where they are asked for, and the defaults hold.
    const config = await context.config(queue.store).catch(() => undefined);
    return keepWatched(context, queue, config?.supervise ?? true);
  };
}

/** The port that was asked for, or ours; a free one where ours is taken. */
async function listening<T>(
  port: number | undefined,
  host: string,
  start: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await start(port ?? PORT);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) {
      throw toOrchestraError(error, `Listening on ${host}:${port ?? PORT}`);
    }
    if (port === undefined) return await start(0);
    const isOurs = await isOrchestra(host, port);
    const taker = isOurs ? "another orchestra serve" : "another program";
    throw new OrchestraError("environment", `Port ${port} is taken by ${taker}`, {
      hint: (isOurs ? "Open the address that it has printed, or give" : "Give") +
        " another one, or none for one that is free.",
      cause: error,
    });
  }
}

/** Whether a server of ours listens there: who has no token is refused in the form of our errors. */
async function isOrchestra(host: string, port: number): Promise<boolean> {
  const isAny = host === "0.0.0.0" || host === "::";
  const name = isAny ? HOST : host.includes(":") ? `[${host}]` : host;
  try {
    const signal = AbortSignal.timeout(1000);
    const answer = await fetch(`http://${name}:${port}/api/v1`, { signal, redirect: "manual" });
    const told: unknown = await answer.json();
    return answer.status === 401 &&
      (told as { error?: { code?: unknown } } | null)?.error?.code === "unauthorized";
  } catch {
    return false;
  }
}

/** A file that leads to the page, until it is disposed of. */
interface HandedOver extends Disposable {
  readonly path: string;
}

/**
 * Writes the address with a lent token where only the user can read it: the arguments of a program are for
 * every user of the machine to see. What a killed server leaves opens nothing, for its token is gone with it.
 */
function handOver(
  context: Context,
  { address, port, lendToken }: WebServer,
): HandedOver | undefined {
  const { token, over } = lendToken();
  try {
    const path = writeRedirect(port, `${address}#token=${token}`);
    const remove = () => removeFile(path);
    over.then(remove).catch(() => {});
    return { path, [Symbol.dispose]: remove };
  } catch (error) {
    const { message } = toOrchestraError(error, "Writing a file for the browser");
    context.note(`No browser is opened: ${message}. Open the address in one`);
    return undefined;
  }
}

/** The file, in a folder of the user's own, one for each port; its path. */
function writeRedirect(port: number, url: string): string {
  const state = userStateFolder();
  if (state === undefined) throw new Error("neither HOME nor XDG_STATE_HOME is set");
  const folder = `${state}/open`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const info = lstat(folder);
  if (!info?.isDirectory || !isObeyed(info)) {
    throw new Error(`${folder} is not the user's own folder`);
  }
  if (Deno.build.os !== "windows") Deno.chmodSync(folder, 0o700);
  const path = `${folder}/${port}.html`;
  removeFile(path);
  const target = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const html = `<!doctype html><meta charset="utf-8"><title>Orchestra</title>` +
    `<meta http-equiv="refresh" content="0;url=${target}">\n`;
  Deno.writeTextFileSync(path, html, { mode: 0o600, createNew: true });
  return path;
}

/** Opens a file in the system's browser. */
async function openBrowser(context: Context, path: string): Promise<void> {
  const [command, ...args] = Deno.build.os === "darwin"
    ? ["open", path]
    : Deno.build.os === "windows"
    ? ["rundll32", "url.dll,FileProtocolHandler", path.replaceAll("/", "\\")]
    : ["xdg-open", path];
  try {
    const { success } = await new Deno.Command(command!, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn().status;
    if (success) return;
  } catch {
    // There is no such program.
  }
  context.note("No browser could be opened: open the address in one");
}
