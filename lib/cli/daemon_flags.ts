// The option of a daemon that has the page served beside it.

import { integer } from "./flags.ts";

/** Where the page is to be: the usual port, or one that was asked for. */
export type ServePort = number | "usual";

/** `--serve [PORT]` */
export const serveFlag = {
  kind: "parsed",
  optional: true,
  inferEmpty: true,
  parse: (text: string): ServePort => text === "" ? "usual" : integer(0, 65535)(text),
  brief: "serve the page as well; 0 for a free port",
  placeholder: "port",
} as const;

/** The same for who is started with it. */
export function serveArguments(port: ServePort): string[] {
  return [port === "usual" ? "--serve" : `--serve=${port}`];
}
