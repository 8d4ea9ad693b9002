// Where a process is, and who may judge it: process numbers mean something only within one pid
// namespace of one boot of one machine. Another container, an agent's sandbox or another host sees
// other processes under the same numbers, or none, and must not take that for their end. Pure.

/** A place, as a shim or a looker finds itself in; `-` is what cannot be told. */
export interface Place {
  /** Boot of the kernel: /proc/sys/kernel/random/boot_id. */
  readonly boot: string;
  /** The machine: /etc/machine-id. */
  readonly machine: string;
  /** Its name: /proc/sys/kernel/hostname, or `uname -n`. */
  readonly host: string;
  /**
   * The pid namespace, told by the start of its first process in ticks since the boot: no two that
   * begin at different times have the same. `?` where /proc shows another namespace than one's own.
   */
  readonly namespace: string;
}

/** The place of who looks. */
export interface Lookout extends Place {
  /** It is the machine's own pid namespace, from which every process of the machine can be seen. */
  readonly whole: boolean;
}

/** A process: a number alone may by now be somebody else's. */
export interface Shim {
  readonly pid: number;
  /** Boot and start time as the system tells it; two processes with one pid differ in it. */
  readonly start: string;
}

/** A pid file's content. */
export interface PidFile extends Shim {
  /** Null in files of earlier versions, which told the boot alone. */
  readonly place: Place | null;
}

/** What may be said of a process that was launched somewhere. */
export type Sight =
  /** Whether it lives can be seen from here. */
  | "here"
  /** If it is to be seen it lives; if not, it may live all the same. */
  | "perhaps"
  /** Its machine was started anew since: it is dead. */
  | "rebooted"
  /** Nothing can be said. */
  | "elsewhere";

/** A pid file's two lines: pid, boot and start; machine, host and namespace. */
export function parsePidText(text: string): PidFile | undefined {
  const match = /^(\d+) (\S+) ([^\n]+)\n(?:(-|[0-9a-f]{32}) (\S+) (-|\?|\d+)\n)?$/.exec(text);
  if (match === null) return undefined;
  const [, pid, boot, rest, machine, host, namespace] = match;
  const start = rest!.trim().split(/\s+/).join("_");
  if (start === "") return undefined;
  return {
    pid: Number(pid),
    start: `${boot} ${start}`,
    place: machine === undefined
      ? null
      : { boot: boot!, machine, host: host!, namespace: namespace! },
  };
}

/** The same two lines. */
export function formatPidText({ pid, start }: Shim, place: Place): string {
  return `${pid} ${start}\n${place.machine} ${place.host} ${place.namespace}\n`;
}

/** An image that has not begun yet has a text there that is no machine's number. */
export function knownMachine(text: string): string {
  return /^[0-9a-f]{32}$/.test(text) ? text : "-";
}

/** A host's name that can stand in a line of words. */
export function knownHost(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : "-";
}

/** What a looker may say of a process, by where both are: in doubt, nothing. */
export function sightOf({ place, start }: PidFile, mine: Lookout): Sight {
  const boot = start.slice(0, start.indexOf(" "));
  if (place === null) {
    return boot !== mine.boot ? "elsewhere" : mine.whole ? "here" : "perhaps";
  }
  if (place.namespace === "?" || mine.namespace === "?") return "elsewhere";
  const sameHost = isSame(place.host, mine.host);
  // An image may bring the machine's number along: only with the name does it tell which one it is.
  const sameMachine = sameHost && isSame(place.machine, mine.machine);
  if (boot !== mine.boot) return sameMachine && mine.whole ? "rebooted" : "elsewhere";
  if (place.namespace !== mine.namespace) return "elsewhere";
  // The first process of a namespace of its own may be hidden: then there may be more than one.
  if (mine.namespace === "-" && !mine.whole) return "elsewhere";
  // Where a boot has no number, hosts are told apart by what they have.
  if (boot === "-") {
    return sameMachine || (sameHost && mine.namespace === "-") ? "here" : "elsewhere";
  }
  // Two containers may have begun within one tick; the machine's own namespace is only one, and may
  // have been given another name since.
  return sameHost || (mine.whole && mine.namespace !== "-") ? "here" : "elsewhere";
}

function isSame(theirs: string, mine: string): boolean {
  return theirs === mine && mine !== "-";
}
