/**
 * Containers of `app.server`: their client asks for nothing once its hooks have run, so requests are taken in their names here, and
 * they are stopped when they are to end. Begun again for those that a server before this one has left.
 */
import type { Deliveries } from "../calls/deliveries.ts";
import { workerBell } from "../domain/bells.ts";
import type { Container } from "../domain/container.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import type { Straight } from "../web/straight.ts";
import { carryAll } from "./containers.ts";
import type { Platform } from "./platform.ts";

export class ServerContainers {
  readonly #platform: Platform;
  readonly #deliveries: Deliveries;
  readonly #followed = new Set<string>();
  readonly #over = new AbortController();

  constructor(platform: Platform, deliveries: Deliveries) {
    this.#platform = platform;
    this.#deliveries = deliveries;
  }

  async start(): Promise<void> {
    const { store } = this.#platform;
    const left = await store.read(async (tx) => {
      const found: Container[] = [];
      for (const container of await tx.containers.alive()) {
        const record = container.state === "assigned" ? undefined : await tx.functions.get(container.functionId);
        if (record !== undefined && decodeDefinition(record).isServer) found.push(container);
      }
      return found;
    });
    for (const container of left) this.#follow(container.id, this.#joined(container));
  }

  close(): void {
    this.#over.abort();
  }

  /** Its hooks have run. Answers when its port takes connections, and it takes requests. */
  async begin(containerId: string, signal: AbortSignal): Promise<void> {
    const { straight } = this.#platform;
    const found = await straight.of(containerId);
    if (found === undefined) {
      throw fail("failedPrecondition", "A server needs a container with a network of its own.", {
        hint: {
          python: "Start the platform with --runtime runc, or deploy a function with @modal.asgi_app",
          typescript: "Start the platform with --runtime runc, or serve it with app.webEndpoint",
        },
      });
    }
    await straight.listens(found, signal);
    this.#follow(containerId, Promise.resolve());
  }

  #follow(containerId: string, joined: Promise<void>): void {
    if (this.#followed.has(containerId)) return;
    this.#followed.add(containerId);
    joined
      .then(() => this.#take(containerId))
      .catch((error: unknown) => {
        if (this.#over.signal.aborted) return;
        this.#platform.log.error({ err: error, container: containerId }, "a server's requests are not taken any more");
      })
      .finally(() => this.#followed.delete(containerId));
  }

  async #take(containerId: string): Promise<void> {
    const { store, straight, sessions } = this.#platform;
    const { signal } = this.#over;
    const poll = { caller: { id: containerId }, idempotencyKey: undefined, signal };
    const next = async (of: Straight): Promise<boolean> =>
      (await carryAll(this.#platform, this.#deliveries, of, poll))?.kind !== "end";
    for (let goesOn = true; goesOn && !signal.aborted;) {
      const of = await straight.of(containerId);
      goesOn = of !== undefined && (await next(of));
    }
    const container = await store.read((tx) => tx.containers.get(containerId));
    if (container !== undefined && container.state !== "gone") sessions.stop(container, "it has nothing more to do");
  }

  /** Its worker has a session, which says whether its containers have ports. */
  async #joined({ workerId }: Container): Promise<void> {
    const { bells, clock, sessions } = this.#platform;
    const { signal } = this.#over;
    const look = async (): Promise<true | undefined> => (sessions.hasOwnNetwork(workerId) ? true : undefined);
    const options = { clock, waitMs: 3_600_000, signal };
    while ((await bells.until([workerBell(workerId)], look, options)) === undefined);
  }
}
