/** A disk that fills while it has images that nobody needs: those go, and the container lives. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { silentLogger, systemClock } from "@lydian/kit";
import { SmallDisk, until } from "@lydian/testkit";
import { Images } from "@lydian/worker/src/builds/images";
import { Collector } from "@lydian/worker/src/collect/collector";
import { modestWish } from "@lydian/worker/src/collect/what-goes";
import { diskGauge } from "@lydian/worker/src/disk/disk-gauge";
import { DiskGuard } from "@lydian/worker/src/disk/disk-guard";
import { LayerFacts, LayerStore } from "@lydian/worker/src/layers/index";

const lack = await SmallDisk.lack();
const needs = lack === undefined ? {} : { skip: lack };

const mebibyte = 2 ** 20;
const facts = { python: "", libc: "", mark: "" };
const config = { env: {}, workdir: "/", user: "root" };

test("images that nobody needs go before a container does, the oldest first", needs, async () => {
  await using disk = await SmallDisk.make(300);
  const at = (name: string): string => join(disk.path, name);
  const layers = await LayerStore.open(at("layers"));
  const images = await Images.open(at("images"), layers);
  const shared = { layers, clock: systemClock, logger: silentLogger };
  const sizes = new LayerFacts(shared);
  const bases = { records: async () => [], forget: async () => {} };
  const content = { collect: async () => ({ files: 0, bytes: 0 }) };
  const collector = new Collector({ ...shared, images, bases, content, facts: sizes, isElsewhere: false });
  const fill = (folder: string, mebibytes: number): Promise<void> =>
    writeFile(join(folder, "file"), randomBytes(mebibytes * mebibyte), { flush: true });
  for (const id of ["im-needed", "im-old", "im-new"]) {
    const layer = await layers.make(`of-${id}`, (diff) => fill(diff, 40));
    await images.keep(id, { layers: [layer], config, digest: id, facts });
  }
  const now = Date.now();
  const known = new Map([
    ["im-needed", { usedAt: 0, isNeeded: true }],
    ["im-old", { usedAt: now + 1_000, isNeeded: false }],
    ["im-new", { usedAt: now + 2_000, isNeeded: false }],
  ]);
  const underWay: Promise<unknown>[] = [];
  let isOver = false;
  const during = <T>(work: () => Promise<T>): Promise<T | undefined> => {
    const begun = isOver ? Promise.resolve(undefined) : work();
    underWay.push(begun);
    return begun;
  };
  collector.accompany({
    starters: () => new Set(),
    dropStarters: async () => {},
    askServer(freeBytes) {
      void during(() => collector.collect({ ...modestWish, freeBytes, known, isDry: false }));
      return true;
    },
  });
  await mkdir(at("trash"));
  await mkdir(at("container"));
  const ended: string[] = [];
  const guard = new DiskGuard({
    ...{ gauge: diskGauge(disk.path), trash: at("trash"), reserve: 50 * mebibyte },
    makeRoom: async (bytes) => (await during(() => collector.makeRoom(bytes))) ?? 0,
    ...{ clock: systemClock, logger: silentLogger },
  });
  const watch = guard.watch({
    ...{ id: "one", folder: at("container"), limitMib: undefined, isFresh: true, pids: async () => [] },
    end: (message) => void ended.push(message),
  });
  const free = await disk.freeBytes();
  await fill(at("container"), Math.floor(free / mebibyte) - 80); // less than twice the reserve is left
  await until(
    10_000,
    () => images.ids.length === 2,
    () => `these are left: ${images.ids.join()}`,
  );
  assert.deepEqual(images.ids, ["im-needed", "im-new"]);
  await writeFile(at("more"), randomBytes(80 * mebibyte), { flush: true }); // less than the reserve
  await until(
    10_000,
    () => images.ids.length === 1,
    () => `these are left: ${images.ids.join()}`,
  );
  assert.deepEqual([images.ids, ended], [["im-needed"], []]);
  watch[Symbol.dispose]();
  isOver = true; // the guard may be in the middle of a look
  await Promise.all(underWay); // before the disk goes
});
