/** Calls in memory: which functions there are, the inputs of each call, and what came of them. */
import { create } from "@bufbuild/protobuf";
import {
  type DataChunk,
  type FunctionCallPutDataRequest,
  type FunctionGetInputsItem,
  FunctionGetInputsItemSchema,
  type FunctionGetOutputsItem,
  FunctionGetOutputsItemSchema,
  type FunctionInput,
  GenericResult_GenericStatus as Status,
  GenericResultSchema,
} from "@lydian/contract";

import { isGenerator } from "../app.ts";
import { retryPolicyOf } from "../calls/variant.ts";
import type { Client } from "../client/client.ts";
import { type Definition, tagOf } from "../definition.ts";
import { seconds } from "../duration.ts";
import { NotFoundError } from "../errors.ts";
import { type Code, execute } from "../runner/execute.ts";
import { Service } from "../runner/service.ts";
import type { Outcome } from "../runner/results.ts";

interface Known {
  readonly appName: string;
  readonly definition: Definition;
}

/** A function, or a class with these parameters: what stands for its containers. */
interface Place {
  readonly definition: Definition;
  readonly service: Promise<Service>;
  /** Of a batched function: inputs that go together, by method. */
  readonly batch: { items: FunctionGetInputsItem[]; done: PromiseWithResolvers<readonly Outcome[]> }[];
}

export class TestCall {
  readonly id: string;
  readonly outputs: FunctionGetOutputsItem[] = [];
  readonly chunks: DataChunk[] = [];
  readonly stop = new AbortController();
  inputs = 0;
  isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(id: string) {
    this.id = id;
  }

  get unfinished(): number {
    return this.inputs - this.outputs.length;
  }

  /** Resolves at its next change. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const usualTimeout = 300;

export class CallDesk {
  readonly #functions = new Map<string, Known>();
  readonly #places = new Map<string, Place>();
  readonly #calls = new Map<string, TestCall>();
  #numbers = 0;

  add(appName: string, definition: Definition): void {
    this.#functions.set(this.#id(appName, tagOf(definition)), { appName, definition });
  }

  idOf(definition: Definition): string {
    const found = [...this.#functions].find(([, known]) => known.definition === definition);
    return found?.[0] ?? "";
  }

  /** By the names that a deployment would have. */
  find(appName: string, tag: string): { id: string; definition: Definition } {
    const id = this.#id(appName, tag);
    const known = this.#functions.get(id);
    if (known !== undefined) return { id, definition: known.definition };
    throw new NotFoundError(`this test has no function ${tag} of an app ${appName}`, {
      hint: "give its app to testPlatform(app, { others: [other] })",
    });
  }

