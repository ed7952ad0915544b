/** Classes with parameters and hooks; dicts and queues. Each check throws; the last line says that all held. */
import assert from "node:assert/strict";

import { App, Dict, enter, exit, params, Queue, QueueEmptyError } from "lydian";

const app = new App("typescript-classes");
const seen = Dict.fromName<string, number>("typescript-seen", { createIfMissing: true });
const ended = Queue.fromName<string>("typescript-ended", { createIfMissing: true });

export const Greeter = app.cls(
  { scaledownWindow: 1 },
  class extends params({ name: String, times: 2, loud: false }) {
    #greeting = "";
    async [enter]() {
      this.#greeting = `Hello, ${this.name}`;
      await seen.put(this.name, this.times);
    }
    greet(mark: string) {
      return Array<string>(this.times).fill(`${this.#greeting}${this.loud ? mark.toUpperCase() : mark}`);
    }
    async *letters() {
      yield* this.name;
    }
    _own() {
      return 1;
    }
    async [exit]() {
      await ended.put(this.name);
    }
  },
);

export const Plain = app.cls(
  class {
    double(n: number) {
      return n * 2;
    }
  },
);

export const main = app.localEntrypoint(async () => {
  await Promise.all([seen.clear(), ended.clear()]);
  const ada = new Greeter({ name: "Ada" });
  assert.deepEqual(await ada.greet.remote("!"), ["Hello, Ada!", "Hello, Ada!"]);
  assert.deepEqual(await ada.greet.map(["a"]).toArray(), [["Hello, Adaa", "Hello, Adaa"]]);
  assert.deepEqual(await all(ada.letters.remote()), ["A", "d", "a"]);
  assert.deepEqual(await new Greeter({ name: "Bo", times: 1, loud: true }).greet.remote("x"), ["Hello, BoX"]);
  assert.equal(await new Plain().double.remote(4), 8);
  await assert.rejects((ada as unknown as { _own: typeof ada.greet })._own.remote(""), /has no method "_own"/);
  {
    await using here = await Greeter.local({ name: "Here" });
    assert.deepEqual(here.greet("."), ["Hello, Here.", "Hello, Here."]);
  }

  assert.deepEqual([await seen.get("Ada"), await seen.get("Bo"), await seen.get("nobody")], [2, 1, undefined]);
  assert.equal(await seen.put("Ada", 9, { ifAbsent: true }), false);
  assert.equal(await seen.pop("Ada"), 2);
  assert.deepEqual((await all(seen.keys())).toSorted(), ["Bo", "Here"]);
  const gone = [
    await ended.get({ timeout: "30s" }),
    await ended.get({ timeout: "30s" }),
    await ended.get({ timeout: "30s" }),
  ];
  assert.deepEqual(gone.toSorted(), ["Ada", "Bo", "Here"], "the exit hooks run when containers have idled");
  await ended.putMany(["a", "b", "c"]);
  assert.deepEqual(await all(ended.iterate()), ["a", "b", "c"]);
  assert.deepEqual([await ended.getMany(2), await ended.len()], [["a", "b"], 1]);
  await ended.clear();
  await assert.rejects(ended.get({ block: false }), QueueEmptyError);
  console.log("all of it holds");
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
