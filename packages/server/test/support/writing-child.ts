/** Run as a process of its own: writes to the store in the given file without end, and says on stdout what is kept. */
import { writeSync } from "node:fs";

import { Bells } from "@lydian/kit";

import { openStore } from "../../src/store/sqlite.ts";

/** Units under way at a time, so that groups of several are among them. */
const parallel = 8;

const [, , file = "", prefix = ""] = process.argv;
const store = openStore(file, new Bells());
let count = 0;

async function writeOnAndOn(): Promise<void> {
  for (;;) {
    const key = `${prefix}${count++}`;
    await store.write(async (tx) => {
      await tx.replies.keep(`${key} a`, new Uint8Array(500), 0);
      await tx.replies.keep(`${key} b`, new Uint8Array(500), 0);
    });
    writeSync(1, `${key}\n`);
  }
}

await Promise.all(Array.from({ length: parallel }, writeOnAndOn));
