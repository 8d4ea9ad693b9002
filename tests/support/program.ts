// What most tests start with: the program, a workspace of its own, and the processes in it.

export {
  type AgentEntry,
  assertPrintable,
  assertRefused,
  type Box,
  type Failure,
  makeBox,
  makeFolder,
  openBox,
  runLine,
  runScript,
} from "./box.ts";
export { kill, lives, processesWith } from "./processes.ts";
export {
  cleanEnv,
  commandLine,
  IDLE,
  type Live,
  MAIN,
  type Outcome,
  PATIENCE,
  type RunOptions,
  runProgram,
  spawn,
  spawnProgram,
  withPatience,
} from "./spawn.ts";
