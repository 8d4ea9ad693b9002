// Ids of tasks, and the names that people give them. What is no id never becomes a path.

const ID = /^task_[0-9]{10,20}$/;

/** Whether a text is a task id: `task_` and 10 to 20 digits, nothing else. */
export function isTaskId(text: string): boolean {
  return ID.test(text);
}

/** The id of a number. */
export function formatTaskId(number: number): string {
  return `task_${String(Math.max(0, Math.trunc(number))).padStart(10, "0")}`;
}

/**
 * The number of a new task: the time, and three digits by chance, so that two workspaces in which tasks
 * are queued at the same moment rarely have one in common.
 *
 * @param millis since the epoch
 * @param random from 0 to 1
 */
export function taskNumber(millis: number, random: number): number {
  return Math.max(0, Math.trunc(millis)) * 1000 + Math.trunc(random * 1000);
}

/** Fewest digits that are taken for the end of an id. */
export const SHORTEST_END = 3;

/** Whether a text may be the end of an id. */
export function isIdEnd(text: string): boolean {
  return text.length >= SHORTEST_END && /^[0-9]{1,20}$/.test(text);
}

/**
 * What a key may be, for JSON Schema too: what a person can type and what is nothing else. Not the
 * end of an id, not the beginning of one, not `@last`, and without the comma that parts several.
 */
export const KEY_PATTERN = `^(?![0-9]{${SHORTEST_END},}$)(?!task_)[\\p{L}\\p{N}_]` +
  "(?:[\\p{L}\\p{N} _.:\\/+#=@()-]{0,98}[\\p{L}\\p{N}_.:\\/+#=@()-])?$";

/** Whether a text may be the key of a task. */
export function isKey(text: string): boolean {
  // Made here: its classes of letters cost start-up time, which only who names a key should pay.
  return new RegExp(KEY_PATTERN, "u").test(text);
}
