/** Requests that wait in memory for a container's next poll: how they are taken, finished, stopped, and lost with it or not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create } from "@bufbuild/protobuf";
import {
  FunctionSchema$,
  GenericResultSchema,
  GenericResult_GenericStatus as Status,
  WebhookType,
} from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { Deliveries } from "../../src/calls/deliveries.ts";
import { deskBell, idleBell } from "../../src/domain/bells.ts";
import type { FunctionPolicy } from "../../src/domain/function.ts";
import type { Happening } from "../../src/domain/happening.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import type { WebRequest } from "../../src/web/asgi.ts";
import { WebCalls } from "../../src/web/calls.ts";
import { type Desk, Desks } from "../../src/web/desks.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { limits, plantContainer, plantFunction } from "../support/rows.ts";

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
const success = create(GenericResultSchema, { status: Status.SUCCESS });
const poll = { key: undefined, slots: 10 };

/** A function with containers that have asked the store, and found nothing there. */
async function scene(changes: Partial<FunctionPolicy> = {}, containers = 1) {
  const test = await testStore();
  const policy = { maxConcurrency: 4, targetConcurrency: 2, timeoutMs: 5_000, ...changes };
  const of = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context, { policy });
    const webhookConfig = { type: WebhookType.ASGI_APP };
    await tx.functions.put({ ...of, definition: encodeDefinition(create(FunctionSchema$, { webhookConfig })) });
    return of;
  });
  const web = new WebCalls({ ...test, limits, log: silentLogger });
  const deliveries = new Deliveries();
  const heard: Happening[] = [];
  const desks = new Desks({
    ...test,
    web,
    deliveries,
    times: { stopGrace: 3_000 },
    log: silentLogger,
    hear: (each) => heard.push(each),
  });
  const open = async (): Promise<Desk> => {
    const { id } = await test.does((tx, context) => plantContainer(tx, of, context));
    const desk = (await desks.of(id)) ?? assert.fail("it has no desk");
    desks.looked(desk, "nothing");
    return desk;
  };
  const all = [await open()];
  while (all.length < containers) all.push(await open());
  const begin = () => desks.begin({ host: "h", functionId: of.id, method: "", guarded: false }, request);
  const queued = () => test.store.read(async (tx) => (await tx.functions.demand(of.id))?.queued ?? 0);
  const [desk = assert.fail()] = all;
  return { ...test, heard, of, web, deliveries, desks, desk, all, begin, queued };
}

describe("a desk", () => {
  it("gives a request to the next poll, and is done with it when the container says so", async () => {
    await using it = await scene();
    const exchange = it.begin() ?? assert.fail();
    const handed = it.desks.take(it.desk, poll) ?? assert.fail();
    assert.deepEqual([handed.exchange, exchange.holder], [exchange, it.desk.containerId]);
    assert.equal(it.web.find(exchange.callId), exchange, "its container finds it");
    assert.equal(it.desks.take(it.desk, poll), undefined);
    assert.deepEqual(
      it.desks.loads().map(({ requests }) => requests),
      [1],
    );
    assert.equal(it.desks.finish(it.desk.containerId, handed.inputId, success), true);
    assert.equal(exchange.ended, "finished");
    const [told] = it.heard;
    assert.ok(told?.kind === "requestEnded" && told.callId === exchange.callId && told.status === "success");
    assert.deepEqual(
      it.desks.loads().map(({ requests }) => requests),
      [0],
    );
    assert.equal(it.desks.finish(it.desk.containerId, handed.inputId, success), false, "not twice");
    assert.equal(await it.queued(), 0);
  });

  it("takes what it is meant for and no more; then the store is asked before it opens again", async () => {
    await using it = await scene({}, 2);
    for (let i = 0; i < 4; i++) assert.ok(it.begin());
    assert.deepEqual(
      it.all.map(({ waiting }) => waiting.length),
      [2, 2],
      "one after the other",
    );
    assert.equal(it.begin(), undefined);
    for (const desk of it.all) for (let i = 0; i < 2; i++) assert.ok(it.desks.take(desk, poll));
    it.desks.finish(it.desk.containerId, [...it.desk.taken.keys()][0] ?? "", success);
    assert.equal(it.begin(), undefined, "others wait in the store");
    it.desks.looked(it.desk, "nothing");
    assert.ok(it.begin());
  });

  it("counts what its container has from the store", async () => {
    await using it = await scene({ targetConcurrency: 1 });
    it.deliveries.sent(
      { caller: { id: it.desk.containerId }, idempotencyKey: "a", signal: new AbortController().signal },
      [{ id: "in-1", shape: "web" }],
    );
    assert.equal(it.begin(), undefined);
  });
});

