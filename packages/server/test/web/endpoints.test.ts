/** Who has which host name: named when a function is defined, found once it is published, lost to whoever asks for it later. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FunctionSchema$, WebhookType } from "@lydian/contract";

import { deployApp, publishApp } from "../../src/apps/publish.ts";
import { stopApp } from "../../src/apps/stop.ts";
import type { App } from "../../src/domain/app.ts";
import { isFail } from "../../src/errors.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import { addressed, findEndpoint, nameEndpoints, takenAddresses } from "../../src/web/endpoints.ts";
import { testStore, type TestStore } from "../support/open-store.ts";
import { deployment, plantFunction, settings } from "../support/rows.ts";

type Written = MessageInitShape<typeof FunctionSchema$>;

const web = (changes: Written["webhookConfig"] = {}): Written => ({
  functionName: "order",
  webhookConfig: { type: WebhookType.FUNCTION, ...changes },
});

/** Defines and publishes such a function in an app of its own; answers what its client is shown. */
async function define(test: TestStore, written: Written, state: App["state"] = "deployed", own = settings) {
  return await test.does(async (tx, context) => {
    const record = await plantFunction(tx, context, { state });
    const { id, appId } = record;
    const named = await nameEndpoints(tx, create(FunctionSchema$, written), { appId, settings: own });
    const shown = addressed(named.definition, own, await takenAddresses(tx, id, named.addresses));
    await tx.functions.put({ ...record, definition: encodeDefinition(named.definition) });
    const layout = { functionIds: { order: id }, classIds: {} };
    if (state === "deployed") await deployApp(tx, deployment({ appId, layout }), context);
    else await publishApp(tx, { appId, state: "ephemeral", layout }, context);
    return { id, appId, shown };
  });
}

const find = (test: TestStore, host: string) => test.store.read((tx) => findEndpoint(tx, host));

test("a web function is found by its host name while its app lives and has it", async () => {
  await using test = await testStore();
  const { id, appId, shown } = await define(test, web());
  assert.equal(shown.webUrl, "http://home--app-order.localhost");
  assert.deepEqual(await find(test, "home--app-order"), {
    host: "home--app-order",
    functionId: id,
    method: "",
    guarded: false,
  });
  await test.does((tx, context) => {
    const layout = { functionIds: {}, classIds: {} };
    return deployApp(tx, deployment({ appId, layout }), context);
  });
  assert.equal(await find(test, "home--app-order"), undefined, "it is not in the app any more");
});

test("a web function of an app that runs has an address of its own, which ends with it", async () => {
  await using test = await testStore();
  await define(test, web());
  const { appId, shown } = await define(test, web({ ephemeralSuffix: "try" }), "ephemeral");
  assert.equal(shown.webUrl, "http://home--app-order-try.localhost");
  assert.ok(await find(test, "home--app-order-try"));
  await test.does(async (tx, context) => {
    const app = await tx.apps.get(appId);
    if (app !== undefined) await stopApp(tx, app, { reason: "enough", graceMs: 0 }, context);
  });
  assert.equal(await find(test, "home--app-order-try"), undefined);
});

test("a web function takes a label from the one that had it, and says so", async () => {
  await using test = await testStore();
  const first = await define(test, web({ requestedSuffix: "front" }));
  assert.equal(first.shown.webUrlInfo?.labelStolen, false);
  const second = await define(test, web({ requestedSuffix: "front" }), "ephemeral");
  assert.equal(second.shown.webUrlInfo?.labelStolen, false, "a run has a label of its own");
  const third = await test.does(async (tx, context) => {
    const { id, appId } = await plantFunction(tx, context, { state: "initializing" });
    const named = await nameEndpoints(tx, create(FunctionSchema$, web({ requestedSuffix: "front" })), {
      appId,
      settings,
    });
    return addressed(named.definition, settings, await takenAddresses(tx, id, named.addresses));
  });
  assert.equal(third.webUrlInfo?.labelStolen, true);
});

test("a web function of a class is a method's, guarded or not", async () => {
  await using test = await testStore();
  const { id, shown } = await define(test, {
    functionName: "Shop.*",
    methodDefinitions: {
      order: { functionName: "Shop.order", webhookConfig: { type: WebhookType.FUNCTION, requiresProxyAuth: true } },
      other: { functionName: "Shop.other" },
    },
  });
  assert.deepEqual(
    [shown.webUrl, shown.methodDefinitions["order"]?.webUrl, shown.methodDefinitions["other"]?.webUrl],
    ["", "http://home--app-shop-order.localhost", ""],
  );
  const found = await find(test, "home--app-shop-order");
  assert.deepEqual([found?.functionId, found?.method, found?.guarded], [id, "order", true]);
});

test("a web function has a domain of its own where the operator allows it", async () => {
  await using test = await testStore();
  const domain = web({ customDomains: [{ name: "Shop.Example.com" }] });
  await assert.rejects(
    define(test, domain),
    (error) => isFail(error, "invalidArgument") && /--custom-domain/.test(error.text),
  );
  const allowed = { ...settings, web: { customDomains: ["*.example.com"] } };
  const { id, shown } = await define(test, domain, "deployed", allowed);
  assert.deepEqual(
    shown.customDomainInfo.map(({ url }) => url),
    ["http://shop.example.com"],
  );
  assert.equal((await find(test, "shop.example.com"))?.functionId, id);
  const run = await define(test, domain, "ephemeral", allowed);
  assert.deepEqual(run.shown.customDomainInfo, [], "a run does not take the deployed app's");
});

test("a server has an address too, which is guarded unless it says otherwise", async () => {
  await using test = await testStore();
  const server = (unauthenticated: boolean): Written => ({
    functionName: "order",
    isServer: true,
    httpConfig: { port: 8000, unauthenticated },
  });
  const { shown } = await define(test, server(false));
  assert.deepEqual([shown.flashServiceUrls, shown.webUrl], [["http://home--app-order.localhost"], ""]);
  assert.equal((await find(test, "home--app-order"))?.guarded, true);
  await define(test, server(true), "ephemeral");
  assert.equal((await find(test, "home--app-order-dev"))?.guarded, false);
});
