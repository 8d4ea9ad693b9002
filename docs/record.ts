// `deno task record`: the picture in README, docs/status-watch.svg. A small pipeline runs on a real
// queue while the real `orchestra status --watch` shows it in a real terminal, that of tmux; what
// stood there, and when, is drawn. Needs tmux; leaves nothing behind but the picture.

import { pause } from "../lib/launch/pause.ts";
import { drawPicture, type Frame } from "./terminal_picture.ts";

const PICTURE = new URL("status-watch.svg", import.meta.url);
const MAIN = pathOf("../main.ts");
const COLUMNS = 108;
const ROWS = 18;
/** Stands in the picture, and so is not a folder of whoever records. */
const ROOT = "/tmp/shop";
/** Milliseconds between two looks at the screen. */
const LOOK = 40;
/** Milliseconds for who looks at it: before the queue is run, at what is blocked, at the end. */
const BEFORE = 1200;
const BLOCKED = 1200;
const AFTER = 600;
const PAUSE = 3500;
/** Milliseconds after which something must be wrong. */
const MOST = 60_000;

const AGENTS = ["counter", "checker", "builder", "waiter"] as const;

/** The notes that the agents work on. In the last one a link is misspelt: an agent finds and mends it. */
const NOTES: Readonly<Record<string, string>> = {
  "about": "We sell **tea** since 1987. See [where we are](contact.md).",
  "contact": "Write to us, or come by. There are [frequent questions](questions.md), too.",
  "delivery": "Parcels leave on the day of the order. What does not fit goes [back](returns.md).",
  "payment": "By card, or on account for those who are [known to us](about.md).",
  "privacy": "What you told us to [deliver](delivery.md) is forgotten after a year.",
  "questions": "How much for a tea? See [how to pay](payment.md).",
  "returns": "Within a month, unopened. [Write to us](contact.md) before you do.",
  "sizes": "Tins of 100 and 250 grams. See [how they are sent](delivry.md).",
};

const TASKS = [
  {
    key: "links",
    agent: "checker",
    prompt: "Check the links in handbook/",
    priority: 9,
    autoRetry: true,
    maxRetries: 2,
  },
  {
    key: "prices",
    agent: "waiter",
    prompt: "Wait for handbook/prices.md",
    priority: 8,
    timeout: "3s",
  },
  { key: "words", agent: "counter", prompt: "Count the words in handbook/" },
  {
    key: "pages",
    agent: "builder",
    prompt: "Make pages of handbook/",
    dependsOn: "links",
  },
  {
    key: "index",
    agent: "builder",
    prompt: "Make the index of site/",
    dependsOn: ["pages", "words"],
  },
  { key: "check", agent: "checker", prompt: "Check the links in site/", dependsOn: "index" },
  { agent: "counter", prompt: "Count the prices in handbook/", dependsOn: "prices" },
  { agent: "shell", prompt: "grep -c tea handbook/*.md", priority: 2 },
];

function pathOf(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}

