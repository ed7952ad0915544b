/** The short-lived token that the JavaScript and Go clients want beside their credentials: a JWT that says who and until when. */
import { createHmac } from "node:crypto";

/** How long one holds; the clients ask for the next one before that. */
const validMs = 20 * 60_000;

/** Nothing is opened by it: requests are judged by the token's id and secret, which the same clients send along. */
export function authToken(key: Uint8Array, tokenId: string, now: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor((now + validMs) / 1000);
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: tokenId, iat: Math.floor(now / 1000), exp })}`;
  return `${signed}.${createHmac("sha256", key).update(`jwt\0${signed}`).digest("base64url")}`;
}
