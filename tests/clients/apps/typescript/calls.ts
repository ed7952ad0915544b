/** Every way to call a function, with all that can come of it. Each check throws; the last line says that all held. */
import assert from "node:assert/strict";

import {
  App,
  Client,
  currentInputId,
  currentSignal,
  FunctionCall,
  FunctionTimeoutError,
  isLocal,
  RemoteError,
  Secret,
} from "lydian";

// @ts-expect-error -- as bundlers resolve it
import { Shade, shadeOf } from "./shade";

const app = new App("typescript-calls", { secrets: [Secret.fromObject({ WORD: "shared" })] });

class NoUser extends RangeError {
  override readonly name = "NoUser";
  readonly id: number;
  constructor(id: number) {
    super(`no user ${id}`, { cause: new Error("the table is empty") });
    this.id = id;
  }
}

export const echo = app.function(
  { concurrent: { maxInputs: 20 }, env: { OWN: "mine" } },
  async (...values: unknown[]) => values,
);

/** Several in one container: each function that is called costs the start of one. */
export const act = app.function(
  { concurrent: { maxInputs: 20 }, env: { OWN: "mine" } },
  async (how: string, n = 0): Promise<unknown> => {
    switch (how) {
      case "where":
        return {
          local: isLocal(),
          input: currentInputId(),
          words: [process.env["WORD"], process.env["OWN"]],
          shade: Shade[shadeOf("dark")],
          readAt: new URL("./shade.ts", import.meta.url).pathname,
        };
      case "fail":
        throw new NoUser(n);
      case "misuse":
        return new Client({ serverUrl: "nowhere", tokenId: "a", tokenSecret: "b" }).serverUrl;
      case "beside":
        void Promise.reject(new Error("nobody waits for this"));
        return await stopped();
      case "wait":
        return await stopped();
      default:
        return (await halve.remote(n)) + 1;
    }
  },
);
export const items = app.function(async function* (to: number) {
  try {
    for (let at = 0; at < to; at++) yield at;
  } finally {
    console.log("the generator was left");
  }
});
export const halve = app.function(async (n: number) => {
  if (n % 2 !== 0) throw new TypeError(`${n} is odd`);
  return n / 2;
});
export const together = app.function({ batched: { maxBatchSize: 4, waitMs: 2_000 } }, async (names: string[]) =>
  names.map((name) => `${name} of ${names.length}`),
);
export const slow = app.function({ timeout: 1 }, stopped);

async function stopped(): Promise<never> {
  const signal = currentSignal();
  return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
}

export const main = app.localEntrypoint({ size: 3_000_000 }, async ({ size }) => {
  await Promise.all([values(size), failures(), generators(), many(), calls()]);
  console.log("all of it holds");
});

async function values(size: number): Promise<void> {
  const sent = [1, 5n, new Date(0), new Map([["a", 1]]), new Set([1]), { a: null }, undefined, new Float64Array([0.5])];
  assert.deepStrictEqual(await echo.remote(...sent), sent);
  assert.equal((await echo.remote("x".repeat(size)))[0], "x".repeat(size), "by a blob, both ways");
  const { input, ...found } = (await act.remote("where")) as {
    input?: string;
    local: boolean;
    words: string[];
    shade: string;
    readAt: string;
  };
  assert.match(input ?? "", /^in-/);
  assert.deepEqual(found.words, ["shared", "mine"]);
  assert.deepEqual([found.local, found.shade], [false, "dark"]);
  assert.match(found.readAt, /\/shade\.ts$/);
  await assert.rejects(
    echo.remote(() => {}),
    /arguments\[0\] is a function/,
  );
  assert.equal(await act.remote("nest", 8), 5, "a function calls another one");
}

async function failures(): Promise<void> {
  const error = await act.remote("fail", 7).then(
    () => assert.fail("it did not throw"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RemoteError);
  assert.deepEqual(
    [error.message, error.remoteName, error.remoteMessage],
    ["NoUser: no user 7", "NoUser", "no user 7"],
  );
  assert.ok(error.matches("RangeError") && error.matches("NoUser") && !error.matches("TypeError"));
  assert.equal(error.data["id"], 7);
  assert.ok(error.cause instanceof Error && error.cause.message === "the table is empty");
  assert.match(error.remoteStack, /calls\.ts:\d+:\d+/, "lines are those of the source");
  assert.doesNotMatch(error.remoteStack, /runner\.js/, "and those of the runner below them are left out");
  await assert.rejects(act.remote("misuse"), (refused) => {
    assert.ok(refused instanceof RemoteError && refused.matches("InvalidError"));
    assert.match(refused.message, /^InvalidError: "nowhere" is no address of a platform$/);
    assert.match(refused.hint ?? "", /^it looks like http/, "what helps comes along");
    return true;
  });
  assert.ok(!("hint" in error), "where nothing is known there is no such field");
  await assert.rejects(act.remote("beside"), /Error: nobody waits for this/);
  await assert.rejects(slow.remote(), FunctionTimeoutError);
}

async function generators(): Promise<void> {
  const found: number[] = [];
  for await (const item of items.remote(5)) found.push(item);
  assert.deepEqual(found, [0, 1, 2, 3, 4]);
  for await (const item of items.remote(1e9)) if (item === 3) break;
  const spawned = await items.spawn(3);
  const kept: number[] = [];
  for await (const item of spawned.iter()) kept.push(item);
  assert.deepEqual(kept, [0, 1, 2]);
}

async function many(): Promise<void> {
  assert.deepEqual(await halve.map([2, 4, 6]).toArray(), [1, 2, 3]);
  const mixed = await halve.map([2, 3], { returnExceptions: true }).toArray();
  assert.equal(mixed[0], 1);
  assert.ok(mixed[1] instanceof RemoteError && mixed[1].matches("TypeError"));
  await assert.rejects(halve.map([1]).toArray(), /TypeError: 1 is odd/);
  const numbers = Array.from({ length: 200 }, (_, at) => at);
  assert.deepEqual(
    await echo.map(numbers).toArray(),
    numbers.map((n) => [n]),
  );
  const lazily = (async function* () {
    for (const name of ["a", "b", "c", "d"]) yield name;
  })();
  assert.deepEqual((await together.map(lazily).toArray()).toSorted(), ["a of 4", "b of 4", "c of 4", "d of 4"]);
}

async function calls(): Promise<void> {
  const [first, second] = [await halve.spawn(10), await echo.spawn("x")];
  assert.deepEqual(await FunctionCall.gather(first, second), [5, ["x"]]);
  assert.equal(await FunctionCall.fromId<number>(first.id).get({ timeout: "30s" }), 5);
  const waiting = await act.spawn("wait");
  await assert.rejects(waiting.get({ timeout: 0 }), /has no result after 0 s/);
  await waiting.cancel();
  await assert.rejects(waiting.get(), RemoteError);
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 500);
  await assert.rejects(act.withSignal(stop.signal).remote("wait"), /enough/);
  const all = await halve.spawnMap([2, 4]);
  const results: number[] = [];
  for await (const result of all.iter()) results.push(result);
  assert.deepEqual(results, [1, 2]);
  assert.equal(await halve.withOptions({ timeout: "2m" }).remote(4), 2);
}
