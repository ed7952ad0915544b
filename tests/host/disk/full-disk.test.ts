/** Containers on a disk that one of them fills: it ends, its neighbour goes on, and the room is there again. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { SmallDisk, until, within } from "@lydian/testkit";

import { needsContainers, nothingIsLeft, Rig } from "../runc/rig.ts";

const lack = needsContainers.skip ?? (await SmallDisk.lack());
const needs = lack === undefined ? {} : { skip: lack };

const mebibyte = 2 ** 20;

/** Writes a few bytes again and again, each time to the disk, and says so when that has worked. */
const neighbour = `exec python3 -c "
import os, time
while True:
    try:
        with open('/root/file', 'w') as file:
            file.write('x' * 5000); file.flush(); os.fsync(file.fileno())
        print('written', flush=True)
    except OSError: pass
    time.sleep(0.01)"`;

/** Does this until the disk is full, and stays. */
const hog = (prepare: string, fill: string): string => `exec python3 -c "
import array, itertools, os, socket, time
${prepare}
try:
    for number in itertools.count(): ${fill}
except OSError: pass
time.sleep(60)"`;

interface Fill {
  readonly what: string;
  readonly script: string;
  readonly message: RegExp;
  readonly inodes?: number;
  /** What somebody else writes on the disk when the container has said that it is done. */
  readonly others?: number;
}

const fills: readonly Fill[] = [
  {
    what: "as fast as it can",
    script: hog("fd = os.open('/root/f', os.O_CREAT | os.O_RDWR)", "os.write(fd, b'x' * (1 << 20))"),
    message: /^the machine's disk was nearly full \(\d+ MiB left of \d+ MiB\), and it held the most, \d{3} MiB;/,
  },
  {
    what: "with a file that nobody can find",
    script: hog(
      "fd = os.open('/root', os.O_TMPFILE | os.O_RDWR)\n" +
        "for _ in range(300): os.write(fd, b'x' * (1 << 20))\na, b = socket.socketpair(socket.AF_UNIX)\n" +
        "a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])\n" +
        "os.close(fd); print('hidden', flush=True)",
      "break",
    ),
    others: 220 * mebibyte,
    message: /^the machine's disk was nearly full .*, and it had written the most, 3\d\d MiB;/,
  },
  {
    what: "with files that take no room",
    script: hog("", "os.close(os.open(f'/root/{number}', os.O_CREAT))"),
    message: /nearly full \(\d+ files left of 20\d* files\), and it held the most, \d+ files;/,
    inodes: 20_000,
  },
];

for (const { what, script, message, inodes, others = 0 } of fills) {
  test(`a container fills the disk ${what}`, needs, async () => {
    await using disk = await SmallDisk.make(600, inodes === undefined ? {} : { inodes });
    const identity = { data: join(disk.path, "data"), instance: `t${randomBytes(3).toString("hex")}` };
    const rig = await Rig.open(identity);
    const [one, other] = [await rig.place(), await rig.place()];
    try {
      const free = { bytes: (await disk.freeBytes()) - others, inodes: await disk.freeInodes() };
      await Promise.all([rig.lay(one, { memoryMib: 256 }), rig.lay(other, { memoryMib: 256 })]);
      await rig.start(one, neighbour);
      const says = async (longerThan: number): Promise<boolean> => (await rig.output(one)).length > longerThan;
      await until(
        10_000,
        () => says(0),
        () => "the neighbour does not begin",
      );
      const filling = await rig.start(other, script);
      if (others > 0) {
        await rig.said(other, "hidden\n");
        await writeFile(join(disk.path, "others"), Buffer.alloc(others, "x"));
      }
      const end = await within(30_000, filling.end, () => "it is not ended");
      assert.ok(end.reason === "outOfDisk", JSON.stringify(end));
      assert.match(end.message, message);
      await rig.runtime.clear(other);
      const isBack = async (): Promise<boolean> =>
        (await disk.freeBytes()) > free.bytes - 20 * mebibyte && (await disk.freeInodes()) > free.inodes - 200;
      await until(10_000, isBack, () => "the room is not given back");
      const { length } = await rig.output(one);
      await until(
        10_000,
        () => says(length),
        () => "the neighbour does not go on",
      );
    } finally {
      for (const place of [one, other]) await rig.runtime.clear(place);
      await rig.close();
    }
    await nothingIsLeft(identity);
  });
}
