import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { type Layer, LayerInUseError, LayerStore } from "../../src/layers/layer-store.ts";
import { temporaryFolder } from "../support/temporary.ts";

const write =
  (text: string) =>
  (diff: string): Promise<void> =>
    writeFile(join(diff, "file"), text);

const contentOf = (layer: Layer): Promise<string> => readFile(join(layer.diff, "file"), "utf8");

/** What is in the store but for layers and locks. */
async function leftovers(folder: string): Promise<string[]> {
  return [...(await readdir(join(folder, ".drafts"))), ...(await readdir(join(folder, ".gone")))];
}

/** Another process that makes layer `a`: says "filling", and finishes when its input ends. */
async function otherMaker(folder: string): Promise<{ finish: (how: "kill" | "end") => Promise<void> }> {
  const { child, exit } = await otherProcess(
    folder,
    `await store.make("a", async (diff) => {
      await writeFile(diff + "/file", "theirs");
      console.log("filling");
      for await (const _ of process.stdin);
    });`,
  );
  return {
    async finish(how) {
      if (how === "kill") child.kill("SIGKILL");
      else child.stdin.end();
      await exit;
    },
  };
}

/** Another process that works with layer `a`, which is there. */
async function otherHolder(folder: string): Promise<{ kill: () => Promise<void> }> {
  const { child, exit } = await otherProcess(
    folder,
    `console.log(await store.lease().hold([await store.get("a")]));
    for await (const _ of process.stdin);`,
  );
  return {
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

/** Runs the script with a `store`, up to the first line that it says. */
async function otherProcess(folder: string, work: string) {
  const module = new URL("../../src/layers/layer-store.ts", import.meta.url).href;
  const script = `
    import { writeFile } from "node:fs/promises";
    import { LayerStore } from ${JSON.stringify(module)};
    const store = await LayerStore.open(${JSON.stringify(folder)});
    ${work}`;
  const args = [
    ...process.execArgv.filter((arg) => arg.startsWith("--conditions")),
    "--input-type=module",
    "-e",
    script,
  ];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  await once(child.stdout, "data");
  return { child, exit };
}

describe("making a layer", () => {
  it("makes a layer once, for all who want it, and finds it again", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    let fills = 0;
    const fill = async (diff: string, scratch: string): Promise<void> => {
      fills++;
      await mkdir(join(scratch, "u"), { mode: 0o755 });
      await writeFile(join(scratch, "u", "file"), "kept");
      await rename(join(scratch, "u"), diff);
    };
    const layers = await Promise.all(Array.from({ length: 5 }, () => store.make("a", fill)));
    assert.equal(fills, 1);
    assert.deepEqual(new Set(layers.map(({ diff }) => diff)), new Set([join(folder, "a", "diff")]));
    assert.equal(await contentOf(layers[0]!), "kept");
    assert.deepEqual((await readdir(join(folder, "a"))).sort(), ["diff", "holders"]);
    assert.equal((await stat(layers[0]!.diff)).mode & 0o777, 0o755);

    const again = await LayerStore.open(folder);
    assert.deepEqual(await again.get("a"), layers[0]);
    assert.deepEqual(await again.list(), [layers[0]]);
    assert.equal(await again.get("b"), undefined);
    assert.deepEqual(await leftovers(folder), []);
  });

  it("keeps nothing of a layer that could not be made", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const fails = store.make("a", async (diff) => {
      await write("half")(diff);
      throw new Error("no space");
    });
    await Promise.all([
      assert.rejects(fails, /no space/),
      assert.rejects(store.make("a", write("whole")), /no space/), // it had joined
    ]);
    assert.equal(await store.get("a"), undefined);
    assert.deepEqual(await leftovers(folder), []);
    assert.equal(await contentOf(await store.make("a", write("whole"))), "whole");
  });

  it("goes on for those who still want it when the one who makes it gives up", async (t) => {
    const store = await LayerStore.open(await temporaryFolder(t));
    const [first, second] = [new AbortController(), new AbortController()];
    const filling = Promise.withResolvers<void>();
    const made = store.make(
      "a",
      () => {
        filling.resolve();
        return new Promise((_, reject) => {
          first.signal.addEventListener("abort", () => reject(first.signal.reason as Error));
        });
      },
      first.signal,
    );
    await filling.promise;
    const waits = store.make("a", write("second"));
    const leaves = store.make("a", write("third"), second.signal);
    second.abort(new Error("no longer"));
    await assert.rejects(leaves, /no longer/);
    first.abort(new Error("gave up"));
    await assert.rejects(made, /gave up/);
    assert.equal(await contentOf(await waits), "second");
  });
});

