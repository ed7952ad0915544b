/**
 * Whether the clients of apps are still there: heartbeats kept, silence answered by the end of the app. A detached app
 * that its client has left goes on until it has had nothing to do for one term.
 */
import { type Clock, Leases, type Logger, type NewId } from "@lydian/kit";

import type { Times } from "../config.ts";
import { type App, livesByHeartbeat } from "../domain/app.ts";
import { logsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Store, Tx } from "../domain/store.ts";
import { hasWork, type StopOptions, stopApp } from "./stop.ts";

/** Why a client says goodbye; all but `done` ask for a quick end. */
export type Departure = "done" | "interrupted" | "failed";

/** Between an interrupt and the end of everything, exit hooks of idle containers included. */
const hurryMs = 500;

export class Presence {
  readonly #deps: { store: Store; clock: Clock; newId: NewId; times: Times; log: Logger };
  readonly #leases: Leases;

  constructor(deps: { store: Store; clock: Clock; newId: NewId; times: Times; log: Logger }) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (appId) => void this.#expired(appId));
  }

  /** After a restart every client has a whole term to be heard of. */
  async start(): Promise<void> {
    const apps = await this.#deps.store.read((tx) =>
      tx.apps.inStates(["initializing", "ephemeral", "detached", "disconnected"]),
    );
    for (const { id } of apps) this.heard(id);
  }

  close(): void {
    this.#leases[Symbol.dispose]();
  }

  heard(appId: string): void {
    this.#leases.renew(appId, this.#deps.times.appExpiry);
  }

  /** The client says that it is leaving. A detached app goes on without it; one that is deployed is not the client's. */
  async departed(tx: Tx, app: App, departure: Departure): Promise<void> {
    if (app.state === "deployed") return;
    this.#leases.drop(app.id);
    if (app.state === "detached" && departure !== "failed") {
      await this.#disconnect(tx, app);
      return;
    }
    const graceMs = departure === "done" ? this.#deps.times.drainGrace : hurryMs;
    await this.#stop(tx, app, { reason: "The app was stopped by its client.", graceMs });
  }

  async #disconnect(tx: Tx, app: App): Promise<void> {
    await tx.apps.update({ ...app, state: "disconnected" });
    this.heard(app.id);
    tx.ring(logsBell(app.id)); // the client's log ends here, though the app goes on
  }

  async #stop(tx: Tx, app: App, options: StopOptions): Promise<void> {
    const context: Context = { now: this.#deps.clock.now(), newId: this.#deps.newId };
    await stopApp(tx, app, options, context);
  }

  async #expired(appId: string): Promise<void> {
    const { store, log, times } = this.#deps;
    log.info({ app: appId }, "an app's client was not heard of for longer than its term");
    try {
      await store.write(async (tx) => {
        const app = await tx.apps.get(appId);
        if (app === undefined) return;
        if (app.state === "detached") {
          await this.#disconnect(tx, app);
        } else if (app.state === "disconnected" && (await hasWork(tx, appId))) {
          this.heard(appId);
        } else if (app.state === "disconnected" || livesByHeartbeat(app.state)) {
          await this.#stop(tx, app, { reason: "The app's client is gone.", graceMs: times.drainGrace });
        }
      });
    } catch (error) {
      log.error({ err: error, app: appId }, "an app whose client is gone could not be stopped");
      this.heard(appId); // tried again when this term is over
    }
  }
}
