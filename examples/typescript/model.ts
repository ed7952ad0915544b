// A model that loads once per container: lydian run examples/typescript/model.ts
import { App, enter, exit, params } from "lydian";

import type { Engine } from "./engine.ts";

const app = new App("model");

export const Model = app.cls(
  { scaledownWindow: "5m", concurrent: { maxInputs: 16 } },
  class extends params({ name: String, quant: "q4" }) {
    engine!: Engine;
    async [enter]() {
      const { load } = await import("./engine.ts"); // what is heavy is not loaded where the app is only run or deployed
      this.engine = await load(`${this.name}-${this.quant}`);
    }
    async *stream(prompt: string) {
      yield* this.engine.tokens(prompt);
    }
    async [exit]() {
      await this.engine.close();
    }
  },
);

export const main = app.localEntrypoint({ prompt: "to be or not" }, async ({ prompt }) => {
  const model = new Model({ name: "tiny" });
  for await (const token of model.stream.remote(prompt)) console.log(token);
});
