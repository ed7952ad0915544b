/** Which images and layers go: by age, by size, for want of room, by name; and what never does. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import {
  type ImageUse,
  type Inventory,
  type LayerUse,
  modestWish,
  whatGoes,
  type Wish,
} from "../../src/collect/what-goes.ts";

const layer = (id: string, usedAt = 0, change: Partial<LayerUse> = {}): LayerUse => ({
  ...{ id, bytes: 10, usedAt, isHeld: false },
  ...change,
});
const image = (name: string, layers: string[], usedAt: number, isNeeded = false): ImageUse => {
  return { name, layers, usedAt, isNeeded };
};

/** A base, two images on it, and a layer that a failed build has left. */
const usual: Inventory = {
  images: [image("base", ["b"], 30), image("old", ["o", "b"], 10), image("new", ["n", "b"], 50)],
  layers: [layer("b", 99), layer("o", 99), layer("n", 99), layer("left", 40)],
};

function gone(inventory: Inventory, wish: Partial<Wish>): string {
  const { images, layers } = whatGoes(inventory, { ...modestWish, ...wish });
  return `${images.map(({ name }) => name).join()}: ${layers.map(({ id }) => id).join()}`;
}

describe("what goes", () => {
  const table: [why: string, wish: Partial<Wish>, expected: string][] = [
    ["nothing without a reason", {}, ": "],
    ["what is older, with its own layers only", { usedBefore: 30 }, "old: o"],
    ["what others stand on stays, as their layer", { usedBefore: 40 }, "old,base: o"],
    ["what no image has, by its own age", { usedBefore: 50 }, "old,base: o,left"],
    ["all", { usedBefore: 100 }, "old,base,new: o,left,n,b"],
    ["the oldest, down to a size", { mostBytes: 30 }, "old: o"],
    ["older ones first, until it is small enough", { mostBytes: 20 }, "old,base: o,left"],
    ["the oldest, until so much is free", { freeBytes: 11 }, "old,base: o,left"],
    ["what is named, and nothing else", { named: new Set(["new"]) }, "new: n"],
  ];
  for (const [why, wish, expected] of table) it(why, () => assert.equal(gone(usual, wish), expected));

  it("is never what is needed, unless that is named", () => {
    const needed = { ...usual, images: usual.images.map((each) => ({ ...each, isNeeded: true })) };
    assert.equal(gone(needed, { usedBefore: 100, mostBytes: 0, freeBytes: 1_000 }), ": left");
    assert.equal(gone(needed, { named: new Set(["new"]) }), "new: n");
  });

  it("is never a layer that somebody else holds, though its image goes", () => {
    const held = { ...usual, layers: usual.layers.map((each) => ({ ...each, isHeld: each.id === "o" })) };
    assert.equal(gone(held, { usedBefore: 40 }), "old,base: ");
    assert.equal(gone(held, { freeBytes: 10 }), "old,base: left", "and what it takes is not taken for freed");
  });
});

it("holds to its rules whatever there is", () => {
  const random = seededRandom(1);
  const upTo = (most: number): number => random.below(most + 1);
  for (let round = 0; round < 500; round++) {
    const layers = Array.from({ length: upTo(12) }, (_, n) =>
      layer(`l${n}`, upTo(100), { bytes: upTo(50), isHeld: upTo(4) === 0 }),
    );
    const images = Array.from({ length: upTo(8) }, (_, n) => {
      const own = layers.filter(() => upTo(2) === 0).map(({ id }) => id);
      return image(`i${n}`, [...own, ...(upTo(9) === 0 ? ["missing"] : [])], upTo(100), upTo(3) === 0);
    });
    const wish: Wish = {
      usedBefore: upTo(1) * upTo(100),
      mostBytes: upTo(1) === 0 ? Number.POSITIVE_INFINITY : upTo(300),
      freeBytes: upTo(1) * upTo(200),
      named: new Set(images.filter(() => upTo(9) === 0).map(({ name }) => name)),
    };
    const selection = whatGoes({ images, layers }, wish);
    const [goneImages, goneLayers] = [new Set(selection.images), new Set(selection.layers)];
    const stay = images.filter((each) => !goneImages.has(each));
    assert.equal(goneImages.size, selection.images.length, "once");
    assert.equal(goneLayers.size, selection.layers.length, "once");
    for (const each of selection.images) assert.ok(!each.isNeeded || wish.named.has(each.name));
    const named = new Set(stay.flatMap((each) => each.layers));
    for (const each of selection.layers) assert.ok(!each.isHeld && !named.has(each.id), "nobody has it any more");
    const sum = (all: readonly LayerUse[]): number => all.reduce((bytes, each) => bytes + each.bytes, 0);
    assert.equal(selection.bytes, sum(selection.layers));
    // What may go and has not: neither its age, nor the size, nor the room asks for it.
    const isLoose = (each: LayerUse): boolean =>
      !each.isHeld && !images.some(({ layers: own }) => own.includes(each.id));
    const mayGo = [
      ...stay.filter(({ isNeeded }) => !isNeeded),
      ...layers.filter((each) => isLoose(each) && !goneLayers.has(each)),
    ];
    for (const each of mayGo) assert.ok(each.usedAt >= wish.usedBefore);
    if (mayGo.length > 0) {
      assert.ok(sum(layers) - selection.bytes <= wish.mostBytes);
      assert.ok(selection.bytes >= wish.freeBytes);
    }
  }
});
