/**
 * How a client without a token comes by one: it asks, the operator sees a code, somebody enters that on the request's page
 * (or the operator grants it by command), and the client that waits is given a token, once.
 */
import { hash, timingSafeEqual } from "node:crypto";

import { randomText } from "@lydian/kit";

import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { TokenRequest } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { createToken } from "./tokens.ts";

/** For so long a request can be granted and its token fetched, in milliseconds. */
export const requestMs = 600_000;

/** Anybody can ask, so only so many can wait at a time. */
const mostWaiting = 20;

/** After so many wrong codes a request is void. */
const mostTries = 5;

/** Without letters and digits that look alike. */
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/** Answers the request, and what only the client that made it knows. */
export async function requestToken(
  tx: Tx,
  lifetime: number | undefined,
  { now }: Context,
): Promise<{ request: TokenRequest; waitSecret: string }> {
  let waiting = 0;
  for (const old of await tx.identity.tokenRequests()) {
    if (old.createdAt + requestMs > now) waiting++;
    else await tx.identity.removeTokenRequest(old.id);
  }
  if (waiting >= mostWaiting) {
    throw fail("resourceExhausted", `${waiting} clients wait for a token already, and ${mostWaiting} is the most.`, {
      hint: "Try again in ten minutes, or have the operator run `lydian token create`",
    });
  }
  const waitSecret = randomText(43);
  const request: TokenRequest = {
    id: `tf-${randomText(22)}`,
    code: codeOf(),
    waitSha256: hash("sha256", waitSecret),
    createdAt: now,
    lifetime,
    tries: 0,
    grantedName: undefined,
  };
  await tx.identity.putTokenRequest(request);
  return { request, waitSecret };
}

/** `granted`, or why not; a wrong code counts. */
export async function enterCode(
  tx: Tx,
  id: string,
  { code, name }: { code: string; name: string },
  { now }: Context,
): Promise<"granted" | "wrong" | "over"> {
  const request = await tx.identity.tokenRequest(id);
  if (request === undefined || isOver(request, now) || request.tries >= mostTries) return "over";
  if (!isSame(code.toUpperCase().replaceAll(/[^A-Z0-9]/g, ""), request.code.replace("-", ""))) {
    await tx.identity.putTokenRequest({ ...request, tries: request.tries + 1 });
    return "wrong";
  }
  await tx.identity.putTokenRequest({ ...request, grantedName: name });
  return "granted";
}

/** By the operator, who needs no code; `which` is the request's id or its code. */
export async function grantRequest(tx: Tx, which: string, name: string, { now }: Context): Promise<TokenRequest> {
  const waiting = await waitingRequests(tx, now);
  const request = waiting.find(({ id, code }) => id === which || code === which.toUpperCase());
  if (request === undefined) {
    throw fail("notFound", `No client waits for a token with the code "${which}".`, {
      hint: "See who waits: `lydian token approve`",
    });
  }
  const granted = { ...request, grantedName: name };
  await tx.identity.putTokenRequest(granted);
  return granted;
}

export async function waitingRequests(tx: Tx, now: number): Promise<TokenRequest[]> {
  const all = await tx.identity.tokenRequests();
  return all.filter((each) => !isOver(each, now) && each.grantedName === undefined);
}

/** What a client says of the request that it made. */
export interface Asking {
  id: string;
  waitSecret: string;
}

/** Throws for a request that is not the client's, or over. */
export async function isGranted(tx: Tx, asking: Asking, now: number): Promise<boolean> {
  return (await ownRequest(tx, asking, now)).grantedName !== undefined;
}

/** The token, made now, of a request that is granted; undefined while it is not. */
export async function takeToken(
  tx: Tx,
  asking: Asking,
  context: Context,
): Promise<{ tokenId: string; secret: string } | undefined> {
  const { id, grantedName: name, lifetime } = await ownRequest(tx, asking, context.now);
  if (name === undefined) return undefined;
  await tx.identity.removeTokenRequest(id);
  const { token, secret } = await createToken(tx, { name, lifetime }, context);
  return { tokenId: token.id, secret };
}

async function ownRequest(tx: Tx, { id, waitSecret }: Asking, now: number): Promise<TokenRequest> {
  const request = await tx.identity.tokenRequest(id);
  if (request === undefined || isOver(request, now) || hash("sha256", waitSecret) !== request.waitSha256) {
    throw fail("notFound", "This request for a token is over.", { hint: "Begin anew: `modal token new`" });
  }
  return request;
}

function isOver({ createdAt }: TokenRequest, now: number): boolean {
  return createdAt + requestMs <= now;
}

function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", expected, "buffer"));
}

/** 40 bits. */
function codeOf(): string {
  const text = randomText(8, letters);
  return `${text.slice(0, 4)}-${text.slice(4)}`;
}
