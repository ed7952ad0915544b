/** Connections to what listens in containers: asked of their workers, which bring them through the port. */
import type { Socket } from "node:net";

import type { Bells, Clock } from "@lydian/kit";

import { workerBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import { Questions } from "./questions.ts";
import type { Acting, ToWorker } from "./sessions.ts";

/** How long a worker may take to bring one, in milliseconds: a container that is busy may take long to accept. */
const patienceMs = 60_000;

export class Dials {
  readonly #bells: Bells;
  readonly #clock: Clock;
  readonly #push: (workerId: string, message: ToWorker) => boolean;
  readonly #asked: Questions<Socket>;
  /** By container. */
  readonly #open = new Map<string, Set<Socket>>();

  /** `push` answers false when the worker is not connected. */
  constructor(
    { bells, clock }: { bells: Bells; clock: Clock },
    push: (workerId: string, message: ToWorker) => boolean,
  ) {
    this.#bells = bells;
    this.#clock = clock;
    this.#push = push;
    this.#asked = new Questions(clock, {
      answerMs: patienceMs,
      silent: () => fail("aborted", "Nothing in the container took the connection in time."),
    });
  }

  /**
   * Rejects with `unavailable` when nothing listens there, with `aborted` when none came. The connection ends with the container, at the
   * latest. A worker that dies, and its container with it not, is asked again when it is back.
   */
  async open({ id: containerId, fence, workerId }: Acting, port: number): Promise<Socket> {
    const settled = new AbortController();
    const socket = await this.#asked
      .ask(workerId, (secret) => {
        const message = { case: "dial", value: { secret, containerId, fence, port } } as const;
        const look = async (): Promise<undefined> => void this.#push(workerId, { message });
        const options = { clock: this.#clock, waitMs: patienceMs, signal: settled.signal };
        this.#bells.until([workerBell(workerId)], look, options).catch(() => {}); // there is an answer
      })
      .finally(() => settled.abort());
    const open = this.#open.get(containerId) ?? new Set();
    this.#open.set(containerId, open.add(socket));
    socket.once("close", () => {
      open.delete(socket);
      if (open.size === 0 && this.#open.get(containerId) === open) this.#open.delete(containerId);
    });
    return socket;
  }

  /** A connection that says that it was asked for; answers whether it was. */
  take(secret: string, socket: Socket): boolean {
    return this.#asked.answered(secret, socket);
  }

  failed(secret: string, reason: string): void {
    this.#asked.refused(secret, fail("unavailable", `The container took no connection: ${reason}.`));
  }

  /** The container is gone. */
  cut(containerId: string): void {
    for (const socket of this.#open.get(containerId) ?? []) socket.destroy();
  }
}
