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
  if (warning.kind === "unknown-key") {
    const near = closest(warning.key, known);
    return `.orchestra/config.json: there is no setting ${JSON.stringify(warning.key)}; ` +
      `it is left out of account${near === undefined ? "" : ` (did you mean "${near}"?)`}`;
  }
  const folder = typeof warning.value === "string" ? warning.value : "FOLDER";
  return '.orchestra/config.json: the archive is always .orchestra/archive, "archive.archive_dir" ' +
    "is left out of account; bring over what lies elsewhere with: orchestra archive import " +
    (/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`);
}
