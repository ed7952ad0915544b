/** Values of users as one line of JSON, also those that JSON has no word for. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === "bigint") return String(each);
    if (each instanceof Map) return [...each];
    if (each instanceof Set) return [...each];
    if (each instanceof Uint8Array) return Buffer.from(each).toString("base64");
    return each === undefined ? null : each;
  });
}
