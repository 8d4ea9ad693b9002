// A store in a folder of its own, and processes that work on it beside the test.

import { createFolders } from "../../lib/store/paths.ts";
import { assert, assertEquals } from "./assert.ts";
import { filePath } from "./file_path.ts";
import { MODES } from "./needs.ts";
import { openStore, type Store } from "../../lib/store/tasks.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";

export const NOW = Date.parse("2026-03-04T12:00:00Z");
export const ID = `task_${NOW}`;

/** A folder of its own for a test, gone afterwards. */
export class Folder implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra_store_" }));
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
  /** An empty workspace in it. */
  store(): Store {
    createFolders(this.path);
    return openStore(this.path);
  }
}

export function idOf(number: number): string {
  return `task_${NOW + number}`;
}

export function make(id: string): Task {
  return newTask(id, { agent: "a", prompt: "p" }, NOW);
}

export function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

export function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

/** Checks a mode, where there are any. */
export function assertMode(path: string, mode: number): void {
  if (MODES === null) assertEquals(modeOf(path), mode, path);
}

/** One of the processes of store_program.ts; killed when the test ends, however it ends. */
export class Program implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";
  #ended = false;
  constructor(...args: string[]) {
    const program = filePath(new URL("../store/store_program.ts", import.meta.url));
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--no-check", program, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.child.stdin.getWriter();
    this.#output = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }
  /** Lets it go on. */
  release(): Promise<void> {
    return this.#input.write(new Uint8Array([10]));
  }
  /** Its first line. */
  async firstLine(): Promise<string> {
    while (!this.#text.includes("\n") && !this.#ended) await this.#read();
    const [line = ""] = this.#text.split("\n", 1);
    this.#text = this.#text.slice(line.length + 1);
    return line;
  }
  /** What else it prints until its end, which must be a good one. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#read();
    assert((await this.child.status).success);
    return this.#text;
  }
  async #read(): Promise<void> {
    const { value, done } = await this.#output.read();
    this.#ended ||= done;
    this.#text += value ?? "";
  }
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#input.abort().catch(() => {});
    await this.#output.cancel();
  }
}
