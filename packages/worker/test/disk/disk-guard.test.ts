/** When the guard looks, counts and ends, on a disk and in a time that the test moves. */
import assert from "node:assert/strict";
import test from "node:test";

import { silentLogger } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import type { Count, DiskGauge, Subject } from "../../src/disk/disk-gauge.ts";
import { DiskGuard } from "../../src/disk/disk-guard.ts";
import type { Room, Unit } from "../../src/disk/room.ts";

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/** A disk of 100 GiB, and who holds what of it. */
class Scene implements DiskGauge {
  readonly clock: ManualClock = new ManualClock();
  readonly guard: DiskGuard;
  /** By folder. */
  readonly held = new Map<string, number | undefined>([["trash", 0]]);
  readonly wrote = new Map<number, number>();
  readonly ended: string[] = [];
  readonly warnings: string[] = [];
  free: number = 50 * gibibyte;
  inodes: Room = { free: 1_000_000, total: 6_000_000 };
  looks = 0;
  counts = 0;
  #pids = 0;

  constructor(reserve?: number, makeRoom?: (bytes: number) => Promise<number>) {
    const logger = { ...silentLogger, warn: (_fields: unknown, text: string) => void this.warnings.push(text) };
    const { clock } = this;
    const options = { gauge: this, trash: "trash", reserve, clock, ...(makeRoom && { makeRoom }) };
    this.guard = new DiskGuard({ ...options, logger: logger as typeof silentLogger });
  }

  async rooms(): Promise<{ bytes: Room; inodes: Room }> {
    this.looks++;
    return { bytes: { free: this.free, total: 100 * gibibyte }, inodes: this.inodes };
  }

  async hasEntries(folder: string): Promise<boolean> {
    return this.held.get(folder) !== 0;
  }

  async count(subjects: readonly Subject[], _unit: Unit): Promise<Count[]> {
    this.counts++;
    return subjects.map(({ folder, pids }) => ({
      held: this.held.get(folder),
      wrote: pids.reduce((sum, pid) => sum + (this.wrote.get(pid) ?? 0), 0),
    }));
  }

  watch(id: string, options: { limitMib?: number; isFresh?: boolean } = {}): Disposable & { pid: number } {
    const pid = ++this.#pids;
    this.held.set(id, 0);
    const watch = this.guard.watch({
      id,
      folder: id,
      limitMib: options.limitMib,
      isFresh: options.isFresh ?? true,
      pids: async () => [pid],
      end: (message) => void this.ended.push(`${id} ${message}`),
    });
    return { pid, [Symbol.dispose]: () => watch[Symbol.dispose]() };
  }

  writes(id: string, bytes: number): void {
    this.held.set(id, (this.held.get(id) ?? 0) + bytes);
    this.free -= bytes;
  }
}

test("it looks only while containers run, once a second while there is much room, and counts nothing", async () => {
  const scene = new Scene();
  await scene.clock.advance(10_000);
  assert.equal(scene.looks, 0);
  const watch = scene.watch("a");
  await scene.clock.advance(10_500);
  assert.equal(scene.looks, 11);
  watch[Symbol.dispose]();
  await scene.clock.advance(10_000);
  assert.deepEqual([scene.looks, scene.counts, scene.clock.pending], [11, 0, 0]);
  scene.watch("b");
  await scene.clock.advance(2000);
  assert.equal(scene.looks, 14);
});

test("it looks sooner where little is left above the reserve, or a disk proves to be fast", async () => {
  const scene = new Scene(10 * gibibyte);
  scene.free = 10.25 * gibibyte;
  scene.watch("a");
  await scene.clock.advance(1001);
  assert.equal(scene.looks, 5, "every 250 ms");

  const fast = new Scene(10 * gibibyte);
  fast.watch("a");
  await fast.clock.advance(1001);
  fast.writes("a", 36 * gibibyte); // within a second: 4 GiB are left above the reserve
  await fast.clock.advance(1000);
  const { looks } = fast;
  await fast.clock.advance(1000);
  assert.equal(fast.looks, looks + 9, "every 111 ms");
});

