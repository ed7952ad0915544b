/** Calls that answer web requests, over a death of the server: nobody waits for them any more, and they end. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { silentLogger } from "@lydian/kit";

import { claimInputs } from "../../src/calls/claim.ts";
import type { WebRequest } from "../../src/web/asgi.ts";
import { WebCalls } from "../../src/web/calls.ts";
import { testStore } from "../support/open-store.ts";
import { claimRequest, limits, plantContainer, plantFunction } from "../support/rows.ts";

it("the requests of a server that died end with the next one's start: waiting ones at once, others by their containers", async () => {
  await using test = await testStore();
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const before = new WebCalls({ ...test, limits, log: silentLogger });
  const address = { host: "home--app-hello", functionId: of.id, method: "", guarded: false };
  const request: WebRequest = {
    kind: "http",
    scheme: "http",
    httpVersion: "1.1",
    method: "GET",
    target: "/",
    headers: [],
    client: undefined,
    guarded: false,
  };
  const exchanges = [await before.begin(address, request), await before.begin(address, request)];
  const containerId = await test.does(async (tx, context) => {
    const { id } = await plantContainer(tx, of, context);
    await claimInputs(tx, claimRequest(id), context);
    return id;
  });
  const next = new WebCalls({ ...test, limits, log: silentLogger });
  await next.start();
  await test.does(async (tx) => {
    const [held] = await tx.inputs.heldBy(containerId);
    assert.deepEqual([held?.ending?.status, held?.ending?.sparesContainer], ["terminated", true]);
    assert.deepEqual(await tx.inputs.waiting(of.id, 10), []);
  });
  assert.equal(next.find(exchanges[0]?.callId ?? ""), undefined);
  for (const exchange of exchanges) before.close(exchange, "http");
});
