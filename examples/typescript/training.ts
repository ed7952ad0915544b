/** Long work that goes on where it was: its state is on a volume, and a try that fails is followed by another one. */
import { readFile, writeFile } from "node:fs/promises";

import { App, Volume } from "lydian";

const checkpoints = Volume.fromName("training-checkpoints", { createIfMissing: true });
const app = new App("training", { volumes: { "/checkpoints": checkpoints } });

interface State {
  epoch: number;
  loss: number;
}

export const train = app.function(
  // With an accelerator: { gpu: "H100:8", … }
  { timeout: "24h", retries: { maxRetries: 2, initialDelay: "1s" }, singleUseContainers: true },
  async (name: string, epochs: number) => {
    const file = `/checkpoints/${name}.json`;
    const found = await readFile(file, "utf8").catch(() => undefined); // there is none at first
    let state: State = found === undefined ? { epoch: 0, loss: 1 } : (JSON.parse(found) as State);
    const began = state.epoch;
    while (state.epoch < epochs) {
      state = { epoch: state.epoch + 1, loss: state.loss / 2 };
      await writeFile(file, JSON.stringify(state));
      await checkpoints.commit();
      if (began === 0 && state.epoch === 2) throw new Error("the machine was taken away");
    }
    return { ...state, began };
  },
);

export const main = app.localEntrypoint({ epochs: 4 }, async ({ epochs }) => {
  const { epoch, loss, began } = await train.remote(`run-${Date.now()}`, epochs);
  console.log(`epoch ${epoch}, loss ${loss}, went on from epoch ${began}`);
});
