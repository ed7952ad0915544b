/** Tokens: asked for by clients that have none, listed, taken away. */
import type { ModalClient } from "@lydian/contract";

import { tokenRequestBell } from "../domain/bells.ts";
import { isGranted, requestMs, requestToken, takeToken } from "../identity/token-requests.ts";
import { knownToken, refuseOwners } from "../identity/tokens.ts";
import { outsider, type Rpcs, user } from "./adapter-access.ts";
import { type Platform, contextOf, toSeconds } from "./platform.ts";

/** The longest that a client's wait is held, in milliseconds. */
const longestWaitMs = 50_000;

export function tokenRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, bells, clock, config, log, tokens } = platform;
  const change = async (ids: readonly string[], isDisabled: boolean): Promise<void> => {
    await store.write(async (tx) => {
      for (const id of ids) {
        const token = await knownToken(tx, id);
        refuseOwners(token, config.ownerToken.id);
        await tx.identity.putToken({ ...token, isDisabled });
      }
    });
    for (const id of ids) tokens.forget(id);
  };
  return {
    tokenFlowCreate: outsider(async ({ expiresInSeconds }) => {
      const lifetime = expiresInSeconds === 0 ? undefined : expiresInSeconds * 1000;
      const { request, waitSecret } = await store.write((tx) => requestToken(tx, lifetime, contextOf(platform)));
      const webUrl = `${config.publicUrl}/token-requests/${request.id}`;
      const minutes = requestMs / 60_000;
      log.warn({ code: request.code, page: webUrl, minutes }, "a client asks for a token: its page wants this code");
      return { tokenFlowId: request.id, webUrl, waitSecret };
    }),
    tokenFlowWait: outsider(async ({ tokenFlowId: id, waitSecret, timeout }, { signal }) => {
      const known = { id, waitSecret };
      const look = async (): Promise<{ tokenId: string; secret: string } | undefined> => {
        if (!(await store.read((tx) => isGranted(tx, known, clock.now())))) return undefined;
        return await store.write((tx) => takeToken(tx, known, contextOf(platform)));
      };
      const waitMs = Math.min(timeout * 1000, longestWaitMs);
      const taken = await bells.until([tokenRequestBell(id)], look, { clock, waitMs, signal });
      if (taken === undefined) return { timeout: true };
      return { tokenId: taken.tokenId, tokenSecret: taken.secret, workspaceUsername: config.workspace };
    }),
    tokensList: user(() =>
      store.read(async (tx) => {
        const workspaceId = (await tx.identity.workspace())?.id ?? "";
        const all = await tx.identity.tokens();
        return {
          tokens: all.map(({ id, name, createdAt, expiresAt, isDisabled }) => ({
            tokenId: id,
            name,
            workspaceId,
            createdAt: toSeconds(createdAt),
            memberDisplayname: config.workspace,
            disabled: isDisabled,
            ...(expiresAt !== undefined && { expiresAt: toSeconds(expiresAt) }),
          })),
        };
      }),
    ),
    tokenDelete: user(async ({ tokenId }) => {
      await store.write(async (tx) => {
        const token = await knownToken(tx, tokenId);
        refuseOwners(token, config.ownerToken.id);
        await tx.identity.removeToken(token.id);
      });
      tokens.forget(tokenId);
      return {};
    }),
    tokenDisable: user(async ({ tokenIds }) => {
      await change(tokenIds, true);
      return {};
    }),
    tokenEnable: user(async ({ tokenIds }) => {
      await change(tokenIds, false);
      return {};
    }),
  };
}
