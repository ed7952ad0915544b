/** The thread's side of thread-reader.ts. */
import { parentPort, workerData } from "node:worker_threads";

import { describeFailure } from "./mount-requests.ts";
import type { FromThread, ThreadOptions, ToThread } from "./thread-reader.ts";

/** Reads what the thread's owner asks for, until that ends it; `goOn` throws when nobody waits any more. */
export function readFor(read: (asked: never, goOn: () => void) => unknown): void {
  if (parentPort === null) throw new Error("this is the code of a thread, which a ThreadReader starts");
  const port = parentPort;
  const { isClosed } = workerData as ThreadOptions;
  const tell = (message: FromThread<unknown>): void => port.postMessage(message);
  const goOn = (): void => {
    if (Atomics.load(isClosed, 0) === 1) throw new Error("the reader was closed");
  };
  port.on("message", (message: ToThread<never>) => {
    if (message.kind === "end") return port.close();
    const { id, asked } = message;
    try {
      tell({ kind: "read", id, found: read(asked, goOn) });
    } catch (error) {
      tell({ kind: "failed", id, failure: describeFailure(error) });
    }
  });
}
