/** Run as a process of its own: rotates the key of the store and key file in the given folder without end, saying each step. */
import { writeSync } from "node:fs";
import { join } from "node:path";

import { Bells } from "@lydian/kit";

import { KeyRing } from "../../src/secrets/key-ring.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { openStore } from "../../src/store/sqlite.ts";

const [, , folder = ""] = process.argv;
const store = openStore(join(folder, "store.sqlite"), new Bells());
const saying: typeof store = {
  ...store,
  write: async (unit) => {
    writeSync(1, "some are written\n");
    const value = await store.write(unit);
    writeSync(1, "some are on disk\n");
    return value;
  },
};
const vault = new Vault(await KeyRing.load(join(folder, "secrets-key"), undefined), saying);
for (;;) {
  writeSync(1, "begins\n");
  await vault.rotate();
}
