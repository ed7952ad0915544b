/**
 * Web functions without containers: the real ingress on a port, the real store and calls, and an application in this process
 * that claims requests and answers them as a client's container does.
 */
import assert from "node:assert/strict";

import { fromBinary } from "@bufbuild/protobuf";
import { DataFormat, FunctionInputSchema } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { type ServerConfigInput, serverConfigSchema } from "../../src/config.ts";
import { inputsBell } from "../../src/domain/bells.ts";
import type { Chunk } from "../../src/domain/chunk.ts";
import type { Context } from "../../src/domain/context.ts";
import type { FunctionPolicy, FunctionRecord } from "../../src/domain/function.ts";
import type { Happening } from "../../src/domain/happening.ts";
import { WebFunctions } from "../../src/ingress/web-functions.ts";
import { type AsgiMessage, decodeMessage, encodeMessage } from "../../src/web/asgi.ts";
import { Addresses } from "../../src/web/addresses.ts";
import { WebCalls } from "../../src/web/calls.ts";
import type { Exchange } from "../../src/web/exchange.ts";
import { rawConnection, readAll, type Rig, startRig } from "../ingress/rig.ts";
import { type Decoded, decodeCbor } from "./decode-cbor.ts";
import { type TestStore, testStore } from "./open-store.ts";
import { claimRequest, completion, plantContainer, plantFunction } from "./rows.ts";

export type Said = Parameters<typeof encodeMessage>[0];

/** What an application is called with. */
export interface Asked {
  scope: Readonly<Record<string, Decoded>>;
  inputId: string;
  exchange: Exchange;
  /** The caller's next word. */
  receive: () => Promise<AsgiMessage>;
  /** Resolves as a container's request does: when there is room for more. */
  send: (...messages: Said[]) => Promise<void>;
}

/** Answers a request; when it returns, its call has succeeded. */
export type Application = (asked: Asked) => Promise<void>;

export interface WebScene extends TestStore {
  rig: Rig;
  web: WebCalls;
  of: FunctionRecord;
  containerId: string;
  /** Where requests go that name no host of their own. */
  host: string;
  /** What the application was asked, in order. */
  asked: Asked[];
  /** What was told beside the store. */
  heard: readonly Happening[];
  /** Says these bytes on a connection of its own, and answers all that comes until it closes. */
  raw: (text: string) => Promise<string>;
}

export interface WebSceneOptions {
  settings?: Partial<Pick<ServerConfigInput, "limits" | "times" | "web">>;
  guarded?: boolean;
  isFull?: boolean;
  policy?: Partial<FunctionPolicy>;
  headersTimeoutMs?: number;
}

export const body = (text: string, moreBody = false): Said => ({
  case: "httpResponseBody",
  value: { body: Buffer.from(text), moreBody },
});

export const start = (status: number, headers: readonly string[] = []): Said => ({
  case: "httpResponseStart",
  value: { status, headers: headers.map((text) => Buffer.from(text, "latin1")) },
});

/** `ok` to everybody. */
export const answersOk: Application = ({ send }) => send(start(200), body("ok"));

export async function webScene(application: Application, options: WebSceneOptions = {}): Promise<WebScene> {
  const test = await testStore();
  const host = "home--app-hello.localhost";
  const { of, containerId } = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context, options.policy === undefined ? {} : { policy: options.policy });
    const app = await tx.apps.get(of.appId);
    if (app === undefined) throw new Error("no app");
    await tx.apps.update({ ...app, layout: { functionIds: { hello: of.id }, classIds: {} } });
    const guarded = options.guarded ?? false;
    await tx.webAddresses.put({ host: "home--app-hello", functionId: of.id, method: "", guarded });
    return { of, containerId: (await plantContainer(tx, of, context)).id };
  });
  const config = serverConfigSchema.parse({
    data: test.folder,
    publicUrl: "http://127.0.0.1",
    workspace: "home",
    ownerToken: { id: "ak-owner", secretSha256: "0".repeat(64) },
    workerSecret: "w".repeat(40),
    ...options.settings,
  });
  const { store, clock } = test;
  const web = new WebCalls({ ...test, limits: config.limits, log: silentLogger });
  const addresses = new Addresses({ ...test, log: silentLogger });
  addresses.start();
  const heard: Happening[] = [];
  const functions = new WebFunctions({
    web,
    addresses,
    desks: { begin: () => undefined },
    straight: { begin: () => undefined, isFull: () => options.isFull ?? false },
    tunnels: { find: () => undefined, begin: () => assert.fail("there is no tunnel") },
    store,
    clock,
    config,
    log: silentLogger,
    hear: (happening) => void heard.push(happening),
  });
  const { headersTimeoutMs } = options;
  const rig = await startRig({ web: { functions, ...(headersTimeoutMs !== undefined && { headersTimeoutMs }) } });
  const asked: Asked[] = [];
  const over = new AbortController();
  const container = contain(test, { web, of, containerId, application, asked, signal: over.signal });
  return {
    ...test,
    heard,
    ...{ rig, web, of, containerId, host, asked },
    raw: async (text) => await readAll(await rawConnection(rig.port.number, Buffer.from(text, "latin1"))),
    async [Symbol.asyncDispose]() {
      over.abort();
      await container;
      await addresses.close();
      await rig[Symbol.asyncDispose]();
      await test[Symbol.asyncDispose]();
    },
  };
}

interface Contained {
  web: WebCalls;
  of: FunctionRecord;
  containerId: string;
  application: Application;
  asked: Asked[];
  signal: AbortSignal;
}

/** Claims requests as they come, and runs the application for each. */
async function contain(
  test: TestStore,
  { web, of, containerId, application, asked, signal }: Contained,
): Promise<void> {
  const { store, bells, clock, newId } = test;
  const context = (): Context => ({ now: clock.now(), newId });
  const received = new Set<string>();
  const claim = () => store.note((tx) => claimInputs(tx, claimRequest(containerId, { received }), context()));
  const look = async () => {
    const claimed = await claim();
    return claimed.kind === "inputs" ? claimed.inputs : undefined;
  };
  while (!signal.aborted) {
    const options = { clock, waitMs: Number.MAX_SAFE_INTEGER, signal };
    const inputs = await bells.until([inputsBell(of.id)], look, options).catch(() => undefined);
    for (const { id: inputId, callId, payload, attempt } of inputs ?? []) {
      received.add(inputId);
      const exchange = web.find(callId);
      if (exchange === undefined) continue;
      const { argsOneof } = fromBinary(FunctionInputSchema, payload);
      const [[scope]] = decodeCbor(argsOneof.value as Uint8Array) as [[Record<string, Decoded>]];
      const one = { scope, inputId, exchange, ...channels(exchange, signal) };
      asked.push(one);
      void application(one).then(
        () => store.write((tx) => completeInputs(tx, containerId, [completion(inputId, { attempt })], context())),
        () => {}, // it says by itself how it ends
      );
    }
  }
}

function channels(exchange: Exchange, signal: AbortSignal): Pick<Asked, "receive" | "send"> {
  const words = exchange.listen(0, signal);
  let index = 0;
  return {
    receive: async () => {
      const next = await words.next();
      if (next.done === true) throw new Error("the test is over");
      return decodeMessage(next.value.data);
    },
    send: async (...messages) => {
      const chunks = messages.map((message): Chunk => {
        return { index: ++index, dataFormat: DataFormat.ASGI, data: encodeMessage(message) };
      });
      await exchange.hear(chunks, () => {
        throw new Error("there are no blobs here");
      });
    },
  };
}
