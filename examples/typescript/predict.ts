/** A model behind HTTP: requests come one by one, and the model takes several at a time. */
import { App, enter } from "lydian";

const app = new App("predict");

export const Model = app.cls(
  { scaledownWindow: "5m", methods: { predict: { batched: { maxBatchSize: 16, waitMs: 10 } } } },
  class {
    #weights = new Map<string, number>();
    async [enter]() {
      this.#weights = new Map([...["good", "great"].map((word) => [word, 1] as const), ["bad", -1]]);
    }
    async predict(texts: string[]) {
      return texts.map((text) => text.split(" ").reduce((sum, word) => sum + (this.#weights.get(word) ?? 0), 0));
    }
  },
);

const limit = 5;
const windowMs = 60_000;
const recent = new Map<string, number[]>();

/** This container's own count; several containers would share one by a Dict. */
function isTooMuch(who: string, now = Date.now()): boolean {
  const kept = (recent.get(who) ?? []).filter((at) => now - at < windowMs);
  recent.set(who, [...kept, now]);
  return kept.length >= limit;
}

export const api = app.webEndpoint({ label: "predict", maxContainers: 1 }, async (request) => {
  if (request.method !== "POST") return new Response("POST { text }", { status: 405 });
  if (isTooMuch(request.headers.get("x-client") ?? "anybody")) return new Response("too much", { status: 429 });
  const { text } = (await request.json()) as { text: string };
  return Response.json({ text, score: await new Model().predict.remote(text) });
});
