/**
 * What the stock client, and a container of it, do at best with calls: stands for the platform towards one client and one container,
 * with nothing behind it; calls are in memory only. Runs inside the container's network, where both reach it directly
 * (bench/call-ceiling.ts starts all three).
 *
 * Arguments: its port for the container and its port for the client.
 */
import { createServer } from "node:net";

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FunctionGetInputsItemSchema,
  type FunctionGetOutputsItemSchema,
  DataFormat,
  FunctionCallType,
  Function_FunctionType,
  type FunctionPutInputsItem,
  GenericResult_GenericStatus,
  ModalClient,
} from "@lydian/contract";
import { silentLogger, sleep, systemClock } from "@lydian/kit";
import type { Identity } from "@lydian/server/src/domain/identity";
import { type Rpcs, bind, container, createRpcServer, user } from "@lydian/server/src/rpc/adapter";

interface MadeCall {
  readonly id: string;
  readonly functionId: string;
  readonly outputs: MessageInitShape<typeof FunctionGetOutputsItemSchema>[];
  unfinished: number;
  bell: PromiseWithResolvers<void>;
}

/** As the platform does: of a map with so many inputs to come, outputs go together. */
const many = 20;
const togetherMs = 100;

const calls = new Map<string, MadeCall>();
const queue: MessageInitShape<typeof FunctionGetInputsItemSchema>[] = [];
const claimed = new Map<string, { call: MadeCall; index: number }>();
let woken = Promise.withResolvers<void>();
let lastId = 0;

/** Of a function `taken` the container gets the inputs, those of `answered` are answered here, and those of any other one wait for ever. */
function add(call: MadeCall, items: readonly FunctionPutInputsItem[]) {
  return items.map(({ idx, input }) => {
    const inputId = `in-${++lastId}`;
    call.unfinished++;
    claimed.set(inputId, { call, index: idx });
    if (call.functionId === "fu-taken") {
      queue.push({ inputId, input, functionCallId: call.id, functionMapIdx: idx });
      woken.resolve();
    }
    if (call.functionId === "fu-answered") end(inputId, { status: GenericResult_GenericStatus.SUCCESS, ...none });
    return { idx, inputId, inputJwt: inputId };
  });
}

/** None, pickled. */
const none = { dataOneof: { case: "data" as const, value: Uint8Array.of(0x80, 4, 0x4e, 0x2e) } };

const formats = [DataFormat.PICKLE, DataFormat.CBOR];

type Result = MessageInitShape<typeof FunctionGetOutputsItemSchema>["result"];

function end(inputId: string, result: Result, dataFormat: DataFormat = DataFormat.PICKLE): void {
  const found = claimed.get(inputId);
  if (found === undefined) return;
  claimed.delete(inputId);
  const { call, index } = found;
  call.unfinished--;
  call.outputs.push({ idx: index, inputId, result, dataFormat });
  call.bell.resolve();
}

function callOf(id: string): MadeCall {
  const call = calls.get(id);
  if (call === undefined) throw new Error(`there is no call ${id}`);
  return call;
}

const rpcs: Rpcs<typeof ModalClient> = {
  clientHello: user(() => Promise.resolve({ imageBuilderVersion: "2025.06" })),
  functionGet: user(({ objectTag }) => {
    const description = { functionName: objectTag, functionType: Function_FunctionType.FUNCTION };
    return Promise.resolve({
      functionId: `fu-${objectTag}`,
      handleMetadata: { ...description, supportedInputFormats: formats, supportedOutputFormats: formats },
      function: {
        ...description,
        rankedFunctions: [{ rank: 0, function: { ...description, resources: {}, schedulerPlacement: {} } }],
      },
    });
  }),
  functionMap: user(({ functionId, functionCallType, pipelinedInputs }) => {
    const id = `fc-${++lastId}`;
    const call = { id, functionId, outputs: [], unfinished: 0, bell: Promise.withResolvers<void>() };
    calls.set(id, call);
    const isMap = functionCallType === FunctionCallType.MAP;
    return Promise.resolve({
      functionCallId: id,
      functionCallJwt: id,
      pipelinedInputs: add(call, pipelinedInputs),
      ...(isMap && { maxInputsOutstanding: 1000 }),
    });
  }),
  functionPutInputs: user(({ functionCallId, inputs }) =>
    Promise.resolve({ inputs: add(callOf(functionCallId), inputs) }),
  ),
  functionFinishInputs: user(() => Promise.resolve({})),
  functionGetOutputs: user(async ({ functionCallId, lastEntryId, timeout, clearOnSuccess }, { signal }) => {
    const call = callOf(functionCallId);
    const after = Number.parseInt(lastEntryId, 10) || 0;
    if (call.outputs.length <= after && timeout > 0) {
      call.bell = Promise.withResolvers();
      await Promise.race([call.bell.promise, sleep(systemClock, timeout * 1000, signal)]);
      if (call.unfinished >= many) await sleep(systemClock, togetherMs, signal);
    }
    if (clearOnSuccess && call.unfinished === 0) calls.delete(call.id);
    const outputs = call.outputs.slice(after);
    return { outputs, lastEntryId: `${after + outputs.length}-0`, numUnfinishedInputs: call.unfinished };
  }),
  containerHello: container(() => Promise.resolve({})),
  containerHeartbeat: container(async (_request, { signal }) => {
    await sleep(systemClock, 14_000, signal);
    return {};
  }),
  functionGetInputs: container(async () => {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) return { inputs: [next] };
      woken = Promise.withResolvers();
      await woken.promise;
    }
  }),
  functionPutOutputs: container(({ outputs }) => {
    for (const { inputId, result, dataFormat } of outputs) end(inputId, result, dataFormat);
    return Promise.resolve({});
  }),
  taskResult: container(({ result }) => {
    throw new Error(`the container cannot start: ${result?.exception}`);
  }),
};

const rpc = createRpcServer({
  rpcs: bind(ModalClient, rpcs),
  authenticate: () => true,
  openTask: () => undefined,
  logger: silentLogger,
});
const listen = (port: number, peer: Identity | undefined): void => {
  const listener = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {}); // the other side's end
    rpc.take(socket, peer);
  });
  listener.listen(port, "127.0.0.1");
};
listen(Number(process.argv[2]), { kind: "container", id: "ta-ceiling" });
listen(Number(process.argv[3]), undefined);
