/** What a commit that nobody asks for leaves for another time, so that who asks soon need not wait for it: pure. */
import type { Difference, WrittenPath } from "./difference.ts";

/** What was written less long ago is being written still, and of large files, which are long in the sending. */
const quietMs = 1_000;
const largeQuietMs = 10_000;
const largeBytes = 16 * 1024 * 1024;

const isNew = ({ kind, mtime }: WrittenPath, afterMs: number): boolean => kind === "file" && mtime / 1000 > afterMs;

/** Whether files are being written just now. */
export function isBusy({ written }: Difference, nowMs: number): boolean {
  return [...written.values()].some((file) => isNew(file, nowMs - quietMs));
}

/** Of an upper that is written to. */
export function isLeft(file: WrittenPath, nowMs: number): boolean {
  return file.size >= largeBytes && isNew(file, nowMs - largeQuietMs);
}
