/** The thread that reads what uppers have changed: a walk of many files makes nobody else wait. */
import { parentPort } from "node:worker_threads";

import { describeFailure } from "../layers/mount-requests.ts";
import { differenceOf } from "./difference.ts";
import type { FromThread, ToThread } from "./upper-reader.ts";

if (parentPort === null) throw new Error("upper-thread.ts is started by the upper reader");
const port = parentPort;
const tell = (message: FromThread): void => port.postMessage(message);

port.on("message", (message: ToThread) => {
  if (message.kind === "end") return port.close();
  const { id, upper, layers } = message;
  try {
    tell({ kind: "read", id, difference: differenceOf(upper, layers) });
  } catch (error) {
    tell({ kind: "failed", id, failure: describeFailure(error) });
  }
});