describe("a desk, further on,", () => {
  it("gives the same again to a poll that comes again, and to one with one slot", async () => {
    await using it = await scene();
    it.begin();
    it.begin();
    const first = it.desks.take(it.desk, { key: "k", slots: 10 });
    assert.equal(it.desks.take(it.desk, { key: "k", slots: 10 })?.inputId, first?.inputId);
    assert.notEqual(it.desks.take(it.desk, { key: "l", slots: 10 })?.inputId, first?.inputId);
    await using alone = await scene({ targetConcurrency: 1, maxConcurrency: 1 });
    alone.begin();
    const only = alone.desks.take(alone.desk, { key: "k", slots: 1 });
    assert.equal(alone.desks.take(alone.desk, { key: "l", slots: 1 })?.inputId, only?.inputId);
  });

  it("has room as if what is answered were finished, but lets nobody wait for that", async () => {
    await using it = await scene({ targetConcurrency: 1 });
    const first = it.begin() ?? assert.fail();
    assert.ok(it.desks.take(it.desk, poll));
    it.web.close(first, "http");
    assert.ok(it.begin());
    assert.equal(it.begin(), undefined);
    await it.clock.advance(1_000); // the container goes on behind its answer
    assert.equal(await it.queued(), 1);
    assert.equal(it.desk.waiting.length, 0);
  });

  it("sees after a while whether the container is to end", async () => {
    await using it = await scene();
    await it.clock.advance(200);
    it.begin();
    assert.equal(it.desks.take(it.desk, poll), undefined, "the store is asked");
    it.desks.looked(it.desk, "nothing");
    assert.ok(it.desks.take(it.desk, poll));
  });
});

describe("nobody is left behind at a desk: what waits there", () => {
  it("waits in the store when its container asks for nothing, and goes on waiting while it takes others", async () => {
    await using it = await scene();
    const [taken, waits] = [it.begin() ?? assert.fail(), it.begin() ?? assert.fail()];
    assert.ok(it.desks.take(it.desk, poll));
    await it.clock.advance(200);
    assert.deepEqual([await it.queued(), it.desk.waiting.length], [0, 1]);
    await it.clock.advance(200);
    assert.deepEqual([await it.queued(), it.desk.waiting.length], [1, 0]);
    assert.deepEqual([waits.isCall, taken.isCall, it.begin()], [true, false, undefined]);
    it.web.close(waits, "http");
  });

  it("does not wait for what its container has taken from the store meanwhile", async () => {
    await using it = await scene({ targetConcurrency: 1 }, 2);
    const [behind, other] = [it.begin() ?? assert.fail(), it.begin() ?? assert.fail()];
    it.desks.looked(it.desk, "inputs");
    await it.clock.settle();
    assert.deepEqual([behind.isCall, await it.queued(), it.desk.waiting.length], [true, 1, 0]);
    assert.equal(it.all[1]?.waiting[0]?.exchange, other);
    it.web.close(behind, "http");
    await using roomy = await scene({ targetConcurrency: 2 });
    roomy.begin();
    roomy.desks.looked(roomy.desk, "inputs");
    assert.equal(roomy.desk.waiting.length, 1, "there is room for both");
  });

  it("wakes a poll that came before the one that hung up was seen to be gone", async () => {
    await using it = await scene();
    it.begin();
    const handed = it.desks.take(it.desk, poll) ?? assert.fail();
    const rings = countRings(it.bells, deskBell(it.desk.containerId));
    it.desks.putBack(it.desk, handed);
    await it.clock.settle();
    assert.equal(rings.count, 1);
    await rings.stop();
  });

  it("lets others have the container's room once nothing does", async () => {
    await using it = await scene();
    const [, waits] = [it.begin(), it.begin() ?? assert.fail()];
    const handed = it.desks.take(it.desk, poll) ?? assert.fail();
    const rings = countRings(it.bells, idleBell);
    it.desks.finish(it.desk.containerId, handed.inputId, success);
    await it.clock.settle();
    assert.equal(rings.count, 0);
    await it.web.abandon(waits, "http");
    await it.clock.settle();
    assert.equal(rings.count, 1);
    await rings.stop();
  });
});

