/** The thread that reads small files of uppers: ten thousand of them are some short calls each, which nobody else waits for. */
import { readFor } from "../layers/reading-thread.ts";
import { type FileToPack, packOf } from "./pack.ts";

readFor((files: readonly FileToPack[]) => packOf(files));
