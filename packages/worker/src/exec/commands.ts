/** The commands in a worker's containers, by the container and the id that whoever asked for it has chosen. */
import { PassThrough, Readable } from "node:stream";
import { finished } from "node:stream/promises";

import type * as wire from "@lydian/contract/exec";
import { type Clock, PlatformError } from "@lydian/kit";

import { readProcess } from "../container/process-file.ts";
import type { ContainerPlace } from "../container/folder.ts";
import type { ExecProcess, Runtime } from "../runtime/runtime.ts";
import { Command } from "./command.ts";

/** Of one container: commands that run, and those whose end is remembered. */
const mostRunning = 64;
const mostEnded = 256;

/** There is none, or there is none any more. */
export class UnknownCommandError extends PlatformError {}

/** A container that runs. */
export interface Host {
  readonly place: ContainerPlace;
  readonly fence: string;
  /** Aborts when it is gone. */
  readonly gone: AbortSignal;
}

interface Entry {
  command: Promise<Command>;
  isOver: boolean;
}

export interface CommandsDeps {
  runtime: Runtime;
  clock: Clock;
  /** The container, if it runs here. */
  find: (containerId: string) => Host | undefined;
}

export class Commands {
  readonly #deps: CommandsDeps;
  readonly #containers = new Map<string, Map<string, Entry>>();

  constructor(deps: CommandsDeps) {
    this.#deps = deps;
  }

  /** The container that is meant. */
  host(containerId: string, fence?: string): Host {
    const host = this.#deps.find(containerId);
    if (host !== undefined && (fence === undefined || host.fence === fence)) return host;
    throw new UnknownCommandError(`container ${containerId} does not run`);
  }

  /** Twice with one id does not start it twice. */
  async start(asked: wire.Start): Promise<void> {
    const host = this.host(asked.containerId, asked.fence);
    const entries = this.#containers.get(asked.containerId) ?? this.#enter(host);
    const known = entries.get(asked.execId);
    if (known !== undefined) return void (await known.command);
    const running = [...entries.values()].filter(({ isOver }) => !isOver);
    if (running.length >= mostRunning) {
      throw new PlatformError(`${running.length} commands run in ${asked.containerId} already, which is the most`);
    }
    const entry: Entry = { command: this.#begin(host, asked), isOver: false };
    entries.set(asked.execId, entry);
    try {
      const command = await entry.command;
      void command.ended.then(() => (entry.isOver = true));
      forgetOldest(entries);
    } catch (error) {
      entries.delete(asked.execId);
      throw error;
    }
  }

  async get(containerId: string, execId: string): Promise<Command> {
    const entry = this.#containers.get(containerId)?.get(execId);
    if (entry !== undefined) return await entry.command;
    throw new UnknownCommandError(`there is no command ${execId} in ${containerId}, or it was ended with its worker`);
  }

  #enter({ place, gone }: Host): Map<string, Entry> {
    const entries = new Map<string, Entry>();
    this.#containers.set(place.id, entries);
    gone.addEventListener("abort", () => {
      this.#containers.delete(place.id);
      for (const { command } of entries.values()) {
        command.then(
          (each) => each.dispose(),
          () => {}, // it never came to run
        );
      }
    });
    return entries;
  }

  async #begin({ place }: Host, asked: wire.Start): Promise<Command> {
    const { runtime, clock } = this.#deps;
    if (runtime.exec === undefined) {
      throw new PlatformError(`the runtime "${runtime.name}" cannot run commands in containers`, {
        hint: "run the platform with --runtime runc",
      });
    }
    const [program, ...rest] = asked.command;
    if (program === undefined) throw new PlatformError("there is no command to run");
    const root = runtime.rootOf?.(place);
    const main = root && (await readProcess(root));
    if (main === undefined)
      throw new PlatformError(`${place.id} runs since before commands could be run in containers`);
    const { terminal, timeoutMs } = asked;
    const started = await runtime.exec(place, {
      id: asked.execId,
      process: {
        argv: [program, ...rest],
        env: { ...main.env, ...asked.env },
        cwd: asked.workdir === "" ? main.cwd : asked.workdir,
        ...(main.user && { user: main.user }),
      },
      terminal,
    });
    return new Command({
      process: asked.stderrToStdout ? joined(started) : started,
      hasTerminal: terminal !== undefined,
      ...(timeoutMs > 0n && { timeoutMs: Number(timeoutMs) }),
      discard: { stdout: asked.discardStdout, stderr: asked.discardStderr },
      stays: asked.stays,
      clock,
    });
  }
}

/** Both its streams are one; what comes on the two at about the same time comes in either order. */
function joined(process: ExecProcess): ExecProcess {
  const stdout = new PassThrough();
  const sources = [process.stdout, process.stderr];
  for (const source of sources) source.pipe(stdout, { end: false });
  void Promise.allSettled(sources.map((source) => finished(source))).then(() => stdout.end());
  return { ...process, stdout, stderr: Readable.from([]) };
}

/** Of those that have ended. */
function forgetOldest(entries: Map<string, Entry>): void {
  const ended = [...entries].filter(([, { isOver }]) => isOver);
  for (const [id] of ended.slice(0, Math.max(0, ended.length - mostEnded))) entries.delete(id);
}
