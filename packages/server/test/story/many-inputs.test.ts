/**
 * A map of very many inputs in a server process of its own: what waits is on disk and not in memory, and cancelling all of
 * it keeps nobody waiting. `LYDIAN_INPUTS` says how many; with more than usual the end of all is waited for as well.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  AppState,
  DataFormat,
  FunctionCallInvocationType,
  FunctionCallType,
  Function_FunctionType,
} from "@lydian/contract";

import { rpcClient, temporaryFolder, tokenHeaders } from "../ingress/rig.ts";
import { defaultImage, rpc } from "../support/world.ts";

const usual = 200_000;
const inputs = Number(process.env["LYDIAN_INPUTS"] ?? usual);

/** Before anything is measured: the server then has its code compiled and its buffers made. */
const warmUp = 20_000;

/** The two page caches of the database may take 16 MiB each, and the allocator some more; the heap keeps nothing. */
const mostRssMib = 128;
const mostHeapMib = 16;

interface Weight {
  rssMib: number;
  heapMib: number;
  /** How long its event loop stood still at most since it was last asked. */
  stoodStillMs: number;
}

/** The server, with what weighs it and calls it. */
async function startServer() {
  const folder = await temporaryFolder();
  const program = join(import.meta.dirname, "..", "support", "measured-server.ts");
  const args = ["--conditions=lydian-source", "--expose-gc", program, folder.path];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const next = await lines.next();
    if (next.done === true) throw new Error("the server has ended");
    return next.value;
  };
  const client = rpcClient(`127.0.0.1:${await line()}`);
  return {
    weigh: async (): Promise<Weight> => {
      child.stdin.write("\n");
      return JSON.parse(await line()) as Weight;
    },
    call: async <M extends DescMethod>(
      method: M,
      request: MessageInitShape<M["input"]>,
    ): Promise<MessageShape<M["output"]>> => {
      const headers = { ...tokenHeaders, "x-modal-client-version": "1.6.4" };
      return (await client.unary(method, request, headers)).message;
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      child.kill("SIGKILL"); // whatever it is at
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

type Server = Awaited<ReturnType<typeof startServer>>;

async function defineFunction({ call }: Server): Promise<{ appId: string; functionId: string }> {
  const { appId } = await call(rpc.appCreate, { description: "many", appState: AppState.DETACHED });
  const { imageId } = await call(rpc.imageGetOrCreate, { image: defaultImage });
  const definition = { functionName: "hello", functionType: Function_FunctionType.FUNCTION, imageId };
  const { functionId } = await call(rpc.functionCreate, { appId, function: definition });
  await call(rpc.appPublish, { appId, appState: AppState.DETACHED, functionIds: { hello: functionId } });
  return { appId, functionId };
}

/** Submits a map of so many inputs, as the Python client does: eight requests at a time; answers its id. */
async function submit({ call }: Server, functionId: string, count: number): Promise<string> {
  const { functionCallId } = await call(rpc.functionMap, {
    functionId,
    functionCallType: FunctionCallType.MAP,
    functionCallInvocationType: FunctionCallInvocationType.ASYNC,
  });
  const argsOneof = { case: "args" as const, value: new Uint8Array(200).fill(7) };
  let next = 0;
  const put = async (): Promise<void> => {
    while (next < count) {
      const first = next;
      next = Math.min(count, first + 200);
      const items = Array.from({ length: next - first }, (_, n) => ({
        idx: first + n,
        input: { argsOneof, dataFormat: DataFormat.PICKLE },
      }));
      await call(rpc.functionPutInputs, { functionCallId, inputs: items });
    }
  };
  await Promise.all(Array.from({ length: 8 }, put));
  return functionCallId;
}

const unfinished = async ({ call }: Server, functionCallId: string): Promise<number> => {
  const request = { functionCallId, lastEntryId: "0-0", timeout: 0, maxValues: 1 };
  return (await call(rpc.functionGetOutputs, request)).numUnfinishedInputs;
};

/** Its end, which nobody tells who does not ask for one output after the other. */
async function allEnded(server: Server, functionCallId: string): Promise<void> {
  while ((await unfinished(server, functionCallId)) > 0);
}

test(
  `${inputs} inputs that wait are not in memory, and ending them keeps nobody waiting`,
  { timeout: 3_600_000 },
  async (t) => {
    await using server = await startServer();
    const { appId, functionId } = await defineFunction(server);
    const first = await submit(server, functionId, warmUp);
    await server.call(rpc.functionCallCancel, { functionCallId: first });
    await allEnded(server, first);
    const idle = await server.weigh();

    const cancelled = await submit(server, functionId, inputs);
    const full = await server.weigh();
    const added = { rssMib: full.rssMib - idle.rssMib, heapMib: full.heapMib - idle.heapMib };
    t.diagnostic(`${added.rssMib.toFixed(0)} MiB more, ${added.heapMib.toFixed(1)} MiB of it in the heap`);
    assert.ok(added.rssMib < mostRssMib, `${added.rssMib} MiB more`);
    assert.ok(added.heapMib < mostHeapMib, `${added.heapMib} MiB more in the heap`);

    await server.call(rpc.functionCallCancel, { functionCallId: cancelled });
    assert.ok((await unfinished(server, cancelled)) > inputs / 2, "the answer comes before the end, and so do others'");
    if (inputs > usual) await allEnded(server, cancelled);
    await server.call(rpc.appStop, { appId });
    const { lifecycle } = await server.call(rpc.appGetLifecycle, { appId });
    assert.equal(lifecycle?.appState, inputs > usual ? AppState.STOPPED : AppState.STOPPING);
    const ending = await server.weigh();
    t.diagnostic(`stood still for ${ending.stoodStillMs.toFixed(0)} ms at most while it ended them`);
    assert.ok(ending.rssMib - idle.rssMib < mostRssMib, `${ending.rssMib - idle.rssMib} MiB more while it ends`);
  },
);
