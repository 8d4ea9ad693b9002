// `orchestra doctor`: looks at a workspace, says what is wrong, and mends what can lose nothing.

import { buildCommand } from "@stricli/core";
import { archivedIds } from "../../store/archive.ts";
import { type HistoryReview, reviewHistory } from "../../store/events.ts";
import { lstat, messageOf } from "../../store/files.ts";
import { placesOf } from "../../store/places.ts";
import type { Damage, Store } from "../../store/tasks.ts";
import type { Task } from "../../task/fields.ts";
import type { Agents } from "../../task/agent.ts";
import { isOwnMark, processMark } from "../../task/marks.ts";
import { loadAllAgents } from "../../settings/agents.ts";
import { isStopped, isWatched, watcherOf } from "../../supervise/watcher.ts";
import { unapprovedSetup } from "../../settings/setup.ts";
import { loadConfig, mayTell } from "../../settings/config.ts";
import { CONFIG_ABOUT, DEFAULT_CONFIG } from "../../settings/config_fields.ts";
import { diagnose, type Facts, type Finding, isActive } from "../../decide/diagnose.ts";
import { firstUnread, type Unread } from "../../decide/room.ts";
import { type FindingJson, formatFinding } from "../../format/findings.ts";
import type { SettingsWarning } from "../../task/settings.ts";
import { createPalette } from "../../text/style.ts";
import { branchFacts, mendBranch } from "../doctor_branches.ts";
import { sanitize } from "../../text/width.ts";
import { findProgram, isOnServer } from "../../launch/find.ts";
import type { Queue } from "../../queue/queue.ts";
import { idOfLock, isLeftLock, removeLeftLock } from "../../queue/worktree_lock.ts";
import { readTaken } from "../../workspaces/slots.ts";
import { localLocks } from "../../store/mounts.ts";
import { watchFolder } from "../../store/watch.ts";
import type { Context } from "../context.ts";
import { everywhere, optional } from "../parameters.ts";
import type { Place } from "../places.ts";
import { openPlaces } from "../select.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface DoctorFlags {
  fix?: boolean;
  everywhere?: boolean;
}

export const command = buildCommand({
  func: doctor,
  parameters: { flags: { fix: optional("mend what can lose nothing"), everywhere } },
  docs: { brief: "Say what is wrong with this workspace" },
});

/** What is wrong with a workspace, and what was mended. */
interface Diagnosis extends Place {
  readonly fixed: readonly string[];
  readonly findings: readonly FindingJson[];
}

async function doctor(this: Context, flags: DoctorFlags): Promise<void> {
  const places = await openPlaces(this, flags.everywhere);
  // A watch that waits at a pipe does not let us go, and none is begun beside it.
  this.endsByExit = true;
  const all = await places.each(places.list, (place) => examine(place, flags.fix ?? false));
  const findings = all.flatMap((one) => one.findings);
  if (this.globals.json) {
    const of = ({ name }: Place) => name === undefined ? {} : { workspace: name };
    this.printJson({
      healthy: findings.length === 0 && places.isWhole,
      fixed: all.flatMap((one) =>
        one.fixed.map((text) => one.name === undefined ? text : `${one.name}: ${text}`)
      ),
      findings: all.flatMap((one) => one.findings.map((found) => ({ ...of(one), ...found }))),
    });
  } else tell(this, all, flags.fix ?? false);
  if (findings.some(({ level }) => level === "error")) this.fail(1);
}

async function examine(place: Place, mend: boolean): Promise<Diagnosis> {
  const { context, queue } = place;
  const problem = watchProblem(queue);
  const before = diagnose(await gather(queue, problem));
  const fixed: string[] = [];
  if (mend) {
    for (const finding of before) {
      const done = finding.fixable ? await fix(context, queue, finding) : undefined;
      if (done !== undefined) fixed.push(done);
    }
  }
  const settings = Object.keys(CONFIG_ABOUT);
  const findings = (mend ? diagnose(await gather(queue, problem)) : before)
    .map((finding) => formatFinding(finding, settings));
  return { ...place, fixed, findings };
}

