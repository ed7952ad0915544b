/** Gives a generator's items to the platform as they come, in order; what comes while one request is under way goes together. */
import { DataFormat, ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { encodeCbor } from "../values/cbor-encode.ts";
import { storePayload } from "../values/payload.ts";

interface Chunk {
  readonly index: bigint;
  readonly dataFormat: DataFormat;
  readonly dataOneof: { case: "data"; value: Uint8Array } | { case: "dataBlobId"; value: string };
}

/** Items that the generator may be ahead of the platform. */
const mostAhead = 100;
const patienceMs = 120_000;

export class ItemStream {
  readonly #client: Client;
  readonly #callId: string;
  #count = 0;
  readonly #pending: Chunk[] = [];
  #sent = Promise.resolve();

  constructor(client: Client, callId: string) {
    this.#client = client;
    this.#callId = callId;
  }

  get count(): number {
    return this.#count;
  }

  /** Resolves when the generator may go on. */
  async give(value: unknown): Promise<void> {
    await this.#add(DataFormat.CBOR, encodeCbor(value, `item ${this.#count + 1}`));
  }

  /** One message of a web request's answer; resolves when the platform has room for more. */
  async say(message: Uint8Array): Promise<void> {
    await this.#add(DataFormat.ASGI, message);
    await this.flush();
  }

  async #add(dataFormat: DataFormat, bytes: Uint8Array): Promise<void> {
    const index = BigInt(++this.#count);
    const payload = await storePayload(this.#client, bytes, "sync");
    const dataOneof = payload.case === "data" ? payload : { case: "dataBlobId" as const, value: payload.value };
    this.#pending.push({ index, dataFormat, dataOneof });
    this.#sent = this.#sent.then(() => this.#sendAll());
    this.#sent.catch(() => {}); // told by `flush`, or by the next item that has to wait
    if (this.#pending.length >= mostAhead) await this.#sent;
  }

  /** All items are kept. */
  async flush(): Promise<void> {
    await this.#sent;
  }

  async #sendAll(): Promise<void> {
    if (this.#pending.length === 0) return; // they went with those before
    const dataChunks = this.#pending.splice(0);
    const request = { callInfo: { case: "functionCallId" as const, value: this.#callId }, dataChunks };
    await this.#client.ask(ModalClient.method.functionCallPutDataOut, request, { patienceMs });
  }
}
