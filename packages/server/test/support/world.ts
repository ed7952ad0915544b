/**
 * A small world around the server: its folder, a clock, one worker, and a user with one function. The server may die at
 * any time and then starts again by itself, as under its supervisor; whoever talked to it repeats what was not answered.
 */
import { join } from "node:path";

import { type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  AppState,
  DataFormat,
  FunctionCallInvocationType,
  FunctionCallType,
  type FunctionGetOutputsItem,
  type FunctionPutInputsItemSchema,
  type FunctionSchema$,
  Function_FunctionType,
  ModalClient,
} from "@lydian/contract";
import type { NewId } from "@lydian/kit";
import {
  FakeWorker,
  type FakeWorkerOptions,
  ManualClock,
  type TemporaryFolder,
  predictableIds,
  temporaryFolder,
  turns,
} from "@lydian/testkit";

import type { Demand } from "../../src/domain/function.ts";
import { Watch } from "./invariants.ts";
import { ConnectionLost, type Request, ServerProcess, type Settings } from "./server-process.ts";

export const rpc = ModalClient.method;

const user = { kind: "user", tokenId: "ak-owner" } as const;

/** The image that every client asks for. */
export const defaultImage = {
  dockerfileCommands: [
    "FROM python:3.11-slim-trixie",
    "RUN apt-get update",
    "RUN apt-get install -y gcc gfortran build-essential",
    "RUN pip install --upgrade pip wheel uv",
    "RUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections",
    'CMD ["sleep", "172800"]',
  ],
};

export interface Counts {
  queued: number;
  claimed: number;
  delayed: number;
  held: number;
  unfinished: number;
}