function tell(context: Context, all: readonly Diagnosis[], mended: boolean): void {
  const palette = createPalette(context.style());
  for (const { name, context: own, fixed, findings } of all) {
    if (name !== undefined && fixed.length + findings.length > 0) {
      context.print(palette.bold(sanitize(name)));
    }
    for (const text of fixed) context.print(`${palette.ok("mended")}  ${sanitize(text)}`);
    for (const { level, message, remedy } of findings) {
      context.print(
        `${level === "error" ? palette.bad("error  ") : palette.waiting("warning")} ${
          sanitize(message)
        }`,
      );
      context.print(`        ${palette.dim(sanitize(own.spell(remedy)))}`);
    }
  }
  const well = all.filter(({ findings }) => findings.length === 0);
  const [first] = all;
  if (first?.name === undefined) {
    if (well.length > 0) context.print("Nothing is wrong with this workspace");
  } else if (well.length > 0) {
    context.print(`Nothing is wrong with: ${well.map(({ name }) => name).join(", ")}`);
  }
  if (!mended && all.some(({ findings }) => findings.some(({ fixable }) => fixable))) {
    context.note(
      `Some of it is mended by: orchestra doctor --fix${
        first?.name === undefined ? "" : " --everywhere"
      }`,
    );
  }
}

function whoWatches(store: Store) {
  try {
    const watcher = watcherOf(store);
    return { watcher, watched: watcher !== undefined || isWatched(store) };
  } catch {
    // Something stands in the place of the lock, which is a finding of its own.
    return { watcher: undefined, watched: false };
  }
}

/** Tasks that name a log or a plan which is not their own. */
function misplaced({ store }: Queue, tasks: readonly Task[]): Damage[] {
  return tasks.flatMap((task) => {
    try {
      placesOf(store, task);
      return [];
    } catch (error) {
      const problem = `names what is not its own: ${messageOf(error)}`;
      return [{ file: `.orchestra/tasks/${task.taskId}.json`, problem }];
    }
  });
}

const OWN = ["lock", "daemon.lock", "daemon.json", "daemon.log", "debug.log", "history.jsonl"];

/** Files that we make ourselves, in whose place something else stands, or stood until it was set aside. */
function displaced({ store }: Queue): Damage[] {
  const displaced = OWN.flatMap((name) => {
    const info = lstat(`${store.dir}/${name}`);
    return info === undefined || info.isFile
      ? []
      : [{ file: `.orchestra/${name}`, problem: "is no file: Orchestra makes it itself" }];
  });
  const names = store.isMade() ? [...Deno.readDirSync(store.dir)].map(({ name }) => name) : [];
  const aside = names.filter((name) => /\.damaged-\d+$/.test(name)).map((name) => ({
    file: `.orchestra/${name}`,
    problem: "stood in the place of a file of Orchestra's, and was set aside",
  }));
  return [...displaced, ...aside];
}

/** Folders that are made when something belongs into them. */
function laterFolders({ dir }: Store): string[] {
  const outbox = lstat(`${dir}/outbox`)?.isDirectory
    ? [...Deno.readDirSync(`${dir}/outbox`)].filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => `.orchestra/outbox/${name}`)
    : [];
  return [...(lstat(`${dir}/history`)?.isDirectory ? [".orchestra/history"] : []), ...outbox];
}

/** The history beside what the files of all tasks tell. */
function reviewOf({ store, now }: Queue): Promise<HistoryReview> {
  const archived = archivedIds(store).flatMap((id) => {
    try {
      return store.readArchived(id) ?? [];
    } catch {
      // Damaged: a finding of its own.
      return [];
    }
  });
  return reviewHistory(store, [...store.scan().tasks, ...archived], now());
}

/** Why the folder of tasks cannot be watched; null where it can, or need not be. */
function watchProblem({ store }: Queue): string | null {
  // We would wait at a pipe ourselves, which is a finding of its own.
  if (!store.isMade() || pipesAmong(store).length > 0) return null;
  let problem: string | null = null;
  watchFolder(store.tasksDir, (reason) => problem = reason)[Symbol.dispose]();
  return problem;
}

/** Names of pipes and the like among the tasks. */
function pipesAmong({ tasksDir }: Store): string[] {
  return [...Deno.readDirSync(tasksDir)]
    .filter(({ isFile, isDirectory, isSymlink }) => !isFile && !isDirectory && !isSymlink)
    .map(({ name }) => name);
}

/** Those that are no task's own file, which is damaged and named so; relative to the root. */
function pipesIn({ store }: Queue): string[] {
  return (store.isMade() ? pipesAmong(store) : [])
    .filter((name) => !/^task_\d+\.json$/.test(name))
    .map((name) => `.orchestra/tasks/${name}`);
}