describe("what a desk has, when the container", () => {
  it("is told to end, goes elsewhere unless it was taken", async () => {
    await using it = await scene({}, 2);
    const [taken, waits] = [it.begin() ?? assert.fail(), it.begin() ?? assert.fail()];
    assert.ok(it.desks.take(it.desk, poll));
    it.desks.looked(it.desk, "end");
    assert.equal(it.all[1]?.waiting[0]?.exchange, waits);
    it.desks.looked(it.all[1] ?? assert.fail(), "end");
    await it.clock.settle();
    assert.equal(await it.queued(), 1);
    assert.deepEqual([taken.ended, waits.ended, it.begin()], [undefined, undefined, undefined]);
    await it.web.abandon(waits, "http");
    assert.equal(await it.queued(), 0, "it is a call now");
  });

  it("is gone, is lost if it was taken", async () => {
    await using it = await scene();
    const [taken, waits] = [it.begin() ?? assert.fail(), it.begin() ?? assert.fail()];
    assert.ok(it.desks.take(it.desk, poll));
    it.desks.cut(it.desk.containerId);
    await it.clock.settle();
    assert.deepEqual([taken.ended, waits.ended, await it.queued()], ["lost", undefined, 1]);
    it.web.close(waits, "http");
  });

  it("hung up before it heard, waits for its next poll", async () => {
    await using it = await scene();
    it.begin();
    it.desks.putBack(it.desk, it.desks.take(it.desk, poll) ?? assert.fail());
    assert.ok(it.desks.take(it.desk, poll));
  });

  it("takes too long, ends with its time, and with the container if that does not hear", async () => {
    await using it = await scene();
    const exchange = it.begin() ?? assert.fail();
    const handed = it.desks.take(it.desk, poll) ?? assert.fail();
    await it.clock.advance(5_000);
    assert.equal(exchange.ended, "timeout");
    assert.deepEqual(it.desks.toStop(it.desk.containerId), [handed.inputId]);
    assert.deepEqual(it.desks.toStop(it.desk.containerId), [], "once");
    await it.clock.advance(3_000);
    assert.equal((await it.store.read((tx) => tx.containers.get(it.desk.containerId)))?.state, "draining");
    it.web.close(exchange, "http");
  });

  it("has a caller who hangs up, is asked to stop it, and nothing more", async () => {
    await using it = await scene();
    const [taken, waits] = [it.begin() ?? assert.fail(), it.begin() ?? assert.fail()];
    const handed = it.desks.take(it.desk, poll);
    await it.web.abandon(taken, "http");
    await it.web.abandon(waits, "http");
    assert.deepEqual(it.desks.toStop(it.desk.containerId), [handed?.inputId]);
    assert.equal(it.desk.waiting.length, 0);
    await it.clock.advance(60_000);
    assert.equal((await it.store.read((tx) => tx.containers.get(it.desk.containerId)))?.state, "ready");
  });
});
