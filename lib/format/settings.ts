// What is of no use in a settings file, as a sentence for a person.

import type { SettingsWarning } from "../task/settings.ts";
import { closest } from "../text/suggest.ts";

/**
 * A warning, as one line.
 *
 * @param known names of all settings, for what was probably meant
 */
export function formatSettingsWarning(
  warning: SettingsWarning,
  known: readonly string[],
): string {
  switch (warning.kind) {
    case "unknown-key": {
      const near = closest(warning.key, known);
      const file = warning.origin === "user" ? USER : OWN;
      return `${file}: there is no setting ${JSON.stringify(warning.key)}; ` +
        `it is left out of account${near === undefined ? "" : ` (did you mean "${near}"?)`}`;
    }
    case "users-only":
      return `${OWN}: "${warning.key}" holds for all workspaces, and counts only in your own ` +
        "settings file; it is left out of account";
    case "user-problem":
      return `${USER}: ${warning.problem}`;
    case "archive-dir":
      return archiveWarning(warning.value);
  }
}

const OWN = ".orchestra/config.json";
const USER = "Your settings file";

function archiveWarning(value: unknown): string {
  const folder = typeof value === "string" ? value : "FOLDER";
  return '.orchestra/config.json: the archive is always .orchestra/archive, "archive.archive_dir" ' +
    "is left out of account; bring over what lies elsewhere with: orchestra archive import " +
    (/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`);
}
