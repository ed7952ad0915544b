// A model that loads once per container; its engine stands for one that needs a GPU: lydian run examples/typescript/llm.ts
import { App, enter, exit, params, Volume } from "lydian";

import type { Engine } from "./engine.ts";

const app = new App("llm", { volumes: { "/weights": Volume.fromName("weights", { createIfMissing: true }) } });

export const Model = app.cls(
  {
    scaledownWindow: "5m",
    concurrent: { maxInputs: 16 },
    methods: { embed: { batched: { maxBatchSize: 64, waitMs: 20 } } },
  },
  class extends params({ name: String, quant: "q4" }) {
    engine!: Engine;
    async [enter]() {
      const { load } = await import("./engine.ts"); // heavy, Linux only: not loaded at deploy
      this.engine = await load(`/weights/${this.name}-${this.quant}`);
    }
    async *stream(prompt: string) {
      yield* this.engine.tokens(prompt);
    }
    async embed(texts: string[]) {
      return texts.map((text) => Float32Array.of(text.length, text.split(" ").length)); // callers pass one string
    }
    async [exit]() {
      await this.engine.close();
    }
  },
);

export const main = app.localEntrypoint({ prompt: "to be or not" }, async ({ prompt }) => {
  const model = new Model({ name: "tiny" });
  const vectors = await model.embed.map([prompt, "to be"]).toArray();
  console.log(vectors.map((vector) => [...vector].join("/")).join(" "));
  for await (const token of model.stream.remote(prompt)) console.log(token);
});
