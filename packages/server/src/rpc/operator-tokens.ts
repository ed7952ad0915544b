/** What the operator's commands ask for about tokens. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";

import { tokenRequestBell } from "../domain/bells.ts";
import type { Token } from "../domain/stored.ts";
import { grantRequest, waitingRequests } from "../identity/token-requests.ts";
import { createToken, knownToken, refuseOwners } from "../identity/tokens.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { type Platform, contextOf } from "./platform.ts";

export function operatorTokenRpcs(platform: Platform): Rpcs<typeof operator.Operators> {
  const { store, clock, config, tokens } = platform;
  const summary = (token: Token): MessageInitShape<typeof operator.TokenSummarySchema> => ({
    tokenId: token.id,
    name: token.name,
    createdAtMs: BigInt(token.createdAt),
    expiresAtMs: BigInt(token.expiresAt ?? 0),
    disabled: token.isDisabled,
    owner: token.id === config.ownerToken.id,
  });
  return {
    listTokens: user(async () => ({ tokens: (await store.read((tx) => tx.identity.tokens())).map(summary) })),
    createToken: user(async ({ name, lifetimeMs }) => {
      const lifetime = lifetimeMs === 0n ? undefined : Number(lifetimeMs);
      // Not kept for a repetition, as replies are: the secret would be on disk.
      const made = await store.write((tx) => createToken(tx, { name, lifetime }, contextOf(platform)));
      return { token: summary(made.token), secret: made.secret };
    }),
    revokeToken: user(async ({ token: idOrName }) => {
      const { id } = await store.write(async (tx) => {
        const token = await knownToken(tx, idOrName);
        refuseOwners(token, config.ownerToken.id);
        await tx.identity.removeToken(token.id);
        return token;
      });
      tokens.forget(id);
      return { tokenId: id };
    }),
    listTokenRequests: user(async () => {
      const waiting = await store.read((tx) => waitingRequests(tx, clock.now()));
      const requests = waiting.map(({ id, code, createdAt, lifetime }) => ({
        requestId: id,
        code,
        createdAtMs: BigInt(createdAt),
        lifetimeMs: BigInt(lifetime ?? 0),
      }));
      return { requests };
    }),
    approveTokenRequest: user(async ({ request, name }) => {
      await store.write(async (tx) => {
        const { id } = await grantRequest(tx, request, name, contextOf(platform));
        tx.ring(tokenRequestBell(id));
      });
      return {};
    }),
  };
}
