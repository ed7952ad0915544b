/** Commands and terminals in containers, as the rest of the server asks for them; the containers' workers have them. */
import type { exec } from "@lydian/contract";

import type { Container } from "../domain/container.ts";
import { fail } from "../errors.ts";
import type { Line } from "./lines.ts";

export interface ExecsDeps {
  /** A stream to this worker. */
  line: (workerId: string) => Promise<Line>;
}

/** The one that is meant, and its assignment. */
export type Target = Pick<Container, "id" | "fence" | "workerId">;

export type StartRequest = Omit<exec.Start, "$typeName" | "$unknown" | "containerId" | "fence" | "terminal"> & {
  terminal?: { rows: number; columns: number } | undefined;
};

/** Where data belong that are written; undefined: behind what is there. */
export type WriteAt = { offset: bigint } | { index: bigint } | undefined;

export class Execs {
  readonly #deps: ExecsDeps;

  constructor(deps: ExecsDeps) {
    this.#deps = deps;
  }

  /** With an id that is known nothing is started again. */
  async start(target: Target, request: StartRequest): Promise<void> {
    const { terminal, ...rest } = request;
    await this.#with(target, undefined, async (line) => {
      const value = { ...rest, containerId: target.id, fence: target.fence, ...(terminal && { terminal }) };
      await line.send({ case: "start", value });
      await expect(line, "done");
    });
  }

  /** The bytes from an offset on, until the stream has ended. */
  async *read(
    target: Target,
    { execId, stderr, offset }: { execId: string; stderr: boolean; offset: bigint },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const line = await this.#deps.line(target.workerId);
    const stop = (): void => line.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      await line.send({ case: "read", value: { containerId: target.id, execId, stderr, offset } });
      for (let next = await line.next(); next.case === "data"; next = await line.next()) yield next.value;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      line.close();
    }
  }

  /** Resolves when the command has taken all of it. `parts` says at its end whether that is the end of its input. */
  async write(
    target: Target,
    { execId, at }: { execId: string; at: WriteAt },
    parts: AsyncIterable<Uint8Array>,
    eof: () => boolean,
    signal?: AbortSignal,
  ): Promise<{ bytes: bigint; closed: boolean }> {
    return await this.#with(target, signal, async (line) => {
      await line.send({ case: "write", value: { containerId: target.id, execId, ...at } });
      for await (const part of parts) await sendData(line, part);
      await line.send({ case: "end", value: { eof: eof() } });
      const { bytes, closed } = await expect(line, "written");
      return { bytes, closed };
    });
  }

  /** The exit code as a shell says it; undefined while it runs after this time. */
  async wait(target: Target, execId: string, holdMs: number, signal?: AbortSignal): Promise<number | undefined> {
    return await this.#with(target, signal, async (line) => {
      const value = { containerId: target.id, execId, holdMs: BigInt(Math.round(holdMs)) };
      await line.send({ case: "wait", value });
      const answer = await line.next();
      return answer.case === "ended" ? answer.value.code : undefined;
    });
  }

  /** At the terminal of the container's main process. */
  async type(target: Target, index: bigint, data: Uint8Array): Promise<void> {
    await this.#with(target, undefined, async (line) => {
      await line.send({ case: "type", value: { containerId: target.id, fence: target.fence, index } });
      await sendData(line, data);
      await line.send({ case: "end", value: { eof: false } });
      await expect(line, "done");
    });
  }

  async #with<T>(target: Target, signal: AbortSignal | undefined, act: (line: Line) => Promise<T>): Promise<T> {
    const line = await this.#deps.line(target.workerId);
    const stop = (): void => line.close();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      signal?.throwIfAborted();
      return await act(line);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      line.close();
    }
  }
}

type Answers = { [M in exec.FromWorker["message"] as M["case"] & string]: M["value"] };

async function expect<C extends keyof Answers>(line: Line, wanted: C): Promise<Answers[C]> {
  const answer = await line.next();
  if (answer.case !== wanted) throw fail("internal", `A worker answered ${answer.case} instead of ${wanted}.`);
  return answer.value as Answers[C];
}

/** Of one message, so that others get between. */
const partBytes = 64 * 1024;

async function sendData(line: Line, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length; at += partBytes) {
    await line.send({ case: "data", value: data.subarray(at, at + partBytes) });
  }
}
