/** Requests for a server of a user's own: claimed and carried in its container's name, or begun there at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { it } from "node:test";

import { create } from "@bufbuild/protobuf";
import { FunctionSchema$, WebhookType } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";
import { until } from "@lydian/testkit";

import { claimInputs } from "../../src/calls/claim.ts";
import { transition } from "../../src/calls/transition.ts";
import { Deliveries } from "../../src/calls/deliveries.ts";
import { idleBell } from "../../src/domain/bells.ts";
import { fail } from "../../src/errors.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import { encodeMessage, type WebRequest } from "../../src/web/asgi.ts";
import { WebCalls } from "../../src/web/calls.ts";
import type { Exchange } from "../../src/web/exchange.ts";
import { type Straight, StraightCalls } from "../../src/web/straight.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { claimRequest, limits, plantContainer, plantFunction } from "../support/rows.ts";

const request: WebRequest = {
  kind: "http",
  scheme: "http",
  httpVersion: "1.1",
  method: "GET",
  target: "/",
  headers: [["Host", "home--app-hello"]],
  client: undefined,
  guarded: false,
};

/** A container with a server that keeps what it is asked; `answer` answers the oldest. */
async function scene({ of: kind = "web_server", maxContainers = 10 } = {}) {
  const test = await testStore();
  const asked: ServerResponse[] = [];
  const server = createServer((_request, response) => void asked.push(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { of, containerId } = await test.does(async (tx, context) => {
    const policy = { maxConcurrency: 2, targetConcurrency: 2, timeoutMs: 5_000, maxContainers };
    const of = await plantFunction(tx, context, { policy });
    const asked =
      kind === "web_server"
        ? { webhookConfig: { type: WebhookType.WEB_SERVER, webServerPort: 8000 } }
        : { isServer: true, httpConfig: { port: 8000 } };
    await tx.functions.put({ ...of, definition: encodeDefinition(create(FunctionSchema$, asked)) });
    return { of, containerId: (await plantContainer(tx, of, context)).id };
  });
  const web = new WebCalls({ ...test, limits, log: silentLogger });
  let isListening = true;
  const dials = {
    open: async () => {
      if (!isListening) throw fail("unavailable", "nobody listens");
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
  };
  const parts = { hasOwnNetwork: () => true, timeouts: { finished: () => {} }, deliveries: new Deliveries() };
  const calls = new StraightCalls({ ...test, ...parts, web, dials, log: silentLogger, hear: () => {} });
  const straight = (await calls.of(containerId)) ?? assert.fail("it is not carried");
  const comes = (count: number): Promise<void> =>
    until(
      5_000,
      () => asked.length === count,
      () => `${asked.length} are asked`,
    ).then(() => {});
  return {
    ...{ ...test, of, containerId, web, calls, straight, asked, comes },
    answer: () => void asked.shift()?.end("ok"),
    leave: () => (isListening = false),
    async [Symbol.asyncDispose]() {
      calls.cut(containerId);
      server.closeAllConnections();
      server.close();
      await test[Symbol.asyncDispose]();
    },
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** A request that waits in the queue, and is claimed by the container. */
async function called(it: Scene): Promise<Exchange> {
  const exchange = await it.web.begin({ host: "h", functionId: it.of.id, method: "", guarded: false }, request);
  sayAll(exchange);
  const claim = await it.does((tx, context) => claimInputs(tx, claimRequest(it.containerId), context));
  assert.ok(claim.kind === "inputs");
  for (const input of claim.inputs) it.calls.carry(it.straight, input);
  return exchange;
}

const sayAll = (exchange: Exchange | undefined): void =>
  void exchange?.say(encodeMessage({ case: "httpRequest", value: { body: new Uint8Array(), moreBody: false } }));

/** One that begins at once, if it can. */
function begun(it: Scene): Exchange | undefined {
  const exchange = it.calls.begin(it.of.id, request);
  sayAll(exchange);
  return exchange;
}

async function ended(it: Scene, exchange: Exchange | undefined): Promise<unknown> {
  await until(
    5_000,
    () => exchange?.ended !== undefined,
    () => "it goes on",
  );
  if (exchange !== undefined) it.web.close(exchange, "http");
  return exchange?.ended;
}

const held = (it: Scene): Promise<number | undefined> =>
  it.store.read(async (tx) => (await tx.containers.get(it.containerId))?.held);

const isIdle = ({ carried }: Straight): boolean => carried.size === 0;

it("what waits is a call; when one was answered, others begin at once as long as there is room", async () => {
  await using it = await scene();
  assert.equal(begun(it), undefined);
  const first = await called(it);
  assert.equal(await held(it), 1);
  await it.comes(1);
  it.answer();
  assert.equal(await ended(it, first), "finished");
  await it.calls.idle(it.straight, new AbortController().signal);
  assert.ok(isIdle(it.straight));
  assert.equal(await held(it), 0);
  const both = [begun(it), begun(it)];
  assert.equal(begun(it), undefined, "there is no room");
  await it.comes(2);
  assert.equal(await held(it), 0);
  assert.deepEqual(
    it.calls.loads().map(({ containerId, requests }) => [containerId, requests]),
    [[it.containerId, 2]],
  );
  const rings = countRings(it.bells, idleBell);
  it.answer();
  it.answer();
  for (const each of both) assert.equal(await ended(it, each), "finished");
  await it.clock.settle();
  assert.equal(rings.count, 1, "others may have its room");
  await rings.stop();
  assert.equal(it.calls.loads()[0]?.requests, 0);
});

it("one that takes too long is over, a container that ends takes no more, and one without its server is told to end", async () => {
  await using it = await scene();
  const first = await called(it);
  await it.comes(1);
  it.answer();
  await ended(it, first);
  await it.calls.idle(it.straight, new AbortController().signal);
  const late = begun(it);
  await it.comes(1);
  await it.clock.advance(5_000);
  assert.equal(await ended(it, late), "timeout");
  it.leave();
  const lost = begun(it);
  assert.equal(await ended(it, lost), "unreachable");
  await until(
    5_000,
    async () => (await it.store.read((tx) => tx.containers.get(it.containerId)))?.state === "draining",
    () => "it is not told",
  );
  assert.equal(begun(it), undefined);
});

it("one that is to be stopped ends as its output says", async () => {
  await using it = await scene();
  const exchange = await called(it);
  await it.comes(1);
  const stopped = await it.does(async (tx, context) => {
    const [input] = await tx.inputs.heldBy(it.containerId);
    const failure = { status: "timeout", message: "It ran too long." } as const;
    return input && (await transition(tx, input, { kind: "stop", failure }, context));
  });
  it.calls.stop(it.containerId, [stopped?.id ?? ""]);
  assert.equal(await ended(it, exchange), "timeout");
  assert.equal(await held(it), 0);
});

it("refuses what a server of the newest client has no room for, once no other container may come", async () => {
  for (const [of, maxContainers, isFull] of [
    ["app.server", 1, true],
    ["app.server", 2, false],
    ["web_server", 1, false],
  ] as const) {
    await using it = await scene({ of, maxContainers });
    const cold = await called(it);
    await it.comes(1);
    it.answer();
    await ended(it, cold);
    const first = begun(it);
    assert.equal(it.calls.isFull(it.of.id), false, "it has room for one more");
    const second = begun(it);
    assert.equal(it.calls.isFull(it.of.id), isFull, `${of} of ${maxContainers}`);
    it.calls.retire(it.straight);
    assert.equal(it.calls.isFull(it.of.id), false, "it makes way for another one");
    await it.comes(2);
    it.answer();
    it.answer();
    await Promise.all([ended(it, first), ended(it, second)]);
  }
});
