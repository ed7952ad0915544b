/** The thread that reads layers for their facts: at the lowest priority, since nobody waits for it but who checks a disk. */
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";

import { describeFailure } from "./mount-requests.ts";
import { treeFacts } from "./tree-facts.ts";
import type { FromThread, ThreadOptions, ToThread } from "./tree-reader.ts";

if (parentPort === null) throw new Error("tree-thread.ts is started by the tree reader");
const port = parentPort;
const { isClosed } = workerData as ThreadOptions;
const tell = (message: FromThread): void => port.postMessage(message);

setPriority(0, 19); // of this thread alone, as Linux takes it

function goOn(): void {
  if (Atomics.load(isClosed, 0) === 1) throw new Error("the reader was closed");
}

port.on("message", (message: ToThread) => {
  if (message.kind === "end") return port.close();
  try {
    tell({ kind: "read", id: message.id, facts: treeFacts(message.root, goOn) });
  } catch (error) {
    tell({ kind: "failed", id: message.id, failure: describeFailure(error) });
  }
});
