/** What the benchmarks share: percentiles, CPU time of a process, tables that read well. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The value below which `share` of the samples lie. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/**
 * CPU time that a process has used so far, and if asked for the children for which it has waited, in milliseconds, by
 * /proc's clock of 100 ticks a second.
 */
export function cpuMs(pid: number, children?: "children"): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, children === undefined ? 13 : 15).map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * 10;
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;

/** Columns of equal width; the first one is text, the others are figures. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  console.log(`\n${title}`);
  for (const row of rows) {
    const cells = row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
    console.log(`  ${cells.join("   ")}`);
  }
}

/** What others may use of the processors, as a share, and for how long a machine is waited for that is never so quiet. */
const quietShare = 0.1;
const quietLookMs = 150;
const quietPatienceMs = 20_000;

/** Waits for a moment in which the machine does little else; answers the share of its processors that was in use then. */
export async function quiet(patienceMs = quietPatienceMs): Promise<number> {
  for (const deadline = performance.now() + patienceMs; ;) {
    const before = processorTimes();
    await delay(quietLookMs);
    const after = processorTimes();
    const share = 1 - (after.idle - before.idle) / (after.all - before.all);
    if (share <= quietShare || performance.now() > deadline) return share;
  }
}

/** Of all processors since the start of the machine, in ticks. */
function processorTimes(): { all: number; idle: number } {
  const [, ...ticks] = (readFileSync("/proc/stat", "latin1").split("\n")[0] ?? "").split(/\s+/).map(Number);
  const [, , , idle = 0, waiting = 0] = ticks; // user, nice, system, idle, iowait
  return { all: ticks.slice(0, 8).reduce((sum, each) => sum + each, 0), idle: idle + waiting };
}
