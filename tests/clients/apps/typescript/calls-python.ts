/** Calls what the Python client has deployed: apps/foreign.py. Run as a program of its own: `node calls-python.ts`. */
import assert from "node:assert/strict";

import { client, Cls, Func, kwargs, NotFoundError, RemoteError } from "lydian";

interface Echo {
  args: unknown[];
  kwargs: Record<string, unknown>;
  seen: string[];
}
const echo = Func.fromName<(...args: unknown[]) => Echo>("foreign", "echo");
const act = Func.fromName<(how: string) => unknown>("foreign", "act");
const Typed = Cls.fromName<
  { tell(more?: number): unknown[] },
  { number: number; text?: string; flag?: boolean; data?: Uint8Array }
>("foreign", "Typed");

const foreign = client<{ echo: typeof echo }>("foreign");
assert.deepEqual((await foreign.echo.remote("by the module")).args, ["by the module"]);
const { args, kwargs: named, seen } = await echo.remote(1, "two", new Set([1]), null, kwargs({ three: [3] }));
assert.deepEqual([args, named], [[1, "two", new Set([1]), null], { three: [3] }]);
assert.deepEqual(seen, ["1", "'two'", "{1}", "None"]);
assert.deepEqual(
  (await echo.map([1, 2]).toArray()).map((each) => each.args),
  [[1], [2]],
);
assert.deepEqual(await (await echo.spawn("kept")).get().then((each) => each.args), ["kept"]);
assert.deepEqual(await act.remote("large"), new Uint8Array(5 * 1024 * 1024));

const error = await act.remote("fail").catch((thrown: unknown) => thrown);
assert.ok(error instanceof RemoteError && error.matches("ValueError"));
assert.equal(error.remoteMessage, "as it was asked to");
assert.match(error.remoteStack, /raise ValueError\("as it was asked to"\)/);

assert.deepEqual(await new Typed({ number: 40, text: "x" }).tell.remote(2), [42, "x", false, new Uint8Array([0, 255])]);
await assert.rejects(
  new Typed({ number: "x" as unknown as number }).tell.remote(),
  /the parameter number of Typed is of another type/,
);
await assert.rejects(Func.fromName("foreign", "none").remote(), NotFoundError);
console.log("all of it holds");