/** Who writes many files writes the next one within this, milliseconds. */
const STILL_WRITING = 60_000;

async function gather(queue: Queue, watchProblem: string | null): Promise<Facts> {
  const { store } = queue;
  const scan = store.scan();
  const strays: string[] = [];
  const { pids, marked } = await queue.launchers.survey();
  const folders = [".orchestra", ".orchestra/tasks", ".orchestra/archive", ...laterFolders(store)];
  const left = new Map<string, { names: string[]; youngest: number }>();
  for (const folder of store.isMade() ? folders : []) {
    for (const { name } of Deno.readDirSync(`${store.root}/${folder}`)) {
      const isLock = folder === ".orchestra" && idOfLock(name) !== undefined;
      if (isLock && isLeftLock(`${store.dir}/${name}`)) strays.push(`${folder}/${name}`);
      // Ours are named after the process that writes them; while that lives they are in use.
      const writer = /\.(\d+)\.tmp$/.exec(name)?.[1];
      if (writer === undefined || pids.has(Number(writer))) continue;
      const path = `${folder}/${name}`;
      const files = left.get(writer) ?? { names: [], youngest: 0 };
      files.names.push(path);
      const time = lstat(`${store.root}/${path}`)?.mtime?.getTime() ?? 0;
      files.youngest = Math.max(files.youngest, time);
      left.set(writer, files);
    }
  }
  // One that cannot be seen from here, in a container, may still be writing.
  for (const { names, youngest } of left.values()) {
    if (Math.abs(queue.now() - youngest) > STILL_WRITING) strays.push(...names);
  }
  // Other workspaces have tasks, too.
  const ours = processMark(store.identity, "");
  const processes = new Map(
    [...marked].filter(([mark]) => mark.startsWith(ours))
      .map(([mark, numbers]) => [mark.slice(ours.length), numbers]),
  );
  const configProblems: string[] = [];
  const problem = (error: unknown) =>
    void configProblems.push(error instanceof Error ? error.message : String(error));
  const unusedSettings: SettingsWarning[] = [];
  let agents: Agents | undefined;
  let slotsProblem: string | null = null;
  let unreadLimits: Unread | undefined;
  let userAgentsProblem: string | null = null;
  try {
    const { warnings, limits } = await loadConfig(store);
    unusedSettings.push(...warnings);
    if (limits !== null) slotsProblem = readTaken().problem;
    unreadLimits = firstUnread(limits);
  } catch (error) {
    problem(error);
  }
  const { untold, subscriberProblems } = await subscribersIn(queue);
  try {
    const loaded = await loadAllAgents(store);
    agents = loaded.agents;
    userAgentsProblem = loaded.problem;
  } catch (error) {
    problem(error);
  }
  const pipes = pipesIn(queue);
  const marks = new Map(
    [...scan.marks].map(([id, list]) => [id, list.filter((mark) => !mark.endsWith(".tmp"))]),
  );
  const { watcher, watched } = whoWatches(store);
  return {
    history: await reviewOf(queue),
    tasks: scan.tasks,
    damaged: [...scan.damaged, ...misplaced(queue, scan.tasks), ...displaced(queue)],
    marks,
    strays,
    processes,
    agents: agents === undefined
      ? null
      : [...agents].map(([name, agent]) =>
        "problem" in agent ? { name, problem: agent.problem, command: null, found: false } : {
          name,
          problem: null,
          command: agent.command,
          found: isOnServer(name, agent, store.root)
            ? null
            : findProgram(name, agent, store.root) !== null,
        }
      ),
    watched,
    stoppedWatcher: watcher !== undefined && isStopped(watcher) ? watcher.pid : null,
    watchProblem,
    localLocks: localLocks(store.dir) ?? null,
    pipes,
    now: queue.now(),
    freeBytes: freeSpace(store.dir),
    open: openToOthers(queue),
    configProblems,
    slotsProblem,
    unreadLimits,
    userAgentsProblem,
    unusedSettings,
    untold,
    subscriberProblems,
    branches: await branchFacts(queue, scan.tasks),
  };
}

/** Hooks and webhooks that are not told of what happens. */
async function subscribersIn({ store, now }: Queue): Promise<
  Pick<Facts, "untold" | "subscriberProblems">
