/** A child process that is kept running: whenever it dies it is started again, at once the first time, then with backoff. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import {
  type BackoffPolicy,
  type ChildEvent,
  type Clock,
  type Logger,
  PlatformError,
  type Timer,
  backoffMs,
  hasCode,
} from "@lydian/kit";

/**
 * After the second death in a row. The first restart is immediate and the next ones come soon, because open connections
 * are waiting for it: clients in containers give up after 0.7 s.
 */
const restartBackoff: BackoffPolicy = { initialMs: 50, factor: 2, maxMs: 15_000 };

/** A child that was ready and lived this long had started well: its next death is the first of a new row. */
const streakForgottenMs = 2_000;

/** That many deaths by a signal before it was ever ready, and the start is given up. */
const mostDeathsAtStart = 3;

/** That many processes try to end what another has left. */
const mostSuccessors = 3;

/** Tells a child to end, in order, what one before has left, and nothing else. */
const endArgument = "--end";

export interface ChildPlan {
  /** For messages: "the server". */
  readonly name: string;
  /** The file to run. */
  readonly script: string;
  /** Sent as one JSON line. */
  readonly configuration: object;
  /** What the child finds as descriptors 3, 4, … */
  readonly descriptors: readonly number[];
  /** What it has started outlives its death, and is ended when it ends in order. */
  readonly hasDependents: boolean;
}

export interface ChildSurroundings {
  readonly clock: Clock;
  readonly log: Logger;
  /** The flags of node itself. */
  readonly execArgv: readonly string[];
}

export class KeptChild {
  readonly #plan: ChildPlan;
  readonly #around: ChildSurroundings;
  readonly #onStart: (child: ChildProcess) => void;
  readonly #firstReady = Promise.withResolvers<void>();
  #everReady = false;
  /** The process that runs now has said so. */
  #isReady = false;
  #configured = false;
  #closing = false;
  #closed: Promise<boolean> | undefined;
  /** Nobody is to be started any more, not even to end what is left. */
  #givenUp = false;
  #process: ChildProcess | undefined;
  #restart: Timer | undefined;
  #deathsInARow = 0;

  /** `onStart` is called with each process. */
  constructor(plan: ChildPlan, around: ChildSurroundings, onStart: (child: ChildProcess) => void) {
    this.#plan = plan;
    this.#around = around;
    this.#onStart = onStart;
    this.#firstReady.promise.catch(() => {}); // for whoever asks `ready`; when nobody does, the failure is not lost but moot
  }

  /** Resolves when the child is ready for the first time; rejects when it cannot start or is closed before. */
  get ready(): Promise<void> {
    return this.#firstReady.promise;
  }

