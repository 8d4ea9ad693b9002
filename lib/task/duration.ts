// Durations as people write them, and as tables show them. Seconds everywhere.

const PART = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/;

/**
 * Seconds of `90`, `90s`, `1.5`, `5m`, `1h30m` or `2d`.
 *
 * @returns seconds, or undefined where the text is no duration or not above zero
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return undefined;
  let seconds: number;
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) {
    seconds = Number(trimmed);
  } else {
    const match = PART.exec(trimmed);
    if (match === null) return undefined;
    seconds = Number(match[1] ?? 0) * 86400 + Number(match[2] ?? 0) * 3600 +
      Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  }
  // Beyond ten years a timer or a date would overflow before the task does.
  return seconds > 0 && seconds <= 315_360_000 ? seconds : undefined;
}

/** A duration in at most two units: `850ms`, `42s`, `3m12s`, `1h05m`, `2d03h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0) return "0s";
  if (seconds < 1) return `${Math.floor(seconds * 1000)}ms`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole % 3600 / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor(whole % 86400 / 3600))}h`;
}
