/** The thread that reads layers for their facts: at the lowest priority, since nobody waits for it but who checks a disk. */
import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";

import { describeFailure } from "./mount-requests.ts";
import type { FromThread, ToThread } from "./tree-reader.ts";
import { treeFacts } from "./tree-facts.ts";

if (parentPort === null) throw new Error("tree-thread.ts is started by the tree reader");
const port = parentPort;
const tell = (message: FromThread): void => port.postMessage(message);

setPriority(0, 19); // of this thread alone, as Linux takes it

port.on("message", ({ id, root }: ToThread) => {
  try {
    tell({ kind: "read", id, facts: treeFacts(root) });
  } catch (error) {
    tell({ kind: "failed", id, failure: describeFailure(error) });
  }
});
