// What the tests of the page look at: real workspaces with running agents, large ones, and a real
// `orchestra serve` over them, which ends with the test whatever happens.

import { formatTask, newTask, type Task } from "../../lib/task/fields.ts";
import { type Box, type Live, makeBox, spawnProgram } from "../support/program.ts";
import { type Browser, type Tab, type TabOptions, until } from "./browser.ts";

/** A running `orchestra serve`. */
export interface Site extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  /** As it was printed, with the token. */
  readonly address: string;
  readonly pid: number;
  /** What it has said on stderr. */
  said(): string;
  /** Asks its API; the answer's body. A status of 400 and more is an error. */
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Opens a page that has had its token; `path` as in an address, such as `/w/shop/now`. */
  open(browser: Browser, path?: string, options?: TabOptions): Promise<Tab>;
  /** Holds the server still meanwhile, as a machine that sleeps does, and breaks its connections. */
  freeze(meanwhile: () => Promise<void>): Promise<void>;
  /** Kills the server. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** How a server is started. */
export interface ServeOptions {
  args?: string[];
  env?: Record<string, string>;
}

/** Serves a workspace by a process of its own. */
export async function serveBox(root: string, options: ServeOptions = {}): Promise<Site> {
  const port = freePort();
  const origin = `http://127.0.0.1:${port}`;
  let live: Live;
  let address = "";
  const tokenOf = () => new URL(address).hash.replace(/^#(?:token=)?/, "");
  const start = async () => {
    const args = ["serve", "--port", String(port), ...options.args ?? []];
    live = spawnProgram(root, args, { env: options.env });
    const printed = /http:\/\/[^\s#]+#\S+/;
    address = printed.exec(await live.printed((text) => printed.test(text)))![0];
  };
  const ask = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const response = await fetch(`${origin}/api/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${tokenOf()}`, "content-type": "application/json" },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  /** The pages go first: a server that leaves them is trouble. */
  const tabs: Tab[] = [];
  await start();
  return {
    origin,
    port,
    get address() {
      return address;
    },
    get token() {
      return tokenOf();
    },
    get pid() {
      return live.pid;
    },
    said: () => live.stderr(),
    get: (path) => ask(path),
    post: (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) }),
    async open(browser, path, tabOptions = {}) {
      const tab = await browser.open({ ...tabOptions, url: address });
      tabs.push(tab);
      await until(
        "the page to be let in",
        () => tab.page.evaluate(() => localStorage.getItem("orchestra-base")),
      );
      if (path !== undefined) await tab.page.goto(`${origin}${path}`);
      return tab;
    },
    async freeze(meanwhile) {
      live.kill("SIGSTOP");
      try {
        await meanwhile();
      } finally {
        live.kill("SIGCONT");
      }
    },
    async stop() {
      await live[Symbol.asyncDispose]();
    },
    start,
    async [Symbol.asyncDispose]() {
      for (const tab of tabs) await tab.close();
      await live[Symbol.asyncDispose]();
    },
  };
}

/** A port of loopback that nobody listens at. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What a workspace is called in addresses: its folder. */
export const nameOf = (box: Box) => box.root.slice(box.root.lastIndexOf("/") + 1);

let lastId = 0;

/** Puts a task into a workspace as a file, as `start` would; its id. */
export function addTask(box: Box, change: Partial<Task> = {}, at = Date.now()): string {
  lastId = Math.max(lastId + 1, at * 1000);
  const id = `task_${lastId}`;
  const prompt = `Step ${lastId % 1e6}: refactor the parser, and keep the tests green`;
  const task = { ...newTask(id, { agent: "shell", prompt }, at), ...change };
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), formatTask(task), { mode: 0o600 });
  return id;
}

/** Fields of a task that came to its end so many seconds after it was started. */
export function endedAt(status: "complete" | "failed", at: number, ran = 65): Partial<Task> {
  return {
    status,
    startedAt: new Date(at + 1000).toISOString(),
    completedAt: new Date(at + 1000 + ran * 1000).toISOString(),
    claim: 1,
    pid: 4321,
    exitCode: status === "failed" ? 1 : 0,
    failureClass: status === "failed" ? "exit" : null,
    errorMessage: status === "failed" ? "The agent ended with exit code 1" : null,
    result: status === "failed" ? null : { summary: "Did it", files: ["src/parser.ts"] },
  };
}

/** So many tasks that have ended, a few of them badly. */
export function addEnded(box: Box, count: number): string[] {
  const first = Date.now() - 86_400_000;
  return Array.from({ length: count }, (_, number) => {
    const at = first + Math.floor(number * 80_000_000 / count);
    return addTask(box, endedAt(number % 20 === 0 ? "failed" : "complete", at), at);
  });
}

/**
 * Tasks that depend on each other in layers, the first layer complete: each on two of the layer before it.
 */
