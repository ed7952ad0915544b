/** Answers what this package asks of a platform, in memory. */
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { DataFormat, Function_FunctionType as FunctionType, ModalClient } from "@lydian/contract";

import { type AskOptions, Client } from "../client/client.ts";
import { type Constructor, methodsIn, parametersOf } from "../class-definition.ts";
import type { Definition } from "../definition.ts";
import { isGenerator } from "../app.ts";
import { UnimplementedError } from "../errors.ts";
import type { CallDesk, TestCall } from "./call-desk.ts";
import { TestDicts, TestQueues } from "./objects.ts";

const rpc = ModalClient.method;

type Answers = { readonly [method: string]: (request: never, signal: AbortSignal | undefined) => unknown };
type Streams = {
  readonly [method: string]: (request: never, signal: AbortSignal | undefined) => AsyncGenerator<unknown, void>;
};

type RequestOf<K extends keyof typeof rpc> = MessageShape<(typeof rpc)[K]["input"]>;

export class TestClient extends Client {
  readonly #answers: Answers;
  readonly #streams: Streams;

  constructor(desk: CallDesk) {
    super({ serverUrl: "http://127.0.0.1:1", tokenId: "test", tokenSecret: "test" });
    const dicts = new TestDicts();
    const queues = new TestQueues();
    this.#answers = { ...callAnswers(this, desk), ...dicts.answers, ...queues.answers };
    this.#streams = { functionCallGetDataOut: (request: never) => chunks(desk, request), ...dicts.streams };
  }

  /** Nothing goes anywhere, so nothing is too large for a message. */
  override get mostWithin(): { sync: number; async: number } {
    return { sync: Number.POSITIVE_INFINITY, async: Number.POSITIVE_INFINITY };
  }

  override async ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal }: AskOptions = {},
  ): Promise<MessageShape<O>> {
    signal?.throwIfAborted();
    const answer = this.#answers[method.localName];
    if (answer === undefined) throw unknown(method.localName);
    const found = await answer(create(method.input, request) as never, signal);
    return create(method.output, found as MessageInitShape<O>);
  }

  override async *follow<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { signal }: Omit<AskOptions, "patienceMs"> = {},
  ): AsyncGenerator<MessageShape<O>, void> {
    const stream = this.#streams[method.localName];
    if (stream === undefined) throw unknown(method.localName);
    for await (const message of stream(create(method.input, request) as never, signal))
      yield create(method.output, message as MessageInitShape<O>);
  }
}

function unknown(name: string): UnimplementedError {
  return new UnimplementedError(`a test's platform does not answer ${name}`, {
    hint: "it has functions, classes, dicts and queues; what is of containers, volumes and addresses needs `lydian run`",
  });
}

function callAnswers(client: Client, desk: CallDesk): Answers {
  const submit = (call: TestCall, functionId: string, inputs: RequestOf<"functionPutInputs">["inputs"]) =>
    inputs.map(({ idx, input }) => {
      if (input === undefined) throw new Error("an input is missing");
      return { idx, inputId: desk.submit(client, call, functionId, idx, input) };
    });
  const open = ({ functionId, pipelinedInputs }: RequestOf<"functionMap">) => {
    const call = desk.open();
    return { functionCallId: call.id, pipelinedInputs: submit(call, functionId, pipelinedInputs) };
  };
  return {
    functionGet: ({ appName, objectTag }: RequestOf<"functionGet">) => {
      const { id, definition } = desk.find(appName, objectTag);
      return { functionId: id, handleMetadata: metadataOf(appName, definition) };
    },
    functionBindParams: ({ functionId, serializedParams }: RequestOf<"functionBindParams">) => ({
      boundFunctionId: desk.bind(functionId, serializedParams),
    }),
    functionMap: open,
    /** Its output is asked for as if it were long in coming. */
    call: ({ call }: { call: RequestOf<"functionMap"> }) => ({ functionCallId: open(call).functionCallId }),
    functionPutInputs: ({ functionId, functionCallId, inputs }: RequestOf<"functionPutInputs">) => ({
      inputs: submit(desk.call(functionCallId), functionId, inputs),
    }),
    functionFinishInputs: ({ functionCallId }: RequestOf<"functionFinishInputs">) => {
      const call = desk.call(functionCallId);
      call.isClosed = true;
      call.change();
      return {};
    },
    functionGetOutputs: (request: RequestOf<"functionGetOutputs">, signal) => outputs(desk, request, signal),
    functionCallFromId: ({ functionCallId }: RequestOf<"functionCallFromId">) => ({
      functionCallId,
      numInputs: desk.call(functionCallId).inputs,
    }),
    functionCallCancel: ({ functionCallId }: RequestOf<"functionCallCancel">) => {
      desk.call(functionCallId).stop.abort(new DOMException("the call was cancelled", "AbortError"));
      return {};
    },
    functionCallPutDataOut: (request: RequestOf<"functionCallPutDataOut">) => {
      desk.give(request);
      return {};
    },
  };
}

/** Resolves in time, at the latest when the time is up. */
async function within(changed: Promise<void>, until: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, Math.min(until - Date.now(), 2 ** 31 - 1)));
  });
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => {}); // raced below; or it is over
  try {
    await Promise.race([changed, late, aborted]);
  } finally {
    clearTimeout(timer);
  }
}

async function outputs(
  desk: CallDesk,
  { functionCallId, lastEntryId, startIdx, endIdx, timeout, maxValues }: RequestOf<"functionGetOutputs">,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const call = desk.call(functionCallId);
  const after = Number(/^\d+/.exec(lastEntryId)?.[0] ?? 0);
  const until = Date.now() + timeout * 1000;
  const [first, last] = [startIdx ?? 0, endIdx ?? Number.POSITIVE_INFINITY];
  for (;;) {
    const fresh = call.outputs.slice(after).filter(({ idx }) => idx >= first && idx <= last);
    if (fresh.length > 0 || Date.now() >= until) {
      const found = maxValues > 0 ? fresh.slice(0, maxValues) : fresh;
      return { outputs: found, lastEntryId: `${call.outputs.length}-0`, numUnfinishedInputs: call.unfinished };
    }
    await within(call.changed, until, signal);
  }
}

async function* chunks(
  desk: CallDesk,
  { callInfo, lastIndex }: RequestOf<"functionCallGetDataOut">,
): AsyncGenerator<unknown, void> {
  const call = desk.call(callInfo.value as string);
  for (let at = Number(lastIndex); ;) {
    for (; at < call.chunks.length; at++) yield call.chunks[at];
    if (call.unfinished === 0) return;
    await call.changed;
  }
}

const formats = { supportedInputFormats: [DataFormat.CBOR], supportedOutputFormats: [DataFormat.CBOR] };
const typeOf = (generates: boolean): FunctionType => (generates ? FunctionType.GENERATOR : FunctionType.FUNCTION);

function metadataOf(appName: string, definition: Definition): unknown {
  const common = { appId: `ap-${appName}`, functionName: definition.name ?? "", ...formats };
  if (definition.kind !== "class") return { ...common, functionType: typeOf(isGenerator(definition)) };
  const constructor = definition.handler as unknown as Constructor;
  const methods = [...methodsIn(constructor, definition.methods)].map(([name, generates]) => [
    name,
    { ...formats, functionName: name, functionType: typeOf(generates) },
  ]);
  return {
    ...common,
    classParameterInfo: parametersOf(constructor),
    methodHandleMetadata: Object.fromEntries(methods) as unknown,
  };
}
