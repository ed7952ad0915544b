/** An app that its own module runs, without a command and without a function around it. */
import assert from "node:assert/strict";

import { App, RemoteError } from "lydian";

const app = new App("top-level");

export const square = app.function((n: number) => n * n);
export const refuse = app.function(async (n: number) => {
  try {
    deep();
  } catch (cause) {
    throw new RangeError(`no ${n}`, { cause });
  }
});

function deep(): never {
  throw new TypeError("deep");
}

if (import.meta.main) {
  await using _ = await app.run();
  assert.equal(await square.remote(3), 9);
  await assert.rejects(refuse.remote(4), (error: RemoteError) => error.matches("RangeError"));
  console.log("all of it holds");
}