> {
  const config = await loadConfig(store).then(({ config }) => config, () => DEFAULT_CONFIG);
  const problem = await unapprovedSetup(store);
  const unapproved = problem === null ? [] : [{ problem, unapproved: true }];
  if (!mayTell(store, config)) return { untold: [], subscriberProblems: unapproved };
  const { loadSubscribers } = await import("../../settings/subscribers.ts");
  const { standingOf } = await import("../../notify/standing.ts");
  const { active, unapproved: strangers, problems } = await loadSubscribers(store, config);
  const untold = active.flatMap((subscriber) => {
    const { name, problem } = standingOf(store, subscriber, true, now());
    return problem === null ? [] : [{ name, problem }];
  });
  return {
    untold,
    subscriberProblems: [
      ...problems.map((problem) => ({
        problem,
        unapproved: strangers.length > 0 && problem.includes("approved"),
      })),
      ...unapproved,
    ],
  };
}

/** Free space by `df -Pk`, POSIX; null where there is none. */
function freeSpace(path: string): number | null {
  if (Deno.build.os === "windows") return null;
  try {
    const { stdout } = new Deno.Command("df", {
      args: ["-Pk", path],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).outputSync();
    const fields = new TextDecoder().decode(stdout).trim().split("\n").at(-1)?.split(/\s+/);
    const blocks = Number(fields?.[3]);
    return Number.isFinite(blocks) ? blocks * 1024 : null;
  } catch {
    return null;
  }
}

function openToOthers(queue: Queue): string[] {
  // Whoever cannot enter the folder cannot read what is in it.
  // Windows knows no modes: whose a folder is, its access control list says, which it has from the one above.
  if (Deno.build.os === "windows") return [];
  const mode = lstat(queue.store.dir)?.mode ?? 0;
  return (mode & 0o077) === 0 ? [] : [".orchestra"];
}

/** Seconds that what is ended gets to end by itself. */
async function graceOf(store: Store): Promise<number> {
  try {
    return (await loadConfig(store)).config.grace_period;
  } catch {
    return DEFAULT_CONFIG.grace_period;
  }
}

/** Mends one finding; says what it did. */
async function fix(context: Context, queue: Queue, finding: Finding): Promise<string | undefined> {
  const { store } = queue;
  switch (finding.code) {
    case "unwatched":
    case "stale-claim": {
      const snapshot = await look(queue);
      await leaveWatcher(context, queue, snapshot);
      return finding.code === "unwatched"
        ? "a supervisor watches now"
        : snapshot.tasks.some((task) =>
            task.taskId === finding.subject && task.status === "pending"
          )
        ? `${finding.subject} is pending again`
        : undefined;
    }
    case "orphan": {
      // It may have been queued and begun since the tasks were read.
      const task = store.read(finding.subject);
      if (task !== undefined && (task.status === "pending" || isActive(task))) return undefined;
      // Its mark proves whose each of them is.
      const mark = processMark(store.identity, finding.subject);
      const { signalled, left } = await queue.launchers.endTree(mark, null, {
        grace: await graceOf(store) * 1000,
      });
      if (signalled === 0) return undefined;
      const what = left > 0 ? `, ${left} could not be` : "";
      return `ended what still ran of ${finding.subject}: ${signalled} ` +
        `${signalled === 1 ? "process" : "processes"}${what}`;
    }
    case "sentinel-without-task":
      return store.locked(() => {
        if (lstat(`${store.tasksDir}/${finding.subject}.json`) !== undefined) return undefined;
        const marks = store.listMarks(finding.subject).filter(isOwnMark);
        for (const mark of marks) store.removeMark(finding.subject, mark);
        return `removed ${marks.map((mark) => `${finding.subject}.${mark}`).join(", ")}`;
      });
    case "history-gap": {
      const { missing } = await reviewOf(queue);
      store.tell(missing);
      return `added ${missing.length} to the history`;
    }
    case "left-over": {
      const path = `${store.root}/${finding.subject}`;
      const id = idOfLock(path);
      if (id === undefined) store.remove(path);
      else if (!await removeLeftLock(path, id)) return undefined;
      return `removed ${finding.subject}`;
    }
    case "open-to-others":
      Deno.chmodSync(`${store.root}/${finding.subject}`, 0o700);
      return `closed ${finding.subject} to others`;
    default:
      return await mendBranch(queue, finding, (text) => context.note(text));
  }
}