  /** Of the process that runs now. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the process, which loads its modules and then waits for its configuration. */
  start(args: readonly string[] = []): void {
    this.#restart = undefined;
    const { clock, execArgv } = this.#around;
    const startedAt = clock.now();
    const child = spawn(process.execPath, [...execArgv, this.#plan.script, ...args], {
      stdio: ["pipe", "pipe", "inherit", ...this.#plan.descriptors, "ipc"],
      detached: true, // a session of its own: the terminal's Ctrl-C reaches us alone, and we stop them in order
    });
    this.#process = child;
    this.#onStart(child);
    // Died before it read its configuration (EPIPE): its exit is what tells.
    child.stdin?.on("error", (error) =>
      this.#around.log.debug({ child: this.#plan.name, error: error.message }, "stdin"),
    );
    if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => this.#hear(line));
    const ended = (how: string, retry: boolean): void => this.#ended(how, retry, clock.now() - startedAt);
    child.once("error", (error) => {
      if (child.pid !== undefined) return;
      this.#process = undefined; // there is no process and no exit: EAGAIN, ENOMEM
      ended(error.message, true);
    });
    child.once("exit", (code, signal) => {
      if (this.#process === child) this.#process = undefined;
      const end = (): void => ended(signal ?? `exit status ${code}`, signal !== null);
      if (this.#everReady) end();
      else child.once("close", end); // its last words come first
    });
    if (this.#configured) this.#sendConfiguration();
  }

  /** Lets the child begin, and each later one as soon as it runs. */
  configure(): void {
    this.#configured = true;
    this.#sendConfiguration();
  }

  /**
   * Asks the child to end, and kills it after `graceMs`; resolves when it is gone. When it is dead already or dies instead
   * of ending, successors end what it has left. False: something is left all the same.
   */
  close(graceMs: number): Promise<boolean> {
    this.#closing = true;
    this.#restart?.[Symbol.dispose]();
    this.#firstReady.reject(new Error(`the ${this.#plan.name} was closed before it was ready`));
    return (this.#closed ??= this.#close(graceMs));
  }

  async #close(graceMs: number): Promise<boolean> {
    const { name, hasDependents } = this.#plan;
    // One that waits for its configuration has begun nothing, and could not end in order.
    this.#process?.kill(this.#configured ? "SIGTERM" : "SIGKILL");
    for (let successors = 0; ; successors++) {
      const endedWell = await this.#awaitEnd(graceMs);
      if (endedWell || !hasDependents) return true;
      if (this.#givenUp || successors === mostSuccessors) return false;
      this.#around.log.warn({ child: name }, `the ${name} did not end in order; another one ends what it has left`);
      this.#configured = true;
      this.start([endArgument]);
    }
  }

  /** Whether it ended in order; false also when there is none. */
  async #awaitEnd(graceMs: number): Promise<boolean> {
    const child = this.#process;
    if (child?.pid === undefined) return false;
    using _deadline = this.#around.clock.timer(graceMs, () => {
      this.#around.log.warn(
        { child: this.#plan.name, graceMs },
        `the ${this.#plan.name} did not end when asked; killed`,
      );
      this.#killGroup();
    });
    const [code] = (await once(child, "exit")) as [number | null];
    return code === 0;
  }

  /** Kills the child and what it started within its process group, without asking. */
  kill(): void {
    this.#closing = true;
    this.#givenUp = true;
    this.#restart?.[Symbol.dispose]();
    this.#killGroup();
  }

  #killGroup(): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      if (!hasCode(error, "ESRCH")) throw error; // gone a moment ago
    }
  }

  /** The pipe stays open: its end tells the child that we are gone. */
  #sendConfiguration(): void {
    this.#process?.stdin?.write(`${JSON.stringify(this.#plan.configuration)}\n`);
  }

  #hear(line: string): void {
    const { log } = this.#around;
    const event = parseEvent(line);
    switch (event?.event) {
      case undefined:
        log.warn(
          { child: this.#plan.name, line },
          `the ${this.#plan.name} wrote something else than an event to stdout`,
        );
        return;
      case "ready":
        log.debug({ child: this.#plan.name }, `the ${this.#plan.name} is ready`);
        this.#everReady = true;
        this.#isReady = true;
        this.#firstReady.resolve();
        return;
      case "failed":
        if (this.#everReady)
          log.error({ child: this.#plan.name, hint: event.hint }, `the ${this.#plan.name} failed: ${event.message}`);
        else
          this.#firstReady.reject(
            new PlatformError(event.message, event.hint === undefined ? {} : { hint: event.hint }),
          );
    }
  }

  /** `retry`: whether another try may go better although this one was never ready. */
  #ended(how: string, retry: boolean, livedMs: number): void {
    if (this.#closing) return;
    const { name } = this.#plan;
    this.#deathsInARow = this.#isReady && livedMs >= streakForgottenMs ? 1 : this.#deathsInARow + 1;
    this.#isReady = false;
    if (!this.#everReady && (!retry || this.#deathsInARow >= mostDeathsAtStart)) {
      this.#givenUp = true;
      // Without effect when the child has said why it failed.
      const hint = "what it wrote above says why";
      this.#firstReady.reject(new PlatformError(`the ${name} ended before it was ready (${how})`, { hint }));
      return;
    }
    const delayMs = this.#deathsInARow === 1 ? 0 : backoffMs(restartBackoff, this.#deathsInARow - 1);
    this.#around.log.warn({ child: name, how, livedMs, delayMs }, `the ${name} ended (${how}) and is started again`);
    if (delayMs === 0) this.start();
    else this.#restart = this.#around.clock.timer(delayMs, () => this.start());
  }
}

function parseEvent(line: string): ChildEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // not an event: the caller reports the line
  }
  const event = value as Partial<ChildEvent> | null;
  if (event?.event === "ready") return { event: "ready" };
  return event?.event === "failed" && typeof event.message === "string" ? (event as ChildEvent) : undefined;
}