describe("keeping a layer", () => {
  it("removes a layer only when nobody holds it", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const [a, b] = [await store.make("a", write("a")), await store.make("b", write("b"))];
    assert.ok(await store.hold("one", [a]));
    assert.ok(await store.hold("one", [a, b]));
    assert.ok(await store.hold("two", [a]));
    const other = await LayerStore.open(folder);
    const holders = await other.holders();
    assert.equal(holders.size, 2);
    assert.deepEqual(holders.get("a")?.toSorted(), ["one", "two"]);
    assert.deepEqual(holders.get("b"), ["one"]);
    await assert.rejects(other.remove("a"), LayerInUseError);
    await other.release("one", [a, b]);
    await other.release("one", [a, b]);
    await assert.rejects(other.remove("a"), /layer a is held by two/);
    await other.remove("b");
    await other.remove("b");
    assert.equal(await store.get("b"), undefined);
    // All or none: what was taken for a hold that fails is given back, what was held before stays.
    assert.equal(await store.hold("two", [a, b]), false);
    assert.equal(await store.hold("three", [a, b]), false);
    assert.deepEqual((await store.holders()).get("a"), ["two"]);
    assert.equal(await contentOf(await store.make("b", write("anew"))), "anew");
    assert.deepEqual(await leftovers(folder), []);
  });

  it("forgets who held it before the host's last boot", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const a = await store.make("a", write("a"));
    await store.hold("present", [a]);
    await store.hold("past", [a]);
    await writeFile(join(folder, "a", "holders", "past"), "00000000-0000-0000-0000-000000000000");
    const other = await LayerStore.open(folder);
    assert.deepEqual((await other.holders()).get("a"), ["present"]);
    await assert.rejects(other.remove("a"), /layer a is held by present/);
  });
});

