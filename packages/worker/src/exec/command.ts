/** One command in a container: what it has written and read, and how it ended. */
import { type Clock, PlatformError, type Timer } from "@lydian/kit";

import type { ExecProcess } from "../runtime/runtime.ts";
import { Output } from "./output.ts";

/** A terminal at which nobody reads or types for so long is nobody's: its client is gone, which types nothing every 5 s. */
const abandonedMs = 60_000;

/** From SIGHUP to SIGKILL. */
const hangUpMs = 2_000;

export interface CommandOptions {
  process: ExecProcess;
  hasTerminal: boolean;
  /** Absent: it may run for ever. */
  timeoutMs?: number | undefined;
  discard: { stdout: boolean; stderr: boolean };
  /** With a terminal: it runs on when nobody is there. */
  stays: boolean;
  clock: Clock;
}

/** Where data come from that are written to it. */
export type WriteFrom = { offset: number } | { index: number } | undefined;

export class Command {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #options: CommandOptions;
  #written = 0;
  #lastIndex = 0;
  #closed = false;
  #turn: Promise<void> = Promise.resolve();
  #ended: number | undefined;
  #readers = 0;
  #timeout: Timer | undefined;
  #hangUp: Timer | undefined;
  #kill: Timer | undefined;

  constructor(options: CommandOptions) {
    this.#options = options;
    const { process, discard, clock, timeoutMs } = options;
    if (discard.stdout) process.stdout.resume();
    if (discard.stderr) process.stderr.resume();
    this.stdout = new Output(discard.stdout ? undefined : process.stdout);
    this.stderr = new Output(discard.stderr ? undefined : process.stderr);
    process.stdin.on("error", () => {}); // it reads no more: what is written from then on is for nobody
    if (timeoutMs !== undefined) this.#timeout = clock.timer(timeoutMs, () => process.signal("SIGKILL"));
    void process.end.then((code) => this.#finish(code));
    this.#watch();
  }

  /** Never rejects. */
  get ended(): Promise<number> {
    return this.#options.process.end;
  }

  get written(): { bytes: number; closed: boolean } {
    return { bytes: this.#written, closed: this.#closed };
  }

  /** Its exit code once it has ended; undefined when it has not within this time. */
  async wait(holdMs: number, signal: AbortSignal): Promise<number | undefined> {
    if (this.#ended !== undefined || holdMs <= 0) return this.#ended;
    const late = Promise.withResolvers<undefined>();
    const stop = (): void => late.resolve(undefined);
    using _timer = this.#options.clock.timer(holdMs, stop);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([this.#options.process.end, late.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** As `Output.read`; whoever reads is there. */
  async *read(stream: "stdout" | "stderr", offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    this.#readers++;
    this.#watch();
    try {
      yield* this[stream].read(offset, signal);
    } finally {
      this.#readers--;
      this.#watch();
    }
  }

  /** Writes one request's data after those before; resolves when the command has taken them, or never will. */
  async write(from: WriteFrom, parts: AsyncIterable<Uint8Array>, eof: () => boolean): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await before;
      this.#watch();
      await this.#write(from, parts);
      if (eof()) this.#close();
    } finally {
      resolve();
    }
  }

  /** Nobody needs it any more. */
  dispose(): void {
    for (const timer of [this.#timeout, this.#hangUp, this.#kill]) timer?.[Symbol.dispose]();
  }

  async #write(from: WriteFrom, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const isOld = from !== undefined && "index" in from && from.index <= this.#lastIndex;
    let skip = from !== undefined && "offset" in from ? this.#written - from.offset : 0;
    if (skip < 0) throw new PlatformError(`the command has been given ${this.#written} bytes, and these begin later`);
    if (from !== undefined && "index" in from) this.#lastIndex = Math.max(this.#lastIndex, from.index);
    for await (const part of parts) {
      const data = part.subarray(Math.min(skip, part.length));
      skip -= part.length - data.length;
      if (isOld || data.length === 0) continue;
      if (this.#closed) throw new PlatformError("the command's input was closed");
      await this.#pass(data);
      this.#written += data.length;
    }
  }

  async #pass(data: Uint8Array): Promise<void> {
    const { stdin, end } = this.#options.process;
    if (stdin.destroyed || !stdin.writable) return;
    if (stdin.write(data)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const settle = (): void => resolve();
    stdin.on("drain", settle).on("close", settle);
    await Promise.race([promise, end]); // or it reads no more
    stdin.off("drain", settle).off("close", settle);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { stdin } = this.#options.process;
    if (this.#options.hasTerminal) stdin.write("\u0004");
    else stdin.end();
  }

  /** Begins anew to wait for somebody. */
  #watch(): void {
    const { hasTerminal, stays, clock, process } = this.#options;
    this.#hangUp?.[Symbol.dispose]();
    if (!hasTerminal || stays || this.#readers > 0 || this.#ended !== undefined) return;
    this.#hangUp = clock.timer(abandonedMs, () => {
      process.signal("SIGHUP");
      this.#kill = clock.timer(hangUpMs, () => process.signal("SIGKILL"));
    });
  }

  #finish(code: number): void {
    this.#ended = code;
    this.dispose();
  }
}
