/** Times and sizes as options write them: a number has the unit that the option documents, a string carries its own. */
import { InvalidError } from "./errors.ts";

/** A time: a number of seconds, or such as "250ms", "30s", "10m", "2h", "1d". */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** An amount of memory or disk: a number of MiB, or such as "512MiB", "4GiB", "1TiB". */
export type Size = number | `${number}${"MiB" | "GiB" | "TiB"}`;

const secondsIn = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
const mebibytesIn = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 } as const;

/** In seconds. Throws an InvalidError that names the option. */
export function seconds(duration: Duration, option: string): number {
  return amount(duration, secondsIn, option, 'a number of seconds, or such as "30s", "10m", "1h"');
}

/** In whole MiB, rounded up. Throws an InvalidError that names the option. */
export function mebibytes(size: Size, option: string): number {
  return Math.ceil(amount(size, mebibytesIn, option, 'a number of MiB, or such as "512MiB", "4GiB"'));
}

function amount(value: number | string, units: Readonly<Record<string, number>>, option: string, form: string): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(String(value)) ?? [];
  const found = typeof value === "number" ? value : Number(count) * (units[unit] ?? Number.NaN);
  if (Number.isFinite(found) && found >= 0) return found;
  throw new InvalidError(`${option} is ${JSON.stringify(value)}, and has to be ${form}`);
}