  scheduled(): readonly Definition[] {
    return [...this.#functions.values()]
      .map(({ definition }) => definition)
      .filter(({ options }) => options.schedule !== undefined);
  }

  /** The containers of these parameters have an id of their own; other options change nothing here. */
  bind(functionId: string, parameters: Uint8Array): string {
    const { definition } = this.#known(functionId);
    const id = parameters.byteLength === 0 ? functionId : `${functionId}?${Buffer.from(parameters).toString("hex")}`;
    if (!this.#places.has(id)) this.#places.set(id, placeOf(definition, parameters));
    return id;
  }

  open(): TestCall {
    const call = new TestCall(`fc-test${++this.#numbers}`);
    this.#calls.set(call.id, call);
    return call;
  }

  call(id: string): TestCall {
    const found = this.#calls.get(id);
    if (found !== undefined) return found;
    throw new NotFoundError(`this test has no call ${id}`);
  }

  /** Begins an input; its output is told to its call. */
  submit(client: Client, call: TestCall, functionId: string, index: number, input: FunctionInput): string {
    const inputId = `in-test${++this.#numbers}`;
    call.inputs++;
    void this.#run(client, call, functionId, { inputId, index, input });
    return inputId;
  }

  give({ callInfo, dataChunks }: FunctionCallPutDataRequest): void {
    const call = this.call(callInfo.value as string);
    call.chunks.push(...dataChunks);
    call.change();
  }

  async runScheduled(client: Client, definition: Definition): Promise<void> {
    const { callRemote } = await import("../calls/remote.ts");
    const functionId = this.idOf(definition);
    await callRemote({ client, functionId, name: definition.name ?? "", isGenerator: false, method: undefined }, []);
  }

  /** Runs the exit hooks of classes. */
  async close(): Promise<void> {
    for (const call of this.#calls.values()) call.stop.abort(new DOMException("the test is over", "AbortError"));
    for (const { service } of this.#places.values()) {
      const loaded = await service.catch(() => undefined); // it was told to whoever called
      await loaded?.close();
    }
  }

  async #run(
    client: Client,
    call: TestCall,
    functionId: string,
    { inputId, index, input }: { inputId: string; index: number; input: FunctionInput },
  ): Promise<void> {
    const place = this.#place(functionId);
    const { retries = 0 } = retryPolicyOf(place.definition.options.retries) ?? {};
    for (let attempt = 0; ; attempt++) {
      const item = create(FunctionGetInputsItemSchema, {
        inputId,
        input,
        functionCallId: call.id,
        functionMapIdx: index,
        retryCount: attempt,
      });
      const outcome = await this.#attempt(client, place, item, call);
      if (outcome.result.status === Status.FAILURE && attempt < retries) continue; // what it would wait is skipped
      const common = { inputId, idx: index, retryCount: attempt, result: outcome.result, dataFormat: outcome.format };
      call.outputs.push(create(FunctionGetOutputsItemSchema, common));
      call.change();
      return;
    }
  }

  async #attempt(client: Client, place: Place, item: FunctionGetInputsItem, call: TestCall): Promise<Outcome> {
    let service: Service;
    try {
      service = await place.service;
    } catch (error) {
      const { failed } = await import("../runner/results.ts");
      return failed(error);
    }
    const code = service.code(item.input?.methodName);
    if (code.isBatched) return await this.#together(client, place, code, item);
    const timeout = seconds(place.definition.options.timeout ?? usualTimeout, "timeout");
    const stop = new AbortController();
    const passOn = (): void => stop.abort(call.stop.signal.reason);
    if (call.stop.signal.aborted) passOn();
    call.stop.signal.addEventListener("abort", passOn, { once: true });
    const late = setTimeout(
      () => stop.abort(new DOMException("the function ran for longer", "TimeoutError")),
      timeout * 1000,
    );
    const timedOut = new Promise<"late">((resolve) => {
      stop.signal.addEventListener("abort", () => resolve("late"), { once: true });
    });
    try {
      const ended = await Promise.race([execute(client, code, { items: [item], stop }), timedOut]);
      if (ended !== "late") return ended[0] as Outcome;
      const isLate = (stop.signal.reason as Error).name === "TimeoutError";
      const exception = isLate ? `the function ran for longer than ${timeout} s` : "the call was cancelled";
      const status = isLate ? Status.TIMEOUT : Status.TERMINATED;
      return { result: create(GenericResultSchema, { status, exception }), format: 0 };
    } finally {
      clearTimeout(late);
      call.stop.signal.removeEventListener("abort", passOn);
    }
  }

  /** Inputs that come in one turn of the event loop are one batch, up to its size. */
  async #together(
    client: Client,
    { definition, batch }: Place,
    code: Code,
    item: FunctionGetInputsItem,
  ): Promise<Outcome> {
    const method = item.input?.methodName;
    const size = (definition.batched ?? definition.methods[method ?? ""]?.batched)?.maxBatchSize ?? 1;
    let open = batch.at(-1);
    if (open === undefined || open.items.length >= size) {
      const made = { items: [], done: Promise.withResolvers<readonly Outcome[]>() };
      open = made;
      batch.push(made);
      setImmediate(() => {
        batch.splice(batch.indexOf(made), 1);
        execute(client, code, { items: made.items, stop: new AbortController() }).then(
          made.done.resolve,
          made.done.reject,
        );
      });
    }
    const at = open.items.push(item) - 1;
    return (await open.done.promise)[at] as Outcome;
  }

  #place(functionId: string): Place {
    if (!functionId.includes("?")) this.bind(functionId, new Uint8Array());
    const found = this.#places.get(functionId);
    if (found !== undefined) return found;
    throw new NotFoundError(`this test has no function ${functionId}`);
  }

  #known(functionId: string): Known {
    const known = this.#functions.get(functionId);
    if (known !== undefined) return known;
    throw new NotFoundError(`this test has no function ${functionId}`);
  }

  readonly #id = (appName: string, tag: string): string => `fu-${appName}/${tag}`;
}

function placeOf(definition: Definition, parameters: Uint8Array): Place {
  const service = Service.of(definition, parameters, isGenerator(definition));
  service.catch(() => {}); // told to whoever calls
  return { definition, service, batch: [] };
}
