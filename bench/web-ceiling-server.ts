/**
 * What a container of the stock client does at best with web requests: stands for the platform towards one container, with nothing
 * behind it. Requests are made up, and answers are thrown away as they come. Runs inside the container's network, where the
 * container reaches it directly (bench/web-ceiling.ts starts both).
 *
 * Arguments: its port, and as JSON how many requests are under way at a time, for how long, and how large bodies are.
 */
import { createServer } from "node:net";

import { DataFormat, FunctionCallInvocationType, ModalClient } from "@lydian/contract";
import { silentLogger, sleep, systemClock } from "@lydian/kit";
import { type Rpcs, bind, container, createRpcServer } from "@lydian/server/src/rpc/adapter";
import { decodeMessage, encodeMessage, inputOf } from "@lydian/server/src/web/asgi";

import { percentile } from "./measure.ts";

export interface CeilingPlan {
  seconds: number;
  connections: number[];
  mebibytes: number;
}

export interface Ceiling {
  requests: { connections: number; perSecond: number; p50: number; p99: number }[];
  /** MiB/s */
  up: number;
  down: number;
}

interface Asked {
  id: string;
  method: string;
  target: string;
  /** Sent in pieces of one mebibyte. */
  mebibytes: number;
  beganAt: number;
  answered: PromiseWithResolvers<void>;
}

const port = Number(process.argv[2]);
const plan = JSON.parse(process.argv[3] ?? "") as CeilingPlan;
const piece = new Uint8Array(1024 * 1024);
const waiting: Asked[] = [];
const asked = new Map<string, Asked>();
let woken = Promise.withResolvers<void>();
let lastId = 0;

async function ask(method: string, target: string, mebibytes = 0): Promise<number> {
  const id = `fc-${++lastId}`;
  const request = {
    id,
    method,
    target,
    mebibytes,
    beganAt: performance.now(),
    answered: Promise.withResolvers<void>(),
  };
  asked.set(id, request);
  waiting.push(request);
  woken.resolve();
  await request.answered.promise;
  return performance.now() - request.beganAt;
}

const say = (index: number, body: Uint8Array, moreBody: boolean) => ({
  index: BigInt(index),
  dataFormat: DataFormat.ASGI,
  dataOneof: { case: "data" as const, value: encodeMessage({ case: "httpRequest", value: { body, moreBody } }) },
});

const rpcs: Rpcs<typeof ModalClient> = {
  containerHello: container(() => Promise.resolve({})),
  containerHeartbeat: container(async (_request, { signal }) => {
    await sleep(systemClock, 14_000, signal);
    return {};
  }),
  functionGetDynamicConcurrency: container(({ maxConcurrency }) => Promise.resolve({ concurrency: maxConcurrency })),
  functionGetInputs: container(async () => {
    for (;;) {
      const next = waiting.shift();
      if (next === undefined) {
        woken = Promise.withResolvers();
        await woken.promise;
        continue;
      }
      const { id, method, target } = next;
      const headers = [["host", "bench"]] as const;
      const client = { host: "127.0.0.1", port: 1 };
      const scope = { kind: "http", scheme: "http", httpVersion: "1.1", method, target, headers, client } as const;
      return {
        inputs: [
          {
            inputId: id.replace("fc", "in"),
            input: inputOf({ ...scope, guarded: false }, ""),
            functionCallId: id,
            functionCallInvocationType: FunctionCallInvocationType.SYNC,
          },
        ],
      };
    }
  }),
  functionCallGetDataIn: container(async function* ({ callInfo }, { signal }) {
    const request = asked.get(String(callInfo.value));
    if (request === undefined) return await sleep(systemClock, 50_000, signal);
    for (let i = 1; i <= request.mebibytes; i++) yield say(i, piece, true);
    yield say(request.mebibytes + 1, new Uint8Array(), false);
    await sleep(systemClock, 50_000, signal);
  }),
  functionCallPutDataOut: container(({ callInfo, dataChunks }) => {
    const id = String(callInfo.value);
    for (const { dataOneof } of dataChunks) {
      const message = decodeMessage(dataOneof.value as Uint8Array);
      if (message.case !== "httpResponseBody" || message.value.moreBody) continue;
      asked.get(id)?.answered.resolve();
      asked.delete(id);
    }
    return Promise.resolve({});
  }),
  functionPutOutputs: container(() => Promise.resolve({})),
  taskResult: container(({ result }) => {
    throw new Error(`the container cannot start: ${result?.exception}`);
  }),
};

async function requests(connections: number, seconds: number): Promise<Ceiling["requests"][number]> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < until) times.push(await ask("GET", "/"));
  };
  await Promise.all(Array.from({ length: connections }, one));
  return {
    connections,
    perSecond: times.length / seconds,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
}

const rpc = createRpcServer({
  rpcs: bind(ModalClient, rpcs),
  authenticate: () => false,
  openTask: () => undefined,
  logger: silentLogger,
});
const listener = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {}); // the container's end
  rpc.take(socket, { kind: "container", id: "ta-ceiling" });
});
listener.listen(port, "127.0.0.1");
await ask("GET", "/"); // the container is there
await requests(10, 1);
const ceiling: Ceiling = { requests: [], up: 0, down: 0 };
for (const connections of plan.connections) ceiling.requests.push(await requests(connections, plan.seconds));
const { mebibytes } = plan;
ceiling.up = (1000 * mebibytes) / (await ask("POST", "/size", mebibytes));
ceiling.down = (1000 * mebibytes) / (await ask("GET", `/zeros?mebibytes=${mebibytes}`));
console.log(JSON.stringify(ceiling));
process.exit(0);