/** Runs a program to its end. What it printed, or an error with what it said. */
async function run(
  program: string,
  args: readonly string[],
  { env = {}, codes = [0] }: { env?: Record<string, string>; codes?: readonly number[] } = {},
): Promise<string> {
  const { NO_COLOR: _, ...inherited } = Deno.env.toObject();
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...inherited, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!codes.includes(code)) {
    throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${text(stderr)}`);
  }
  return text(stdout);
}

const ORCHESTRA = ["run", "-A", "--quiet", MAIN];

/** A command of Orchestra; 1 says that a task did not complete, which two are meant to do. */
function orchestra(...args: string[]): Promise<string> {
  return run(Deno.execPath(), [...ORCHESTRA, ...args], { codes: [0, 1] });
}

/** A project with agents and tasks, nothing of it launched yet. The ids of the tasks by their keys. */
async function makeProject(): Promise<Map<string | undefined, string>> {
  Deno.mkdirSync(`${ROOT}/handbook`);
  for (const [name, text] of Object.entries(NOTES)) {
    Deno.writeTextFileSync(`${ROOT}/handbook/${name}.md`, `# ${name}\n\n${text}\n`);
  }
  await orchestra("init");
  const path = `${ROOT}/.orchestra-cli/agent-config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  for (const name of AGENTS) {
    config.agents[name] = {
      command: Deno.execPath(),
      args: ["run", "-A", "--no-config", "--quiet", pathOf(`../templates/demo_agents/${name}.ts`)],
    };
  }
  Deno.writeTextFileSync(path, JSON.stringify(config, null, 2) + "\n");
  await orchestra("config", "set", "retry.jitter", "false");
  Deno.writeTextFileSync(
    `${ROOT}/tasks.jsonl`,
    TASKS.map((task) => JSON.stringify(task) + "\n").join(""),
  );
  const queued: { key?: string; taskId: string }[] = JSON.parse(
    await orchestra("--json", "start", "--from", "tasks.jsonl"),
  );
  return new Map(queued.map(({ key, taskId }) => [key, taskId]));
}

/** What the user does meanwhile: runs the queue, and mends by hand what no agent can. */
async function work(ids: ReadonlyMap<string | undefined, string>): Promise<void> {
  await pause(BEFORE);
  await orchestra("run", "--all", "--parallel", "3");
  const prices = ids.get("prices")!;
  await orchestra("wait", prices);
  await pause(BLOCKED);
  Deno.writeTextFileSync(`${ROOT}/handbook/prices.md`, "# prices\n\nTwo a tin. Three the large.\n");
  await orchestra("retry", prices);
  await orchestra("wait");
}

/** What `status --watch` shows while the user works. */
async function record(work: () => Promise<void>): Promise<Frame[]> {
  const socket = `orchestra-record-${Deno.pid}`;
  const tmux = (...args: string[]) =>
    run("tmux", ["-L", socket, "-f", "/dev/null", ...args], { env: { LC_ALL: "C.UTF-8" } });
  const look = () => tmux("capture-pane", "-e", "-p");
  const size = ["-x", String(COLUMNS), "-y", String(ROWS)];
  const watch = [Deno.execPath(), ...ORCHESTRA, "status", "--watch"];
  // Without its status line, which would take a row of the screen.
  await tmux(
    ...["start-server", ";", "set", "-g", "status", "off", ";"],
    ...["new-session", "-d", ...size, ...watch],
  );
  try {
    const deadline = performance.now() + MOST;
    while (!(await look()).includes("PROMPT")) {
      if (performance.now() > deadline) throw new Error("status --watch showed no table");
      await pause(LOOK);
    }
    const began = performance.now();
    const frames: Frame[] = [];
    let ended = Infinity;
    const worked = work().finally(() => ended = performance.now());
    worked.catch(() => {}); // It is awaited below, but may fail before.
    while (performance.now() < Math.min(ended + AFTER, deadline)) {
      const at = performance.now() - began;
      let screen = await look();
      if (screen !== frames.at(-1)?.screen) {
        // It may have been in the middle of a drawing.
        for (let again = await look(); again !== screen; again = await look()) screen = again;
        frames.push({ at: frames.length === 0 ? 0 : at, screen });
      }
      await pause(LOOK);
    }
    if (ended === Infinity) throw new Error("the queue was not settled in time");
    await worked;
    return frames;
  } finally {
    await tmux("kill-server");
  }
}

if (import.meta.main) {
  try {
    Deno.mkdirSync(ROOT, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    console.error(`${ROOT} is there already: move it away, the recording needs this name`);
    Deno.exit(1);
  }
  try {
    const ids = await makeProject();
    const frames = await record(() => work(ids));
    const picture = drawPicture(frames, {
      columns: COLUMNS,
      rows: ROWS,
      title: "orchestra status --watch",
      description: "A terminal in which orchestra status --watch follows a queue of eight tasks " +
        "until all are settled: some wait for others, one fails and is retried, one times out and " +
        "blocks another until it is retried by hand.",
      pause: PAUSE,
    });
    Deno.writeTextFileSync(PICTURE, picture);
    const seconds = ((frames.at(-1)!.at + PAUSE) / 1000).toFixed(1);
    console.log(
      `docs/status-watch.svg: ${frames.length} frames, ${seconds} s, ` +
        `${Math.round(picture.length / 1024)} KB`,
    );
  } finally {
    Deno.removeSync(ROOT, { recursive: true });
  }
}