test("one beyond its own limit is ended, with what it holds, the limit and what to do", async () => {
  const scene = new Scene();
  scene.watch("limited", { limitMib: 256 });
  scene.watch("other");
  await scene.clock.advance(1000);
  scene.writes("other", 100 * mebibyte);
  await scene.clock.advance(1000);
  assert.equal(scene.counts, 0, "nothing was written that could be half of its limit");
  scene.writes("limited", 300 * mebibyte);
  await scene.clock.advance(1000);
  assert.deepEqual(scene.ended, [
    "limited it has filled 300 MiB, and its limit is 256 MiB; raise the function's ephemeral_disk, or let it delete " +
      "what it does not need",
  ]);
  await scene.clock.advance(60_000);
  assert.equal(scene.ended.length, 1);
});

test("one beyond its own limit is found where as much is deleted meanwhile as it writes", async () => {
  const scene = new Scene();
  scene.held.set("trash", 100 * mebibyte);
  scene.watch("limited", { limitMib: 64 });
  await scene.clock.advance(1000);
  scene.held.set("trash", 0);
  scene.held.set("limited", 100 * mebibyte); // the trash gave back as much
  await scene.clock.advance(1000);
  assert.match(scene.ended.join(), /^limited it has filled 100 MiB/);

  const others = new Scene();
  others.watch("limited", { limitMib: 64 });
  await others.clock.advance(1000);
  others.held.set("limited", 100 * mebibyte); // somebody who is not ours gave back as much
  await others.clock.advance(31_000);
  assert.match(others.ended.join(), /^limited it has filled 100 MiB/);
});

test("room is waited for until it is there, the patience ends or the one who waits gives up", async () => {
  const scene = new Scene();
  const said: string[] = [];
  const wait = (name: string, signal: AbortSignal): void => {
    void scene.guard.room(signal).then(() => said.push(name));
  };
  const { signal } = new AbortController();
  wait("at once", signal);
  await scene.clock.advance(100);
  assert.deepEqual(said, ["at once"]);
  assert.equal(scene.clock.pending, 0, "nobody looks any more");

  scene.free = 0;
  const giveUp = new AbortController();
  wait("who gives up", giveUp.signal);
  wait("who gets it", signal);
  await scene.clock.advance(1000);
  giveUp.abort();
  await scene.clock.advance(100);
  assert.deepEqual(said, ["at once", "who gives up"]);
  scene.free = 50 * gibibyte;
  await scene.clock.advance(1000);
  assert.deepEqual(said, ["at once", "who gives up", "who gets it"]);

  scene.free = 0;
  wait("who waits in vain", signal);
  await scene.clock.advance(19_000);
  assert.equal(said.length, 3);
  await scene.clock.advance(2000);
  assert.equal(said.length, 4);
  assert.equal(scene.clock.pending, 0);
});

test("writing next to one that has a limit costs a count now and then, and ends nobody", async () => {
  const scene = new Scene();
  scene.watch("limited", { limitMib: 1024 });
  scene.watch("other");
  for (let second = 0; second < 40; second++) {
    scene.writes("other", 100 * mebibyte);
    await scene.clock.advance(1000);
  }
  assert.deepEqual(scene.ended, []);
  assert.ok(scene.counts >= 6 && scene.counts <= 8, `${scene.counts} counts`);
});

test("one that a worker before has started is counted at once", async () => {
  const scene = new Scene();
  scene.watch("adopted", { limitMib: 256, isFresh: false });
  scene.held.set("adopted", 300 * mebibyte);
  await scene.clock.advance(100);
  assert.equal(scene.ended.length, 1);
});

test("when the disk is nearly full the largest is ended, and no other while its space comes back", async () => {
  const scene = new Scene();
  const large = scene.watch("large");
  scene.watch("small");
  await scene.clock.advance(1000);
  scene.writes("small", 5 * gibibyte);
  scene.writes("large", 44 * gibibyte);
  await scene.clock.advance(1000);
  assert.deepEqual(scene.ended, [
    "large the machine's disk was nearly full (1024 MiB left of 100.0 GiB), and it held the most, 44.0 GiB; " +
      "let the machine's operator make room, or let it write less",
  ]);
  await scene.clock.advance(10_000);
  scene.held.set("trash", 44 * gibibyte);
  large[Symbol.dispose]();
  await scene.clock.advance(10_000);
  scene.held.set("trash", undefined); // too much to be counted
  await scene.clock.advance(10_000);
  assert.equal(scene.ended.length, 1);
  scene.held.set("trash", 0);
  scene.free += 44 * gibibyte;
  await scene.clock.advance(10_000);
  assert.equal(scene.ended.length, 1);
});

