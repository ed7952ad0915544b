/** How much of a disk the platform keeps free, and how soon that could be gone; pure. */

/** What a disk can run out of. */
export type Unit = "bytes" | "inodes";

export interface Room {
  /** What a user without root's rights could still have: the server is one. */
  readonly free: number;
  readonly total: number;
}

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * What must stay free for server, worker and host. Between the moment in which it is touched and the end of the container
 * that did, a fast disk takes 1 to 3 GiB: 0.1 s to the next look, 0.1 to 1 s to find out who it was, 0.1 s to end it. On a
 * large disk 2 % cost nobody anything; 10 GiB are enough on any; and a small disk must be good for something.
 */
export function byteReserve(total: number): number {
  return Math.min(Math.max(gibibyte, Math.min(total / 50, 10 * gibibyte)), total / 10);
}

/** A container can make some 100,000 files in a second; the platform needs few. */
export function inodeReserve(total: number): number {
  return Math.min(total / 50, 100_000);
}

const shortestPauseMs = 100;
const longestPauseMs = 1000;

/** In bytes per millisecond: as fast as a good disk, until it has been seen to be faster. */
export const usualPace = gibibyte / 1000;

/** When to look again: before `room` bytes can be gone at this pace (bytes per millisecond), within bounds. */
export function pauseMs(room: number, pace: number): number {
  return Math.min(Math.max(room / pace, shortestPauseMs), longestPauseMs);
}

/** For people. */
export function amountOf(unit: Unit, amount: number): string {
  if (unit === "inodes") return `${amount} files`;
  return amount < 10 * gibibyte ? `${Math.round(amount / mebibyte)} MiB` : `${(amount / gibibyte).toFixed(1)} GiB`;
}
