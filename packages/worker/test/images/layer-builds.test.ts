import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { ManualClock, until } from "@lydian/testkit";

import { type Customer, LayerBuilds, type LayerWork } from "../../src/images/layer-builds.ts";
import { LayerStore } from "../../src/layers/index.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function builds(t: TestContext) {
  const clock = new ManualClock();
  const layers = await LayerStore.open(await temporaryFolder(t));
  return { clock, layers, builds: new LayerBuilds({ layers, clock }) };
}

function waiter(): Customer & { lines: string[]; leave: () => void } {
  const abort = new AbortController();
  const lines: string[] = [];
  const leave = (): void => abort.abort(new Error("left"));
  const lease = { hold: async () => true };
  return { lines, say: (line) => lines.push(line), signal: abort.signal, lease, leave };
}

/** Who comes in the middle hears at once what is being done. */
const joined = ({ lines }: { lines: string[] }): Promise<true> =>
  until(
    5000,
    () => lines.length > 0,
    () => "was told nothing",
  );

/** A maker that waits until it is let go or told to stop, and says that it has begun. */
function slow() {
  const begun = Promise.withResolvers<LayerWork>();
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  return {
    begun: begun.promise,
    finish: gate.resolve,
    runs: () => runs,
    async fill(work: LayerWork): Promise<void> {
      runs++;
      work.signal.addEventListener("abort", () => gate.reject(work.signal.reason), { once: true });
      await work.steps.run("Cooking", "Cooked", async () => {
        begun.resolve(work);
        await gate.promise;
      });
      await writeFile(join(work.diff, "dish"), "done");
    },
  };
}

it("makes a layer once for all who wait, and tells each of them, also who comes in the middle", async (t) => {
  const { clock, builds: made } = await builds(t);
  const [first, second] = [waiter(), waiter()];
  const work = slow();
  const one = made.make("soup", first, work.fill);
  await work.begun;
  await clock.advance(1000);
  const two = made.make("soup", second, work.fill);
  await joined(second);
  await clock.advance(500);
  work.finish();
  const [layer, same] = await Promise.all([one, two]);
  assert.deepEqual(layer, same);
  assert.equal(work.runs(), 1);
  assert.equal(await readFile(join(layer.diff, "dish"), "utf8"), "done");
  assert.deepEqual(first.lines, ["Cooking …", "Cooked in 1.5 s"]);
  assert.deepEqual(second.lines, first.lines);
});

it("says nothing of what is there, or over within a second", async (t) => {
  const { builds: made } = await builds(t);
  const [first, second] = [waiter(), waiter()];
  const work = slow();
  work.finish();
  await made.make("soup", first, work.fill);
  await made.make("soup", second, work.fill);
  assert.deepEqual([first.lines, second.lines, work.runs()], [[], [], 1]);
});

it("goes on when one of those who wait leaves, and is broken off when the last one does", async (t) => {
  const { clock, builds: made } = await builds(t);
  const [first, second] = [waiter(), waiter()];
  const work = slow();
  const one = made.make("soup", first, work.fill);
  const { signal } = await work.begun;
  await clock.advance(1000);
  const two = made.make("soup", second, work.fill);
  await joined(second);
  first.leave();
  await assert.rejects(one, /^Error: left$/);
  assert.equal(signal.aborted, false);
  second.leave();
  await assert.rejects(two, /^Error: left$/);
  assert.equal(signal.aborted, true);
  // And who comes now is not told of it: it begins anew.
  const again = slow();
  again.finish();
  const layer = await made.make("soup", waiter(), again.fill);
  assert.equal(await readFile(join(layer.diff, "dish"), "utf8"), "done");
});

it("ends what it makes when it is closed, and leaves no layer", async (t) => {
  const { layers, builds: made } = await builds(t);
  const work = slow();
  const waiting = assert.rejects(made.make("soup", waiter(), work.fill), /the worker ends/);
  await work.begun;
  await made.close();
  await waiting;
  assert.deepEqual(await layers.list(), []);
});

it("stacks recipes, each with those below it", async (t) => {
  const { builds: made } = await builds(t);
  const seen: string[][] = [];
  const recipe = (id: string) => ({
    id,
    fill: (_work: LayerWork, below: readonly { id: string }[]) => {
      seen.push(below.map((layer) => layer.id));
      return Promise.resolve();
    },
  });
  const stack = await made.makeStack([recipe("a"), recipe("b"), recipe("c")], waiter());
  assert.deepEqual(
    stack.map(({ id }) => id),
    ["c", "b", "a"],
  );
  assert.deepEqual(seen, [[], ["a"], ["b", "a"]]);
});