export class World implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly worker: FakeWorker;
  readonly file: string;
  /** Of the one app and function. */
  appId = "";
  functionId = "";
  readonly #folder: TemporaryFolder;
  readonly #settings: Settings;
  readonly #newId: NewId = predictableIds();
  readonly #past: ServerProcess[] = [];
  #server: Promise<ServerProcess>;
  #keys = 0;
  #watch: Watch | undefined;
  #isOver = false;

  private constructor(folder: TemporaryFolder, worker: FakeWorkerOptions, settings: Settings) {
    this.#folder = folder;
    this.#settings = settings;
    this.file = join(folder.path, "store.sqlite");
    this.worker = new FakeWorker(worker);
    this.#server = this.#start();
  }

  /** `definition` is what the function asks for besides its name and image. */
  static async begin(
    worker: FakeWorkerOptions = {},
    definition: MessageInitShape<typeof FunctionSchema$> = {},
    settings: Settings = {},
  ): Promise<World> {
    const world = new World(await temporaryFolder(), worker, settings);
    await world.server();
    await world.#begin(definition);
    return world;
  }

  /** The server that lives now, or will in a moment. */
  server(): Promise<ServerProcess> {
    return this.#server;
  }

  /** A key as a client gives each of its requests. */
  newKey(): string {
    return `key-${++this.#keys}`;
  }

  /** Does something with the server, and again with the next one when it dies meanwhile. */
  async repeating<T>(act: (server: ServerProcess) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      const server = await this.#server;
      signal?.throwIfAborted();
      try {
        return await act(server);
      } catch (error) {
        if (!(error instanceof ConnectionLost) || this.#isOver) throw error;
      }
    }
  }

  /** One request of a user, with one key however often it has to be repeated. */
  asUser<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    idempotencyKey: string = this.newKey(),
    signal?: AbortSignal,
  ): Promise<MessageShape<M["output"]>> {
    const from = { caller: user, idempotencyKey, ...(signal && { signal }) };
    return this.repeating((server) => server.call(method, request, from), signal);
  }

  /** One request through a container's door. */
  asContainer<M extends DescMethod>(
    id: string,
    method: M,
    request: MessageInitShape<M["input"]>,
    options: Partial<Request> = {},
  ): Promise<MessageShape<M["output"]>> {
    const caller = { kind: "container", id, restricted: false } as const;
    const from = { caller, idempotencyKey: this.newKey(), ...options };
    return this.repeating((server) => server.call(method, request, from), options.signal);
  }

  /** Submits a unary call with the text as its argument; answers its id. */
  async submit(argument: string, key?: string): Promise<string> {
    const request = {
      functionId: this.functionId,
      functionCallType: FunctionCallType.UNARY,
      functionCallInvocationType: FunctionCallInvocationType.SYNC,
      pipelinedInputs: [item(argument, 0)],
    };
    const { functionCallId } = await this.asUser(rpc.functionMap, request, key);
    return functionCallId;
  }

  /** Submits a map with an input for each text, all that it gets unless `more` may come; answers its id and theirs. */
  async map(texts: readonly string[], more = false): Promise<{ id: string; inputIds: string[] }> {
    const request = {
      functionId: this.functionId,
      functionCallType: FunctionCallType.MAP,
      functionCallInvocationType: FunctionCallInvocationType.SYNC,
      pipelinedInputs: texts.map(item),
    };
    const { functionCallId, pipelinedInputs } = await this.asUser(rpc.functionMap, request);
    if (!more) await this.asUser(rpc.functionFinishInputs, { functionCallId });
    return { id: functionCallId, inputIds: pipelinedInputs.map(({ inputId }) => inputId) };
  }

  /** Defines the one function, for the first time or anew. */
  async define(asked: MessageInitShape<typeof FunctionSchema$>): Promise<void> {
    const { imageId } = await this.asUser(rpc.imageGetOrCreate, { image: defaultImage });
    const definition = { ...asked, functionName: "hello", functionType: Function_FunctionType.FUNCTION, imageId };
    const request = { appId: this.appId, existingFunctionId: this.functionId, function: definition };
    this.functionId = (await this.asUser(rpc.functionCreate, request)).functionId;
  }

  /** Containers of older definitions give way. */
  async publish(): Promise<void> {
    const functionIds = { hello: this.functionId };
    await this.asUser(rpc.appPublish, { appId: this.appId, appState: AppState.EPHEMERAL, functionIds });
  }

  /** Waits for the call's outputs as the Python client does: asks again until there is one, which it then has. */
  async outputs(functionCallId: string): Promise<FunctionGetOutputsItem[]> {
    for (;;) {
      const request = { functionCallId, timeout: 55, lastEntryId: "0-0", clearOnSuccess: true, startIdx: 0, endIdx: 0 };
      const { outputs } = await this.asUser(rpc.functionGetOutputs, request);
      if (outputs.length > 0) return outputs;
    }
  }

  /** Connects the worker to the server that lives now. */
  async join(): Promise<void> {
    await this.repeating((server) => this.worker.connect(server.session));
  }

  /** What the counts beside the rows say, for the one function. */
  async counts(): Promise<Counts> {
    const server = await this.#server;
    return await server.store.read(async (tx) => {
      const demand: Demand | undefined = await tx.functions.demand(this.functionId);
      const containers = await tx.containers.alive();
      let unfinished = 0;
      for (const { callId } of await tx.inputs.unfinished(this.functionId, 1_000)) {
        unfinished += (await tx.calls.get(callId))?.unfinished ?? 0;
      }
      const held = containers.reduce((sum, container) => sum + container.held, 0);
      const { queued = 0, claimed = 0, delayed = 0 } = demand ?? {};
      return { queued, claimed, delayed, held, unfinished };
    });
  }

  /** The database must be sound after every step. */
  check(during: string): void {
    this.#watch ??= new Watch(this.file);
    this.#watch.assert(during);
  }

  /**
   * Lets the world go on until something has happened, with as little time as that needs; answers how many milliseconds
   * of the clock that were.
   */
  async until(happens: Promise<unknown>, atMostMs: number): Promise<number> {
    const state = { over: false };
    const watched = happens.finally(() => (state.over = true));
    watched.catch(() => {}); // thrown below
    const began = this.clock.now();
    for (;;) {
      await this.rest();
      if (state.over) break;
      if (this.clock.now() - began >= atMostMs) throw new Error(`it did not happen within ${atMostMs} ms`);
      await this.clock.advance(250);
      await this.keepAlive();
    }
    await watched;
    return this.clock.now() - began;
  }

  /** Lets everything happen that needs no time of the clock. */
  async rest(): Promise<void> {
    for (let looks = 0; looks < 8; looks++) {
      await this.#server; // its start reads and writes files, at their own pace
      await turns();
    }
  }

  /** The heartbeats of those that are there. */
  async keepAlive(): Promise<void> {
    this.worker.renew();
    await this.asUser(rpc.appHeartbeat, { appId: this.appId });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#watch?.[Symbol.dispose]();
    this.worker.drop();
    const last = await this.#server;
    if (!last.isDead) await last.close();
    for (const each of this.#past) if (each.isDead) await each.bury();
    await this.#folder[Symbol.asyncDispose]();
  }

  async #start(): Promise<ServerProcess> {
    const server = await ServerProcess.start(this.#folder.path, this.clock, this.#newId, this.#settings);
    this.#past.push(server);
    server.death.addEventListener("abort", () => {
      if (!this.#isOver) this.#server = this.#start();
    });
    return server;
  }

  async #begin(definition: MessageInitShape<typeof FunctionSchema$>): Promise<void> {
    const app = await this.asUser(rpc.appCreate, { description: "story", appState: AppState.EPHEMERAL });
    this.appId = app.appId;
    await this.define(definition);
    await this.publish();
  }
}

function item(text: string, idx: number): MessageInitShape<typeof FunctionPutInputsItemSchema> {
  const argsOneof = { case: "args" as const, value: new TextEncoder().encode(text) };
  return { idx, input: { argsOneof, dataFormat: DataFormat.PICKLE } };
}
