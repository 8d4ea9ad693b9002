// The live screen of `status --watch` and `run --wait`: drawn anew when something changed, and once
// a second while something runs, on the terminal's alternate page, which is left as it was found.

import { indexTasks, type TaskIndex } from "../decide/dependencies.ts";
import type { SharedView } from "../decide/room.ts";
import type { Queue } from "../queue/queue.ts";
import { formatWatch } from "../format/status.ts";
import type { Damage } from "../store/tasks.ts";
import type { Task } from "../task/fields.ts";
import { type StatusFilter, statusInput } from "./status_input.ts";
import { type Context, terminalSize } from "./context.ts";

/** A page of the terminal that is drawn anew now and then. */
export interface Page {
  draw(): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

/** A live view of a queue. */
export interface Screen {
  /** Draws the tasks. */
  update(tasks: Task[], damaged: Damage[], index: TaskIndex, shared?: SharedView): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

/**
 * Takes over the terminal, and shows a queue.
 *
 * @param onSuspend called before Ctrl+Z stops us
 */
export function createScreen(
  context: Context,
  queue: Queue,
  filter: StatusFilter = {},
  hint?: string,
  onSuspend?: () => void,
): Screen {
  let tasks: Task[] = [];
  let damaged: Damage[] = [];
  let index: TaskIndex = indexTasks(tasks);
  let shared: SharedView | undefined;
  const page = createPage(context, (rows) => {
    const input = statusInput(queue, { tasks, damaged, index, shared }, filter);
    const screen = formatWatch(
      { ...input, workspace: queue.store.root, hint },
      context.style(),
      queue.now(),
      rows,
    );
    return input.counts.total === 0 ? context.spell(screen) : screen;
  }, onSuspend);
  return {
    update(...shown) {
      [tasks, damaged, index, shared] = shown;
      page.draw();
    },
    close: page.close,
  };
}

/**
 * Takes over the terminal.
 *
 * @param render what is shown, in so many rows
 * @param onSuspend called before Ctrl+Z stops us
 */
export function createPage(
  context: Context,
  render: (rows: number) => string,
  onSuspend?: () => void,
): Page {
  let entered = false;
  let again: ReturnType<typeof setTimeout> | undefined;
  const write = (text: string) => context.write(text);
  const draw = () => {
    if (!entered) return;
    const text = render(terminalSize().rows);
    // Each line is cleared to its end instead of the whole page: nothing flickers.
    write("\x1b[H" + text.split("\n").join("\x1b[K\n") + "\x1b[K\x1b[J");
  };
  // The clock goes on, ages grow, and whoever watched may have gone.
  const timer = setInterval(draw, 1000);
  const setRaw = (raw: boolean) => {
    if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(raw, { cbreak: raw });
  };
  const enter = () => {
    // First of all: in the background it stops us again, before anything is drawn.
    setRaw(true);
    write(ENTER);
    entered = true;
    if (Deno.build.os !== "windows") {
      Deno.addSignalListener("SIGWINCH", draw);
      Deno.addSignalListener("SIGTSTP", suspend);
    }
    draw();
  };
  const leave = () => {
    if (!entered) return;
    entered = false;
    if (Deno.build.os !== "windows") {
      Deno.removeSignalListener("SIGWINCH", draw);
      Deno.removeSignalListener("SIGTSTP", suspend);
    }
    write(LEAVE);
    setRaw(false);
  };
  // Ctrl+Z: the shell gets the terminal as it was, then we stop. Deno would make SIGSTOP of SIGTSTP;
  // SIGTTIN stops nobody whom no shell could let go on. Either way the timer is due when we run.
  const suspend = () => {
    leave();
    onSuspend?.();
    Deno.kill(Deno.pid, "SIGTTIN");
    again = setTimeout(enter, 50);
  };
  enter();
  return {
    draw,
    close() {
      clearInterval(timer);
      clearTimeout(again);
      leave();
    },
  };
}