export function addGraph(box: Box, count: number, width = 25): string[] {
  const at = Date.now() - 3_600_000;
  const ids: string[] = [];
  for (let number = 0; number < count; number++) {
    const layer = Math.floor(number / width);
    const before = ids.slice((layer - 1) * width, layer * width);
    const dependsOn = layer === 0
      ? []
      : [...new Set([before[number % width]!, before[(number * 7 + layer) % width]!])];
    const change = layer === 0 ? endedAt("complete", at) : { dependsOn };
    ids.push(addTask(box, { prompt: `Part ${number} of layer ${layer}`, ...change }, at));
  }
  return ids;
}

/** A log of about so many bytes, in numbered lines; how many lines it has. */
export function writeLargeLog(path: string, bytes: number): number {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  const encoder = new TextEncoder();
  let written = 0;
  let number = 0;
  while (written < bytes) {
    let text = "";
    while (text.length < 4_000_000) {
      number++;
      text += `line ${number} \x1b[3${number % 8}mof a long log\x1b[0m, ${"word ".repeat(12)}\n`;
    }
    written += file.writeSync(encoder.encode(text));
  }
  return number;
}

const FIXTURES = new URL("../fixtures/", import.meta.url);

/** Streams of events of vendors' programs, by what a definition's `usage` says. */
export const STREAMS = {
  claude: "claude_success.jsonl",
  codex: "codex_success.jsonl",
  gemini: "gemini_success.jsonl",
  opencode: "opencode_success.jsonl",
  copilot: "copilot_success.jsonl",
  cline: "cline_success.jsonl",
} as const;

/** A task that has ended and whose log is such a stream; its id. */
export function addStream(box: Box, vendor: keyof typeof STREAMS): string {
  const at = Date.now() - 600_000;
  const id = addTask(box, {
    agent: vendor,
    prompt: `What ${vendor} said`,
    ...endedAt("complete", at),
  }, at);
  Deno.copyFileSync(new URL(STREAMS[vendor], FIXTURES), box.path(`logs/${id}.log`));
  return id;
}

/** Agents whose logs are streams of events; they are not started. */
export const STREAM_AGENTS = Object.fromEntries(
  Object.keys(STREAMS).map((name) => [name, { command: "true", usage: name }]),
);

/** A queue in which something of everything is going on. */
export interface Busy extends AsyncDisposable {
  box: Box;
  name: string;
  /** Two tasks with real agents, which write a line a second until a sentinel is written. */
  running: [string, string];
  /** Waits for a free slot. */
  pending: string;
  /** Waits for the first that runs. */
  waiting: string;
  /** Depends on the one that failed. */
  blocked: string;
  failed: string;
  complete: string;
  cancelled: string;
  /** Ends a running task as its agent would. */
  finish(id: string, how?: "done" | "error"): void;
}

/** Talks as an agent does, until somebody ends it. */
const TALK = `n=0; while :; do n=$((n+1)); printf '\\033[32mstep %s\\033[0m of many\\n' $n; ` +
  `sleep 1; done`;

/** A workspace with two running agents, and tasks in every other state. */
export async function makeBusy(): Promise<Busy> {
  const box = await makeBox();
  box.agents(STREAM_AGENTS);
  box.config({ max_concurrent: 2, grace_period: 0.2, interval: 0.2 });
  const complete = await box.start("shell", "echo 'all \u001b[1mgood\u001b[0m'; printf 'no end'");
  const failed = await box.start("shell", "echo to be mended >&2; exit 7", "--label", "area=docs");
  const cancelled = await box.start("shell", "true", "--priority", "1");
  await box.ok("cancel", cancelled);
  await box.ok("run", "--all", "--wait").catch(() => {});
  await box.settled(complete);
  await box.settled(failed);
  const running = [
    await box.start("signal", TALK, "--key", "build", "--label", "area=core", "--priority", "9"),
    await box.start("signal", TALK, "--timeout", "2h", "--priority", "9"),
  ] as [string, string];
  const pending = await box.start("signal", "echo later");
  const waiting = await box.start("shell", "echo after", "--depends-on", running[0]);
  const blocked = await box.start("shell", "echo never", "--depends-on", failed);
  await box.ok("run", "--all");
  for (const id of running) {
    await box.until(`${id} to run`, () => box.task(id).status === "running");
  }
  return {
    box,
    name: nameOf(box),
    running,
    pending,
    waiting,
    blocked,
    failed,
    complete,
    cancelled,
    finish(id, how = "done") {
      const path = box.path(`tasks/${id}.${how}`);
      const text = how === "done" ? '{"summary": "as wished"}' : '{"error": "could not do it"}';
      Deno.writeTextFileSync(`${path}.tmp`, text);
      Deno.renameSync(`${path}.tmp`, path);
    },
    [Symbol.asyncDispose]: () => box[Symbol.asyncDispose](),
  };
}
