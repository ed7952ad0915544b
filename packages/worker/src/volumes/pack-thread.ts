/** The thread that reads files of uppers: nobody else waits for thousands of them, or for the hash of gigabytes. */
import { readFor } from "../layers/reading-thread.ts";
import { packOf, pieceOf } from "./pack.ts";
import type { ToPack } from "./pack-reader.ts";

readFor((asked: ToPack) => (asked.kind === "pack" ? packOf(asked.files) : pieceOf(asked.piece)));
