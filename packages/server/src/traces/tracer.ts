/** Follows the inputs that end, and tells them as spans: after the fact, so that no call waits for it. */
import type { Logger } from "@lydian/kit";

import type { Call } from "../domain/call.ts";
import type { Happening, InputEnded } from "../domain/happening.ts";
import type { Store, Tx } from "../domain/store.ts";
import { type Span, spansOf, type Surroundings } from "./spans.ts";

export interface SpanSink {
  put(span: Span): void;
  /** What waits is sent, or given up. */
  close(): Promise<void>;
}

export interface TracerDeps {
  store: Pick<Store, "read">;
  sink: SpanSink;
  log: Logger;
}

/** Inputs that are looked up together. */
const portion = 256;

/** Those that wait for that; beyond it they have no trace. */
const mostWaiting = 8_192;

export class Tracer {
  readonly #deps: TracerDeps;
  #waiting: InputEnded[] = [];
  #work: Promise<void> | undefined;
  #dropped = 0;

  constructor(deps: TracerDeps) {
    this.#deps = deps;
  }

  hear(happening: Happening): void {
    if (happening.kind !== "inputEnded") return;
    if (this.#waiting.length >= mostWaiting) {
      if (this.#dropped++ === 0) this.#deps.log.warn({}, "more inputs end than can be traced: some have no trace");
      return;
    }
    this.#waiting.push(happening);
    this.#work ??= this.#run();
  }

  async close(): Promise<void> {
    await this.#work;
    await this.#deps.sink.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, portion);
      try {
        const found = await this.#deps.store.read(async (tx) => {
          const all: Surroundings[] = [];
          for (const ended of some) all.push(await surroundingsOf(tx, ended));
          return all;
        });
        for (const [at, ended] of some.entries()) {
          const around = found[at];
          if (around !== undefined) for (const span of spansOf(ended, around)) this.#deps.sink.put(span);
        }
      } catch (error) {
        this.#deps.log.warn({ err: error, inputs: some.length }, "inputs have no trace");
      }
    }
    this.#dropped = 0;
    this.#work = undefined;
  }
}

async function surroundingsOf(tx: Tx, { input, call }: InputEnded): Promise<Surroundings> {
  const [app, target] = [await tx.apps.get(call.appId), await tx.functions.target(call.functionId)];
  const environments = await tx.identity.environments();
  const container = input.containerId === undefined ? undefined : await tx.containers.get(input.containerId);
  return {
    rootCallId: await rootOf(tx, call),
    app: app?.name ?? call.appId,
    environment: environments.find(({ id }) => id === app?.environmentId)?.name ?? "",
    function: target?.name ?? call.functionId,
    container: container && { createdAt: container.createdAt, readyAt: container.readyAt },
  };
}

/** Whoever called is at it still, so it is there; what is forgotten meanwhile stands for its root itself. */
async function rootOf(tx: Tx, call: Call): Promise<string> {
  if (call.parentInputId === "") return call.id;
  const parent = await tx.inputs.get(call.parentInputId);
  const above = parent && (await tx.calls.get(parent.callId));
  return above === undefined ? call.parentInputId : await rootOf(tx, above);
}
