/** A stock client that makes calls on demand: a line on its stdin asks, a line on its stdout answers. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";

import { clientProgram, newestClient, type Platform, within } from "@lydian/testkit";

/** What a stretch of calls may take through all that happens to the platform. */
const patienceMs = 120_000;

export class Caller implements AsyncDisposable {
  readonly #pid: number | undefined;
  readonly #stdin: Writable;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];
  readonly #errors: string[] = [];
  #heard = Promise.withResolvers<void>();
  #isOver = false;

  /** Runs a script with its arguments by `modal run`. */
  constructor(platform: Platform, script: string, ...args: string[]) {
    const settings = {
      PYTHONDONTWRITEBYTECODE: "1",
      COLUMNS: "240",
      MODAL_LOGS_TIMEOUT: "60", // what it waits for the last output; 10 s are too few for a host this busy
    };
    const child = spawn(clientProgram(newestClient, "modal"), ["run", script, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...platform.env, ...settings },
    });
    this.#pid = child.pid;
    this.#stdin = child.stdin;
    child.stdin.on("error", () => {}); // it has ended, which shows in its missing answer
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors.push(text));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#ring();
    });
    this.#ended = once(child, "close").finally(() => {
      this.#isOver = true;
      this.#ring();
    });
  }

  /** All that it and its functions have printed. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Asks; answers the next line that begins with `word`. Without a line its stdin ends. */
  async ask(line: string | undefined, word: string): Promise<string> {
    const from = this.#lines.length;
    if (line === undefined) this.#stdin.end();
    else this.#stdin.write(`${line}\n`);
    return await within(patienceMs, this.#sees(word, from), () => this.describe(`does not say "${word}"`));
  }

  /** Waits until it has ended by itself. */
  async end(): Promise<void> {
    await within(patienceMs, this.#ended, () => this.describe("does not end"));
  }

  describe(sentence: string): string {
    return `the client ${sentence}; it has printed:\n${this.#lines.join("\n")}\n${this.#errors.join("")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pid === undefined) return;
    if (!this.#isOver) process.kill(this.#pid, "SIGKILL");
    await this.#ended;
  }

  async #sees(word: string, from: number): Promise<string> {
    for (let at = from; ;) {
      for (; at < this.#lines.length; at++) {
        const line = this.#lines[at] ?? "";
        if (line.startsWith(`${word} `) || line === word) return line;
      }
      if (this.#isOver) throw new Error(this.describe("has ended"));
      await this.#heard.promise;
    }
  }

  #ring(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }
}