test("a disk that others have filled ends no container, and is told once", async () => {
  const scene = new Scene();
  scene.watch("a");
  await scene.clock.advance(1000);
  scene.writes("a", 100 * mebibyte);
  scene.free = gibibyte;
  await scene.clock.advance(60_000);
  assert.deepEqual(scene.ended, []);
  assert.deepEqual(scene.warnings, ["the data disk is nearly full, and no container holds what is missing"]);
});

test("one that hides what it has written is ended", async () => {
  const scene = new Scene();
  scene.watch("honest");
  const { pid } = scene.watch("hides");
  await scene.clock.advance(1000);
  scene.writes("honest", gibibyte / 2);
  scene.wrote.set(pid, 49 * gibibyte);
  scene.free -= 49 * gibibyte;
  await scene.clock.advance(1000);
  assert.match(scene.ended.join(), /^hides .*it had written the most, 49.0 GiB/);
});

test("inodes run out as well", async () => {
  const scene = new Scene();
  scene.watch("a");
  scene.watch("many");
  scene.held.set("a", 20_000);
  scene.held.set("many", 900_000);
  scene.inodes = { free: 50_000, total: 6_000_000 };
  await scene.clock.advance(1000);
  assert.match(
    scene.ended.join(),
    /^many .*nearly full \(50000 files left of 6000000 files\), and it held the most, 900000/,
  );
});

test("a disk that cannot be looked at is looked at again", async () => {
  const scene = new Scene();
  scene.watch("large");
  scene.held.set("large", 49.5 * gibibyte);
  scene.free = gibibyte / 2;
  const { rooms } = scene;
  scene.rooms = () => Promise.reject(new Error("no disk"));
  await scene.clock.advance(5000);
  scene.rooms = rooms;
  await scene.clock.advance(5000);
  assert.equal(scene.ended.length, 1);
});

/** A disk with images that nobody needs, of which a gibibyte goes at a time. */
function sceneWithImages(images: number): Scene & { asked: number[] } {
  const asked: number[] = [];
  let left = images;
  const scene = new Scene(10 * gibibyte, async (bytes) => {
    asked.push(bytes);
    const freed = Math.min(left, gibibyte);
    left -= freed;
    scene.free += freed;
    return freed;
  });
  return Object.assign(scene, { asked });
}

test("what nobody needs goes before the reserve is touched, and no container ends", async () => {
  const scene = sceneWithImages(5 * gibibyte);
  scene.watch("a");
  scene.writes("a", 29 * gibibyte);
  await scene.clock.advance(1000);
  assert.deepEqual(scene.asked, [], "twice the reserve is free");
  scene.writes("a", 4 * gibibyte);
  await scene.clock.advance(5000);
  assert.deepEqual(scene.asked, [3 * gibibyte, 2 * gibibyte, gibibyte]);
  assert.deepEqual([scene.free, scene.ended], [20 * gibibyte, []]);
});

test("a container that fills the disk ends when nothing more can be given up, or it takes too long", async () => {
  const scene = sceneWithImages(2 * gibibyte);
  scene.watch("a");
  scene.writes("a", 45 * gibibyte);
  await scene.clock.advance(5000);
  assert.match(scene.ended.join(), /^a the machine's disk was nearly full \(7168 MiB left/);
  const { length } = scene.asked;
  await scene.clock.advance(50_000);
  assert.equal(scene.asked.length, length, "nobody is asked again soon");

  const slow = new Scene(10 * gibibyte, () => new Promise(() => {}));
  slow.watch("a");
  slow.writes("a", 45 * gibibyte);
  await slow.clock.advance(500);
  assert.deepEqual(slow.ended, []);
  await slow.clock.advance(2000);
  assert.equal(slow.ended.length, 1);
});

test("what fails to give up anything is asked again in a minute", async () => {
  let asked = 0;
  const scene = new Scene(10 * gibibyte, () => Promise.reject(new Error(`no. ${++asked}`)));
  scene.watch("a");
  scene.free = 15 * gibibyte;
  await scene.clock.advance(59_000);
  assert.equal(asked, 1);
  await scene.clock.advance(3_000);
  assert.equal(asked, 2);
  assert.deepEqual(scene.ended, []);
});
