// Waits for a file that nobody writes: a stand-in for an agent that hangs. Its timeout ends it.

import { readAssignment, reportDone, rest, wantedPath } from "./agent.ts";

const path = wantedPath(readAssignment().prompt);
for (let seconds = 0;; seconds++) {
  try {
    Deno.lstatSync(path);
    break;
  } catch {
    console.log(`${path} is not there after ${seconds} s`);
  }
  await rest(1000);
}
reportDone(`${path} is there`, [path]);