describe("holding a layer for a time", () => {
  it("lets go of a layer when the record that named it is gone, or names it no more", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(join(folder, "layers"));
    const [a, b] = [await store.make("a", write("a")), await store.make("ab", write("b"))];
    const record = join(folder, "image.json");
    await writeFile(record, JSON.stringify({ layers: [a.id, b.id] }));
    assert.ok(await store.holdFor(record, [a, b]));
    const holders = async (): Promise<number[]> => {
      await store.releaseLost();
      return [...(await store.holders()).values()].map(({ length }) => length);
    };
    assert.deepEqual(await holders(), [1, 1]);
    await writeFile(record, JSON.stringify({ layers: [b.id] })); // whose id contains the other's
    assert.deepEqual(await holders(), [0, 1]);
    await rm(record);
    assert.deepEqual(await holders(), [0, 0]);
  });

  it("holds for a piece of work as long as its process lives", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    {
      await using lease = store.lease();
      const a = await lease.make("a", write("a"));
      await LayerStore.open(folder);
      await assert.rejects(store.remove("a"), LayerInUseError);
      assert.equal(await lease.hold([a, { id: "b", diff: "" }]), false, "one is gone");
      await assert.rejects(store.remove("a"), LayerInUseError, "and what was held before still is");
    }
    const other = await otherHolder(folder);
    await store.releaseLost();
    await assert.rejects(store.remove("a"), LayerInUseError);
    await other.kill();
    await store.releaseLost();
    await store.remove("a");
    assert.deepEqual(await leftovers(folder), []);
  });

  it("makes a layer again that goes before it is held", async (t) => {
    const store = await LayerStore.open(await temporaryFolder(t));
    const hold = store.hold.bind(store);
    let isFirst = true;
    store.hold = async (...asked) => {
      if (isFirst) await store.remove("a");
      isFirst = false;
      return await hold(...asked);
    };
    await using lease = store.lease();
    assert.equal(await contentOf(await lease.make("a", write("again"))), "again");
    await assert.rejects(store.remove("a"), LayerInUseError);
  });

  it("knows when a layer was last taken or left", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const a = await store.make("a", write("a"));
    const past = new Date(1_000_000);
    await utimes(join(folder, "a", "holders"), past, past);
    assert.equal(await store.usedAt("a"), 1_000_000);
    await store.hold("one", [a]);
    const taken = (await store.usedAt("a")) ?? 0;
    assert.ok(taken > Date.now() - 60_000);
    assert.equal(await store.usedAt("b"), undefined);
  });

  it("refuses names that are paths", async (t) => {
    const store = await LayerStore.open(await temporaryFolder(t));
    for (const name of ["", ".", "..", ".drafts", "a/b", "../x", "a\0", "x".repeat(129)]) {
      await assert.rejects(store.get(name), /cannot be the name/);
      await assert.rejects(store.make(name, write("")), /cannot be the name/);
      await assert.rejects(store.remove(name), /cannot be the name/);
      await assert.rejects(store.hold(name, []), /cannot be the name/);
    }
  });
});

describe("a layer store of several processes", () => {
  it("waits for another process that makes the layer, and takes its", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const other = await otherMaker(folder);
    await (await LayerStore.open(folder)).list(); // tidying up leaves the draft of who is alive
    assert.deepEqual(await leftovers(folder), ["a"]);
    const impatient = new AbortController();
    const leaves = store.make("a", write("never"), impatient.signal);
    impatient.abort(new Error("no longer"));
    await assert.rejects(leaves, /no longer/);
    const waits = store.make("a", write("never"));
    await other.finish("end");
    assert.equal(await contentOf(await waits), "theirs");
  });

  it("makes the layer itself when the other process is killed", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const other = await otherMaker(folder);
    const waits = store.make("a", write("ours"));
    await other.finish("kill");
    assert.equal(await contentOf(await waits), "ours");
    assert.deepEqual((await readdir(join(folder, "a"))).sort(), ["diff", "holders"]);
  });

  it("is opened while what a killed process has started still writes, and tidied when that has ended", async (t) => {
    const folder = await temporaryFolder(t);
    const store = await LayerStore.open(folder);
    const draft = join(folder, ".drafts", "a", "diff");
    const script = 'i=0; while :; do mkdir -p "$0/$((i%7))/$i" 2>&-; i=$((i+1)); [ $i = 9 ] && echo on; done';
    const writer = spawn("sh", ["-c", script, draft], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = once(writer, "close");
    await once(writer.stdout, "data");
    for (let opened = 0; opened < 5; opened++) await LayerStore.open(folder);
    writer.kill("SIGKILL");
    await closed;
    await store.tidy();
    assert.deepEqual(await leftovers(folder), []);
  });

  it("clears away what crashes left", async (t) => {
    const folder = await temporaryFolder(t);
    const other = await otherMaker(folder);
    await other.finish("kill");
    // Killed between a remover's two steps, and while it deleted.
    for (const rest of ["b/diff/x", ".gone/.layer.tmp/diff"]) await mkdir(join(folder, rest), { recursive: true });
    assert.deepEqual(await leftovers(folder), ["a", ".layer.tmp"]);
    const store = await LayerStore.open(folder);
    assert.deepEqual(await leftovers(folder), []);
    assert.deepEqual(await readdir(folder), [".drafts", ".gone", ".holds", ".locks"]);
    assert.deepEqual(await store.list(), []);
  });
});
