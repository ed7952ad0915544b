/** A function whose image another function has filled. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

import { App, Image, Secret, Volume } from "lydian";

import { fetchModel } from "./fetch-model.ts";

const cache = Volume.fromName("built-models", { createIfMissing: true });
const image = Image.debianSlim().runFunction(fetchModel, {
  args: ["small", new Map([["small", 7]])],
  secrets: [Secret.fromObject({ MODEL_TOKEN: "t" })],
  volumes: { "/cache": cache },
});
const app = new App("built", { image, volumes: { "/cache": cache } });

export const look = app.function(() => ({
  model: readFileSync("/models/small", "utf8"),
  cached: readFileSync("/cache/fetched", "utf8"),
  hasToken: process.env["MODEL_TOKEN"] !== undefined,
  own: readdirSync("/root").toSorted((a, b) => a.localeCompare(b)),
}));

export const main = app.localEntrypoint(async () => {
  const { own, ...found } = await look.remote();
  assert.deepEqual(found, { model: "t 7", cached: "small", hasToken: false });
  assert.ok(!own.includes("fetch-model.ts"));
  console.log("all of it holds");
});
