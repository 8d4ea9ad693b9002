// That a person's file passed its check is remembered until the file or the program changes, for the
// check takes longer than launching an agent. Only the verdict is kept, over a hash of the text; what
// holds is read from the text itself each time. Whoever writes `.orchestra/` can forge a verdict, so
// nothing may rest on it but the wording of an error. It can be deleted.

import type { Store } from "../store/tasks.ts";
import { hash } from "../task/hash.ts";
import { VERSION } from "../task/version.ts";

/** What is remembered of one file's text. */
export interface Verdict {
  /** Whether this very text passed before. */
  readonly passed: boolean;
  /** Remembers that it did. */
  keep(): void;
}

/**
 * Looks for what is remembered of a text.
 *
 * @param store the workspace
 * @param name what the file is: `.orchestra/<name>.checked` keeps its verdict
 * @param text content of the file
 */
export function readVerdict(store: Store, name: string, text: string): Verdict {
  const path = `${store.dir}/${name}.checked`;
  const line = `${hash(`${VERSION}\n${text}`)}\n`;
  let passed = false;
  try {
    passed = store.readFile(path) === line;
  } catch {
    // Not ours, or damaged: made anew.
  }
  return {
    passed,
    keep() {
      if (passed || !store.isMade()) return;
      try {
        store.writeFile(path, line);
      } catch {
        // A workspace that cannot be written to works without.
      }
    },
  };
}
