/** A program that a test runs: its output as it comes, each piece with its time, and how it ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";

import { hasCode } from "@lydian/kit";

import { within } from "./within.ts";

export interface Piece {
  /** Milliseconds on this process's own clock (`performance.now()`). */
  at: number;
  stream: "stdout" | "stderr";
  text: string;
}

export interface ProgramEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  cwd?: string;
  /** The whole environment. */
  env?: NodeJS.ProcessEnv;
  /** The user that it runs as; for root. */
  as?: { uid: number; gid: number };
  /** Written to stdin, which is then closed; without it there is nothing to read. */
  input?: string;
  /** Its stdin stays open, for `tell`. */
  listens?: true;
}

export class Program implements AsyncDisposable {
  readonly pieces: Piece[] = [];
  readonly startedAt = performance.now();
  /** Resolves when it has ended and all its output is here. */
  readonly ended: Promise<ProgramEnd>;
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #changed = new EventEmitter().setMaxListeners(0);
  #end: ProgramEnd | undefined;

  /** It leads a process group of its own, as a program does that a shell starts in a terminal. */
  constructor(file: string, args: readonly string[], options: ProgramOptions = {}) {
    this.#command = [file, ...args].join(" ");
    const stdin = options.input === undefined && options.listens === undefined ? "ignore" : "pipe";
    this.#child = spawn(file, args, {
      stdio: [stdin, "pipe", "pipe"],
      detached: true,
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.env !== undefined && { env: options.env }),
      ...options.as,
    });
    this.#child.stdin?.on("error", () => {}); // whoever does not read on shows it by its end
    if (options.listens === undefined) this.#child.stdin?.end(options.input);
    this.#collect("stdout");
    this.#collect("stderr");
    this.ended = this.#watch();
    this.ended.catch(() => {}); // a program that cannot be started is told to whoever waits for it
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#command} could not be started`);
    return this.#child.pid;
  }

  /** How it ended, once it has. */
  get end(): ProgramEnd | undefined {
    return this.#end;
  }

  get stdout(): string {
    return this.#text("stdout");
  }

  get stderr(): string {
    return this.#text("stderr");
  }

  /** Both streams in the order of their arrival. */
  get output(): string {
    return this.pieces.map(({ text }) => text).join("");
  }

  /** Waits until the output matches; fails when the program ends without. */
  async sees(expected: string | RegExp, withinMs = 30_000): Promise<void> {
    const matches = (): boolean =>
      typeof expected === "string" ? this.output.includes(expected) : expected.test(this.output);
    const wait = async (): Promise<void> => {
      while (!matches()) {
        if (this.#end !== undefined) throw new Error(this.describe(`ended without printing ${expected}`));
        await once(this.#changed, "change");
      }
    };
    await within(withinMs, wait(), () => this.describe(`has not printed ${expected}`));
  }

  /** Writes to the stdin of a program that listens. */
  tell(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits for its end, whatever that is. */
  async finish(withinMs = 100_000): Promise<ProgramEnd> {
    return await within(withinMs, this.ended, () => this.describe("has not ended"));
  }

  /** Waits for its end and fails unless it ended with this exit status. Answers all that it printed. */
  async finishWith(code: number, withinMs?: number): Promise<string> {
    const end = await this.finish(withinMs);
    if (end.code !== code) throw new Error(this.describe(`was expected to end with ${code}`));
    return this.output;
  }

  /** To the program alone, or to its whole group as a terminal's Ctrl-C is. */
  signal(name: NodeJS.Signals, whom: "program" | "group" = "program"): void {
    try {
      process.kill(whom === "group" ? -this.pid : this.pid, name);
    } catch (error) {
      if (!hasCode(error, "ESRCH")) throw error; // it ended meanwhile
    }
  }

  /** A sentence about it with all that it printed, for errors. */
  describe(sentence: string): string {
    const how = this.#end === undefined ? "it still runs" : `its end: ${this.#end.signal ?? this.#end.code}`;
    return `\`${this.#command}\` ${sentence} (${how}). It printed:\n${this.output}`;
  }

  /** Kills whatever of it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid !== undefined) this.signal("SIGKILL", "group");
    await this.ended.catch(() => {});
  }

  async #watch(): Promise<ProgramEnd> {
    const [code, signal] = (await once(this.#child, "close")) as [ProgramEnd["code"], ProgramEnd["signal"]];
    this.#end = { code, signal };
    this.#changed.emit("change");
    return this.#end;
  }

  #collect(stream: Piece["stream"]): void {
    this.#child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      this.pieces.push({ at: performance.now(), stream, text });
      this.#changed.emit("change");
    });
  }

  #text(stream: Piece["stream"]): string {
    return this.pieces.map((piece) => (piece.stream === stream ? piece.text : "")).join("");
  }
}
