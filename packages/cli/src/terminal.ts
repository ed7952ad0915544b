/** Where a command reads and writes: answers on stdout, everything about the work itself on stderr. */
import { styleText } from "node:util";

import { type Clock, systemClock } from "@lydian/kit";

type Style = Parameters<typeof styleText>[0];

/** A step that takes longer says what it does. */
const silentStepMs = 1000;

export interface TerminalStreams {
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

export class Terminal {
  readonly #streams: TerminalStreams;
  readonly #clock: Clock;
  /** The environment variables. */
  readonly env: NodeJS.ProcessEnv;

  constructor(streams: TerminalStreams = process, env: NodeJS.ProcessEnv = process.env, clock: Clock = systemClock) {
    this.#streams = streams;
    this.#clock = clock;
    this.env = env;
  }

  /** Whether there is somebody to ask. */
  get interactive(): boolean {
    return this.#streams.stdin.isTTY === true && this.#streams.stdout.isTTY === true;
  }

  /** A line of the answer. */
  print(line = ""): void {
    this.#streams.stdout.write(`${line}\n`);
  }

  /** A line about the work: progress, warnings, errors. */
  report(line = ""): void {
    this.#streams.stderr.write(`${line}\n`);
  }

  /** What was printed before makes room for what comes now; where nobody sits at it, an empty line does. */
  clear(): void {
    this.#streams.stdout.write(this.#streams.stdout.isTTY === true ? "\x1b[H\x1b[2J" : "\n");
  }

  /** Output of another program: a part of a line, or several. */
  write(text: string): void {
    this.#streams.stdout.write(text);
  }

  /** As `write`, of its stderr. */
  writeReport(text: string): void {
    this.#streams.stderr.write(text);
  }

  /** Text for `print`, styled when stdout is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#streams.stdout });
  }

  /** Text for `report`, styled when stderr is a terminal and NO_COLOR is not set. */
  paintReport(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#streams.stderr });
  }

  /** Does `work`; if it takes over a second, reports what is being done and in the end how long it took. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const startedAt = this.#clock.now();
    let said = false;
    using _timer = this.#clock.timer(silentStepMs, () => {
      said = true;
      this.report(this.paintReport("dim", `${what} …`));
    });
    const result = await work();
    const seconds = ((this.#clock.now() - startedAt) / 1000).toFixed(1);
    if (said) this.report(this.paintReport("dim", `${what}: ${seconds} s`));
    return result;
  }

  /** Asks; to break off (Ctrl-C) is a no. Only for an interactive terminal. */
  async confirm(question: string): Promise<boolean> {
    const { confirm, isCancel } = await import("@clack/prompts"); // few commands ask anything
    const answer = await confirm({ message: question, initialValue: false });
    return !isCancel(answer) && answer;
  }
}
