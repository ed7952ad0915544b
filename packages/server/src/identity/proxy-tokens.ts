/** Tokens that open guarded web functions: known by the SHA-256 of their secrets, shown once. */
import { hash, timingSafeEqual } from "node:crypto";

import { randomText } from "@lydian/kit";

import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { ProxyToken } from "../domain/stored.ts";
import { fail } from "../errors.ts";

/** Stands in for a token that does not exist, so that asking for one takes as long. */
const nobody = Buffer.alloc(32);

const bodyLength = 22;

/** The secret is not kept: it is in the answer alone. */
export async function createProxyToken(
  tx: Tx,
  of: { name: string; createdBy: string },
  { now }: Context,
): Promise<{ id: string; secret: string }> {
  const token = { id: `wk-${randomText(bodyLength)}`, secret: `ws-${randomText(bodyLength)}` };
  await tx.proxyTokens.insert({ ...of, id: token.id, secretSha256: hash("sha256", token.secret), createdAt: now });
  return token;
}

export async function renameProxyToken(tx: Tx, id: string, name: string): Promise<ProxyToken> {
  const isThere = await tx.proxyTokens.rename(id, name);
  const token = await tx.proxyTokens.get(id);
  if (!isThere || token === undefined) throw unknown(id);
  return token;
}

export async function deleteProxyToken(tx: Tx, id: string): Promise<void> {
  if (!(await tx.proxyTokens.remove(id))) throw unknown(id);
}

const unknown = (id: string): Error =>
  fail("notFound", `There is no proxy token ${id}.`, { hint: "List them with `modal workspace proxy-tokens list`" });

/** Whether this token exists and the secret is its own. */
export async function mayPass(tx: Tx, id: string, secret: string): Promise<boolean> {
  const token = await tx.proxyTokens.get(id);
  const expected = token === undefined ? nobody : Buffer.from(token.secretSha256, "hex");
  return timingSafeEqual(hash("sha256", secret, "buffer"), expected) && token !== undefined;
}
