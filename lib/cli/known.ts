// The workspaces that are known by name, for the command line: what `-w` names, and what to say where
// nobody may look at the list of them. Loaded only where one of them is asked for.

import { trimSlash } from "../store/paths.ts";
import { OrchestraError } from "../task/error.ts";
import {
  type KnownWorkspace,
  listWorkspaces,
  registryFolder,
  registryProblem,
} from "../workspaces/registry.ts";
import { beyondReach } from "./calling.ts";

/**
 * All known workspaces, by name.
 *
 * @param attempted what needs them, as the start of a sentence
 * @param onGone told of each that was known and is gone
 * @throws OrchestraError `environment` where they may not be looked at
 */
export function knownWorkspaces(
  attempted: string,
  onGone?: (gone: KnownWorkspace) => void,
): KnownWorkspace[] {
  const folder = registryFolder();
  const beyond = beyondReach(folder, attempted);
  if (beyond !== undefined) throw beyond;
  const problem = folder === undefined ? undefined : registryProblem(folder);
  if (problem !== undefined) {
    throw new OrchestraError("damaged", `${attempted}: ${folder} ${problem}`, {
      hint: "Move it out of the way: the folder is a cache, which Orchestra makes anew.",
    });
  }
  return listWorkspaces(folder, onGone);
}

/** The root of the workspace that has a name. */
export async function rootNamed(name: string): Promise<string> {
  const gone: KnownWorkspace[] = [];
  const known = knownWorkspaces(`-w ${name}`, (one) => gone.push(one));
  const wanted = name.normalize("NFC");
  const found = known.find((one) => one.name.normalize("NFC") === wanted);
  if (found !== undefined) return trimSlash(found.root) || "/";
  const left = gone.find((one) => one.name === name);
  if (left !== undefined) {
    throw new OrchestraError("no-workspace", `The workspace ${name} is gone from ${left.root}`, {
      hint: "It is forgotten. Where it was moved: orchestra workspaces add DIR",
    });
  }
  const { closest } = await import("../text/suggest.ts");
  const near = closest(name, known.map((one) => one.name));
  throw new OrchestraError("no-workspace", `No workspace is called ${JSON.stringify(name)}`, {
    hint: near === undefined
      ? "See which there are with: orchestra workspaces list"
      : `Did you mean ${JSON.stringify(near)}?`,
  });
}
