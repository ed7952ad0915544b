/** A call that somebody started and whose result is kept, here or elsewhere. */
import { awaitValue } from "./calls/await.ts";
import { items } from "./calls/generate.ts";
import { cancel } from "./calls/submit.ts";
import { Client } from "./client/client.ts";
import { type Duration, seconds } from "./duration.ts";
import { ModalClient } from "@lydian/contract";

/** How long `get` waits. */
export interface GetOptions {
  /** How long to wait; for ever unless it is given. Throws a TimeoutError when it is over; the call goes on. */
  timeout?: Duration;
  /** Of a call of many inputs: which one's result, from 0. */
  index?: number;
}

/** A call that goes on by itself, known by its id; its result is kept for 7 days. */
export class FunctionCall<R> {
  /** Such as "fc-…": with it any client finds the call again. */
  readonly id: string;
  readonly #client: Client;
  readonly #isGenerator: boolean;

  /** @internal */
  constructor(id: string, client: Client, isGenerator: boolean) {
    this.id = id;
    this.#client = client;
    this.#isGenerator = isGenerator;
  }

  /** A call by its id. `options.client`: another platform than the usual one. */
  static fromId<R = unknown>(id: string, options: { client?: Client; isGenerator?: boolean } = {}): FunctionCall<R> {
    return new FunctionCall<R>(id, options.client ?? Client.usual(), options.isGenerator ?? false);
  }

  /** The results of several calls, once all are there. */
  static async gather<const T extends readonly FunctionCall<unknown>[]>(
    ...calls: T
  ): Promise<{ -readonly [K in keyof T]: T[K] extends FunctionCall<infer R> ? R : never }> {
    const results = await Promise.all(calls.map((call) => call.get()));
    return results as { -readonly [K in keyof T]: T[K] extends FunctionCall<infer R> ? R : never };
  }

  /** The result, once it is there; it stays for 7 days. Throws a RemoteError with what the function threw. */
  async get({ timeout, index = 0 }: GetOptions = {}): Promise<R> {
    const limit = timeout === undefined ? undefined : seconds(timeout, "timeout");
    const asked = { client: this.#client, callId: this.id, index, isOnly: false, timeout: limit };
    return (await awaitValue(asked)) as R;
  }

  /** The items of a generator; of a call of many inputs, their results in order. */
  async *iter(): AsyncGenerator<R, void> {
    if (this.#isGenerator) {
      yield* items({ client: this.#client, callId: this.id, index: 0, isOnly: false }) as AsyncGenerator<R, void>;
      return;
    }
    const { numInputs } = await this.#client.ask(ModalClient.method.functionCallFromId, { functionCallId: this.id });
    for (let index = 0; index < numInputs; index++) yield await this.get({ index });
  }

  /** Cancels what has not finished. `terminateContainers` ends the containers that run it at once, and all else in them. */
  async cancel({ terminateContainers = false }: { terminateContainers?: boolean } = {}): Promise<void> {
    await cancel({ client: this.#client }, this.id, terminateContainers);
  }
}
