/** Queries of links that only this server can have made, and that work until a moment. */
import { createHmac, timingSafeEqual } from "node:crypto";

import { fail } from "../errors.ts";

/** Signs fields for one purpose; what is signed for one is no use for another. `until` is in milliseconds since the epoch. */
export function signedQuery(
  key: Uint8Array,
  purpose: string,
  fields: Readonly<Record<string, string | number>>,
  until: number,
): URLSearchParams {
  const texts = Object.entries({ ...fields, until: Math.ceil(until) }).map(([name, value]) => [name, String(value)]);
  const query = new URLSearchParams(Object.fromEntries(texts) as Record<string, string>);
  query.set("sig", sign(key, purpose, query));
  return query;
}

/** The fields. Throws permissionDenied for what this server did not sign for this purpose, gone for what has expired. */
export function openQuery(
  key: Uint8Array,
  purpose: string,
  query: Readonly<Record<string, unknown>>,
  now: number,
): Readonly<Record<string, string>> {
  const { sig, ...fields } = query;
  const texts = Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === "string");
  if (typeof sig !== "string" || texts.length !== Object.keys(fields).length) throw notValid();
  const expected = Buffer.from(sign(key, purpose, new URLSearchParams(texts)));
  const given = Buffer.from(sig);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw notValid();
  if (Number(fields["until"]) <= now) {
    throw fail("gone", "This link has expired.", { hint: "Ask the server for a new one." });
  }
  return Object.fromEntries(texts);
}

export function notValid(): Error {
  return fail("permissionDenied", "This link is not valid.", { hint: "Ask the server for a new one." });
}

function sign(key: Uint8Array, purpose: string, query: URLSearchParams): string {
  const sorted = new URLSearchParams(query);
  sorted.sort();
  return createHmac("sha256", key).update(`${purpose}\n${sorted.toString()}`).digest("base64url");
}
