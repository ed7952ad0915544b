/** Classes with parameters and hooks; dicts and queues. Each check throws; the last line says that all held. */
import assert from "node:assert/strict";

import { App, Dict, enter, exit, NotFoundError, params, Queue, QueueEmptyError, Volume } from "lydian";

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

export const Mixed = app.cls(
  {
    concurrent: { maxInputs: 4 },
    methods: {
      embed: { batched: { maxBatchSize: 8, waitMs: 200 } },
      api: { webEndpoint: { label: "typescript-mixed" } },
    },
  },
  class extends params({ key: new Uint8Array([1, 2]), size: 1 }) {
    async embed(texts: string[]) {
      return texts.map((text) => ({ text: text.repeat(this.size), together: texts.length }));
    }
    async *stream(count: number) {
      for (let at = 0; at < count; at++) yield at + (this.key[1] ?? 0);
    }
    async api(request: Request) {
      return new Response(`${request.method} ${this.size}`);
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
  assert.equal(await ended.get({ block: false }), undefined);
  await assert.rejects(ended.get({ timeout: 0 }), QueueEmptyError);
  const mixed = new Mixed({ size: 2 });
  const embedded = await mixed.embed.map(["a", "b", "c", "d"]).toArray();
  assert.deepEqual(
    embedded.map(({ text }) => text),
    ["aa", "bb", "cc", "dd"],
  );
  assert.ok(embedded.some(({ together }) => together > 1));
  assert.deepEqual(await Promise.all([all(mixed.stream.remote(2)), all(mixed.stream.remote(1))]), [[2, 3], [2]]);
  const other = new (Mixed.withOptions({ timeout: 20 }))({ key: new Uint8Array([0, 9]) });
  assert.deepEqual(await all(other.stream.remote(1)), [9]);
  assert.match(await new Mixed().api.getWebUrl(), /typescript-mixed/);
  assert.equal((await ada.greet.getCurrentStats()).backlog, 0);
  {
    await using numbers = await Dict.ephemeral<string, number>();
    await using words = await Queue.ephemeral<string | Date>();
    const now = new Date();
    await Promise.all([numbers.put("a", 1), words.putMany(["b", now])]);
    assert.deepEqual([await numbers.get("a"), await words.get(), await words.get()], [1, "b", now]);
    await using files = await Volume.ephemeral();
    await files.batchUpload((batch) => {
      batch.putFile(new Uint8Array(9 * 1024 * 1024).fill(7, 0, 9_000_000), "/large.bin");
      batch.putFile(Buffer.from("text"), "/deep/small.txt");
    });
    assert.deepEqual((await files.readFile("large.bin").bytes()).lastIndexOf(7), 8_999_999);
    await files.copyFiles(["deep/small.txt"], "copy.txt");
    await files.removeFile("deep", { recursive: true });
    assert.equal(await files.readFile("copy.txt").text(), "text");
    const names = (await files.listdir("/", { recursive: true })).map(({ path }) => path);
    assert.deepEqual(names.toSorted(), ["copy.txt", "large.bin"]);
  }
  await Dict.delete("typescript-seen");
  await assert.rejects(Dict.fromName("typescript-seen").get("a"), NotFoundError);
  console.log("all of it holds");
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
