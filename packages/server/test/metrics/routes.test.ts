/** Who reads the metrics, and who only whether the platform works. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";

import { createWeb } from "../../src/ingress/http.ts";
import { metricsRoutes } from "../../src/metrics/routes.ts";

async function site({ isAtDoor = false, metricsToken = "m".repeat(20), hindrance = "" } = {}) {
  const routes = metricsRoutes({
    families: async () => [{ name: "up", help: "", type: "gauge", samples: [{ value: 1 }] }],
    hindrance: async () => hindrance || undefined,
    metricsToken: metricsToken || undefined,
    authenticate: async (id, secret) => id === "ak-1" && secret === "as-1",
    isAtDoor: () => isAtDoor,
  });
  const web = await createWeb({ logger: silentLogger, routes: [routes] });
  const get = async (url: string, authorization?: string) => {
    const { statusCode, body } = await web.app.inject({
      url,
      headers: authorization === undefined ? {} : { authorization },
    });
    return [statusCode, body.split("\n")[0]];
  };
  return { get, [Symbol.asyncDispose]: () => web.close() };
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test("metrics are for whoever has a token of the platform, or the one that opens them alone", async () => {
  await using it = await site();
  assert.deepEqual(await it.get("/metrics", basic("ak-1:as-1")), [200, "# HELP up "]);
  assert.deepEqual(await it.get("/metrics", `Bearer ${"m".repeat(20)}`), [200, "# HELP up "]);
  const refused = [undefined, basic("ak-1:as-2"), basic("ak-1"), `Bearer ${"m".repeat(19)}`, "Bearer", "Digest x"];
  for (const given of refused) assert.equal((await it.get("/metrics", given))[0], 401, String(given));
});

test("without a token for metrics nobody's is right", async () => {
  await using it = await site({ metricsToken: "" });
  for (const given of ["Bearer undefined", "Bearer ", `Bearer ${"m".repeat(20)}`]) {
    assert.equal((await it.get("/metrics", given))[0], 401, given);
  }
});

test("whether it lives and whether it works is told without a token", async () => {
  await using well = await site();
  assert.deepEqual(await well.get("/healthz"), [200, "ok"]);
  assert.deepEqual(await well.get("/readyz"), [200, "ready"]);
  await using hindered = await site({ hindrance: "No worker is connected." });
  assert.deepEqual(await hindered.get("/healthz"), [200, "ok"]);
  assert.deepEqual(await hindered.get("/readyz"), [503, "No worker is connected."]);
});

test("at a container's door none of it is there", async () => {
  await using it = await site({ isAtDoor: true });
  for (const path of ["/metrics", "/healthz", "/readyz"]) {
    assert.equal((await it.get(path, basic("ak-1:as-1")))[0], 404, path);
  }
});
