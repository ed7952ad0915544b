/** Run as a process of its own: writes to the store in the given file while its disk fails, and says what it is told. */
import { writeSync } from "node:fs";

import { Bells } from "@lydian/kit";

import { openStore } from "../../src/store/sqlite.ts";

const [, , file = ""] = process.argv;
const store = openStore(file, new Bells(), (_descriptor, done) => setImmediate(done, new Error("the disk is gone")));
const wrote = store.write((tx) => tx.replies.keep("a", new Uint8Array(), 0));
wrote.catch((error: Error) => writeSync(1, `refused: ${error.message}\n`));
setTimeout(() => writeSync(1, "went on\n"), 5_000);
