/** Whether a file was copied up by the kernel and not changed since. */
import { type BigIntStats, closeSync, openSync, readlinkSync, readSync } from "node:fs";

import { nameOnDisk, textOfName } from "@lydian/kit/file-names";

import { signatureOf, type Shown } from "./stack.ts";

const blockBytes = 1024 * 1024;
const [one, other] = [Buffer.alloc(blockBytes), Buffer.alloc(blockBytes)];

/** Of files that were compared: they are looked at again and again while their container runs. */
const known = new Map<string, boolean>();
const mostKnown = 10_000;

/** Files that are alike in all that a copy keeps are compared: two that were written in one tick of the clock are, too. */
export function isSameFile(below: Extract<Shown, { kind: "other" }>, file: string, stats: BigIntStats): boolean {
  const { stats: base } = below;
  if (base.ino === stats.ino) return true;
  if (base.mode !== stats.mode || base.size !== stats.size || base.mtimeNs !== stats.mtimeNs) return false;
  if (stats.isSymbolicLink()) return targetOf(below.file) === targetOf(file);
  const key = `${signatureOf(base, true)} ${signatureOf(stats, false)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const isSame = haveSameBytes(below.file, file);
  if (known.size === mostKnown) known.clear();
  known.set(key, isSame);
  return isSame;
}

/** What a symbolic link says. */
export const targetOf = (link: string): string => textOfName(readlinkSync(nameOnDisk(link), "buffer"));

function haveSameBytes(first: string, second: string): boolean {
  const descriptors = [openSync(nameOnDisk(first), "r"), openSync(nameOnDisk(second), "r")] as const;
  try {
    for (;;) {
      const [read, alike] = [readSync(descriptors[0], one), readSync(descriptors[1], other)];
      if (read !== alike || !one.subarray(0, read).equals(other.subarray(0, read))) return false;
      if (read === 0) return true;
    }
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}
