/** Numbers, times and amounts as people read them. */

export function countedOf(count: number | bigint, noun: string, nouns = `${noun}s`): string {
  return `${count} ${Number(count) === 1 ? noun : nouns}`;
}

export function amountOf(bytes: number | bigint): string {
  const amount = Number(bytes);
  if (amount < 1000) return `${amount} B`;
  if (amount < 1e6) return `${(amount / 1e3).toFixed(1)} kB`;
  return amount < 1e9 ? `${(amount / 1e6).toFixed(1)} MB` : `${(amount / 1e9).toFixed(2)} GB`;
}

/** Milliseconds since the epoch, in the zone of whoever reads it. */
export function timeOf(ms: bigint): string {
  const at = new Date(Number(ms) - new Date(Number(ms)).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 19).replace("T", " ");
}

/** The same with that zone, for moments that programs name in zones of their own. */
export function zonedTimeOf(ms: bigint): string {
  const minutes = -new Date(Number(ms)).getTimezoneOffset();
  if (minutes === 0) return `${timeOf(ms)} UTC`;
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${timeOf(ms)} ${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}
