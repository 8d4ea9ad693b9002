// What a worktree adds to a launch, against `git worktree add` alone, and what it takes on the disk:
// `deno task bench --only worktrees`. A repository of 2,000 files, the three taken in turns.

/** How many files the repository has, and bytes of each. */
const FILES = 2000;
const SIZE = 8192;

/** What the bench lends. */
export interface Tools {
  readonly quick: boolean;
  /** A folder for what is made. */
  readonly base: string;
  /** Runs a program to its end, and returns what it prints. */
  run(command: string, args: readonly string[], env?: Record<string, string>, cwd?: string): string;
  /** What a command line of ours prints in a workspace. */
  orchestra(root: string, ...args: string[]): string;
  atRest(root: string): Promise<void>;
  heading(text: string): void;
  line(name: string, value: string, ratio?: string, bound?: string): void;
  verdict(value: number, limit: number): string;
  spread(values: readonly number[]): string;
  median(values: readonly number[]): number;
  round(value: number): string;
}

export async function benchWorktrees(tools: Tools): Promise<void> {
  const { heading, line, median, spread, round, verdict } = tools;
  heading(`Worktrees: a repository of ${FILES} files, ${round(FILES * SIZE / 1e6)} MB`);
  const root = `${tools.base}/repository`;
  const git = (...args: string[]) => tools.run("git", ["-C", root, ...args]);
  makeRepository(root, git);
  tools.orchestra(root, "init");
  const path = `${root}/.orchestra-cli/agent-config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  const stamp = 'date +%s%N >"$ORCHESTRA_ROOT/.orchestra/stamp"';
  config.agents.stamp = { command: "sh", args: ["-c", stamp], completion: "exit" };
  Deno.writeTextFileSync(path, JSON.stringify(config, null, 2));

  const alone: number[] = [];
  const plain: number[] = [];
  const own: number[] = [];
  const rounds = tools.quick ? 5 : 20;
  let last = "";
  for (let turn = -1; turn < rounds; turn++) {
    const began = performance.now();
    const name = `alone-${turn + 1}`;
    git("worktree", "add", "--quiet", "--no-track", "-b", name, `${tools.base}/${name}`);
    const took = performance.now() - began;
    // From the command to the first thing that the agent does.
    const launch = async (...args: string[]) => {
      last = tools.orchestra(root, "start", "-q", "stamp", "nothing", ...args).trim();
      const began = Date.now();
      tools.orchestra(root, "run");
      await tools.atRest(root);
      return Number(Deno.readTextFileSync(`${root}/.orchestra/stamp`)) / 1e6 - began;
    };
    const without = await launch();
    const within = await launch("--worktree");
    if (turn < 0) continue;
    alone.push(took);
    plain.push(without);
    own.push(within);
  }
  const added = own.map((millis, at) => millis - plain[at]!);
  const ratio = median(added) / median(alone);
  line("git worktree add", `${spread(alone)} ms`);
  line("launch without a worktree", `${spread(plain)} ms`);
  line("launch with one", `${spread(own)} ms`);
  line("added", `${spread(added)} ms`, `${round(ratio)}x`, verdict(ratio, 1.3));
  const kept = JSON.parse(tools.orchestra(root, "--json", "show", last)).git?.path as string;
  const kilobytes = (place: string) => Number(tools.run("du", ["-sk", place]).split("\t")[0]);
  const name = `${tools.base}/alone-0`;
  const disk = kilobytes(await exists(kept) ? kept : name);
  const record = kilobytes(`${root}/.git/worktrees/alone-0`);
  line("on the disk, each", `${round(disk / 1024)} MB of files, ${record} KB in .git`);
}

function makeRepository(root: string, git: (...args: string[]) => string): void {
  Deno.mkdirSync(root);
  for (let at = 0; at < FILES; at++) {
    const folder = `${root}/src/${at % 40}`;
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(`${folder}/${at}.txt`, `${at} line\n`.repeat(SIZE / 10));
  }
  Deno.writeTextFileSync(`${root}/.gitignore`, ".orchestra/\n");
  git("init", "--quiet", "-b", "main");
  git("add", "-A");
  git("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "commit", "-qm", "begin");
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);
